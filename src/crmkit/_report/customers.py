"""Sections on customers: call list, actions, segments, stages and tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._report.html_tables import html_table
from crmkit._report.inputs import MOST_SHOWN, ReportInputs
from crmkit._report.sections import Picture, Section
from crmkit._report.stage_returns import came_back, limits_of_stages, returns_table
from crmkit._report.svg import draw_svg
from crmkit._words import formats

_OVERDUE: Final = ("at risk", "lapsing")
_FIFTH: Final = 0.2
_NOBODY: Final = "No customers to show."
_SCORED: Final = {
    True: "recency, frequency and monetary value",
    False: "recency and frequency; amounts are unknown",
}
_ORDER: Final = {
    "expected_purchases": "expected to buy most",
    "total_amount": "who brought most",
    "orders": "who ordered most",
    "days_since_last": "who bought longest ago",
}
"""How the call list is ranked, by the first of these that it has."""


def call_list(inputs: ReportInputs) -> Section | None:
    """Section: customers to call first, and why."""
    rows = inputs.rows.get("call_list", [])[:MOST_SHOWN]
    has_value = inputs.has_figure("value at risk")
    is_late = "stages" in inputs.tables or "segments" in inputs.tables
    if "call_list" not in inputs.tables or (inputs.few_customers and not is_late):
        return None
    table = html_table(
        rows,
        *("customer_id", *inputs.settings.keep, "value_at_risk", "action", "stage"),
        *("segment",) * (not has_value),
        *("churn_risk", "past_amount", "expected_purchases", "tier", _when(rows)),
        *("orders",) * (not has_value),
        "total_amount",
        table="call_list",
        caption=f"The first {len(rows)} by value at risk" if has_value else _first_of(rows, inputs),
        details={"action": "action_reason", "stage": "stage_reason", "churn_risk": "risk_reason"},
        currency=inputs.currency,
        as_text=inputs.settings.keep,
    )
    days = f"{inputs.settings.horizon_days or 0:g} days"
    remark = (
        f"Value at risk: money of the last {days} times the probability of no purchase in the next "
        f"{days}; where there was none, the money expected."
    )
    remarks = (remark,) if has_value else ()
    return Section(
        key="call-list",
        heading="Whom to call first" if is_late else "The best customers so far",
        reading=(_most_at_risk(rows, inputs) if has_value else _late(rows, inputs)),
        remarks=remarks,
        html_tables=(table,) if rows else (),
        tables=("call_list", "customers"),
    )


def customers(inputs: ReportInputs) -> Section | None:
    """Section: all customers, where they are few."""
    rows = inputs.few_customers
    if not rows:
        return None
    table = html_table(
        rows,
        *("customer_id", *inputs.settings.keep, "stage", "segment", "tier", "orders"),
        *("total_amount", _when(rows)),
        table="customers",
        caption=formats.counted(len(rows), "customer"),
        details={"stage": "stage_reason"},
        currency=inputs.currency,
        as_text=inputs.settings.keep,
    )
    order = ", those who brought most first" if "total_amount" in rows[0] else ""
    return Section(
        key="customers",
        heading="All customers",
        reading=f"Every customer of this report{order}.",
        html_tables=(table,),
        tables=("customers",),
    )


def actions(inputs: ReportInputs) -> Section | None:
    """Section: recommended actions, and the value at risk of each."""
    if "actions" not in inputs.tables:
        return None
    rows = [row for row in inputs.rows["actions"] if row["n_customers"]]
    has_unknown = any(row.get("n_unknown") for row in rows)
    table = html_table(
        rows,
        *("action", "n_customers", "value_at_risk", "clv", *("n_unknown",) * has_unknown),
        table="actions",
        caption="Recommended actions",
        currency=inputs.currency,
    )
    advice = "stage and tier" if "tiers" in inputs.tables else "stage"
    return Section(
        key="actions",
        heading="What to do",
        reading=_first_action(rows, inputs),
        remarks=(f"Advice by {advice}; test with a control group whether it pays.",),
        pictures=(_picture("actions", plots.actions, inputs, currency=inputs.currency),),
        html_tables=(table,),
        tables=("actions", "customers"),
        is_split=True,
    )


def segments(inputs: ReportInputs) -> Section | None:
    """Section: RFM segments, and their share of the money."""
    if "segments" not in inputs.tables:
        return None
    rows = inputs.rows["segments"]
    by = "amount_share" if rows and rows[0].get("amount_share") is not None else "customer_share"
    first = max(rows, key=lambda row: row[by] or 0, default=None)
    reading = _NOBODY
    if first is not None:
        did = f"brought {formats.percent(first[by])} of the money"
        reading = (
            f"{_name(first['segment'])}, {formats.percent(first['customer_share'])} of the "
            f"customers, {did if by == 'amount_share' else 'is the largest segment'}."
        )
    has_money = not rows or "total_amount" in rows[0]
    table = html_table(
        rows,
        *("segment", "n_customers", "customer_share", "total_amount", "amount_share"),
        *("mean_amount", "average_order_value", "mean_orders", "mean_days_since_last"),
        table="segments",
        caption=f"Segments by {_SCORED[has_money]}",
        currency=inputs.currency,
    )
    heatmap = draw_svg("rfm-grid", lambda: plots.rfm_grid(inputs.customers))
    return Section(
        key="segments",
        heading="Segments",
        reading=reading,
        pictures=(_picture("segments", plots.segments, inputs), heatmap),
        html_tables=(table,),
        tables=("segments", "customers"),
    )


def stages(inputs: ReportInputs) -> Section | None:
    """Section: life-cycle stages, overdue and lost customers."""
    rules = inputs.stage_rules
    if "stages" not in inputs.tables or rules is None:
        return None
    rows = inputs.rows["stages"]
    overdue = [row for row in rows if row["stage"] in _OVERDUE]
    lost = [row for row in rows if row["stage"] == "lost"]
    reading = (
        f"{formats.counted(_sum(overdue, 'n_customers'), 'customer')} "
        f"({formats.percent(_sum(overdue, 'customer_share'))}) are overdue and not yet lost; "
        f"{formats.whole(_sum(lost, 'n_customers'))} "
        f"({formats.percent(_sum(lost, 'customer_share'))}) are lost, by their own purchase rhythm."
    )
    table = html_table(
        rows,
        *("stage", "n_customers", "customer_share", "total_amount", "amount_share"),
        table="stages",
        caption="Life-cycle stages, in their order",
        currency=inputs.currency,
    )
    return Section(
        key="stages",
        heading="Life-cycle stages",
        reading=reading if rows else _NOBODY,
        remarks=(limits_of_stages(rules), *came_back(inputs)),
        pictures=(_picture("stages", plots.stages, inputs),),
        html_tables=(table, *returns_table(inputs)),
        tables=(*inputs.there("stages", "stage_returns"), "customers"),
        is_split=True,
    )


def tiers(inputs: ReportInputs) -> Section | None:
    """Section: tiers by value, and how concentrated value is."""
    names = inputs.there("tiers", "concentration")
    if not names:
        return None
    has_tiers = "tiers" in names
    table = html_table(
        inputs.rows.get("tiers", []),
        *("tier", "cut", "n_customers", "customer_share", "value", "value_share"),
        table="tiers",
        caption="Tiers by value",
        currency=inputs.currency,
    )
    return Section(
        key="tiers",
        heading="Tiers by value" if has_tiers else "Concentration of value",
        reading=_concentration(inputs),
        pictures=tuple(_picture(name, getattr(plots, name), inputs) for name in names),
        html_tables=(table,) if has_tiers else (),
        tables=(*names, "customers"),
    )


def _most_at_risk(rows: Sequence[Row], inputs: ReportInputs) -> str:
    if not rows:
        return _NOBODY
    at_risk, total = _sum(rows, "value_at_risk"), inputs.figure("value at risk")
    share = f", {formats.percent(at_risk / total)} of the total" if total else ""
    return (
        f"The {formats.counted(len(rows), 'customer')} below have {inputs.money(at_risk)} of "
        f"value at risk{share}."
    )


def _late(rows: Sequence[Row], inputs: ReportInputs) -> str:
    """Say whom the list holds where value at risk is unknown, and in which order."""
    n = inputs.sizes["call_list"]
    has_stages = "stages" in inputs.tables
    if not n:
        return _nobody_is_late(inputs)
    order = next(text for name, text in _ORDER.items() if name in rows[0])
    if has_stages:
        verb = "is" if n == 1 else "are"
        who = f"{formats.counted(n, 'customer')} {verb} late by their own rhythm and not yet lost"
    elif "segments" in inputs.tables:
        verb = "is" if n == 1 else "are"
        who = f"{formats.counted(n, 'customer')} {verb} among those who bought longest ago"
    else:
        who = f"The best {formats.counted(len(rows), 'customer')}"
    return f"{who}; those {order} come first."


def _nobody_is_late(inputs: ReportInputs) -> str:
    if "stages" not in inputs.tables:
        return "Nobody has been away for longer than the others."
    lost = next(row["n_customers"] for row in inputs.rows["stages"] if row["stage"] == "lost")
    return f"Nobody is late by their own rhythm and not yet lost; {formats.whole(lost)} are lost."


def _when(rows: Sequence[Row]) -> str:
    """Choose how to show the last purchase: by its date, where that is known."""
    return "days_since_last" if rows and "last_date" not in rows[0] else "last_date"


def _first_of(rows: Sequence[Row], inputs: ReportInputs) -> str:
    n = inputs.sizes["call_list"]
    return f"All {n}" if n == len(rows) else f"The first {len(rows)} of {n}"


def _first_action(rows: Sequence[Row], inputs: ReportInputs) -> str:
    if not rows:
        return _NOBODY
    if not inputs.has_figure("value at risk"):
        most = max(rows, key=lambda row: row["n_customers"])
        n = formats.counted(most["n_customers"], "customer")
        return f"Most often {_quoted(most['action'])}, for {n}."
    first = min(rows, key=lambda row: -(row["value_at_risk"] or 0) / row["n_customers"])
    n, at_risk = first["n_customers"], first["value_at_risk"] or 0.0
    return (
        f"The value at risk per customer is highest for {_quoted(first['action'])}: "
        f"{inputs.money(at_risk)} with {formats.counted(n, 'customer')}, "
        f"{inputs.money(at_risk / n)} each."
    )


def _concentration(inputs: ReportInputs) -> str:
    rows = [row for row in inputs.rows["concentration"] if row["value_share"] is not None]
    if not rows:
        return "The share of the best customers is unknown: the total is not above 0."
    best = min(rows, key=lambda row: abs(row["customer_share"] - _FIFTH))
    text = (
        f"The best {formats.percent(best['customer_share'], digits=0)} of the customers brought "
        f"{formats.percent(best['value_share'])} of the revenue"
    )
    if not inputs.has("tiers"):
        return f"{text}."
    first = inputs.rows["tiers"][0]
    return (
        f"{text}; {_name(first['tier'])}, the highest tier, is "
        f"{formats.counted(first['n_customers'], 'customer')} with "
        f"{formats.percent(first['value_share'])} of it."
    )


def _picture(name: str, plot: Any, inputs: ReportInputs, **options: str) -> Picture:  # noqa: ANN401 - any plot
    return draw_svg(name, lambda: plot(inputs.tables[name], **options))


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(row[name] or 0 for row in rows)


def _name(value: object) -> str:
    return formats.name(value, longest=60)


def _quoted(value: object) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{_name(value)}\N{RIGHT DOUBLE QUOTATION MARK}"
