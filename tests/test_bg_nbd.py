"""BG/NBD: against its papers, then against slow twins, then what holds for any customer."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from crmkit.models import BGNBD
from tests.published import all_printed, printed
from tests.strategies import History

REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

PAPER = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""As printed by Fader, Hardie & Lee (2005), Table 2; ages in weeks."""

BTYD = BGNBD(r=0.2425967, alpha=4.413659, a=0.7929869, b=2.426164)
"""As printed in the walkthrough of the R package BTYD; ages in weeks."""


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of that paper, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


@pytest.fixture(scope="module")
def fitted(cdnow: History) -> BGNBD:
    """The fit to them, in weeks: the unrounded parameters of Hardie's spreadsheet."""
    found = BGNBD.fit(*cdnow).model
    return replace(found, alpha=found.alpha / WEEK)


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


# Published


def test_fit_finds_the_published_parameters(fitted: BGNBD) -> None:
    # Fader, Hardie & Lee (2005), Table 2: alpha in weeks.
    expected = "0.243 4.414 0.793 2.426"
    assert all_printed(astuple(fitted), like=expected) == expected


def test_the_largest_log_likelihood_is_the_published_one(cdnow: History) -> None:
    # Fader, Hardie & Lee (2005), Table 2. A density per week is seven times one per day.
    found = BGNBD.fit(*cdnow)
    in_weeks = found.log_likelihood + cdnow[0].sum() * math.log(WEEK)
    assert printed(in_weeks, like="-9582.4") == "-9582.4"
    assert found.converged
    assert found.diagnostics == ()


@pytest.mark.parametrize(
    ("expected", "rtol"),
    [
        pytest.param((0.2425945, 4.4136019, 0.7929199, 2.4258881), 1e-5, id="CLVTools tests"),
        pytest.param((0.2425967, 4.413659, 0.7929869, 2.426164), 1.2e-4, id="BTYD walkthrough"),
    ],
)
def test_fit_agrees_with_the_peers(fitted: BGNBD, expected: tuple[float, ...], rtol: float) -> None:
    # CLVTools, tests/testthat/test_correctness_bgnbd.R, and the BTYD walkthrough. Their searches
    # stop a little short of the maximum, hence the tolerances.
    np.testing.assert_allclose(astuple(fitted), expected, rtol=rtol)


def test_log_likelihood_at_the_peers_estimates(cdnow: History) -> None:
    # CLVTools, tests/testthat/test_correctness_bgnbd.R, and the BTYD walkthrough: -9582.429.
    x, t_x, T = cdnow[0], cdnow[1] / WEEK, cdnow[2] / WEEK
    for model in (BGNBD(0.2425945, 4.4136019, 0.7929199, 2.4258881), BTYD):
        assert printed(model.log_likelihood(x, t_x, T).sum(), like="-9582.429") == "-9582.429"


def test_fit_on_calendar_weeks_finds_the_parameters_of_clvkit() -> None:
    # clvkit 0.2.1 on the CDNOW sample with purchases merged by calendar week.
    x, t_x, T, n = np.loadtxt(REFERENCE / "cdnow_calendar_weeks.csv", delimiter=",", skiprows=1).T
    found = BGNBD.fit(x, t_x, T, weights=n)
    expected = (0.28344981, 6.59110883, 0.77846135, 2.55342027)
    np.testing.assert_allclose(astuple(found.model), expected, rtol=1e-6)  # of a flat top
    assert printed(found.log_likelihood, like="-9154.833809") == "-9154.833809"
    assert found.n_customers == 2357


def test_log_likelihood_of_single_histories(fitted: BGNBD) -> None:
    # Hardie's spreadsheet (brucehardie.com/notes/004), in pymc-marketing's TestBetaGeoNBD, which
    # rounds the parameters and the ages, 30.43 weeks for 213 days. The spreadsheet does not.
    x = np.array([2.0, 1, 0, 7, 1, 2, 5, 10, 1])
    days = np.array([213.0, 12, 0, 206, 35, 250, 171, 239, 34])
    found = fitted.log_likelihood(x, days / WEEK, np.full(9, 272 / WEEK))
    expected = "-9.4596 -4.4711 -0.5538 -21.8644 -4.8651 -9.5367 -17.3593 -27.3144 -4.8520"
    assert all_printed(found, like=expected) == expected


