"""Log score and coverage: the probability that a forecast gave to each outcome."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, pdtr

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.distinct import distinct_pairs
from crmkit.models.protocol import PurchaseModel

_CELLS_AT_ONCE: Final = 2**20
_LOWER, _UPPER = 0.05, 0.95
_FEWEST: Final = 0.001
"""A forecast of 0 would give a purchase no probability, and so an infinite score."""
_STEPS, _CLOSE, _LONGEST = 60, 1e-9, 100.0


class OutcomeProbability(NamedTuple):
    """The probability that a method gave to the actual number of purchases, and to fewer."""

    of_outcome: Floats
    of_fewer: Floats


def log_score(probabilities: OutcomeProbability) -> float:
    """Mean log probability of the outcome; below 1e-308 a probability counts as that."""
    return float(np.log(np.maximum(probabilities.of_outcome, np.finfo(float).tiny)).mean())


def coverage(probabilities: OutcomeProbability) -> float:
    """Share of customers inside the 90 % interval; an outcome on its edge counts in part.

    An outcome covers the stretch from the probability of fewer to that of as many; it counts by
    the part of this stretch between 5 % and 95 %.
    """
    low = probabilities.of_fewer
    high = np.minimum(low + probabilities.of_outcome, 1.0)
    inside = np.minimum(high, _UPPER) - np.maximum(low, _LOWER)
    is_point = high <= low
    whole = np.where(is_point, 1.0, high - low)
    share = np.where(is_point, (low >= _LOWER) & (low <= _UPPER), np.maximum(inside, 0.0) / whole)
    return float(share.mean())


def of_model(
    model: PurchaseModel,
    history: tuple[Floats, Floats, Floats],
    purchases: Floats,
    *,
    horizon_days: float,
) -> OutcomeProbability:
    """Probability of each outcome by the model's distribution, once per distinct history.

    Histories are sorted by outcome, in blocks, so that a few very large counts do not widen the
    table for all.
    """
    x, t_x, T, counts, of_row = _distinct(*history, purchases)
    exact, fewer = np.empty(len(counts)), np.empty(len(counts))
    order = np.argsort(counts, kind="stable")
    start = 0
    while start < len(order):
        rows = order[start : start + _CELLS_AT_ONCE]
        cells = (counts[rows] + 1) * np.arange(1, len(rows) + 1)
        rows = rows[: max(np.searchsorted(cells, _CELLS_AT_ONCE, side="right"), 1)]
        most = int(counts[rows[-1]])
        table = model.purchase_distribution(
            x[rows], t_x[rows], T[rows], horizon_days=horizon_days, most=most
        )
        at = counts[rows].astype(np.int64)
        each = np.arange(len(rows))
        below = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(table, axis=1)], axis=1)
        exact[rows], fewer[rows] = table[each, at], below[each, at]
        start += len(rows)
    return OutcomeProbability(exact[of_row], fewer[of_row])


def poisson(expected: Floats, purchases: Floats) -> OutcomeProbability:
    """Probability of each outcome by a Poisson distribution with the forecast as mean."""
    mean = np.maximum(expected, _FEWEST)
    exact = np.exp(purchases * np.log(mean) - mean - gammaln(purchases + 1))
    fewer = np.where(purchases > 0, pdtr(np.maximum(purchases - 1, 0), mean), 0.0)
    return OutcomeProbability(exact, fewer)


def horizon_for(
    model: PurchaseModel,
    history: tuple[Floats, Floats, Floats],
    *,
    horizon_days: float,
    factor: float,
) -> float:
    """Find the horizon over which the model expects `factor` times the total purchases."""

    def total(days: float) -> float:
        return float(model.expected_purchases(*history, horizon_days=days).sum())

    target = factor * total(horizon_days)
    days = horizon_days
    # Expected purchases are concave in the horizon, so each step stops short of the target.
    for _ in range(_STEPS):
        stretch = target / total(days)
        days = min(days * stretch, _LONGEST * horizon_days)
        if abs(stretch - 1) < _CLOSE:
            break
    return days


def _distinct(
    x: Floats, t_x: Floats, T: Floats, counts: Floats
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Find the distinct histories with their outcomes, and the position of each row among them."""
    xs, Ts, of_pair = distinct_pairs(x, T)
    t_xs, ns, of_other = distinct_pairs(t_x, counts)
    first, second, of_row = distinct_pairs(of_pair.astype(float), of_other.astype(float))
    pair, other = first.astype(np.int64), second.astype(np.int64)
    return xs[pair], t_xs[other], Ts[pair], ns[other], of_row
