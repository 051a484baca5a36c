"""Dates as text and as numbers: parse them in a known format on each engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import narwhals as nw

from crmkit._door import engines
from crmkit.errors import InvalidArgumentError

AnyFrame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

_OFFSET: Final = r"\s?(?:Z|[+-][0-9]{2}:?[0-9]{2})$"
_ISO_CLOCK: Final = r"^[0-9]{4}[-/.]?[0-9]{2}[-/.]?[0-9]{2}[T ][0-9:]+(?:[.][0-9]+)?\s?"
_THE_CLOCK: Final = [
    cased for word in ("now", "today") for cased in (word, word.upper(), word.title())
]
"""Words that pandas takes for the moment of the run, whatever the format."""

_FIRST_OF_LAST_CENTURY: Final = 2069
_FIRST_YEAR: Final = 1000
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


NumberDates = Literal["excel", "seconds", "milliseconds", "microseconds", "nanoseconds"]
"""What numbers can be as dates: days of a spreadsheet, or the time since 1970 in a unit."""

_EXCEL_EPOCH: Final = 25_569  # the day number of 1970-01-01 in a spreadsheet
_A_SECOND: Final[dict[NumberDates, int]] = {
    "seconds": 1,
    "milliseconds": 1_000,
    "microseconds": 1_000_000,
    "nanoseconds": 1_000_000_000,
}
_FIRST_SECOND: Final = 100_000_000  # in 1973
_LAST_SECOND: Final = 4_102_444_800  # 2100-01-01
NUMBER_RANGES: Final[dict[NumberDates, tuple[int, int]]] = {
    "excel": (15_000, 80_000),  # 1941 to 2119
    **{unit: (n * _FIRST_SECOND, n * _LAST_SECOND) for unit, n in _A_SECOND.items()},
}
"""The numbers that dates of our time have in each form; no two forms share one."""


def from_numbers(number: nw.Expr, form: NumberDates) -> nw.Expr:
    """Turn serial numbers of a spreadsheet, or times since 1970 in UTC, into times."""
    excel = (number - _EXCEL_EPOCH) * 86_400
    seconds = excel if form == "excel" else number / _A_SECOND[form]
    since = nw.lit(timedelta(seconds=1)) * seconds.round()
    return nw.lit(datetime(1970, 1, 1)) + since  # noqa: DTZ001 - no zone


def known_format(date_format: str) -> str:
    """Require a strptime format with year, month and day, or the name of a form of numbers."""
    if date_format in NUMBER_RANGES:
        return date_format
    codes = set(re.findall(r"%(.)", date_format))
    tells_day = codes >= {"j"} or (codes >= {"d"} and codes & set("mbB"))
    if codes <= set("YymbBdjHIMSfpz%") and codes & set("Yy") and tells_day:
        return date_format
    msg = (
        f"`date_format` must have year, month and day in strptime codes, got {date_format!r}.\n"
        'Write "%d/%m/%Y" for 31/12/2024, "%Y-%m-%d %H:%M:%S" for 2024-12-31 23:59:00, or '
        'for numbers "excel", "seconds" or "milliseconds".'
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
    texts = native[text]
    times = pandas.to_datetime(
        texts.mask(texts.isin(_THE_CLOCK)), format=date_format, errors="coerce"
    )
    parsed: AnyFrame = nw.from_native(native.assign(**{into: times}))
    return parsed


def _parse_dask(frame: AnyFrame, text: str, into: str, date_format: str) -> AnyFrame:
    native, dask = frame.to_native(), frame.implementation.to_native_namespace()
    texts = native[text]
    times = dask.to_datetime(
        texts.mask(texts.isin(_THE_CLOCK)), format=date_format, errors="coerce"
    )
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
    if "yy" in layout and "yyyy" not in layout:  # 99 is 1999 to all others
        late = functions.year(times) >= _FIRST_OF_LAST_CENTURY
        earlier = times - functions.make_interval(functions.lit(100))
        times = functions.when(late, earlier.cast("timestamp_ntz")).otherwise(times)
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