def test_log_likelihood_of_a_very_frequent_buyer() -> None:
    # brucehardie.com/notes/027, in pymc-marketing's test_numerically_stable_logp.
    model = BGNBD(r=0.25, alpha=4.0, a=0.8, b=2.5)
    none, many = model.log_likelihood(np.array([0.0, 200]), np.array([0.0, 38]), np.full(2, 40.0))
    assert printed(none, like="-0.59947382") == "-0.59947382"
    assert printed(many, like="100.7957") == "100.7957"


def test_log_likelihood_of_one_customer_to_the_last_digit() -> None:
    # clvkit, tests/test_bgnbd_likelihood.py.
    (found,) = PAPER.log_likelihood(*one(4, 30.7, 38.9))
    assert found == pytest.approx(-15.32935235570709, rel=1e-12)


@pytest.mark.parametrize(
    ("history", "rate", "expected"),
    [
        pytest.param((5, 4.3, 10), 0.4, "-8.391471061598", id="buys often"),
        pytest.param((5, 4.3, 10), 0.3, "-9.15153637", id="less often"),
        pytest.param((5, 4.3, 10), 0.2, "-10.42037984", id="seldom"),
        pytest.param((4, 3.3, 10), 0.2, "-8.57264195", id="one purchase less"),
    ],
)
def test_customers_who_are_all_alike(
    history: tuple[float, float, float], rate: float, expected: str
) -> None:
    # pymc-marketing, TestContNonContract: one rate of buying and one probability of leaving,
    # 0.15, for everybody; here the limit of ever more like customers, who leave two digits of
    # -8.39147106159807 open.
    alike = 1e13
    model = BGNBD(r=alike, alpha=alike / rate, a=alike * 0.15, b=alike * 0.85)
    found = float(model.log_likelihood(*one(*history))[0])
    assert printed(found, like=expected) == expected


def test_expected_purchases_of_the_worked_example() -> None:
    # Hardie's spreadsheet (brucehardie.com/notes/004): x=2, t_x=30.43, T=38.86, t=39.
    (found,) = PAPER.expected_purchases(*one(2, 30.43, 38.86), horizon_days=39)
    assert printed(found, like="1.226") == "1.226"


def test_customer_1516_of_the_btyd_walkthrough() -> None:
    history = one(26, 30.857142857, 31)
    (p,) = BTYD.probability_alive(*history)
    (expected,) = BTYD.expected_purchases(*history, horizon_days=52)
    assert printed(p, like="0.9688523") == "0.9688523"
    assert printed(expected, like="25.75659") == "25.75659"


def test_the_more_one_bought_the_worse_the_same_silence_is() -> None:
    # BTYD walkthrough, "increasing frequency paradox".
    x = np.array([10.0, 15, 20, 25])
    found = BTYD.expected_purchases(x, np.full(4, 20.0), np.full(4, 39.0), horizon_days=52)
    np.testing.assert_allclose(found, [0.3474606, 0.04283391, 0.004158973, 0.0003583685], rtol=2e-7)


def test_expected_purchases_of_a_new_customer(fitted: BGNBD) -> None:
    (a_year,) = BTYD.expected_purchases_new(np.array([52.0]))  # BTYD walkthrough
    assert printed(a_year, like="1.444004") == "1.444004"
    # Hardie's spreadsheet, in lifetimes' test_estimation.py, which rounds the parameters and the
    # days: 0.1429 weeks for one day.
    days = np.array([1.0, 7, 21, 223, 224])
    found = fitted.expected_purchases_new(days / WEEK)
    expected = "0.0078 0.0532 0.1506 1.0405 1.0437"
    assert all_printed(found, like=expected) == expected


