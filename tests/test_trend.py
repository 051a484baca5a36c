"""Money by period and the last months against those before: the sums by hand."""

from __future__ import annotations

import math
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import pipeline, rfm
from crmkit._pipeline.trend import Trend, trend
from tests.conftest import MakeFrame, rows


def days_of(orders: list[tuple[str, date, float]], *, as_of: date) -> pl.DataFrame:
    who, when, amount = zip(*orders, strict=True)
    table = pl.DataFrame({"customer_id": who, "date": when, "amount": amount})
    return rfm.purchase_days(table, as_of=as_of)


def of(orders: list[tuple[str, date, float]], *, as_of: date) -> Trend[pl.DataFrame]:
    return trend(days_of(orders, as_of=as_of), as_of=as_of)


def figure(table: pl.DataFrame | None, name: str) -> dict[str, object]:
    assert table is not None
    (row,) = table.filter(pl.col("figure") == name).to_dicts()
    return row


# By hand: 2022 and 2023. Four orders of 10 each by two customers, then six orders of 20 each by
# three, one of them new. Revenue 40 -> 120; customers 2 -> 3, orders per customer 2 -> 2, revenue
# per order 10 -> 20. Log mean of 120 and 40 is 80 / ln 3.
TWO_YEARS = [
    ("ann", date(2021, 6, 1), 10.0),
    ("ben", date(2021, 6, 1), 10.0),
    *[("ann", date(2022, month, 10), 10.0) for month in (1, 12)],
    *[("ben", date(2022, month, 10), 10.0) for month in (3, 4)],
    *[(who, date(2023, month, 10), 20.0) for who in ("ann", "ben", "cid") for month in (1, 12)],
]


def test_revenue_customers_and_orders_of_both_years() -> None:
    table = of(TWO_YEARS, as_of=date(2023, 12, 31)).comparison
    assert table is not None
    values = {row["figure"]: (row["value"], row["value_before"]) for row in table.to_dicts()}
    assert values == {
        "revenue": (120.0, 40.0),
        "customers who bought": (3.0, 2.0),
        "new customers": (1.0, 0.0),
        "orders": (6.0, 4.0),
        "orders per customer": (2.0, 2.0),
        "revenue per order": (20.0, 10.0),
    }
    assert figure(table, "revenue")["growth"] == 2.0
    assert table["starts"].unique().to_list() == [date(2023, 1, 1)]
    assert table["starts_before"].unique().to_list() == [date(2022, 1, 1)]
    assert table["ends_before"].unique().to_list() == [date(2022, 12, 31)]


def test_the_factors_add_up_to_the_change_of_revenue() -> None:
    table = of(TWO_YEARS, as_of=date(2023, 12, 31)).comparison
    part = 80 / math.log(3)
    found = [
        figure(table, name)["contribution"]
        for name in ("customers who bought", "orders per customer", "revenue per order")
    ]
    assert found == pytest.approx([part * math.log(1.5), 0.0, part * math.log(2)])
    assert sum(map(float, found)) == pytest.approx(80.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "starts"),
    [
        (date(2022, 1, 1), date(2023, 1, 1)),  # two years to the day
        (date(2022, 1, 2), date(2023, 7, 1)),  # a day short of them
        (date(2023, 1, 2), date(2023, 10, 1)),
        (date(2023, 7, 2), date(2023, 12, 1)),
    ],
)
def test_the_longest_span_that_the_log_holds_twice(first: date, starts: date) -> None:
    orders = [("ann", first, 10.0), ("ann", date(2023, 12, 31), 10.0)]
    assert figure(of(orders, as_of=date(2023, 12, 31)).comparison, "orders")["starts"] == starts


def test_a_log_of_a_month_has_no_comparison() -> None:
    orders = [("ann", date(2023, 11, 2), 10.0), ("ann", date(2023, 12, 31), 10.0)]
    assert of(orders, as_of=date(2023, 12, 31)).comparison is None


