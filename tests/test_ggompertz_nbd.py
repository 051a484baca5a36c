"""Gamma-Gompertz/NBD: its paper and peer, arbitrary precision, its limits, what always holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import date
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError
from crmkit.models import GGompertzNBD, MaximumLikelihood, ParetoNBD
from crmkit.models.purchases.ggompertz_nbd_likelihood import GGompertzNBDLikelihood, pair_terms
from tests.published import printed
from tests.strategies import History

REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

NO_AGE = "Leaving does not get likelier or rarer with age: the Pareto/NBD would do."

CLVTOOLS = GGompertzNBD(r=0.55313, alpha=10.5758, b=1.1e-6, s=0.60682, beta=1.3e-5)
"""As printed in CLVTools' tests, tests/testthat/test_correctness_ggomnbd.R; ages in weeks."""

PAPER = GGompertzNBD(r=0.553, alpha=10.578, b=0.0002, s=0.603, beta=0.0026)
"""As printed by Bemmaor & Glady (2012), Table 2; ages in weeks."""

AGEING = GGompertzNBD(r=0.9, alpha=30.0, b=0.02, s=0.8, beta=3.0)


@pytest.fixture
def twenty_digits() -> Iterator[None]:
    with mpmath.workdps(20):
        yield


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of the papers, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


@pytest.fixture(scope="module")
def found(cdnow: History) -> MaximumLikelihood[GGompertzNBD]:
    """The fit to them."""
    return GGompertzNBD.fit(*cdnow)


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


# Published


def test_fit_reaches_the_published_likelihood(
    cdnow: History, found: MaximumLikelihood[GGompertzNBD]
) -> None:
    # CLVTools prints -9594.9762 and Bemmaor & Glady (2012), Table 2, -9594.98. Their b and beta
    # are points on a ridge along which the likelihood rises for ever, to that of the Pareto/NBD;
    # with them moves s, so that only r and alpha are comparable, to about three digits.
    in_weeks = found.log_likelihood + cdnow[0].sum() * math.log(WEEK)
    assert printed(in_weeks, like="-9594.9762") == "-9594.9762"
    np.testing.assert_allclose(
        (found.model.r, float(found.model.alpha) / WEEK, found.model.s),
        (0.55313, 10.5758, 0.60682),
        2e-3,
    )
    assert printed(found.model.r, like="0.553") == "0.553"
    assert printed(float(found.model.alpha) / WEEK, like="10.578") == "10.578"
    assert found.diagnostics == (
        f"The likelihood has no maximum: b and beta shrink to nothing. {NO_AGE}",
    )
    assert not found.converged


def test_the_fit_is_as_likely_as_the_pareto_nbd(
    cdnow: History, found: MaximumLikelihood[GGompertzNBD]
) -> None:
    assert found.log_likelihood >= ParetoNBD.fit(*cdnow).log_likelihood - 1e-8


def test_log_likelihood_at_the_printed_estimates(cdnow: History) -> None:
    # Neither prints b and beta with digits enough for its own likelihood, -9594.98: at what they
    # print it is -9594.984 and -9595.771. An independent implementation finds the latter too.
    x, t_x, T = cdnow[0], cdnow[1] / WEEK, cdnow[2] / WEEK
    assert printed(CLVTOOLS.log_likelihood(x, t_x, T).sum(), like="-9594.98") == "-9594.98"
    assert printed(PAPER.log_likelihood(x, t_x, T).sum(), like="-9595.77") == "-9595.77"


# Twins

EXTREME = [
    GGompertzNBD(r=0.553, alpha=74.0, b=1e-3, s=0.606, beta=0.3),
    GGompertzNBD(r=0.553, alpha=74.0, b=1.6e-7, s=0.606, beta=1.3e-5),
    GGompertzNBD(r=1e-3, alpha=1e4, b=0.1, s=1.0, beta=1e-3),
    GGompertzNBD(r=1e4, alpha=1e-3, b=1e-3, s=0.5, beta=1e4),
    GGompertzNBD(r=1.0, alpha=1.0, b=1.0, s=1.0, beta=1.0),
    GGompertzNBD(r=50.0, alpha=1e3, b=1e-2, s=1e4, beta=1e4),
    GGompertzNBD(r=1e-3, alpha=1e-3, b=1e-3, s=1e-3, beta=1e-3),
    GGompertzNBD(r=3.0, alpha=20.0, b=0.03, s=2.0, beta=1e6),
]
AWKWARD = [
    (x, share * T if x else 0.0, T)
    for x, (share, T) in product([0, 1, 50, 3000], [(1.0, 4000.0), (0.5, 4000.0), (0.5, 1.0)])
]
AWKWARD += [(5000, 2000.0, 4000.0)]


