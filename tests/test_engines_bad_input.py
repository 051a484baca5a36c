"""Awkward tables give the same answer on every engine, or the same refusal."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import crmkit
from crmkit import InvalidArgumentError, InvalidRowsError, clv, cohorts, lifecycle, rfm
from tests.engine_cases import AS_OF, arrow, on, purchases, tables
from tests.engines import ENGINES, assert_same_table, marked, read_back, spark

pytestmark = pytest.mark.slow
_EAGER: Final = [name for name, engine in ENGINES.items() if not engine.is_lazy]
_LAZY: Final = [marked(name) for name, engine in ENGINES.items() if engine.is_lazy]
_EVERY: Final = [marked(name) for name in ENGINES]
_NAMES: Final[dict[str, Any]] = {"customer": "customer_id", "date": "date", "amount": "amount"}
_LEDGER: Final = pl.DataFrame(
    {
        "customer_id": ["ann", "ben", "ben", "cid", "ann"],
        "date": [date(2024, 1, d) for d in (1, 5, 9, 10, 20)],
        "amount": [10.0, 20.0, 30.0, 40.0, 50.0],
    }
)
_TODAY: Final = date(2024, 3, 1)


# What is no table, and columns of the wrong kind


@pytest.mark.parametrize(
    ("thing", "kind"),
    [
        ([1, 2], "list"),
        ({"a": [1]}, "dict"),
        (np.ones((2, 2)), "ndarray"),
        (None, "NoneType"),
        (_LEDGER["amount"], "Series"),
        (_LEDGER.to_pandas()["amount"], "Series"),
        (_LEDGER.to_pandas().groupby("customer_id"), "DataFrameGroupBy"),
        (_LEDGER.to_arrow().to_batches()[0], "RecordBatch"),
        (_LEDGER.to_arrow()["amount"], "ChunkedArray"),
        (duckdb.connect(), "DuckDBPyConnection"),
        (SimpleNamespace(columns=["customer_id", "date"], dims=("time",)), "SimpleNamespace"),
    ],
)
def test_what_is_no_table_is_refused(thing: Any, kind: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        rfm.summarize(thing, as_of=AS_OF)
    assert str(refusal.value) == (
        f"transactions: a {kind} is not a table.\n"
        "Give a pandas or Polars DataFrame, a Polars LazyFrame, a PyArrow table, a DuckDB "
        "relation, or a Dask or Spark DataFrame."
    )


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize(
    ("column", "due"),
    [
        ("customer_id", "an id in text or whole numbers"),
        ("date", "a date"),
        ("amount", "a number"),
    ],
)
def test_flags_are_no_ids_dates_or_amounts(engine: str, column: str, due: str) -> None:
    flags = _LEDGER.with_columns(pl.Series(column, [True, False, True, True, False]))
    with pytest.raises(InvalidArgumentError) as refusal:
        crmkit.transactions(ENGINES[engine].make(arrow(flags)), **_NAMES)
    assert str(refusal.value) == (
        f"transactions: `{column}` has type Boolean; expected {due}.\n"
        "Name another column, or cast this one."
    )


def test_dask_tables_warn_of_nothing() -> None:
    raw, orders = on("dask", "raw"), on("dask", "orders")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        crmkit.transactions(raw, customer="who", date="when", amount="paid")
        customers = rfm.summarize(orders, as_of=AS_OF)
        clv.predict(customers, purchases=purchases(), horizon_days=365)
        cohorts.table(orders, as_of=AS_OF)


# Names and indexes


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize(
    "names",
    [("Customer ID", "Order Date", "Amt"), ('a"b', "select", "Größe €"), ("a.b", "c`d", "e'f")],
    ids=["spaces", "quotes", "dots"],
)
def test_columns_may_be_called_anything(engine: str, names: tuple[str, str, str]) -> None:
    orders = tables()["orders"]
    raw = orders.rename(dict(zip(orders.columns, names, strict=True)))
    customer, day, amount = names
    native = ENGINES[engine].make(arrow(raw))
    ledger = crmkit.transactions(native, customer=customer, date=day, amount=amount)
    order = ["customer_id", "date", "amount"]
    assert read_back(ledger).sort(order).equals(orders.sort(order))


@pytest.mark.parametrize("index", ["named", "duplicated", "multi"])
def test_an_index_changes_nothing(index: str) -> None:
    raw = ENGINES["pandas"].make(arrow(tables()["orders"]))
    n = len(raw)
    indexed = {
        "named": raw.set_axis(range(n, 2 * n), axis=0).rename_axis("customer_id"),
        "duplicated": raw.set_axis([7] * n, axis=0),
        "multi": raw.set_index([np.arange(n) % 3, np.arange(n)]),
    }[index]
    found = rfm.summarize(indexed, as_of=AS_OF)
    assert found.equals(rfm.summarize(raw, as_of=AS_OF))


# Types


_UNUSUAL: Final[Mapping[str, pl.Expr]] = {
    "decimal amounts": pl.col("amount").cast(pl.Decimal(12, 2)),
    "whole amounts": pl.col("amount").round(0).cast(pl.Int32),
    "times in milliseconds": pl.col("date").cast(pl.Datetime("ms")),
    "times in microseconds": pl.col("date").cast(pl.Datetime("us")),
    "times in nanoseconds": pl.col("date").cast(pl.Datetime("ns")),
    "ids above 2^53": pl.col("customer_id").rank("dense").cast(pl.Int64) + 2**60,
}


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize("name", list(_UNUSUAL))
def test_unusual_types_give_the_same_summary(engine: str, name: str) -> None:
    unusual = tables()["orders"].with_columns(_UNUSUAL[name])
    due = rfm.summarize(crmkit.transactions(unusual, **_NAMES), as_of=AS_OF)
    native = ENGINES[engine].make(arrow(unusual))
    found = rfm.summarize(crmkit.transactions(native, **_NAMES), as_of=AS_OF)
    assert_same_table(found, due)


_OF_IDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "transactions": lambda orders: crmkit.transactions(orders, **_NAMES),
    "summarize": lambda orders: rfm.summarize(orders, as_of=AS_OF),
    "holdout": lambda orders: rfm.holdout(orders, split=date(1997, 9, 30), as_of=AS_OF),
    "rhythm": lambda orders: lifecycle.rhythm(orders, as_of=AS_OF),
}


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize("function", list(_OF_IDS))
def test_ids_in_a_dictionary_are_as_good_as_text(engine: str, function: str) -> None:
    plain = arrow(tables()["orders"])
    coded = plain.set_column(0, "customer_id", plain["customer_id"].dictionary_encode())
    due, found = (_OF_IDS[function](t) for t in (plain, ENGINES[engine].make(coded)))
    assert_same_table(found, due, sort=[] if function == "transactions" else ["customer_id"])


@pytest.mark.parametrize("function", list(_OF_IDS))
@pytest.mark.parametrize("is_lazy", [False, True])
def test_ids_in_an_enum_are_as_good_as_text(function: str, *, is_lazy: bool) -> None:
    orders = tables()["orders"]
    names = pl.Enum(orders["customer_id"].unique(maintain_order=True))
    coded = orders.with_columns(pl.col("customer_id").cast(names))
    due = _OF_IDS[function](orders)
    found = _OF_IDS[function](coded.lazy() if is_lazy else coded)
    assert_same_table(found, due, sort=[] if function == "transactions" else ["customer_id"])


# Nulls and NaN


_GAPS: Final[Mapping[str, tuple[str, Any]]] = {
    "no id": ("customer_id", None),
    "no date": ("date", None),
    "no amount": ("amount", None),
    "amount NaN": ("amount", math.nan),
}


def _with_gap(gap: str) -> pl.DataFrame:
    """Take a value out of row 2, which is ben's second."""
    column, value = _GAPS[gap]
    is_third = pl.int_range(pl.len()) == 2
    return _LEDGER.with_columns(pl.when(~is_third).then(column).otherwise(pl.lit(value)))


