"""Read dates: days and times without a zone, from dates, times, text or numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import narwhals as nw

from crmkit._door import date_forms, dates, time
from crmkit._door.date_forms import DateForm
from crmkit._door.dates import NumberDates
from crmkit._intake.raw_columns import AnyFrame
from crmkit._intake.sheet import (
    SAMPLE,
    SET_ASIDE,
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    as_text,
    from_list,
    role_column,
    sample,
)

OLDEST: Final = date(1900, 1, 1)

_SERIAL_NUMBER: Final = "^[0-9]{5,19}(?:[.][0-9]+)?$"
_GIVE_FORMAT: Final = 'If one format fits all, give date_format="%d/%m/%y".'
_FIRST_YYYYMMDD: Final = 10_000_101
_TIMES: Final = "_crmkit_date_times"
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
    number_form = _number_form(sheet, name)
    if number_form is not None:
        return _with_bounds(_from_numbers(sheet, name, number_form), name)
    if (clean := _clean_dates(sheet, name)) is not None:
        return _with_bounds(clean, name)
    texts = _with_texts(sheet, name)
    if texts is None:
        expected = "a date"
        if dtype.is_numeric():
            expected = (
                "a date, or numbers such as 20241231, serial numbers of a spreadsheet, or seconds "
                "or milliseconds since 1970 (all in one form),"
            )
        return sheet.with_unreadable("date", name, expected=expected, like=datetime(2000, 1, 1))  # noqa: DTZ001 - no zone
    return _with_bounds(_with_times_among_objects(_parsed(texts, name), name), name)


def _rules(
    name: str,
    missing: nw.Expr,
    *,
    unparsable: nw.Expr | None = None,
    ambiguous: nw.Expr | None = None,
    date_format: str | None = None,
) -> list[RowRule]:
    cause = "is not a date in the form of the others"
    advice = f"{_GIVE_FORMAT} Otherwise {SET_ASIDE.lower()}"
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
    as_of, today = sheet.options.as_of, sheet.options.today
    if as_of is None and today is not None:
        late = ~time.until(read, today, column=column) & ~nw.col(column).is_null()
        complaint = f"`{name}` is after today ({today})"
        rules.append(RowRule("date in the future", "error", complaint, late, shows=column))
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
    """Append the dates as stripped text; None if the column cannot hold dates.

    Dates among Python objects need no format, and are kept beside the text.
    """
    dtype, values = sheet.dtype(name), sheet.values(name)
    if dtype in TEXT_TYPES:
        text = as_text(sheet, name)
    elif dtype.is_integer():  # 20241231
        text = nw.col(name).cast(nw.String)
    elif values is not None and _may_hold_dates(values):
        objects = _objects(values)
        written = from_list([_date_text(each) for each in objects], nw.String(), like=values)
        times = from_list([_time(each) for each in objects], nw.Datetime("us"), like=values)
        sheet = sheet.with_column(_TEXT, written).with_column(_TIMES, times)
        text = nw.col(_TEXT)
    else:
        return None
    stripped = text.str.strip_chars(WHITE_SPACE)
    bare = nw.when(stripped != "").then(stripped)
    return replace(sheet.with_column(_TEXT, bare), date_text=_TEXT)


def _may_hold_dates(values: nw.Series[Any]) -> bool:
    """Whether values that are neither times nor text may still be dates."""
    if values.dtype == nw.Object or values.is_null().all():
        return True
    return values.dtype.is_numeric() and bool((values.drop_nulls() >= _FIRST_YYYYMMDD).all())


def _objects(values: nw.Series[Any]) -> list[object]:
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    return [None if missing else value for value, missing in pairs]


def _date_text(value: object) -> str | None:
    """Write what is not a date yet as text, and 20241231.0 without the point that nulls added.

    A time with a zone is text, too, from which its offset is taken.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat(" ", "microseconds")
    if value is None or isinstance(value, date):
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.15g}"
    return str(value)


def _time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None  # noqa: DTZ001 - no zone


def _with_times_among_objects(sheet: Sheet, name: str) -> Sheet:
    """Put the dates that were Python objects beside those that were read from text."""
    if _TIMES not in sheet.frame.collect_schema().names():
        return sheet
    into = role_column("date")
    both = [nw.col(each).cast(nw.Datetime("us")) for each in (into, _TIMES)]
    sheet = sheet.with_column(into, nw.coalesce(*both))
    missing = nw.col(name).is_null() | (nw.col(_TEXT).is_null() & nw.col(_TIMES).is_null())
    rules = [
        replace(rule, rows=missing) if rule.name == "missing date" else rule for rule in sheet.rules
    ]
    return replace(sheet, rules=tuple(rules))


def _parsed(sheet: Sheet, name: str) -> Sheet:
    """Parse the text by the given format, or by the known order that fits most dates."""
    date_format = sheet.options.date_format
    into, text = role_column("date"), nw.col(_TEXT)
    if date_format is None:
        return _decided(sheet, name)
    frame = dates.with_parsed(
        sheet.frame, text=_TEXT, into=into, date_format=date_format, strict=sheet.options.strict
    )
    unread = nw.col(into).is_null() & ~text.is_null()
    rules = _rules(name, text.is_null(), unparsable=unread, date_format=date_format)
    return replace(sheet, frame=frame).with_form("date", date_format).with_rules(*rules)