class Exact:
    """The model by quadrature in arbitrary precision (Bemmaor & Glady 2012)."""

    def __init__(self, model: GGompertzNBD) -> None:
        self.r, self.alpha, self.b, self.s, self.beta = map(mpmath.mpf, astuple(model))

    def log_stay(self, t: float) -> mpmath.mpf:
        """Log of the probability to stay until t."""
        return -self.s * mpmath.log1p(mpmath.expm1(self.b * t) / self.beta)

    def density(self, t: float, since: float, shape: float) -> mpmath.mpf:
        """Leave at t without buying, as a share of what was likely at age `since`."""
        hazard = self.b * self.s / (1 + (self.beta - 1) * mpmath.exp(-self.b * t))
        return hazard * self.kept(t, since, shape)

    def kept(self, t: float, since: float, shape: float) -> mpmath.mpf:
        """Neither leave nor buy until t, as a share of what was likely at age `since`."""
        bought = shape * mpmath.log((self.alpha + t) / (self.alpha + since))
        return mpmath.exp(self.log_stay(t) - self.log_stay(since) - bought)

    def breaks(self, start: float, end: float) -> list[mpmath.mpf]:
        """Break an integral at all magnitudes and around the age at which most leave."""
        death = mpmath.log(self.beta / self.s) / self.b
        points = [start + mpmath.mpf(10) ** k for k in range(-10, 4)]
        points += [death + k / self.b for k in range(-12, 16, 4)]
        return [start, *sorted(point for point in points if start < point < end), end]


