"""Who the customers are and what to do about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._report.book import Book
from crmkit._report.drawings import draw
from crmkit._report.grids import make_grid
from crmkit._report.sections import Picture, Section
from crmkit._words import formats

_FIRST: Final = 25
_LATE: Final = ("at risk", "lapsing")
_FIFTH: Final = 0.2
_NOBODY: Final = "There are no customers to show."


def call_list(book: Book) -> Section:
    """Say whom to call first, and why."""
    rows = book.rows["call_list"][:_FIRST]
    at_risk, total = _sum(rows, "value_at_risk"), book.figure("value at risk")
    share = f", {formats.percent(at_risk / total)} of the total" if total else ""
    reading = (
        f"The {formats.counted(len(rows), 'customer')} below have {book.money(at_risk)} of "
        f"value at risk{share}."
    )
    grid = make_grid(
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
        remarks=("Value at risk: expected value times the risk that the customer is gone.",),
        grids=(grid,),
        tables=("call_list", "customers"),
    )


def actions(book: Book) -> Section:
    """Say what to do, and where most is at stake."""
    rows = [row for row in book.rows["actions"] if row["n_customers"]]
    ranked = sorted(rows, key=lambda row: -(row["value_at_risk"] or 0) / row["n_customers"])
    reading = _NOBODY
    if ranked:
        first = ranked[0]
        n, at_risk = first["n_customers"], first["value_at_risk"] or 0.0
        reading = (
            f"Most is at stake with each customer under \N{LEFT DOUBLE QUOTATION MARK}"
            f"{_name(first['action'])}\N{RIGHT DOUBLE QUOTATION MARK}: {book.money(at_risk)} with "
            f"{formats.counted(n, 'customer')}, {book.money(at_risk / n)} each."
        )
    grid = make_grid(
        rows,
        *("action", "n_customers", "value_at_risk", "clv"),
        table="actions",
        caption="What to do, with how many",
    )
    return Section(
        key="actions",
        heading="What to do",
        reading=reading,
        remarks=("Advice by stage and tier; a test with a control group tells whether it pays.",),
        pictures=(_picture("actions", plots.actions, book, currency=book.currency),),
        grids=(grid,),
        tables=("actions", "customers"),
        is_split=True,
    )


def segments(book: Book) -> Section:
    """Say which segment brings the money."""
    rows = book.rows["segments"]
    first = max(rows, key=lambda row: row.get("amount_share") or 0, default=None)
    reading = _NOBODY
    if first is not None:
        reading = (
            f"{_name(first['segment'])}, {formats.percent(first['customer_share'])} of the "
            f"customers, brought {formats.percent(first.get('amount_share'))} of the money."
        )
    grid = make_grid(
        rows,
        *("segment", "n_customers", "customer_share", "total_amount", "amount_share"),
        *("mean_amount", "average_order_value", "mean_orders", "mean_days_since_last"),
        table="segments",
        caption="Segments by behaviour: how lately, how often, how much",
    )
    grid_picture = draw("rfm-grid", lambda: plots.rfm_grid(book.customers))
    return Section(
        key="segments",
        heading="Segments",
        reading=reading,
        pictures=(_picture("segments", plots.segments, book), grid_picture),
        grids=(grid,),
        tables=("segments", "customers"),
    )


def stages(book: Book) -> Section:
    """Say who is late by their own rhythm, and who is lost."""
    rows = book.rows["stages"]
    late = [row for row in rows if row["stage"] in _LATE]
    lost = [row for row in rows if row["stage"] == "lost"]
    reading = (
        f"{formats.counted(_sum(late, 'n_customers'), 'customer')} "
        f"({formats.percent(_sum(late, 'customer_share'))}) are running late and not yet lost; "
        f"{formats.whole(_sum(lost, 'n_customers'))} "
        f"({formats.percent(_sum(lost, 'customer_share'))}) are lost by their own rhythm."
    )
    grid = make_grid(
        rows,
        *("stage", "n_customers", "customer_share", "total_amount", "amount_share"),
        table="stages",
        caption="Stages of life, in their order",
    )
    rules = book.stage_rules
    remark = (
        f"Late is measured in the gaps to be expected of each customer: at risk from "
        f"{rules.at_risk_from:g} gaps of silence, lapsing from {rules.lapsing_from:g}, lost from "
        f"{rules.lost_from:g}. The typical gap here is {rules.typical_gap_days:g} days."
    )
    return Section(
        key="stages",
        heading="Stages of life",
        reading=reading if rows else _NOBODY,
        remarks=(remark,),
        pictures=(_picture("stages", plots.stages, book),),
        grids=(grid,),
        tables=("stages", "customers"),
        is_split=True,
    )


def tiers(book: Book) -> Section:
    """Say how much the best customers bring."""
    rows = book.rows["tiers"]
    grid = make_grid(
        rows,
        *("tier", "cut", "n_customers", "customer_share", "value", "value_share"),
        table="tiers",
        caption="Tiers by value",
    )
    return Section(
        key="tiers",
        heading="Tiers by value",
        reading=_concentrated(book),
        pictures=(
            _picture("tiers", plots.tiers, book),
            _picture("concentration", plots.concentration, book),
        ),
        grids=(grid,),
        tables=("tiers", "concentration", "customers"),
    )


def _concentrated(book: Book) -> str:
    rows = [row for row in book.rows["concentration"] if row["value_share"] is not None]
    if not rows:
        return "What the best customers bring cannot be told: the total is not above zero."
    best = min(rows, key=lambda row: abs(row["customer_share"] - _FIFTH))
    first = book.rows["tiers"][0]
    return (
        f"The best {formats.percent(best['customer_share'], digits=0)} of the customers brought "
        f"{formats.percent(best['value_share'])} of the revenue; {_name(first['tier'])}, the "
        f"highest tier, is {formats.counted(first['n_customers'], 'customer')} with "
        f"{formats.percent(first['value_share'])} of it."
    )


def _picture(name: str, plot: Any, book: Book, **options: str) -> Picture:  # noqa: ANN401 - any plot
    return draw(name, lambda: plot(book.tables[name], **options))


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(row[name] or 0 for row in rows)


def _name(value: object) -> str:
    return formats.name(value, longest=60)
