"""Days and calendar periods on each engine.

Durations are whole days everywhere. Inside, a day is a calendar day of the engine's own type;
between days stand integer day numbers, counted from 1970-01-01.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

import narwhals as nw
import numpy as np
import numpy.typing as npt

from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError
from crmkit.typing import Period

_EPOCH: Final = date(1970, 1, 1).toordinal()
_FARTHEST: Final = date(2199, 12, 31)
_LONGER_THAN_A_DAY: Final = ("Y", "M", "W", "generic")
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?", re.ASCII)
_MILLISECONDS_A_DAY: Final = 86_400_000
_PERIODS: Final[dict[Period, tuple[int, Literal["D", "M"]]]] = {
    "day": (1, "D"),
    "week": (7, "D"),
    "month": (1, "M"),
    "quarter": (3, "M"),
    "year": (12, "M"),
}
"""Days or months of each period. The first of each begins on 0001-01-01, a Monday."""


def as_day(value: date | str, *, argument: str) -> date:
    """Take a date, ISO text, or the day of a time; those of numpy and pandas too."""
    day: object = value
    if isinstance(value, np.datetime64):
        day = _of_numpy(value)
    elif isinstance(value, str):
        day = _of_text(value)
    elif isinstance(value, datetime):
        is_missing = value != value  # noqa: PLR0124 - NaT differs from itself
        day = None if is_missing else value.date()
    if isinstance(day, date):
        return day
    msg = (
        f"`{argument}` must be a date, got {shown(value)} ({type(value).__name__}).\n"
        'Write datetime.date(2024, 12, 31) or "2024-12-31".'
    )
    raise InvalidArgumentError(msg)


def as_last_day(value: date | str, *, argument: str) -> date:
    """Take a day up to which every calendar period gets a row: none that would fill memory."""
    day = as_day(value, argument=argument)
    if day > _FARTHEST:
        msg = (
            f"`{argument}` is {day}, and each calendar period up to it would be a row.\n"
            "Give the last day of the data."
        )
        raise InvalidArgumentError(msg)
    return day


def _of_numpy(value: np.datetime64) -> date | None:
    """Take the day of a numpy time; a month or a year is not a day."""
    unit, _ = np.datetime_data(value)
    day = None if unit in _LONGER_THAN_A_DAY else value.astype("datetime64[D]").item()
    return day if isinstance(day, date) else None  # a number beyond the year 9999


def _of_text(value: str) -> date | None:
    """Take a day as ISO 8601 writes it, with or without a time."""
    if not _ISO.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:  # such as 30 February
        return None


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


def constant_day(frame: nw.LazyFrame[Any], day: date) -> nw.Expr:
    """Write one day as a column, in the type that the engine has for days."""
    if frame.implementation.is_pandas_like():  # numpy has no type for a date
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - no zone
        return nw.lit(midnight).cast(nw.Datetime("us"))
    return nw.lit(day).cast(nw.Date)


def with_plain_days(frame: nw.LazyFrame[Any], *columns: str) -> nw.LazyFrame[Any]:
    """Give days that pandas holds in Arrow the type of numpy: to those of Arrow it adds no year."""
    if not frame.implementation.is_pandas_like():
        return frame
    native = frame.to_native()
    plain: nw.LazyFrame[Any] = nw.from_native(
        native.astype(dict.fromkeys(columns, "datetime64[us]"))
    ).lazy()
    return plain


def until(frame: nw.LazyFrame[Any], day: date, *, column: str = "date") -> nw.Expr:
    """Keep what happened by the end of `day`."""
    if frame.collect_schema()[column] == nw.Date:
        return nw.col(column) <= nw.lit(day)
    if day == date.max:  # which has no midnight after it
        return ~nw.col(column).is_null()
    midnight = datetime(day.year, day.month, day.day) + timedelta(days=1)  # noqa: DTZ001 - no zone
    return nw.col(column) < nw.lit(midnight)


def period_of(day: date, *, every: Period) -> int:
    """Count the periods from the one that begins on 0001-01-01 to the one that holds `day`."""
    size, unit = _PERIODS[every]
    units = day.toordinal() - 1 if unit == "D" else (day.year - 1) * 12 + day.month - 1
    return units // size


def last_complete(day: date, *, every: Period) -> int:
    """Number of the last period that is over by the end of `day`."""
    if day == date.max:
        return period_of(day, every=every)
    return period_of(day + timedelta(days=1), every=every) - 1


def period_number(frame: nw.LazyFrame[Any], column: str, *, every: Period) -> nw.Expr:
    """Count periods as `period_of` does, as Int64."""
    size, unit = _PERIODS[every]
    if unit == "D":
        return (day_number(frame, column) + (_EPOCH - 1)) // size
    year, month = nw.col(column).dt.year(), nw.col(column).dt.month()
    return ((year.cast(nw.Int64) - 1) * 12 + month.cast(nw.Int64) - 1) // size


def calendar(*, every: Period, last: int) -> dict[str, npt.NDArray[Any]]:
    """List the periods up to number `last`: `number`, and the days on which each `starts`, `ends`.

    It begins in the year 1, so that it covers a ledger whose first day is not known yet.
    """
    size, unit = _PERIODS[every]
    number = np.arange(last + 2)
    origin = np.datetime64("0001-01-01", "D").astype(f"datetime64[{unit}]")
    starts = (origin + (size * number).astype(f"timedelta64[{unit}]")).astype("datetime64[D]")
    day = np.timedelta64(1, "D")
    return {"number": number[:-1], "starts": starts[:-1], "ends": starts[1:] - day}
