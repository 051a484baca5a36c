"""What holds for any Gamma-Gompertz/NBD and any customer, and that fits find what is there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit.models import GGompertzNBD, ParetoNBD
from tests.strategies import History, histories, pareto_nbd_models, summarized

AGEING = GGompertzNBD(r=0.9, alpha=30.0, b=0.02, s=0.8, beta=3.0)

DAYS = st.floats(0, 1000)


@st.composite
def models(draw: st.DrawFn) -> GGompertzNBD:
    """A Gamma-Gompertz/NBD model, from hardly to wildly varied customers."""
    r, s = (10 ** draw(st.floats(-2, 2)) for _ in range(2))
    alpha, b = 10 ** draw(st.floats(-1, 4)), 10 ** draw(st.floats(-6, 1))
    return GGompertzNBD(r=r, alpha=alpha, b=b, s=s, beta=10 ** draw(st.floats(-5, 4)))


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


@given(model=models(), history=histories(), silence=DAYS)
def test_silence_never_raises_the_odds_of_being_alive(
    model: GGompertzNBD, history: History, silence: float
) -> None:
    x, t_x, T = history
    (before,), (after,) = (model.probability_alive(x, t_x, T + more) for more in (0, silence))
    assert 0 <= after <= before * (1 + 1e-11) <= 1 + 1e-11


@given(model=models(), history=histories(), horizons=st.tuples(DAYS, DAYS))
def test_later_one_buys_more_and_is_less_often_there(
    model: GGompertzNBD, history: History, horizons: tuple[float, float]
) -> None:
    near, far = (model.expected_purchases(*history, horizon_days=h)[0] for h in sorted(horizons))
    assert 0 <= near <= far * (1 + 1e-11)
    rate = (model.r + history[0]) / (model.alpha + history[2])
    assert far <= rate[0] * max(horizons) * (1 + 1e-11) + 1e-290
    near, far = (model.probability_alive_later(*history, days=h)[0] for h in sorted(horizons))
    assert 0 <= far <= near <= model.probability_alive(*history)[0]


@given(model=models(), days=DAYS)
def test_one_just_seen_is_new(model: GGompertzNBD, days: float) -> None:
    new = one(0, 0, 0)
    assert model.probability_alive(*new) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(
        model.expected_purchases(*new, horizon_days=days),
        model.expected_purchases_new(np.array([days])),
        rtol=1e-11,
    )


@given(model=models(), history=histories())
def test_no_time_holds_no_purchase(model: GGompertzNBD, history: History) -> None:
    assert model.expected_purchases(*history, horizon_days=0.0) == 0
    assert model.expected_purchases_new(np.zeros(1)) == 0
    nothing = model.purchase_distribution(*history, horizon_days=0.0, most=2)
    np.testing.assert_allclose(nothing, [[1, 0, 0]], atol=1e-15)
    np.testing.assert_array_equal(
        model.probability_alive_later(*history, days=0.0), model.probability_alive(*history)
    )


@given(model=models(), history=histories(), horizon=st.floats(1e-3, 1e3))
def test_probabilities_of_counts_sum_to_one_and_have_the_expected_mean(
    model: GGompertzNBD, history: History, horizon: float
) -> None:
    (expected,) = model.expected_purchases(*history, horizon_days=horizon)
    (p,) = model.purchase_distribution(*history, horizon_days=horizon, most=60)
    assert (p >= 0).all()
    assert p.sum() <= 1 + 1e-11
    # More than 60 are at most as likely as if nobody left.
    shape = model.r + history[0][0]
    rare = stats.nbinom.sf(60, shape, 1 / (1 + horizon / (model.alpha + history[2][0])))
    assert p.sum() >= 1 - rare - 1e-11
    if rare < 1e-14:
        assert np.arange(61) @ p == pytest.approx(expected, rel=1e-8)


@given(model=models(), history=histories(), clock=st.sampled_from([7.0, 30.4375, 365.25]))
def test_the_clock_does_not_matter(model: GGompertzNBD, history: History, clock: float) -> None:
    x, t_x, T = history
    recast = replace(model, alpha=model.alpha * clock, b=model.b / clock)
    np.testing.assert_allclose(
        recast.expected_purchases(x, t_x * clock, T * clock, horizon_days=10 * clock),
        model.expected_purchases(x, t_x, T, horizon_days=10),
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        recast.log_likelihood(x, t_x * clock, T * clock) + x * math.log(clock),
        model.log_likelihood(x, t_x, T),
        rtol=1e-9,
        atol=1e-9,
    )


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


@given(model=models(), history=histories(max_size=5))
def test_one_customer_alone_is_predicted_as_among_others(
    model: GGompertzNBD, history: History
) -> None:
    together = model.expected_purchases(*history, horizon_days=365)
    for i, row in enumerate(zip(*history, strict=True)):
        (expected,) = model.expected_purchases(*one(*row), horizon_days=365)
        assert together[i] == pytest.approx(expected, rel=1e-10)


def test_a_weighted_fit_is_a_fit_on_repeated_rows() -> None:
    ages = np.linspace(60, 400, 1500).round()
    history = summarized(*AGEING.simulate(ages, rng=np.random.default_rng(1)), ages)
    rows, n = np.unique(np.stack(history), axis=1, return_counts=True)
    weighted = GGompertzNBD.fit(*rows, weights=n.astype(np.float64))
    repeated = GGompertzNBD.fit(*history)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-10)
    assert weighted.n_customers == repeated.n_customers == 1500


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


def test_simulated_customers_behave_as_expected() -> None:
    ages = np.linspace(50, 500, 20_000)
    customer, age = AGEING.simulate(ages + 200, rng=np.random.default_rng(0))
    assert ((age > 0) & (age <= (ages + 200)[customer])).all()
    x, t_x, T = summarized(customer, age, ages)
    later = age > T[customer]
    bought = np.bincount(customer[later], minlength=len(T))
    # Five standard errors of each total.
    new = AGEING.expected_purchases_new(T)
    assert abs(x.sum() - new.sum()) < 5 * math.sqrt(len(T)) * x.std()
    expected = AGEING.expected_purchases(x, t_x, T, horizon_days=200)
    assert abs((bought - expected).sum()) < 5 * math.sqrt(len(T)) * (bought - expected).std()
    p = AGEING.purchase_distribution(x, t_x, T, horizon_days=200, most=4)
    for n in range(5):
        spread = math.sqrt((p[:, n] * (1 - p[:, n])).sum())
        assert abs((bought == n).sum() - p[:, n].sum()) < 5 * spread
