"""Gamma-Gamma: against its papers, then against slow twins, then what holds for any customer."""

from __future__ import annotations

import math
from dataclasses import astuple
from datetime import date
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit import rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import Floats, GammaGamma
from tests.published import all_printed, printed
from tests.strategies import gamma_gamma_models

REFERENCE = Path(__file__).parent / "reference"

PUBLISHED = GammaGamma(p=6.25, q=3.74, v=15.44)
"""As printed by Fader & Hardie (2013), CDNOW sample, dollars."""

Spend = tuple[Floats, Floats]


@pytest.fixture(scope="module")
def cdnow() -> Spend:
    """The 946 CDNOW customers with a repeat purchase: x and mean spend."""
    _, x, _, _, z = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x[x > 0], z[x > 0]


# Published


def test_fit_finds_the_published_parameters(cdnow: Spend) -> None:
    # Fader & Hardie (2013); CLVTools test_correctness_gg.R; lifetimes TestGammaGammaFitter.
    found = GammaGamma.fit(*cdnow)
    expected = ("6.25", "3.74", "15.44")
    printed_values = zip(astuple(found.model), expected, strict=True)
    assert tuple(printed(v, like=e) for v, e in printed_values) == expected
    assert found.n_customers == 946
    assert found.converged
    assert found.diagnostics == ()


def test_the_largest_log_likelihood_is_the_published_one(cdnow: Spend) -> None:
    # CLVTools, tests/testthat/test_correctness_gg.R.
    assert printed(GammaGamma.fit(*cdnow).log_likelihood, like="-4055.9177") == "-4055.9177"


def test_log_likelihood_at_the_published_parameters() -> None:
    # clvkit, tests/test_gamma_gamma.py, on means that are not rounded to cents.
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    customers = rfm.summarize(log, as_of=date(1997, 9, 30)).filter(pl.col("frequency") > 0)
    x, z = (customers[name].to_numpy().astype(float) for name in ("frequency", "monetary_value"))
    found = PUBLISHED.log_likelihood(x, z).sum()
    assert found == pytest.approx(-4055.919232049544, rel=1e-14)


def test_log_likelihood_of_four_customers() -> None:
    # clvkit, tests/test_gamma_gamma.py.
    x, z = np.array([1.0, 2, 5, 17]), np.array([9.5, 40, 133.25, 3.75])
    found = GammaGamma(p=3.5, q=2.25, v=12.0).log_likelihood(x, z).sum()
    assert found == pytest.approx(-22.719091341826115, rel=1e-12)


def test_expected_spend_of_ten_customers(cdnow: Spend) -> None:
    # lifetimes, test_conditional_expected_average_profit, with the unrounded fit. It writes 22.35
    # for the first customer's mean of 22.345.
    x = np.array([2.0, 1, 0, 0, 0, 7, 1, 0, 2, 0])
    z = np.array([22.345, 11.77, 0, 0, 0, 73.74, 11.77, 0, 25.55, 0])
    found = GammaGamma.fit(*cdnow).model.expected_spend(x, z)
    expected = "24.65 18.91 35.17 35.17 35.17 71.46 18.91 35.17 27.28 35.17"
    assert all_printed(found, like=expected) == expected


def test_population_mean_and_deviation() -> None:
    # pymc-marketing, tests/clv/models/test_gamma_gamma.py: mean 30, deviation 21.213203.
    model = GammaGamma(p=6.0, q=4.0, v=15.0)
    assert model.population_mean == 30
    p, q, v = astuple(model)
    spread = stats.betaprime(1e9 * p, q, scale=v / 1e9).std()  # mean spend of very many days
    assert printed(spread, like="21.213203") == "21.213203"


# Twins


@pytest.mark.parametrize("p", [1e-3, 6.25, 1e4])
@pytest.mark.parametrize("q", [1e-3, 3.74, 1e4])
@pytest.mark.parametrize("v", [1e-3, 15.44, 1e4])
def test_log_likelihood_is_exact(p: float, q: float, v: float) -> None:
    model = GammaGamma(p=p, q=q, v=v)
    for x, z in product((1, 50, 3000, 5000), (1e-2, 35.0, 1e6)):
        with mpmath.workdps(40):
            shape, scale = mpmath.mpf(p) * x, mpmath.mpf(v) / x
            y = z / scale
            density = y ** (shape - 1) * (1 + y) ** -(shape + q) / scale / mpmath.beta(shape, q)
            exact = float(mpmath.log(density))
        (found,) = model.log_likelihood(np.array([float(x)]), np.array([z]))
        assert found == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("x", [1.0, 4.0])
def test_mean_spend_is_the_average_over_a_population(x: float) -> None:
    p, q, v = astuple(PUBLISHED)
    nu = stats.gamma.ppf((np.arange(20_000) + 0.5) / 20_000, q, scale=1 / v)
    density = stats.gamma.pdf(22.0, p * x, scale=1 / (nu * x)).mean()
    (found,) = PUBLISHED.log_likelihood(np.array([x]), np.array([22.0]))
    assert np.exp(found) == pytest.approx(density, rel=1e-6)
    posterior = stats.gamma.pdf(22.0, p * x, scale=1 / (nu * x))
    expected = (posterior * p / nu).sum() / posterior.sum()
    (spend,) = PUBLISHED.expected_spend(np.array([x]), np.array([22.0]))
    assert spend == pytest.approx(expected, rel=1e-3)


