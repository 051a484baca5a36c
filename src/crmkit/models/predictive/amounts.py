"""Predictive distribution of amounts, with parameter uncertainty of the spend model.

Amounts are in units of the customer's expected spend. In these units the distribution depends on
the number of purchase days of the customer, not on their amounts, so that a small table serves all.
That is exact at the estimates; the effect of parameter uncertainty is that of a customer with
median spend.

With covariates, their coefficients are uncertain too: under another model a customer's level
differs from that at the estimates by a factor, here by its log, the lift. A customer's mean changes
as the model implies, and sums of days by as much as their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crmkit.models.numerics.arrays import Floats
from crmkit.models.predictive.purchases import PredictivePurchases, first_within
from crmkit.models.protocol import SpendModel

_APART = 0.1
"""Step in the log of neighbouring amounts, and of neighbouring counts, of a table."""

_EVERY_COUNT = 20
_LEAST_SHARE = 1e-3
_LEAST_LOG, _LARGEST_LOG = -12.0, 40.0
_HALVINGS = 60


class PredictiveAmounts:
    """Predictive distribution of the amounts of future purchase days.

    Parameters
    ----------
    estimate
        The fitted model, which sets the unit.
    models
        Pairs of equally weighted models.
    """

    def __init__(
        self, estimate: SpendModel, models: Sequence[tuple[SpendModel, SpendModel]]
    ) -> None:
        self._estimate, self._models = estimate, models
        self._typical = 1.0
        none, one = np.zeros(1), np.ones(1)
        log_typical = _log_quantile(
            lambda log: estimate.amount_distribution(none, one, one, np.exp(log)), 0.5, like=none
        )
        self._typical = float(np.exp(log_typical[0]))
        lowest = _log_quantile(lambda log: self._below(none, one, log), _LEAST_SHARE, like=none)
        self._first = int(np.floor(max(float(lowest[0]), _LEAST_LOG) / _APART))
        self._tables: dict[float, Floats] = {}

    def mean_quantile(self, days: Floats, level: float, *, lifts: Floats) -> Floats:
        """Posterior quantile of customers' mean spend, in units of expected spend.

        `lifts` has a row for each customer and a column for each model, or one row for all.
        """
        unit, models = self._unit(days), [model for pair in self._models for model in pair]

        def below(log: Floats) -> Floats:
            found = np.zeros(len(days))
            for model, lift in zip(models, lifts.T, strict=True):
                # A factor on amounts is a change of currency.
                own, amount = self._own(days) * np.exp(-lift), unit * np.exp(log - lift)
                found += model.mean_distribution(days, own, amount)
            return found / len(models)

        return np.exp(_log_quantile(below, level, like=days))

    def quantiles(
        self, block: PredictivePurchases, levels: Sequence[float], *, lifts: Floats
    ) -> list[Floats]:
        """Predictive quantiles of the total amount of each row's purchases.

        The purchase models are pairs too, as many as the spend models and in their order.
        `lifts` has a row for each position of the block and a column for each spend model.
        """
        falling = self._more_than(block, tail=(1 - max(levels)) / 4, lifts=lifts)
        amounts = np.exp(_APART * (self._first + np.arange(falling.shape[1])))
        any_at_all = block.more_than(np.zeros(len(block.rows), np.int64))
        return [_interpolated(block, falling, amounts, any_at_all, 1 - level) for level in levels]

    def _more_than(self, block: PredictivePurchases, *, tail: float, lifts: Floats) -> Floats:
        """Probability of more than an amount if alive: by position, amount and model."""
        nodes, hats = _counts(block.chances.shape[1] - 1)
        n_amounts = self._n_amounts(block.days.min(initial=np.inf), float(nodes[-1]), tail=tail)
        is_lifted = bool(lifts.any())
        if is_lifted:
            n_amounts += int(np.ceil(np.abs(lifts).max() / _APART))
        at_nodes = np.einsum("cn,pcj->pnj", hats, block.chances[:, 1:])
        found = np.empty((len(block.days), n_amounts, block.chances.shape[2]))
        for days in np.unique(block.days).tolist():
            positions = block.days == days
            table = self._table(days, nodes, n_amounts)
            for k, both in enumerate(table):
                pair = slice(2 * k, 2 * k + 2)
                chances = at_nodes[positions, :, pair].transpose(0, 2, 1)
                if is_lifted:
                    moves = self._moves(days, k, lifts[positions, pair])
                    ways = zip(both, moves, strict=True)
                    more = np.mean([_moved(chances @ one, move) for one, move in ways], axis=0)
                else:
                    more = chances @ both.mean(axis=0)
                found[positions, :, pair] = more.transpose(0, 2, 1)
        return found

    def _table(self, days: float, nodes: Floats, n_amounts: int) -> Floats:
        """Probability of more than an amount: by pair, model of it, count and amount."""
        known = self._tables.get(days)
        if known is None or known.shape[2] < len(nodes) or known.shape[3] < n_amounts:
            log = _APART * np.arange(self._first, self._first + n_amounts, dtype=np.float64)
            known = self._tables[days] = 1 - np.stack(
                [
                    np.stack(self._of_both(pair, np.array(days), nodes[:, np.newaxis], log))
                    for pair in self._models
                ]
            )
        return known[:, :, : len(nodes), :n_amounts]

    def _moves(self, days: float, pair: int, lifts: Floats) -> list[Floats]:
        """Change of log mean spend with the lift, for both models of a pair."""
        moves = []
        for model, lift in zip(self._models[pair], lifts.T, strict=True):
            x, own = np.full(len(lift), days), np.full(len(lift), self._typical)
            lifted = model.expected_spend(x, own * np.exp(-lift))
            moves.append(lift + np.log(lifted / model.expected_spend(x, own)))
        # Without a finite mean, the whole lift.
        return [np.where(np.isfinite(m), m, li) for m, li in zip(moves, lifts.T, strict=True)]

    def _n_amounts(self, days: float, most: float, *, tail: float) -> int:
        """Length of a table beyond which the probability of more is below `tail`."""
        far = _log_quantile(
            lambda log: self._below(np.array([days]), np.array([most]), log),
            1 - tail,
            like=np.zeros(1),
        )
        return int(np.ceil(float(far[0]) / _APART)) - self._first + 1

    def _below(self, days: Floats, n: Floats, log: Floats) -> Floats:
        """Distribution function of the amount of n days, a mean over models."""
        both = [self._of_both(pair, days, n, log) for pair in self._models]
        return np.mean([(one + other) / 2 for one, other in both], axis=0)

    def _of_both(
        self, pair: tuple[SpendModel, SpendModel], days: Floats, n: Floats, log: Floats
    ) -> list[Floats]:
        amount = self._unit(days) * np.exp(log)
        return [m.amount_distribution(days, self._own(days), n, amount) for m in pair]

    def _own(self, days: Floats) -> Floats:
        return np.full_like(days, self._typical)

    def _unit(self, days: Floats) -> Floats:
        """Choose the unit of amounts: a typical customer's expected spend, or any without one."""
        expected = self._estimate.expected_spend(days, self._own(days))
        return np.where(expected > 0, expected, self._typical)


