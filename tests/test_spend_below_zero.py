"""Repeat spend of zero or below: the models' own lines go on, on every engine, in all that pays."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning
from crmkit.models import GammaGamma, LognormalSpend
from tests.conftest import rows
from tests.engine_cases import arrow
from tests.engines import ENGINES, marks_of

MEANS = [40.0, 0.01, 0.0, -0.2, -50.0, None, None]
"""The last two: spend unknown, and nobody came back."""

ALIKE = pl.DataFrame(
    {
        "customer_id": list("abcdefg"),
        "frequency": [20] * 6 + [0],
        "recency": [250] * 6 + [0],
        "T": [270] * 7,
        "monetary_value": MEANS,
    }
)
GAMMA = GammaGamma(p=6.0, q=4.0, v=15.0)
LOGNORMAL = LognormalSpend(median=30.0, tau=0.6, cv=0.8)


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def purchases(customers: pl.DataFrame) -> clv.Fit:
    """BG/NBD on them."""
    return clv.fit(customers, model="bg_nbd")


def given(model: Any) -> clv.Fit:
    """Make a fit of a model."""
    return clv.Fit.of(model.name, **asdict(model))


def by_hand(model: Any, x: float, z: float) -> float:
    """Expected spend, from the formula as it stands in the paper."""
    if isinstance(model, GammaGamma):
        return float((model.p * (model.v + x * z)) / (model.p * x + model.q - 1))
    if z <= 0:
        return 0.0
    within = math.log1p(model.cv**2 / x)
    own = model.tau**2 / (model.tau**2 + within)
    middle = math.log(model.median) + model.tau**2
    return math.exp((1 - own) * middle + own * math.log(z))


# Published


def test_the_line_of_the_paper_goes_on_at_zero(customers: pl.DataFrame, purchases: clv.Fit) -> None:
    # Fader & Hardie (2013), equation 5, at z = 0 and below, with the estimates of this sample.
    spend = clv.fit(customers, model="gamma_gamma")
    ahead = clv.predict(ALIKE, purchases=purchases, spend=spend, horizon_days=365)
    p, q, v = spend.estimates.values()
    found = ahead["expected_spend"].to_list()
    for value, z in zip(found[:5], MEANS[:5], strict=True):
        assert z is not None
        assert value == pytest.approx(p * (v + 20 * z) / (p * 20 + q - 1), rel=1e-12)
    assert found[5] == found[6] == pytest.approx(p * v / (q - 1), rel=1e-12)


# Properties


@pytest.mark.parametrize("model", [GAMMA, LOGNORMAL])
@pytest.mark.parametrize("engine", [pytest.param(e, marks=marks_of(e)) for e in ENGINES])
def test_every_engine_goes_on_with_the_line(engine: str, model: Any, purchases: clv.Fit) -> None:
    table = ENGINES[engine].make(arrow(ALIKE))
    spend = given(model)
    ahead = clv.predict(table, purchases=purchases, spend=spend, horizon_days=365)
    found = [row["expected_spend"] for row in rows(ahead, by="customer_id")]
    expected = [by_hand(model, 20, z) for z in MEANS[:5] if z is not None]
    assert found[:5] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found[5:] == pytest.approx([float(model.population_mean)] * 2)
    worth = [row["clv"] for row in rows(ahead, by="customer_id")]
    bought = [row["expected_purchases"] for row in rows(ahead, by="customer_id")]
    assert worth == pytest.approx([s * n for s, n in zip(found, bought, strict=True)])


@pytest.mark.parametrize("model", [GAMMA, LOGNORMAL])
def test_expected_spend_rises_with_the_mean_and_has_no_jump_at_zero(model: Any) -> None:
    z = np.concatenate([-np.geomspace(100, 1e-12, 40), [0.0], np.geomspace(1e-12, 100, 40)])
    for x in (1.0, 3.0, 200.0):
        found = model.expected_spend(np.full(len(z), x), z)
        assert (np.diff(found) >= 0).all()
        assert found[40] >= 0
        at_zero = model.p * model.v / (model.p * x + model.q - 1) if model is GAMMA else 0.0
        assert found[40] == pytest.approx(at_zero, abs=1e-12)
        assert abs(found[41] - found[40]) < 0.01


@pytest.mark.parametrize("model", [GAMMA, LOGNORMAL])
def test_bounds_are_in_order_and_around_the_line(model: Any, purchases: clv.Fit) -> None:
    spend = given(model)
    with pytest.warns(CrmkitWarning, match="too narrow"):
        found = clv.predict(ALIKE, purchases=purchases, spend=spend, horizon_days=365, level=0.9)
    for row in found.rows(named=True):
        for name in ("expected_spend", "clv"):
            lower, upper = row[f"{name}_lower"], row[f"{name}_upper"]
            assert lower <= row[name] <= upper or lower == upper == row[name] == 0
    # At a mean of zero and above, as in units of expected spend for anybody.
    ratio = found["expected_spend_upper"] / found["expected_spend"]
    if model is GAMMA:
        assert ratio[2] == pytest.approx(ratio[0])


@pytest.mark.parametrize("model", ["gamma_gamma", "lognormal_spend"])
@pytest.mark.parametrize("lazy", [False, True])
def test_the_total_is_the_sum_of_all(
    customers: pl.DataFrame, purchases: clv.Fit, *, model: str, lazy: bool
) -> None:
    spend = clv.fit(customers, model=model)
    means = pl.when(pl.col("frequency") == 3).then(-5.0).when(pl.col("frequency") == 2).then(0.0)
    mixed = customers.with_columns(monetary_value=means.otherwise("monetary_value"))
    each = clv.predict(mixed, purchases=purchases, spend=spend, horizon_days=365)
    table = mixed.lazy() if lazy else mixed
    total = clv.predict_total(table, purchases=purchases, spend=spend, horizon_days=365)
    (row,) = rows(total)
    assert row["clv"] == pytest.approx(each["clv"].sum())
    assert row["clv_lower"] < row["clv"] < row["clv_upper"]
    # The uncertainty is that of a total somewhat smaller: not another one.
    (usual,) = rows(
        clv.predict_total(customers, purchases=purchases, spend=spend, horizon_days=365)
    )
    assert row["clv_upper"] / row["clv_lower"] == pytest.approx(
        usual["clv_upper"] / usual["clv_lower"], rel=0.1
    )


@pytest.mark.parametrize("model", ["gamma_gamma", "lognormal_spend"])
def test_a_total_of_nothing_but_returns_has_no_bounds(
    customers: pl.DataFrame, purchases: clv.Fit, model: str
) -> None:
    spend = clv.fit(customers, model=model)
    all_back = ALIKE.filter(pl.col("monetary_value") <= -50)
    (row,) = rows(clv.predict_total(all_back, purchases=purchases, spend=spend, horizon_days=365))
    if model == "gamma_gamma":
        assert row["clv"] < 0
        assert row["clv_lower"] is row["clv_upper"] is None
    else:
        assert row["clv"] == row["clv_lower"] == row["clv_upper"] == 0


def test_no_amount_is_likely_above_zero_where_all_came_back() -> None:
    # v + x z is below 0: the customer's amounts are, and any amount above 0 is above them all.
    x, z = np.array([20.0]), np.array([-50.0])
    for model in (GAMMA, LOGNORMAL):
        assert model.amount_distribution(x, z, np.array([3.0]), np.array([1e-9])) == 1.0
        assert model.mean_distribution(x, z, np.array([1e-9])) == 1.0


def test_covariates_move_the_line_at_zero_as_anywhere(
    customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    groups = customers.with_columns(
        group=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    spend = clv.fit(groups, model="gamma_gamma", covariates=["group"])
    both = pl.concat([ALIKE.with_columns(group=pl.lit(name)) for name in "ab"]).with_columns(
        customer_id=pl.int_range(14)
    )
    ahead = clv.predict(both, purchases=purchases, spend=spend, horizon_days=365)
    found = ahead["expected_spend"].to_list()
    at_zero, nobody = found[2], found[6]
    assert found[2] > 0 > found[4]
    assert found[9] / at_zero == pytest.approx(found[13] / nobody)  # the group's factor, on v
