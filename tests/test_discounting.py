"""Discounted expected purchases: one quadrature, against the integral taken directly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from crmkit.errors import InvalidArgumentError
from crmkit.models import BGNBD
from crmkit.models.numerics.discounting import DAYS_PER_YEAR, discounted
from tests.strategies import History, bg_nbd_models, histories

CDNOW = BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426)

# Twins


@pytest.mark.parametrize("rate", [0.1, 15.0])
@pytest.mark.parametrize("resolution_days", [0.01, 30.0, 1e4])
@pytest.mark.parametrize("horizon", [1.0, 365.25, 3652.5])
def test_a_purchase_a_day_is_an_annuity(
    rate: float, resolution_days: float, horizon: float
) -> None:
    delta = math.log1p(rate) / DAYS_PER_YEAR
    (found,) = discounted(
        lambda days: np.array([days]),
        horizon_days=horizon,
        annual_discount_rate=rate,
        resolution_days=resolution_days,
    )
    assert found == pytest.approx(-math.expm1(-delta * horizon) / delta, rel=1e-10)


@pytest.mark.parametrize("rate", [1e-6, 0.1, 15.0])
@pytest.mark.parametrize("resolution_days", [0.01, 30.0, math.inf])
def test_a_purchase_a_day_for_ever_is_a_perpetuity(rate: float, resolution_days: float) -> None:
    (found,) = discounted(
        lambda days: np.array([days]),
        horizon_days=math.inf,
        annual_discount_rate=rate,
        resolution_days=resolution_days,
    )
    assert found == pytest.approx(DAYS_PER_YEAR / math.log1p(rate), rel=1e-10)


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 0), (2, 213, 272), (26, 216, 217)])
@pytest.mark.parametrize("alpha", [5.0, 30.9, 1e4])
def test_bg_nbd_is_the_discounted_stream_of_its_purchases(
    x: int, t_x: float, T: float, alpha: float
) -> None:
    model = BGNBD(r=0.243, alpha=alpha, a=0.793, b=2.426)
    rate, horizon = 0.1, 730.0
    node, weight = special.roots_jacobi(150, model.b + x - 1, model.a - 1)
    leaving, weight = (1 + node) / 2, weight / weight.sum()

    def discounted_rate(days: float) -> float:
        fading = (1 + leaving * days / (alpha + T)) ** (-model.r - x - 1)
        purchases_a_day = (model.r + x) / (alpha + T) * (weight @ fading)
        return float(purchases_a_day * (1 + rate) ** (-days / 365.25))

    stream, _ = integrate.quad(discounted_rate, 0, horizon, epsabs=0, epsrel=1e-11, limit=200)
    history = np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])
    (alive,) = model.probability_alive(*history)
    (found,) = model.discounted_purchases(*history, horizon_days=horizon, annual_discount_rate=rate)
    assert found == pytest.approx(stream * alive, rel=1e-9)


@pytest.mark.parametrize(("x", "T"), [(50, 400.0), (3000, 4000.0)])
@pytest.mark.parametrize("horizon", [3652.5, math.inf])
def test_a_heavy_buyer_who_is_soon_lost_is_discounted_as_exactly(
    x: int, T: float, horizon: float
) -> None:
    # With a = b = 1e13 all leave with probability 1/2, so that only the rate has a spread. The
    # purchases of such a buyer are over in a few days, of a horizon that knows no end.
    model = BGNBD(r=1.0, alpha=1e4, a=1e13, b=1e13)
    shape, scale, rate = model.r + x, model.alpha + T, 0.1

    def discounted_rate(log_days: float) -> float:
        days = math.exp(log_days)
        fading = (1 + 0.5 * days / scale) ** -(shape + 1)
        return float(days * shape / scale * fading * (1 + rate) ** (-days / DAYS_PER_YEAR))

    end = math.log(min(horizon, 1e7))
    stream, _ = integrate.quad(discounted_rate, -30, end, epsabs=0, epsrel=1e-12, limit=500)
    history = np.array([float(x)]), np.array([T]), np.array([T])
    (alive,) = model.probability_alive(*history)
    (found,) = model.discounted_purchases(*history, horizon_days=horizon, annual_discount_rate=rate)
    assert found == pytest.approx(stream * alive, rel=1e-9)


# Properties


@given(model=bg_nbd_models(), history=histories(max_size=5), horizon=st.floats(0, 4000))
def test_without_discount_it_is_the_expected_purchases(
    model: BGNBD, history: History, horizon: float
) -> None:
    np.testing.assert_array_equal(
        model.discounted_purchases(*history, horizon_days=horizon, annual_discount_rate=0.0),
        model.expected_purchases(*history, horizon_days=horizon),
    )


@given(
    model=bg_nbd_models(),
    history=histories(max_size=5),
    horizon=st.floats(0, 4000),
    rates=st.tuples(*[st.floats(0, 20)] * 2),
)
def test_a_higher_rate_never_raises_the_worth(
    model: BGNBD, history: History, horizon: float, rates: tuple[float, float]
) -> None:
    low, high = (
        model.discounted_purchases(*history, horizon_days=horizon, annual_discount_rate=rate)
        for rate in sorted(rates)
    )
    assert (high <= low * (1 + 1e-10)).all()


@given(model=bg_nbd_models(), history=histories(), rate=st.floats(0, 20))
def test_worth_lies_between_purchases_paid_at_once_and_at_the_end(
    model: BGNBD, history: History, rate: float
) -> None:
    (total,) = model.expected_purchases(*history, horizon_days=DAYS_PER_YEAR)
    (worth,) = model.discounted_purchases(
        *history, horizon_days=DAYS_PER_YEAR, annual_discount_rate=rate
    )
    assert total / (1 + rate) * (1 - 1e-10) <= worth <= total * (1 + 1e-10)


@given(rate=st.floats(0.01, 5))
def test_further_horizons_add_less_and_less(rate: float) -> None:
    history = np.array([4.0]), np.array([200.0]), np.array([210.0])
    worth = [
        CDNOW.discounted_purchases(
            *history, horizon_days=years * 365.25, annual_discount_rate=rate
        )[0]
        for years in (1, 2, 3, 4)
    ]
    gains = np.diff(worth)
    assert (gains > 0).all()
    assert (np.diff(gains) < 0).all()


@given(model=bg_nbd_models(), history=histories(), rate=st.floats(0.01, 5))
def test_for_ever_is_where_ever_longer_horizons_lead(
    model: BGNBD, history: History, rate: float
) -> None:
    a_century, for_ever = (
        model.discounted_purchases(*history, horizon_days=days, annual_discount_rate=rate)[0]
        for days in (36525.0, math.inf)
    )
    # What comes after a century is worth less than a century at most like the first, discounted.
    rest = (1 + rate) ** -100 / (1 - (1 + rate) ** -100)
    assert a_century * (1 - 1e-10) <= for_ever <= a_century * (1 + rest) * (1 + 1e-10)


# Refusals


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_rate_is_a_fraction_of_zero_or_more(rate: float) -> None:
    history = np.array([4.0]), np.array([200.0]), np.array([210.0])
    with pytest.raises(InvalidArgumentError) as caught:
        CDNOW.discounted_purchases(*history, horizon_days=30, annual_discount_rate=rate)
    assert str(caught.value) == (
        f"annual_discount_rate must be a fraction of 0 or more, got {rate}.\nWrite 10 % as 0.1."
    )


def test_undiscounted_purchases_for_ever_have_no_sum() -> None:
    history = np.array([4.0]), np.array([200.0]), np.array([210.0])
    with pytest.raises(InvalidArgumentError) as caught:
        CDNOW.discounted_purchases(*history, horizon_days=math.inf, annual_discount_rate=0.0)
    assert str(caught.value) == (
        "annual_discount_rate must be above 0 with an infinite horizon, got 0.\n"
        "The undiscounted sum need not be finite."
    )