def _decided(sheet: Sheet, name: str) -> Sheet:
    """Decide the form from all texts; where that cannot be done, ask for it."""
    into, text = role_column("date"), nw.col(_TEXT)
    form, strict = _form(sheet.frame), sheet.options.strict
    if form.choices:
        never = text.is_null() & ~text.is_null()
        times = nw.when(never).then(nw.lit(datetime(2000, 1, 1)))  # noqa: DTZ001 - no zone
        sheet = sheet.with_column(into, times)
        choices = " or ".join(f'date_format="{each}"' for each in form.choices)
        cause = "can be read in several orders of day, month and year"
        if form.is_day_or_month_first:
            cause = "is valid both day first and month first"
        refusal = f"`{name}` {cause}.\nChoose {choices}."
        rules = _rules(name, text.is_null(), ambiguous=~text.is_null())
        return replace(sheet, refusals=(*sheet.refusals, refusal)).with_rules(*rules)
    if strict and form.unknown:
        refusal = (
            f"`{name}` has no dates of a known form, such as {form.unknown!r}.\n{_GIVE_FORMAT}"
        )
        sheet = replace(sheet, refusals=(*sheet.refusals, refusal))
    frame = date_forms.with_form(sheet.frame, text=_TEXT, into=into, form=form, strict=strict)
    sheet = replace(sheet, frame=frame)
    if form.layouts:
        sheet = sheet.with_form("date", form.words)
    unread = nw.col(into).is_null() & ~text.is_null()
    rules = _rules(name, text.is_null(), unparsable=unread)
    return sheet.with_rules(*sheet.without_needless("date", rules))


def _clean_dates(sheet: Sheet, name: str) -> Sheet | None:
    """Parse a long column at once, if one layout of a sample reads each text as it is."""
    data = sheet.if_long()
    if data is None or sheet.dtype(name) != nw.String or sheet.options.date_format is not None:
        return None
    form = date_forms.decide(sample(data, name), text=name)
    if len(form.layouts) != 1 or form.in_words:
        return None
    into = role_column("date")
    parsed = date_forms.with_form(data, text=name, into=into, form=form)
    if parsed.lazy().select(nw.col(into).is_null().any()).collect().item():
        return None
    read = replace(sheet, frame=parsed, date_text=name).with_form("date", form.words)
    never = nw.col(into).is_null()
    return read.with_rules(*read.without_needless("date", _rules(name, never, unparsable=never)))


def _form(frame: AnyFrame) -> DateForm:
    """Decide the form from a sample where it reads all dates, and else from all of them."""
    if isinstance(frame, nw.DataFrame) and len(frame) > SAMPLE:
        form = date_forms.decide(sample(frame, _TEXT), text=_TEXT)
        into = role_column("date")
        read = date_forms.with_form(frame.select(_TEXT), text=_TEXT, into=into, form=form)
        unread = nw.col(into).is_null() & ~nw.col(_TEXT).is_null()
        if form.layouts and not read.lazy().select(unread.any()).collect().item():
            return form
    return date_forms.decide(frame, text=_TEXT)


# Dates as numbers


def _number_form(sheet: Sheet, name: str) -> NumberDates | None:
    """Find out which form of numbers most dates have; None where most have none."""
    date_format = sheet.options.date_format
    dtype = sheet.dtype(name)
    may_be_number = dtype.is_numeric() or dtype in TEXT_TYPES
    if date_format in dates.NUMBER_RANGES and may_be_number:
        return date_format
    if date_format is not None or not may_be_number:
        return None
    if _has_no_numbers(sheet, name):
        return None
    number = _as_number(sheet, name)
    flags = {
        form: (number >= low) & (number < high) for form, (low, high) in dates.NUMBER_RANGES.items()
    }
    sums = {form: rows.fill_null(value=False).cast(nw.Int64).sum() for form, rows in flags.items()}
    known = (~nw.col(name).is_null()).cast(nw.Int64).sum()
    counts = sheet.frame.lazy().select(known.alias("known"), **sums).collect().rows(named=True)[0]
    n_known = counts.pop("known") or 0
    best = max(dates.NUMBER_RANGES, key=lambda form: counts[form] or 0)
    return best if 2 * (counts[best] or 0) > n_known else None


def _has_no_numbers(sheet: Sheet, name: str) -> bool:
    """Whether not one text of a sample of a long column is a number."""
    frame = sheet.frame
    if sheet.dtype(name) not in TEXT_TYPES or not isinstance(frame, nw.DataFrame):
        return False
    few = replace(sheet, frame=sample(frame, name))
    number = few.frame.lazy().select(number=_as_number(few, name)).collect()["number"]
    return bool(number.is_null().all())


def _from_numbers(sheet: Sheet, name: str, form: NumberDates) -> Sheet:
    number = _as_number(sheet, name)
    low, high = dates.NUMBER_RANGES[form]
    in_range = (number >= low) & (number < high)
    missing = nw.col(name).is_null()
    if sheet.dtype(name) in TEXT_TYPES:
        missing = missing | (as_text(sheet, name).str.strip_chars(WHITE_SPACE) == "")
    elif sheet.dtype(name).is_float() and not isinstance(sheet.frame, nw.LazyFrame):
        missing = missing | nw.col(name).is_nan()
    times = dates.from_numbers(nw.when(in_range).then(number), form)
    unread = ~in_range.fill_null(value=False) & ~missing
    words = "days of a spreadsheet" if form == "excel" else f"{form} since 1970, in UTC"
    sheet = sheet.with_form("date", words)
    return sheet.with_role("date", times, _rules(name, missing, unparsable=unread))


def _as_number(sheet: Sheet, name: str) -> nw.Expr:
    if sheet.dtype(name) not in TEXT_TYPES:
        return nw.col(name).cast(nw.Float64)
    text = as_text(sheet, name).str.strip_chars(WHITE_SPACE)
    return nw.when(text.str.contains(_SERIAL_NUMBER)).then(text).cast(nw.Float64)
