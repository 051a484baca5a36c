"""Dates that cannot be right beside all others: a system's default dates, and mistyped years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt

from crmkit._door import time
from crmkit._intake.sheet import RowRule, Sheet, role_column

_DEFAULTS: Final = tuple(
    time.number_of(day)
    for day in (
        *(date(1, 1, 1), date(1753, 1, 1), date(1899, 12, 30), date(1899, 12, 31)),
        *(date(1900, 1, 1), date(1970, 1, 1), date(2999, 12, 31), date(9999, 12, 31)),
    )
)
"""What systems write for no date: the first and last days that they know."""
_FIRST_DAY: Final = time.number_of(date.min)
_FEWEST: Final = 20
_RARE: Final = 0.01
_FAR_DAYS: Final = 365

DEFAULT_DATE: Final = "default date"
FAR_AFTER: Final = "date far after the others"
FAR_BEFORE: Final = "date far before the others"


@dataclass(frozen=True, slots=True)
class Odd:
    """Days that stand out: default dates, and the last and first day of the bulk."""

    defaults: tuple[int, ...] = ()
    last: int | None = None
    first: int | None = None


def with_plausible_dates(sheet: Sheet, name: str) -> Sheet:
    """Add the rules for dates that stand out from all others; the table is run once."""
    column = role_column("date")
    frame = sheet.frame.lazy()
    limit = sheet.options.as_of or sheet.options.today
    known = ~nw.col(column).is_null()
    if limit is not None:
        known = known & time.until(frame, limit, column=column)
    dated = frame.filter(known)
    counted = dated.select(day=time.day_number(dated, column)).group_by("day")
    found = counted.agg(nw.len().alias("n")).collect()
    odd = stand_out(found["day"].to_numpy(), found["n"].to_numpy())
    is_default = known & ~known
    for day in odd.defaults:
        is_default = is_default | (_until(frame, day, column) & ~_until(frame, day - 1, column))
    never = known & ~known
    after = never if odd.last is None else known & ~_until(frame, odd.last, column)
    before = never if odd.first is None else _until(frame, odd.first - 1, column)
    rules = [
        RowRule(
            DEFAULT_DATE,
            "warning",
            f"`{name}` has a date that systems write for none",
            is_default,
            column,
            is_set_aside=True,
        ),
        RowRule(
            FAR_AFTER,
            "warning",
            f"`{name}` is long after all others",
            after & ~is_default,
            column,
            is_set_aside=True,
        ),
        RowRule(
            FAR_BEFORE,
            "warning",
            f"`{name}` is long before all others",
            before & ~is_default,
            column,
        ),
    ]
    return sheet.with_rules(*rules)


def _until(frame: nw.LazyFrame[Any], day: int, column: str) -> nw.Expr:
    if day < _FIRST_DAY:
        return nw.col(column).is_null() & ~nw.col(column).is_null()
    return time.until(frame, time.day_of(day), column=column)


def stand_out(days: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Odd:
    """Find the days that stand out, by day number.

    A default date stands out when no other date is within a year of it. The first or last rows,
    at most one in a hundred, stand out when more than a year, and more than half the time that
    all others span, lies between.

    Examples
    --------
    >>> stand_out(np.array([19000, 19001, 19300, 84000]), np.array([50, 20, 30, 1]))
    Odd(defaults=(), last=19300, first=None)
    """
    order = np.argsort(days)
    days, counts = days[order].astype(np.int64), counts[order].astype(np.int64)
    if counts.sum() < _FEWEST:
        return Odd()
    usual = ~np.isin(days, _DEFAULTS)
    if not usual.any():
        return Odd()
    defaults = tuple(
        int(day) for day in days[~usual] if np.abs(days[usual] - day).min() > _FAR_DAYS
    )
    kept = ~np.isin(days, defaults)
    days, counts = days[kept], counts[kept]
    last = _last_of_bulk(days, counts)
    first = _last_of_bulk(-days[::-1], counts[::-1])
    return Odd(defaults, last, None if first is None else -first)


def _last_of_bulk(days: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> int | None:
    """Last day before a gap that only a few rows lie beyond; None without such a gap."""
    most = max(1.0, _RARE * counts.sum())
    beyond = counts[::-1].cumsum()[::-1]
    for i in np.flatnonzero(beyond[1:] <= most) + 1:
        if days[i] - days[i - 1] > max(_FAR_DAYS, (days[i - 1] - days[0]) / 2):
            return int(days[i - 1])
    return None
