"""How the business does: money by period, and the last months against as many before."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Generic, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit.models.numerics.log_mean import log_mean
from crmkit.typing import Period

_MOST_PERIODS: Final = 24
"""More columns than that nobody reads."""
_SIZES: Final[tuple[Period, ...]] = ("month", "quarter", "year")
_SPANS: Final = (12, 6, 3, 1)
"""Months to compare, the longest first that the log holds twice."""
_A_DAY: Final = timedelta(days=1)
_DRIVERS: Final = ("customers who bought", "orders per customer", "revenue per order")
"""Their product is the revenue."""
_LEAD: Final = 3
"""Months of log that the earlier part needs before it: else all its customers look new."""


@dataclass(frozen=True, slots=True)
class Trend(Generic[IntoFrameT]):
    """Money by period, and the comparison where the log is long enough for one."""

    periods: IntoFrameT
    comparison: IntoFrameT | None


class _Span(NamedTuple):
    starts: date
    ends: date


class _Figure(NamedTuple):
    figure: str
    unit: str
    value: float | None
    value_before: float | None


def trend(days: IntoFrameT, *, as_of: date) -> Trend[IntoFrameT]:
    """Sum up the log by period, and compare its last months with as many before."""
    frame = frames.reopen(days)
    (row,) = frames.rows(frame.select(first=time.day_number(frame, "date").min()))
    first = time.day_of(int(row["first"]))
    return Trend(
        periods=_by_period(days, first=first, as_of=as_of),
        comparison=_compared(days, first=first, as_of=as_of),
    )


# By period


def _by_period(days: IntoFrameT, *, first: date, as_of: date) -> IntoFrameT:
    """Add up orders and money of each month, or of longer periods where months are too many."""
    frame = frames.reopen(days)
    every = next((size for size in _SIZES if _n(first, as_of, size) <= _MOST_PERIODS), _SIZES[-1])
    start, stop = (time.period_of(day, every=every) for day in (first, as_of))
    sums = {"orders": nw.col("n_orders_of_day").sum()}
    if frames.has(frame, "amount"):
        sums["amount"] = frames.known("amount").sum()
    numbered = frame.with_columns(crmkit_number=time.period_number(frame, "date", every=every))
    found = {
        row["crmkit_number"]: row
        for row in frames.rows(numbered.group_by("crmkit_number").agg(**sums))
    }
    calendar = time.calendar(every=every, last=stop)
    over = time.last_complete(as_of, every=every)
    numbers = range(start, stop + 1)
    columns: dict[str, Any] = {
        "starts": calendar["starts"][start:],
        "ends": calendar["ends"][start:],
        "is_complete": [number <= over for number in numbers],
        "orders": [int(found[number]["orders"]) if number in found else 0 for number in numbers],
    }
    if "amount" in sums:
        columns["amount"] = [
            float(found[number]["amount"] or 0) if number in found else 0.0 for number in numbers
        ]
    return frames.give(frames.table_like(columns, like=frame), like=days)


def _n(first: date, as_of: date, every: Period) -> int:
    return time.period_of(as_of, every=every) - time.period_of(first, every=every) + 1


# The last months against those before


def _compared(days: IntoFrameT, *, first: date, as_of: date) -> IntoFrameT | None:
    """Compare the longest of twelve, six, three months and one that the log holds twice."""
    months = next((n for n in _SPANS if _months_before(as_of, 2 * n) >= first - _A_DAY), None)
    if months is None:
        return None
    middle = _months_before(as_of, months)
    early = _months_before(as_of, 2 * months)
    now, before = _Span(middle + _A_DAY, as_of), _Span(early + _A_DAY, middle)
    knows_new = first <= _months_before(early, min(_LEAD, months))
    frame = frames.reopen(days)
    sums = _sums(frame, now, before)
    figures = list(_figures(sums, knows_new=knows_new))
    values = {each.figure: each for each in figures}
    spans = {
        "starts": now.starts,
        "ends": now.ends,
        "starts_before": before.starts,
        "ends_before": before.ends,
    }
    columns: dict[str, Any] = {
        "figure": [each.figure for each in figures],
        "unit": [each.unit for each in figures],
        "value": [each.value for each in figures],
        "value_before": [each.value_before for each in figures],
        "growth": [_growth(each) for each in figures],
        "contribution": [_contribution(each, values) for each in figures],
        **{name: np.full(len(figures), np.datetime64(day)) for name, day in spans.items()},
    }
    table = frames.table_like(columns, like=frame)
    numbers = ("value", "value_before", "growth", "contribution")
    return frames.give(table.with_columns(nw.col(*numbers).cast(nw.Float64)), like=days)


def _figures(sums: dict[str, float | None], *, knows_new: bool) -> Iterator[_Figure]:
    has_money = "amount now" in sums
    if has_money:
        yield _Figure("revenue", "money", *_both(sums, "amount"))
    yield _Figure("customers who bought", "customers", *_both(sums, "active"))
    new, new_before = _both(sums, "new")
    yield _Figure("new customers", "customers", new, new_before if knows_new else None)
    yield _Figure("orders", "orders", *_both(sums, "orders"))
    yield _Figure("orders per customer", "number", *_ratios(sums, "orders", "active"))
    if has_money:
        yield _Figure("revenue per order", "money", *_ratios(sums, "amount", "orders"))


def _months_before(day: date, months: int) -> date:
    """Go back whole months; from the last day of a month to the last day of another."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < 1:
        return date.min
    last = monthrange(year, month + 1)[1]
    is_last = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, last if is_last else min(day.day, last))


