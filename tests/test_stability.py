"""The population stability index, and how far chance moves it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.models.numerics.stability import population_stability, stability_by_chance

COUNTS = st.lists(st.integers(1, 10_000), min_size=6, max_size=6)


def test_the_index_is_what_one_finds_by_hand() -> None:
    # (.4 - .5) ln(.4 / .5) + (.6 - .5) ln(.6 / .5) = .02231 + .01823
    assert population_stability([50, 50], [40, 60]) == pytest.approx(0.1 * math.log(1.5))
    # (.2 - .1) ln 2 + (.3 - .4) ln(3/4) + 0
    by_hand = 0.1 * math.log(2) - 0.1 * math.log(0.75)
    assert population_stability([10, 40, 50], [20, 30, 50]) == pytest.approx(by_hand)


def test_an_empty_class_counts_as_half_a_customer() -> None:
    found = population_stability([100, 0], [50, 50])
    assert found == pytest.approx(-0.5 * math.log(0.5) + 0.495 * math.log(0.5 / 0.005))
    assert population_stability([50, 0, 50], [40, 0, 60]) == population_stability(
        [50, 50], [40, 60]
    )


def test_of_nobody_nothing_is_known() -> None:
    assert math.isnan(population_stability([0, 0], [1, 2]))


@given(COUNTS, COUNTS)
def test_it_is_never_below_zero_and_the_same_both_ways(then: list[int], now: list[int]) -> None:
    found = population_stability(then, now)
    assert found >= 0
    assert found == pytest.approx(population_stability(now, then))
    assert population_stability(then, [3 * n for n in then]) == pytest.approx(0, abs=1e-12)


def test_chance_stays_below_its_bound_as_often_as_stated() -> None:
    dice, shares = np.random.default_rng(1), np.array([0.1, 0.2, 0.3, 0.25, 0.15])
    found = [
        population_stability(dice.multinomial(800, shares), dice.multinomial(1200, shares))
        for _ in range(4000)
    ]
    bound = stability_by_chance(5, expected=800, actual=1200, level=0.95)
    assert np.mean(np.array(found) <= bound) == pytest.approx(0.95, abs=0.01)


def test_a_single_class_cannot_move() -> None:
    assert stability_by_chance(1, expected=10, actual=10, level=0.95) == 0
    assert population_stability([7], [9]) == 0
