"""One row per customer: against the papers' data, a slow twin, and what must always hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import cohorts, lifecycle, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import printed

AS_OF = date(2024, 3, 31)
LEDGER: dict[str, list[Any]] = {
    "customer_id": ["b", "a", "a", "a", "a", "c", "d"],
    "date": [
        date(2024, 2, 1),
        date(2024, 1, 5),
        date(2024, 3, 1),
        date(2024, 3, 1),
        date(2024, 3, 9),
        date(2024, 2, 2),
        date(2024, 4, 1),
    ],
    "amount": [15.0, 20.0, 30.0, 12.0, -5.0, -3.0, 99.0],
}
INTEGERS = ("orders", "days_since_last", "frequency", "recency", "T")

Row = tuple[str, date, float]


# Published


def test_the_sample_gives_the_papers_repeat_buyers() -> None:
    # Fader & Hardie, Gamma-Gamma note (brucehardie.com/notes/025): 946 repeat buyers; the mean,
    # deviation, least, median and greatest of their mean repeat spend, in whole dollars.
    customers = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=date(1997, 9, 30))
    spend = customers["monetary_value"].drop_nulls()
    assert customers.height == 2357
    assert spend.len() == 946
    found = [spend.mean(), spend.std(), spend.min(), spend.median(), spend.max()]
    assert [printed(float(str(value)), like="35") for value in found] == [
        "35",
        "30",
        "3",
        "27",
        "300",
    ]


def test_customer_1516_of_the_papers_has_26_repeat_days() -> None:
    # brucehardie.com/notes/004: x = 26, t_x = 30.86 weeks, T = 31 weeks.
    sample = load_cdnow(sample=True, backend="polars")
    order = sample["customer_id"].unique(maintain_order=True)
    customers = rfm.summarize(sample, as_of=date(1997, 9, 30))
    history = customers.filter(pl.col("customer_id") == order[1515]).row(0, named=True)
    assert history["frequency"] == 26
    assert printed(history["recency"] / 7, like="30.86") == "30.86"
    assert history["T"] / 7 == 31


def test_the_first_purchase_is_found_in_any_order_of_rows() -> None:
    # lifetimes, tests/test_utils.py: the purchase of 14 March stands second and is the first.
    orders = pd.DataFrame(
        {
            "customer_id": [1, 1, 1],
            "date": pd.to_datetime(["2014-04-09", "2014-03-14", "2014-05-21"]),
            "amount": [20.0, 10.0, 25.0],
        }
    )
    customers = rfm.summarize(orders, as_of=date(2014, 6, 1))
    assert customers["monetary_value"].to_list() == [22.5]


def test_the_holdout_half_by_repeat_days_of_the_first() -> None:
    # BTYD walkthrough: bins of 0 to 6 and of 7 or more repeat days by 30 September 1997, and
    # the mean purchase days of the 39 weeks after it.
    halves = rfm.holdout(
        load_cdnow(sample=True, backend="polars"), split=date(1997, 9, 30), as_of=date(1998, 6, 30)
    ).with_columns(bin=pl.col("frequency").clip(upper_bound=7))
    bins = halves.group_by("bin").agg(pl.len(), pl.col("frequency_holdout").mean()).sort("bin")
    assert bins["len"].to_list() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert [f"{mean:.7g}" for mean in bins["frequency_holdout"]] == [
        "0.2367116",
        "0.6970387",
        "1.392523",
        "1.56",
        "2.532258",
        "2.947368",
        "3.862069",
        "6.359375",
    ]


def test_the_holdout_half_has_the_papers_days() -> None:
    # CLVTools tests (correctness_transactions): customers 1, 1000 and 1056 of the sample bought
    # 0, 3 and 3 times after 1 January 1998, which belongs to the calibration half.
    sample = load_cdnow(sample=True, backend="polars")
    order = sample["customer_id"].unique(maintain_order=True)
    halves = rfm.holdout(sample, split=date(1998, 1, 1), as_of=date(1998, 6, 30))
    later = dict(halves.select("customer_id", "frequency_holdout").iter_rows())
    assert [later[order[i - 1]] for i in (1, 1000, 1056)] == [0, 3, 3]


# Twin


def slow_summary(ledger: list[Row], as_of: date) -> list[dict[str, Any]]:
    money: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    orders: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for customer, day, amount in ledger:
        if day <= as_of:
            money[customer][day] += amount
            orders[customer][day] += amount >= 0
    table = []
    for customer in sorted(money):
        bought = sorted(day for day, n in orders[customer].items() if n)
        if not bought:
            continue
        first, last, total = bought[0], bought[-1], sum(money[customer].values())
        repeat = len(bought) - 1
        table.append(
            {
                "customer_id": customer,
                "first_date": first,
                "last_date": last,
                "orders": sum(orders[customer].values()),
                "total_amount": total,
                "days_since_last": (as_of - last).days,
                "frequency": repeat,
                "recency": (last - first).days,
                "T": (as_of - first).days,
                "monetary_value": (total - money[customer][first]) / repeat if repeat else None,
            }
        )
    return table


ledgers = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "cid", "dee"]),
        st.dates(date(2023, 12, 1), date(2024, 4, 30)),
        st.sampled_from([0.0, 0.25, 10.0, 99.5, -10.0, -0.5]),
    ),
    min_size=1,
    max_size=30,
)


def frame(ledger: list[Row], engine: str = "polars") -> Any:
    names = ("customer_id", "date", "amount")
    return MAKERS[engine]({name: [row[i] for row in ledger] for i, name in enumerate(names)})


@given(ledger=ledgers, engine=st.sampled_from(list(MAKERS)))
def test_the_summary_is_the_slow_one(ledger: list[Row], engine: str) -> None:
    found = rows(rfm.summarize(frame(ledger, engine), as_of=AS_OF), by="customer_id")
    assert found == slow_summary(ledger, AS_OF)


# Properties


@given(ledger=ledgers, split=st.dates(date(2023, 12, 1), date(2024, 3, 30)))
def test_no_order_is_lost_or_counted_twice_by_a_split(ledger: list[Row], split: date) -> None:
    orders = frame(ledger)
    whole = rfm.summarize(orders, as_of=AS_OF)
    halves = rfm.holdout(orders, split=split, as_of=AS_OF)
    new = rfm.newcomers(orders, split=split, as_of=AS_OF).row(0, named=True)
    assert halves.height + new["n_customers"] == whole.height
    known = whole.join(halves.select("customer_id"), on="customer_id", how="semi")
    assert (halves["frequency"] + halves["frequency_holdout"]).to_list() == known[
        "frequency"
    ].to_list()
    money = halves["total_amount"].sum() + halves["amount_holdout"].sum() + new["total_amount"]
    assert money == pytest.approx(whole["total_amount"].sum())


@given(ledger=ledgers)
def test_the_future_changes_nothing(ledger: list[Row]) -> None:
    past = [row for row in ledger if row[1] <= AS_OF] or [("ann", AS_OF, 1.0)]
    longer = [*past, ("ann", AS_OF + timedelta(days=1), 50.0), ("eve", date(2030, 1, 1), 1.0)]
    assert rows(rfm.summarize(frame(longer), as_of=AS_OF)) == rows(
        rfm.summarize(frame(past), as_of=AS_OF)
    )


@given(ledger=ledgers)
def test_purchase_days_take_the_place_of_the_ledger(ledger: list[Row]) -> None:
    orders = frame(ledger)
    days = rfm.purchase_days(orders, as_of=AS_OF)
    assert days.select("customer_id", "date").is_unique().all()
    split = AS_OF - timedelta(days=20)
    answers: list[Callable[[pl.DataFrame], pl.DataFrame]] = [
        lambda each: rfm.summarize(each, as_of=AS_OF),
        lambda each: rfm.summarize(each, as_of=split),
        lambda each: rfm.holdout(each, split=split, as_of=AS_OF),
        lambda each: rfm.newcomers(each, split=split, as_of=AS_OF),
        lambda each: lifecycle.rhythm(each, as_of=AS_OF, recent_days=10),
        lambda each: cohorts.table(each, as_of=AS_OF, every="week"),
        lambda each: cohorts.retention(each, as_of=AS_OF),
    ]
    for answer in answers:
        assert_frame_equal(answer(days), answer(orders), abs_tol=1e-9)


@given(ledger=ledgers, seed=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(ledger: list[Row], seed: Any) -> None:
    shuffled = list(ledger)
    seed.shuffle(shuffled)
    first, second = (rows(rfm.summarize(frame(each), as_of=AS_OF)) for each in (ledger, shuffled))
    assert first == second


@given(ledger=ledgers)
def test_a_return_changes_money_never_timing(ledger: list[Row]) -> None:
    timing = ["customer_id", "first_date", "last_date", *INTEGERS]
    bought = [row for row in ledger if row[2] >= 0] or [("ann", AS_OF, 1.0)]
    back = [*bought, *((c, d + timedelta(days=1), -1.0) for c, d, _ in bought)]
    without, with_returns = (
        nw.from_native(rfm.summarize(frame(each), as_of=AS_OF)) for each in (bought, back)
    )
    assert without.select(timing).to_native().equals(with_returns.select(timing).to_native())


# Shape


def test_every_engine_gives_the_documented_table(make_frame: MakeFrame) -> None:
    ledger = make_frame(LEDGER)
    found = rfm.summarize(ledger, as_of=AS_OF)
    assert type(found) is type(ledger)
    schema = nw.from_native(found).collect_schema()
    assert schema.names() == [
        "customer_id",
        "first_date",
        "last_date",
        "orders",
        "total_amount",
        "days_since_last",
        "frequency",
        "recency",
        "T",
        "monetary_value",
    ]
    assert all(schema[name] == nw.Int64 for name in INTEGERS)
    assert schema["total_amount"] == schema["monetary_value"] == nw.Float64
    expected = list(zip(*(LEDGER[name] for name in LEDGER), strict=True))
    assert rows(found, by="customer_id") == slow_summary(expected, AS_OF)


def test_eager_results_come_in_order_with_a_plain_index(make_eager: MakeFrame) -> None:
    found = rfm.summarize(make_eager(LEDGER), as_of=AS_OF)
    assert [row["customer_id"] for row in rows(found)] == ["a", "b"]
    if isinstance(found, pd.DataFrame):
        assert found.index.tolist() == [0, 1]


def test_lines_of_one_order_are_one_order_on_its_first_day(make_frame: MakeFrame) -> None:
    lines: dict[str, list[Any]] = {
        "customer_id": ["a", "a", "a"],
        "order_id": [7, 7, 8],
        "date": [date(2024, 1, 2), date(2024, 1, 1), date(2024, 2, 1)],
        "amount": [-1.0, 5.0, 10.0],
    }
    (found,) = rows(rfm.summarize(make_frame(lines), as_of=AS_OF))
    assert (found["orders"], found["frequency"], found["first_date"]) == (2, 1, date(2024, 1, 1))
    assert (found["total_amount"], found["monetary_value"]) == (14.0, 9.0)


def test_a_later_refund_of_an_order_changes_money_on_its_day_only(make_frame: MakeFrame) -> None:
    lines: dict[str, list[Any]] = {
        "customer_id": ["a", "a", "a"],
        "order_id": [7, 7, 8],
        "date": [date(2024, 1, 1), date(2024, 2, 20), date(2024, 1, 10)],
        "amount": [100.0, -200.0, 10.0],
    }
    orders = make_frame(lines)
    (before,) = rows(rfm.summarize(orders, as_of=date(2024, 1, 31)))
    (after,) = rows(rfm.summarize(orders, as_of=AS_OF))
    (halves,) = rows(rfm.holdout(orders, split=date(2024, 1, 31), as_of=AS_OF))
    assert {name: halves[name] for name in before} == before
    assert (halves["frequency_holdout"], halves["amount_holdout"]) == (0, -200.0)
    assert (before["total_amount"], after["total_amount"]) == (110.0, -90.0)
    assert [after[name] for name in ("orders", "frequency", "recency")] == [2, 1, 9]


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_order_that_sums_to_nothing_is_a_purchase(
    make_frame: MakeFrame, turn: tuple[int, ...]
) -> None:
    amounts = [0.7, 0.1, -0.8]
    lines: dict[str, list[Any]] = {
        "customer_id": ["a"] * 3,
        "order_id": [7] * 3,
        "date": [date(2024, 1, 1)] * 3,
        "amount": [amounts[i] for i in turn],
    }
    (found,) = rows(rfm.summarize(make_frame(lines), as_of=AS_OF))
    assert (found["orders"], found["total_amount"]) == (1, 0.0)


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_repeat_spend_that_cancels_is_zero_in_any_order(
    make_frame: MakeFrame, turn: tuple[int, ...]
) -> None:
    amounts = [0.7, 0.1, -0.8]
    lines: dict[str, list[Any]] = {
        "customer_id": ["a"] * 4,
        "date": [date(2024, 1, 1), *(date(2024, 2, 1) for _ in turn)],
        "amount": [33.3, *(amounts[i] for i in turn)],
    }
    (found,) = rows(rfm.summarize(make_frame(lines), as_of=AS_OF))
    assert (found["frequency"], found["monetary_value"]) == (1, 0.0)


def test_a_ledger_without_amounts_has_no_money(make_frame: MakeFrame) -> None:
    timing = make_frame({name: LEDGER[name] for name in ("customer_id", "date")})
    found = rfm.summarize(timing, as_of=AS_OF)
    names = nw.from_native(found).collect_schema().names()
    assert "total_amount" not in names
    assert "monetary_value" not in names
    assert [row["orders"] for row in rows(found, by="customer_id")] == [4, 1, 1]
    halves = rfm.holdout(timing, split=date(2024, 2, 29), as_of=AS_OF)
    assert "amount_holdout" not in nw.from_native(halves).collect_schema().names()


def test_a_flag_can_make_negative_rows_purchases(make_frame: MakeFrame) -> None:
    flagged = make_frame({**LEDGER, "is_purchase": [True] * 7})
    found = rows(rfm.summarize(flagged, as_of=AS_OF), by="customer_id")
    assert [(row["customer_id"], row["orders"]) for row in found] == [("a", 4), ("b", 1), ("c", 1)]


def test_an_empty_ledger_gives_an_empty_table(make_eager: MakeFrame) -> None:
    one = make_eager({name: values[:1] for name, values in LEDGER.items()})
    empty = nw.from_native(one).head(0).to_native()
    found = nw.from_native(rfm.summarize(empty, as_of=AS_OF))
    assert found.shape == (0, 10)
    counted = rfm.newcomers(empty, split=date(2024, 1, 1), as_of=AS_OF)
    assert rows(counted) == [{"n_customers": 0, "orders": 0, "total_amount": 0.0}]


def test_purchases_of_the_last_day_are_seen_whatever_the_hour(make_frame: MakeFrame) -> None:
    times: dict[str, list[Any]] = {
        "customer_id": [1, 1, 2],
        "date": [
            datetime(2024, 3, 31, 0, 0),
            datetime(2024, 3, 31, 23, 59, 59, 999_999),
            datetime(2024, 4, 1, 0, 0),
        ],
        "amount": [1.0, 2.0, 3.0],
    }
    (found,) = rows(rfm.summarize(make_frame(times), as_of=AS_OF))
    assert (found["orders"], found["frequency"], found["days_since_last"]) == (2, 0, 0)


def test_a_time_can_stand_for_its_day() -> None:
    orders = frame([("a", date(2024, 1, 1), 1.0)])
    noon = datetime(2024, 3, 31, 12, 0)
    assert rfm.summarize(orders, as_of=noon).equals(rfm.summarize(orders, as_of=AS_OF))


def test_a_lazy_table_is_not_run() -> None:
    def explode(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError

    schema = {"customer_id": pl.String, "date": pl.Date, "amount": pl.Float64}
    trap = pl.LazyFrame(schema=schema).map_batches(explode, schema=schema)
    assert isinstance(rfm.summarize(trap, as_of=AS_OF), pl.LazyFrame)
    assert isinstance(rfm.holdout(trap, split=date(2024, 1, 1), as_of=AS_OF), pl.LazyFrame)


def test_the_input_is_not_changed() -> None:
    ledger = frame(list(zip(*(LEDGER[name] for name in LEDGER), strict=True)), "pandas")
    before = ledger.copy(deep=True)
    rfm.summarize(ledger, as_of=AS_OF)
    pd.testing.assert_frame_equal(ledger, before)


def test_an_index_is_no_part_of_the_ledger() -> None:
    ledger = frame(list(zip(*(LEDGER[name] for name in LEDGER), strict=True)), "pandas")
    odd = ledger.set_index(pd.Index([5] * 7, name="customer_id"))
    pd.testing.assert_frame_equal(
        rfm.summarize(odd, as_of=AS_OF), rfm.summarize(ledger, as_of=AS_OF)
    )


# Refusals


def test_a_missing_column_is_named(make_frame: MakeFrame) -> None:
    bare = make_frame({"customer": ["a"], "date": [date(2024, 1, 1)]})
    with pytest.raises(MissingColumnsError) as caught:
        rfm.summarize(bare, as_of=AS_OF)
    assert str(caught.value) == (
        "transactions: no column `customer_id` among `customer`, `date`.\n"
        "Build this table with crmkit.transactions()."
    )


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), None])
def test_an_amount_that_is_no_number_is_refused(make_eager: MakeFrame, amount: Any) -> None:
    bad = make_eager({**LEDGER, "amount": [15.0, 20.0, 30.0, amount, -5.0, -3.0, 99.0]})
    with pytest.raises(InvalidRowsError) as caught:
        rfm.summarize(bad, as_of=AS_OF)
    assert caught.value.n_rows == 1
    assert caught.value.examples == ("a",)
    assert str(caught.value).startswith("transactions: `amount` is n")
    assert "in 1 of 7 rows (customer_id 'a')." in str(caught.value)


def test_dates_as_text_are_refused(make_frame: MakeFrame) -> None:
    text = make_frame({**LEDGER, "date": ["2024-01-01"] * 7})
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.summarize(text, as_of=AS_OF)
    assert str(caught.value) == (
        "transactions: `date` has type String; expected a date or a time without a zone.\n"
        "Build this table with crmkit.transactions()."
    )


@pytest.mark.parametrize("engine", ["pandas", "pyarrow", "duckdb"])
def test_two_columns_of_one_name_are_refused(engine: str) -> None:
    names = ["customer_id", "customer_id", "amount"]
    twice: Any = pd.DataFrame([["a", "b", 1.0]], columns=names)
    if engine != "pandas":
        twice = pa.table([["a"], ["b"], [1.0]], names=names)
    if engine == "duckdb":
        twice = duckdb.connect().sql("select 1 as customer_id, 2 as amount, 3 as customer_id")
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.summarize(twice, as_of=AS_OF)
    assert str(caught.value) == (
        "transactions: more than one column `customer_id`.\nRename or drop the others."
    )


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.summarize([1, 2, 3], as_of=AS_OF)  # type: ignore[type-var] # the point
    assert str(caught.value) == (
        "transactions: a list is not a table.\n"
        "Give a pandas or Polars DataFrame, a Polars LazyFrame, a PyArrow table, "
        "a DuckDB relation, or a Dask or Spark DataFrame."
    )


def test_a_day_may_be_iso_text_and_no_other() -> None:
    orders = frame([("a", AS_OF, 1.0)])
    assert rows(rfm.summarize(orders, as_of="2024-03-31")) == rows(
        rfm.summarize(orders, as_of=AS_OF)
    )
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.summarize(orders, as_of="31.03.2024")
    assert str(caught.value) == (
        "`as_of` must be a date, got '31.03.2024' (str).\n"
        'Write datetime.date(2024, 12, 31) or "2024-12-31".'
    )


def test_a_split_comes_before_the_end() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.holdout(frame([("a", AS_OF, 1.0)]), split=AS_OF, as_of=AS_OF)
    assert str(caught.value) == (
        "`split` (2024-03-31) must come before `as_of` (2024-03-31).\n"
        "The days between them are the holdout period."
    )


def test_duckdb_stays_on_its_own_connection() -> None:
    connection = duckdb.connect()
    connection.execute("create table log as select 1 as customer_id, date '2024-01-01' as date")
    found = rfm.summarize(connection.table("log"), as_of=AS_OF)
    connection.register("found", found)
    assert connection.sql("select count(*) from found").fetchall() == [(1,)]


@pytest.mark.parametrize(("day", "shown"), [(pd.NaT, "NaT (NaTType)"), (45_000, "45000 (int)")])
def test_as_of_is_a_day_of_the_calendar(day: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.summarize(pl.DataFrame(LEDGER), as_of=day)
    assert str(caught.value) == (
        f'`as_of` must be a date, got {shown}.\nWrite datetime.date(2024, 12, 31) or "2024-12-31".'
    )


def test_the_last_of_all_days_sees_everything(make_frame: MakeFrame) -> None:
    found = rows(rfm.summarize(make_frame(LEDGER), as_of=date.max), by="customer_id")
    assert [row["orders"] for row in found] == [3, 1, 1]
    assert [row["customer_id"] for row in found] == ["a", "b", "d"]


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.Float32])
def test_narrow_amounts_are_added_up_in_full_width(make_frame: MakeFrame, kind: Any) -> None:
    largest = 2.0**24 if kind == pl.Float32 else float(pl.select(kind.max()).item())
    amounts = pl.Series([largest, largest, 1.0]).cast(kind)
    days = [date(2024, 1, 5), date(2024, 3, 5), date(2024, 3, 6)]
    table = pl.DataFrame({"customer_id": ["ann"] * 3, "date": days, "amount": amounts})
    columns: dict[str, Any] = {name: table[name] for name in table.columns}
    native = make_frame(columns)
    (found,) = rows(rfm.summarize(native, as_of=AS_OF))
    assert found["total_amount"] == 2 * largest + 1
