"""Types that one engine has and others lack give the same answer, or say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import dask.dataframe as dd
import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import functions as sf

import crmkit
from crmkit import InvalidArgumentError, InvalidRowsError, churn, clv, lifecycle, rfm, tiers
from tests.engine_cases import BREAKPOINTS, STAGE_RULES, TIERS, arrow, on, purchases, spend, tables
from tests.engines import ENGINES, assert_same_table, marked, read_back, spark

pytestmark = pytest.mark.slow
_EVERY: Final = [marked(name) for name in ENGINES]
_NAMES: Final[dict[str, Any]] = {"customer": "customer_id", "date": "date", "amount": "amount"}
_TODAY: Final = date(2024, 3, 1)
_DAYS: Final = [date(2024, 1, day) for day in (1, 5, 9, 10, 20)]
_AMOUNTS: Final = [10.0, 20.0, 30.0, 40.0, 50.0]
_CENTS: Final = [Decimal(str(amount)) for amount in _AMOUNTS]
_WHO: Final = ["ann", "ben", "ben", "cid", "ann"]
_BIG: Final = [2**53 + i for i in (1, 3, 3, 5, 1)]
_LEDGER: Final = pl.DataFrame({"customer_id": _WHO, "date": _DAYS, "amount": _AMOUNTS})
_ROWS: Final = pa.table({"customer_id": _WHO, "date": _DAYS, "amount": _AMOUNTS})
_FRAME: Final = pd.DataFrame(
    {"customer_id": _WHO, "date": pd.to_datetime(_DAYS), "amount": _AMOUNTS}
)
_SQL: Final = duckdb.connect()
_SQL.execute("set TimeZone = 'UTC'")
_SQL.register("ledger", _ROWS)
_SQL.execute("create type name as enum ('cid', 'ben', 'ann', 'dan')")

# What the five orders come to, counted by hand: first name, then orders, money, x, t_x and T.
_SUMMARY: Final = [
    ("ann", 2, 60.0, 1, 19, 60, 50.0),
    ("ben", 2, 50.0, 1, 4, 56, 30.0),
    ("cid", 1, 40.0, 0, 0, 51, None),
]
_TOLD: Final = ("orders", "total_amount", "frequency", "recency", "T", "monetary_value")


def _assert_summary(ledger: Any, ids: Sequence[Any] = ("ann", "ben", "cid")) -> None:
    """Compare with the numbers counted by hand, in order of the customers' first purchases."""
    found = read_back(rfm.summarize(ledger, as_of=_TODAY)).sort("first_date")
    assert [str(who) for who in found["customer_id"]] == [str(who) for who in ids]
    assert found.select(_TOLD).rows() == [row[1:] for row in _SUMMARY]


# Whatever a column is made of


def _arrow_type(kind: pa.DataType) -> Any:
    return pd.ArrowDtype(kind)


_ODD_PANDAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "string[python]": {"customer_id": pd.array(_WHO, dtype="string[python]")},
    "string[pyarrow]": {"customer_id": pd.array(_WHO, dtype="string[pyarrow]")},
    "object": {"customer_id": pd.Series(_WHO, dtype=object)},
    "category": {"customer_id": pd.Categorical(_WHO, ["zoe", "cid", "ben", "ann"], ordered=True)},
    "Float64": {"amount": pd.array(_AMOUNTS, dtype="Float64")},
    "Int64": {"amount": pd.array([10, 20, 30, 40, 50], dtype="Int64")},
    "float32": {"amount": np.array(_AMOUNTS, dtype="float32")},
    "decimals": {"amount": pd.array(_CENTS, dtype=_arrow_type(pa.decimal128(12, 2)))},
    "days in milliseconds": {"date": pd.array(_DAYS, dtype=_arrow_type(pa.date64()))},
    "seconds": {"date": _FRAME["date"].astype("datetime64[s]")},
    "nanoseconds": {"date": _FRAME["date"].astype("datetime64[ns]")},
    "Arrow seconds": {"date": _FRAME["date"].astype(_arrow_type(pa.timestamp("s")))},
    "large text": {"customer_id": pd.array(_WHO, dtype=_arrow_type(pa.large_string()))},
}


@pytest.mark.parametrize("name", list(_ODD_PANDAS))
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("is_dask", [False, True])
def test_pandas_types_give_the_same_summary(name: str, *, is_raw: bool, is_dask: bool) -> None:
    native: Any = _FRAME.assign(**_ODD_PANDAS[name])
    if is_dask:
        from_pandas: Any = dd.from_pandas  # which has no types
        native = from_pandas(native, npartitions=3)
    _assert_summary(crmkit.transactions(native, **_NAMES) if is_raw else native)


_OBJECTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "decimals": {"amount": pd.Series(_CENTS, dtype=object)},
    "dates": {"date": pd.Series(_DAYS, dtype=object)},
}


@pytest.mark.parametrize("name", list(_OBJECTS))
def test_python_objects_are_read_at_the_entrance(name: str) -> None:
    _assert_summary(crmkit.transactions(_FRAME.assign(**_OBJECTS[name]), **_NAMES))


@pytest.mark.parametrize(
    "ids",
    [
        pd.Series(_BIG, dtype=object),
        pd.array(_BIG, dtype="Int64"),
        pd.array(_BIG, dtype="UInt64"),
        pl.Series(_BIG, dtype=pl.UInt64),
        pa.array(_BIG).dictionary_encode(),
    ],
    ids=["object", "Int64", "UInt64", "Polars", "Arrow dictionary"],
)
def test_no_digit_of_a_large_id_is_lost(ids: Any) -> None:
    native: Any = _FRAME.assign(customer_id=ids) if not isinstance(ids, pl.Series | pa.Array) else 0
    if isinstance(ids, pl.Series):
        native = _LEDGER.with_columns(customer_id=ids)
    if isinstance(ids, pa.Array):
        native = _ROWS.set_column(0, "customer_id", ids)
    _assert_summary(crmkit.transactions(native, **_NAMES), [_BIG[0], _BIG[1], _BIG[3]])


def test_uuids_are_ids_in_text() -> None:
    ids = [UUID(int=ord(who[0])) for who in _WHO]
    ledger = crmkit.transactions(_FRAME.assign(customer_id=ids), **_NAMES)
    _assert_summary(ledger, [ids[0], ids[1], ids[3]])