@pytest.mark.usefixtures("twenty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_all_is_exact(model: GGompertzNBD) -> None:
    exact = Exact(model)
    active = {
        T: mpmath.quad(lambda t, T=T: exact.kept(t, T, 0), exact.breaks(T, T + 365))
        for T in (1.0, 4000.0)
    }
    for x, t_x, T in AWKWARD:
        shape = exact.r + x
        stayed = exact.kept(T, t_x, shape)
        gone = mpmath.quad(lambda t, n=shape, a=t_x: exact.density(t, a, n), exact.breaks(t_x, T))
        until = exact.log_stay(t_x) - shape * mpmath.log(exact.alpha + t_x)
        until += mpmath.log(mpmath.rf(exact.r, x) * exact.alpha**exact.r)
        (found,) = model.log_likelihood(*one(x, t_x, T))
        # The log of a probability next to 1 is known to the digits of that probability.
        expected = until + mpmath.log(stayed + gone)
        assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
        p = stayed / (stayed + gone)
        (found,) = model.probability_alive(*one(x, t_x, T))
        assert found == pytest.approx(float(p), rel=1e-9, abs=1e-300)
        expected = p * shape / (exact.alpha + T) * active[T]
        (found,) = model.expected_purchases(*one(x, t_x, T), horizon_days=365.0)
        assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("model", [AGEING, replace(AGEING, s=30.0, beta=1e5)])
@pytest.mark.parametrize("rate", [0.0, 0.15, 3.0])
def test_discounted_purchases_are_the_average_over_time(model: GGompertzNBD, rate: float) -> None:
    history, delta = one(3, 100, 120), math.log1p(rate) / 365.25
    b, s, beta = model.b, model.s, model.beta

    def still(days: float) -> float:
        aged = (beta + math.expm1(b * 120)) / (beta + math.expm1(b * (120 + days)))
        return float(aged**s * math.exp(-delta * days))

    active, _ = integrate.quad(still, 0, 700, epsabs=0, epsrel=1e-11, limit=500)
    (p,) = model.probability_alive(*history)
    (found,) = model.discounted_purchases(*history, horizon_days=700, annual_discount_rate=rate)
    expected = p * (model.r + 3) / (model.alpha + 120) * active
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [0, 1, 5, 40])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 0), (2, 30.43, 38.86), (400, 38.5, 38.86)])
def test_purchase_distribution_is_the_average_over_the_day_of_leaving(
    n: int, x: int, t_x: float, T: float
) -> None:
    shape, scale, horizon = AGEING.r + x, AGEING.alpha + T, 152.0
    b, s, beta = AGEING.b, AGEING.s, float(AGEING.beta)

    def stay(days: float) -> float:
        return float(((beta + math.expm1(b * T)) / (beta + math.expm1(b * (T + days)))) ** s)

    def counts(days: float) -> float:
        return float(stats.nbinom.pmf(n, shape, scale / (scale + days)))

    def leaves(days: float) -> float:
        grown = math.exp(b * (T + days))
        return counts(days) * stay(days) * s * b * grown / (beta - 1 + grown)

    left, _ = integrate.quad(leaves, 0, horizon, epsabs=0, epsrel=1e-11, limit=500)
    (p,) = AGEING.probability_alive(*one(x, t_x, T))
    found = AGEING.purchase_distribution(*one(x, t_x, T), horizon_days=horizon, most=60)
    expected = p * (left + counts(horizon) * stay(horizon)) + (n == 0) * (1 - p)
    assert found[0, n] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "model",
    [AGEING, replace(AGEING, s=200.0, beta=7.0), replace(AGEING, b=1e-4, beta=1e-3)],
)
def test_gradient_and_hessian_are_differences_of_the_log_likelihood(
    cdnow: History, model: GGompertzNBD
) -> None:
    likelihood = GGompertzNBDLikelihood(*cdnow, np.ones(2357))
    where = np.log(astuple(model))
    value, gradient, hessian = likelihood(where)
    assert value == pytest.approx(model.log_likelihood(*cdnow).sum(), rel=1e-12)
    steps = 1e-5 * np.eye(5)
    ahead = [likelihood(where + step) for step in steps]
    behind = [likelihood(where - step) for step in steps]
    slopes = [(a[0] - b[0]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-2)
    bends = [(a[1] - b[1]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-2)


def test_parameters_may_differ_by_customer() -> None:
    x, t = np.array([0.0, 2.0, 9.0]), np.array([50.0, 80.0, 200.0])
    alpha, beta = np.array([3.0, 30.0, 300.0]), np.array([1e-3, 1.0, 1e3])
    together = pair_terms(x, t, r=0.7, alpha=alpha, b=0.01, s=0.4, beta=beta)
    for i in range(3):
        own = {"alpha": float(alpha[i]), "beta": float(beta[i])}
        alone = pair_terms(x[[i]], t[[i]], r=0.7, b=0.01, s=0.4, **own)
        for all_of_them, of_one in zip(together, alone, strict=True):
            for found, expected in zip(all_of_them, of_one, strict=True):
                np.testing.assert_allclose(found[..., [i]], expected, rtol=1e-9, atol=1e-12)


# Shape


def test_no_customers_give_no_predictions() -> None:
    none = (np.zeros(0),) * 3
    assert AGEING.log_likelihood(*none).shape == (0,)
    assert AGEING.probability_alive(*none).shape == (0,)
    assert AGEING.probability_alive_later(*none, days=30).shape == (0,)
    assert AGEING.expected_purchases(*none, horizon_days=30).shape == (0,)
    assert AGEING.expected_purchases_new(np.zeros(0)).shape == (0,)
    assert AGEING.purchase_distribution(*none, horizon_days=30, most=4).shape == (0, 5)
    found = AGEING.discounted_purchases(*none, horizon_days=30, annual_discount_rate=0.1)
    assert found.shape == (0,)
    customer, age = AGEING.simulate(np.zeros(0), rng=np.random.default_rng(0))
    assert customer.shape == age.shape == (0,)


def test_it_serves_wherever_a_purchase_model_does() -> None:
    log: pl.DataFrame = load_cdnow(sample=True)
    customers = rfm.summarize(log, as_of=date(1997, 9, 30))
    with pytest.warns(CrmkitWarning, match="the Pareto/NBD would do"):
        fitted = clv.fit(customers, model="ggompertz_nbd")
    assert clv.Fit.from_json(fitted.to_json()) == fitted
    predicted = clv.predict(customers, purchases=fitted, horizon_days=273)
    assert predicted["expected_purchases"].is_finite().all()
    assert predicted["p_alive"].is_between(0, 1).all()
    with pytest.warns(CrmkitWarning, match="the Pareto/NBD would do"):
        table = clv.compare(customers, models=["pareto_nbd", "ggompertz_nbd"])
    assert table["model"].to_list() == ["pareto_nbd", "ggompertz_nbd"]  # by AIC
    assert table["n_parameters"].to_list() == [4, 5]


# Refusals


@pytest.mark.parametrize("name", ["r", "alpha", "b", "s", "beta"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"r": 1.0, "alpha": 1.0, "b": 1.0, "s": 1.0, "beta": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        GGompertzNBD(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == (
        f"Gamma-Gompertz/NBD parameters must be positive and finite, got GGompertzNBD({shown})."
    )


def test_without_a_repeat_purchase_nothing_can_be_told() -> None:
    with pytest.raises(FitError) as caught:
        GGompertzNBD.fit(np.zeros(200), np.zeros(200), np.full(200, 90.0))
    assert str(caught.value) == (
        "customer summary: no repeat purchase in 200 of 200 customers.\n"
        "Observe them for longer before you fit."
    )