def test_spans_end_on_the_day_of_the_month_or_on_its_last() -> None:
    orders = [("ann", date(2022, 1, 1), 10.0)]
    row = figure(of(orders, as_of=date(2023, 3, 31)).comparison, "orders")
    assert (row["starts"], row["ends_before"]) == (date(2022, 10, 1), date(2022, 9, 30))
    row = figure(of(orders, as_of=date(2023, 3, 30)).comparison, "orders")
    assert (row["starts"], row["ends_before"]) == (date(2022, 10, 1), date(2022, 9, 30))
    row = figure(of(orders, as_of=date(2023, 3, 15)).comparison, "orders")
    assert (row["starts"], row["ends_before"]) == (date(2022, 9, 16), date(2022, 9, 15))


def test_new_customers_are_unknown_where_the_log_begins_with_the_time_before() -> None:
    orders = [("ann", date(2022, 1, 1), 10.0), ("ben", date(2023, 12, 31), 10.0)]
    row = figure(of(orders, as_of=date(2023, 12, 31)).comparison, "new customers")
    assert (row["value"], row["value_before"], row["growth"]) == (1.0, None, None)


def test_a_month_without_orders_is_zero_and_the_last_is_not_over() -> None:
    orders = [("ann", date(2023, 1, 5), 10.0), ("ben", date(2023, 3, 2), 5.0)]
    table = of(orders, as_of=date(2023, 3, 15)).periods
    assert table["amount"].to_list() == [10.0, 0.0, 5.0]
    assert table["orders"].to_list() == [1, 0, 1]
    assert table["is_complete"].to_list() == [True, True, False]


@pytest.mark.parametrize(("years", "length"), [(1, 31), (3, 92), (8, 366)])
def test_beyond_24_columns_periods_get_longer(years: int, length: int) -> None:
    first = date(2024 - years, 1, 1)
    orders = [("ann", first, 10.0), ("ann", date(2023, 12, 31), 5.0)]
    table = of(orders, as_of=date(2023, 12, 31)).periods
    assert len(table) <= 24
    assert ((table["ends"] - table["starts"]).dt.total_days() + 1).max() == length


MOMENTS = st.integers(0, 1100).map(lambda n: date(2021, 1, 1) + timedelta(n))
ORDERS = st.lists(st.tuples(st.sampled_from("abcd"), MOMENTS, st.integers(-9, 90).map(float)))


@given(orders=ORDERS)
def test_all_money_is_in_the_periods_and_the_factors_add_up(
    orders: list[tuple[str, date, float]],
) -> None:
    orders = [("first", date(2020, 12, 1), 1.0), *orders]
    found = of(orders, as_of=date(2024, 2, 9))
    assert found.periods["amount"].sum() == pytest.approx(sum(each[2] for each in orders))
    assert found.comparison is not None
    revenue = figure(found.comparison, "revenue")
    parts = found.comparison["contribution"].drop_nulls()
    if len(parts):
        change = float(revenue["value"]) - float(revenue["value_before"])  # type: ignore[arg-type]
        assert parts.sum() == pytest.approx(change, abs=1e-9)


def test_every_engine_gives_the_same(make_frame: MakeFrame) -> None:
    as_of = date(2023, 12, 31)
    days = days_of(TWO_YEARS, as_of=as_of)
    expected = trend(days, as_of=as_of)
    found = trend(make_frame(days.to_dict(as_series=False)), as_of=as_of)
    assert found.comparison is not None
    assert expected.comparison is not None
    assert rows(found.periods, by="starts") == rows(expected.periods, by="starts")
    assert rows(found.comparison, by="figure") == rows(expected.comparison, by="figure")


def test_without_amounts_orders_are_compared() -> None:
    orders = pl.DataFrame(
        {"customer_id": ["a", "b"], "date": [date(2023, 1, 1), date(2023, 12, 1)]}
    )
    found = pipeline.run(orders, as_of=date(2023, 12, 31))
    assert found.trend is not None
    assert found.comparison is not None
    assert found.trend.columns == ["starts", "ends", "is_complete", "orders"]
    assert "revenue" not in found.comparison["figure"].to_list()