@pytest.mark.parametrize(
    "value", [b"ann", ["ann"], ("ann", 1), {"ann": 1}], ids=["bytes", "list", "tuple", "dict"]
)
def test_an_object_that_is_no_name_is_no_id(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        crmkit.transactions(_FRAME.assign(customer_id=[value] * 5), **_NAMES)
    assert str(refusal.value) == (
        "transactions: `customer_id` has type Object; expected an id in text or whole numbers.\n"
        "Name another column, or cast this one."
    )


_ODD_POLARS: Final[Mapping[str, pl.Expr]] = {
    "categorical": pl.col("customer_id").cast(pl.Categorical),
    "enum": pl.col("customer_id").cast(pl.Enum(["cid", "ben", "ann", "zoe"])),
    "u8": pl.col("amount").cast(pl.UInt8),
    "u64": pl.col("amount").cast(pl.UInt64),
    "i128": pl.col("amount").cast(pl.Int128),
    "f32": pl.col("amount").cast(pl.Float32),
    "decimal": pl.col("amount").cast(pl.Decimal(38, 10)),
}


@pytest.mark.parametrize("name", list(_ODD_POLARS))
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("is_lazy", [False, True])
def test_polars_types_give_the_same_summary(name: str, *, is_raw: bool, is_lazy: bool) -> None:
    odd = _LEDGER.with_columns(_ODD_POLARS[name])
    native: Any = odd.lazy() if is_lazy else odd
    _assert_summary(crmkit.transactions(native, **_NAMES) if is_raw else native)


def test_a_column_of_nothing_has_no_amounts() -> None:
    nothing = _LEDGER.with_columns(amount=pl.lit(None))
    with pytest.raises(InvalidRowsError, match="`amount` is missing in 5 of 5 rows"):
        crmkit.transactions(nothing, **_NAMES)
    with pytest.raises(InvalidArgumentError, match="`amount` has type Unknown; expected a number"):
        crmkit.transactions(nothing.lazy(), **_NAMES)


_ODD_ARROW: Final[Mapping[str, tuple[int, pa.Array]]] = {
    "large text": (0, pa.array(_WHO, pa.large_string())),
    "text views": (0, pa.array(_WHO, pa.string_view())),
    "short dictionary": (0, pa.array(_WHO).cast(pa.dictionary(pa.uint8(), pa.string()))),
    "days in milliseconds": (1, pa.array(_DAYS, pa.date64())),
    "seconds": (1, pa.array(_DAYS).cast(pa.timestamp("s"))),
    "decimals": (2, pa.array(_CENTS, pa.decimal128(12, 2))),
}


@pytest.mark.parametrize("name", list(_ODD_ARROW))
@pytest.mark.parametrize("is_raw", [False, True])
def test_arrow_types_give_the_same_summary(name: str, *, is_raw: bool) -> None:
    place, column = _ODD_ARROW[name]
    native = _ROWS.set_column(place, _ROWS.column_names[place], column)
    _assert_summary(crmkit.transactions(native, **_NAMES) if is_raw else native)


def test_many_chunks_are_one_table() -> None:
    chunks = pa.concat_tables([_ROWS.slice(i, 1) for i in range(5)] + [_ROWS.slice(0, 0)])
    _assert_summary(chunks)


def test_what_polars_cannot_hold_is_refused_where_it_is_needed() -> None:
    wide = pa.array(_CENTS, pa.decimal256(60, 2))
    _assert_summary(_ROWS.append_column("note", wide))
    _assert_summary(crmkit.transactions(_ROWS.append_column("note", wide), **_NAMES))
    with pytest.raises(InvalidArgumentError) as refusal:
        rfm.summarize(_ROWS.set_column(2, "amount", wide), as_of=_TODAY)
    assert str(refusal.value) == (
        "transactions: column `amount` cannot be read: the type decimal256(60, 2) of PyArrow is "
        "not supported.\nRename or cast such columns, or leave them out."
    )
    customers = on("pyarrow", "customers")
    noted = customers.append_column("note", pa.array([Decimal(1)] * len(customers), wide.type))
    with pytest.raises(
        InvalidArgumentError, match="customer summary: column `note` cannot be read"
    ):
        rfm.score(noted, breakpoints=BREAKPOINTS)


_NUMBER: Final = "(case customer_id when 'ann' then 1 when 'ben' then 2 else 3 end)"
_ODD_SQL: Final[Mapping[str, tuple[str, str, str]]] = {
    "enum": ("customer_id::name", "date", "amount"),
    "uuid": (f"('00000000-0000-0000-0000-00000000000' || {_NUMBER})::uuid", "date", "amount"),
    "ubigint ids": (f"9223372036854775808::ubigint + {_NUMBER}::ubigint", "date", "amount"),
    "hugeint": ("customer_id", "date", "amount::hugeint"),
    "ubigint": ("customer_id", "date", "amount::ubigint"),
    "decimal": ("customer_id", "date", "amount::decimal(38, 10)"),
    "seconds": ("customer_id", "date::timestamp_s", "amount"),
    "nanoseconds": ("customer_id", "date::timestamp_ns", "amount"),
}
_IDS_OF: Final[Mapping[str, Sequence[Any]]] = {
    "uuid": [f"00000000-0000-0000-0000-00000000000{i}" for i in (1, 2, 3)],
    "ubigint ids": [9223372036854775808 + i for i in (1, 2, 3)],
}


@pytest.mark.parametrize("name", list(_ODD_SQL))
@pytest.mark.parametrize("is_raw", [False, True])
def test_duckdb_types_give_the_same_summary(name: str, *, is_raw: bool) -> None:
    customer, day, amount = _ODD_SQL[name]
    query = f"select {customer} as customer_id, {day} as date, {amount} as amount from ledger"
    native = _SQL.query(query)
    ids = _IDS_OF.get(name, ["ann", "ben", "cid"])
    _assert_summary(crmkit.transactions(native, **_NAMES) if is_raw else native, ids)


def test_times_with_a_zone_in_duckdb_are_read_at_the_entrance() -> None:
    native = _SQL.query("select customer_id, date::timestamptz as date, amount from ledger")
    _assert_summary(crmkit.transactions(native, **_NAMES))


_ODD_SPARK: Final[Mapping[str, tuple[str, str]]] = {
    "decimal": ("amount", "decimal(38,10)"),
    "short": ("amount", "short"),
    "timestamp_ntz": ("date", "timestamp_ntz"),
}


@pytest.mark.parametrize("name", list(_ODD_SPARK))
@pytest.mark.full
@pytest.mark.xdist_group("spark")
def test_spark_types_give_the_same_summary(name: str) -> None:
    column, kind = _ODD_SPARK[name]
    native = spark().createDataFrame(_ROWS).withColumn(column, sf.col(column).cast(kind))
    _assert_summary(native)


# Counts of every width


_COUNTS: Final = ("orders", "days_since_last", "frequency", "recency", "T")
_ON_CUSTOMERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "rfm.score": lambda customers: rfm.score(customers, breakpoints=BREAKPOINTS),
    "clv.predict": lambda customers: clv.predict(
        customers, purchases=purchases(), spend=spend(), horizon_days=365
    ),
    "tiers.assign": lambda customers: tiers.assign(customers, rule=TIERS),
    "churn.p_active": churn.p_active,
}


def _assert_same_new_columns(found: Any, due: pl.DataFrame, *, beside: pl.DataFrame) -> None:
    new = ["customer_id", *(name for name in due.columns if name not in beside.columns)]
    assert_same_table(nw.from_native(found).select(*new).to_native(), due.select(new))


_NARROW: Final = [
    (engine, kind)
    for engine in ("polars", "polars-lazy", "pyarrow", "duckdb", "spark")
    for kind in (pl.UInt16, pl.Int16, pl.Decimal(38, 0))
    if (engine, kind) != ("spark", pl.UInt16)  # Spark has no numbers without a sign
]