def test_expected_purchases_of_a_new_customer_in_78_weeks(fitted: BGNBD) -> None:
    # Hardie's spreadsheet, in lifetimes' test_estimation.py: 1.8576 where ours is 0.0004 more. Its
    # five shorter horizons agree to the last digit.
    (found,) = fitted.expected_purchases_new(np.array([78.0]))
    assert found == pytest.approx(1.8576, abs=4e-4)


def test_expected_purchases_of_all_new_customers_by_week(cdnow: History) -> None:
    # BTYD walkthrough, weeks 20 to 25 after the first purchase of all: cumulative, then weekly.
    first_week = (cdnow[2].max() - cdnow[2]) / WEEK
    cumulative = np.array(
        [BTYD.expected_purchases_new(week - first_week).sum() for week in range(19, 26)]
    )
    published = [1312.458, 1387.346, 1460.392, 1531.713, 1601.418, 1669.6]
    np.testing.assert_allclose(cumulative[1:], published, rtol=1e-6)
    published = [76.86531, 74.88843, 73.04554, 71.32166, 69.70412, 68.18213]
    np.testing.assert_allclose(np.diff(cumulative), published, rtol=1e-6)


@pytest.mark.parametrize(
    ("n", "weeks", "expected"), [(10, 2, "1.07869e-07"), (0, 39, "5.737864e-01")]
)
def test_probability_of_so_many_purchases(n: int, weeks: float, expected: str) -> None:
    # lifetimes, test_probability_of_n_purchases_up_to_time_same_as_R_BTYD.
    (found,) = PAPER.purchase_distribution(*one(0, 0, 0), horizon_days=weeks, most=n)[0, -1:]
    digits = len(expected.partition("e")[0]) - 2
    assert f"{found:.{digits}e}" == expected


def test_expected_purchases_within_thirty_days() -> None:
    # lifetimes, test_customer_lifetime_value_with_known_values. Two decimals of the parameters
    # are known, which leave 2.4 % open.
    model = BGNBD(r=0.16, alpha=1.86, a=1.85, b=3.18)
    x, t_x = np.array([0.0, 0, 6, 0, 2]), np.array([0.0, 0, 142, 0, 9])
    T = np.array([298.0, 224, 292, 147, 183])
    found = model.expected_purchases(x, t_x, T, horizon_days=30)
    np.testing.assert_allclose(
        found, [0.016053, 0.021171, 0.030461, 0.031686, 0.001607], rtol=0.024
    )


@pytest.mark.parametrize("age", [1.0, 38.86, 4000.0])
def test_without_a_repeat_purchase_one_is_alive(age: float) -> None:
    # lifetimes, test_conditional_probability_alive_returns_1_if_no_repeat_purchases.
    assert PAPER.probability_alive(*one(0, 0, age)) == 1.0


def test_a_very_frequent_buyer_long_silent_is_gone() -> None:
    # lifetimes, test_no_runtime_warnings_high_frequency.
    assert PAPER.probability_alive(*one(1000, 10, 100)) == pytest.approx(0, abs=1e-12)


# Twins

