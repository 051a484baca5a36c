"""Sections on customers: call list, actions, segments, stages and tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._report.html_tables import html_table
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Picture, Section
from crmkit._report.svg import draw_svg
from crmkit._words import formats

_MOST_CALLS: Final = 25
_OVERDUE: Final = ("at risk", "lapsing")
_FIFTH: Final = 0.2
_NOBODY: Final = "No customers to show."


def call_list(inputs: ReportInputs) -> Section:
    """Section: customers to call first, and why."""
    rows = inputs.rows["call_list"][:_MOST_CALLS]
    at_risk, total = _sum(rows, "value_at_risk"), inputs.figure("value at risk")
    share = f", {formats.percent(at_risk / total)} of the total" if total else ""
    reading = (
        f"The {formats.counted(len(rows), 'customer')} below have {inputs.money(at_risk)} of "
        f"expected value at risk{share}."
    )
    table = html_table(
        rows,
        *("customer_id", "value_at_risk", "action", "stage", "churn_risk", "clv", "tier"),
        *("last_date", "total_amount"),
        table="call_list",
        caption=f"The first {len(rows)} by value at risk",
        details={"action": "action_reason", "stage": "risk_reason"},
    )
    return Section(
        key="call-list",
        heading="Whom to call first",
        reading=reading if rows else _NOBODY,
        remarks=("Value at risk: expected value times churn risk.",),
        html_tables=(table,),
        tables=("call_list", "customers"),
    )


def actions(inputs: ReportInputs) -> Section:
    """Section: recommended actions, and the value at risk of each."""
    rows = [row for row in inputs.rows["actions"] if row["n_customers"]]
    ranked = sorted(rows, key=lambda row: -(row["value_at_risk"] or 0) / row["n_customers"])
    reading = _NOBODY
    if ranked:
        first = ranked[0]
        n, at_risk = first["n_customers"], first["value_at_risk"] or 0.0
        reading = (
            f"The value at risk per customer is highest for \N{LEFT DOUBLE QUOTATION MARK}"
            f"{_name(first['action'])}\N{RIGHT DOUBLE QUOTATION MARK}: {inputs.money(at_risk)} "
            f"with {formats.counted(n, 'customer')}, {inputs.money(at_risk / n)} each."
        )
    table = html_table(
        rows,
        *("action", "n_customers", "value_at_risk", "clv"),
        table="actions",
        caption="Recommended actions",
    )
    return Section(
        key="actions",
        heading="What to do",
        reading=reading,
        remarks=("Advice by stage and tier; test with a control group whether it pays.",),
        pictures=(_picture("actions", plots.actions, inputs, currency=inputs.currency),),
        html_tables=(table,),
        tables=("actions", "customers"),
        is_split=True,
    )


def segments(inputs: ReportInputs) -> Section:
    """Section: RFM segments, and their share of the money."""
    rows = inputs.rows["segments"]
    first = max(rows, key=lambda row: row.get("amount_share") or 0, default=None)
    reading = _NOBODY
    if first is not None:
        reading = (
            f"{_name(first['segment'])}, {formats.percent(first['customer_share'])} of the "
            f"customers, brought {formats.percent(first.get('amount_share'))} of the money."
        )
    table = html_table(
        rows,
        *("segment", "n_customers", "customer_share", "total_amount", "amount_share"),
        *("mean_amount", "average_order_value", "mean_orders", "mean_days_since_last"),
        table="segments",
        caption="Segments by recency, frequency and monetary value",
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


def stages(inputs: ReportInputs) -> Section:
    """Section: life-cycle stages, overdue and lost customers."""
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
    )
    rules = inputs.stage_rules
    remark = (
        "Stages compare the time since the last purchase with each customer's expected gap "
        f"between purchases: at risk from {rules.at_risk_from:g} expected gaps, lapsing from "
        f"{rules.lapsing_from:g}, lost from {rules.lost_from:g}. The typical gap here is "
        f"{rules.typical_gap_days:g} days."
    )
    return Section(
        key="stages",
        heading="Life-cycle stages",
        reading=reading if rows else _NOBODY,
        remarks=(remark,),
        pictures=(_picture("stages", plots.stages, inputs),),
        html_tables=(table,),
        tables=("stages", "customers"),
        is_split=True,
    )


def tiers(inputs: ReportInputs) -> Section:
    """Section: tiers by value, and how concentrated value is."""
    rows = inputs.rows["tiers"]
    table = html_table(
        rows,
        *("tier", "cut", "n_customers", "customer_share", "value", "value_share"),
        table="tiers",
        caption="Tiers by value",
    )
    return Section(
        key="tiers",
        heading="Tiers by value",
        reading=_concentration(inputs),
        pictures=(
            _picture("tiers", plots.tiers, inputs),
            _picture("concentration", plots.concentration, inputs),
        ),
        html_tables=(table,),
        tables=("tiers", "concentration", "customers"),
    )


def _concentration(inputs: ReportInputs) -> str:
    rows = [row for row in inputs.rows["concentration"] if row["value_share"] is not None]
    if not rows:
        return "The share of the best customers is unknown: the total is not above 0."
    best = min(rows, key=lambda row: abs(row["customer_share"] - _FIFTH))
    first = inputs.rows["tiers"][0]
    return (
        f"The best {formats.percent(best['customer_share'], digits=0)} of the customers brought "
        f"{formats.percent(best['value_share'])} of the revenue; {_name(first['tier'])}, the "
        f"highest tier, is {formats.counted(first['n_customers'], 'customer')} with "
        f"{formats.percent(first['value_share'])} of it."
    )


def _picture(name: str, plot: Any, inputs: ReportInputs, **options: str) -> Picture:  # noqa: ANN401 - any plot
    return draw_svg(name, lambda: plot(inputs.tables[name], **options))


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(row[name] or 0 for row in rows)


def _name(value: object) -> str:
    return formats.name(value, longest=60)
