"""Properties of every purchase model; published numbers are in the file of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, Floats, parameter_names, rescaled
from crmkit.models.inference.newton import Likelihood, maximize
from tests.companies import DRAWS, Company
from tests.strategies import History, by_day, histories, summarized

PARAMETERS: Mapping[str, tuple[float, float]] = {
    "r": (-2, 2),
    "alpha": (-1, 4),
    "a": (-2, 2),
    "b": (-2, 2),
    "s": (-2, 2),
    "beta": (-1, 4),
}
"""Powers of ten between which parameters are drawn: from little to extreme heterogeneity."""

OTHERS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "ggompertz_nbd": {"b": (-6, 1), "beta": (-5, 4)}
}
"""Those of a model where a name means another thing."""

TYPICAL = Company(shape=0.8, days=40.0, leaving=0.15, agreement=3.0, amount=30.0)

NEW = np.zeros(1), np.zeros(1), np.zeros(1)
NOBODY = np.zeros(0), np.zeros(0), np.zeros(0)

DAYS = st.floats(0, 4000)

every_model = pytest.mark.parametrize("name", PURCHASE_MODELS)

AT: list[tuple[str, tuple[float, ...], int]] = [
    ("nbd", (0.6, 12.0), 1),
    ("bg_nbd", (0.6, 12.0, 0.3, 4.0), 1),
    ("mbg_nbd", (0.6, 12.0, 0.3, 4.0), 1),
    ("bg_cnbd_k", (0.6, 12.0, 0.3, 4.0), 2),
    ("bg_cnbd_k", (0.6, 12.0, 0.3, 4.0), 5),
    ("mbg_cnbd_k", (0.6, 12.0, 0.3, 4.0), 2),
    ("mbg_cnbd_k", (0.6, 12.0, 0.3, 4.0), 5),
    ("pareto_nbd", (0.55, 74.0, 0.6, 82.0), 1),
    ("pareto_nbd", (3.0, 1.0, 200.0, 0.7), 1),
    ("ggompertz_nbd", (0.9, 30.0, 0.02, 0.8, 3.0), 1),
    ("ggompertz_nbd", (0.9, 30.0, 0.02, 200.0, 7.0), 1),
    ("ggompertz_nbd", (0.9, 30.0, 1e-4, 0.8, 1e-3), 1),
]
"""Parameters, and k, at which derivatives are compared with differences."""


@st.composite
def models(draw: st.DrawFn, name: str) -> Any:
    """A model of this name, of any heterogeneity."""
    powers = {**PARAMETERS, **OTHERS.get(name, {})}
    drawn = {
        each: draw(st.integers(2, 6)) if each == "k" else 10 ** draw(st.floats(*powers[each]))
        for each in parameter_names(PURCHASE_MODELS[name])
    }
    return PURCHASE_MODELS[name](**drawn)


def with_data(test: Callable[..., None]) -> Callable[..., None]:
    """Run a property on drawn values, for every model."""
    found: Callable[..., None] = every_model(given(data=st.data())(test))
    return found


def k_of(model: Any) -> int:
    """Arrivals per purchase."""
    return int(getattr(model, "arrivals_per_purchase", 1))


@cache
def typical(name: str) -> Any:
    """A typical model of this name."""
    truth, _ = DRAWS[PURCHASE_MODELS[name]](TYPICAL, np.random.default_rng(0))
    return truth


def simulated(name: str, ages: Floats, *, seed: int) -> History:
    """Customers of the typical model, by day."""
    customer, age = typical(name).simulate(ages, rng=np.random.default_rng(seed))
    return summarized(*by_day(customer, age), ages)


# Twins


@pytest.mark.parametrize(("name", "parameters", "k"), AT)
def test_gradient_and_hessian_are_differences_of_the_log_likelihood(
    name: str, parameters: tuple[float, ...], k: int
) -> None:
    kept: dict[str, Any] = {}

    def search(**asked: Any) -> Any:
        kept.update(asked)
        return maximize(**asked)

    history = simulated(name, np.linspace(1, 700, 200).round(), seed=5)
    weights = np.tile([1.0, 2.0], 100)
    chosen = {"k": k} if k > 1 else {}
    PURCHASE_MODELS[name].fit(*history, weights=weights, search=search, **chosen)  # type: ignore[call-arg]
    likelihood: Likelihood = kept["likelihood"](*kept["columns"], kept["weights"])
    where, step = np.log(parameters), 1e-5
    value, gradient, hessian = likelihood(where)
    if k == 1:
        model = PURCHASE_MODELS[name](*parameters)
        total = float(weights @ model.log_likelihood(*history))
        assert value == pytest.approx(total, rel=1e-12)
    steps = step * np.eye(len(where))
    pairs = [(likelihood(where + each), likelihood(where - each)) for each in steps]
    # Where integrals are in the value, its rounding limits what the differences can show.
    noise = 1e-5 + (1e-8 * abs(value) if name in ("pareto_nbd", "ggompertz_nbd") else 0.0)
    slopes = [(ahead[0] - behind[0]) / (2 * step) for ahead, behind in pairs]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=noise)
    bends = [(ahead[1] - behind[1]) / (2 * step) for ahead, behind in pairs]
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=noise)


@pytest.mark.full_for("bg_cnbd_k", "mbg_cnbd_k")
@every_model
def test_simulated_customers_behave_as_expected(name: str) -> None:
    model = typical(name)
    ages = np.linspace(50, 500, 20_000)
    customer, age = model.simulate(ages + 200, rng=np.random.default_rng(0))
    x, t_x, T = summarized(customer, age, ages)
    bought = np.bincount(customer[age > T[customer]], minlength=len(T))
    # Five standard errors of each total.
    new = model.expected_purchases_new(T)
    assert abs(x.sum() - new.sum()) < 5 * math.sqrt(len(T)) * x.std()
    expected = model.expected_purchases(x, t_x, T, horizon_days=200)
    assert abs((bought - expected).sum()) < 5 * math.sqrt(len(T)) * (bought - expected).std()
    p = model.purchase_distribution(x, t_x, T, horizon_days=200, most=6)
    for n in range(7):
        spread = math.sqrt((p[:, n] * (1 - p[:, n])).sum())
        assert abs((bought == n).sum() - p[:, n].sum()) < 5 * spread
    active = model.probability_alive_later(x, t_x, T, days=100)
    seen_later = np.bincount(customer[age > T[customer] + 100], minlength=len(T)) > 0
    assert seen_later.sum() < active.sum()


# Properties


@with_data
def test_probabilities_of_being_alive_are_probabilities_and_fall(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    near, far = sorted(data.draw(st.tuples(DAYS, DAYS)))
    (now,) = model.probability_alive(*history)
    assert 0 <= now <= 1
    soon, later = (model.probability_alive_later(*history, days=days)[0] for days in (near, far))
    # After a purchase only, it is 1 less the probability of dropout: rounding hides the tiniest.
    slack = (1e-12, 1e-12) if hasattr(model, "dropout_after_first") else (0.0, 0.0)
    assert 0 <= later <= soon * (1 + slack[0]) + now * slack[1]
    assert soon <= now * (1 + slack[0])
    (same,) = model.probability_alive_later(*history, days=0.0)
    assert same == pytest.approx(now, rel=1e-14)


@with_data
def test_inactivity_never_raises_the_odds_of_being_alive(name: str, data: Any) -> None:
    model, (x, t_x, T) = data.draw(models(name)), data.draw(histories())
    longer = data.draw(st.floats(0, 1000))
    (before,), (after,) = (model.probability_alive(x, t_x, T + more) for more in (0, longer))
    assert after <= before * (1 + 1e-12)


@with_data
def test_a_longer_horizon_never_holds_fewer_purchases(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    horizons = sorted(data.draw(st.tuples(DAYS, DAYS)))
    near, far = (model.expected_purchases(*history, horizon_days=h)[0] for h in horizons)
    assert 0 <= near <= far * (1 + 1e-11)


@with_data
def test_no_time_holds_no_purchase(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    assert model.expected_purchases(*history, horizon_days=0.0) == 0
    assert model.expected_purchases_new(np.zeros(1)) == 0
    (chances,) = model.purchase_distribution(*history, horizon_days=0.0, most=3)
    np.testing.assert_allclose(chances, [1, 0, 0, 0], rtol=1e-14, atol=1e-15)


@with_data
def test_purchases_are_at_most_those_without_dropout(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    horizon = data.draw(st.floats(1e-9, 1e6))
    (found,) = model.expected_purchases(*history, horizon_days=horizon)
    k = k_of(model)
    rate = (model.r + k * history[0] + k - 1) / (model.alpha + history[2])
    assert 0 <= found <= rate[0] * horizon * (1 + 1e-11) + 1e-290


@with_data
def test_a_new_customer_is_one_seen_for_no_time(name: str, data: Any) -> None:
    model, days = data.draw(models(name)), data.draw(st.floats(1e-6, 4000))
    (new,) = model.expected_purchases_new(np.array([days]))
    assert new == pytest.approx(model.expected_purchases(*NEW, horizon_days=days)[0], rel=1e-12)
    if not getattr(model, "dropout_after_first", False):
        assert model.probability_alive(*NEW) == pytest.approx(1, abs=1e-14)


@with_data
def test_probabilities_of_counts_sum_to_one_and_have_the_expected_mean(
    name: str, data: Any
) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    horizon, most = data.draw(st.floats(1e-6, 4000)), 400 if name != "ggompertz_nbd" else 60
    (expected,) = model.expected_purchases(*history, horizon_days=horizon)
    (p,) = model.purchase_distribution(*history, horizon_days=horizon, most=most)
    assert (p >= 0).all()
    assert p.sum() <= 1 + 1e-11
    mean = p @ np.arange(most + 1.0)
    assert mean <= expected * (1 + 1e-9)
    # More are at most as likely as that many arrivals without dropout.
    k, x, T = k_of(model), history[0][0], history[2][0]
    rare = stats.nbinom.sf(most, model.r + k * x + k - 1, 1 / (1 + horizon / (model.alpha + T)))
    assert p.sum() >= 1 - rare - 1e-11
    if rare < 1e-14:
        assert mean == pytest.approx(expected, rel=1e-8, abs=1e-300)


@with_data
def test_the_unit_of_time_does_not_matter(name: str, data: Any) -> None:
    model, (x, t_x, T) = data.draw(models(name)), data.draw(histories())
    clock = data.draw(st.sampled_from([7.0, 30.4375, 365.25]))
    recast, recast_history = rescaled(model, unit=1 / clock), (x, t_x * clock, T * clock)
    np.testing.assert_allclose(
        recast.expected_purchases(*recast_history, horizon_days=10 * clock),
        model.expected_purchases(x, t_x, T, horizon_days=10),
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        recast.purchase_distribution(*recast_history, horizon_days=clock, most=5),
        model.purchase_distribution(x, t_x, T, horizon_days=1, most=5),
        rtol=1e-9,
        atol=1e-300 if name == "nbd" else 1e-14,
    )
    assume(k_of(model) == 1 or not ((x > 0) & (t_x == 0)).any())
    np.testing.assert_allclose(
        recast.log_likelihood(*recast_history) + x * math.log(clock),
        model.log_likelihood(x, t_x, T),
        rtol=1e-9,
        atol=1e-9,
    )


@with_data
def test_one_customer_alone_is_predicted_as_among_others(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories(max_size=20))

    def forecast(*history: Floats) -> Floats:
        return np.column_stack(
            [
                model.expected_purchases(*history, horizon_days=365),
                model.probability_alive_later(*history, days=90),
                model.purchase_distribution(*history, horizon_days=30, most=3),
            ]
        )

    alone = [
        forecast(*(column[i : i + 1] for column in history))[0] for i in range(len(history[0]))
    ]
    np.testing.assert_allclose(forecast(*history), alone, rtol=1e-12, atol=1e-15)


@with_data
def test_without_discount_all_purchases_count(name: str, data: Any) -> None:
    model, history = data.draw(models(name)), data.draw(histories())
    np.testing.assert_allclose(
        model.discounted_purchases(*history, horizon_days=100, annual_discount_rate=0.0),
        model.expected_purchases(*history, horizon_days=100),
        rtol=1e-12,
    )


@with_data
def test_simulated_ages_are_sorted_and_within_the_time_observed(name: str, data: Any) -> None:
    model, seed = data.draw(models(name)), data.draw(st.integers(0, 1000))
    T = np.array([0.0, 20.0, 365.0, 1.0])
    customer, age = model.simulate(T, rng=np.random.default_rng(seed))
    assert customer.dtype == np.int64
    assert (np.lexsort((age, customer)) == np.arange(len(age))).all()
    assert ((age > 0) & (age <= T[customer])).all()


@every_model
def test_a_weighted_fit_is_a_fit_on_repeated_rows(name: str) -> None:
    history = simulated(name, np.linspace(60, 400, 1500).round(), seed=1)
    rows, n = np.unique(np.stack(history), axis=1, return_counts=True)
    weighted = PURCHASE_MODELS[name].fit(*rows, weights=n.astype(np.float64))
    repeated = PURCHASE_MODELS[name].fit(*(column[::-1] for column in history))
    assert weighted.n_customers == repeated.n_customers == 1500
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    # There a parameter diverges, and its value means nothing.
    assert repeated.converged == (name != "ggompertz_nbd")
    if repeated.converged:
        np.testing.assert_allclose(
            astuple(weighted.model),  # type: ignore[call-overload]
            astuple(repeated.model),  # type: ignore[call-overload]
            rtol=1e-7,
        )


# Shape


@every_model
def test_no_customers_give_no_predictions(name: str) -> None:
    model = typical(name)
    assert model.log_likelihood(*NOBODY).shape == (0,)
    assert model.probability_alive(*NOBODY).shape == (0,)
    assert model.probability_alive_later(*NOBODY, days=30).shape == (0,)
    assert model.expected_purchases(*NOBODY, horizon_days=30).shape == (0,)
    assert model.expected_purchases_new(NOBODY[0]).shape == (0,)
    assert model.purchase_distribution(*NOBODY, horizon_days=30, most=4).shape == (0, 5)
    worth = model.discounted_purchases(*NOBODY, horizon_days=30, annual_discount_rate=0.1)
    assert worth.shape == (0,)
    customer, age = model.simulate(NOBODY[0], rng=np.random.default_rng(0))
    assert (customer.shape, age.shape) == ((0,), (0,))


@every_model
def test_a_fitted_model_prints_as_its_parameters(name: str) -> None:
    model = typical(name)
    shown = ", ".join(f"{each}={getattr(model, each)}" for each in parameter_names(model))
    assert str(model) == f"{type(model).__name__}({shown})"


# Refusals


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, each)
        for name, model in PURCHASE_MODELS.items()
        for each in parameter_names(model)
        if each != "k"
    ],
)
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, parameter: str, value: float) -> None:
    model = PURCHASE_MODELS[name]
    parameters: dict[str, float] = dict.fromkeys(parameter_names(model), 1.0) | {parameter: value}
    if "k" in parameters:
        parameters["k"] = 2
    with pytest.raises(InvalidArgumentError) as caught:
        model(**parameters)
    shown = ", ".join(f"{each}={number}" for each, number in parameters.items())
    assert str(caught.value) == (
        f"{model.title} parameters must be positive and finite, got {model.__name__}({shown})."
    )


@every_model
def test_without_a_repeat_purchase_a_fit_is_refused(name: str) -> None:
    with pytest.raises(FitError) as caught:
        PURCHASE_MODELS[name].fit(np.zeros(200), np.zeros(200), np.full(200, 90.0))
    assert str(caught.value) == (
        "customer summary: no repeat purchase in 200 of 200 customers.\n"
        "Observe them for longer before you fit."
    )
