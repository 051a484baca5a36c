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
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from crmkit.models import NBD, MaximumLikelihood, ParetoNBD
from crmkit.models.purchases.likelihoods.pareto_dropout_integral import dropout_first_by_quadrature
from tests.published import all_printed, printed
from tests.strategies import History, histories, pareto_nbd_models, summarized

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


@pytest.mark.slow
@pytest.mark.usefixtures("forty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_all_is_exact(model: ParetoNBD) -> None:
    # Fader & Hardie (2005), brucehardie.com/notes/009, sections 3, 5 and 6: two integrals
    # from t_x and from T on, one less the other.
    r, alpha, s, beta = map(mpmath.mpf, astuple(model))
    horizon = 365.0
    # mpmath's own 2F1 takes seconds at x = 5,000 where alpha is 10,000 and beta is 0.001.
    rows = [row for row in AWKWARD if row[:2] != (5000, 2000.0) or model != EXTREME[1]]
    for x, t_x, T in rows:
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


# Properties


@given(powers=st.tuples(st.floats(-3, 4), st.floats(-3, 4)), log_ratio=st.floats(-16, 16))
def test_one_either_leaves_or_buys_first(powers: tuple[float, float], log_ratio: float) -> None:
    shape, s = (10**power for power in powers)
    leaves = dropout_first_by_quadrature(np.array([shape]), s, np.array([log_ratio]))[0, 0, 0]
    buys = dropout_first_by_quadrature(np.array([s]), shape, np.array([-log_ratio]))[0, 0, 0]
    assert math.exp(leaves) + math.exp(buys) == pytest.approx(1, abs=1e-12)


@given(model=pareto_nbd_models(), history=histories())
def test_where_nobody_leaves_it_is_the_nbd(model: ParetoNBD, history: History) -> None:
    staying, nbd = replace(model, s=1e-13), NBD(r=model.r, alpha=float(model.alpha))
    x, _, T = history  # silence would speak for leaving, however rare that is
    np.testing.assert_allclose(
        staying.log_likelihood(x, T, T), nbd.log_likelihood(x, T, T), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        staying.expected_purchases(x, T, T, horizon_days=90),
        nbd.expected_purchases(x, T, T, horizon_days=90),
        rtol=1e-9,
    )


def test_a_fit_needs_no_whole_days(cdnow: History) -> None:
    x, t_x, T = cdnow
    by_day = ParetoNBD.fit(x, t_x, T).model
    by_second = ParetoNBD.fit(x, t_x / 86400, T / 86400).model
    found = replace(by_second, alpha=by_second.alpha * 86400, beta=by_second.beta * 86400)
    np.testing.assert_allclose(astuple(found), astuple(by_day), rtol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_a_fit_is_at_least_as_likely_as_the_truth(seed: int) -> None:
    # lifetimes stopped 14, 30 and 35 units short, in silence, on such data.
    rng = np.random.default_rng(seed)
    r, s = 10 ** rng.uniform(-1.3, 1.3, 2)
    truth = ParetoNBD(r, r * 10 ** rng.uniform(1.3, 2.8), s, s * 10 ** rng.uniform(0.5, 3.5))
    ages = rng.integers(75, rng.integers(100, 3000), 1000).astype(np.float64)
    history = summarized(*truth.simulate(ages, rng=rng), ages)
    found = ParetoNBD.fit(*history)
    assert found.log_likelihood >= truth.log_likelihood(*history).sum() - 1e-6
    assert found.converged or found.diagnostics