# Properties


def test_the_currency_does_not_matter(cdnow: Spend) -> None:
    # clvkit, tests/test_gamma_gamma.py: p and q stay, v is a hundred times as large.
    x, z = cdnow
    dollars, cents = GammaGamma.fit(x, z), GammaGamma.fit(x, 100 * z)
    p, q, v = astuple(dollars.model)
    np.testing.assert_allclose(astuple(cents.model), (p, q, 100 * v), rtol=1e-7)
    np.testing.assert_allclose(
        cents.model.expected_spend(x, 100 * z), 100 * dollars.model.expected_spend(x, z), rtol=1e-7
    )


@given(model=gamma_gamma_models(), x=st.integers(1, 1000).map(float), z=st.floats(1e-3, 1e6))
def test_expected_spend_lies_between_own_mean_and_the_populations(
    model: GammaGamma, x: float, z: float
) -> None:
    population = model.population_mean
    assert population is not None
    (found,) = model.expected_spend(np.array([x]), np.array([z]))
    assert min(z, population) * (1 - 1e-9) <= found <= max(z, population) * (1 + 1e-9)
    (weight,) = model.weight(np.array([x]))
    assert found == pytest.approx(weight * z + (1 - weight) * population, rel=1e-9)


@given(model=gamma_gamma_models(), x=st.integers(0, 1000).map(float))
def test_each_purchase_adds_weight_to_a_customers_own_mean(model: GammaGamma, x: float) -> None:
    before, after = model.weight(np.array([x, x + 1]))
    assert 0 <= before <= after <= 1


def test_a_weighted_fit_is_a_fit_on_repeated_rows(cdnow: Spend) -> None:
    n = np.arange(len(cdnow[0])) % 3 + 1
    weighted = GammaGamma.fit(*cdnow, weights=n.astype(np.float64))
    repeated = GammaGamma.fit(*(np.repeat(column, n) for column in cdnow))
    np.testing.assert_allclose(astuple(weighted.model), astuple(repeated.model), rtol=1e-7)
    assert weighted.n_customers == repeated.n_customers


def test_without_a_repeat_purchase_the_population_mean_is_expected() -> None:
    found = PUBLISHED.expected_spend(np.zeros(2), np.array([math.nan, 0.0]))
    assert found.tolist() == [PUBLISHED.population_mean] * 2
    np.testing.assert_array_equal(PUBLISHED.weight(np.zeros(1)), 0)


@pytest.mark.parametrize("q", [0.2, 1.0])
def test_q_of_one_or_less_has_no_mean_rather_than_a_negative_one(q: float) -> None:
    model = GammaGamma(p=0.5, q=q, v=15.0)
    assert model.population_mean is None
    never, often = model.expected_spend(np.array([0.0, 9]), np.array([math.nan, 20.0]))
    assert math.isnan(never)
    assert often > 0
    assert np.isnan(model.weight(np.array([1.0]))).all()


def test_a_fit_without_a_population_mean_says_so() -> None:
    dice = np.random.default_rng(3)
    x = dice.geometric(0.3, 2000).astype(np.float64)
    found = GammaGamma.fit(x, dice.gamma(x, 1 / (dice.gamma(0.7, 1 / 15, 2000) * x)))
    assert found.model.q < 1
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        f"q is {found.model.q:.3g}: at 1 or less the population mean of spend is infinite, and "
        "customers without a repeat purchase get no expected spend. A few very large amounts are "
        "the usual cause."
    )


def test_spend_that_never_varies_is_found_out() -> None:
    found = GammaGamma.fit(np.array([1.0, 2, 3]), np.full(3, 20.0))
    assert not found.converged
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The likelihood has no maximum: p and q grow without bound. All customers spend the same "
        "amount every time."
    )
    np.testing.assert_allclose(found.model.expected_spend(np.zeros(1), np.zeros(1)), 20, rtol=1e-4)


# Shape


def test_no_customers_give_no_predictions() -> None:
    none: Floats = np.zeros(0)
    assert PUBLISHED.log_likelihood(none, none).shape == (0,)
    assert PUBLISHED.expected_spend(none, none).shape == (0,)


# Refusals


@pytest.mark.parametrize("name", ["p", "q", "v"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"p": 1.0, "q": 1.0, "v": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        GammaGamma(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == (
        f"Gamma-Gamma parameters must be positive and finite, got GammaGamma({shown})."
    )


def test_a_fit_needs_a_repeat_purchase() -> None:
    with pytest.raises(FitError) as caught:
        GammaGamma.fit(np.zeros(0), np.zeros(0))
    assert str(caught.value) == (
        "customer summary: no repeat purchase with positive spend in any row.\n"
        "First purchases do not identify the spend per purchase day."
    )


@pytest.mark.parametrize(("x", "z"), [(0.0, 20.0), (1.0, 0.0), (1.0, -5.0), (1.0, math.nan)])
def test_a_fit_refuses_rows_that_tell_nothing(x: float, z: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        GammaGamma.fit(np.array([2.0, x]), np.array([30.0, z]))
    assert str(caught.value) == (
        "Gamma-Gamma is fitted on customers with x > 0 and z > 0 only.\n"
        "Leave the others out of the fit; predictions for them still work."
    )