def _counts(most: int) -> tuple[Floats, Floats]:
    """Grid of counts, and interpolation weights of each count from 1."""
    n_more = np.log(max(most / _EVERY_COUNT, 1)) / np.log1p(_APART)
    larger = _EVERY_COUNT * (1 + _APART) ** np.arange(1, np.ceil(n_more) + 1)
    nodes = np.append(np.arange(1.0, min(most, _EVERY_COUNT) + 1), larger)
    hats = [np.interp(np.arange(1.0, most + 1), nodes, peak) for peak in np.eye(len(nodes))]
    return nodes, np.stack(hats, axis=1)


def _moved(falling: Floats, move: Floats) -> Floats:
    """Shift falling probabilities along the last axis, the log of the amount, by `move`."""
    last = falling.shape[-1] - 1
    at = np.clip(np.arange(last + 1) - move[:, np.newaxis] / _APART, 0, last)
    before = np.minimum(at.astype(np.int64), max(last - 1, 0))
    share = (at - before)[:, np.newaxis]
    index = np.broadcast_to(before[:, np.newaxis], falling.shape)
    low = np.take_along_axis(falling, index, axis=2)
    high = np.take_along_axis(falling, np.minimum(index + 1, last), axis=2)
    return np.asarray((1 - share) * low + share * high)


def _interpolated(
    block: PredictivePurchases, falling: Floats, amounts: Floats, any_at_all: Floats, bound: float
) -> Floats:
    """Interpolate the amount that is exceeded with probability `bound`, for each row."""
    at = first_within(block, falling, bound)
    before = np.maximum(at - 1, 0)
    low = np.where(at > 0, block.of_rows(falling, before), any_at_all)
    high = block.of_rows(falling, at)
    way = np.clip((low - bound) / np.maximum(low - high, 1e-300), 0.0, 1.0)
    between = amounts[before] * np.exp(way * _APART)
    return np.where(any_at_all <= bound, 0.0, np.where(at > 0, between, way * amounts[0]))


def _log_quantile(below: Callable[[Floats], Floats], level: float, *, like: Floats) -> Floats:
    """Quantile of the log amount, by bisection."""
    low, high = np.full(like.shape, _LEAST_LOG - 30), np.full(like.shape, _LARGEST_LOG)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = below(middle) >= level
        low, high = np.where(within, low, middle), np.where(within, middle, high)
    return high
