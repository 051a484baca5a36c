"""Lognormal spend: against slow twins, on invented shops, then what holds for any customer.

No paper prints numbers of this model: its closed forms are held against quadrature and
arbitrary precision, and its approximation against amounts that are truly lognormal.
"""

from __future__ import annotations

import json
import math
from dataclasses import astuple
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError
from crmkit.models import Floats, LognormalSpend
from crmkit.models.spend.lognormal_spend import LognormalSpendLikelihood
from tests.conftest import MakeFrame, rows

REFERENCE = Path(__file__).parent / "reference"
MODEL = LognormalSpend(median=31.0, tau=0.5, cv=0.6)

Spend = tuple[Floats, Floats]


@pytest.fixture(scope="module")
def cdnow() -> Spend:
    """The 946 CDNOW customers with a repeat purchase: x and mean spend."""
    _, x, _, _, z = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x[x > 0], z[x > 0]


@st.composite
def models(draw: st.DrawFn) -> LognormalSpend:
    """A lognormal spend model, from hardly to wildly varied customers."""
    tau, cv = (10 ** draw(st.floats(-2, 0.5)) for _ in range(2))
    return LognormalSpend(median=10 ** draw(st.floats(-2, 4)), tau=tau, cv=cv)


def shop(
    model: LognormalSpend, n: int, *, seed: int, repeating: float = 0.3
) -> tuple[Floats, Floats, Floats]:
    """Invent customers whose single amounts are lognormal: x, mean spend and true mean."""
    dice = np.random.default_rng(seed)
    x = dice.geometric(repeating, n)
    mean = model.median * np.exp(dice.normal(0, model.tau, n))
    who = np.repeat(np.arange(n), x)
    spread = math.log1p(model.cv**2)
    amount = mean[who] * np.exp(dice.normal(-spread / 2, math.sqrt(spread), len(who)))
    return x.astype(np.float64), np.bincount(who, amount) / x, mean


# Twins


@pytest.mark.parametrize("x", [1.0, 4.0, 50.0])
@pytest.mark.parametrize("z", [5.0, 33.0, 400.0])
def test_density_and_expectation_are_averages_over_a_population(x: float, z: float) -> None:
    median, tau, cv = astuple(MODEL)
    v = math.log(1 + cv**2 / x)

    def joint(deviate: float) -> float:
        """Density of a customer's mean mu and of z."""
        mu = median * math.exp(tau * deviate)
        own = stats.lognorm.pdf(z, math.sqrt(v), scale=mu * math.exp(-v / 2))
        return float(own * stats.norm.pdf(deviate))

    def spent(deviate: float) -> float:
        return float(joint(deviate) * median * math.exp(tau * deviate))

    around = math.log(z / median) / tau
    density, total = (
        integrate.quad(of, -12, 12, points=[around], limit=200, epsabs=0, epsrel=1e-11)[0]
        for of in (joint, spent)
    )
    (found,) = MODEL.log_likelihood(np.array([x]), np.array([z]))
    assert found == pytest.approx(math.log(density), rel=1e-9)
    (spend,) = MODEL.expected_spend(np.array([x]), np.array([z]))
    assert spend == pytest.approx(total / density, rel=1e-9)


@pytest.mark.parametrize("median", [1e-3, 31.0, 1e4])
@pytest.mark.parametrize("tau", [1e-3, 0.5, 1e4])
@pytest.mark.parametrize("cv", [1e-3, 0.6, 1e4])
def test_log_likelihood_and_expected_spend_are_exact(median: float, tau: float, cv: float) -> None:
    model = LognormalSpend(median=median, tau=tau, cv=cv)
    for x, z in product((1, 50, 3000, 5000), (1e-2, 35.0, 1e6)):
        with mpmath.workdps(60):
            v = mpmath.log(1 + mpmath.mpf(cv) ** 2 / x)
            log_z, across = mpmath.log(mpmath.mpf(z)), mpmath.mpf(tau) ** 2
            off = log_z - mpmath.log(median) + v / 2
            variance = across + v
            density = -mpmath.log(2 * mpmath.pi * variance) / 2 - off**2 / (2 * variance) - log_z
            own = 1 / v
            centre = (mpmath.log(median) / across + (log_z + v / 2) * own) / (1 / across + own)
            log_mean = centre + 1 / (1 / across + own) / 2
        (found,) = model.log_likelihood(np.array([float(x)]), np.array([z]))
        assert found == pytest.approx(float(density), rel=1e-9)
        (spend,) = model.expected_spend(np.array([float(x)]), np.array([z]))
        assert spend == pytest.approx(float(mpmath.exp(log_mean)), rel=1e-9)