EXTREME = [
    BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426),
    BGNBD(r=1e-3, alpha=1e4, a=1.0, b=1e-3),
    BGNBD(r=1e4, alpha=1e-3, a=0.5, b=1e4),
    BGNBD(r=1.0, alpha=1.0, a=1.0, b=1.0),
    BGNBD(r=50.0, alpha=1e3, a=1e4, b=1e4),
    BGNBD(r=1e-3, alpha=1e-3, a=1e-3, b=1e-3),
    BGNBD(r=0.3, alpha=7.0, a=1e4, b=1e-3),
    BGNBD(r=1e4, alpha=1e4, a=1.0, b=20.0),
]
AWKWARD = [
    (x, share * T if x else 0.0, T)
    for x, (share, T) in product([0, 1, 50, 3000, 5000], [(1.0, 4000.0), (0.5, 4000.0), (0.5, 1.0)])
]


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_log_likelihood_is_exact(model: BGNBD) -> None:
    r, alpha, a, b = map(mpmath.mpf, astuple(model))
    for x, t_x, T in AWKWARD:
        stayed = mpmath.beta(a, b + x) * (alpha + T) ** -(r + x)
        left = mpmath.beta(a + 1, b + x - 1) * (alpha + t_x) ** -(r + x) if x else 0
        buying = mpmath.rf(r, x) * alpha**r / mpmath.beta(a, b)
        (log_likelihood,) = model.log_likelihood(*one(x, t_x, T))
        assert log_likelihood == pytest.approx(
            float(mpmath.log(buying * (stayed + left))), rel=1e-9
        )
        (p,) = model.probability_alive(*one(x, t_x, T))
        assert p == pytest.approx(float(stayed / (stayed + left)), rel=1e-9, abs=1e-300)


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_expected_purchases_are_exact(model: BGNBD) -> None:
    r, alpha, a, b = map(mpmath.mpf, astuple(model))
    if a == 1:  # where the closed form reads 0/0, but has a limit
        a += mpmath.mpf(10) ** -25
    # mpmath's own 2F1 takes minutes at x = 5,000 where a is 10,000.
    rows = [row for row in AWKWARD[::2] if row[0] < 5000 or model.a < 1e4]
    for (x, t_x, T), horizon in product(rows, [1e-6, 365.0, 1e5]):
        shrink = (alpha + T) / (alpha + T + horizon)
        gauss = mpmath.hyp2f1(r + x, b + x, a + b + x - 1, 1 - shrink)
        if_alive = (a + b + x - 1) / (a - 1) * (1 - shrink ** (r + x) * gauss)  # FHL, eq. 10
        odds_left = a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0
        (found,) = model.expected_purchases(*one(x, t_x, T), horizon_days=horizon)
        assert found == pytest.approx(float(if_alive / (1 + odds_left)), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("days", [0.5, 39.0, 2000.0])
def test_expected_purchases_of_a_new_customer_are_those_of_one_just_seen(days: float) -> None:
    # Also the printed form of FHL, eq. 9, and the mean of the distribution, eq. 8.
    r, alpha, a, b = map(mpmath.mpf, astuple(PAPER))
    gauss = mpmath.hyp2f1(r, b, a + b - 1, days / (alpha + days))
    printed_form = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + days)) ** r * gauss)
    (found,) = PAPER.expected_purchases_new(np.array([days]))
    assert found == pytest.approx(float(printed_form), rel=1e-11)
    assert found == pytest.approx(
        PAPER.expected_purchases(*one(0, 0, 0), horizon_days=days)[0], rel=1e-12
    )


def test_probabilities_of_counts_sum_to_one_and_have_the_expected_mean() -> None:
    n = np.arange(3000.0)
    (p,) = PAPER.purchase_distribution(*one(0, 0, 0), horizon_days=39.0, most=2999)
    assert p.sum() == pytest.approx(1, rel=1e-12)
    assert n @ p == pytest.approx(PAPER.expected_purchases_new(np.array([39.0]))[0], rel=1e-10)


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 38.86), (1, 1.71, 38.86), (4, 26, 30)])
def test_log_likelihood_is_the_average_over_a_population(x: int, t_x: float, T: float) -> None:
    r, alpha, a, b = astuple(PAPER)
    quantiles = (np.arange(2000) + 0.5) / 2000
    rate = stats.gamma.ppf(quantiles, r, scale=1 / alpha)
    p = stats.beta.ppf(quantiles, a, b)[:, np.newaxis]
    stayed = (1 - p) ** x * rate**x * np.exp(-rate * T)
    left = p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * t_x) if x else 0.0
    (log_likelihood,) = PAPER.log_likelihood(*one(x, t_x, T))
    assert np.exp(log_likelihood) == pytest.approx(np.mean(stayed + left), rel=1e-3)