@pytest.mark.parametrize(
    ("engine", "kind"), [pytest.param(*pair, marks=marked(pair[0]).marks) for pair in _NARROW]
)
def test_a_count_of_any_width_is_a_count(engine: str, kind: Any) -> None:
    customers = tables()["customers"]
    narrow = ENGINES[engine].make(arrow(customers.with_columns(pl.col(_COUNTS).cast(kind))))
    for call in _ON_CUSTOMERS.values():
        _assert_same_new_columns(call(narrow), call(customers), beside=customers)


def test_a_count_in_decimals_is_held_to_be_whole() -> None:
    halves = tables()["customers"].with_columns(frequency=pl.lit(Decimal("1.5")))
    with pytest.raises(InvalidRowsError, match="`frequency` is not a whole number"):
        clv.predict(halves, purchases=purchases(), horizon_days=365)


def test_the_lag_of_a_narrow_count_does_not_wrap_around() -> None:
    rhythm = tables()["rhythm"].with_columns(pl.col("orders", "purchases_recent").cast(pl.UInt8))
    due = lifecycle.assign(tables()["rhythm"], rules=STAGE_RULES)
    _assert_same_new_columns(lifecycle.assign(rhythm, rules=STAGE_RULES), due, beside=rhythm)


# Partitions, indexes, names


def _parts(*frames: pd.DataFrame) -> Any:
    dask: Any = dd
    return dask.concat([dask.from_pandas(frame, npartitions=1) for frame in frames])


@pytest.mark.parametrize(
    "native",
    [
        _parts(*(_FRAME.iloc[i : i + 1] for i in range(5)), _FRAME.iloc[:0]),
        _parts(_FRAME.iloc[:0], _FRAME).clear_divisions(),
        _parts(_FRAME.set_index("customer_id", drop=False)),
        _parts(_FRAME.rename_axis("day")),
        _parts(_FRAME.astype({"customer_id": "category"})),
    ],
    ids=["a row each", "unknown divisions", "index of a column", "index of ours", "category"],
)
def test_dask_partitions_and_indexes_change_nothing(native: Any) -> None:
    _assert_summary(native)
    _assert_summary(crmkit.transactions(native, **_NAMES))


@pytest.mark.parametrize("engine", _EVERY)
def test_an_empty_table_has_no_customers(engine: str) -> None:
    none = ENGINES[engine].make(arrow(_LEDGER.clear()))
    ledger = crmkit.transactions(none, **_NAMES)
    found = read_back(rfm.summarize(ledger, as_of=_TODAY))
    assert found.columns == rfm.summarize(_LEDGER, as_of=_TODAY).columns
    assert len(found) == 0


@pytest.mark.parametrize("engine", _EVERY)
def test_one_order_is_one_customer(engine: str) -> None:
    one = ENGINES[engine].make(arrow(_LEDGER.head(1)))
    ledger = crmkit.transactions(one, **_NAMES)
    found = read_back(rfm.summarize(ledger, as_of=_TODAY))
    assert found.select("customer_id", *_TOLD).rows() == [("ann", 1, 10.0, 0, 0, 60, None)]


@pytest.mark.parametrize("engine", _EVERY)
def test_columns_outside_the_contract_of_a_ledger_go_nowhere(engine: str) -> None:
    noted = _LEDGER.with_columns(
        pl.lit("x").alias("a.b`c"),
        *(pl.lit(1).alias(name) for name in ("day", "turn", "first_day")),
    )
    _assert_summary(ENGINES[engine].make(arrow(noted)))


@pytest.mark.full
@pytest.mark.xdist_group("spark")
def test_spark_says_which_name_it_cannot_read() -> None:
    customers = spark().createDataFrame(arrow(tables()["customers"].with_columns(n=pl.lit(1))))
    with pytest.raises(InvalidArgumentError) as refusal:
        rfm.score(customers.withColumnRenamed("n", "a.b"), breakpoints=BREAKPOINTS)
    assert str(refusal.value) == (
        "customer summary: column `a.b` cannot be read: Spark takes a dot or backtick in a name "
        "for part of its own language.\nRename or cast such columns, or leave them out."
    )


@pytest.mark.full
@pytest.mark.xdist_group("spark")
def test_two_names_that_differ_in_a_dot_stay_two() -> None:
    rows = _ROWS.rename_columns(["a.b", "a_b", "a`b"])
    ledger = crmkit.transactions(
        spark().createDataFrame(rows), customer="a.b", date="a_b", amount="a`b"
    )
    _assert_summary(ledger)
    assert nw.from_native(ledger).collect_schema().names() == ["customer_id", "date", "amount"]
