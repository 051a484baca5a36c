"""Pareto/NBD: against its papers and peers, then arbitrary precision, then what always holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, replace
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import MaximumLikelihood, ParetoNBD
from crmkit.models.purchases.pareto_nbd_likelihood import ParetoNBDLikelihood
from tests.published import all_printed, printed
from tests.strategies import History

REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

PAPER = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)
"""As printed by Fader, Hardie & Lee (2005), Marketing Science, Table 2; ages in weeks."""

CLVTOOLS = ParetoNBD(r=0.553277, alpha=10.5776829, s=0.6062398, beta=11.6687282)
"""The maximum on the CDNOW sample with more digits; ages in weeks."""

BTYD = ParetoNBD(r=0.5534, alpha=10.58, s=0.606, beta=11.658)
"""As printed in the walkthrough of the R package BTYD, whose own values have more digits."""


@pytest.fixture
def forty_digits() -> Iterator[None]:
    with mpmath.workdps(40):
        yield


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of the papers, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


@pytest.fixture(scope="module")
def found(cdnow: History) -> MaximumLikelihood[ParetoNBD]:
    """The fit to them."""
    return ParetoNBD.fit(*cdnow)


@pytest.fixture(scope="module")
def fitted(found: MaximumLikelihood[ParetoNBD]) -> ParetoNBD:
    """Its model, in weeks."""
    days = found.model
    return replace(days, alpha=days.alpha / WEEK, beta=days.beta / WEEK)


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


# Published


def test_fit_finds_the_published_parameters(
    cdnow: History, found: MaximumLikelihood[ParetoNBD], fitted: ParetoNBD
) -> None:
    # Fader, Hardie & Lee (2005), Marketing Science 24(2), Table 2: alpha and beta in weeks.
    expected = ("0.553", "10.578", "0.606", "11.669")
    assert tuple(printed(v, like=e) for v, e in zip(astuple(fitted), expected, strict=True)) == (
        expected
    )
    in_weeks = found.log_likelihood + cdnow[0].sum() * math.log(WEEK)
    assert printed(in_weeks, like="-9595.0") == "-9595.0"
    # CLVTools, tests/testthat/test_correctness_pnbd_nocovstaticcov.R; its search stops a little
    # short of the maximum.
    assert printed(in_weeks, like="-9594.976") == "-9594.976"
    np.testing.assert_allclose(astuple(fitted), (0.55315, 10.57633, 0.60625, 11.6715), rtol=3e-4)
    assert found.converged
    assert found.diagnostics == ()


def test_log_likelihood_at_the_peers_estimates(cdnow: History) -> None:
    # CLVTools, tests/testthat/test_correctness_pnbd_nocovstaticcov.R.
    x, t_x, T = cdnow[0], cdnow[1] / WEEK, cdnow[2] / WEEK
    found = CLVTOOLS.log_likelihood(x, t_x, T).sum()
    assert printed(found, like="-9594.976") == "-9594.976"


def test_customer_1516_of_the_btyd_walkthrough() -> None:
    # BTYD walkthrough. It prints three decimals of its parameters, too few for the seven digits
    # of 25.45647.
    history = one(26, 30.857142857, 31)
    (p,) = BTYD.probability_alive(*history)
    assert printed(p, like="0.997874") == "0.997874"
    found = BTYD.expected_purchases(*history, horizon_days=52)
    assert found == pytest.approx(25.45647, abs=0.002)
    # lifetimes, tests/test_estimation.py, test_conditional_probability_alive.
    model = ParetoNBD(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562)
    (p,) = model.probability_alive(*one(26, 30.86, 31))
    assert printed(p, like="0.9979") == "0.9979"


def test_the_more_one_bought_the_worse_the_same_silence_is() -> None:
    # BTYD walkthrough, "increasing frequency paradox". It prints three decimals of the parameters,
    # which leave the fourth digit open.
    x = np.array([10.0, 15, 20, 25])
    found = BTYD.expected_purchases(x, np.full(4, 20.0), np.full(4, 39.0), horizon_days=52)
    np.testing.assert_allclose(found, [0.7062289, 0.1442396, 0.02250658, 0.00309267], rtol=2e-4)


def test_expected_purchases_by_frequency(cdnow: History) -> None:
    # BTYD walkthrough: mean over the customers with 0, 1, ... 6, 7 or more, in 39 weeks. Its
    # unrounded parameters make 2.399 of 2.3984; the other seven are as printed.
    x, t_x, T = cdnow
    found = BTYD.expected_purchases(x, t_x / WEEK, T / WEEK, horizon_days=39)
    group = np.minimum(x, 7).astype(np.int64)
    means = np.bincount(group, found) / np.bincount(group)
    published = [0.138, 0.6, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403]
    np.testing.assert_allclose(means, published, atol=0.00065)
    assert (np.round(means, 3) == published).tolist() == [True] * 4 + [False] + [True] * 3


def test_expected_purchases_of_a_new_customer(fitted: ParetoNBD) -> None:
    # BTYD walkthrough, a year.
    (a_year,) = fitted.expected_purchases_new(np.array([52.0]))
    assert printed(a_year, like="1.473434") == "1.473434"


def test_expected_purchases_of_a_new_customer_by_week() -> None:
    # lifetimes, test_expectation_returns_same_value_as_R_BTYD, at the parameters of the example in
    # BTYD's manual, from which the numbers come. lifetimes sets others, and allows 0.01.
    manual = ParetoNBD(r=0.55, alpha=10.56, s=0.61, beta=11.64)
    found = manual.expected_purchases_new(np.arange(10.0))
    expected = (
        "0 0.05077821 0.09916088 0.14542507 0.1897993 0.23247466 0.27361274 0.31335159 0.35181024 "
        "0.38909211"
    )
    assert all_printed(found, like=expected) == expected


def test_best_customers_who_bought_on_the_last_day() -> None:
    # lifetimes, tests/test_estimation.py, test_conditional_expectation_underflow.
    model = ParetoNBD(r=0.55, alpha=10.58, s=0.61, beta=11.67)
    x, T = np.array([132.0, 133]), np.full(2, 200.0)
    found = model.expected_purchases(x, T, T, horizon_days=10)
    np.testing.assert_allclose(found, [6.206051788963242, 6.252872247574811], rtol=1e-12)


def test_an_independent_implementation_agrees() -> None:
    # Not from a paper: a second opinion, computed with other code.
    x, t_x = np.array([2.0, 7, 0, 26]), np.array([30.43, 29.43, 0, 30.86])
    T = np.array([38.86, 38.86, 38.86, 31.0])
    alive = [0.8691156802, 0.7494116165, 0.2950958017, 0.9979178934]
    np.testing.assert_allclose(CLVTOOLS.probability_alive(x, t_x, T), alive, rtol=1e-9)
    expected = [1.4550988292, 3.7116994741, 0.1070588615, 20.1157186361]
    found = CLVTOOLS.expected_purchases(x, t_x, T, horizon_days=39)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    discounted = CLVTOOLS.discounted_purchases(
        x,
        t_x,
        T,
        horizon_days=math.inf,
        annual_discount_rate=math.expm1(math.log(1.15) / 52 * 365.25),
    )
    expected = [6.499982916, 16.58030553, 0.4782360872, 86.26148789]
    np.testing.assert_allclose(discounted, expected, rtol=1e-9)


# Twins

EXTREME = [
    ParetoNBD(r=0.553, alpha=74.0, s=0.606, beta=81.7),
    ParetoNBD(r=1e-3, alpha=1e4, s=1.0, beta=1e-3),
    ParetoNBD(r=1e4, alpha=1e-3, s=0.5, beta=1e4),
    ParetoNBD(r=1.0, alpha=1.0, s=1.0, beta=1.0),
    ParetoNBD(r=50.0, alpha=1e3, s=1e4, beta=1.1e3),
    ParetoNBD(r=1e-3, alpha=1e-3, s=1e-3, beta=1e-3),
    ParetoNBD(r=0.3, alpha=7.0, s=1e4, beta=1e-3),
    ParetoNBD(r=1e4, alpha=1e4, s=1.0, beta=5e3),
]
AWKWARD = [
    (x, share * T if x else 0.0, T)
    for x, (share, T) in product(
        [0, 1, 50, 3000, 5000], [(1.0, 4000.0), (0.5, 4000.0), (0.5, 1.0), (0.999, 26280.0)]
    )
]


def leaving_first(shape: mpmath.mpf, s: mpmath.mpf, ratio: mpmath.mpf) -> mpmath.mpf:
    """Probability of leaving before buying, as a 2F1; ratio is (alpha + t) / (beta + t)."""
    if ratio < 1:
        gauss = ratio * mpmath.hyp2f1(1, s + 1, shape + s + 1, 1 - ratio)
    else:
        gauss = mpmath.hyp2f1(1, shape, shape + s + 1, 1 - 1 / ratio)
    return s / (shape + s) * gauss


@pytest.mark.usefixtures("forty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_all_is_exact(model: ParetoNBD) -> None:
    # Fader & Hardie (2005), brucehardie.com/notes/009, sections 3, 5 and 6: two integrals
    # from t_x and from T on, one less the other.
    r, alpha, s, beta = map(mpmath.mpf, astuple(model))
    horizon = 365.0
    for x, t_x, T in AWKWARD:
        weight = {age: (alpha + age) ** -(r + x) * (beta + age) ** -s for age in (t_x, T)}
        gone = {
            age: weight[age] * leaving_first(r + x, s, (alpha + age) / (beta + age))
            for age in (t_x, T)
        }
        both = weight[T] + gone[t_x] - gone[T]
        log_likelihood = mpmath.log(mpmath.rf(r, x) * alpha**r * beta**s * both)
        (found,) = model.log_likelihood(*one(x, t_x, T))
        # The log of a probability next to 1 is known to the digits of that probability.
        assert found == pytest.approx(float(log_likelihood), rel=1e-9, abs=1e-12)
        (p,) = model.probability_alive(*one(x, t_x, T))
        assert p == pytest.approx(float(weight[T] / both), rel=1e-9, abs=1e-300)
        stretch = mpmath.log1p(horizon / (beta + T))
        active = stretch if s == 1 else (1 - mpmath.exp(-(s - 1) * stretch)) / (s - 1)
        expected = weight[T] / both * (r + x) / (alpha + T) * (beta + T) * active
        (found,) = model.expected_purchases(*one(x, t_x, T), horizon_days=horizon)
        assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(0.6062, id="as fitted"),
        pytest.param(1.0, id="s = 1, where BTYD's is singular"),
        pytest.param(2.0, id="s = 2, where BTYD's is singular"),
        pytest.param(7.3, id="soon lost"),
    ],
)
@pytest.mark.parametrize("rate", [0.05, 0.15, 3.0])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 272), (7, 206, 272), (26, 216, 217)])
def test_purchases_for_ever_are_the_printed_closed_form(
    s: float, rate: float, x: int, t_x: float, T: float
) -> None:
    # Fader, Hardie & Lee (2005), JMR 42(4), with Tricomi's U; the one that BTYD
    # writes out is infinite at whole s.
    model = ParetoNBD(r=0.553, alpha=74.0, s=s, beta=81.7)
    delta = mpmath.log1p(rate) / 365.25
    tricomi = mpmath.hyperu(s, s, delta * (model.beta + T))
    (p,) = model.probability_alive(*one(x, t_x, T))
    rate_if_alive = (model.r + x) / (model.alpha + T)
    expected = p * rate_if_alive * (model.beta + T) ** s * delta ** (s - 1) * tricomi
    (found,) = model.discounted_purchases(
        *one(x, t_x, T), horizon_days=math.inf, annual_discount_rate=rate
    )
    assert found == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(("s", "beta"), [(0.6, 80.0), (5.0, 1e-3), (100.0, 100.0), (1000.0, 10.0)])
def test_soon_lost_customers_are_discounted_as_exactly(s: float, beta: float) -> None:
    # Where s is large, buying dies off long before beta is over.
    model, (x, t_x, T) = ParetoNBD(r=0.5, alpha=70.0, s=s, beta=beta), (2, 100, 200)
    delta = mpmath.log1p(0.1) / 365.25
    stays = mpmath.quad(
        lambda days: mpmath.exp(-delta * days) * ((beta + T) / (beta + T + days)) ** s,
        [0, *(mpmath.mpf(1095) / 10**k for k in range(6, -1, -1))],
    )
    (p,) = model.probability_alive(*one(x, t_x, T))
    (found,) = model.discounted_purchases(
        *one(x, t_x, T), horizon_days=1095, annual_discount_rate=0.1
    )
    assert found == pytest.approx(float(p * 2.5 / 270 * stays), rel=1e-9)


def test_without_discount_all_purchases_count() -> None:
    history = one(2, 30, 39)
    found = PAPER.discounted_purchases(*history, horizon_days=100, annual_discount_rate=0.0)
    np.testing.assert_allclose(
        found, PAPER.expected_purchases(*history, horizon_days=100), rtol=1e-12
    )


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 38.86), (1, 1.71, 38.86), (4, 26, 30)])
def test_log_likelihood_is_the_average_over_a_population(x: int, t_x: float, T: float) -> None:
    r, alpha, s, beta = astuple(PAPER)
    quantiles = (np.arange(2000) + 0.5) / 2000
    rate = stats.gamma.ppf(quantiles, r, scale=1 / alpha)
    leaving = stats.gamma.ppf(quantiles, s, scale=1 / beta)[:, np.newaxis]
    left = leaving * np.exp(-(rate + leaving) * t_x) + rate * np.exp(-(rate + leaving) * T)
    (log_likelihood,) = PAPER.log_likelihood(*one(x, t_x, T))
    average = np.mean(rate**x * left / (rate + leaving))
    assert np.exp(log_likelihood) == pytest.approx(average, rel=1e-3)


@pytest.mark.parametrize("n", [0, 1, 5, 40])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 0), (2, 30.43, 38.86), (400, 38.5, 38.86)])
def test_purchase_distribution_is_the_average_over_the_day_of_leaving(
    n: int, x: int, t_x: float, T: float
) -> None:
    r, alpha, s, beta = PAPER.r + x, PAPER.alpha + T, PAPER.s, PAPER.beta + T

    def counts(days: float) -> float:
        return float(stats.nbinom.pmf(n, r, alpha / (alpha + days)))

    def leaves(days: float) -> float:
        return float(counts(days) * s / (beta + days) * (beta / (beta + days)) ** s)

    horizon = 52.0
    left, _ = integrate.quad(leaves, 0, horizon, epsabs=0, epsrel=1e-11, limit=500)
    if_alive = left + counts(horizon) * (beta / (beta + horizon)) ** s
    (p,) = PAPER.probability_alive(*one(x, t_x, T))
    found = PAPER.purchase_distribution(*one(x, t_x, T), horizon_days=horizon, most=60)
    assert found[0, n] == pytest.approx(p * if_alive + (n == 0) * (1 - p), rel=1e-9)


@pytest.mark.parametrize("model", [CLVTOOLS, ParetoNBD(r=3.0, alpha=1.0, s=200.0, beta=0.7)])
def test_gradient_and_hessian_are_differences_of_the_log_likelihood(
    cdnow: History, model: ParetoNBD
) -> None:
    likelihood = ParetoNBDLikelihood(*cdnow, np.ones(2357))
    where = np.log(astuple(model))
    value, gradient, hessian = likelihood(where)
    assert value == pytest.approx(model.log_likelihood(*cdnow).sum(), rel=1e-12)
    steps = 1e-5 * np.eye(4)
    ahead = [likelihood(where + step) for step in steps]
    behind = [likelihood(where - step) for step in steps]
    slopes = [(a[0] - b[0]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-3)
    bends = [(a[1] - b[1]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-4)


# Shape


def test_no_customers_give_no_predictions() -> None:
    none = (np.zeros(0),) * 3
    assert PAPER.log_likelihood(*none).shape == (0,)
    assert PAPER.probability_alive(*none).shape == (0,)
    assert PAPER.probability_alive_later(*none, days=30).shape == (0,)
    assert PAPER.expected_purchases(*none, horizon_days=30).shape == (0,)
    assert PAPER.expected_purchases_new(np.zeros(0)).shape == (0,)
    assert PAPER.purchase_distribution(*none, horizon_days=30, most=4).shape == (0, 5)
    found = PAPER.discounted_purchases(*none, horizon_days=30, annual_discount_rate=0.1)
    assert found.shape == (0,)
    customer, age = PAPER.simulate(np.zeros(0), rng=np.random.default_rng(0))
    assert customer.shape == age.shape == (0,)


def test_a_fitted_model_prints_as_its_parameters() -> None:
    assert str(PAPER) == "ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)"


# Refusals


@pytest.mark.parametrize("name", ["r", "alpha", "s", "beta"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"r": 1.0, "alpha": 1.0, "s": 1.0, "beta": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        ParetoNBD(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == (
        f"Pareto/NBD parameters must be positive and finite, got ParetoNBD({shown})."
    )


def test_without_a_repeat_purchase_nothing_can_be_told() -> None:
    with pytest.raises(FitError) as caught:
        ParetoNBD.fit(np.zeros(200), np.zeros(200), np.full(200, 90.0))
    assert str(caught.value) == (
        "customer summary: no repeat purchase in 200 of 200 customers.\n"
        "Observe them for longer before you fit."
    )
