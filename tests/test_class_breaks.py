"""Classes of numbers: against published examples, slow twins, and what must always hold."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import ceil
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import FitError
from crmkit.models.numerics import class_breaks

# Employment density of California's 58 counties, the example of pysal/mapclassify (BSD-3).
DENSITY = [
    *(329.92, 0.42, 5.9, 14.03, 2.78, 1.34, 181.27, 1.65, 10.03, 16.7, 1.32, 3.99, 3.16, 0.22),
    *(8.7, 6.56, 3.27, 0.33, 370.5, 4.51, 75.29, 0.99, 2.74, 8.68, 0.14, 0.92, 12.63, 28.7),
    *(12.02, 722.85, 36.68, 0.74, 29.82, 192.05, 3.38, 11.15, 110.74, 4111.45, 49.47, 10.33),
    *(317.11, 20.47, 264.93, 66.26, 5.39, 0.13, 0.61, 50.65, 40.48, 36.67, 13.09, 1.81, 0.2),
    *(7.6, 2.51, 57.26, 24.32, 6.97),
]

Distribution = tuple[class_breaks.Floats, class_breaks.Integers]


def distribution(values: list[float]) -> Distribution:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.astype(float), counts.astype(np.int64)


@st.composite
def distributions(draw: st.DrawFn, *, at_least: int = 1) -> Distribution:
    """Distinct values and how often each occurs."""
    values = draw(st.sets(st.integers(-1000, 1000), min_size=at_least, max_size=10))
    counts = draw(st.lists(st.integers(1, 60), min_size=len(values), max_size=len(values)))
    return np.array(sorted(values), dtype=float), np.array(counts, dtype=np.int64)


def squares(
    values: class_breaks.Floats, counts: class_breaks.Integers, class_of: class_breaks.Integers
) -> float:
    """Add up the squared distances from the class means."""
    total = 0.0
    for number in set(class_of.tolist()):
        mine = class_of == number
        mean = np.average(values[mine], weights=counts[mine])
        total += float(np.sum(counts[mine] * (values[mine] - mean) ** 2))
    return total


# Published


def test_natural_breaks_are_mapclassifys() -> None:
    # mapclassify FisherJenks(calempdl, k=5): bins, counts, and deviations from class medians.
    cuts = class_breaks.natural_cuts(*distribution(DENSITY), n=5)
    class_of = class_breaks.classes(DENSITY, cuts)
    members = [np.array(DENSITY)[class_of == number] for number in range(1, 6)]
    assert [float(each.max()) for each in members] == [75.29, 192.05, 370.5, 722.85, 4111.45]
    assert [each.size for each in members] == [49, 3, 4, 1, 1]
    deviations = sum(float(np.abs(each - np.median(each)).sum()) for each in members)
    assert f"{deviations:.2f}" == "799.24"


def test_head_tail_breaks_are_mapclassifys() -> None:
    # mapclassify HeadTailBreaks(calempdl): the bins but for the last, which is the maximum.
    cuts = class_breaks.head_tail_cuts(*distribution(DENSITY))
    assert [f"{cut:.8f}" for cut in cuts] == ["125.92810345", "811.26000000"]
    assert np.bincount(class_breaks.classes(DENSITY, cuts))[1:].tolist() == [50, 7, 1]


def test_quantiles_are_mapclassifys() -> None:
    # mapclassify Quantiles(calempdl, k=5): bins, closed on the right, and counts.
    bins = class_breaks.quantile_type7(*distribution(DENSITY), np.array([0.2, 0.4, 0.6, 0.8, 1.0]))
    assert [f"{each:.3f}" for each in bins] == ["1.464", "5.798", "13.278", "54.616", "4111.450"]
    counts = np.bincount(np.searchsorted(bins, DENSITY, side="left"))
    assert counts.tolist() == [12, 11, 12, 11, 12]


@pytest.mark.parametrize(
    ("ties", "expected"),
    [("max", [3, 4, 5, 5, 5]), ("average", [2, 4, 5, 5, 5]), ("min", [1, 4, 5, 5, 5])],
)
def test_ties_share_the_rank_asked_for(ties: class_breaks.Ties, expected: list[int]) -> None:
    # 60 customers with 1 order, 20 with 2, 10 with 3, 6 with 4 and 4 with 9.
    values, counts = np.array([1.0, 2, 3, 4, 9]), np.array([60, 20, 10, 6, 4])
    cuts = class_breaks.quantile_cuts(values, counts, n=5, ties=ties)
    assert class_breaks.classes(values, cuts).tolist() == expected


# Twins


@given(data=distributions(), n=st.integers(2, 9), ties=st.sampled_from(get_args(class_breaks.Ties)))
def test_quantile_classes_are_percent_ranks_row_by_row(
    data: Distribution, n: int, ties: class_breaks.Ties
) -> None:
    rows = np.repeat(*data).tolist()
    expected = []
    for value in data[0]:
        below, same = sum(row < value for row in rows), sum(row == value for row in rows)
        rank = {"min": below + 1, "max": below + same, "average": below + Fraction(same + 1, 2)}
        expected.append(ceil(n * Fraction(rank[ties]) / len(rows)))
    assert (
        class_breaks.classes(data[0], class_breaks.quantile_cuts(*data, n=n, ties=ties)).tolist()
        == expected
    )


@given(data=distributions(), q=st.floats(0, 1))
def test_weighted_quantiles_are_those_of_repeated_values(data: Distribution, q: float) -> None:
    expected = np.quantile(np.repeat(*data), q)
    assert float(class_breaks.quantile_type7(*data, q)) == pytest.approx(float(expected), abs=1e-9)


@given(data=distributions(at_least=5), n=st.integers(2, 5))
def test_natural_breaks_are_the_best_of_all_partitions(data: Distribution, n: int) -> None:
    values, counts = data
    best = min(
        squares(values, counts, np.searchsorted(starts, np.arange(values.size), side="right"))
        for starts in combinations(range(1, values.size), n - 1)
    )
    cuts = class_breaks.natural_cuts(values, counts, n=n)
    found = squares(values, counts, class_breaks.classes(values, cuts))
    assert found == pytest.approx(best, rel=1e-9, abs=1e-6)


# Properties


@given(data=distributions(at_least=5), n=st.integers(2, 5))
def test_natural_classes_are_all_in_use(data: Distribution, n: int) -> None:
    class_of = class_breaks.classes(data[0], class_breaks.natural_cuts(*data, n=n))
    assert sorted(set(class_of.tolist())) == list(range(1, n + 1))


@given(data=distributions(at_least=5), factor=st.sampled_from([0.01, 100.0]))
def test_quantile_and_natural_classes_know_no_unit(data: Distribution, factor: float) -> None:
    values, counts = data
    for find in (class_breaks.quantile_cuts, class_breaks.natural_cuts):
        before = class_breaks.classes(values, find(values, counts, n=4))
        after = class_breaks.classes(values * factor, find(values * factor, counts, n=4))
        if find is class_breaks.quantile_cuts:
            assert before.tolist() == after.tolist()
        else:  # of two partitions that are equally good, rounding may pick either
            assert squares(values, counts, before) == pytest.approx(squares(values, counts, after))


@given(data=distributions())
def test_each_head_is_the_smaller_part_above_the_mean(data: Distribution) -> None:
    values, counts = data
    for cut in class_breaks.head_tail_cuts(*data):
        above = values >= cut
        assert values[~above].max() <= np.average(values, weights=counts) < values[above].min()
        assert 2 * counts[above].sum() < counts.sum()
        values, counts = values[above], counts[above]


def test_natural_breaks_see_small_gaps_between_large_values() -> None:
    values = 1e9 + np.array([0.0, 1, 2, 10, 11, 30])
    cuts = class_breaks.natural_cuts(values, np.ones(6, dtype=np.int64), n=3)
    assert (cuts - 1e9).tolist() == [10, 30]


def test_a_class_that_no_value_reaches_starts_at_infinity() -> None:
    cuts = class_breaks.quantile_cuts(np.array([7.0]), np.array([50]), n=5)
    assert cuts.tolist() == [7, 7, np.inf, np.inf]


def test_too_many_values_are_put_together_and_hardly_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.unique(np.random.default_rng(7).lognormal(3, 1.5, 5000))
    counts = np.ones(values.size, dtype=np.int64)
    exact = squares(
        values, counts, class_breaks.classes(values, class_breaks.natural_cuts(values, counts, n=5))
    )
    monkeypatch.setattr(class_breaks, "MOST_VALUES", 500)
    cuts = class_breaks.natural_cuts(values, counts, n=5)
    assert set(cuts) <= set(values)
    found = squares(values, counts, class_breaks.classes(values, cuts))
    assert exact <= found * (1 + 1e-9)
    assert found < exact * 1.01


def test_one_giant_does_not_swallow_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_breaks, "MOST_VALUES", 100)
    values = np.append(np.arange(1000.0), 1e12)
    cuts = class_breaks.natural_cuts(values, np.ones(1001, dtype=np.int64), n=5)
    assert cuts[-1] == 1e12
    assert np.all(np.diff(cuts) > 0)


# Refusals


def test_too_few_values_for_natural_classes_are_refused() -> None:
    with pytest.raises(FitError) as caught:
        class_breaks.natural_cuts(*distribution([1.0, 2.0, 2.0]), n=5)
    assert str(caught.value) == (
        "natural breaks: 5 classes need 5 distinct values or more, got 2.\n"
        "Ask for fewer classes, or give the cut points yourself."
    )


def test_no_values_have_no_quantiles() -> None:
    with pytest.raises(FitError) as caught:
        class_breaks.quantile_type7(*distribution([]), 0.5)
    assert str(caught.value) == ("quantiles: no values.\nGive one value or more.")


def test_even_values_have_no_head() -> None:
    assert class_breaks.head_tail_cuts(*distribution([1.0, 2, 3, 4])).size == 0
    assert class_breaks.head_tail_cuts(*distribution([])).size == 0
