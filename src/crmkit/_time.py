"""Days, and how each engine tells them.

Durations are whole days everywhere. Inside, a day is a calendar day of the engine's own type;
between days stand integer day numbers, counted from 1970-01-01.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

import narwhals as nw

from crmkit.errors import InvalidArgumentError

_EPOCH: Final = date(1970, 1, 1).toordinal()
_MILLISECONDS_A_DAY: Final = 86_400_000


def as_day(value: date, *, argument: str) -> date:
    """Take a date, or the day of a datetime."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    msg = (
        f"`{argument}` must be a date, got {value!r} ({type(value).__name__}).\n"
        "Write datetime.date(2024, 12, 31)."
    )
    raise InvalidArgumentError(msg)


def number_of(day: date) -> int:
    """Count the days from 1970-01-01."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """Turn a day number back into a date."""
    return date.fromordinal(number + _EPOCH)


def calendar_day(frame: nw.LazyFrame[Any], column: str) -> nw.Expr:
    """Cut a column of times to calendar days."""
    if frame.collect_schema()[column] == nw.Date:
        return nw.col(column)
    if frame.implementation.is_pandas_like():  # numpy has no type for a date
        return nw.col(column).dt.truncate("1d")
    return nw.col(column).cast(nw.Date)


def day_number(frame: nw.LazyFrame[Any], column: str) -> nw.Expr:
    """Count the days from 1970-01-01, as Int64."""
    value = nw.col(column)
    if frame.implementation.is_pandas_like() or frame.implementation.is_polars():
        return (value.dt.timestamp("ms") // _MILLISECONDS_A_DAY).cast(nw.Int64)
    # The SQL engines agree on years and ordinal days, and on little else.
    past = value.dt.year().cast(nw.Int64) - 1
    leap_days = past // 4 - past // 100 + past // 400
    return past * 365 + leap_days + value.dt.ordinal_day().cast(nw.Int64) - _EPOCH


def until(frame: nw.LazyFrame[Any], day: date, *, column: str = "date") -> nw.Expr:
    """Keep what happened by the end of `day`."""
    if frame.collect_schema()[column] == nw.Date:
        return nw.col(column) <= nw.lit(day)
    midnight = datetime(day.year, day.month, day.day) + timedelta(days=1)  # noqa: DTZ001 - no zone
    return nw.col(column) < nw.lit(midnight)
