"""Read dates: days and times without a zone, from dates, times, text or numbers."""

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
    role_column,
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
        return _with_bounds(sheet.with_role("date", value, _rules(name, value.is_null())), name)
    texts = _with_texts(sheet, name)
    if texts is None:
        expected = "a date"
        if dtype.is_integer():
            expected = 'a date, or date_format="%Y%m%d" for numbers such as 20241231,'
        return sheet.with_unreadable("date", name, expected=expected, like=datetime(2000, 1, 1))  # noqa: DTZ001 - no zone
    return _with_bounds(_parsed(texts, name), name)


def _rules(
    name: str,
    missing: nw.Expr,
    *,
    unparsable: nw.Expr | None = None,
    ambiguous: nw.Expr | None = None,
    date_format: str | None = None,
) -> list[RowRule]:
    cause = "is not a date in the format of the others"
    advice = f'If one format fits all, give date_format="%d/%m/%y". Otherwise {SET_ASIDE.lower()}'
    if date_format is not None:
        cause, advice = f'does not follow date_format="{date_format}"', SET_ASIDE
    return [
        RowRule("missing date", "error", f"`{name}` is missing", missing),
        RowRule("unparsable date", "error", f"`{name}` {cause}", unparsable, name, advice),
        RowRule(
            "ambiguous date",
            "error",
            f"`{name}` is valid day first and month first",
            ambiguous,
            name,
        ),
    ]


def _with_bounds(sheet: Sheet, name: str) -> Sheet:
    """Add the rules for implausible days."""
    read = sheet.frame.lazy()
    column = role_column("date")
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
    as_of = sheet.options.as_of
    if as_of is not None:
        rules.append(
            RowRule(
                "date after as_of",
                "error",
                f"`{name}` is after as_of ({as_of})",
                ~time.until(read, as_of, column=column) & ~nw.col(column).is_null(),
                shows=column,
                advice=f"Give a later as_of. If these dates are wrong, {SET_ASIDE.lower()}",
            )
        )
    return sheet.with_rules(*rules)


# Dates as text


def _with_texts(sheet: Sheet, name: str) -> Sheet | None:
    """Append the dates as stripped text; None if the column cannot hold dates."""
    dtype, values = sheet.dtype(name), sheet.values(name)
    if dtype in TEXT_TYPES:
        text = as_text(sheet, name)
    elif dtype.is_integer() and sheet.options.date_format is not None:  # 20241231
        text = nw.col(name).cast(nw.String)
    elif values is not None and _holds_dates(sheet, values):
        written = from_list(_written(values), nw.String(), like=values)
        sheet, text = sheet.with_column(_TEXT, written), nw.col(_TEXT)
    else:
        return None
    stripped = text.str.strip_chars(WHITE_SPACE)
    bare = nw.when(stripped != "").then(stripped)
    return replace(sheet.with_column(_TEXT, bare), date_text=_TEXT)


def _holds_dates(sheet: Sheet, values: nw.Series[Any]) -> bool:
    """Whether values that are neither times nor text may still be dates."""
    if values.dtype == nw.Object or values.is_null().all():
        return True
    return values.dtype.is_numeric() and sheet.options.date_format is not None


def _written(values: nw.Series[Any]) -> list[str | None]:
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    return [None if missing else _date_text(value) for value, missing in pairs]


def _date_text(value: object) -> str | None:
    """Write a date as ISO text, and 20241231.0 without the decimal point that nulls added."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.15g}"
    return str(value)


def _parsed(sheet: Sheet, name: str) -> Sheet:
    """Parse the text by the given format, or by the known order that fits most dates."""
    date_format = sheet.options.date_format
    into, text = role_column("date"), nw.col(_TEXT)
    if date_format is None:
        return _guessed(sheet, name)
    frame = dates.with_parsed(
        sheet.frame, text=_TEXT, into=into, date_format=date_format, strict=sheet.options.strict
    )
    unread = nw.col(into).is_null() & ~text.is_null()
    rules = _rules(name, text.is_null(), unparsable=unread, date_format=date_format)
    return replace(sheet, frame=frame).with_rules(*rules)


def _guessed(sheet: Sheet, name: str) -> Sheet:
    if not isinstance(sheet.frame, nw.DataFrame):
        msg = (
            f"{LEDGER.name}: `{name}` is text, and a lazy table needs its format.\n"
            'Give it, such as date_format="%Y-%m-%d".'
        )
        raise InvalidArgumentError(msg)
    into, text = role_column("date"), nw.col(_TEXT)
    frame, formats = dates.with_guessed(sheet.frame, text=_TEXT, into=into)
    unread = nw.col(into).is_null() & ~text.is_null()
    if not formats:
        rules = _rules(name, text.is_null(), unparsable=unread)
        return replace(sheet, frame=frame).with_rules(*rules)
    refusal = (
        f"`{name}` is valid both day first and month first.\n"
        f'Choose date_format="{formats[0]}" or date_format="{formats[1]}".'
    )
    rules = _rules(name, text.is_null(), ambiguous=unread)
    return replace(sheet, frame=frame, refusals=(*sheet.refusals, refusal)).with_rules(*rules)
