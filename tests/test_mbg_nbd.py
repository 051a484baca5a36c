"""MBG/NBD: against its papers and peers, then against arbitrary precision."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest

from crmkit.models import BGNBD, MBGNBD
from tests.published import all_printed, printed
from tests.strategies import History

REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

CDNOW = MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614)
"""As printed by BTYDplus for the CDNOW sample; ages in weeks."""

CLVKIT = MBGNBD(r=0.5, alpha=6.0, a=1.5, b=3.0)
"""The model of clvkit's tests/test_mbgnbd_likelihood.py."""


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of the BG/NBD paper, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


# Published


def test_fit_finds_the_published_parameters(cdnow: History) -> None:
    # BTYDplus, in lifetimes' test_estimation.py, TestModifiedBetaGammaFitter,
    # test_params_out_is_close_to_BTYDplus: alpha in weeks.
    found = MBGNBD.fit(*cdnow)
    in_weeks = astuple(replace(found.model, alpha=found.model.alpha / WEEK))
    expected = ("0.525", "6.183", "0.891", "1.614")
    assert tuple(printed(v, like=e) for v, e in zip(in_weeks, expected, strict=True)) == expected
    assert found.converged
    assert found.diagnostics == ()


def test_standard_errors_are_those_of_lifetimes(cdnow: History) -> None:
    # lifetimes 0.11.3, ModifiedBetaGeoFitter.summary on the CDNOW sample, in weeks.
    found = MBGNBD.fit(*cdnow).standard_errors
    expected = "0.0833 0.6956 0.1548 0.5375"
    in_weeks = [float(error or 0) for error in found]
    in_weeks[1] /= WEEK
    assert all_printed(in_weeks, like=expected) == expected


def test_log_likelihood_of_the_cdnow_sample(cdnow: History) -> None:
    # Not published: scipy's optimizer on the form in lifetimes and BTYDplus, a second opinion.
    model = MBGNBD(r=0.5248432, alpha=6.1830855, a=0.8913593, b=1.6140022)
    x, t_x, T = cdnow[0], cdnow[1] / WEEK, cdnow[2] / WEEK
    assert printed(model.log_likelihood(x, t_x, T).sum(), like="-9582.1357") == "-9582.1357"


def test_log_likelihood_of_one_customer_to_the_last_digit() -> None:
    # clvkit, tests/test_mbgnbd_likelihood.py.
    model = MBGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    (found,) = model.log_likelihood(*one(4, 30.7, 38.9))
    assert found == pytest.approx(-15.487436077892465, rel=1e-11)


def test_expected_purchases_are_the_integral_over_customers() -> None:
    # clvkit, tests/test_mbgnbd_likelihood.py, by integrating the model of one customer. The
    # misprinted factor (b + x) / (a - 1) of Batislam et al. (2007) gives another number.
    (found,) = CLVKIT.expected_purchases(*one(3, 20, 26), horizon_days=12)
    assert printed(found, like="0.755748403248") == "0.755748403248"


def test_expected_purchases_at_the_origin_are_those_of_a_new_customer() -> None:
    # clvkit, tests/test_mbgnbd_likelihood.py.
    (found,) = CLVKIT.expected_purchases(*one(0, 0, 0), horizon_days=12)
    (new,) = CLVKIT.expected_purchases_new(np.array([12.0]))
    assert printed(found, like="0.49355215207") == "0.49355215207"
    assert printed(new, like="0.49355215207") == "0.49355215207"


def test_without_a_repeat_purchase_one_may_be_gone() -> None:
    # clvkit, tests/test_mbgnbd_likelihood.py.
    found = CLVKIT.probability_alive(np.zeros(3), np.zeros(3), np.array([1.0, 20, 39]))
    expected = ("0.649324623717", "0.489995996797", "0.422064450015")
    assert tuple(printed(v, like=e) for v, e in zip(found, expected, strict=True)) == expected


def test_distribution_of_a_new_customer() -> None:
    # Not published: the formula of Batislam et al. (2007) put into scipy, a second opinion.
    (found,) = CDNOW.purchase_distribution(*one(0, 0, 0), horizon_days=39, most=10)
    expected = "0.5824731895 0.1827830773 0.0868948257 0.0485704430 0.0036261878"
    assert all_printed(found[[0, 1, 2, 3, 10]], like=expected) == expected


