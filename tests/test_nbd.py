"""NBD: against its published fit, then against arbitrary precision and plain sums."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit.models import BGNBD, NBD
from crmkit.models.numerics.discounting import DAYS_PER_YEAR
from tests.published import printed
from tests.strategies import History, histories, summarized

REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

CDNOW = NBD(r=0.385, alpha=12.072)
"""On the CDNOW sample; ages in weeks."""


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of the BG/NBD paper, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


@st.composite
def nbd_models(draw: st.DrawFn) -> NBD:
    """An NBD model, from hardly to wildly varied customers."""
    return NBD(r=10 ** draw(st.floats(-2, 2)), alpha=10 ** draw(st.floats(-1, 4)))


# Published


def test_fit_finds_the_published_parameters(cdnow: History) -> None:
    # Fader, Hardie & Lee (2005), the NBD benchmark, and BTYDplus, demo/cdnow.R; in weeks.
    found = NBD.fit(*cdnow)
    in_weeks = astuple(replace(found.model, alpha=found.model.alpha / WEEK))
    expected = ("0.385", "12.072")
    assert tuple(printed(v, like=e) for v, e in zip(in_weeks, expected, strict=True)) == expected
    log_likelihood = found.log_likelihood + cdnow[0].sum() * math.log(WEEK)
    assert printed(log_likelihood, like="-9763.7") == "-9763.7"
    assert found.converged
    assert found.diagnostics == ()


# Twins

EXTREME = [
    NBD(r=0.385, alpha=84.5),
    NBD(r=1e-3, alpha=1e4),
    NBD(r=1e4, alpha=1e-3),
    NBD(r=1e-3, alpha=1e-3),
    NBD(r=1e4, alpha=1e4),
]
AWKWARD = [
    (x, share * T if x else 0.0, T)
    for x, (share, T) in product([0, 1, 50, 3000, 5000], [(1.0, 4000.0), (0.5, 1.0)])
]


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_likelihood_and_forecasts_are_exact(model: NBD) -> None:
    r, alpha = map(mpmath.mpf, astuple(model))
    for x, t_x, T in AWKWARD:
        exact = mpmath.rf(r, x) * alpha**r * (alpha + T) ** -(r + x)
        (found,) = model.log_likelihood(*one(x, t_x, T))
        assert found == pytest.approx(float(mpmath.log(exact)), rel=1e-9)
        (expected,) = model.expected_purchases(*one(x, t_x, T), horizon_days=365)
        assert expected == pytest.approx(float((r + x) / (alpha + T) * 365), rel=1e-14)
        chances = model.purchase_distribution(*one(x, t_x, T), horizon_days=365, most=50)
        left = (alpha + T) / (alpha + T + 365)
        for n in (0, 1, 50):
            weight = mpmath.rf(r + x, n) / mpmath.factorial(n) * left ** (r + x)
            chance = float(weight * (1 - left) ** n)
            assert chances[0, n] == pytest.approx(chance, rel=1e-9, abs=1e-300)


def test_log_likelihood_is_the_average_over_a_population() -> None:
    rate = stats.gamma.ppf((np.arange(20_000) + 0.5) / 20_000, CDNOW.r, scale=1 / CDNOW.alpha)
    (found,) = CDNOW.log_likelihood(*one(3, 30, 38))
    assert np.exp(found) == pytest.approx(np.mean(rate**3 * np.exp(-38 * rate)), rel=1e-3)


@pytest.mark.parametrize("rate", [0.1, 15.0])
def test_for_ever_is_a_perpetuity(rate: float) -> None:
    (found,) = CDNOW.discounted_purchases(
        *one(3, 30, 38), horizon_days=math.inf, annual_discount_rate=rate
    )
    per_day = (CDNOW.r + 3) / (CDNOW.alpha + 38)
    assert found == pytest.approx(per_day * DAYS_PER_YEAR / math.log1p(rate), rel=1e-10)


def test_simulated_purchases_are_negative_binomial_and_uniform_in_time() -> None:
    T = np.repeat([20.0, 80.0], 20_000)
    customer, age = CDNOW.simulate(T, rng=np.random.default_rng(1))
    x, _, _ = summarized(customer, age, T)
    for seen in (20.0, 80.0):
        (chances,) = CDNOW.purchase_distribution(*one(0, 0, 0), horizon_days=seen, most=3)
        found = [np.mean(x[seen == T] == n) for n in range(4)]
        np.testing.assert_allclose(found, chances, atol=4 * math.sqrt(0.25 / 20_000))
    assert stats.kstest(age / T[customer], "uniform").pvalue > 0.001
    assert (np.lexsort((age, customer)) == np.arange(len(age))).all()
    assert ((age > 0) & (age <= T[customer])).all()


# Properties


@given(model=nbd_models(), history=histories(max_size=5))
def test_nobody_leaves(model: NBD, history: History) -> None:
    assert (model.probability_alive(*history) == 1).all()
    assert (model.probability_alive_later(*history, days=1e4) == 1).all()


@given(model=nbd_models(), history=histories(max_size=5))
def test_bg_nbd_comes_to_it_where_hardly_anybody_leaves(model: NBD, history: History) -> None:
    x, _, T = history
    just_bought = x, np.where(x > 0, T, 0.0), T
    stays = BGNBD(r=model.r, alpha=model.alpha, a=1e-9, b=1e9)
    np.testing.assert_allclose(
        model.expected_purchases(*just_bought, horizon_days=90),
        stays.expected_purchases(*just_bought, horizon_days=90),
        rtol=1e-9,
    )


@given(days=st.floats(0, 100))
def test_the_distribution_sums_to_one_and_has_the_expected_mean(days: float) -> None:
    (chances,) = CDNOW.purchase_distribution(*one(0, 0, 0), horizon_days=days, most=2000)
    assert chances.sum() == pytest.approx(1, rel=1e-12)
    (expected,) = CDNOW.expected_purchases_new(np.array([days]))
    assert chances @ np.arange(2001.0) == pytest.approx(expected, rel=1e-10)
    assert expected == CDNOW.expected_purchases(*one(0, 0, 0), horizon_days=days)[0]


def test_a_fit_says_when_customers_do_not_differ() -> None:
    found = NBD.fit(np.full(200, 12.0), np.full(200, 350.0), np.full(200, 365.0))
    assert not found.converged
    assert "Customers do not differ in purchase rate." in " ".join(found.diagnostics)