@pytest.mark.parametrize("parameters", [(31.0, 0.5, 0.6), (3.0, 2.0, 0.1), (90.0, 0.05, 4.0)])
def test_gradient_and_hessian_are_those_of_the_value(
    cdnow: Spend, parameters: tuple[float, ...]
) -> None:
    likelihood = LognormalSpendLikelihood(*cdnow, np.ones(len(cdnow[0])))
    at, step = np.log(parameters), 1e-5
    value, gradient, hessian = likelihood(at)
    assert value == pytest.approx(LognormalSpend(*parameters).log_likelihood(*cdnow).sum())
    ends = [(likelihood(at + e), likelihood(at - e)) for e in step * np.eye(3)]
    slopes = [(up[0] - down[0]) / (2 * step) for up, down in ends]
    bends = [(up[1] - down[1]) / (2 * step) for up, down in ends]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6)
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())


def test_groups_with_medians_of_their_own_add_up(cdnow: Spend) -> None:
    x, z = cdnow
    group = np.arange(len(x)) % 3
    logs = np.log([[20.0, 30.0, 45.0], [0.5] * 3, [0.6] * 3])
    likelihood = LognormalSpendLikelihood(x, z, np.ones(len(x)), group=group)
    together = likelihood.by_group(logs)
    for each in range(3):
        theirs = (x[group == each], z[group == each])
        alone = LognormalSpendLikelihood(*theirs, np.ones(len(theirs[0])))(logs[:, each])
        for found, expected in zip(together, map(np.asarray, alone), strict=True):
            np.testing.assert_allclose(found[..., each], expected, rtol=1e-9)
    shared = likelihood(logs[:, 0])
    one = LognormalSpendLikelihood(x, z, np.ones(len(x)))(logs[:, 0])
    for found, expected in zip(map(np.asarray, shared), map(np.asarray, one), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(("x", "z"), [(0.0, math.nan), (1.0, 12.0), (6.0, 80.0)])
def test_amounts_ahead_are_those_of_drawn_customers(x: float, z: float) -> None:
    dice = np.random.default_rng(4)
    mu = MODEL.median * np.exp(dice.normal(0, MODEL.tau, 400_000))
    if x:
        # Keep who would show such a mean, weighed by how readily.
        v = math.log1p(MODEL.cv**2 / x)
        density = stats.norm.pdf(math.log(z), np.log(mu) - v / 2, math.sqrt(v))
        mu = dice.choice(mu, len(mu), p=density / density.sum())
    seen = np.array([x]), np.array([z])
    (spend,) = MODEL.expected_spend(*seen)
    assert spend == pytest.approx(mu.mean(), rel=0.01)
    limits = spend * np.array([0.4, 0.8, 1.0, 1.5, 3.0])
    np.testing.assert_allclose(
        MODEL.mean_distribution(*seen, limits),
        [(mu <= limit).mean() for limit in limits],
        atol=0.005,
    )
    spread = math.log1p(MODEL.cv**2)
    days = np.exp(dice.normal(-spread / 2, math.sqrt(spread), (3, len(mu)))) * mu
    for n in (1, 3):  # of one day exact, of three nearly
        total = days[:n].sum(axis=0)
        np.testing.assert_allclose(
            MODEL.amount_distribution(*seen, np.array([float(n)]), n * limits),
            [(total <= n * limit).mean() for limit in limits],
            atol=0.005 if n == 1 else 0.01,
        )
    of_mean, of_day = (part.item() for part in MODEL.second_moments(seen[0]))
    assert of_mean == pytest.approx((mu**2).mean() / spend**2, rel=0.02)
    assert of_day == pytest.approx((days[0] ** 2).mean() / spend**2, rel=0.03)


# Invented shops


@pytest.mark.parametrize(
    ("truth", "parameters", "total"),
    [
        (LognormalSpend(median=30.0, tau=0.5, cv=0.5), 0.03, 0.002),
        (LognormalSpend(median=30.0, tau=1.0, cv=0.6), 0.03, 0.002),
        (LognormalSpend(median=30.0, tau=0.5, cv=1.0), 0.03, 0.002),
        # The approximation wears thin: tau a fifth too low, and 1 % of the money.
        (LognormalSpend(median=30.0, tau=0.5, cv=2.0), 0.25, 0.015),
    ],
)
def test_truly_lognormal_amounts_give_the_truth_nearly(
    truth: LognormalSpend, parameters: float, total: float
) -> None:
    x, z, mean = shop(truth, 100_000, seed=7)
    found = LognormalSpend.fit(x, z)
    np.testing.assert_allclose(astuple(found.model), astuple(truth), rtol=parameters)
    assert found.model.expected_spend(x, z).sum() == pytest.approx(mean.sum(), rel=total)
    assert found.converged
    assert found.diagnostics == ()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "truth",
    [
        LognormalSpend(median=30.0, tau=0.02, cv=0.5),
        LognormalSpend(median=30.0, tau=0.5, cv=0.02),
        LognormalSpend(median=3e6, tau=2.0, cv=0.1),
        LognormalSpend(median=1e-3, tau=0.3, cv=3.0),
    ],
)
def test_awkward_shops_are_fitted_or_say_what_cannot_be_told(
    truth: LognormalSpend, seed: int
) -> None:
    x, z, _ = shop(truth, 200, seed=seed)
    found = LognormalSpend.fit(x, z)
    assert found.log_likelihood >= truth.log_likelihood(x, z).sum()
    assert found.converged or found.diagnostics
    assert np.isfinite(found.model.expected_spend(x, z)).all()