def _sums(frame: frames.Frame, now: _Span, before: _Span) -> dict[str, float | None]:
    """Add up each span: money, orders, customers, and those whose first purchase it has."""
    number = time.day_number(frame, "date")
    is_purchase = nw.col("n_orders_of_day") > 0
    marks = {}
    for span, name in ((now, "now"), (before, "before")):
        start, end = time.number_of(span.starts), time.number_of(span.ends)
        inside = (number >= start) & (number <= end)
        marks[f"orders {name}"] = nw.when(inside).then(nw.col("n_orders_of_day")).otherwise(0)
        if frames.has(frame, "amount"):
            marks[f"amount {name}"] = nw.when(inside).then(frames.known("amount")).otherwise(0.0)
    bought = nw.when(is_purchase).then(number)
    marked = frame.select("customer_id", crmkit_day=bought, **marks)
    each = marked.group_by("customer_id").agg(
        nw.col("crmkit_day").min(), *(nw.col(name).sum() for name in marks)
    )
    totals = {name: nw.col(name).sum().cast(nw.Float64) for name in marks}
    for span, name in ((now, "now"), (before, "before")):
        start, end = time.number_of(span.starts), time.number_of(span.ends)
        day = nw.col("crmkit_day")
        totals[f"active {name}"] = (nw.col(f"orders {name}") > 0).cast(nw.Float64).sum()
        totals[f"new {name}"] = ((day >= start) & (day <= end)).cast(nw.Float64).sum()
    (row,) = frames.rows(each.select(**totals))
    return row


def _both(sums: dict[str, float | None], name: str) -> tuple[float | None, float | None]:
    return sums[f"{name} now"], sums[f"{name} before"]


def _ratios(
    sums: dict[str, float | None], part: str, whole: str
) -> tuple[float | None, float | None]:
    (now, before), (of_now, of_before) = _both(sums, part), _both(sums, whole)
    return _ratio(now, of_now), _ratio(before, of_before)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _growth(of: _Figure) -> float | None:
    """Growth as a share; unknown from zero or from less."""
    if of.value is None or of.value_before is None or of.value_before <= 0:
        return None
    return of.value / of.value_before - 1


def _contribution(of: _Figure, values: Mapping[str, _Figure]) -> float | None:
    """Give what one factor adds to the change of revenue; the three add up to it.

    Revenue is customers x orders per customer x revenue per order. The logarithmic mean of the two
    revenues times the logarithm of a factor's growth is its part, whatever the order of the
    factors (Ang 2004, Energy Policy 32, 1131-1139: the LMDI method).
    """
    revenue = values.get("revenue")
    if of.figure not in _DRIVERS or revenue is None:
        return None
    now, before = revenue.value or 0.0, revenue.value_before or 0.0
    new, old = of.value or 0.0, of.value_before or 0.0
    if min(now, before, new, old) <= 0:
        return None
    return log_mean(now, before) * math.log(new / old)
