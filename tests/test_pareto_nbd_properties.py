"""What holds for any Pareto/NBD model and any customer, and that fits find what is there."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit.models import NBD, ParetoNBD
from crmkit.models.purchases.pareto_dropout_integral import leaving_first_exactly
from tests.strategies import History, histories, pareto_nbd_models, summarized

REFERENCE = Path(__file__).parent / "reference"

DAYS = st.floats(0, 1000)


@pytest.fixture(scope="module")
def cdnow() -> History:
    """The 2,357 CDNOW customers of the papers, ages in days."""
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    return x, t_x, T


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


@given(powers=st.tuples(st.floats(-3, 4), st.floats(-3, 4)), log_ratio=st.floats(-16, 16))
def test_one_either_leaves_or_buys_first(powers: tuple[float, float], log_ratio: float) -> None:
    shape, s = (10**power for power in powers)
    leaves = leaving_first_exactly(np.array([shape]), s, np.array([log_ratio]))[0, 0, 0]
    buys = leaving_first_exactly(np.array([s]), shape, np.array([-log_ratio]))[0, 0, 0]
    assert math.exp(leaves) + math.exp(buys) == pytest.approx(1, abs=1e-12)


@given(model=pareto_nbd_models(), history=histories())
def test_probability_alive_is_a_probability(model: ParetoNBD, history: History) -> None:
    (p,) = model.probability_alive(*history)
    assert 0 <= p <= 1


@given(model=pareto_nbd_models(), history=histories(), silence=DAYS)
def test_silence_never_raises_the_odds_of_being_alive(
    model: ParetoNBD, history: History, silence: float
) -> None:
    x, t_x, T = history
    (before,), (after,) = (model.probability_alive(x, t_x, T + more) for more in (0, silence))
    assert after <= before * (1 + 1e-11)


@given(model=pareto_nbd_models(), history=histories(), horizons=st.tuples(DAYS, DAYS))
def test_later_one_buys_more_and_is_less_often_there(
    model: ParetoNBD, history: History, horizons: tuple[float, float]
) -> None:
    near, far = (model.expected_purchases(*history, horizon_days=h)[0] for h in sorted(horizons))
    assert near <= far * (1 + 1e-11)
    near, far = (model.probability_alive_later(*history, days=h)[0] for h in sorted(horizons))
    assert 0 <= far <= near <= model.probability_alive(*history)[0]


@given(model=pareto_nbd_models(), days=DAYS)
def test_one_just_seen_is_new(model: ParetoNBD, days: float) -> None:
    new = one(0, 0, 0)
    assert model.probability_alive(*new) == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(
        model.expected_purchases(*new, horizon_days=days),
        model.expected_purchases_new(np.array([days])),
        rtol=1e-12,
    )


@given(model=pareto_nbd_models(), history=histories())
def test_no_time_holds_no_purchase(model: ParetoNBD, history: History) -> None:
    assert model.expected_purchases(*history, horizon_days=0.0) == 0
    assert model.expected_purchases_new(np.zeros(1)) == 0
    nothing = model.purchase_distribution(*history, horizon_days=0.0, most=2)
    np.testing.assert_allclose(nothing, [[1, 0, 0]], atol=1e-15)
    np.testing.assert_array_equal(
        model.probability_alive_later(*history, days=0.0), model.probability_alive(*history)
    )


@given(model=pareto_nbd_models(), history=histories(), horizon=st.floats(1e-9, 1e6))
def test_nobody_is_expected_to_buy_more_than_if_surely_staying(
    model: ParetoNBD, history: History, horizon: float
) -> None:
    x, _, T = history
    (found,) = model.expected_purchases(*history, horizon_days=horizon)
    assert 0 <= found <= ((model.r + x) / (model.alpha + T) * horizon)[0] * (1 + 1e-11)


@given(model=pareto_nbd_models(), history=histories(), horizon=st.floats(1e-3, 1e3))
def test_probabilities_of_counts_sum_to_one_and_have_the_expected_mean(
    model: ParetoNBD, history: History, horizon: float
) -> None:
    (expected,) = model.expected_purchases(*history, horizon_days=horizon)
    (p,) = model.purchase_distribution(*history, horizon_days=horizon, most=400)
    assert (p >= 0).all()
    assert p.sum() <= 1 + 1e-11
    # More than 400 are at most as likely as if nobody left.
    shape = model.r + history[0][0]
    rare = stats.nbinom.sf(400, shape, 1 / (1 + horizon / (model.alpha + history[2][0])))
    assert p.sum() >= 1 - rare - 1e-11
    if rare < 1e-14:
        assert np.arange(401) @ p == pytest.approx(expected, rel=1e-8)


@given(
    model=pareto_nbd_models(), history=histories(), clock=st.sampled_from([7.0, 30.4375, 365.25])
)
def test_the_clock_does_not_matter(model: ParetoNBD, history: History, clock: float) -> None:
    x, t_x, T = history
    recast = replace(model, alpha=model.alpha * clock, beta=model.beta * clock)
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


@given(model=pareto_nbd_models(), history=histories(max_size=20))
def test_one_customer_alone_is_predicted_as_among_others(
    model: ParetoNBD, history: History
) -> None:
    together = model.expected_purchases(*history, horizon_days=365)
    counts = model.purchase_distribution(*history, horizon_days=30, most=3)
    for i, row in enumerate(zip(*history, strict=True)):
        alone = one(*row)
        (expected,) = model.expected_purchases(*alone, horizon_days=365)
        assert together[i] == pytest.approx(expected, rel=1e-11)
        (p,) = model.purchase_distribution(*alone, horizon_days=30, most=3)
        np.testing.assert_allclose(counts[i], p, rtol=1e-9, atol=1e-15)


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


def test_a_weighted_fit_is_a_fit_on_repeated_rows(cdnow: History) -> None:
    rows, n = np.unique(np.stack(cdnow), axis=1, return_counts=True)
    weighted = ParetoNBD.fit(*rows, weights=n.astype(np.float64))
    repeated = ParetoNBD.fit(*cdnow)
    np.testing.assert_allclose(astuple(weighted.model), astuple(repeated.model), rtol=1e-7)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    assert weighted.n_customers == repeated.n_customers == 2357


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


def test_simulated_customers_behave_as_expected() -> None:
    model = ParetoNBD(r=0.9, alpha=30.0, s=0.8, beta=60.0)
    ages = np.linspace(50, 500, 20_000)
    customer, age = model.simulate(ages + 200, rng=np.random.default_rng(0))
    assert ((age > 0) & (age <= (ages + 200)[customer])).all()
    assert (np.diff(customer) >= 0).all()
    assert (np.diff(age)[np.diff(customer) == 0] >= 0).all()
    x, t_x, T = summarized(customer, age, ages)
    later = age > T[customer]
    bought = np.bincount(customer[later], minlength=len(T))
    # Five standard errors of each total.
    new = model.expected_purchases_new(T)
    assert abs(x.sum() - new.sum()) < 5 * math.sqrt(len(T)) * x.std()
    expected = model.expected_purchases(x, t_x, T, horizon_days=200)
    assert abs((bought - expected).sum()) < 5 * math.sqrt(len(T)) * (bought - expected).std()
    p = model.purchase_distribution(x, t_x, T, horizon_days=200, most=6)
    for n in range(7):
        spread = math.sqrt((p[:, n] * (1 - p[:, n])).sum())
        assert abs((bought == n).sum() - p[:, n].sum()) < 5 * spread
    still = model.probability_alive_later(x, t_x, T, days=100)
    seen_later = np.bincount(customer[age > T[customer] + 100], minlength=len(T)) > 0
    assert seen_later.sum() < still.sum()
