"""What BG/NBD, MBG/NBD and their regular kin share, against customers followed one by one."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from scipy import integrate

from crmkit.models import BGCNBDK, BGNBD, MBGCNBDK, MBGNBD, Floats
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase
from tests.strategies import summarized

MODELS: list[DropoutAfterPurchase] = [
    BGNBD(r=0.8, alpha=10.0, a=0.8, b=2.4),
    MBGNBD(r=0.8, alpha=10.0, a=0.8, b=2.4),
    BGCNBDK(r=0.8, alpha=4.0, a=0.8, b=2.4, k=2),
    MBGCNBDK(r=0.8, alpha=2.0, a=0.8, b=2.4, k=4),
]
NOBODY = np.zeros(0)
NEW = np.zeros(1), np.zeros(1), np.zeros(1)

# Twins


class Lives(NamedTuple):
    """What customers did: the ages at their repeat purchases, and at which one they left."""

    purchases: list[list[float]]
    left: Floats


N_LIVES, SEEN, AHEAD = 6000, 40.0, 30.0


def lived(model: DropoutAfterPurchase, *, seed: int) -> Lives:
    """Follow customers one by one, arrival by arrival, through the time seen and ahead."""
    dice = np.random.default_rng(seed)
    purchases, left = [], []
    for _ in range(N_LIVES):
        rate, p = dice.gamma(model.r, 1 / model.alpha), dice.beta(model.a, model.b)
        gone = math.inf
        if model.dropout_after_first and dice.random() < p:
            gone = 0.0
        ages: list[float] = []
        age = dice.exponential(1 / rate, model.arrivals_per_purchase).sum()
        while gone == math.inf and age <= SEEN + AHEAD:
            ages.append(age)
            if dice.random() < p:
                gone = age
            age += dice.exponential(1 / rate, model.arrivals_per_purchase).sum()
        purchases.append(ages)
        left.append(gone)
    return Lives(purchases, np.array(left))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_forecasts_are_what_becomes_of_customers_with_such_a_history(
    model: DropoutAfterPurchase,
) -> None:
    lives = lived(model, seed=1)
    customer = np.repeat(np.arange(N_LIVES), [len(ages) for ages in lives.purchases])
    ages = np.array([age for each in lives.purchases for age in each])
    history = summarized(customer, ages, np.full(N_LIVES, SEEN))
    x, t_x, _ = history
    bought = np.bincount(customer[ages > SEEN], minlength=N_LIVES)
    distribution = model.purchase_distribution(*history, horizon_days=AHEAD, most=2)
    forecasts = [
        (model.expected_purchases(*history, horizon_days=AHEAD), bought),
        (model.probability_alive(*history), lives.left > SEEN),
        (model.probability_alive_later(*history, days=AHEAD), lives.left > SEEN + AHEAD),
        *((distribution[:, n], bought == n) for n in range(3)),
    ]
    kinds = [x == 0, x == 1, x == 2, x > 2, t_x > 30, (x > 0) & (t_x < 15)]
    for expected, came in forecasts:
        for kind in kinds:
            error = (came - expected)[kind].astype(np.float64)
            assert abs(error.sum()) < 4 * math.sqrt(error @ error) + 1e-9


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_simulated_purchases_are_as_those_of_customers_followed_one_by_one(
    model: DropoutAfterPurchase,
) -> None:
    lives = lived(model, seed=2)
    customer, age = model.simulate(np.full(60_000, SEEN), rng=np.random.default_rng(3))
    x, t_x, _ = summarized(customer, age, np.full(60_000, SEEN))
    seen = [[each for each in ages if each <= SEEN] for ages in lives.purchases]
    slow_x = np.array([len(ages) for ages in seen], dtype=np.float64)
    slow_t_x = np.array([max(ages, default=0.0) for ages in seen])
    for fast, slow in (
        (x, slow_x),
        (t_x, slow_t_x),
        (x == 0, slow_x == 0),
        (x == 1, slow_x == 1),
        (t_x * (x == 2), slow_t_x * (slow_x == 2)),
    ):
        spread = math.sqrt(np.var(fast) / len(fast) + np.var(slow) / len(slow))
        assert abs(np.mean(fast) - np.mean(slow)) < 4 * spread


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_counts_of_new_customers_have_their_distribution(model: DropoutAfterPurchase) -> None:
    x, _, _ = summarized(
        *model.simulate(np.full(60_000, SEEN), rng=np.random.default_rng(4)),
        np.full(60_000, SEEN),
    )
    (chances,) = model.purchase_distribution(*NEW, horizon_days=SEEN, most=8)
    found = np.bincount(np.minimum(x, 9).astype(int), minlength=10)[:9] / len(x)
    assert (np.abs(found - chances) < 4 * np.sqrt(chances / len(x))).all()


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_distribution_sums_to_one_and_has_the_expected_mean(
    model: DropoutAfterPurchase,
) -> None:
    history = np.array([0.0, 0, 3, 12]), np.array([0.0, 0, 5, 60]), np.array([0.0, 80, 60, 60])
    chances = model.purchase_distribution(*history, horizon_days=AHEAD, most=800)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-12)
    expected = model.expected_purchases(*history, horizon_days=AHEAD)
    np.testing.assert_allclose(chances @ np.arange(801.0), expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_for_ever_is_the_integral_of_the_purchases_of_each_day(
    model: DropoutAfterPurchase,
) -> None:
    rate, history = 0.5, (np.array([3.0]), np.array([40.0]), np.array([45.0]))
    delta = math.log1p(rate) / 365.25

    def expected(years: float) -> float:
        days = years * 365.25
        (purchases,) = model.expected_purchases(*history, horizon_days=days)
        return float(delta * 365.25 * purchases * math.exp(-delta * days))

    parts = [integrate.quad(expected, *ends, epsrel=1e-10)[0] for ends in ((0, 5), (5, 90))]
    (found,) = model.discounted_purchases(
        *history, horizon_days=math.inf, annual_discount_rate=rate
    )
    assert found == pytest.approx(sum(parts), rel=1e-8)


@pytest.mark.parametrize(("r", "alpha", "a", "b"), [(1e3, 1e3, 10, 1), (0.25, 30, 0.8, 2.4)])
def test_soon_lost_customers_are_discounted_as_exactly(
    r: float, alpha: float, a: float, b: float
) -> None:
    # The purchases of a day if alive are the rate's mean times a 2F1, by Euler's integral.
    model, (x, t_x, T) = BGNBD(r=r, alpha=alpha, a=a, b=b), (5, 18, 20)
    delta = mpmath.log1p(0.1) / 365.25
    if_alive = mpmath.quad(
        lambda days: (
            mpmath.exp(-delta * days) * mpmath.hyp2f1(r + x + 1, a, a + b + x, -days / (alpha + T))
        ),
        [0, *(mpmath.mpf(1095) / 4**k for k in range(10, -1, -1))],
    )
    history = np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])
    (p,) = model.probability_alive(*history)
    (found,) = model.discounted_purchases(*history, horizon_days=1095, annual_discount_rate=0.1)
    assert found == pytest.approx(float(p * (r + x) / (alpha + T) * if_alive), rel=1e-9)


@pytest.mark.parametrize("model", MODELS[:2], ids=str)
def test_the_chance_to_be_alive_later_is_exact(model: DropoutAfterPurchase) -> None:
    # One who leaves with probability p is still there with exp(-rate p days): the mean over
    # rate and p is a 2F1, by Euler's integral.
    with mpmath.workdps(40):
        for (x, T), days in product([(0, 0), (0, 4000), (1, 60), (50, 4000)], [0.1, 30.0, 4000.0]):
            stays = mpmath.hyp2f1(
                model.r + x,
                model.a,
                model.a + model.b + x + model.dropout_after_first,
                -days / (model.alpha + T),
            )
            history = np.array([float(x)]), np.array([float(T if x else 0)]), np.array([float(T)])
            (now,) = model.probability_alive(*history)
            (later,) = model.probability_alive_later(*history, days=days)
            assert later == pytest.approx(float(stays) * now, rel=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_fit_reaches_at_least_the_likelihood_of_the_truth(model: DropoutAfterPurchase) -> None:
    T = np.linspace(60, 120, 3000)
    history = summarized(*model.simulate(T, rng=np.random.default_rng(6)), T)
    found = type(model).fit(*history)
    assert found.converged
    assert found.log_likelihood == pytest.approx(found.model.log_likelihood(*history).sum())
    assert found.log_likelihood >= model.log_likelihood(*history).sum()