@pytest.mark.parametrize("engine", _EAGER)
@pytest.mark.parametrize("gap", list(_GAPS))
def test_an_eager_table_with_a_gap_is_refused(engine: str, gap: str) -> None:
    native = ENGINES[engine].make(arrow(_with_gap(gap)))
    column, value = _GAPS[gap]
    where = "1 of 5 rows (row 2)" if gap == "no id" else "1 of 5 rows (customer_id 'ben')"
    with pytest.raises(InvalidRowsError) as refusal:
        crmkit.transactions(native, **_NAMES)
    # In numpy's columns a missing number is NaN, so pandas cannot tell the two.
    found = str(refusal.value).replace("is not finite, such as nan,", "is missing")
    assert found == (
        f"transactions: `{column}` is missing in {where}.\n"
        "Correct them, or call crmkit.intake.clean(), which sets them aside with the reason."
    )
    with pytest.raises(InvalidRowsError) as refusal:
        rfm.summarize(native, as_of=_TODAY)
    found = str(refusal.value)
    if value is not None:
        found = found.replace("is not finite", "is null")
    assert found == (
        f"transactions: `{column}` is null in {where}.\n"
        "Build this table with crmkit.transactions()."
    )


@pytest.mark.parametrize("engine", _EAGER)
def test_nan_is_no_id(engine: str) -> None:
    numbers = _LEDGER.with_columns(customer_id=pl.Series([1.0, 2.0, math.nan, 3.0, 1.0]))
    with pytest.raises(InvalidRowsError, match=r"`customer_id` is null in 1 of 5 rows \(row 2\)"):
        rfm.summarize(ENGINES[engine].make(arrow(numbers)), as_of=_TODAY)


