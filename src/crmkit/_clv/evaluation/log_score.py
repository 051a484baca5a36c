"""What chance a forecast gave to what each customer then really bought."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, pdtr

from crmkit._door.frames import Floats
from crmkit.models.numerics.distinct import distinct_pairs
from crmkit.models.protocol import PurchaseModel

_CELLS_AT_ONCE: Final = 2**20
_LOWER, _UPPER = 0.05, 0.95
_FEWEST: Final = 0.001
"""A forecast of no purchase at all would make one that comes impossible, and its score endless."""
_STEPS, _CLOSE, _LONGEST = 60, 1e-9, 100.0


class Chances(NamedTuple):
    """The probability that a method gave to the number that came, and to fewer."""

    of_outcome: Floats
    of_fewer: Floats


def log_score(chances: Chances) -> float:
    """Mean log probability of what came; below 1e-308 a probability counts as that."""
    return float(np.log(np.maximum(chances.of_outcome, np.finfo(float).tiny)).mean())


def coverage(chances: Chances) -> float:
    """Share of customers inside the 90 % interval; who stands on its edge counts in part.

    The outcome's place is anywhere from the chance of fewer to that of as many; what counts is
    how much of this stretch lies between 5 % and 95 %.
    """
    low = chances.of_fewer
    high = np.minimum(low + chances.of_outcome, 1.0)
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
) -> Chances:
    """Look the outcome up in the model's own distribution, once per distinct history.

    Histories come in order of the outcome, in blocks, so that a few who bought very often do not
    make the table wide for all.
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
    return Chances(exact[of_row], fewer[of_row])


def poisson(expected: Floats, purchases: Floats) -> Chances:
    """Take purchases to scatter about a forecast as they would by chance alone."""
    mean = np.maximum(expected, _FEWEST)
    exact = np.exp(purchases * np.log(mean) - mean - gammaln(purchases + 1))
    fewer = np.where(purchases > 0, pdtr(np.maximum(purchases - 1, 0), mean), 0.0)
    return Chances(exact, fewer)


def horizon_for(
    model: PurchaseModel,
    history: tuple[Floats, Floats, Floats],
    *,
    horizon_days: float,
    factor: float,
) -> float:
    """Find the horizon over which the model expects `factor` times as many purchases in all."""

    def total(days: float) -> float:
        return float(model.expected_purchases(*history, horizon_days=days).sum())

    due = factor * total(horizon_days)
    days = horizon_days
    # Expected purchases rise ever more slowly, so each step lands short of the horizon due.
    for _ in range(_STEPS):
        stretch = due / total(days)
        days = min(days * stretch, _LONGEST * horizon_days)
        if abs(stretch - 1) < _CLOSE:
            break
    return days


def _distinct(
    x: Floats, t_x: Floats, T: Floats, counts: Floats
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Find the distinct histories with their outcomes, and for each row the place of its own."""
    xs, Ts, of_pair = distinct_pairs(x, T)
    t_xs, ns, of_other = distinct_pairs(t_x, counts)
    first, second, of_row = distinct_pairs(of_pair.astype(float), of_other.astype(float))
    pair, other = first.astype(np.int64), second.astype(np.int64)
    return xs[pair], t_xs[other], Ts[pair], ns[other], of_row
