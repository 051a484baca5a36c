"""Composition, attainment, fairness of targets and concessions: sums by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from crmkit import sales, tiers
from crmkit.errors import (
    CrmkitWarning,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models.numerics import proportions
from tests.conftest import rows
from tests.test_sales_season import WEIGHTS, index_of


def sold(owner: str, amounts: list[float], *, year: int = 2024) -> pl.DataFrame:
    days = [date(year, month, 10) for month in range(1, len(amounts) + 1)]
    return pl.DataFrame({"customer_id": "ann", "date": days, "amount": amounts, "owner": owner})


def aimed(**targets: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"owner": list(targets), "target_amount": list(map(float, targets.values()))}
    )


# Published


def test_the_pace_of_a_seasonal_target() -> None:
    # By hand, in the layout of a yearly quota that is spread by a seasonality factor: 1,200 a year
    # are 350 by April; 348 sold are 99.4 % of it and project to 1,193; months that count alike
    # give 1,044, which is 12.5 % too low.
    table = sold("eve", [70.0, 85.0, 95.0, 98.0])
    (found,) = rows(
        sales.attainment(
            table, aimed(eve=1200), by="owner", as_of="2024-04-30", season=index_of(WEIGHTS)
        )
    )
    assert found["expected_amount"] == pytest.approx(350.0)
    assert found["attained_share"] == pytest.approx(0.29)
    assert found["pace"] == pytest.approx(0.994286, abs=1e-6)
    assert found["projection"] == pytest.approx(1193.142857, abs=1e-6)
    assert found["naive_projection"] == pytest.approx(1044.0)


# By hand and other ways


def test_shares_within_and_their_gap_to_a_target() -> None:
    table = pl.DataFrame(
        {
            "region": ["n", "n", "n", "s", "s"],
            "product": ["tea", "cake", "tea", "cake", None],
            "amount": [30.0, 60.0, 10.0, 5.0, 15.0],
        }
    )
    target = pl.DataFrame(
        {"region": ["n", "n"], "product": ["tea", "cake"], "target_share": [0.5, 0.5]}
    )
    found = rows(sales.composition(table, by="product", within="region", target=target))
    cells = [(r["region"], r["product"], r["amount_share"], r["share_gap"]) for r in found]
    assert cells == [
        ("n", "cake", pytest.approx(0.6), pytest.approx(0.1)),
        ("n", "tea", pytest.approx(0.4), pytest.approx(-0.1)),
        ("s", None, pytest.approx(0.75), None),
        ("s", "cake", pytest.approx(0.25), None),
    ]
    assert [row["cumulative_share"] for row in found] == pytest.approx([0.6, 1.0, 0.75, 1.0])


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20))
def test_shares_sum_to_one(amounts: list[float]) -> None:
    table = pl.DataFrame({"product": [str(i) for i in range(len(amounts))], "amount": amounts})
    found = rows(sales.composition(table, by="product"))
    assert sum(row["amount_share"] for row in found) == pytest.approx(1.0)
    assert found[-1]["cumulative_share"] == pytest.approx(1.0)


def test_a_part_of_a_month_counts_in_part() -> None:
    # 15 of 30 days of April: 3.5 of 12 months.
    table = sold("eve", [100.0, 100.0, 100.0])
    (found,) = rows(sales.attainment(table, aimed(eve=1200), by="owner", as_of="2024-04-15"))
    assert found["expected_amount"] == pytest.approx(350.0)
    assert found["projection"] == pytest.approx(300 * 12 / 3.5)


def test_the_interval_of_a_projection() -> None:
    # By hand: 90, 100 and 110 in equal months have a scatter of 0.1; L = 1,200. With 3 months of
    # 12 past: L * 0.1 * sqrt((9/12)^2 * 3 / 3^2 + 9 / 12^2) = 60; t of 2 degrees at 95 % is 2.920.
    table = sold("eve", [90.0, 100.0, 110.0])
    (found,) = rows(sales.attainment(table, aimed(eve=1200), by="owner", as_of="2024-03-31"))
    assert found["projection"] == pytest.approx(1200.0)
    assert found["projection_upper"] == pytest.approx(1200 + 2.919986 * 60, abs=1e-3)
    assert found["projection_lower"] == pytest.approx(1200 - 2.919986 * 60, abs=1e-3)


def test_intervals_hold_as_often_as_they_say() -> None:
    draw = np.random.default_rng(4)
    held, n = 0, 300
    months = 100 * (1 + 0.2 * draw.standard_normal((n, 12))) * np.array(WEIGHTS)
    tables = [sold(str(i), months[i, :5].tolist()) for i in range(n)]
    target = aimed(**{str(i): 1200.0 for i in range(n)})
    found = sales.attainment(
        pl.concat(tables), target, by="owner", as_of="2024-05-31", season=index_of(WEIGHTS)
    )
    for row in rows(found):
        whole = months[int(row["owner"])].sum()
        held += row["projection_lower"] <= whole <= row["projection_upper"]
    assert 0.86 <= held / n <= 0.94


def test_a_young_year_takes_its_scatter_from_the_index() -> None:
    table = sold("eve", [80.0])
    asked: dict[str, Any] = {"by": "owner", "as_of": "2024-01-31"}
    (without,) = rows(sales.attainment(table, aimed(eve=1200), **asked))
    assert without["projection_lower"] is None
    (with_index,) = rows(
        sales.attainment(table, aimed(eve=1200), season=index_of(WEIGHTS), **asked)
    )
    assert with_index["projection_lower"] < 1200 < with_index["projection_upper"]


def test_a_year_that_is_over_has_no_doubt() -> None:
    table = sold("eve", [100.0] * 12)
    (found,) = rows(sales.attainment(table, aimed(eve=1000), by="owner", as_of="2024-12-31"))
    assert (found["projection_lower"], found["projection_upper"]) == (1200.0, 1200.0)


def test_groups_without_a_target_and_targets_without_sales() -> None:
    table = pl.concat([sold("eve", [10.0]), sold("max", [20.0]), sold("old", [5.0], year=2023)])
    target = aimed(eve=100, old=50, mx=10)
    with pytest.warns(CrmkitWarning) as warned:
        found = rows(sales.attainment(table, target, by="owner", as_of="2024-01-31"))
    assert str(warned[0].message) == (
        "1 groups with a target have no sales: 'mx'.\nDid you mean 'max'?"
    )
    findings = {row["owner"]: row["attainment_finding"] for row in found}
    assert findings == {"eve": "", "old": "no sales", "mx": "no sales", "max": "no target"}


def test_the_season_of_a_group_is_used() -> None:
    group = sales.GroupIndex(("eve",), (4.0, 0.0, 0.0, 0.0), 1.0, 12)
    season = index_of((1.0,) * 4, within=("owner",), groups=(group,))
    table = pl.concat([sold("eve", [10.0] * 3), sold("max", [10.0] * 3)])
    found = rows(
        sales.attainment(
            table, aimed(eve=30, max=120), by="owner", as_of="2024-03-31", season=season
        )
    )
    assert {row["owner"]: row["pace"] for row in found} == {"eve": 1.0, "max": 1.0}
    with pytest.raises(InvalidArgumentError, match="which `by` does not name"):
        sales.attainment(
            table.with_columns(area=pl.lit("x")),
            pl.DataFrame({"area": ["x"], "target_amount": [1.0]}),
            by="area",
            as_of="2024-03-31",
            season=season,
        )


def test_fairness_is_that_of_other_functions() -> None:
    draw = np.random.default_rng(2)
    targets = draw.integers(100, 900, 30).astype(float)
    table = pl.concat([sold(str(i), [float(draw.integers(1, 90))]) for i in range(30)])
    target = aimed(**{str(i): t for i, t in enumerate(targets)})
    attained = sales.attainment(table, target, by="owner", as_of="2024-01-31")
    (found,) = rows(sales.target_fairness(attained))
    gini = tiers.gini(attained.rename({"owner": "customer_id"}), by="pace")
    assert found["pace_gini"] == pytest.approx(gini)
    due = spearmanr(attained["target_amount"], attained["pace"]).statistic
    assert found["size_correlation"] == pytest.approx(due)
    assert found["n_groups"] == 30


def bought(*lines: tuple[str, date, float, float | None]) -> pl.DataFrame:
    names = ("customer_id", "date", "amount", "discount")
    return pl.DataFrame(list(lines), schema=names, orient="row")


def test_concessions_of_each_customer() -> None:
    table = bought(
        ("ann", date(2024, 5, 1), 80.0, 20.0),
        ("ann", date(2024, 6, 1), 120.0, None),
        ("ben", date(2024, 6, 1), 50.0, 0.0),
        ("ben", date(2022, 6, 1), 50.0, 50.0),
    ).with_columns(cost=pl.Series([60.0, 70.0, None, 1.0]))
    ann, ben = rows(sales.concessions(table, as_of="2024-06-30"))
    assert ann == {
        "customer_id": "ann",
        "amount": 200.0,
        "discount_amount": 20.0,
        "discount_rate": pytest.approx(20 / 220),
        "discounted_share": 0.4,
        "n_discount_unknown": 1,
        "margin_amount": 70.0,
        "margin_before_discount": 90.0,
        "margin_share": 0.35,
    }
    assert (ben["amount"], ben["margin_amount"], ben["discount_amount"]) == (50.0, None, 0.0)


def test_what_is_bought_after_concessions_end() -> None:
    spring, summer = date(2024, 5, 1), date(2024, 8, 1)
    table = bought(
        ("ann", spring, 100.0, 0.0),
        ("ann", summer, 90.0, 0.0),
        ("ben", spring, 80.0, 20.0),
        ("cid", spring, 70.0, 10.0),
        ("cid", summer, 30.0, 5.0),
        ("dee", spring, 60.0, 0.0),
        ("dee", spring, 40.0, 5.0),
        ("new", summer, 999.0, 0.0),
    )
    found = rows(sales.after_concessions(table, ended="2024-06-30", as_of="2024-12-31"))
    assert [row["concession_class"] for row in found] == ["none", "some", "most"]
    assert [row["n_customers"] for row in found] == [1, 1, 2]
    assert [row["still_bought_share"] for row in found] == [1.0, 0.0, 0.5]
    assert [row["amount_ratio"] for row in found] == [0.9, 0.0, 0.2]
    assert found[2]["ratio_to_none"] == pytest.approx(0.2 / 0.9)
    assert found[2]["discounted_after_share"] == 1.0
    lower, upper = proportions.wilson(1, 2, level=0.9)
    assert (found[2]["still_bought_lower"], found[2]["still_bought_upper"]) == (lower, upper)


# Refusals


def test_targets_that_do_not_fit_are_refused() -> None:
    table = pl.DataFrame({"product": ["tea", "cake"], "amount": [1.0, 2.0]})
    with pytest.raises(InvalidArgumentError) as error:
        sales.composition(table, by="product", target={"tea": 0.6, "cake": 0.6})
    assert str(error.value) == "`target`: the shares sum to 1.2.\nShares of one whole sum to 1."
    with pytest.raises(InvalidArgumentError, match="must give shares from 0 to 1, got 60"):
        sales.composition(table, by="product", target={"tea": 60})
    with pytest.warns(CrmkitWarning, match="Did you mean 'cake'"):
        found = sales.composition(table, by="product", target={"tea": 0.6, "caek": 0.4})
    assert rows(found)[-1]["product"] == "caek"


def test_sums_of_zero_or_below_have_no_shares() -> None:
    table = pl.DataFrame({"product": ["tea", "cake"], "amount": [1.0, -2.0]})
    with pytest.warns(CrmkitWarning, match="1 of 1 sums are 0 or below"):
        found = rows(sales.composition(table, by="product"))
    assert [row["amount_share"] for row in found] == [None, None]


def test_two_targets_of_one_group_are_refused() -> None:
    target = pl.concat([aimed(eve=1), aimed(eve=2)])
    with pytest.raises(InvalidRowsError, match="'eve' has more than one target"):
        sales.attainment(sold("eve", [1.0]), target, by="owner", as_of="2024-01-31")


def test_concessions_need_discounts_and_days() -> None:
    with pytest.raises(MissingColumnsError, match="no column `discount`"):
        sales.concessions(sold("eve", [1.0]), as_of="2024-01-31")
    table = bought(("ann", date(2024, 5, 1), 80.0, 20.0))
    with pytest.raises(InvalidArgumentError, match="fewer than 182 days after 2024-06-30"):
        sales.after_concessions(table, ended="2024-06-30", as_of="2024-07-31")
