"""Columns that describe the customer, such as name, e-mail and region, carried through the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._words.arguments import require_column_name, require_list, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER, PROSPECTS, RHYTHM, Column, Table
from crmkit.tables.contracts import NOT_MADE

MADE: Final = (
    *(name for name in RHYTHM.column_names if name != "sum_log_gaps"),  # it does without
    *("r_score", "f_score", "m_score", "rfm_code", "rfm_sum", "segment"),
    *("p_alive", "expected_purchases", "expected_spend", "clv"),
    *("tier", "abc_class", "abc_rank", "value_share", "cumulative_share"),
    *("expected_gap_days", "overdue_ratio", "stage", "stage_reason"),
    *("churn_risk", "risk_level", "risk_reason", "past_amount", "value_at_risk"),
    *("action", "action_reason"),
)
"""The columns of customers that the job makes itself."""

_LONG_AGO: Final = 10_000_000  # days: what a prospect's own row says counts last


def require_names(keep: Sequence[str]) -> tuple[str, ...]:
    """Require names of columns that the job does not make itself, each once."""
    require_list(keep, argument="keep", example='("name", "email")')
    names = tuple(keep)
    for name in names:
        require_column_name(name, argument="keep")
    taken = [name for name in names if name in MADE]
    if taken:
        msg = (
            f"`keep` names {frames.quoted(taken)}, which the job makes itself.\n"
            "Rename the column of your table, or leave it out."
        )
        raise InvalidArgumentError(msg)
    if len(set(names)) < len(names):
        msg = f"`keep` must name each column once, got {shown(keep)}.\nLeave out the others."
        raise InvalidArgumentError(msg)
    return names


def contract(table: Table, keep: Sequence[str]) -> Table:
    """Promise the columns of a table, and those to keep, of any type."""
    kept = (Column(name, "key", "kept", nullable=True, made_by=NOT_MADE) for name in keep)
    return replace(table, columns=(*table.columns, *kept), is_summed_up=True)


def with_last_known(
    customers: IntoFrameT,
    *,
    orders: IntoFrame,
    prospects: IntoFrame | None,
    keep: Sequence[str],
    as_of: date,
) -> IntoFrameT:
    """Append each customer's last known value of the kept columns, right after customer_id.

    That is the value of the last day on which it is known; of several on that day, the last in
    the order of values. What a table of prospects says counts where the orders say nothing.
    """
    if not keep:
        return customers
    ledger = frames.read(orders, contract(LEDGER.only("customer_id", "date"), keep))
    ledger = ledger.filter(time.until(ledger, as_of))
    days_ago = nw.lit(time.number_of(as_of)) - time.day_number(ledger, "date")
    said = _said(ledger.with_columns(days_ago=days_ago.cast(nw.Int64)), keep)
    if prospects is not None:
        said = nw.concat([said, _of_prospects(prospects, keep)], how="diagonal")
    distinct = frames.by_customer(said, partial(_distinct, keep=tuple(keep)))
    known = frames.keep(frames.give(distinct, like=customers))
    last = frames.by_customer(frames.reopen(known), partial(_last_known, keep=tuple(keep)))
    frame = frames.reopen(customers)
    others = [name for name in frame.collect_schema().names() if name != "customer_id"]
    joined = frames.join_left(frame, last, on="customer_id")
    ordered = joined.select("customer_id", *keep, *others)
    return frames.give(ordered, like=customers, order_by=["customer_id"])


def _said(rows: frames.Frame, keep: Sequence[str]) -> frames.Frame:
    """Take what is said of each customer, and how many days ago it was said."""
    schema = rows.collect_schema()
    coded = [name for name in keep if schema[name] in (nw.Categorical, nw.Enum)]
    plain = rows.with_columns(nw.col(*coded).cast(nw.String)) if coded else rows
    return plain.select("customer_id", "days_ago", *keep)


def _of_prospects(prospects: IntoFrame, keep: Sequence[str]) -> frames.Frame:
    """Take the kept columns that the prospects have."""
    present = frames.reopen(prospects).collect_schema().names()
    shared = [name for name in keep if name in present]
    people = frames.read(prospects, contract(PROSPECTS, shared))
    return _said(people.with_columns(days_ago=nw.lit(_LONG_AGO).cast(nw.Int64)), shared)


def _distinct(said: frames.Frame, *, keep: Sequence[str]) -> frames.Frame:
    """Keep each thing that is said once, with the last day: little more than a row for each."""
    return said.group_by("customer_id", *keep).agg(nw.col("days_ago").min())


def _last_known(said: frames.Frame, *, keep: Sequence[str]) -> frames.Frame:
    """Put together what was said last of each customer, column by column.

    Column by column, so that whole numbers of pandas meet no null on the way and stay whole.
    """
    customers = said.select("customer_id").unique("customer_id")
    for name in keep:
        known = said.filter(~nw.col(name).is_null()).select("customer_id", name, "days_ago")
        spread = frames.spread_least(known, "customer_id", of="days_ago", into="least")
        last = spread.filter(nw.col("days_ago") == nw.col("least")).select("customer_id", name)
        one_each = last.group_by("customer_id").agg(nw.col(name).max())
        customers = customers.join(one_each, on="customer_id", how="left")
    return customers.select("customer_id", *keep)
