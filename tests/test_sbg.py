"""Shifted beta-geometric: against its papers, a slow twin, and what holds for any contract."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import BDW, CONTRACT_MODELS, SBG
from tests.published import printed
from tests.strategies import Contracts, contract_histories, survivor_histories

REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173)
HIGH_END = (1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394)
"""Fader & Hardie (2007), Table 1: customers of 1,000 still there after 0 to 12 years."""


# Published


@pytest.mark.parametrize(
    ("survivors", "expected"),
    [
        pytest.param(REGULAR[:8], ("0.704", "1.182"), id="regular"),
        pytest.param(HIGH_END[:8], ("0.668", "3.806"), id="high end"),
    ],
)
def test_fit_finds_the_published_parameters(
    survivors: tuple[int, ...], expected: tuple[str, ...]
) -> None:
    # Fader & Hardie (2007), appendix, on the first seven renewals.
    periods, lost, n = survivor_histories(survivors)
    found = SBG.fit(periods, lost, weights=n)
    estimates = astuple(found.model)
    assert tuple(printed(v, like=e) for v, e in zip(estimates, expected, strict=True)) == expected
    assert found.converged
    assert found.diagnostics == ()
    assert found.n_customers == 1000


@pytest.mark.parametrize(
    ("survivors", "expected"),
    [
        pytest.param(REGULAR[:8], ("0.7041", "1.1820", "-1680.2652"), id="regular, 8 years"),
        pytest.param(HIGH_END[:8], ("0.6681", "3.8061", "-1611.1581"), id="high end, 8 years"),
        pytest.param(REGULAR[:5], ("0.7637", "1.2958", "-1401.5594"), id="regular, 5 years"),
    ],
)
def test_fit_agrees_with_the_peers(survivors: tuple[int, ...], expected: tuple[str, ...]) -> None:
    # pymc-marketing, tests/clv/models/test_shifted_beta_geo.py, and customer-analytics,
    # beta-discrete-weibull.html. (Another test of pymc-marketing has alpha = 0.688 for the high
    # end: a misprint that its tolerance of 10 % lets pass.)
    periods, lost, n = survivor_histories(survivors)
    found = SBG.fit(periods, lost, weights=n)
    values = (*astuple(found.model), found.log_likelihood)
    assert tuple(printed(v, like=e) for v, e in zip(values, expected, strict=True)) == expected


def test_retention_rates_rise_as_published() -> None:
    # Fader & Hardie (2007), eq. 8, as in pymc-marketing's expected_retention_rate.
    found = SBG(0.704, 1.182).retention_rate(np.arange(1.0, 6))
    expected = ["0.626723", "0.756064", "0.818837", "0.855915", "0.880394"]
    assert [printed(value, like="0.000000") for value in found.tolist()] == expected


def test_residual_lifetime_is_the_published_one() -> None:
    # Fader & Hardie (2010), Table 3, case 1, in pymc-marketing's test_expected_residual_lifetime.
    found = SBG(3.8, 15.2).discounted_lifetime(np.arange(5.0), discount_rate_per_period=0.1)
    expected = ["3.31", "3.45", "3.59", "3.72", "3.84"]
    assert [printed(value, like="0.00") for value in found.tolist()] == expected


@pytest.mark.parametrize(
    ("model", "survivors"),
    [
        pytest.param(SBG(0.704, 1.182), REGULAR, id="regular"),
        pytest.param(SBG(0.668, 3.806), HIGH_END, id="high end"),
    ],
)
def test_survival_stays_near_what_was_observed(model: SBG, survivors: tuple[int, ...]) -> None:
    # pymc-marketing, test_expected_probability_alive: within 5 % in each of twelve years, of
    # which the fit has seen seven.
    forecast = model.survival(np.arange(13.0))
    assert forecast == pytest.approx(np.array(survivors) / 1000, rel=0.05)


# Twins

EXTREME = [SBG(alpha, beta) for alpha, beta in product([1e-3, 1.0, 1e4], repeat=2)]
PERIODS = (1, 2, 50, 3000, 4000)


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_probabilities_are_exact(model: SBG) -> None:
    alpha, beta = map(mpmath.mpf, astuple(model))

    def log_beta(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
        return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)

    for t in PERIODS:
        still_there = log_beta(alpha, beta + t) - log_beta(alpha, beta)
        gone = log_beta(alpha + 1, beta + t - 1) - log_beta(alpha, beta)
        periods = np.full(2, float(t))
        found = model.log_likelihood(periods, np.array([0.0, 1.0]))
        np.testing.assert_allclose(found, [float(still_there), float(gone)], rtol=1e-9)
        assert model.survival(periods)[0] == pytest.approx(float(mpmath.exp(still_there)), rel=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.1, 3.0])
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_residual_lifetime_is_the_closed_form(model: SBG, rate: float) -> None:
    alpha, beta = map(mpmath.mpf, astuple(model))
    found = model.discounted_lifetime(np.array([0.0, 40.0]), discount_rate_per_period=rate)
    for value, renewals in zip(found.tolist(), (0, 40), strict=True):
        b = beta + renewals
        gauss = mpmath.hyp2f1(1, b + 1, alpha + b + 1, 1 / (1 + mpmath.mpf(rate)))
        closed = b / (alpha + b) * gauss  # Fader & Hardie (2010), eq. 6
        assert value == pytest.approx(float(closed), rel=1e-9)


def test_undiscounted_lifetime_is_the_sum_of_all_survival() -> None:
    model = SBG(4.0, 7.0)
    (found,) = model.discounted_lifetime(np.zeros(1), discount_rate_per_period=0.0)
    assert found == pytest.approx(model.survival(np.arange(1.0, 1e5)).sum(), rel=1e-9)
    (nearly,) = model.discounted_lifetime(np.zeros(1), discount_rate_per_period=1e-12)
    assert nearly == pytest.approx(found, rel=1e-9)


def test_survival_is_the_average_over_a_population() -> None:
    theta = stats.beta.ppf((np.arange(20000) + 0.5) / 20000, 0.7, 1.2)
    for t in (1, 5, 30):
        mean = np.mean((1 - theta) ** t)
        assert SBG(0.7, 1.2).survival(np.array([float(t)]))[0] == pytest.approx(mean, rel=1e-3)


# Properties

models = st.builds(lambda a, b: SBG(10**a, 10**b), st.floats(-3, 4), st.floats(-3, 4))


@given(model=models, periods=st.integers(0, 5000))
def test_survival_never_rises(model: SBG, periods: int) -> None:
    before, after = model.survival(np.array([periods, periods + 1.0]))
    assert 0 <= after <= before <= 1


@given(model=models, periods=st.integers(1, 5000))
def test_who_stays_and_who_leaves_are_all(model: SBG, periods: int) -> None:
    t = np.array([float(periods)])
    assert model.retention_rate(t) + model.churn_rate(t) == pytest.approx(1, rel=1e-12)
    by_survival = model.survival(t) / np.maximum(model.survival(t - 1), 1e-300)
    if model.survival(t) > 1e-200:
        assert model.retention_rate(t) == pytest.approx(by_survival, rel=1e-9)


@given(model=models, last=st.integers(1, 60))
def test_what_can_happen_has_probability_one(model: SBG, last: int) -> None:
    periods = np.append(np.arange(1.0, last + 1), last)
    lost = np.append(np.ones(last), 0)
    assert np.exp(model.log_likelihood(periods, lost)).sum() == pytest.approx(1, rel=1e-9)


@given(model=models, renewals=st.integers(0, 500), rate=st.floats(1e-6, 5))
def test_who_renewed_more_often_stays_longer(model: SBG, renewals: int, rate: float) -> None:
    fewer, more = model.discounted_lifetime(
        np.array([renewals, renewals + 1.0]), discount_rate_per_period=rate
    )
    assert 0 < fewer <= more * (1 + 1e-12) <= (1 + rate) / rate * (1 + 1e-11)


@given(contracts=contract_histories())
def test_a_fit_is_at_least_as_likely_as_a_guess(contracts: Contracts) -> None:
    periods, lost = contracts
    found = SBG.fit(periods, lost)
    assert math.isfinite(found.log_likelihood)
    for guess in (SBG(0.7, 1.2), SBG(5.0, 50.0), SBG(0.05, 0.5)):
        assert found.log_likelihood >= guess.log_likelihood(periods, lost).sum() - 1e-6


@given(contracts=contract_histories())
def test_a_weighted_fit_is_a_fit_on_repeated_rows(contracts: Contracts) -> None:
    rows, n = np.unique(np.stack(contracts), axis=1, return_counts=True)
    weighted = SBG.fit(*rows, weights=n.astype(np.float64))
    repeated = SBG.fit(*(column[::-1] for column in contracts))
    assert weighted == repeated


def test_a_fit_finds_what_made_the_data() -> None:
    dice = np.random.default_rng(5)
    theta = dice.beta(1.5, 6.0, 100_000)
    lifetime = dice.geometric(theta)
    seen = dice.integers(1, 25, len(theta))
    found = SBG.fit(np.minimum(lifetime, seen).astype(float), (lifetime <= seen).astype(float))
    errors = np.array(astuple(found.model)) - (1.5, 6.0)
    told = np.array([error or math.nan for error in found.standard_errors])
    assert (np.abs(errors) < 3 * told).all()
    assert (told / (1.5, 6.0) < 0.05).all()


# Shape


def test_the_registry_knows_it() -> None:
    assert CONTRACT_MODELS["sbg"] is SBG


def test_no_customers_give_no_predictions() -> None:
    none = np.zeros(0)
    model = SBG(0.7, 1.2)
    assert model.log_likelihood(none, none).shape == (0,)
    assert model.retention_rate(none).shape == (0,)
    assert model.discounted_lifetime(none, discount_rate_per_period=0.1).shape == (0,)


def test_one_renewal_cannot_tell_two_parameters() -> None:
    found = SBG.fit(np.ones(100), np.repeat([0.0, 1.0], 50))
    assert found.standard_errors == (None, None)
    (note,) = found.diagnostics
    assert note == (
        "The data do not identify alpha and beta: "
        "values many times larger or smaller fit about as well."
    )


def test_customers_all_alike_are_reported() -> None:
    # A constant churn of one half, which no heterogeneity fits better.
    periods, lost, n = survivor_histories((1024, 512, 256, 128, 64))
    (note,) = SBG.fit(periods, lost, weights=n).diagnostics
    assert note == (
        "The likelihood has no maximum: alpha and beta grow without bound. "
        "Customers do not differ in churn probability."
    )


# Refusals


@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"alpha": 1.0, "beta": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        SBG(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == f"sBG parameters must be positive and finite, got SBG({shown})."


@pytest.mark.parametrize("model", list(CONTRACT_MODELS))
@pytest.mark.parametrize(
    ("periods", "lost", "found"),
    [
        ([3.0, 5.0], [0.0, 0.0], "nobody churned"),
        ([1.0, 1.0], [1.0, 1.0], "nobody renewed"),
        ([0.0, 0.0], [0.0, 0.0], "no renewal observed"),
    ],
)
def test_a_story_with_one_side_is_refused(
    model: str, periods: list[float], lost: list[float], found: str
) -> None:
    with pytest.raises(FitError) as caught:
        CONTRACT_MODELS[model].fit(np.array(periods), np.array(lost))
    assert str(caught.value) == (
        f"contracts: {found} in 2 of 2 customers.\nObserve them for longer before you fit."
    )


@pytest.mark.parametrize("model", list(CONTRACT_MODELS))
@pytest.mark.parametrize(
    ("periods", "lost"), [(2.5, 0.0), (0.0, 1.0), (-1.0, 0.0), (math.nan, 0.0), (3.0, 2.0)]
)
def test_periods_that_cannot_be_are_refused(model: str, periods: float, lost: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        CONTRACT_MODELS[model].fit(np.array([2.0, periods]), np.array([1.0, lost]))
    assert str(caught.value) == (
        "contracts: impossible history in 1 of 2 customers (row 1).\n"
        "Give whole periods, 1 or more where lost is 1; lost is 0 or 1."
    )


def test_an_endless_lifetime_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        SBG(0.7, 1.2).discounted_lifetime(np.zeros(1), discount_rate_per_period=0.0)
    assert str(caught.value) == (
        "Without discounting, the mean lifetime is infinite where the churn probability is "
        "Beta(0.7, ...): with 1 or less, some customers hardly ever churn.\n"
        "Use a discount rate above 0."
    )


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_discount_rate_must_be_a_fraction(rate: float) -> None:
    for model in (SBG(2.0, 1.2), BDW(2.0, 1.2, 1.0)):
        with pytest.raises(InvalidArgumentError) as caught:
            model.discounted_lifetime(np.zeros(1), discount_rate_per_period=rate)
        assert str(caught.value) == (
            f"discount_rate_per_period must be a fraction of 0 or more, got {rate}.\n"
            "Write 10 % as 0.1."
        )
