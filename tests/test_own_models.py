"""Customers with parameters of their own: scored, bounded and drawn as each by its own model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import clv
from crmkit.models import Floats
from crmkit.models.own import at_rows
from crmkit.models.panels import interpolated
from tests.strategies import summarized
from tests.test_covariates import SPENDING, TRUTH, alone, of_spend, own


def of_all(model: Any, score: Floats) -> Any:
    """The model with a parameter for each customer, one customer at a time."""
    each = [own(model, 0.4 * one, -0.3 * one) for one in score.tolist()]
    moved = ("alpha", "beta") if hasattr(model, "beta") else ("alpha", "a", "b")
    return replace(
        model, **{name: np.array([getattr(one, name) for one in each]) for name in moved}
    )


def shoppers(name: str, n: int, seed: int) -> pl.DataFrame:
    """Customers no two of whom are alike: a score moves how they buy, leave and spend."""
    dice = np.random.default_rng(seed)
    score, T = dice.normal(size=n), dice.integers(100, 700, n).astype(np.float64)
    customer, age = of_all(TRUTH[name], score).simulate(T, rng=dice)
    x, t_x, _ = summarized(customer, age, T)
    days = np.maximum(x, 1)
    nu = dice.gamma(4.0, 1 / (15.0 * np.exp(0.3 * score)))
    z = dice.gamma(6.0 * days) / nu / days
    money = [float(mean) if seen else None for seen, mean in zip(x > 0, z, strict=True)]
    return pl.DataFrame(
        {
            "customer_id": np.arange(n),
            "days_since_last": np.zeros(n, dtype=np.int64),
            "frequency": x.astype(np.int64),
            "recency": np.ceil(t_x).astype(np.int64),
            "T": T.astype(np.int64),
            "monetary_value": pl.Series(money),
            "score": score,
        }
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Enough of them that they are not computed one by one."""
    return shoppers("bg_nbd", 6000, seed=1)


@pytest.fixture(scope="module")
def fits(table: pl.DataFrame) -> dict[str, clv.Fit]:
    """Every model that takes covariates, on few of those who bought by it."""
    few = {
        name: shoppers(name, 2500 if name == "ggompertz_nbd" else 400, seed=2) for name in TRUTH
    } | dict.fromkeys(SPENDING, table.head(400))
    return {name: clv.fit(few[name], model=name, covariates=["score"]) for name in few}


def by_hand(fitted: clv.Fit, row: dict[str, Any]) -> clv.Fit:
    """The fit of one customer, without covariates."""
    effects = [
        sum(
            value * row[name.partition(": ")[2]]
            for name, value in fitted.estimates.items()
            if name.startswith(f"{process}: ")
        )
        for process in (("spend",) if fitted.name in SPENDING else ("purchases", "dropout"))
    ]
    make = of_spend if fitted.name in SPENDING else own
    return alone(fitted, make(fitted.model, *effects))


# Twin

LOOKS: dict[str, Callable[[Any, clv.Fit], Any]] = {
    "expected_purchases": lambda table, fit: clv.expected_purchases(
        table, purchases=fit, horizon_days=200
    ),
    "p_alive_later": lambda table, fit: clv.probability_alive(table, purchases=fit, days=30),
    "p_2": lambda table, fit: clv.purchase_distribution(
        table, purchases=fit, horizon_days=90, most=2
    ),
    "discounted_purchases": lambda table, fit: clv.discounted_purchases(
        table, purchases=fit, annual_discount_rate=0.1
    ),
}