def test_standard_errors_cover_the_truth() -> None:
    # The means are drawn as the model has them, so nothing but chance is off.
    covered = 0
    for seed in range(100):
        dice = np.random.default_rng(seed)
        x = dice.geometric(0.3, 500).astype(np.float64)
        v = np.log1p(MODEL.cv**2 / x)
        z = MODEL.median * np.exp(dice.normal(-v / 2, np.sqrt(v + MODEL.tau**2)))
        found = LognormalSpend.fit(x, z)
        errors = np.array(found.standard_errors_log, dtype=np.float64)
        off = np.log(astuple(found.model)) - np.log(astuple(MODEL))
        covered += (np.abs(off) < 1.645 * errors).sum()
    assert 0.86 <= covered / 300 <= 0.94


# Limits


def test_customers_who_do_not_differ_are_found_out() -> None:
    x = np.tile([1.0, 2.0, 4.0], 40)
    off = np.tile([-1.0, 1.0], 60) * np.sqrt(0.2 / x)  # of the mean, as by chance alone
    found = LognormalSpend.fit(x, 30 * np.exp(off))
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The likelihood has no maximum: tau shrinks to 0. Customers do not differ in mean spend."
    )
    np.testing.assert_allclose(found.model.weight(x), 0, atol=1e-4)


def test_customers_who_never_vary_are_found_out() -> None:
    dice = np.random.default_rng(1)
    x = np.repeat([1.0, 9.0], 300)
    # If anything the means of many days differ more: no trace of a spread within.
    z = 30 * np.exp(dice.normal(0, 0.5, 600) * np.where(x > 1, 1.3, 1.0))
    found = LognormalSpend.fit(x, z)
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The likelihood has no maximum: cv shrinks to 0. Each customer spends the same "
        "amount every time."
    )
    np.testing.assert_allclose(found.model.expected_spend(x, z), z, rtol=1e-4)


def test_spend_that_never_varies_is_found_out() -> None:
    found = LognormalSpend.fit(np.array([1.0, 2, 3]), np.full(3, 20.0))
    assert not found.converged
    assert found.diagnostics[-1] == (
        "The likelihood has no maximum: tau and cv shrink to 0. All customers spend the "
        "same amount every time."
    )
    np.testing.assert_allclose(found.model.expected_spend(np.zeros(1), np.zeros(1)), 20, rtol=1e-4)


