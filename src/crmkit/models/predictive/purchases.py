"""Predictive distribution of purchases within a horizon, with parameter uncertainty.

A row's distribution is a mean over equally weighted models: with probability 1 - p_j the customer
has dropped out, and with p_j the purchases are those of a customer alive under model j, which
depend on x, T and the parameters. In T they change so slowly that they are computed at ages 5 %
apart and interpolated linearly; the error is below 0.001, and the ages are the same for every
table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from crmkit.models.inference.covariates import groups
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.row_parameters import at_rows
from crmkit.models.protocol import PurchaseModel

_APART = 0.05
_DENSE = 20.0
"""Up to this age every day is a grid point; 5 % are less than a day there."""

_ROWS_AT_ONCE = 2**15
_PAIRS_AT_ONCE = 512
_FEWEST = 8
_LONGEST = 2**16
"""Largest number of purchases in a distribution."""


class PredictivePurchases(NamedTuple):
    """Predictive distribution of purchases of some rows with similar histories.

    Attributes
    ----------
    rows
        The rows.
    before, after
        Position of each row's x and grid age in `chances`: the age before T, the age after it.
    first
        A row of each position.
    share
        Weight of the age after T in the interpolation.
    days
        Purchase days with known spend, by position.
    alive
        Probability of being alive, by row and model.
    chances
        Probability of 0, 1, ... purchases if alive, by position, count and model. The last count
        includes all larger ones.
    """

    rows: Codes
    before: Codes
    after: Codes
    first: Codes
    share: Floats
    days: Floats
    alive: Floats
    chances: Floats

    def of_rows(self, table: Floats, column: Codes) -> Floats:
        """Mean over models of one column of a table shaped as `chances`, for each row."""
        total = np.zeros(len(self.rows))
        for position, weight in ((self.before, 1 - self.share), (self.after, self.share)):
            found = np.einsum("rj,rj->r", self.alive, table[position, column])
            total += weight * found
        return total / self.alive.shape[1]

    def more(self) -> Floats:
        """Probability of more than 0, 1, ... purchases if alive, shaped as `chances`."""
        later = np.cumsum(self.chances[:, :0:-1], axis=1)[:, ::-1]
        return np.concatenate([later, np.zeros_like(later[:, :1])], axis=1)

    def more_than(self, n: Codes) -> Floats:
        """Probability of more than n purchases, for each row."""
        last = self.chances.shape[1] - 1
        return np.where(n < 0, 1.0, self.of_rows(self.more(), np.clip(n, 0, last)))

    def quantile(self, level: float) -> Floats:
        """Predictive quantile of the number of purchases, for each row."""
        at = first_within(self, self.more(), 1 - level)
        return at.astype(np.float64)


def first_within(block: PredictivePurchases, falling: Floats, bound: float) -> Codes:
    """Find by bisection the first column whose mean over models is `bound` or less, by row.

    The last column is assumed to be.
    """
    low = np.full(len(block.rows), -1)
    high = np.full(len(block.rows), falling.shape[1] - 1)
    while (high - low > 1).any():
        middle = np.maximum((low + high) // 2, 0)
        within = block.of_rows(falling, middle) <= bound
        high, low = np.where(within, middle, high), np.where(within, low, middle)
    return high


def predictive_purchases(
    models: Sequence[PurchaseModel],
    x: Floats,
    t_x: Floats,
    T: Floats,
    *,
    days: Floats,
    kind: Codes,
    horizon_days: float,
    tail: float,
) -> Iterator[PredictivePurchases]:
    """Compute predictive distributions of purchases, by blocks of customers.

    Parameters
    ----------
    models
        Equally weighted models, with parameters for all rows or for each.
    x, t_x, T
        Histories, a row each.
    days
        Purchase days with known spend: x, or 0 where spend is unknown.
    kind
        Group of each row; rows of a group have the same parameters.
    horizon_days
        Length of the horizon.
    tail
        Counts are separate up to where the probability of more is below this.
    """
    alive = np.stack([model.probability_alive(x, t_x, T) for model in models], axis=1)
    # One code for x and whether spend is known.
    coded = 2 * x + (days > 0)
    by_row = getattr(models[0], "arrivals_per_purchase", 1) > 1
    for rows in _like_rows(models[0], coded, T, kind, horizon_days=horizon_days, by_row=by_row):
        if by_row:
            before = after = np.arange(len(rows))
            first, last, ages, share = rows, t_x[rows], T[rows], np.zeros(len(rows))
        else:
            low, high, share = _ages_about(T[rows])
            twice, ends = np.tile(rows, 2), np.append(low, high)
            of_position, positions = groups(np.stack([coded[twice], ends, kind[twice]], axis=1))
            before, after = np.split(positions, 2)
            first, ages = twice[of_position], ends[of_position]
            last = ages
        counts, known = np.divmod(coded[first], 2)
        there = [at_rows(model, first) for model in models]
        chances = _chances(there, counts, last, ages, horizon_days=horizon_days, tail=tail)
        yield PredictivePurchases(
            rows, before, after, first, share, counts * known, alive[rows], chances
        )


def _like_rows(
    model: PurchaseModel,
    coded: Floats,
    T: Floats,
    kind: Codes,
    *,
    horizon_days: float,
    by_row: bool,
) -> Iterator[Codes]:
    """Group rows that need about the same number of counts, in blocks of pairs of x and T."""
    low = T if by_row else _ages_about(T)[0]
    first, of_row = groups(np.stack([coded, low, kind], axis=1))
    ages, there = low[first], at_rows(model, first)
    expected = there.expected_purchases(coded[first] // 2, ages, ages, horizon_days=horizon_days)
    octave = np.round(np.log2(1 + expected))
    sorted_pairs = np.argsort(octave, kind="stable")
    rank = np.empty(len(first), np.int64)
    rank[sorted_pairs] = np.arange(len(first))
    new_octave = np.flatnonzero(np.diff(octave[sorted_pairs])) + 1
    starts = np.union1d(np.arange(0, len(first), _PAIRS_AT_ONCE), new_octave)
    of_row = rank[of_row]
    order = np.argsort(of_row, kind="stable")
    for rows in np.split(order, np.searchsorted(of_row[order], starts)[1:]):
        if len(rows):
            yield from np.array_split(rows, 1 + len(rows) // _ROWS_AT_ONCE)


def _ages_about(T: Floats) -> tuple[Floats, Floats, Floats]:
    """Grid ages before and after each T, and the position of T between them."""
    steps = np.floor(np.log(np.maximum(T, _DENSE) / _DENSE) / np.log1p(_APART))
    dense = T < _DENSE
    low = np.where(dense, np.floor(T), _DENSE * (1 + _APART) ** steps)
    high = np.where(dense, low + 1, low * (1 + _APART))
    share = np.clip((T - low) / (high - low), 0.0, 1.0)
    return low, np.where(share > 0, high, low), share


def _chances(
    models: Sequence[PurchaseModel],
    x: Floats,
    t_x: Floats,
    T: Floats,
    *,
    horizon_days: float,
    tail: float,
) -> Floats:
    """Distribution of purchases if alive, by row, count and model, up to the tail."""
    expected = models[0].expected_purchases(x, t_x, T, horizon_days=horizon_days)
    most = _FEWEST + int(3 * min(expected.max(initial=0.0), _LONGEST / 4))
    while True:
        found = [
            _if_alive(model, x, t_x, T, horizon_days=horizon_days, most=most) for model in models
        ]
        chances = np.stack(found, axis=2)
        if chances[:, -1].max(initial=0.0) < tail or most >= _LONGEST:
            return _cut_off(chances, tail=tail)
        most *= 2


def _cut_off(chances: Floats, *, tail: float) -> Floats:
    """Add the tail to the first count beyond which less than `tail` remains."""
    from_here = np.cumsum(chances[:, ::-1], axis=1)[:, ::-1]
    last = (from_here.max(axis=2) < tail).argmax(axis=1)[:, np.newaxis, np.newaxis]
    n = np.arange(chances.shape[1])[np.newaxis, :, np.newaxis]
    kept: Floats = np.where(n < last, chances, np.where(n == last, from_here, 0.0))
    return kept


def _if_alive(
    model: PurchaseModel, x: Floats, t_x: Floats, T: Floats, *, horizon_days: float, most: int
) -> Floats:
    """Distribution of purchases if alive; the last column is `most` or more."""
    alive = model.probability_alive(x, t_x, T)[:, np.newaxis]
    found = model.purchase_distribution(x, t_x, T, horizon_days=horizon_days, most=most - 1)
    found[:, :1] -= 1 - alive
    found = np.maximum(found / alive, 0.0)
    rest = np.maximum(1 - found.sum(axis=1, keepdims=True), 0.0)
    return np.append(found, rest, axis=1)
