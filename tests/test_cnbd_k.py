"""BG/CNBD-k and MBG/CNBD-k: against BTYDplus, then against slow sums, then what k does."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crmkit.errors import InvalidArgumentError
from crmkit.models import BGCNBDK, BGNBD, MBGCNBDK, MBGNBD, Floats
from crmkit.models.purchases.cnbd_k import RegularPurchases
from tests.strategies import History, bg_nbd_models, histories, summarized

pytestmark = pytest.mark.slow
KINDS = [BGCNBDK, MBGCNBDK]


def one(x: float, t_x: float, T: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


def simulated(model: RegularPurchases, T: Floats, *, seed: int) -> tuple[History, Floats]:
    """Histories of simulated customers, and the sum of the logs of the days in between."""
    customer, age = model.simulate(T, rng=np.random.default_rng(seed))
    first = np.diff(customer, prepend=-1) != 0
    gaps = np.where(first, age, np.diff(age, prepend=0.0))
    return summarized(customer, age, T), np.bincount(
        customer, np.log(gaps), minlength=len(T)
    ).astype(np.float64)


# Published


def test_with_k_1_it_is_bg_nbd() -> None:
    # BTYDplus, tests/testthat/test-bg-cnbd-k.R; the two probabilities by a second program.
    parameters = {"r": 0.85, "alpha": 1.45, "a": 0.79, "b": 2.42}
    model, like = BGCNBDK(**parameters, k=1), BGNBD(**parameters)
    history = np.array([0.0, 1]), np.array([0.0, 16]), np.full(2, 32.0)
    alive = model.probability_alive(*history)
    np.testing.assert_allclose(alive, [1.0, 0.4789305887816906], rtol=1e-14)
    np.testing.assert_allclose(alive, like.probability_alive(*history), rtol=1e-14)
    days = np.array([1.0, 2, 3])
    np.testing.assert_allclose(
        model.expected_purchases_new(days), like.expected_purchases_new(days), rtol=1e-14
    )
    for horizon in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(
            model.expected_purchases(*history, horizon_days=horizon),
            like.expected_purchases(*history, horizon_days=horizon),
            rtol=1e-14,
        )
        np.testing.assert_allclose(
            model.purchase_distribution(*history, horizon_days=horizon, most=5),
            like.purchase_distribution(*history, horizon_days=horizon, most=5),
            rtol=1e-14,
        )


def test_probabilities_of_counts_sum_to_one() -> None:
    # BTYDplus, tests/testthat/test-mbg-cnbd-k.R: up to 100 purchases within two weeks.
    model = MBGCNBDK(r=0.85, alpha=1.45, a=0.79, b=2.42, k=3)
    (chances,) = model.purchase_distribution(*one(0, 0, 0), horizon_days=2, most=100)
    assert chances.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_recovers_what_it_was_simulated_from(kind: type[RegularPurchases]) -> None:
    # BTYDplus, tests/testthat/test-mbg-cnbd-k.R, with its tolerance for the total. It allows
    # parameters 10 %, which is less than two standard errors of b.
    truth = kind(r=0.85, alpha=1.45, a=0.79, b=2.42, k=3)
    T = np.resize(np.arange(36.0, 97, 12), 8000)
    customer, age = truth.simulate(T + 36, rng=np.random.default_rng(1))
    history = summarized(customer, age, T)
    found = kind.fit(*history)
    assert found.model.k == 3
    off = np.log(astuple(found.model)[:4]) - np.log(astuple(truth)[:4])
    assert (np.abs(off) < 3 * np.array(found.standard_errors_log, float)).all()
    assert (np.abs(off) < 0.2).all()
    bought = (age > T[customer]).sum()
    expected = found.model.expected_purchases(*history, horizon_days=36).sum()
    assert expected == pytest.approx(bought, rel=0.05)


# Twins

EXTREME = [
    (0.85, 1.45, 0.79, 2.42, 3),
    (1e-3, 1e4, 1.0, 1e-3, 2),
    (50.0, 1e3, 1e2, 1e2, 4),
    (1e-3, 1e-3, 1e-3, 1e-3, 2),
    (1.0, 1.0, 1.0, 1.0, 6),
]
AWKWARD = [
    (0, 0, 4000),
    (1, 4000, 4000),
    (1, 0.5, 1),
    (50, 2000, 4000),
    (3000, 4000, 4000),
    (5000, 4000, 4000),
]


def stages(model: RegularPurchases, x: int, t_x: float, T: float) -> list[mpmath.mpf]:
    """Weight of each number of arrivals since the last purchase."""
    shape, share = model.r + model.k * mpmath.mpf(x), mpmath.mpf(T - t_x) / (model.alpha + T)
    return [mpmath.rf(shape, j) / mpmath.factorial(j) * share**j for j in range(model.k)]


def odds_left(model: RegularPurchases, x: int, t_x: float, T: float) -> mpmath.mpf:
    """Odds that one left at the last occasion."""
    r, alpha, a, b, k = map(mpmath.mpf, astuple(model))
    occasions = x + 1 if model.dropout_after_first else x
    if not occasions:
        return mpmath.mpf(0)
    silence = ((alpha + T) / (alpha + t_x)) ** (r + k * x) / mpmath.fsum(stages(model, x, t_x, T))
    return a / (b + occasions - 1) * silence


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parameters", EXTREME, ids=str)
def test_log_likelihood_is_exact(
    kind: type[RegularPurchases], parameters: tuple[float, float, float, float, int]
) -> None:
    model = kind(*parameters)
    r, alpha, a, b, k = map(mpmath.mpf, parameters)
    for x, t_x, T in AWKWARD:
        occasions = x + 1 if model.dropout_after_first else x
        # As in BTYDplus: arrivals up to the last purchase, then a silence or a leave.
        bought = mpmath.rf(r, k * x) * alpha**r / (alpha + T) ** (r + k * x)
        stayed = mpmath.beta(a, b + occasions) / mpmath.beta(a, b)
        waited = mpmath.fsum(stages(model, x, t_x, T)) * (1 + odds_left(model, x, t_x, T))
        # The times in between, over all ways to place them.
        ways = mpmath.gamma(x) / mpmath.gamma(k * x) * mpmath.mpf(t_x) ** ((k - 1) * x) if x else 1
        (found,) = model.log_likelihood(*one(x, t_x, T))
        assert found == pytest.approx(float(mpmath.log(bought * stayed * waited * ways)), rel=1e-9)
        (p,) = model.probability_alive(*one(x, t_x, T))
        assert p == pytest.approx(
            float(1 / (1 + odds_left(model, x, t_x, T))), rel=1e-9, abs=1e-300
        )


def summed(model: RegularPurchases, x: int, t_x: float, T: float, horizon: float) -> mpmath.mpf:
    """Purchases of one alive, as the sum of the probabilities of a first, a second, ..."""
    k, weights = model.k, stages(model, x, t_x, T)
    b = model.b + mpmath.mpf(x + 1 if model.dropout_after_first else x)
    z = mpmath.mpf(horizon) / (model.alpha + T)
    total = mpmath.mpf(0)
    for j, weight in enumerate(weights):
        shape, n, arrivals, still_there = model.r + k * mpmath.mpf(x) + j, 1, 0, mpmath.mpf(1)
        exactly = (1 + z) ** -shape
        fewer = exactly
        while True:
            while arrivals < k * n - j - 1:
                arrivals += 1
                exactly *= (shape + arrivals - 1) / arrivals * z / (1 + z)
                fewer += exactly
            chance = weight * still_there * (1 - fewer)
            total += chance
            if chance < total * mpmath.mpf(10) ** -13 and arrivals > shape * z:
                break
            still_there *= (b + n - 1) / (model.a + b + n - 1)
            n += 1
    return total / mpmath.fsum(weights)


@pytest.mark.slow
@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parameters", EXTREME, ids=str)
def test_expected_purchases_are_exact(
    kind: type[RegularPurchases], parameters: tuple[float, float, float, float, int]
) -> None:
    model = kind(*parameters)
    for x, t_x, T in AWKWARD[:-1]:  # at x = 5,000 the sum takes long
        # At z of hundreds the sum takes long: once is enough.
        for horizon in (1e-3, 30.0, 730.0 if T > 1 or model.k == 3 else 120.0):
            exact = summed(model, x, t_x, T, horizon) / (1 + odds_left(model, x, t_x, T))
            (found,) = model.expected_purchases(*one(x, t_x, T), horizon_days=horizon)
            assert found == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


def test_the_mean_over_all_days_in_between_is_the_likelihood_without_them() -> None:
    # Two purchases by age 10, the first at any age before: with k = 3 a polynomial in it, of
    # which 5 Gauss nodes give the exact mean. One purchase leaves nothing open.
    history = np.array([2.0, 1, 0]), np.array([10.0, 5, 0]), np.array([12.0, 30, 30])
    without = BGCNBDK.fit(*history, k=3)
    node, weight = np.polynomial.legendre.leggauss(5)
    ratios = []
    for first in 5 * (1 + node):
        log_gaps = np.array([math.log(first * (10 - first)), math.log(5), 0.0])
        found = BGCNBDK.fit(*history, k=3, log_gaps=log_gaps)
        assert found.model == without.model
        ratios.append(math.exp(found.log_likelihood - without.log_likelihood))
    assert weight @ ratios / 2 == pytest.approx(1, rel=1e-9)


# Properties


@given(
    like=bg_nbd_models(),
    history=histories(),
    horizon=st.floats(0, 4000),
    modified=st.booleans(),
)
def test_with_k_1_it_is_the_model_without_k(
    like: BGNBD, history: History, horizon: float, *, modified: bool
) -> None:
    plain = MBGNBD(**asdict(like)) if modified else like
    model = (MBGCNBDK if modified else BGCNBDK)(**asdict(like), k=1)
    assert model.log_likelihood(*history) == plain.log_likelihood(*history)
    assert model.expected_purchases(*history, horizon_days=horizon) == plain.expected_purchases(
        *history, horizon_days=horizon
    )


@given(
    like=bg_nbd_models(),
    history=histories(),
    k=st.integers(2, 6),
    horizon=st.floats(1e-3, 4000),
    kind=st.sampled_from(KINDS),
)
def test_purchases_ahead_are_what_their_distribution_says(
    like: BGNBD, history: History, k: int, horizon: float, kind: type[RegularPurchases]
) -> None:
    model = kind(**asdict(like), k=k)
    (chances,) = model.purchase_distribution(*history, horizon_days=horizon, most=400)
    (expected,) = model.expected_purchases(*history, horizon_days=horizon)
    assume(400**2 * chances[-1] < 1e-10 * expected)
    assert chances @ np.arange(401.0) == pytest.approx(expected, rel=1e-8, abs=1e-300)


def test_the_more_regular_buying_is_the_more_a_silence_tells() -> None:
    # The same buying rate, and a silence four times the usual wait.
    alive = [
        BGCNBDK(r=20.0, alpha=200.0 / k, a=1.0, b=3.0, k=k).probability_alive(*one(10, 100, 140))[0]
        for k in (1, 2, 4, 6)
    ]
    assert alive == sorted(alive, reverse=True)
    assert alive[-1] < alive[0] / 4


def test_one_who_is_due_soon_is_expected_to_buy_sooner() -> None:
    model = BGCNBDK(r=200.0, alpha=200.0, a=1e-6, b=1e6, k=6)  # every 6 days
    just, due = (
        model.expected_purchases(*one(10, 60, 60 + silence), horizon_days=2)[0]
        for silence in (0, 5)
    )
    assert just < 0.1
    assert due > 0.4


@pytest.mark.parametrize("k", [1, 2])
def test_a_choice_of_k_finds_how_regular_customers_are(k: int) -> None:
    truth = BGCNBDK(r=0.85, alpha=5.0, a=0.79, b=2.42, k=k)
    history, log_gaps = simulated(truth, np.full(3000, 90.0), seed=2)
    assert BGCNBDK.fit(*history).model.k == k
    chosen = BGCNBDK.fit(*history, log_gaps=log_gaps)
    assert chosen.model == BGCNBDK.fit(*history, k=k).model


def test_a_weighted_fit_is_a_fit_on_repeated_rows() -> None:
    truth = MBGCNBDK(r=0.85, alpha=5.0, a=0.79, b=2.42, k=2)
    history, log_gaps = simulated(truth, np.full(1000, 90.0), seed=3)
    n = np.tile([1, 2], 500)
    weighted = MBGCNBDK.fit(*history, weights=n.astype(np.float64), log_gaps=log_gaps)
    repeated = MBGCNBDK.fit(
        *(np.repeat(column, n)[::-1] for column in history), log_gaps=np.repeat(log_gaps, n)[::-1]
    )
    np.testing.assert_allclose(astuple(weighted.model), astuple(repeated.model), rtol=1e-7)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)


def test_a_fit_says_when_buying_is_as_good_as_on_schedule() -> None:
    # Everybody buys every ten days until leaving, and is seen at another point of the wait.
    x = np.tile([1.0, 3, 6, 9], 25)
    T = 10 * x + np.tile([0.0, 3, 6, 9, 60], 20)
    found = BGCNBDK.fit(x, 10 * x, T, log_gaps=x * math.log(10))
    assert found.model.k == 12
    assert found.diagnostics[-1] == (
        "The likelihood still rises at the largest k tried, 12: customers buy at nearly even "
        "intervals, or orders come on a schedule."
    )


# Refusals


@pytest.mark.parametrize("k", [0, -1, 1.5, math.nan])
def test_k_is_a_whole_number_of_1_or_more(k: int) -> None:
    message = f"k must be a whole number of 1 or more, got {k}.\nk = 1 is a Poisson process."
    with pytest.raises(InvalidArgumentError) as caught:
        BGCNBDK(r=1.0, alpha=1.0, a=1.0, b=1.0, k=k)
    assert str(caught.value) == message
    with pytest.raises(InvalidArgumentError) as caught:
        BGCNBDK.fit(*one(1, 5, 9), k=k)
    assert str(caught.value) == message


def test_regular_buyers_do_not_buy_twice_at_a_time() -> None:
    model = BGCNBDK(r=1.0, alpha=1.0, a=1.0, b=1.0, k=2)
    with pytest.raises(InvalidArgumentError) as caught:
        model.log_likelihood(np.array([0.0, 2, 2]), np.array([0.0, 0, 5]), np.full(3, 9.0))
    assert str(caught.value) == (
        "customer summary: repeat purchases at age 0 in 1 of 3 rows.\n"
        "Merge the purchases of a day into one: regular purchases cannot coincide."
    )