@pytest.mark.parametrize("x", [1.0, 3.0])
def test_one_number_of_days_for_all_does_not_tell_how_customers_differ(x: float) -> None:
    z = np.exp(np.random.default_rng(2).normal(3, 0.8, 300))
    found = LognormalSpend.fit(np.full(300, x), z)
    assert found.diagnostics[-1] == (
        "All customers have the same number of repeat purchase days, so variation across "
        "customers and within customers are not identified apart: do not trust expected spend."
    )
    assert None in found.standard_errors


def test_a_mean_beyond_all_numbers_is_unknown() -> None:
    wild = LognormalSpend(median=30.0, tau=100.0, cv=1.0)
    assert wild.population_mean is None
    never, once = wild.expected_spend(np.array([0.0, 1]), np.array([math.nan, 20.0]))
    assert math.isnan(never)
    assert once == pytest.approx(40, rel=1e-3)  # 20 (1 + cv^2): the wildest prior shrinks nothing


# Properties


def test_the_currency_does_not_matter(cdnow: Spend) -> None:
    x, z = cdnow
    euros, cents = LognormalSpend.fit(x, z), LognormalSpend.fit(x, 100 * z)
    median, tau, cv = astuple(euros.model)
    np.testing.assert_allclose(astuple(cents.model), (100 * median, tau, cv), rtol=1e-7)
    np.testing.assert_allclose(
        cents.model.expected_spend(x, 100 * z), 100 * euros.model.expected_spend(x, z), rtol=1e-7
    )
    shifted = euros.log_likelihood - len(x) * math.log(100)
    assert cents.log_likelihood == pytest.approx(shifted, rel=1e-12)


@given(model=models())
def test_without_a_repeat_purchase_the_population_mean_is_expected(model: LognormalSpend) -> None:
    found = model.expected_spend(np.zeros(2), np.array([math.nan, 0.0]))
    assert found.tolist() == pytest.approx([model.population_mean] * 2, rel=1e-12)
    np.testing.assert_array_equal(model.weight(np.zeros(1)), 0)


@given(model=models(), x=st.integers(0, 1000).map(float))
def test_each_purchase_adds_weight_to_a_customers_own_mean(model: LognormalSpend, x: float) -> None:
    before, after = model.weight(np.array([x, x + 1]))
    assert 0 <= before < after <= 1


@given(model=models(), x=st.integers(1, 1000).map(float), z=st.floats(1e-3, 1e6))
def test_expected_spend_rises_with_a_customers_own_mean(
    model: LognormalSpend, x: float, z: float
) -> None:
    less, more = model.expected_spend(np.array([x, x]), np.array([z, 2 * z]))
    assert 0 < less < more


@given(model=models(), x=st.integers(1, 1000).map(float))
def test_expected_spend_averages_to_the_populations(model: LognormalSpend, x: float) -> None:
    # Of exp(start + rise log z) over the log z of all customers, which is normal.
    start, rise = (part.item() for part in model.spend_line(np.array([x])))
    v = math.log1p(model.cv**2 / x)
    centre, variance = math.log(model.median) - v / 2, model.tau**2 + v
    mean = math.exp(start + rise * centre + rise**2 * variance / 2)
    assert mean == pytest.approx(model.population_mean, rel=1e-9)


def test_a_weighted_fit_is_a_fit_on_repeated_rows(cdnow: Spend) -> None:
    n = np.arange(len(cdnow[0])) % 3 + 1
    weighted = LognormalSpend.fit(*cdnow, weights=n.astype(np.float64))
    repeated = LognormalSpend.fit(*(np.repeat(column, n) for column in cdnow))
    np.testing.assert_allclose(astuple(weighted.model), astuple(repeated.model), rtol=1e-7)
    assert weighted.n_customers == repeated.n_customers


# Shape: in tables


SUMMARY: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e"],
    "frequency": [2, 0, 5, 1, 3],
    "recency": [213, 0, 100, 12, 40],
    "T": [272, 269, 272, 150, 90],
    "monetary_value": [20.0, None, 60.0, 15.0, -4.0],
}


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """The customers of the founding papers."""
    orders: pd.DataFrame = load_cdnow(sample=True, backend="pandas")
    return rfm.summarize(orders, as_of=date(1997, 9, 30))