@pytest.mark.parametrize("column", LOOKS)
@pytest.mark.parametrize("name", TRUTH)
def test_each_of_many_is_scored_by_the_own_model(
    name: str, column: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    found = LOOKS[column](table, fits[name])[column]
    for at in (*range(0, 6000, 211), int(table["frequency"].arg_max() or 0)):
        one = LOOKS[column](table[at], by_hand(fits[name], table.row(at, named=True)))
        assert found[at] == pytest.approx(one[column][0], rel=1e-9), at


@pytest.mark.parametrize("spend", SPENDING)
@pytest.mark.parametrize("name", TRUTH)
def test_what_each_of_many_is_worth_is_what_the_own_models_say(
    name: str, spend: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    options: dict[str, Any] = {"horizon_days": 365, "annual_discount_rate": 0.1}
    found = clv.predict(table, purchases=fits[name], spend=fits[spend], **options)
    for at in range(0, 6000, 401):
        row = table.row(at, named=True)
        both: dict[str, Any] = {
            "purchases": by_hand(fits[name], row),
            "spend": by_hand(fits[spend], row),
        }
        one = clv.predict(table[at], **both, **options)
        for column in ("p_alive", "expected_purchases", "expected_spend", "clv"):
            assert found[column][at] == pytest.approx(one[column][0], rel=1e-9)


def test_between_its_points_a_smooth_function_is_right() -> None:
    dice = np.random.default_rng(3)
    kind = dice.integers(0, 2, 4000)
    first, second = dice.uniform(-3, 3, 4000), dice.uniform(0, 1, 4000)

    def smooth(kind: Any, first: Floats, second: Floats) -> Floats:
        return np.asarray(np.exp(first) / (1 + np.exp(first - second)) + kind)

    found, missing = interpolated(smooth, kind, first, second)
    there = np.setdiff1d(np.arange(4000), missing)
    exact = smooth(kind, first, second)
    assert len(there) > 2000
    np.testing.assert_allclose(found[there], exact[there], rtol=1e-12)
    assert np.isnan(found[missing]).all()


# Properties


@pytest.mark.parametrize("name", TRUTH)
def test_a_score_does_not_depend_on_the_company(
    name: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    options: dict[str, Any] = {"horizon_days": 365, "annual_discount_rate": 0.1}
    options |= {"purchases": fits[name], "spend": fits["gamma_gamma"]}
    many = clv.predict(table, **options)
    backwards = clv.predict(table[::-1], **options)[::-1]
    some = clv.predict(table[100:130], **options)
    for column in ("p_alive", "expected_purchases", "expected_spend", "clv"):
        np.testing.assert_allclose(some[column], many[column][100:130], rtol=1e-11)
        np.testing.assert_allclose(backwards[column], many[column], rtol=1e-11)


def test_large_groups_and_others_are_scored_alike(fits: dict[str, clv.Fit]) -> None:
    table = pl.concat([shoppers("bg_nbd", 2500, seed=5)] * 2)
    mixed = table.with_columns(
        score=pl.when(pl.col("customer_id") < 2200).then(0.5).otherwise("score")
    )
    for name in TRUTH:
        found = clv.expected_purchases(mixed, purchases=fits[name], horizon_days=90)
        for at in (0, 2199, 2200, 4999):
            one = by_hand(fits[name], mixed.row(at, named=True))
            alone = clv.expected_purchases(mixed[at], purchases=one, horizon_days=90)
            assert found["expected_purchases"][at] == pytest.approx(
                alone["expected_purchases"][0], rel=1e-9
            )


@pytest.mark.parametrize("name", TRUTH)
def test_new_customers_are_expected_to_buy_by_the_own_model(name: str) -> None:
    score, days = np.array([-1.0, 0.0, 2.0]), np.array([10.0, 100.0, 400.0])
    many = of_all(TRUTH[name], score)
    found = many.expected_purchases_new(days)
    likelihood = many.log_likelihood(np.array([0.0, 2, 5]), np.array([0.0, 50, 60]), days)
    for i in range(3):
        model = at_rows(many, slice(i, i + 1))
        single = own(TRUTH[name], 0.4 * score[i], -0.3 * score[i])
        assert found[i] == pytest.approx(model.expected_purchases_new(days[i : i + 1])[0])
        assert found[i] == pytest.approx(single.expected_purchases_new(days[i : i + 1])[0])
        history = (np.array([[0.0, 2, 5][i]]), np.array([[0.0, 50, 60][i]]), days[i : i + 1])
        assert likelihood[i] == pytest.approx(single.log_likelihood(*history)[0])
