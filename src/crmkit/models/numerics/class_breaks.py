"""Class breaks of numbers: quantiles, natural breaks (Fisher-Jenks), head/tail breaks.

All functions take the sorted distinct values and their counts, and return increasing cuts. A
value's class is 1 plus the number of cuts at or below it, so equal values are always in one class,
and cuts apply to new values.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from crmkit.errors import FitError

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Ties: TypeAlias = Literal["average", "min", "max"]

MOST_VALUES: Final = 100_000
"""Natural breaks are exact up to this many distinct values."""


def classes(values: npt.ArrayLike, cuts: npt.ArrayLike) -> Integers:
    """Class of each value, 1 for the lowest."""
    return 1 + np.searchsorted(np.asarray(cuts, float), np.asarray(values, float), side="right")


def quantile_cuts(
    values: npt.NDArray[Any], counts: Integers, *, n: int, ties: Ties = "average"
) -> Floats:
    """Cuts into `n` classes of about equal size by percent rank.

    The class of a value is ``ceil(n * rank / total)``. Tied values share one rank: the mean
    of their ranks, or with `ties` the lowest or highest. Each cut is the lowest value of its
    class, and infinite for an empty class.
    """
    counts = counts.astype(np.int64)
    below = np.cumsum(counts) - counts
    # Twice the rank, so that the middle of an even number of ranks is whole too.
    twice_rank = {
        "average": 2 * below + counts + 1,
        "min": 2 * below + 2,
        "max": 2 * (below + counts),
    }[ties]
    class_of = -(-n * twice_rank // (2 * counts.sum())) if counts.size else counts
    first = np.searchsorted(class_of, np.arange(2, n + 1))
    return np.append(values.astype(float), np.inf)[first]


def quantile_type7(values: npt.NDArray[Any], counts: Integers, q: npt.ArrayLike) -> Floats:
    """Interpolated quantiles, as by default in R, numpy and spreadsheets.

    Hyndman, R. J. & Fan, Y. (1996). Sample quantiles in statistical packages. *The American
    Statistician* 50(4), 361-365. Definition 7.
    """
    if not values.size:
        msg = "quantiles: no values.\nGive one value or more."
        raise FitError(msg)
    position = np.asarray(q, float) * (counts.sum() - 1)
    ends = np.cumsum(counts)
    lower = np.floor(position).astype(np.int64)
    upper = np.ceil(position).astype(np.int64)
    low = values[np.searchsorted(ends, lower, side="right")].astype(float)
    high = values[np.searchsorted(ends, upper, side="right")].astype(float)
    return np.asarray(low + (high - low) * (position - lower))


def natural_cuts(values: npt.NDArray[Any], counts: Integers, *, n: int) -> Floats:
    """Natural breaks (Fisher-Jenks): cuts into `n` classes with the least variance within.

    The sum of squared distances from the class means is minimal. Each cut is the
    lowest value of its class. Above `MOST_VALUES` distinct values, neighbours are first merged
    into at most that many groups, half of the bounds at equal steps of the value and
    half at equal steps of the rank; a cut may then be off by one group.

    Fisher, W. D. (1958). On grouping for maximum homogeneity. *Journal of the American
    Statistical Association* 53(284), 789-798.
    """
    if values.size < n:
        msg = (
            f"natural breaks: {n} classes need {n} distinct values or more, got {values.size}.\n"
            "Ask for fewer classes, or give the cut points yourself."
        )
        raise FitError(msg)
    starts = _groups(values.astype(float))
    weights = np.add.reduceat(counts.astype(float), starts)
    means = np.add.reduceat(values * counts.astype(float), starts) / weights
    cost = _Cost(means, weights)
    best = cost(np.zeros(means.size, dtype=np.int64), np.arange(means.size))
    choices = []
    for _ in range(n - 1):
        best, first = _one_class_more(best, cost)
        choices.append(first)
    cuts, end = [], means.size - 1
    for first in reversed(choices):
        cuts.append(values[starts[first[end]]])
        end = first[end] - 1
    return np.array(cuts[::-1], dtype=float)


def head_tail_cuts(values: npt.NDArray[Any], counts: Integers) -> Floats:
    """Head/tail breaks: cuts of heavy-tailed values at the mean, repeated within the head.

    The head is split again as long as it is the smaller part. A value equal to the mean is in the
    tail. Values without a heavy tail give an empty array.

    Jiang, B. (2013). Head/tail breaks: a new classification scheme for data with a heavy-tailed
    distribution. *The Professional Geographer* 65(3), 482-494.
    """
    cuts: list[float] = []
    while values.size > 1:
        mean = float(np.average(values, weights=counts))
        head = values > mean
        if 2 * counts[head].sum() >= counts.sum():
            break
        cuts.append(float(np.nextafter(mean, np.inf)))
        values, counts = values[head], counts[head]
    return np.array(cuts, dtype=float)


class _Cost:
    """Sum of squared distances from their mean of the values from i to j."""

    def __init__(self, values: Floats, weights: Floats) -> None:
        centred = values - np.average(values, weights=weights)
        self._weight = np.append(0.0, np.cumsum(weights))
        self._sum = np.append(0.0, np.cumsum(weights * centred))
        self._squares = np.append(0.0, np.cumsum(weights * centred**2))

    def __call__(self, i: Integers, j: Integers) -> Floats:
        weight = self._weight[j + 1] - self._weight[i]
        total = self._sum[j + 1] - self._sum[i]
        squares = self._squares[j + 1] - self._squares[i]
        costs: Floats = np.maximum(squares - total**2 / weight, 0.0)
        return costs


def _one_class_more(best: Floats, cost: _Cost) -> tuple[Floats, Integers]:
    """Optimal start of the last class for each j, given the cost with one class fewer.

    The start is monotone in j (divide and conquer): the middle j is solved first, then the middles
    of the halves, and so on; each round visits every value about once.
    """
    size = best.size
    before = np.append(0.0, best[:-1])  # what comes before a class that starts at i
    before[0] = np.inf  # a class more needs something before it
    least = np.full(size, np.inf)
    first = np.zeros(size, dtype=np.int64)
    stride = 1 << (size - 1).bit_length()
    while stride:
        j = np.arange(stride - 1, size, 2 * stride)
        low = np.where(j >= stride, first[np.maximum(j - stride, 0)], 0)
        high = np.where(j + stride < size, first[np.minimum(j + stride, size - 1)], size - 1)
        if j.size:
            least[j], first[j] = _least(before, cost, j, low, np.minimum(high, j))
        stride //= 2
    return least, first


def _least(
    before: Floats, cost: _Cost, j: Integers, low: Integers, high: Integers
) -> tuple[Floats, Integers]:
    """Cheapest start of the last class among low..high, for many j at once."""
    lengths = high - low + 1
    begins = np.cumsum(lengths) - lengths
    i = np.arange(lengths.sum()) - np.repeat(begins - low, lengths)
    costs = before[i] + cost(i, np.repeat(j, lengths))
    least = np.minimum.reduceat(costs, begins)
    cheapest = np.flatnonzero(costs == np.repeat(least, lengths))
    return least, i[cheapest[np.searchsorted(cheapest, begins)]]


def _groups(values: Floats) -> Integers:
    """Start of each value, or of each group of neighbours where there are too many values."""
    if values.size <= MOST_VALUES:
        return np.arange(values.size)
    n_steps = MOST_VALUES // 2
    by_rank = np.arange(values.size) * n_steps // values.size
    by_value = np.floor((values - values[0]) / (values[-1] - values[0]) * n_steps)
    return np.flatnonzero(np.append(True, (np.diff(by_rank) > 0) | (np.diff(by_value) > 0)))
