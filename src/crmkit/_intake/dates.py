"""Dates: days and times without a zone, from whatever says them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import narwhals as nw

from crmkit._door import dates, time
from crmkit._intake.sheet import (
    SET_ASIDE,
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    as_text,
    from_list,
    read_as,
)
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

OLDEST: Final = date(1900, 1, 1)

_TEXT: Final = "_crmkit_date_text"
_WALL_CLOCK: Final = "_crmkit_date_wall_clock"


def read_dates(sheet: Sheet, name: str) -> Sheet:
    """Read dates and times; those with a zone as the wall clock of that zone."""
    dtype = sheet.dtype(name)
    value = nw.col(name)
    is_zoned = isinstance(dtype, nw.Datetime) and dtype.time_zone is not None
    if is_zoned or dtype == nw.Unknown:
        frame = dates.with_wall_clock(sheet.frame, times=name, into=_WALL_CLOCK)
        if _WALL_CLOCK in frame.columns:
            sheet, value = replace(sheet, frame=frame), nw.col(_WALL_CLOCK)
            dtype = sheet.dtype(_WALL_CLOCK)
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        value = value.dt.replace_time_zone(None)
    if isinstance(dtype, nw.Date | nw.Datetime):
        return _with_bounds(sheet.reading("date", value, _rules(name, value.is_null())), name)
    texts = _with_texts(sheet, name)
    if texts is None:
        due = "a date"
        if dtype.is_integer():
            due = 'a date, or date_format="%Y%m%d" for numbers such as 20241231,'
        return sheet.refusing("date", name, due=due, like=datetime(2000, 1, 1))  # noqa: DTZ001 - no zone
    return _with_bounds(_parsed(texts, name), name)


def _rules(
    name: str,
    missing: nw.Expr,
    *,
    unparsable: nw.Expr | None = None,
    ambiguous: nw.Expr | None = None,
    date_format: str | None = None,
) -> list[RowRule]:
    cause = "does not read as a date like the others"
    advice = f'If one format fits all, give it as date_format="%d/%m/%y". Else {SET_ASIDE.lower()}'
    if date_format is not None:
        cause, advice = f'does not follow date_format="{date_format}"', SET_ASIDE
    return [
        RowRule("missing date", "error", f"`{name}` is missing", missing),
        RowRule("unparsable date", "error", f"`{name}` {cause}", unparsable, name, advice),
        RowRule(
            "ambiguous date", "error", f"`{name}` reads day first and month first", ambiguous, name
        ),
    ]


def _with_bounds(sheet: Sheet, name: str) -> Sheet:
    """Look for days that cannot be."""
    read = sheet.frame.lazy()
    column = read_as("date")
    eve = OLDEST - timedelta(days=1)
    rules = [
        RowRule(
            "absurdly old date",
            "error",
            f"`{name}` is before {OLDEST}",
            time.until(read, eve, column=column),
            shows=column,
        )
    ]
    as_of = sheet.manner.as_of
    if as_of is not None:
        rules.append(
            RowRule(
                "date after as_of",
                "error",
                f"`{name}` is after as_of ({as_of})",
                ~time.until(read, as_of, column=column) & ~nw.col(column).is_null(),
                shows=column,
                advice=f"Take a later as_of. If these dates are wrong, {SET_ASIDE.lower()}",
            )
        )
    return sheet.ruled(*rules)


# Dates as text


def _with_texts(sheet: Sheet, name: str) -> Sheet | None:
    """Append the dates as bare text, where the column can be taken so."""
    dtype, values = sheet.dtype(name), sheet.values(name)
    if dtype in TEXT_TYPES:
        text = as_text(sheet, name)
    elif dtype.is_integer() and sheet.manner.date_format is not None:  # 20241231
        text = nw.col(name).cast(nw.String)
    elif values is not None and _holds_dates(sheet, values):
        written = from_list(_written(values), nw.String(), like=values)
        sheet, text = sheet.appending(_TEXT, written), nw.col(_TEXT)
    else:
        return None
    stripped = text.str.strip_chars(WHITE_SPACE)
    bare = nw.when(stripped != "").then(stripped)
    return replace(sheet.appending(_TEXT, bare), date_text=_TEXT)


def _holds_dates(sheet: Sheet, values: nw.Series[Any]) -> bool:
    """Tell whether values that are neither times nor text may still be dates."""
    if values.dtype == nw.Object or values.is_null().all():
        return True
    return values.dtype.is_numeric() and sheet.manner.date_format is not None


def _written(values: nw.Series[Any]) -> list[str | None]:
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    return [None if unknown else _in_words(value) for value, unknown in pairs]


def _in_words(value: object) -> str | None:
    """Write a date as ISO text, and 20241231.0 as it was before it met a null."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.15g}"
    return str(value)


def _parsed(sheet: Sheet, name: str) -> Sheet:
    """Read the text by the format given, or else by the one known order that reads most."""
    date_format = sheet.manner.date_format
    into, text = read_as("date"), nw.col(_TEXT)
    if date_format is None:
        return _guessed(sheet, name)
    frame = dates.with_parsed(
        sheet.frame, text=_TEXT, into=into, date_format=date_format, strict=sheet.manner.strict
    )
    unread = nw.col(into).is_null() & ~text.is_null()
    rules = _rules(name, text.is_null(), unparsable=unread, date_format=date_format)
    return replace(sheet, frame=frame).ruled(*rules)


def _guessed(sheet: Sheet, name: str) -> Sheet:
    if not isinstance(sheet.frame, nw.DataFrame):
        msg = (
            f"{LEDGER.name}: `{name}` is text, and the values of a lazy table are not looked at.\n"
            'Give its format, such as date_format="%Y-%m-%d".'
        )
        raise InvalidArgumentError(msg)
    into, text = read_as("date"), nw.col(_TEXT)
    frame, formats = dates.with_guessed(sheet.frame, text=_TEXT, into=into)
    unread = nw.col(into).is_null() & ~text.is_null()
    if not formats:
        rules = _rules(name, text.is_null(), unparsable=unread)
        return replace(sheet, frame=frame).ruled(*rules)
    refusal = (
        f"`{name}` reads both day first and month first.\n"
        f'Say which it is: date_format="{formats[0]}" or date_format="{formats[1]}".'
    )
    rules = _rules(name, text.is_null(), ambiguous=unread)
    return replace(sheet, frame=frame, refusals=(*sheet.refusals, refusal)).ruled(*rules)