def test_expected_purchases_of_a_new_customer() -> None:
    # Not published: as above. (lifetimes tests against the values of BG/NBD, to 5 %.)
    model = MBGNBD(r=0.5248432, alpha=6.1830855, a=0.8913593, b=1.6140022)
    found = model.expected_purchases_new(np.array([0.1429, 1, 3, 31.8571, 32, 78]))
    expected = "0.00777957 0.05306033 0.15079223 1.03346713 1.03660582 1.80363064"
    assert all_printed(found, like=expected) == expected


# Twins

EXTREME = [
    MBGNBD(r=0.525, alpha=43.3, a=0.891, b=1.614),
    MBGNBD(r=1e-3, alpha=1e4, a=1.0, b=1e-3),
    MBGNBD(r=1e4, alpha=1e-3, a=0.5, b=1e4),
    MBGNBD(r=1.0, alpha=1.0, a=1.0, b=1.0),
    MBGNBD(r=50.0, alpha=1e3, a=1e4, b=1e4),
    MBGNBD(r=1e-3, alpha=1e-3, a=1e-3, b=1e-3),
]
AWKWARD = [
    (x, share * T if x else 0.0, T)
    for x, (share, T) in product([0, 1, 50, 3000, 5000], [(1.0, 4000.0), (0.5, 1.0)])
]


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_log_likelihood_is_exact(model: MBGNBD) -> None:
    r, alpha, a, b = map(mpmath.mpf, astuple(model))
    for x, t_x, T in AWKWARD:
        stayed = mpmath.beta(a, b + x + 1) * (alpha + T) ** -(r + x)
        left = mpmath.beta(a + 1, b + x) * (alpha + t_x) ** -(r + x)
        buying = mpmath.rf(r, x) * alpha**r / mpmath.beta(a, b)
        (found,) = model.log_likelihood(*one(x, t_x, T))
        assert found == pytest.approx(float(mpmath.log(buying * (stayed + left))), rel=1e-9)
        (p,) = model.probability_alive(*one(x, t_x, T))
        assert p == pytest.approx(float(stayed / (stayed + left)), rel=1e-9, abs=1e-300)


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_expected_purchases_are_exact(model: MBGNBD) -> None:
    r, alpha, a, b = map(mpmath.mpf, astuple(model))
    if a == 1:  # where the closed form reads 0/0, but has a limit
        a += mpmath.mpf(10) ** -25
    # mpmath's own 2F1 takes minutes at x = 5,000 where a is 10,000.
    rows = [row for row in AWKWARD if row[0] < 5000 or model.a < 1e4]
    for (x, t_x, T), horizon in product(rows, [1e-6, 365.0, 1e5]):
        shrink = (alpha + T) / (alpha + T + horizon)
        gauss = mpmath.hyp2f1(r + x, b + x + 1, a + b + x, 1 - shrink)
        # Batislam et al. (2007), Appendix A, the factor put right.
        if_alive = (a + b + x) / (a - 1) * (1 - shrink ** (r + x) * gauss)
        odds_left = a / (b + x) * ((alpha + T) / (alpha + t_x)) ** (r + x)
        (found,) = model.expected_purchases(*one(x, t_x, T), horizon_days=horizon)
        assert found == pytest.approx(float(if_alive / (1 + odds_left)), rel=1e-9, abs=1e-300)


# Properties


def test_one_who_survived_the_first_purchase_is_a_customer_of_bg_nbd() -> None:
    # Leaving with the first purchase aside, MBG/NBD is BG/NBD with one more occasion stayed.
    like = BGNBD(r=CDNOW.r, alpha=CDNOW.alpha, a=CDNOW.a, b=CDNOW.b + 1)
    history = np.array([1.0, 4, 30]), np.array([5.0, 30, 200]), np.array([38.0, 38, 250])
    np.testing.assert_allclose(
        CDNOW.probability_alive(*history), like.probability_alive(*history), rtol=1e-13
    )
    np.testing.assert_allclose(
        CDNOW.expected_purchases(*history, horizon_days=52),
        like.expected_purchases(*history, horizon_days=52),
        rtol=1e-13,
    )


def test_a_fit_says_when_customers_leave_at_once_or_never() -> None:
    # Half never come back in a year, the others every month to the end.
    x, t_x = np.repeat([0.0, 12.0], 100), np.repeat([0.0, 365.0], 100)
    found = MBGNBD.fit(x, t_x, np.full(200, 365.0))
    assert not found.converged
    assert "Customers drop out after the first purchase or never." in " ".join(found.diagnostics)