def test_a_prediction_has_the_expected_spend_of_the_model(
    customers: pd.DataFrame, make_frame: MakeFrame
) -> None:
    spend = clv.fit(customers, model="lognormal_spend")
    purchases = clv.fit(customers, model="bg_nbd")
    ahead = clv.predict(make_frame(SUMMARY), purchases=purchases, spend=spend, horizon_days=90)
    found = [row["expected_spend"] for row in rows(ahead, by="customer_id")]
    # Without a repeat purchase the population's; with repeat spend below 0 none, the line's limit.
    x, z = np.array([2.0, 0, 5, 1, 3]), np.array([20.0, 1, 60, 15, -4])
    assert found[4] == 0
    np.testing.assert_allclose(found, spend.model.expected_spend(x, z), rtol=1e-12)


def test_a_fit_keeps_as_text_and_counts_who_is_left_out(customers: pd.DataFrame) -> None:
    spend = clv.fit(customers, model="lognormal_spend")
    assert clv.Fit.from_json(spend.to_json()) == spend
    assert json.loads(spend.to_json())["name"] == "lognormal_spend"
    assert (spend.n_customers, spend.n_left_out) == (946, 1411)


def test_a_comparison_takes_both_spend_models(customers: pd.DataFrame) -> None:
    found = clv.compare(customers, models=["lognormal_spend", "gamma_gamma"])
    assert found["model"].tolist() == ["gamma_gamma", "lognormal_spend"]


def test_a_posterior_means_the_same_in_cents(customers: pd.DataFrame) -> None:
    cents = customers.assign(monetary_value=100 * customers["monetary_value"])
    dear, cheap = (
        clv.posterior(table, fit=clv.fit(table, model="lognormal_spend"), draws=1000)
        for table in (customers, cents)
    )
    assert dear.diagnostics == ()
    np.testing.assert_allclose(cheap.draws, dear.draws * [100, 1, 1], rtol=1e-4)
    errors = clv.fit(customers, model="lognormal_spend").standard_errors
    for name, deviation in dear.standard_deviations.items():
        assert deviation == pytest.approx(errors[name], rel=0.15)


def test_a_backtest_takes_it() -> None:
    found = clv.backtest(
        load_cdnow(sample=True, backend="pandas"),
        splits=[date(1997, 9, 30)],
        as_of=date(1998, 6, 30),
        spend="lognormal_spend",
    )
    error = found.set_index("method")["amount_error"]["bg_nbd"]
    assert -0.3 < error < 0


def test_an_open_fit_warns(make_frame: MakeFrame) -> None:
    table = {**SUMMARY, "frequency": [1, 1, 1, 1, 1], "monetary_value": [20.0, 30, 15, 70, 8]}
    with pytest.warns(CrmkitWarning) as caught:
        clv.fit(make_frame(table), model="lognormal_spend")
    assert str(caught[1].message).startswith(
        "lognormal_spend: All customers have the same number of repeat purchase days, so variation"
    )


def test_no_customers_give_no_predictions() -> None:
    none: Floats = np.zeros(0)
    assert MODEL.log_likelihood(none, none).shape == (0,)
    assert MODEL.expected_spend(none, none).shape == (0,)


# Refusals


@pytest.mark.parametrize("name", ["median", "tau", "cv"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"median": 1.0, "tau": 1.0, "cv": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        LognormalSpend(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == (
        f"Lognormal spend parameters must be positive and finite, got LognormalSpend({shown})."
    )


def test_a_fit_needs_a_repeat_purchase() -> None:
    with pytest.raises(FitError) as caught:
        LognormalSpend.fit(np.zeros(0), np.zeros(0))
    assert str(caught.value) == (
        "customer summary: no repeat purchase with positive spend in any row.\n"
        "First purchases do not identify the spend per purchase day."
    )


@pytest.mark.parametrize(("x", "z"), [(0.0, 20.0), (1.0, 0.0), (1.0, -5.0), (1.0, math.nan)])
def test_a_fit_refuses_rows_that_tell_nothing(x: float, z: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        LognormalSpend.fit(np.array([2.0, x]), np.array([30.0, z]))
    assert str(caught.value) == (
        "Lognormal spend is fitted on customers with x > 0 and z > 0 only.\n"
        "Leave the others out of the fit; predictions for them still work."
    )
