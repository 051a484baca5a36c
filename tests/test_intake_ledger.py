"""Raw logs become the ledger, or an error says which rows stand in the way."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import rfm
from crmkit._door import frames
from crmkit.intake import transactions
from crmkit.tables import LEDGER
from tests.conftest import EAGER, MAKERS, MakeFrame, columns, rows
from tests.raw_logs import typed

JAN, FEB, MAR = date(2024, 1, 5), date(2024, 2, 5), date(2024, 3, 5)
RAW: dict[str, list[Any]] = {
    "Customer ID": ["ann", "ben", "ann"],
    'the "date"': [JAN, FEB, MAR],
    "paid": [20, 10, -5],
    "note": ["x", None, "y"],
}
NAMES: dict[str, Any] = {"customer": "Customer ID", "date": 'the "date"', "amount": "paid"}


def pandas_raw(**replaced: Any) -> pd.DataFrame:
    raw = {"who": ["ann", "ben", "ann"], "when": pd.to_datetime([JAN, FEB, MAR]), "paid": [2, 1, 3]}
    return pd.DataFrame({**raw, **replaced})


def boxed(*values: Any) -> pd.Series[Any]:
    return pd.Series(list(values), dtype=object)


def ledger_of(raw: Any, **options: Any) -> list[dict[str, Any]]:
    return rows(transactions(raw, customer="who", date="when", amount="paid", **options))


# Properties

ledgers = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "=cmd()", "O'Neil"]),
        st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        st.floats(-1e6, 1e6),
    ),
    max_size=8,
)


@given(orders=ledgers, engine=st.sampled_from(sorted(MAKERS)))
def test_a_ledger_comes_through_unchanged(
    orders: list[tuple[str, date, float]], engine: str
) -> None:
    raw = pl.DataFrame(orders, schema={"a": pl.String, "b": pl.Date, "c": pl.Float64}, orient="row")
    native = MAKERS[engine](typed(raw))
    ledger = transactions(native, customer="a", date="b", amount="c")
    assert [tuple(row.values()) for row in rows(ledger)] == orders
    frames.read(ledger, LEDGER)


@given(orders=ledgers, engine=st.sampled_from(EAGER))
def test_dates_and_numbers_in_text_are_the_same_ledger(
    orders: list[tuple[str, date, float]], engine: str
) -> None:
    texts = {
        "who": [who for who, _, _ in orders],
        "when": [day.isoformat() for _, day, _ in orders],
        "paid": [repr(paid) for _, _, paid in orders],
    }
    assert [tuple(row.values()) for row in ledger_of(MAKERS[engine](texts))] == orders


# Shape


def test_columns_are_renamed_and_others_left_out(make_frame: MakeFrame) -> None:
    ledger = transactions(make_frame(RAW), **NAMES)
    assert columns(ledger) == {
        "customer_id": ["ann", "ben", "ann"],
        "date": [JAN, FEB, MAR],
        "amount": [20.0, 10.0, -5.0],
    }
    frames.read(ledger, LEDGER)


def test_a_table_comes_back_as_it_came(make_frame: MakeFrame) -> None:
    raw = make_frame(RAW)
    assert type(transactions(raw, **NAMES)) is type(raw)


def test_the_raw_table_is_not_changed(make_eager: MakeFrame) -> None:
    raw = make_eager(RAW)
    before = rows(raw)
    transactions(raw, **NAMES)
    assert rows(raw) == before


def test_all_columns_together(make_frame: MakeFrame) -> None:
    raw = make_frame({**RAW, "no": [1, 1, 2], "what": ["tea", None, "tea"], "n": [2, 1, -1]})
    ledger = transactions(raw, **NAMES, order_id="no", product="what", quantity="n")
    assert columns(ledger) == {
        "customer_id": ["ann", "ben", "ann"],
        "date": [JAN, FEB, MAR],
        "amount": [20.0, 10.0, -5.0],
        "order_id": [1, 1, 2],
        "product": ["tea", None, "tea"],
        "quantity": [2.0, 1.0, -1.0],
    }
    frames.read(ledger, LEDGER)


def test_one_column_may_play_two_roles(make_frame: MakeFrame) -> None:
    ledger = transactions(make_frame(RAW), **NAMES, order_id="paid", product="Customer ID")
    assert columns(ledger)["order_id"] == [20, 10, -5]
    assert columns(ledger)["product"] == ["ann", "ben", "ann"]


def test_the_amount_is_quantity_times_price(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1, 2], "when": [JAN, FEB], "n": [3, -1], "each": [1.5, 2.0]})
    ledger = transactions(raw, customer="who", date="when", quantity="n", price="each")
    assert columns(ledger)["amount"] == [4.5, -2.0]
    assert columns(ledger)["quantity"] == [3.0, -1.0]


def test_returns_lower_money_and_never_count_as_purchase(make_frame: MakeFrame) -> None:
    ledger = transactions(make_frame(RAW), **NAMES)
    ann = rows(rfm.summarize(ledger, as_of=MAR), by="customer_id")[0]
    assert (ann["orders"], ann["last_date"], ann["total_amount"]) == (1, JAN, 15.0)


def test_returns_are_dropped_when_asked(make_frame: MakeFrame) -> None:
    assert columns(transactions(make_frame(RAW), **NAMES, returns="drop"))["amount"] == [20.0, 10.0]


def test_returns_are_kept_as_purchases_when_asked(make_frame: MakeFrame) -> None:
    ledger = transactions(make_frame(RAW), **NAMES, returns="keep")
    assert columns(ledger)["is_purchase"] == [True, True, True]
    ann = rows(rfm.summarize(ledger, as_of=MAR), by="customer_id")[0]
    assert (ann["orders"], ann["last_date"], ann["total_amount"]) == (2, MAR, 15.0)


def test_without_money_the_quantity_tells_the_returns(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1, 1, 2], "when": [JAN, FEB, MAR], "n": [2, -1, None]})
    named: dict[str, Any] = {"customer": "who", "date": "when", "quantity": "n"}
    assert columns(transactions(raw, **named))["is_purchase"] == [True, False, True]
    assert columns(transactions(raw, **named, returns="drop"))["quantity"] == [2.0, None]


def test_an_empty_table_gives_an_empty_ledger(make_frame: MakeFrame) -> None:
    ledger = transactions(make_frame(typed(pl.DataFrame(RAW).clear())), **NAMES)
    assert columns(ledger) == {"customer_id": [], "date": [], "amount": []}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_an_empty_table_without_types_gives_an_empty_ledger(make: Any) -> None:
    ledger = transactions(
        make({"who": [], "when": [], "paid": []}), customer="who", date="when", amount="paid"
    )
    assert columns(ledger) == {"customer_id": [], "date": [], "amount": []}
    frames.read(ledger, LEDGER)


def test_a_single_row_is_a_ledger(make_frame: MakeFrame) -> None:
    raw = make_frame({name: values[:1] for name, values in RAW.items()})
    assert rows(transactions(raw, **NAMES)) == [{"customer_id": "ann", "date": JAN, "amount": 20.0}]


def test_four_hundred_columns_are_no_matter(make_eager: MakeFrame) -> None:
    wide = {**RAW, **{f"column {i}": [i] * 3 for i in range(400)}}
    assert columns(transactions(make_eager(wide), **NAMES))["amount"] == [20.0, 10.0, -5.0]


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_a_lazy_table_stays_a_plan(engine: str) -> None:
    bad = MAKERS[engine]({**RAW, "Customer ID": [None, "ben", "ann"]})
    assert columns(transactions(bad, **NAMES))["customer_id"] == [None, "ben", "ann"]


# Types


def test_times_keep_their_clock_and_lose_their_zone() -> None:
    local = pd.Series(pd.to_datetime(["2024-01-05 23:30"] * 3)).dt.tz_localize("Europe/Berlin")
    for raw in (pandas_raw(when=local), pl.from_pandas(pandas_raw(when=local))):
        ledger = transactions(raw, customer="who", date="when")
        times = nw.from_native(ledger, eager_only=True)["date"]
        assert str(times[0]) == "2024-01-05 23:30:00"
        assert columns(ledger)["date"] == [JAN] * 3


def test_a_zoned_time_of_duckdb_is_the_wall_clock_of_its_session() -> None:
    connection = duckdb.connect()
    connection.execute("set timezone = 'Asia/Tokyo'")
    raw = connection.sql("select 1 as who, timestamptz '2024-01-05 20:00:00+00' as day")
    assert transactions(raw, customer="who", date="day").fetchall() == [
        (1, datetime(2024, 1, 6, 5, 0))
    ]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_any_unit_are_dates(unit: Any) -> None:
    raw = pl.DataFrame({"who": [1], "when": [JAN]}).with_columns(
        pl.col("when").cast(pl.Datetime(unit))
    )
    assert columns(transactions(raw, customer="who", date="when"))["date"] == [JAN]


def test_python_dates_are_dates() -> None:
    assert [row["date"] for row in ledger_of(pandas_raw(when=boxed(JAN, FEB, MAR)))] == [
        *(JAN, FEB, MAR)
    ]


def test_text_dates_are_read(make_eager: MakeFrame) -> None:
    raw = make_eager({**RAW, 'the "date"': ["05.01.2024", " 05.02.2024 ", "13.03.2024 10:00"]})
    assert columns(transactions(raw, **NAMES))["date"] == [JAN, FEB, date(2024, 3, 13)]


def test_text_dates_are_read_by_a_format_on_every_engine(make_frame: MakeFrame) -> None:
    raw = make_frame({**RAW, 'the "date"': ["01/05/24", "02/05/24", "03/05/24"]})
    assert columns(transactions(raw, **NAMES, date_format="%m/%d/%y"))["date"] == [JAN, FEB, MAR]


def test_whole_numbers_are_dates_by_their_format(make_frame: MakeFrame) -> None:
    raw = make_frame({**RAW, 'the "date"': [20240105, 20240205, 20240305]})
    assert columns(transactions(raw, **NAMES, date_format="%Y%m%d"))["date"] == [JAN, FEB, MAR]


def test_decimals_and_numbers_in_text_are_floats(make_frame: MakeFrame) -> None:
    for paid in (["20.00", "1e1", "-.5"], [Decimal("20.00"), Decimal(10), Decimal("-0.5")]):
        ledger = transactions(make_frame({**RAW, "paid": paid}), **NAMES)
        assert columns(ledger)["amount"] == [20.0, 10.0, -0.5]


def test_boxed_decimals_of_pandas_are_floats() -> None:
    paid = boxed(Decimal("20.00"), Decimal(10), Decimal("-0.5"))
    assert [row["amount"] for row in ledger_of(pandas_raw(paid=paid))] == [20.0, 10.0, -0.5]


@pytest.mark.parametrize(
    "ids",
    [
        pd.Series([1.0, 2.0, 1.0]),
        boxed(1, 2, 1),
        boxed(1.0, 2, 1),
        pd.Series([1, 2, 1], dtype="Int64"),
    ],
)
def test_whole_ids_of_pandas_are_whole_numbers(ids: Any) -> None:
    ledger = transactions(pandas_raw(who=ids), customer="who", date="when")
    assert nw.from_native(ledger).collect_schema()["customer_id"] == nw.Int64
    assert columns(ledger)["customer_id"] == [1, 2, 1]


def test_ids_become_text_where_they_are_labels_or_codes() -> None:
    code = uuid.UUID(int=7)
    for ids in (pd.Categorical(["x", "y", "x"]), boxed(code, code, code)):
        ledger = transactions(pandas_raw(who=ids), customer="who", date="when")
        assert columns(ledger)["customer_id"] == [str(value) for value in ids]
    codes: Any = duckdb.sql(f"select '{code}'::uuid as who, date '2024-01-05' as day")
    assert columns(transactions(codes, customer="who", date="day"))["customer_id"] == [str(code)]


def test_ids_that_look_like_formulas_are_text(make_frame: MakeFrame) -> None:
    odd = ["=cmd()", "<script>alert(1)</script>", "'; drop table x; --"]
    ledger = transactions(make_frame({**RAW, "Customer ID": odd}), **NAMES)
    assert columns(ledger)["customer_id"] == odd


@pytest.mark.parametrize(
    "index", [pd.Index([7, 7, 8], name="who"), pd.MultiIndex.from_tuples([(1, 1), (1, 1), (2, 2)])]
)
def test_the_index_of_pandas_is_ignored(index: Any) -> None:
    raw = pandas_raw(paid=[2, -1, 3]).set_index(index)
    ledger = transactions(raw, customer="who", date="when", amount="paid", returns="drop")
    assert ledger.index.equals(pd.RangeIndex(2))
    assert ledger["amount"].tolist() == [2.0, 3.0]
