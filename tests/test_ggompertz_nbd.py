"""Gamma-Gompertz/NBD: its paper and peer, arbitrary precision, its limits, what always holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from datetime import date
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning
from crmkit.models import GGompertzNBD, MaximumLikelihood, ParetoNBD
from crmkit.models.purchases.likelihoods.ggompertz_nbd_likelihood import pair_terms
from tests.published import printed
from tests.strategies import History, histories, pareto_nbd_models, summarized

pytestmark = pytest.mark.slow
REFERENCE = Path(__file__).parent / "reference"

WEEK = 7.0

NO_AGE = "The dropout hazard does not change with age: the Pareto/NBD is enough."

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
        f"The likelihood has no maximum: b and beta shrink to 0. {NO_AGE}",
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


def integral(of: Callable[..., mpmath.mpf], points: list[mpmath.mpf]) -> mpmath.mpf:
    """Integrate by Gauss-Legendre: smooth between points, a third of the time of tanh-sinh."""
    return mpmath.quad(of, points, method="gauss-legendre")


@pytest.mark.slow
@pytest.mark.usefixtures("twenty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_all_is_exact(model: GGompertzNBD) -> None:
    exact = Exact(model)
    active = {
        T: integral(lambda t, T=T: exact.kept(t, T, 0), exact.breaks(T, T + 365))
        for T in (1.0, 4000.0)
    }
    for x, t_x, T in AWKWARD:
        shape = exact.r + x
        stayed = exact.kept(T, t_x, shape)
        gone = integral(lambda t, n=shape, a=t_x: exact.density(t, a, n), exact.breaks(t_x, T))
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


# Properties


@given(model=pareto_nbd_models(), history=histories())
def test_where_age_tells_nothing_it_is_the_pareto_nbd(model: ParetoNBD, history: History) -> None:
    slow = 1e-13
    limit = GGompertzNBD(model.r, model.alpha, slow, model.s, slow * model.beta)
    questions: dict[str, dict[str, float]] = {
        "log_likelihood": {},
        "probability_alive": {},
        "probability_alive_later": {"days": 90},
        "expected_purchases": {"horizon_days": 90},
        "purchase_distribution": {"horizon_days": 90, "most": 3},
    }
    for method, options in questions.items():
        found, expected = (getattr(each, method)(*history, **options) for each in (limit, model))
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@given(history=histories(), b=st.floats(1e-3, 1.0))
def test_a_beta_of_one_ages_at_an_even_pace(history: History, b: float) -> None:
    # S(t) is exp(-b s t) then: everybody's odds of leaving are the same at any age.
    model = GGompertzNBD(r=0.5, alpha=20.0, b=b, s=0.3, beta=1.0)
    alive = model.probability_alive(*history)
    later = model.probability_alive_later(*history, days=50)
    np.testing.assert_allclose(later, alive * math.exp(-b * 0.3 * 50), rtol=1e-10)


def test_a_fit_finds_that_leaving_grows_likelier_with_age() -> None:
    truth = GGompertzNBD(r=2.0, alpha=20.0, b=0.01, s=1.5, beta=40.0)
    ages = np.linspace(300, 1500, 4000).round()
    history = summarized(*truth.simulate(ages, rng=np.random.default_rng(2)), ages)
    found = GGompertzNBD.fit(*history)
    assert found.converged
    assert found.diagnostics == ()
    for name, error in zip(found.names, found.standard_errors_log, strict=True):
        assert error is not None
        gap = math.log(getattr(found.model, name) / getattr(truth, name))
        assert abs(gap) < 4 * error
    assert found.log_likelihood > ParetoNBD.fit(*history).log_likelihood + 10


@pytest.mark.full_for("4", "5", "6", "7")
@pytest.mark.parametrize("seed", range(8))
def test_a_fit_is_at_least_as_likely_as_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    r, s = 10 ** rng.uniform(-1.3, 1.3, 2)
    b, beta = 10 ** rng.uniform(-3.5, -0.5), 10 ** rng.uniform(-2, 3)
    truth = GGompertzNBD(r, r * 10 ** rng.uniform(1.0, 2.2), b, s, beta)
    ages = rng.integers(75, rng.integers(100, 3000), 600).astype(np.float64)
    history = summarized(*truth.simulate(ages, rng=rng), ages)
    found = GGompertzNBD.fit(*history)
    assert found.log_likelihood >= truth.log_likelihood(*history).sum() - 1e-6
    assert found.log_likelihood >= ParetoNBD.fit(*history).log_likelihood - 1e-6
    assert found.converged or found.diagnostics


# Shape


def test_it_serves_wherever_a_purchase_model_does() -> None:
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    customers = rfm.summarize(log, as_of=date(1997, 9, 30))
    with pytest.warns(CrmkitWarning, match="the Pareto/NBD is enough"):
        fitted = clv.fit(customers, model="ggompertz_nbd")
    assert clv.Fit.from_json(fitted.to_json()) == fitted
    predicted = clv.predict(customers, purchases=fitted, horizon_days=273)
    assert predicted["expected_purchases"].is_finite().all()
    assert predicted["p_alive"].is_between(0, 1).all()
    with pytest.warns(CrmkitWarning, match="the Pareto/NBD is enough"):
        table = clv.compare(customers, models=["pareto_nbd", "ggompertz_nbd"])
    assert table["model"].to_list() == ["pareto_nbd", "ggompertz_nbd"]  # by AIC
    assert table["n_parameters"].to_list() == [4, 5]
