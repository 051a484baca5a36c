"""Dates as text: recognize the format, and parse it on each engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import narwhals as nw

from crmkit._door import engines
from crmkit.errors import InvalidArgumentError

AnyFrame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

_OFFSET: Final = r"\s?(?:Z|[+-][0-9]{2}:?[0-9]{2})$"
_ISO_CLOCK: Final = r"^[0-9]{4}[-/.]?[0-9]{2}[-/.]?[0-9]{2}[T ][0-9:]+(?:[.][0-9]+)?\s?"
_MICROSECONDS: Final = re.compile(r"([.][0-9]{6})[0-9]+")
_SAMPLE: Final = 200
_FIRST_YEAR: Final = 1000
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
)
_ZONED_TIMES: Final = tuple(
    time + zone for time in _TIMES if "%H" in time for zone in ("%z", " %z")
)
_LAYOUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "year first": tuple(
        day + time
        for day in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
        for time in (*_TIMES, *_ZONED_TIMES)
    ),
    "day first": tuple(
        day + time
        for day in ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %b %Y", "%d-%b-%Y")
        for time in _TIMES
    ),
    "month first": tuple(day + time for day in ("%m/%d/%Y", "%m-%d-%Y") for time in _TIMES),
}

_SPARK_LETTERS: Final = {
    "%Y": "yyyy",
    "%y": "yy",
    "%m": "MM",
    "%d": "dd",
    "%b": "MMM",
    "%B": "MMMM",
    "%j": "DDD",
    "%H": "HH",
    "%I": "hh",
    "%M": "mm",
    "%S": "ss",
    "%f": "SSSSSS",
    "%p": "a",
}
_ONE_DIGIT_OR_TWO: Final = ("%m", "%d", "%H", "%I", "%M", "%S")


def known_format(date_format: str) -> str:
    """Require a strptime format with year, month and day."""
    codes = set(re.findall(r"%(.)", date_format))
    tells_day = codes >= {"j"} or (codes >= {"d"} and codes & set("mbB"))
    if codes <= set("YymbBdjHIMSfpz%") and codes & set("Yy") and tells_day:
        return date_format
    msg = (
        f"`date_format` must have year, month and day in strptime codes, got {date_format!r}.\n"
        'Write "%d/%m/%Y" for 31/12/2024, or "%Y-%m-%d %H:%M:%S" for 2024-12-31 23:59:00.'
    )
    raise InvalidArgumentError(msg)


def utc_offset(column: str) -> nw.Expr:
    """Cut an ISO time down to its offset from UTC, such as "+01:00"; text without one to ""."""
    text = nw.col(column)
    offset = text.str.replace_all(_ISO_CLOCK, "")
    has_one = text.str.contains(_ISO_CLOCK) & offset.str.contains(_OFFSET)
    return nw.when(has_one).then(offset).otherwise(nw.lit(""))


def with_wall_clock(frame: AnyFrame, *, times: str, into: str) -> AnyFrame:
    """Append the wall clock of pandas times with a zone, which narwhals cannot always give.

    It has no name for zones with an underscore or a hyphen, as America/New_York; and for zoned
    times of Arrow pandas 2 gives the clock of UTC. Without a zone, nothing is appended.
    """
    engine = frame.implementation
    if not (engine.is_pandas_like() or engine.is_dask()):
        return frame
    native = frame.to_native()
    column, dtype = native[times], native[times].dtype
    arrow: Any = getattr(dtype, "pyarrow_dtype", None)
    if getattr(arrow, "tz", None) is not None:
        column = column.astype(f"datetime64[{arrow.unit}, {arrow.tz}]")
    elif getattr(dtype, "tz", None) is None:
        return frame
    plain: AnyFrame = engines.wrap(native.assign(**{into: column.dt.tz_localize(None)}))
    return plain


def with_parsed(
    frame: AnyFrame, *, text: str, into: str, date_format: str, strict: bool
) -> AnyFrame:
    """Parse a text column in one format into times.

    Offsets that `%z` reads are left out: what stays is the wall clock of the place. Text of
    another form becomes null; with `strict`, and on engines that know no other way, it stops
    the engine.
    """
    if "%z" in date_format:
        frame = frame.with_columns(nw.col(text).str.replace_all(_OFFSET, "").alias(into))
        date_format, text = date_format.replace("%z", "").rstrip(), into
    if frame.implementation.is_polars():
        date_format = date_format.replace(".%f", "%.f")
    parser = _parse_strictly if strict else _parser(frame)
    if frame.implementation.is_spark_like():
        parsed = _parse_spark(frame, text, into, date_format, strict=strict)
    else:
        parsed = parser(frame, text, into, date_format)
    if "%Y" in date_format and not strict:  # some engines read 31/12/24 as of the year 24
        four_digits = nw.col(into).dt.year() >= _FIRST_YEAR
        parsed = parsed.with_columns(nw.when(four_digits).then(nw.col(into)).alias(into))
    has_time = re.search("%[HIf]|%[.]f", date_format) is not None
    if has_time or frame.implementation.is_pandas_like():
        return parsed
    return parsed.with_columns(nw.col(into).cast(nw.Date))


def with_guessed(
    data: nw.DataFrame[Any], *, text: str, into: str
) -> tuple[nw.DataFrame[Any], tuple[str, ...]]:
    """Parse a text column in the one known order of year, month and day that reads most of it.

    Where day first and month first both serve, the times are null, and the two formats come
    back for the caller to choose from.
    """
    fits = {order: _fitting(data[text], layouts) for order, layouts in _LAYOUTS.items()}
    fits = {order: layouts for order, layouts in fits.items() if layouts}
    if not fits:
        return data.with_columns(nw.lit(None).cast(nw.Datetime("us")).alias(into)), ()
    for order in fits:
        data = _with_order(data, text=text, into=into + order, order=order)
    n_read = data.select(*(nw.col(into + order).count().alias(order) for order in fits)).row(0)
    best = max(zip(n_read, fits, strict=True), key=lambda pair: pair[0])[1]
    time = nw.col(into + best)
    undecided = _undecided(data, into=into, best=best, fits=fits)
    if undecided:
        time = nw.lit(None).cast(nw.Datetime("us"))
    return data.with_columns(time.alias(into)).drop(*(into + order for order in fits)), undecided


def _undecided(
    data: nw.DataFrame[Any], *, into: str, best: str, fits: Mapping[str, list[str]]
) -> tuple[str, ...]:
    """Name both formats unless some date reads in the best order only, and none in its rival."""
    rival = "month first" if best == "day first" else "day first"
    if best == "year first" or rival not in fits:
        return ()
    unread = {order: nw.col(into + order).is_null() for order in (best, rival)}
    one_sided = data.select(
        speak_for=(unread[rival] & ~unread[best]).sum(),
        speak_against=(unread[best] & ~unread[rival]).sum(),
    )
    speak_for, speak_against = one_sided.row(0)
    decided = speak_for and not speak_against
    return () if decided else (fits["day first"][0], fits["month first"][0])


def _with_order(data: nw.DataFrame[Any], *, text: str, into: str, order: str) -> nw.DataFrame[Any]:
    """Read one order of year, month and day, layout by layout, until no more text fits it."""
    untried = list(_LAYOUTS[order])
    rest = data[text]
    while fitting := _fitting(rest, untried):
        untried.remove(fitting[0])
        first = into not in data.columns
        attempt = into if first else into + " attempt"
        parsed = with_parsed(data, text=text, into=attempt, date_format=fitting[0], strict=False)
        data = parsed.lazy().collect(data.implementation)
        if not first:
            one_type = [nw.col(name).cast(nw.Datetime("us")) for name in (into, attempt)]
            data = data.with_columns(nw.coalesce(*one_type).alias(into)).drop(attempt)
        rest = data.filter(nw.col(into).is_null())[text]
    return data


def _fitting(texts: nw.Series[Any], layouts: Sequence[str]) -> list[str]:
    """List the layouts that read a sample of the texts, the one that reads most first."""
    filled = texts.drop_nulls()
    sample = filled.gather_every(max(1, len(filled) // _SAMPLE)).head(_SAMPLE).to_list()
    sample = [_MICROSECONDS.sub(r"\1", text) for text in sample]
    n_read = {layout: sum(_reads(layout, text) for text in sample) for layout in layouts}
    return sorted(filter(n_read.__getitem__, layouts), key=lambda layout: -n_read[layout])


def _reads(layout: str, text: str) -> bool:
    try:
        datetime.strptime(text, layout)  # noqa: DTZ007 - only whether it reads is asked
    except ValueError:
        return False
    return True


def _parser(frame: AnyFrame) -> Callable[[AnyFrame, str, str, str], AnyFrame]:
    if frame.implementation.is_pandas_like():
        return _parse_pandas
    if frame.implementation.is_polars():
        return _parse_polars
    if frame.implementation.is_dask():
        return _parse_dask
    return _parse_duckdb if frame.implementation.is_duckdb() else _parse_strictly


def _parse_strictly(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    return frame.with_columns(nw.col(text).str.to_datetime(format=date_format).alias(into))


def _parse_pandas(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    native, pandas = frame.to_native(), frame.implementation.to_native_namespace()
    times = pandas.to_datetime(native[text], format=date_format, errors="coerce")
    parsed: AnyFrame = nw.from_native(native.assign(**{into: times}))
    return parsed


def _parse_dask(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    native, dask = frame.to_native(), frame.implementation.to_native_namespace()
    times = dask.to_datetime(native[text], format=date_format, errors="coerce")
    parsed: AnyFrame = engines.wrap(native.assign(**{into: times}))
    return parsed


def _parse_spark(
    frame: AnyFrame, text: str, into: str, date_format: str, *, strict: bool
) -> AnyFrame:
    """Read times without a zone; single letters stand for one digit or two, as in Python."""
    layout = date_format.replace("T", "'T'")
    side_by_side = re.search("%[a-zA-Z]%", date_format) is not None
    for code, letters in _SPARK_LETTERS.items():
        is_number = code in _ONE_DIGIT_OR_TWO and not side_by_side
        layout = layout.replace(code, letters[0] if is_number else letters)
    native, functions = frame.to_native(), frame.implementation.to_native_namespace().functions
    read = functions.to_timestamp_ntz if strict else functions.try_to_timestamp
    written = functions.col(engines.backticked(text))
    times = read(written, functions.lit(layout)).cast("timestamp_ntz")
    if strict:  # outside its ANSI mode, Spark makes null of what it cannot read
        message = functions.concat(
            functions.lit(f"Not a date of the form {date_format}: "), written
        )
        stop = functions.raise_error(message).cast("timestamp_ntz")
        times = functions.when(times.isNotNull() | written.isNull(), times).otherwise(stop)
    parsed: AnyFrame = nw.from_native(native.withColumn(into, times))
    return parsed


def _parse_polars(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    column = frame.implementation.to_native_namespace().col(text)
    times = column.str.to_datetime(date_format, strict=False)
    parsed: AnyFrame = nw.from_native(frame.to_native().with_columns(times.alias(into)))
    return parsed


def _parse_duckdb(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    name = {column: engines.in_quotes(column) for column in (*frame.columns, into)}
    kept = [name[column] for column in frame.columns if column != into]
    layout = date_format.replace("'", "''")
    times = f"try_strptime({name[text]}, '{layout}') as {name[into]}"
    parsed: AnyFrame = nw.from_native(frame.to_native().project(", ".join([*kept, times])))
    return parsed
