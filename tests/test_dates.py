"""Text dates read the same on every engine, and never by a guess."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import narwhals as nw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit._door import date_forms, dates
from crmkit.errors import InvalidArgumentError
from tests.conftest import MAKERS

TABLES = ("pandas", "polars")
ENGINES = (*TABLES, "polars-lazy", "duckdb")  # a PyArrow table has become a Polars one by then
NEW_YEAR = datetime(2024, 1, 1)

days = st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)).map(
    lambda time: time.replace(microsecond=0)
)


def guessed(engine: str, texts: list[str | None]) -> tuple[list[datetime | None], tuple[str, ...]]:
    data = nw.from_native(MAKERS[engine]({"text": texts}), eager_only=True)
    form = date_forms.decide(data, text="text")
    read = date_forms.with_form(data, text="text", into="time", form=form).lazy().collect()
    unknown = read["time"].is_null().to_list()
    times = read["time"].cast(nw.Datetime("us")).to_list()
    return [
        None if gone else datetime(*time.timetuple()[:6])
        for time, gone in zip(times, unknown, strict=True)
    ], form.choices


def parsed(native: Any, date_format: str, *, strict: bool = False) -> list[datetime | None]:
    frame = nw.from_native(native)
    read = dates.with_parsed(
        frame, text="text", into="time", date_format=date_format, strict=strict
    )
    times = read.lazy().collect("polars")["time"].cast(nw.Datetime("us")).to_list()
    return list(times)


@pytest.mark.parametrize("engine", TABLES)
@pytest.mark.parametrize(
    "layout",
    [
        *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y"),
        *("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y%m%d %H:%M:%S"),
        *("%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p"),
    ],
)
def test_a_known_layout_is_found_by_itself(engine: str, layout: str) -> None:
    times = [NEW_YEAR + timedelta(days=i, hours=13, minutes=i) for i in range(31)]
    if "%H" not in layout and "%I" not in layout:
        times = [time.replace(hour=0, minute=0) for time in times]
    assert guessed(engine, [f"{time:{layout}}" for time in times]) == (times, ())


@given(times=st.lists(days, min_size=1, max_size=5), engine=st.sampled_from(TABLES))
def test_what_isoformat_writes_is_read_back(times: list[datetime], engine: str) -> None:
    assert guessed(engine, [time.isoformat() for time in times]) == (times, ())


@given(times=st.lists(days, min_size=1, max_size=5), engine=st.sampled_from(TABLES))
def test_day_and_month_are_never_swapped(times: list[datetime], engine: str) -> None:
    midnights = [time.replace(hour=0, minute=0, second=0) for time in times]
    read, formats = guessed(engine, [f"{time:%m/%d/%Y}" for time in times])
    if any(time.day > 12 for time in times) or all(time.day == time.month for time in times):
        assert (read, formats) == (midnights, ())
    else:
        assert (read, formats) == ([None] * len(times), ("%d/%m/%Y", "%m/%d/%Y"))


@pytest.mark.parametrize("engine", TABLES)
def test_dates_that_speak_for_both_orders_are_left_undecided(engine: str) -> None:
    texts = ["13/01/2024", "01/14/2024", "01/02/2024", "15/01/2024"]
    assert guessed(engine, list(texts)) == ([None] * 4, ("%d/%m/%Y", "%m/%d/%Y"))


@pytest.mark.parametrize("engine", TABLES)
def test_days_and_times_of_one_order_may_mix(engine: str) -> None:
    texts = ["2024-01-01", None, "2024-01-01T08:30", "2024-01-01 08:30:00.1234567"]
    times = [NEW_YEAR, None, *[NEW_YEAR.replace(hour=8, minute=30)] * 2]
    assert guessed(engine, texts) == (times, ())


@pytest.mark.parametrize("engine", TABLES)
def test_an_offset_leaves_the_wall_clock(engine: str) -> None:
    texts = ["2024-01-01T08:30:00Z", "2024-01-01T08:30:00+05:30", "2024-01-01 08:30:00 -0800"]
    assert guessed(engine, list(texts)) == ([NEW_YEAR.replace(hour=8, minute=30)] * 3, ())


@pytest.mark.parametrize("engine", TABLES)
def test_what_is_no_date_is_null(engine: str) -> None:
    assert guessed(engine, ["2024-01-01", "2024-02-30", "soon"]) == ([NEW_YEAR, None, None], ())
    assert guessed(engine, ["1/2/3/24", "soon"]) == ([None, None], ())
    assert guessed(engine, [None, None]) == ([None, None], ())


def test_a_rare_layout_beyond_the_sample_is_read() -> None:
    texts = ["2024-01-01"] * 5000 + ["2024-01-01 00:00:00"]
    assert guessed("polars", list(texts))[0] == [NEW_YEAR] * 5001


@pytest.mark.parametrize("engine", ENGINES)
def test_a_given_format_is_read_on_every_engine(engine: str) -> None:
    texts = ["31.12.23 08:30", None, "24.12.2023", "30.02.23 08:30"]
    time = datetime(2023, 12, 31, 8, 30)
    assert parsed(MAKERS[engine]({"text": texts}), "%d.%m.%y %H:%M") == [time, None, None, None]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_given_format_may_have_fractions_and_an_offset(engine: str) -> None:
    frame = MAKERS[engine]({"text": ["2024-01-01T08:30:00.250+01:00"]})
    time = NEW_YEAR.replace(hour=8, minute=30, microsecond=250_000)
    assert parsed(frame, "%Y-%m-%dT%H:%M:%S.%f%z") == [time]


def test_a_format_without_a_time_gives_days() -> None:
    frame = nw.from_native(MAKERS["polars"]({"text": ["20240101"]}))
    read = dates.with_parsed(
        frame, text="text", into="day", date_format="%Y%m%d", strict=False
    ).lazy()
    assert read.collect_schema()["day"] == nw.Date
    assert read.collect()["day"].to_list() == [date(2024, 1, 1)]


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_strict_reading_stops_the_engine(engine: str) -> None:
    frame = MAKERS[engine]({"text": ["2024-01-01", "soon"]})
    with pytest.raises(Exception, match="soon"):
        parsed(frame, "%Y-%m-%d", strict=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_quotes_in_names_and_formats_reach_the_engine(engine: str) -> None:
    frame = nw.from_native(MAKERS[engine]({'a"b': ["1'1'2024"], "c d": [1]}))
    read = dates.with_parsed(
        frame, text='a"b', into='e"f', date_format="%d'%m'%Y", strict=False
    ).lazy()
    times = read.collect("polars")['e"f'].cast(nw.Datetime("us")).to_list()
    assert times == [NEW_YEAR]


@pytest.mark.parametrize("engine", ENGINES)
def test_offsets_are_told_apart(engine: str) -> None:
    texts = ["2024-01-01T08:30:00+01:00", "2024-01-01 08:30Z", "2024-01-01", "05-01-2024"]
    frame = nw.from_native(MAKERS[engine]({"text": texts})).lazy()
    read = frame.select(offset=dates.utc_offset("text")).collect("polars")
    assert read["offset"].to_list() == ["+01:00", "Z", "", ""]


@pytest.mark.parametrize("date_format", ["dd/mm/yyyy", "%d/%m", "%Y-%m", "%Y-%m-%d %Q"])
def test_a_format_that_tells_no_day_is_refused(date_format: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        dates.known_format(date_format)
    assert str(caught.value) == (
        "`date_format` must have year, month and day in strptime codes, "
        f"got {date_format!r}.\n"
        'Write "%d/%m/%Y" for 31/12/2024, "%Y-%m-%d %H:%M:%S" for 2024-12-31 23:59:00, or '
        'for numbers "excel", "seconds" or "milliseconds".'
    )
