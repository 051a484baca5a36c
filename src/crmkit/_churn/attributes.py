"""Columns of customers that come from elsewhere, as they were known on a day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import ATTRIBUTES

Frame = nw.LazyFrame[Any]

_NOT_ATTRIBUTES = ("customer_id", "date")
_LABELS = ("churned", "horizon_days")


def read_attributes(customers: IntoFrame, *, like: Frame, taken: Collection[str]) -> Frame:
    """Read a table of customers, and require that it can be joined to features."""
    frame = frames.read(customers, ATTRIBUTES)
    if frame.implementation != like.implementation:
        msg = (
            f"{ATTRIBUTES.name}: on {frame.implementation.value}, where the orders are on "
            f"{like.implementation.value}.\nGive both as tables of one engine."
        )
        raise InvalidArgumentError(msg)
    kinds = [each.collect_schema()["customer_id"] for each in (frame, like)]
    if kinds[0] != kinds[1]:
        msg = (
            f"{ATTRIBUTES.name}: `customer_id` has type {kinds[0]}, where the orders have "
            f"{kinds[1]}.\nCast one to the type of the other."
        )
        raise InvalidArgumentError(msg)
    _require_free_names(frame, taken)
    if not frames.is_lazy(customers):
        _require_one_row_each(frame)
    return frame


def names(customers: Frame) -> list[str]:
    """List the columns that are joined on."""
    return [n for n in customers.collect_schema().names() if n not in _NOT_ATTRIBUTES]


def first_day(customers: IntoFrame, attributes: Frame) -> date | None:
    """Find the first day of a dated table that is not lazy; None for others."""
    if frames.is_lazy(customers) or not frames.has(attributes, "date"):
        return None
    found = frames.rows(attributes.select(first=time.day_number(attributes, "date").min()))
    return None if found[0]["first"] is None else time.day_of(int(found[0]["first"]))


def require_known(customers: IntoFrame, attributes: Frame, *, as_of: date) -> None:
    """Require that a dated table has a row by the end of a day; of a lazy one nothing is asked."""
    first = first_day(customers, attributes)
    if first is not None and first > as_of:
        msg = (
            f"{ATTRIBUTES.name}: no row is dated by {as_of}; the first is of {first}.\n"
            "Rows after the date of the features are not seen: add earlier ones, or leave the "
            "table out."
        )
        raise InvalidArgumentError(msg)


def as_known(attributes: Frame, *, as_of: date) -> Frame:
    """Take the last row of each customer that is dated by the end of a day."""
    wanted = names(attributes)
    if not frames.has(attributes, "date"):
        return attributes.select("customer_id", *wanted)
    return frames.by_customer(attributes, partial(_last_row, as_of=as_of, wanted=wanted))


def _last_row(rows: Frame, *, as_of: date, wanted: list[str]) -> Frame:
    seen = rows.filter(time.until(rows, as_of))
    dated = seen.with_columns(crmkit_ago=-time.day_number(seen, "date"))
    spread = frames.spread_least(dated, "customer_id", of="crmkit_ago", into="crmkit_last")
    last = spread.filter(nw.col("crmkit_ago") == nw.col("crmkit_last"))
    return last.select("customer_id", *wanted)


def _require_free_names(frame: Frame, taken: Collection[str]) -> None:
    own = names(frame)
    labels = [name for name in own if name in _LABELS]
    if labels:
        msg = (
            f"{ATTRIBUTES.name}: {frames.quoted(labels)} is what the panel is to learn, not a "
            "feature.\nLeave the column out."
        )
        raise InvalidArgumentError(msg)
    twice = [name for name in own if name in taken]
    if twice:
        msg = (
            f"{ATTRIBUTES.name}: {frames.quoted(twice)} is a feature made of the orders already.\n"
            "Rename the column, or leave it out."
        )
        raise InvalidArgumentError(msg)


def _require_one_row_each(frame: Frame) -> None:
    """Require one row for each customer, or for each customer and day."""
    keys = ["customer_id"]
    if frames.has(frame, "date"):
        frame = frame.with_columns(crmkit_day=time.day_number(frame, "date"))
        keys.append("crmkit_day")
    counted = frame.group_by(*keys).agg(nw.len().alias("n_rows"))
    repeated = counted.filter(nw.col("n_rows") > 1).sort(*keys).collect()
    if not len(repeated):
        return
    examples = tuple(repeated["customer_id"].head(3).to_list())
    on_a_day = " on one day" if len(keys) > 1 else ""
    msg = (
        f"{ATTRIBUTES.name}: {len(repeated):,} customers have several rows{on_a_day} "
        f"(customer_id {', '.join(map(repr, examples))}).\n"
        "Keep one row, or date them with a column `date`: the last by each day is taken."
    )
    raise InvalidRowsError(msg, n_rows=int(repeated["n_rows"].sum()), examples=examples)
