"""Beta-discrete-Weibull: against its sources, a slow twin, and what holds for any contract."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple
from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crmkit.errors import InvalidArgumentError
from crmkit.models import BDW, CONTRACT_MODELS, SBG, Floats
from crmkit.models.contracts.bdw import BDWLikelihood
from tests.published import printed
from tests.strategies import Contracts, contract_histories, survivor_histories

pytestmark = pytest.mark.slow
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)
HIGH_END = (1000, 869, 743, 653, 593, 551, 517, 491)
"""Fader & Hardie (2007), Table 1: customers of 1,000 still there after 0 to 7 years."""

# Published


@pytest.mark.parametrize(
    ("survivors", "expected", "log_likelihood"),
    [
        pytest.param(REGULAR[:5], (0.5231, 0.8944, 1.1963), "-1401.3831", id="regular"),
        pytest.param(HIGH_END[:5], (0.2593, 1.7225, 1.5844), "-1222.7493", id="high end"),
    ],
)
def test_fit_agrees_with_the_source_on_five_years(
    survivors: tuple[int, ...], expected: tuple[float, ...], log_likelihood: str
) -> None:
    # customer-analytics, docs/notebooks/models/retention/beta-discrete-weibull.html, after Fader,
    # Hardie, Liu, Davin & Steenburgh (2018). Its search stopped 1e-4 short in the parameters.
    periods, lost, n = survivor_histories(survivors)
    found = BDW.fit(periods, lost, weights=n)
    np.testing.assert_allclose(astuple(found.model), expected, atol=2e-4)
    assert printed(found.log_likelihood, like=log_likelihood) == log_likelihood
    assert found.converged
    assert found.diagnostics == ()


@pytest.mark.parametrize(
    ("survivors", "expected"),
    [
        pytest.param(
            REGULAR, (0.45561346, 0.77932469, 1.28345223, -1679.602833), id="regular, 8 years"
        ),
        pytest.param(
            HIGH_END, (0.2142536, 1.4265765, 1.72356358, -1605.314213), id="high end, 8 years"
        ),
    ],
)
def test_fit_agrees_with_a_second_opinion(
    survivors: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    # An independent implementation, not a published value.
    periods, lost, n = survivor_histories(survivors)
    found = BDW.fit(periods, lost, weights=n)
    values = (*astuple(found.model), found.log_likelihood)
    np.testing.assert_allclose(values, expected, rtol=3e-6)


# Twins

EXTREME = [
    BDW(*parameters)
    for parameters in product([1e-3, 1.0, 1e4], [1e-3, 1.0, 1e4], [1e-3, 0.5, 3.0, 1e4])
]
EXTREME += [BDW(1.0, 1.0, 1e-9)]  # as far as a search may follow a parameter
PERIODS = (1, 2, 50, 4000)


@pytest.fixture
def many_digits() -> Iterator[None]:
    with mpmath.workdps(120):
        yield


def slow_log_survival(model: BDW, t: int) -> mpmath.mpf:
    alpha, beta, c = map(mpmath.mpf, astuple(model))
    if t == 0:
        return mpmath.mpf(0)
    y = mpmath.mpf(t) ** c
    start = mpmath.loggamma(alpha + beta) - mpmath.loggamma(beta)
    if y > mpmath.mpf(10) ** 60:  # where the difference of two log gammas has lost 60 digits
        return start - alpha * mpmath.log(y) - alpha * (alpha + 2 * beta - 1) / 2 / y
    return start + mpmath.loggamma(beta + y) - mpmath.loggamma(alpha + beta + y)


@pytest.mark.usefixtures("many_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_probabilities_are_exact(model: BDW) -> None:
    for t in PERIODS:
        before, after = slow_log_survival(model, t - 1), slow_log_survival(model, t)
        churn = -mpmath.expm1(after - before)
        periods = np.full(2, float(t))
        found = model.log_likelihood(periods, np.array([0.0, 1.0]))
        expected = [float(after), float(before + mpmath.log(churn))]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert model.churn_rate(periods)[0] == pytest.approx(float(churn), rel=1e-8)


def test_the_likelihood_has_the_right_slope_and_bend() -> None:
    periods, lost, n = survivor_histories(REGULAR)
    likelihood = BDWLikelihood(periods, lost, n)
    some = (BDW(0.5, 0.9, 1.2), BDW(0.02, 30.0, 0.4), BDW(20.0, 3.0, 2.5), BDW(0.002, 1.0, 200.0))
    for model in some:
        here, step = np.log(astuple(model)), 1e-5
        value, gradient, hessian = likelihood(here)
        own = n @ model.log_likelihood(periods, lost)
        assert value == pytest.approx(own, rel=1e-12)
        for i, way in enumerate(np.eye(3) * step):
            up, down = likelihood(here + way), likelihood(here - way)
            scale = np.abs(hessian).max()
            slope, bend = (up[0] - down[0]) / (2 * step), (up[1] - down[1]) / (2 * step)
            assert slope == pytest.approx(gradient[i], abs=1e-6 * scale)
            np.testing.assert_allclose(bend, hessian[i], atol=1e-6 * scale)


@pytest.mark.parametrize("c", [0.4, 1.0, 2.2])
def test_survival_is_the_average_over_a_population(c: float) -> None:
    theta = stats.beta.ppf((np.arange(20000) + 0.5) / 20000, 0.7, 1.2)
    for t in (1, 5, 12):
        mean = np.mean((1 - theta) ** t**c)
        assert BDW(0.7, 1.2, c).survival(np.array([float(t)]))[0] == pytest.approx(mean, rel=1e-3)


def test_residual_lifetime_is_a_sum() -> None:
    model, rate = BDW(0.26, 1.72, 1.58), 0.1
    found = model.discounted_lifetime(np.array([0.0, 4.0, 4.0]), discount_rate_per_period=rate)
    for value, renewals in zip(found.tolist(), (0, 4, 4), strict=True):
        ahead = np.arange(1000.0)
        shares = model.survival(renewals + 1 + ahead) / model.survival(np.array([renewals]))
        assert value == pytest.approx((shares / (1 + rate) ** ahead).sum(), rel=1e-12)


# Properties

models = st.builds(
    lambda a, b, c: BDW(10**a, 10**b, 10**c), st.floats(-3, 4), st.floats(-3, 4), st.floats(-2, 2)
)


@given(model=models, periods=st.integers(0, 5000))
def test_survival_never_rises(model: BDW, periods: int) -> None:
    before, after = model.survival(np.array([periods, periods + 1.0]))
    assert 0 <= after <= before * (1 + 1e-12) <= 1 + 1e-12


@given(model=models, last=st.integers(1, 60))
def test_what_can_happen_has_probability_one(model: BDW, last: int) -> None:
    periods = np.append(np.arange(1.0, last + 1), last)
    lost = np.append(np.ones(last), 0)
    assert np.exp(model.log_likelihood(periods, lost)).sum() == pytest.approx(1, rel=1e-9)


@given(model=models, periods=st.integers(1, 5000))
def test_who_stays_and_who_leaves_are_all(model: BDW, periods: int) -> None:
    t = np.array([float(periods)])
    assert model.retention_rate(t) + model.churn_rate(t) == pytest.approx(1, rel=1e-12)


@given(
    alpha=st.floats(-3, 4),
    beta=st.floats(-3, 4),
    periods=st.integers(1, 3000),
    rate=st.floats(1e-3, 5),
)
def test_without_a_course_of_its_own_it_is_the_sbg(
    alpha: float, beta: float, periods: int, rate: float
) -> None:
    model, simpler = BDW(10**alpha, 10**beta, 1.0), SBG(10**alpha, 10**beta)
    t = np.full(2, float(periods))
    lost = np.array([0.0, 1.0])
    for found, expected in (
        (model.log_likelihood(t, lost), simpler.log_likelihood(t, lost)),
        (model.churn_rate(t), simpler.churn_rate(t)),
        (
            model.discounted_lifetime(t, discount_rate_per_period=rate),
            simpler.discounted_lifetime(t, discount_rate_per_period=rate),
        ),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


@settings(max_examples=25)
@given(contracts=contract_histories())
def test_a_fit_is_at_least_as_likely_as_the_simpler_model(contracts: Contracts) -> None:
    found, simpler = BDW.fit(*contracts), SBG.fit(*contracts)
    assert math.isfinite(found.log_likelihood)
    # Where a parameter runs away, both stop on a slope that promises next to nothing.
    assert found.log_likelihood >= simpler.log_likelihood - 1e-3


@settings(max_examples=15)
@given(contracts=contract_histories())
def test_a_weighted_fit_is_a_fit_on_repeated_rows(contracts: Contracts) -> None:
    rows, n = np.unique(np.stack(contracts), axis=1, return_counts=True)
    weighted = BDW.fit(*rows, weights=n.astype(np.float64))
    repeated = BDW.fit(*(column[::-1] for column in contracts))
    assert weighted == repeated


def simulated(model: BDW, n_customers: int, *, seed: int) -> Contracts:
    """Lifetimes drawn customer by customer, seen for 1 to 24 periods."""
    dice = np.random.default_rng(seed)
    theta = dice.beta(model.alpha, model.beta, n_customers)
    # S(t) = (1 - theta) ** t ** c, turned round.
    lifetime = np.ceil((dice.exponential(size=n_customers) / -np.log1p(-theta)) ** (1 / model.c))
    seen = dice.integers(1, 25, n_customers)
    return np.minimum(lifetime, seen), (lifetime <= seen).astype(np.float64)


def test_a_fit_finds_what_made_the_data() -> None:
    truth = BDW(0.5, 2.0, 1.4)
    found = BDW.fit(*simulated(truth, 100_000, seed=5))
    errors = np.array(astuple(found.model)) - astuple(truth)
    told = np.array([error or math.nan for error in found.standard_errors])
    assert (np.abs(errors) < 3 * told).all()
    assert (told / astuple(truth) < 0.06).all()


@pytest.mark.parametrize("seed", range(12))
def test_awkward_data_are_fitted_or_reported(seed: int) -> None:
    dice = np.random.default_rng(seed)
    truth = BDW(*(10 ** dice.uniform((-1.5, -1, -0.5), (2, 2, 0.5))).tolist())
    contracts = simulated(truth, 200, seed=seed)
    found = BDW.fit(*contracts)
    assert found.converged or found.diagnostics
    assert found.log_likelihood >= truth.log_likelihood(*contracts).sum() - 1e-6


# Shape


def test_the_registry_knows_it() -> None:
    assert CONTRACT_MODELS["bdw"] is BDW


def test_no_customers_give_no_predictions() -> None:
    none: Floats = np.zeros(0)
    model = BDW(0.7, 1.2, 1.3)
    assert model.log_likelihood(none, none).shape == (0,)
    assert model.retention_rate(none).shape == (0,)
    assert model.discounted_lifetime(none, discount_rate_per_period=0.1).shape == (0,)


# Refusals


@pytest.mark.parametrize("name", ["alpha", "beta", "c"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"alpha": 1.0, "beta": 1.0, "c": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        BDW(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == f"BdW parameters must be positive and finite, got BDW({shown})."


def test_a_lifetime_hardly_discounted_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        BDW(2.0, 1.2, 1.5).discounted_lifetime(np.zeros(1), discount_rate_per_period=0.0)
    assert str(caught.value) == (
        "The discount rate must be at least 4e-05 a period, got 0: this model's lifetime is a "
        "sum, too long with a lower rate.\nUse a higher discount rate."
    )