@pytest.mark.parametrize("engine", _LAZY)
@pytest.mark.parametrize("is_read", [False, True], ids=["ledger", "raw"])
@pytest.mark.parametrize("gap", list(_GAPS))
def test_in_a_lazy_table_a_row_with_a_gap_is_no_purchase(
    engine: str, gap: str, *, is_read: bool
) -> None:
    native = ENGINES[engine].make(arrow(_with_gap(gap)))
    ledger = crmkit.transactions(native, **_NAMES) if is_read else native
    found = rfm.summarize(ledger, as_of=_TODAY)
    due = rfm.summarize(_LEDGER.filter(pl.int_range(pl.len()) != 2), as_of=_TODAY)
    if gap == "no id":  # but one of a customer without a name
        nobody = rfm.summarize(_LEDGER[[2]], as_of=_TODAY)
        due = pl.concat([due, nobody.with_columns(customer_id=pl.lit(None, pl.String))])
    assert_same_table(found, due)


# Times with a zone


_LATE: Final = pl.DataFrame(
    {
        "customer_id": ["ann", "ann", "ben", "ben"],
        "date": [
            datetime(2024, 1, 1, 23, 30),
            datetime(2024, 1, 2, 3, 30),
            datetime(2024, 3, 10, 4, 59),
            datetime(2024, 3, 10, 5, 1),
        ],
        "amount": [1.0, 2.0, 4.0, 8.0],
    }
)
_DAYS_OF: Final = {
    "UTC": [date(2024, 1, 1), date(2024, 1, 2), date(2024, 3, 10), date(2024, 3, 10)],
    "America/New_York": [date(2024, 1, 1), date(2024, 1, 1), date(2024, 3, 9), date(2024, 3, 10)],
}


def _late(zone: str) -> pa.Table:
    times = pl.col("date").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return arrow(_LATE.with_columns(times))


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize("zone", list(_DAYS_OF))
def test_a_time_falls_on_the_day_of_its_zone(engine: str, zone: str) -> None:
    ledger = crmkit.transactions(ENGINES[engine].make(_late(zone)), **_NAMES)
    # DuckDB and Spark keep no zone with a time: they tell it in that of the session, here UTC.
    kept = "UTC" if engine in ("duckdb", "spark", "spark-connect") else zone
    assert read_back(ledger).sort("amount")["date"].to_list() == _DAYS_OF[kept]


def test_duckdb_tells_times_in_the_zone_of_the_session() -> None:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'America/New_York'")
    ledger = crmkit.transactions(connection.from_arrow(_late("UTC")), **_NAMES)
    days = ledger.order("amount").project("date::date").fetchall()
    assert [day for (day,) in days] == _DAYS_OF["America/New_York"]


@pytest.mark.parametrize("engine", _EVERY)
@pytest.mark.parametrize("zone", list(_DAYS_OF))
def test_a_ledger_holds_no_zones(engine: str, zone: str) -> None:
    native = ENGINES[engine].make(_late(zone))
    with pytest.raises(InvalidArgumentError, match="expected a date or a time without a zone"):
        rfm.summarize(native, as_of=_TODAY)


# Dates as text in a lazy table


@pytest.fixture(params=[*_LAZY, pytest.param("spark without ANSI", marks=marked("spark").marks)])
def engine_of_text(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each lazy engine, and Spark also in the mode in which it errs in silence."""
    name: str = request.param
    if name != "spark without ANSI":
        yield name
        return
    spark().conf.set("spark.sql.ansi.enabled", "false")
    yield "spark"
    spark().conf.set("spark.sql.ansi.enabled", "true")


_FORMATS: Final = [
    ("%d/%m/%Y", "31/01/2024", "30/02/2024|2024-2-30|out of range|day 30 must be in range"),
    ("%Y-%m-%d", "2024-01-31", "31.01.2024"),
    ("%d %b %Y", "31 Jan 2024", "31 Foo 2024"),
    ("%Y-%m-%d %H:%M:%S", "2024-01-31 23:59:00", "yesterday"),
]


@pytest.mark.parametrize(("date_format", "good", "told"), _FORMATS)
def test_text_that_is_no_date_stops_the_engine(
    engine_of_text: str, date_format: str, good: str, told: str
) -> None:
    def dates(*texts: str | None) -> list[date | None]:
        rows = pl.DataFrame({"customer_id": ["a", "b"], "date": texts, "amount": [1.0, 2.0]})
        raw = ENGINES[engine_of_text].make(arrow(rows))
        ledger = crmkit.transactions(raw, **_NAMES, date_format=date_format)
        return read_back(ledger).sort("customer_id")["date"].to_list()

    assert dates(good, None) == [date(2024, 1, 31), None]
    with pytest.raises(Exception, match=told):  # each engine has words of its own
        dates(good, told.partition("|")[0])
