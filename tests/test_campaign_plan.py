"""Whom to contact: the best list within the limits, and what it is expected to bring."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from crmkit import campaigns
from crmkit._campaigns.budget import NOBODY, best
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError, MissingColumnsError


def four() -> pl.DataFrame:
    """Four customers with their value, and chances with and without a contact."""
    return pl.DataFrame(
        {
            "customer_id": ["ann", "ben", "cid", "dan"],
            "value": [400.0, 60.0, 1000.0, 150.0],
            "p0": [0.10, 0.30, 0.02, 0.20],
            "p1": [0.16, 0.36, 0.03, 0.35],
        }
    )


def planned(table: Any = None, **changes: Any) -> Any:
    usual: dict[str, Any] = {"value": "value", "p_without": "p0", "p_with": "p1"}
    usual |= {"contact_cost": 5, "offer_cost": 20}
    return campaigns.plan(four() if table is None else table, **usual | changes)


# Published


def test_a_contact_of_5_and_an_offer_of_20() -> None:
    # By hand: (p1 - p0) value - 5 - 20 p1.
    table = planned(capacity=2)
    assert table["expected_profit"].round(6).to_list() == [15.8, -8.6, 4.4, 10.5]
    assert table["contact"].to_list() == [True, False, False, True]
    assert table["contact_rank"].to_list() == [1, None, None, 2]
    total = campaigns.plan_summary(table, capacity=2)
    assert total["expected_profit"].item() == pytest.approx(26.3)
    assert total["n_left_out"].item() == 1
    assert total["profit_left_out"].item() == pytest.approx(4.4)
    assert total["share_of_capacity"].item() == 1


def test_the_list_by_profit_is_not_the_list_by_risk() -> None:
    # Found by enumeration: 139.0 for three contacts, where the three likeliest bring 52.50.
    p = np.array([0.6, 0.5, 0.4, 0.3, 0.2, 0.7])
    customers = pl.DataFrame(
        {"customer_id": range(6), "value": [100, 300, 250, 800, 1000, 60], "p1": p * 0.25}
    )
    table = planned(customers, p_without=0.0, contact_cost=2.0, offer_cost=10.0, capacity=3)
    assert table["expected_profit"].round(9).to_list() == [11.5, 34.25, 22.0, 57.25, 47.5, 6.75]
    assert table.filter("contact")["customer_id"].to_list() == [1, 3, 4]
    assert table.filter("contact")["expected_profit"].sum() == pytest.approx(139.0)


def test_a_budget_is_spent_on_the_best_list_not_on_the_best_ratio() -> None:
    # Found by enumeration: 45 + 44 within 10, where the best ratio takes 60 + 5.
    found = best(np.array([[60.0], [45], [44], [5]]), np.array([[6.0], [5], [5], [1]]), budget=10)
    assert found.offer.tolist() == [NOBODY, 0, 0, NOBODY]
    assert found.profit == found.bound == 89


# Twin


def by_enumeration(profit: Any, cost: Any, budget: float | None, capacity: int | None) -> float:
    most = 0.0
    for chosen in itertools.product(range(-1, profit.shape[1]), repeat=len(profit)):
        taken = [(i, k) for i, k in enumerate(chosen) if k >= 0]
        if capacity is not None and len(taken) > capacity:
            continue
        if budget is not None and sum(cost[at] for at in taken) > budget + 1e-12:
            continue
        most = max(most, sum(profit[at] for at in taken))
    return most


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(0, 5), st.integers(1, 2)),
    digits=st.integers(0, 2),
    budget=st.none() | st.floats(0, 12),
    capacity=st.none() | st.integers(0, 5),
)
def test_no_list_within_the_limits_brings_more(
    seed: int, shape: tuple[int, int], digits: int, budget: float | None, capacity: int | None
) -> None:
    rng = np.random.default_rng(seed)
    profit = rng.normal(3, 5, shape).round(digits)
    cost = rng.uniform(0, 5, shape).round(digits)
    found = best(profit, cost, budget=budget, capacity=capacity)
    assert found.profit == pytest.approx(by_enumeration(profit, cost, budget, capacity), abs=1e-9)
    taken = np.flatnonzero(found.offer != NOBODY)
    assert capacity is None or len(taken) <= capacity
    assert budget is None or cost[taken, found.offer[taken]].sum() <= budget + 1e-9


def test_the_bound_of_a_large_list_is_that_of_the_linear_program() -> None:
    rng = np.random.default_rng(5)
    profit, cost = rng.gamma(2, 10, (400, 3)), rng.uniform(1, 5, (400, 3))
    once = np.kron(np.eye(400), np.ones(3))
    relaxed = linprog(
        -profit.ravel(),
        A_ub=np.vstack([once, cost.ravel(), np.ones(1200)]),
        b_ub=[*np.ones(400), 200, 90],
        bounds=(0, 1),
    )
    found = best(profit, cost, budget=200, capacity=90)
    assert found.profit <= -relaxed.fun + 1e-6
    assert found.profit >= -relaxed.fun - profit.max()
    assert cost[found.offer >= 0, found.offer[found.offer >= 0]].sum() <= 200 + 1e-9


# Properties


def test_more_budget_never_brings_less() -> None:
    totals = []
    for budget in (0, 5, 10, 20, 40, 80):
        table = planned(budget=budget)
        total = campaigns.plan_summary(table, budget=budget)
        assert total["expected_cost"].item() <= budget
        totals.append(total["expected_profit"].item())
    assert totals == sorted(totals)
    assert totals[0] == 0


def test_the_order_of_rows_decides_nothing() -> None:
    customers = pl.DataFrame({"customer_id": list("dcba"), "value": [100.0] * 4})
    options: dict[str, Any] = {"p_without": 0.0, "p_with": 0.5, "offer_cost": 0, "capacity": 2}
    for table in (customers, customers.reverse()):
        found = planned(table, **options)
        assert sorted(found.filter("contact")["customer_id"]) == ["a", "b"]


def test_limits_hold_within_each_group() -> None:
    customers = four().with_columns(agent=pl.Series(["x", "x", "x", "y"]))
    table = planned(customers, capacity=1, within="agent")
    assert table.filter("contact")["customer_id"].to_list() == ["ann", "dan"]


def test_each_customer_gets_the_offer_that_fits_the_budget() -> None:
    customers = four().with_columns(p2=pl.col("p0") + 0.2)
    offers = pl.DataFrame(
        {
            "offer": ["card", "call"],
            "cost": [20, 0],
            "p_with_column": ["p1", "p2"],
            "contact_cost": [1, 30],
        }
    )
    rich = planned(customers, p_with=None, offer_cost=0, offers=offers)
    # By hand: ann .2 * 400 - 30, cid .2 * 1000 - 30, dan .15 * 150 - 1 - .35 * 20.
    assert rich["offer"].to_list() == ["call", None, "call", "card"]
    assert rich["expected_profit"].to_list() == pytest.approx([50, -4.6, 170, 14.5])
    poor = planned(customers, p_with=None, offer_cost=0, offers=offers, budget=30)
    assert poor["offer"].to_list() == [None, None, "call", None]


def test_who_is_not_known_is_not_contacted() -> None:
    customers = four().with_columns(p1=pl.Series([0.16, None, 0.03, 0.35]))
    table = planned(customers)
    assert table["expected_profit"].to_list()[1] is None
    assert table["contact"].to_list() == [True, None, True, True]


def test_response_is_not_uplift() -> None:
    with pytest.warns(CrmkitWarning, match="response is not uplift"):
        table = planned(p_without=None)
    assert table["breakeven_uplift"].to_list() == pytest.approx(
        [8.2 / 400, 12.2 / 60, 5.6 / 1000, 12 / 150]
    )
    assert table["expected_profit"].null_count() == 4
    assert table["contact"].null_count() == 4


def test_the_interval_is_the_luck_of_who_buys() -> None:
    table = planned(offer_cost=0)
    sd = table["profit_sd"].to_list()[0]
    assert sd == pytest.approx(400 * math.sqrt(0.16 * 0.84 + 0.10 * 0.90))
    rng = np.random.default_rng(0)
    luck = 400 * ((rng.random(200_000) < 0.16).astype(float) - (rng.random(200_000) < 0.10))
    assert luck.std() == pytest.approx(sd, rel=0.01)


def test_lists_for_those_leaving_lost_and_of_low_value() -> None:
    customers = pl.DataFrame(
        {
            "customer_id": ["ann", "ben", "cid"],
            "stage": ["at risk", "lost", "active"],
            "tier": ["silver", "gold", "silver"],
            "churn_risk": [0.5, 0.9, 0.1],
            "margin": [100.0, 200.0, 10.0],
        }
    )
    saved = campaigns.save_list(customers, value="margin", save_rate=0.2, contact_cost=1)
    assert saved["customer_id"].to_list() == ["ann"]
    assert saved["expected_profit"].to_list() == pytest.approx([0.5 * 0.2 * 100 - 1])
    won = campaigns.win_back(customers, value="margin", p_with=0.1, contact_cost=1)
    assert won["customer_id"].to_list() == ["ben"]
    assert won["expected_profit"].to_list() == pytest.approx([19])
    up = campaigns.reactivate(customers, potential=110, value="margin", p_with=0.1, contact_cost=1)
    assert up["customer_id"].to_list() == ["ann", "cid"]
    assert up["expected_profit"].to_list() == pytest.approx([0, 9])
    assert up.columns[:5] == customers.columns


# Refusals


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"p_with": "none"}, MissingColumnsError, "no column `none`"),
        ({"p_with": 1.2}, InvalidArgumentError, "`p_with` must be from 0 to 1, got 1.2."),
        ({"contact_cost": -1}, InvalidArgumentError, "`contact_cost` must be 0 or more, got -1."),
        ({"budget": -1}, InvalidArgumentError, "`budget` must be a number of 0 or more, got -1."),
        ({"capacity": 1.5}, InvalidArgumentError, "`capacity` must be a whole number of 0 or more"),
        ({"p_with": "value"}, InvalidRowsError, "`value` is above 1 in 4 of 4 rows"),
        ({"p_with": None}, InvalidArgumentError, "`p_with` is missing."),
    ],
)
def test_what_cannot_be_planned_is_said(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        planned(**changes)
    assert words in str(caught.value)


def test_a_customer_who_is_there_twice_is_refused() -> None:
    twice = pd.DataFrame({"customer_id": ["ann", "ann"], "value": [1.0, 2.0]})
    with pytest.raises(InvalidRowsError, match="`customer_id` is repeated in 2 of 2 rows"):
        planned(twice, p_without=0.1, p_with=0.2)
