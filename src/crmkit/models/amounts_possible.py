"""How much money is possible, with the parameters of a spend model in doubt as well.

Amounts are counted in units of the customer's own expected spend. In these units what is possible
depends on the number of purchase days that are known of the customer, not on their amounts, so
that a small table serves all. That is exact at the estimates; what the doubt about the parameters
adds is taken for a customer who spends as the median one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crmkit.models.arrays import Floats
from crmkit.models.protocol import SpendModel
from crmkit.models.purchases_possible import PossiblePurchases, first_within

_APART = 0.1
"""Of the log of two amounts, and of two counts, that are neighbours in a table."""

_EVERY_COUNT = 20
_LEAST_SHARE = 1e-3
_LEAST_LOG, _LARGEST_LOG = -12.0, 40.0
_HALVINGS = 60


class PossibleAmounts:
    """What purchase days may bring.

    Parameters
    ----------
    estimate
        The fitted model, which sets the unit.
    models
        Pairs of models that are equally likely.
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

    def mean_quantile(self, days: Floats, level: float) -> Floats:
        """Own mean spend that customers are below with this probability, in expected spends."""
        unit = self._unit(days)

        def below(log: Floats) -> Floats:
            amount = unit * np.exp(log)
            return np.mean(
                [
                    model.mean_distribution(days, self._own(days), amount)
                    for pair in self._models
                    for model in pair
                ],
                axis=0,
            )

        return np.exp(_log_quantile(below, level, like=days))

    def quantiles(self, block: PossiblePurchases, levels: Sequence[float]) -> list[Floats]:
        """Amounts that each row's purchases stay within with these probabilities.

        The models of purchases come in pairs too, as many as those of spend and in their order.
        """
        falling = self._more_than(block, tail=(1 - max(levels)) / 4)
        amounts = np.exp(_APART * (self._first + np.arange(falling.shape[1])))
        any_at_all = block.more_than(np.zeros(len(block.rows), np.int64))
        return [_interpolated(block, falling, amounts, any_at_all, 1 - level) for level in levels]

    def _more_than(self, block: PossiblePurchases, *, tail: float) -> Floats:
        """Probability that one alive brings more than an amount: by position, amount and model."""
        nodes, hats = _counts(block.chances.shape[1] - 1)
        n_amounts = self._n_amounts(block.days.min(initial=np.inf), float(nodes[-1]), tail=tail)
        at_nodes = np.einsum("cn,pcj->pnj", hats, block.chances[:, 1:])
        found = np.empty((len(block.days), n_amounts, block.chances.shape[2]))
        for days in np.unique(block.days).tolist():
            positions = block.days == days
            table = self._table(days, nodes, n_amounts)
            for k, more in enumerate(table):
                pair = slice(2 * k, 2 * k + 2)
                chances = at_nodes[positions, :, pair].transpose(0, 2, 1)
                found[positions, :, pair] = (chances @ more).transpose(0, 2, 1)
        return found

    def _table(self, days: float, nodes: Floats, n_amounts: int) -> Floats:
        """Probability that so many days bring more than an amount: by pair, count and amount."""
        known = self._tables.get(days)
        if known is None or known.shape[1] < len(nodes) or known.shape[2] < n_amounts:
            log = _APART * np.arange(self._first, self._first + n_amounts, dtype=np.float64)
            known = self._tables[days] = 1 - np.stack(
                [
                    self._of_pair(pair, np.array(days), nodes[:, np.newaxis], log)
                    for pair in self._models
                ]
            )
        return known[:, : len(nodes), :n_amounts]

    def _n_amounts(self, days: float, most: float, *, tail: float) -> int:
        """How many amounts it takes until more is hardly possible."""
        far = _log_quantile(
            lambda log: self._below(np.array([days]), np.array([most]), log),
            1 - tail,
            like=np.zeros(1),
        )
        return int(np.ceil(float(far[0]) / _APART)) - self._first + 1

    def _below(self, days: Floats, n: Floats, log: Floats) -> Floats:
        """Probability that n days bring no more, a mean over models."""
        return np.mean([self._of_pair(pair, days, n, log) for pair in self._models], axis=0)

    def _of_pair(
        self, pair: tuple[SpendModel, SpendModel], days: Floats, n: Floats, log: Floats
    ) -> Floats:
        amount = self._unit(days) * np.exp(log)
        one, other = (m.amount_distribution(days, self._own(days), n, amount) for m in pair)
        return (one + other) / 2

    def _own(self, days: Floats) -> Floats:
        return np.full_like(days, self._typical)

    def _unit(self, days: Floats) -> Floats:
        """Give the expected spend of a typical customer; where there is none, any unit will do."""
        expected = self._estimate.expected_spend(days, self._own(days))
        return np.where(expected > 0, expected, self._typical)


def _counts(most: int) -> tuple[Floats, Floats]:
    """Give the counts that are looked at, and how each count from 1 is shared among them."""
    n_more = np.log(max(most / _EVERY_COUNT, 1)) / np.log1p(_APART)
    larger = _EVERY_COUNT * (1 + _APART) ** np.arange(1, np.ceil(n_more) + 1)
    nodes = np.append(np.arange(1.0, min(most, _EVERY_COUNT) + 1), larger)
    hats = [np.interp(np.arange(1.0, most + 1), nodes, peak) for peak in np.eye(len(nodes))]
    return nodes, np.stack(hats, axis=1)


def _interpolated(
    block: PossiblePurchases, falling: Floats, amounts: Floats, any_at_all: Floats, bound: float
) -> Floats:
    """Find the amount that is passed with a probability of `bound`, for each row."""
    at = first_within(block, falling, bound)
    before = np.maximum(at - 1, 0)
    low = np.where(at > 0, block.of_rows(falling, before), any_at_all)
    high = block.of_rows(falling, at)
    way = np.clip((low - bound) / np.maximum(low - high, 1e-300), 0.0, 1.0)
    between = amounts[before] * np.exp(way * _APART)
    return np.where(any_at_all <= bound, 0.0, np.where(at > 0, between, way * amounts[0]))


def _log_quantile(below: Callable[[Floats], Floats], level: float, *, like: Floats) -> Floats:
    """Find by bisection the log of the amount below which this much lies."""
    low, high = np.full(like.shape, _LEAST_LOG - 30), np.full(like.shape, _LARGEST_LOG)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = below(middle) >= level
        low, high = np.where(within, low, middle), np.where(within, middle, high)
    return high
