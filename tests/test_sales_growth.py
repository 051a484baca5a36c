"""Growth by dimensions, movers, bridge, revenue tree and trend: sums by hand and other ways."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from crmkit import sales
from crmkit.errors import (
    CrmkitWarning,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models.numerics import log_mean, theil_sen
from crmkit.models.numerics.price_volume_mix import MIXES, Mix, split
from tests.conftest import rows

NAMED = (
    "`by` names `amount`, which is a column of the result.\nGroup by another column, or rename it."
)
YEARS: dict[str, Any] = {"every": "year", "as_of": "2024-12-31"}


def orders_of(lines: Sequence[tuple[Any, ...]], *names: str) -> pl.DataFrame:
    columns = ("customer_id", "date", "amount", *names)
    return pl.DataFrame(list(lines), schema=columns, orient="row")


def two_years(**groups: tuple[float, float]) -> pl.DataFrame:
    """Let one customer buy in each region in two years."""
    lines = [
        ("ann", date(year, 1, 1), float(amount), region)
        for region, amounts in groups.items()
        for year, amount in zip((2023, 2024), amounts, strict=True)
    ]
    return orders_of(lines, "region")


def lines_of(
    product: Sequence[str],
    before: tuple[Sequence[float], Sequence[float]],
    now: tuple[Sequence[float], Sequence[float]],
    *,
    customer: str = "ann",
) -> pl.DataFrame:
    """Write orders of two years: units and price of each product."""
    lines = [
        (customer, date(year, 1, 1), units * price, name, units)
        for year, (all_units, prices) in ((2023, before), (2024, now))
        for name, units, price in zip(product, all_units, prices, strict=True)
    ]
    return orders_of(lines, "product", "quantity")


def steps(table: Any) -> dict[str, float]:
    return {row["bridge_step"]: row["amount_change"] for row in rows(table)}


# Published


def test_growth_of_each_region_and_its_contribution() -> None:
    # By hand: 400 to 460, 350 to 322, 250 to 300, of 1,000: points of 6, -2.8 and 5, 8.2 in all.
    table = two_years(N=(400, 460), S=(350, 322), W=(250, 300))
    found = rows(sales.growth(table, by="region", **YEARS))[-3:]
    assert [row["growth"] for row in found] == pytest.approx([0.15, -0.08, 0.2])
    points = [row["growth_contribution"] for row in found]
    assert points == pytest.approx([0.06, -0.028, 0.05])
    assert sum(points) == pytest.approx(0.082)


def test_price_and_volume_of_one_product() -> None:
    # A worked example of variances: 100 units at 10 become 90 at 9: volume -100, price -90.
    found = steps(sales.bridge(lines_of(["tea"], ([100], [10]), ([90], [9])), **YEARS))
    assert (found["volume"], found["mix"], found["price"]) == (-100.0, 0.0, -90.0)


def test_quantity_and_mix_of_milano() -> None:
    # Drury, Management and Cost Accounting, Milano: budgeted units 8,000, 7,000 and 5,000 at
    # margins of 20, 12 and 9, sold 6,000, 7,000 and 9,000: volume variance -4,000 is quantity
    # 28,900 and mix -32,900.
    margins = [20.0, 12.0, 9.0]
    table = lines_of("xyz", ([8000, 7000, 5000], margins), ([6000, 7000, 9000], margins))
    found = steps(sales.bridge(table, **YEARS))
    assert found["volume"] == pytest.approx(28_900)
    assert found["mix"] == pytest.approx(-32_900)
    assert found["price"] == pytest.approx(0)


def test_the_quantity_variance_of_an_exam() -> None:
    # A CIMA paper: 8, 26 and 6 thousand units with contributions of 760, 94 and 940 each give
    # 354.1 on average; 6 thousand units more are 2,124.6.
    before = np.array([8.0, 26.0, 6.0])
    money = before * np.array([760.0, 94.0, 940.0])
    now = before * 46 / 40
    found = split(before, now, money, money * 46 / 40, mix="prices before")
    assert money.sum() / 40 == pytest.approx(354.1)
    assert found.volume == pytest.approx(2124.6)
    assert [found.mix, found.price] == pytest.approx([0, 0], abs=1e-8)


@pytest.mark.parametrize(
    ("mix", "due"),
    [
        ("prices before", (12.833333, -3.75, 0.0)),
        ("joint term apart", (12.833333, -1.0, -2.75)),
        ("prices now", (10.083333, -1.0, 0.0)),
    ],
)
def test_mix_and_rate_by_each_convention(mix: Mix, due: tuple[float, float, float]) -> None:
    # By hand: 600 and 400 customers at 50 and 120 become 500 and 700 at 55 and 110. The mean rises
    # from 78 to 87.08: mix +12.83 and rate -3.75, or rate -1 at old shares and -2.75 joint.
    before, now = np.array([600.0, 400.0]), np.array([500.0, 700.0])
    money = before * [50.0, 120.0], now * [55.0, 110.0]
    found = split(before, now, *money, mix=mix)
    each = np.array([found.mix, found.price, found.joint]) / 1200
    assert each == pytest.approx(due, abs=1e-6)


# Twin


def _orders(seed: int, n: int = 400) -> pl.DataFrame:
    draw = random.Random(seed)
    return pl.DataFrame(
        {
            "customer_id": [f"c{draw.randrange(30)}" for _ in range(n)],
            "order_id": [draw.randrange(n // 3) for _ in range(n)],
            "date": [date(2023, 1, 1) + timedelta(days=draw.randrange(500)) for _ in range(n)],
            "amount": [round(draw.uniform(-20, 100), 2) for _ in range(n)],
            "quantity": [float(draw.randrange(1, 9)) for _ in range(n)],
            "region": [draw.choice(["north", "south", None]) for _ in range(n)],
            "product": [draw.choice("abcde") for _ in range(n)],
        }
    )


def test_growth_is_what_a_slow_count_gives() -> None:
    table, as_of = _orders(3), date(2024, 3, 10)
    found = rows(
        sales.growth(table, by=["region", "product"], every="month", as_of=as_of, subtotals=True)
    )
    money: dict[Any, float] = defaultdict(float)
    who, which = defaultdict(set), defaultdict(set)
    for row in rows(table.filter(pl.col("date") <= as_of)):
        for key in ((), (row["region"],), (row["region"], row["product"])):
            cell = (*key, row["date"].replace(day=1))
            money[cell] += row["amount"]
            if row["amount"] >= 0:
                who[cell].add(row["customer_id"])
                which[cell].add((row["customer_id"], row["order_id"]))
    seen = set()
    for row in found:
        key = (row["region"], row["product"])[: row["dimensions"]]
        start = row["starts"]
        cell = (*key, start)
        seen.add(cell)
        before = (start - timedelta(days=1)).replace(day=1)
        assert row["amount"] == pytest.approx(money.get(cell, 0.0))
        assert (row["customers"], row["orders"]) == (len(who[cell]), len(which[cell]))
        if start == date(2023, 1, 1):
            assert row["base_amount"] is None
            continue
        base = money.get((*key, before), 0.0)
        assert row["base_amount"] == pytest.approx(base)
        is_over = start < date(2024, 3, 1)
        assert row["is_complete"] == is_over
        if is_over and base > 0:
            assert row["growth"] == pytest.approx(money.get(cell, 0.0) / base - 1)
        else:
            assert row["growth"] is None
        share = money.get(cell, 0.0) / money[(start,)]
        assert row["amount_share"] == pytest.approx(share)
    assert set(money) <= seen


def test_slopes_are_those_of_scipy() -> None:
    series = np.random.default_rng(1).poisson(2, (100, 11)).astype(float)
    slope, lower, upper = theil_sen.slopes(series, level=0.9)
    for i, values in enumerate(series):
        due = theilslopes(values, alpha=0.9)
        assert (slope[i], lower[i], upper[i]) == pytest.approx((due[0], due[2], due[3]))


# Properties


@given(st.integers(0, 10_000), st.sampled_from(MIXES))
def test_a_bridge_adds_up_to_the_cent(seed: int, mix: Mix) -> None:
    table = _orders(seed, n=60)
    found = rows(sales.bridge(table, every="quarter", as_of="2024-03-31", mix=mix))
    first, *changes, last = found
    sums = [
        float(table.filter(pl.col("date").is_between(date(y, m, 1), e))["amount"].sum())
        for y, m, e in ((2023, 10, date(2023, 12, 31)), (2024, 1, date(2024, 3, 31)))
    ]
    assert (first["to_amount"], last["to_amount"]) == pytest.approx(tuple(sums))
    change = math.fsum(row["amount_change"] for row in changes)
    assert change == pytest.approx(sums[1] - sums[0], abs=1e-9)
    assert changes[-1]["to_amount"] == pytest.approx(last["to_amount"], abs=1e-9)


def test_subtotals_add_up_in_money() -> None:
    found = sales.growth(
        _orders(5), by=["region", "product"], every="quarter", as_of="2024-05-31", subtotals=True
    )
    for name in ("amount", "base_amount", "growth_contribution"):
        sums = [
            found.filter(pl.col("dimensions") == depth)
            .group_by("starts")
            .agg(pl.col(name).sum())
            .sort("starts")[name]
            .to_list()
            for depth in (0, 1, 2)
        ]
        assert sums[0] == pytest.approx(sums[1])
        assert sums[0] == pytest.approx(sums[2])


@given(st.integers(0, 1000))
def test_order_of_rows_and_names_of_products_change_nothing(seed: int) -> None:
    table = _orders(seed, n=80)
    other = table.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(
        product=pl.concat_str(pl.lit("new name of "), pl.col("product"))
    )
    columns = ["amount", "base_amount", "growth", "amount_share", "customers", "orders"]
    asked: dict[str, Any] = {"by": "product", "every": "quarter", "as_of": "2024-05-31"}
    one, two = sales.growth(table, **asked), sales.growth(other, **asked)
    assert rows(one.select(columns)) == [pytest.approx(row) for row in rows(two.select(columns))]
    split_one, split_two = (
        steps(sales.bridge(each, every="quarter", as_of="2024-03-31")) for each in (table, other)
    )
    assert list(split_one) == list(split_two)
    assert list(split_one.values())[1:-1] == pytest.approx(list(split_two.values())[1:-1])


def test_the_factors_add_up_whatever_their_order() -> None:
    now, before = [120.0, 2.5, 3.0, 9.0], [100.0, 2.0, 4.0, 8.0]
    found = log_mean.contributions(now, before)
    back = log_mean.contributions(now[::-1], before[::-1])
    assert found is not None
    assert back is not None
    assert found == pytest.approx(back[::-1])
    assert sum(found) == pytest.approx(math.prod(now) - math.prod(before))


# What it says


def test_a_base_below_zero_is_a_finding_and_no_growth() -> None:
    table = two_years(N=(-50, 100), S=(100, 100), W=(0, 10))
    found = {row["region"]: row for row in rows(sales.growth(table, by="region", **YEARS))[-3:]}
    assert found["N"]["growth"] is None
    assert found["N"]["growth_finding"] == "compared with less than zero"
    assert found["W"]["growth"] is None
    assert found["W"]["growth_finding"] == ""
    assert found["N"]["amount_change"] == 150.0


def test_the_year_before_and_periods_before_the_data() -> None:
    lines = [("ann", date(2023 + i // 12, i % 12 + 1, 1), 10.0 + i, "x") for i in range(18)]
    table = orders_of(lines, "region")
    asked: dict[str, Any] = {"by": "region", "every": "month", "as_of": "2024-06-15"}
    found = rows(sales.growth(table, compare="year", **asked))
    assert [row["base_amount"] for row in found[:12]] == [None] * 12
    assert {row["growth_finding"] for row in found[:12]} == {
        "nothing known of the period compared with"
    }
    assert found[12]["base_amount"] == 10.0
    assert found[12]["growth"] == pytest.approx(1.2)
    assert (found[-1]["is_complete"], found[-1]["growth"]) == (False, None)
    assert found[-1]["amount"] == 27.0


def test_a_first_period_that_is_cut_is_a_finding() -> None:
    lines = [("ann", day, 10.0, "x") for day in (date(2023, 12, 1), date(2024, 5, 1))]
    found = rows(sales.growth(orders_of(lines, "region"), by="region", **YEARS))
    assert found[-1]["growth_finding"] == "the data begins within the period compared with"


def test_growth_of_customers_needs_no_other_column() -> None:
    table = orders_of([("ann", date(2023, 1, 1), 5.0), ("ann", date(2024, 1, 1), 10.0)])
    found = rows(sales.growth(table, by="customer_id", **YEARS))
    assert [row["growth"] for row in found] == [None, 1.0]


def test_new_and_gone_stand_apart_from_the_movers() -> None:
    table = two_years(A=(10, 30), B=(10, 25), C=(50, 20), D=(0, 7), E=(8, 0), F=(5, 5))
    found = rows(sales.movers(sales.growth(table, by="region", **YEARS), most=1))
    kinds = [(row["mover"], row["mover_rank"], row["region"]) for row in found]
    assert kinds == [("up", 1, "A"), ("down", 1, "C"), ("new", 1, "D"), ("gone", 1, "E")]


def test_movers_of_another_period() -> None:
    lines = [("ann", date(2024, m, 1), float(m * m), "x") for m in (1, 2, 3, 4)]
    table = sales.growth(orders_of(lines, "region"), by="region", every="month", as_of="2024-04-30")
    assert rows(sales.movers(table, day="2024-02-11"))[0]["amount_change"] == 3.0
    assert rows(sales.movers(table))[0]["amount_change"] == 7.0
    with pytest.raises(InvalidArgumentError) as error:
        sales.movers(table, day="2024-01-11")
    assert str(error.value) == (
        "sales growth: no period that is over and compared holds 2024-01-11.\nGive another `day`."
    )


def test_new_and_lost_customers_are_no_price() -> None:
    # By hand: Ann keeps 10 units at 2. Ben (30) goes, Cid (44) comes.
    tables = [
        lines_of(["tea"], ([10], [2.0]), ([10], [2.0])),
        orders_of([("ben", date(2023, 1, 1), 30.0, "tea", 15)], "product", "quantity"),
        orders_of([("cid", date(2024, 1, 1), 44.0, "tea", 11)], "product", "quantity"),
    ]
    table = pl.concat(tables, how="vertical_relaxed")
    found = steps(sales.bridge(table, **YEARS))
    assert found["new customers"] == 44.0
    assert found["lost customers"] == -30.0
    assert (found["volume"], found["mix"], found["price"]) == (0.0, 0.0, 0.0)


def test_money_without_quantity_is_a_step_of_its_own() -> None:
    table = lines_of(["tea"], ([10], [2.0]), ([10], [3.0]))
    fee = orders_of([("ann", date(2024, 2, 1), 5.0, "fee", None)], "product", "quantity")
    found = steps(sales.bridge(pl.concat([table, fee], how="vertical_relaxed"), **YEARS))
    assert found["without quantity"] == 5.0
    assert found["price"] == pytest.approx(10.0)


def test_a_product_that_is_new_is_volume_and_mix() -> None:
    # By hand: 10 units at 2; then also 5 at 8. Volume 5 x 2 = 10, mix 40 - 10 = 30.
    table = lines_of(["tea", "cake"], ([10, 0], [2, 0]), ([10, 5], [2, 8]))
    found = steps(sales.bridge(table, **YEARS))
    assert found["volume"] == pytest.approx(10.0)
    assert found["mix"] == pytest.approx(30.0)
    assert found["price"] == pytest.approx(0.0)


def test_the_revenue_tree_of_four_factors() -> None:
    # By hand: 1 customer, 1 order, 2 units at 5; then 2 customers with 3 orders of 12 units, 120.
    lines = [
        ("ann", date(2023, 1, 1), 10.0, 2),
        ("ann", date(2024, 1, 1), 40.0, 4),
        ("ann", date(2024, 2, 1), 40.0, 4),
        ("ben", date(2024, 3, 1), 40.0, 4),
    ]
    found = rows(sales.revenue_tree(orders_of(lines, "quantity"), **YEARS))
    values = {row["figure"]: (row["value_before"], row["value"]) for row in found}
    assert values == {
        "revenue": (10.0, 120.0),
        "customers": (1.0, 2.0),
        "orders per customer": (1.0, 1.5),
        "units per order": (2.0, 4.0),
        "price per unit": (5.0, 10.0),
    }
    mean = 110 / math.log(12)
    due = [mean * math.log(factor) for factor in (2, 1.5, 2, 2)]
    assert [row["contribution"] for row in found[1:]] == pytest.approx(due)
    assert found[0]["contribution"] == pytest.approx(sum(due))
    assert found[0]["growth_contribution"] == pytest.approx(11.0)


def test_a_customer_with_three_orders_does_not_lead() -> None:
    lines = [("ann", date(2024, m, 5), 100.0 + 5 * m) for m in range(1, 13)]
    lines += [("ben", date(2024, m, 5), 200.0 * i) for i, m in enumerate((1, 6, 12), 1)]
    lines += [("cid", date(2024, m, 5), 100.0 * (m - 8) ** 2) for m in (10, 11, 12)]
    lines += [("dee", date(2024, m, 5), 100.0 - 5 * m) for m in range(1, 13)]
    found = rows(sales.trend(orders_of(lines), as_of="2024-12-31"))
    assert [row["customer_id"] for row in found] == ["ann", "cid", "ben", "dee"]
    assert [row["sales_trend"] for row in found] == ["growing", "unclear", "unclear", "shrinking"]
    assert found[1]["slope_lower"] is None
    assert (found[0]["slope"], found[3]["slope"]) == (5.0, -5.0)
    assert found[0]["growth_per_period"] == pytest.approx(5 / 132.5)


# Refusals


def test_a_misspelt_dimension_is_answered_with_the_nearest() -> None:
    table = two_years(N=(1, 2))
    with pytest.raises(MissingColumnsError) as error:
        sales.growth(table, by="regoin", **YEARS)
    assert str(error.value) == (
        "transactions: no column `regoin` among `customer_id`, `date`, `amount`, `region`.\n"
        "Did you mean 'region'?"
    )


def test_a_dimension_without_values_is_refused() -> None:
    table = two_years(N=(1, 2)).with_columns(product=pl.lit(None, pl.String))
    with pytest.raises(InvalidRowsError) as error:
        sales.growth(table, by=["region", "product"], **YEARS)
    assert str(error.value) == (
        "transactions: `product` is null in all rows.\nName a column that has values."
    )


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (
            "amount",
            NAMED,
        ),
        ([], '`by` names no column.\nWrite ["region", "product"].'),
        (["region", "region"], '`by` must name different columns.\nWrite ["region", "product"].'),
    ],
)
def test_odd_dimensions_are_refused(by: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        sales.growth(two_years(N=(1, 2)), by=by, **YEARS)
    assert str(error.value) == message


def test_a_period_before_the_data_is_refused() -> None:
    table = lines_of(["tea"], ([1], [1]), ([1], [1]))
    with pytest.raises(InvalidArgumentError) as error:
        sales.bridge(table, every="year", as_of="2023-12-31")
    assert str(error.value) == (
        "transactions: the data begins on 2023-01-01, after the period compared with "
        "(2022-01-01 to 2022-12-31).\n"
        "Give a later `as_of`, a shorter `every`, or older data."
    )


def test_a_base_that_is_cut_is_warned_of() -> None:
    table = lines_of(["tea"], ([1], [1]), ([1], [1])).with_columns(
        date=pl.col("date").dt.offset_by("4mo")
    )
    with pytest.warns(CrmkitWarning, match="within the period compared with"):
        sales.bridge(table, **YEARS)


def test_a_bridge_needs_quantities() -> None:
    with pytest.raises(MissingColumnsError, match="no column `quantity`"):
        sales.bridge(two_years(N=(1, 2)), by="region", **YEARS)


# Shape


@pytest.mark.parametrize("n", [0, 1])
def test_tables_without_rows_and_of_one_row(n: int) -> None:
    table = two_years(N=(1, 2)).head(n)
    found = sales.growth(table, by="region", **YEARS)
    assert len(found) == 2 * n
    assert found.schema["region"] == pl.String
    assert len(sales.movers(found)) == n
    assert len(sales.trend(table, as_of="2023-12-31")) == n
