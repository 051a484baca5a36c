"""The search for the largest likelihood: exact derivatives, awkward data, what it says of them."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import crmkit
from crmkit.errors import FitError
from crmkit.models import BGNBD, PURCHASE_MODELS, SPEND_MODELS, Floats
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import Likelihood, maximize
from crmkit.models.purchases.bg_nbd import BGNBDLikelihood
from crmkit.models.spend.gamma_gamma import GammaGamma, GammaGammaLikelihood
from tests.strategies import simulated_histories

CDNOW = BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426)

# Twins


def differenced(function: Callable[[Floats], Floats], at: Floats) -> Floats:
    """Derivative of `function` by each parameter, from small steps to either side."""
    steps = 1e-5 * np.eye(len(at))
    return np.array([(function(at + step) - function(at - step)) / 2e-5 for step in steps])


def likelihoods() -> list[tuple[Likelihood, Floats]]:
    """A likelihood of each model and parameters well away from its maximum."""
    x, t_x, T = simulated_histories(CDNOW, np.linspace(1, 700, 300), seed=4)
    n = np.tile([1.0, 2.0, 3.0, 4.0], 75)
    spend = np.linspace(1.0, 140.0, 300)
    return [
        (BGNBDLikelihood(x, t_x, T, n), np.log([0.6, 12.0, 0.3, 4.0])),
        (BGNBDLikelihood(x, t_x, T, n), np.log([40.0, 900.0, 30.0, 0.2])),
        (GammaGammaLikelihood(x[x > 0], spend[x > 0], n[x > 0]), np.log([2.0, 1.4, 60.0])),
        (GammaGammaLikelihood(x[x > 0], spend[x > 0], n[x > 0]), np.log([30.0, 60.0, 40.0])),
    ]


@pytest.mark.parametrize(("likelihood", "at"), likelihoods())
def test_gradient_and_hessian_are_the_derivatives(likelihood: Likelihood, at: Floats) -> None:
    _, gradient, hessian = likelihood(at)
    slopes = differenced(lambda point: np.array(likelihood(point)[0]), at)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-5)
    bends = differenced(lambda point: likelihood(point)[1], at)
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-5)


def test_likelihood_of_a_table_is_the_sum_over_its_customers() -> None:
    x, t_x, T = simulated_histories(CDNOW, np.linspace(1, 700, 300), seed=4)
    n = np.tile([1.0, 2.0, 3.0, 4.0], 75)
    value, *_ = BGNBDLikelihood(x, t_x, T, n)(np.log(astuple(CDNOW)))
    assert value == pytest.approx(n @ CDNOW.log_likelihood(x, t_x, T), rel=1e-12)
    model, z = GammaGamma(6.25, 3.74, 15.44), T[x > 0]
    value, *_ = GammaGammaLikelihood(x[x > 0], z, n[x > 0])(np.log(astuple(model)))
    assert value == pytest.approx(n[x > 0] @ model.log_likelihood(x[x > 0], z), rel=1e-12)


def test_standard_errors_are_the_spread_of_the_estimates() -> None:
    logs, errors = [], []
    for seed in range(100):
        history = simulated_histories(CDNOW, np.full(3000, 365.0), seed=seed)
        found = BGNBD.fit(*history)
        logs.append(np.log(astuple(found.model)))
        errors.append(found.standard_errors_log)
    spread = np.std(logs, axis=0)
    np.testing.assert_allclose(np.mean(np.array(errors, float), axis=0), spread, rtol=0.25)


# Properties

AWKWARD = {
    "hardly any heterogeneity in buying": BGNBD(r=1e4, alpha=3e5, a=0.8, b=2.4),
    "hardly any heterogeneity in leaving": BGNBD(r=0.3, alpha=30.0, a=300.0, b=900.0),
    "hardly any heterogeneity at all": BGNBD(r=100.0, alpha=3e3, a=100.0, b=300.0),
    "almost nobody leaves": BGNBD(r=0.5, alpha=30.0, a=1e-3, b=1.0),
    "almost nobody leaves, all alike": BGNBD(r=0.5, alpha=30.0, a=3.0, b=1000.0),
    "almost everybody leaves": BGNBD(r=0.5, alpha=30.0, a=5.0, b=0.3),
    "everybody leaves": BGNBD(r=0.5, alpha=30.0, a=1.0, b=0.01),
    "leaves at once or never": BGNBD(r=0.243, alpha=31.0, a=0.05, b=0.05),
    "hardly anybody buys": BGNBD(r=0.02, alpha=300.0, a=0.8, b=2.0),
    "everybody buys daily": BGNBD(r=2.0, alpha=1.0, a=0.2, b=5.0),
}


@pytest.mark.parametrize("n_customers", [200, 2000])
@pytest.mark.parametrize("name", AWKWARD)
def test_the_fit_is_at_least_as_likely_as_the_truth(name: str, n_customers: int) -> None:
    truth = AWKWARD[name]
    history = simulated_histories(truth, np.linspace(30, 730, n_customers), seed=n_customers)
    found = BGNBD.fit(*history)
    assert found.log_likelihood >= truth.log_likelihood(*history).sum() - 1e-6
    assert found.converged or found.diagnostics
    told = [error is not None for error in found.standard_errors_log]
    assert all(told) == (not found.diagnostics)


def test_parameters_without_a_maximum_are_named() -> None:
    history = simulated_histories(
        AWKWARD["hardly any heterogeneity in leaving"], np.full(2000, 400.0), seed=1
    )
    found = BGNBD.fit(*history)
    assert not found.converged
    r, alpha, a, b = found.standard_errors
    assert (a, b) == (None, None)
    assert r is not None
    assert alpha is not None
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The likelihood has no maximum: a and b grow without bound. "
        "Customers do not differ in dropout probability."
    )


def test_parameters_that_a_few_customers_hardly_tell_are_named() -> None:
    history = simulated_histories(
        BGNBD(r=20.0, alpha=600.0, a=0.8, b=2.4), np.full(30, 365.0), seed=9
    )
    found = BGNBD.fit(*history)
    assert found.converged
    assert found.standard_errors[:2] == (None, None)
    assert found.diagnostics == (
        (
            "The data do not identify r and alpha: "
            "values many times larger or smaller fit about as well."
        ),
    )


@pytest.mark.parametrize("n_customers", [25_000, 200_000])
def test_a_long_table_is_fitted_whole(n_customers: int) -> None:
    history = simulated_histories(CDNOW, np.linspace(30, 730, n_customers), seed=8)
    found = BGNBD.fit(*history)
    _, gradient, _ = BGNBDLikelihood(*history, np.ones(n_customers))(np.log(astuple(found.model)))
    assert found.n_customers == n_customers
    assert np.abs(gradient).max() < 1e-3
    assert found.log_likelihood == pytest.approx(found.model.log_likelihood(*history).sum())


def test_the_few_repeat_buyers_of_a_long_table_are_not_overlooked() -> None:
    # Thinning leaves none of them in the sample that the search starts on.
    x, t_x, T = np.zeros(30_000), np.zeros(30_000), np.full(30_000, 365.0)
    buyers = slice(1, 300, 3)
    x[buyers], t_x[buyers], T[buyers] = simulated_histories(
        BGNBD(r=3.0, alpha=60.0, a=0.8, b=2.4), np.full(100, 365.0), seed=2
    )
    found = BGNBD.fit(x, t_x, T)
    assert found.converged
    assert found.diagnostics == ()


@pytest.mark.parametrize("gain", [0.0, 1.0], ids=["no gain", "gain without end"])
def test_a_search_that_never_arrives_says_so(gain: float) -> None:
    calls = count()

    def likelihood(_: Floats) -> tuple[float, Floats, Floats]:
        """Promise a gain wherever one looks."""
        return gain * next(calls), np.ones(1), -1e3 * np.eye(1)

    found = maximize(
        build=float,
        names=("only",),
        likelihood=lambda *_: likelihood,
        columns=(np.ones(3),),
        weights=np.ones(3),
        starts=[(1.0,)],
    )
    assert not found.converged
    assert found.diagnostics == (
        "The search stopped before it reached a maximum; do not trust the estimates.",
    )


def test_the_search_does_not_wander_on_rounding() -> None:
    # Flat beyond a point, where sums of large numbers leave noise that looks like a slope.
    seen: list[float] = []

    def likelihood(_column: Floats, _weights: Floats) -> Likelihood:
        def of(logs: Floats) -> tuple[float, Floats, Floats]:
            noise = 1e-13 * math.sin(1e7 * logs[0])
            seen.append(logs[0])
            fall = math.exp(-2 * logs[0])
            slope = 2 * fall + 1e-3 * math.sin(1e5 * logs[0])
            return -1000.0 - fall + noise, np.array([slope]), np.array([[-4 * fall - 1e-4]])

        return of

    found = maximize(
        build=lambda size: size,
        names=("size",),
        likelihood=likelihood,
        columns=[np.ones(50)],
        weights=np.ones(50),
        starts=[(1.0,)],
    )
    assert len(seen) < 200
    assert not found.converged
    assert found.diagnostics


def test_what_two_parameters_mean_alike_is_said_once() -> None:
    def likelihood(at: Floats) -> tuple[float, Floats, Floats]:
        """Rise for ever where the first shrinks and the second grows."""
        low, high = np.exp(at[0]), np.exp(-at[1])
        return -float(low + high), np.array([-low, high]), -np.diag([low, high])

    found = maximize(
        build=lambda *at: at,
        names=("low", "high"),
        likelihood=lambda *_: likelihood,
        columns=(np.ones(3),),
        weights=np.ones(3),
        starts=[(1.0, 1.0)],
        limits=[Limit({"low down"}, "No dropout."), Limit({"high up"}, "No dropout.")],
    )
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The likelihood has no maximum: high grows without bound while low shrinks to 0. "
        "No dropout."
    )


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_likelihood_that_is_no_number_is_no_error_of_numpy(size: int) -> None:
    bent = np.full((size, size), np.nan)
    with pytest.raises(FitError) as caught:
        maximize(
            build=lambda *at: at,
            names=tuple("abcd"[:size]),
            likelihood=lambda *_: lambda _: (0.0, np.ones(size), bent),
            columns=(np.ones(3),),
            weights=np.ones(3),
            starts=[(1.0,) * size],
        )
    assert str(caught.value) == (
        "The likelihood of these histories is not finite.\n"
        "Check for impossible values, such as infinite times or amounts."
    )


def test_equal_fits_are_equal() -> None:
    history = simulated_histories(CDNOW, np.linspace(30, 730, 500), seed=8)
    assert BGNBD.fit(*history) == BGNBD.fit(*history)


# Shape


def test_models_are_found_by_name() -> None:
    assert PURCHASE_MODELS["bg_nbd"] is BGNBD
    assert SPEND_MODELS["gamma_gamma"] is GammaGamma


def test_models_need_no_optimizer() -> None:
    code = "import sys, crmkit.models; sys.exit('scipy.optimize' in sys.modules)"
    source = Path(crmkit.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=source, check=False).returncode == 0
