"""The form of dates as text: find the order of year, month and day, and the layouts in use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, TypeAlias

import narwhals as nw

from crmkit._door import dates
from crmkit._door.date_words import HAS_WORDS, in_plain_words

AnyFrame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

_CLEARLY: Final = 100
_MANY_YEARS: Final = 10
_SAMPLE: Final = 200
_MOST_TEXTS: Final = 100_000
"""A lazy table gives up to this many of its distinct texts to decide on."""
_MICROSECONDS: Final = re.compile(r"([.][0-9]{6})[0-9]+")
_TIMES: Final = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    "T%H:%M",
    "T%H:%M:%S",
    "T%H:%M:%S.%f",
    ", %H:%M",
    ", %H:%M:%S",
    ", %I:%M %p",
    ", %I:%M:%S %p",
)
_ZONED_TIMES: Final = tuple(
    time + zone for time in _TIMES if time.startswith((" %H", "T%H")) for zone in ("%z", " %z")
)
_YEAR_FIRST: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%b-%d", "%Y %b %d")
_DAY_FIRST: Final = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %m %Y")
_DAY_FIRST_IN_WORDS: Final = ("%d %b %Y", "%d-%b-%Y", "%d. %b %Y", "%d/%b/%Y", "%d.%b.%Y")
_MONTH_FIRST: Final = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y")
_MONTH_FIRST_IN_WORDS: Final = ("%b %d, %Y", "%b %d %Y", "%b-%d-%Y")


_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_PARTS: Final = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "1[0-2]|0?[1-9]",
    "d": "3[01]|[12][0-9]|0?[1-9]",
    "b": "|".join(_MONTHS),
    "H": "2[0-3]|[01]?[0-9]",
    "I": "1[0-2]|0?[1-9]",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,6}",
    "p": "am|pm",
    "z": "Z|[+-][0-9]{2}:?[0-9]{2}",
}
"""What each code of a layout matches."""


def _with_times(*days: str) -> tuple[str, ...]:
    return tuple(day + time for day in days for time in _TIMES)


def _of_two_digits(*days: str) -> tuple[str, ...]:
    return tuple(day.replace("%Y", "%y") for day in days)


_LAYOUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "year first": (
        *_with_times(*_YEAR_FIRST),
        *(day + time for day in _YEAR_FIRST for time in _ZONED_TIMES),
        *_with_times(*_of_two_digits(*_YEAR_FIRST[:3])),
    ),
    "day first": _with_times(
        *_DAY_FIRST,
        *_DAY_FIRST_IN_WORDS,
        *_of_two_digits(*_DAY_FIRST[:3], *_DAY_FIRST_IN_WORDS),
    ),
    "month first": _with_times(
        *_MONTH_FIRST,
        *_MONTH_FIRST_IN_WORDS,
        *_of_two_digits(*_MONTH_FIRST, *_MONTH_FIRST_IN_WORDS),
    ),
}


@dataclass(frozen=True, slots=True)
class DateForm:
    """How the dates of a column are written: the layouts, the one of most dates first.

    With `in_words`, names of months and the like are put into plain words before. Where several
    orders of day, month and year serve, `layouts` is empty, and `choices` has one of each.
    Where no layout reads any text, `unknown` is one of the texts.
    """

    layouts: tuple[str, ...] = ()
    in_words: bool = False
    choices: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def words(self) -> str:
        """The form in words: its layouts, such as "%d/%m/%y"."""
        return ", ".join(self.layouts)

    @property
    def is_day_or_month_first(self) -> bool:
        """Whether the choice is between day first and month first, as in 01/02/2024."""
        return len(self.choices) > 1 and not any(
            each.startswith(("%y", "%Y")) for each in self.choices
        )


def decide(frame: AnyFrame, *, text: str) -> DateForm:
    """Decide the form of a column of dates from its texts.

    Where two orders of day, month and year serve, none is chosen. Of a lazy table, the first
    hundred thousand distinct texts are collected.
    """
    known = frame.lazy().select(text=nw.col(text)).filter(~nw.col("text").is_null())
    if isinstance(frame, nw.LazyFrame):
        known = known.unique("text").head(_MOST_TEXTS)
    data = known.collect(_eager(frame))
    if data.is_empty():
        return DateForm()
    in_words = bool(data["text"].str.contains(HAS_WORDS).any())
    if in_words:
        data = data.with_columns(text=in_plain_words(nw.col("text")))
    fits = {order: _fitting(data["text"], layouts) for order, layouts in _LAYOUTS.items()}
    fits = {order: layouts for order, layouts in fits.items() if layouts}
    if not fits:
        return DateForm(in_words=in_words, unknown=data["text"].head(1).item())
    used = {}
    for order in fits:
        data, used[order] = _with_order(data, into=order, order=order)
    orders = _plausible(data, list(fits), used)
    n_read = data.select(*(nw.col(order).count() for order in orders)).row(0)
    best = max(zip(n_read, orders, strict=True), key=lambda pair: pair[0])[1]
    rivals = [order for order in orders if order != best and _is_rival(data, order, of=best)]
    if rivals:
        both = sorted((best, *rivals), key=list(_LAYOUTS).index)
        return DateForm(in_words=in_words, choices=tuple(fits[order][0] for order in both))
    return DateForm(tuple(used[best]), in_words=in_words)


def with_form(
    frame: AnyFrame, *, text: str, into: str, form: DateForm, strict: bool = False
) -> AnyFrame:
    """Parse dates by their form; with `strict`, text of another form stops the engine."""
    if not form.layouts:
        return frame.with_columns(nw.lit(None).cast(nw.Datetime("us")).alias(into))
    source = text
    if form.in_words:
        source = into + " plain"
        frame = frame.with_columns(in_plain_words(nw.col(text)).alias(source))
    *first, last = form.layouts
    read: list[str] = []
    for layout in first:
        attempt = f"{into} {len(read)}"
        frame = dates.with_parsed(
            frame, text=source, into=attempt, date_format=layout, strict=False
        )
        read.append(attempt)
    rest = source
    if strict and read:
        rest = into + " rest"
        unread = nw.all_horizontal(*(nw.col(each).is_null() for each in read), ignore_nulls=False)
        frame = frame.with_columns(nw.when(unread).then(nw.col(source)).alias(rest))
    frame = dates.with_parsed(frame, text=rest, into=into, date_format=last, strict=strict)
    if read:
        times = [nw.col(each).cast(nw.Datetime("us")) for each in (*read, into)]
        frame = frame.with_columns(nw.coalesce(*times).alias(into))
    made = {*read, source, rest} - {text}
    return frame.drop(*made) if made else frame


def _eager(frame: AnyFrame) -> Any:  # noqa: ANN401 - a library that narwhals knows
    return frame.implementation if isinstance(frame, nw.DataFrame) else "polars"


def _is_rival(data: nw.DataFrame[Any], order: str, *, of: str) -> bool:
    """Whether another order could be the right one just as well.

    It is not where no text reads in both orders to different days, or where at least a hundred
    times as many texts read in the best order only as in the other only.
    """
    read, rival = ~nw.col(of).is_null(), ~nw.col(order).is_null()
    times = [nw.col(each).cast(nw.Datetime("us")) for each in (of, order)]
    counts = data.select(
        both=(read & rival & (times[0] != times[1])).sum(),
        speak_for=(read & ~rival).sum(),
        speak_against=(rival & ~read).sum(),
    )
    both, speak_for, speak_against = counts.row(0)
    return bool(both) and not (speak_for and speak_for >= _CLEARLY * speak_against)


def _plausible(
    data: nw.DataFrame[Any], orders: list[str], used: Mapping[str, Sequence[str]]
) -> list[str]:
    """Leave out orders of two-digit years that would have more years than days of the month.

    Dates such as 12/01/22 of two years read year first, too: as of 31 years, always on the 22nd
    or 23rd. Few dates leave that open.
    """
    kept = []
    for order in orders:
        years = data[order].drop_nulls().dt.year().n_unique()
        days = data[order].drop_nulls().dt.day().n_unique()
        if years <= max(days, _MANY_YEARS) or any("%Y" in layout for layout in used[order]):
            kept.append(order)
    return kept or orders


def _with_order(
    data: nw.DataFrame[Any], *, into: str, order: str
) -> tuple[nw.DataFrame[Any], list[str]]:
    """Read one order of year, month and day, layout by layout, until no more text fits it."""
    untried = list(_LAYOUTS[order])
    used: list[str] = []
    rest = data["text"]
    while fitting := _fitting(rest, untried):
        untried.remove(fitting[0])
        used.append(fitting[0])
        attempt = into + " attempt" if len(used) > 1 else into
        parsed = dates.with_parsed(
            data, text="text", into=attempt, date_format=fitting[0], strict=False
        )
        data = parsed.lazy().collect(data.implementation)
        if attempt != into:
            one_type = [nw.col(name).cast(nw.Datetime("us")) for name in (into, attempt)]
            data = data.with_columns(nw.coalesce(*one_type).alias(into)).drop(attempt)
        rest = data.filter(nw.col(into).is_null())["text"]
    return data, used


def _fitting(texts: nw.Series[Any], layouts: Sequence[str]) -> list[str]:
    """List the layouts that read a sample of the texts, the one that reads most first."""
    filled = texts.drop_nulls()
    sample = filled.gather_every(max(1, len(filled) // _SAMPLE)).head(_SAMPLE).to_list()
    n_read: dict[str, int] = {}
    for written in sample:
        text = _MICROSECONDS.sub(r"\1", written)
        marks = re.sub("[a-zA-Z0-9]", "", text)
        for layout in layouts:
            if "%z" in layout or _marks(layout) == marks:
                n_read[layout] = n_read.get(layout, 0) + _reads(layout, text)
    return sorted(filter(n_read.get, layouts), key=lambda layout: -n_read[layout])


@cache
def _marks(layout: str) -> str:
    """What stands between the numbers and words of a layout, such as "// :"."""
    return re.sub("%[a-zA-Z]|[a-zA-Z]", "", layout)


def _reads(layout: str, text: str) -> bool:
    """Whether a text is a date in a layout; strptime says the same, at many times the cost."""
    found = _pattern(layout).fullmatch(text)
    if found is None:
        return False
    part = found.groupdict()
    year = int(part["Y"]) if "Y" in part else 2000 + int(part["y"])
    month = _MONTHS.index(part["b"].lower()) + 1 if "b" in part else int(part["m"])
    try:
        date(year, month, int(part["d"]))
    except ValueError:
        return False
    return True


@cache
def _pattern(layout: str) -> re.Pattern[str]:
    pattern = re.escape(layout)
    for code, part in _PARTS.items():
        pattern = pattern.replace(f"%{code}", f"(?P<{code}>{part})")
    return re.compile(pattern, re.IGNORECASE)
