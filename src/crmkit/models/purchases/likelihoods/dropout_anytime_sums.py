"""Likelihood sums of models with dropout at any time: dropped out, or alive without a purchase.

A customer last seen at t_x dropped out before the next purchase, or survived to T and would buy
before dropping out. With `stay(t)` the log weight of surviving to t, and q the probability that
dropout comes before the next purchase,

    log L = stay(T) + log S,    S = exp(stay(t_x) - stay(T)) q(t_x) + 1 - q(T),

and 1 / S is the probability of being alive. The costly terms depend only on (x, t_x) and (x, T), of
which there are few; a row costs one exponential and one log.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct_pairs
from crmkit.models.numerics.grouped_sums import distinct_in_groups, summed, summed_products
from crmkit.models.numerics.log_gamma_sums import LogGammaSums

_ROWS_AT_ONCE = 2**13
"""Rows of a block that fits a processor's cache."""

_LARGEST_LOG_ODDS = 700.0
"""Beyond this log-odds a probability is 1 to the last digit and the exponential overflows."""

_TINIEST = 1e-300


class Weight(NamedTuple):
    """Log weight of each pair, and its gradient by the log parameters, a row each."""

    log: Floats
    slopes: Floats


class Sums(NamedTuple):
    """Log-likelihood of each group, and the weights and sums of its derivatives."""

    value: Floats
    of_stay: Floats
    """Weight of each pair's log survival in the gradient."""
    of_dropout: Floats
    """Weight of each pair's log probability of dropout before purchase."""
    hessian: Floats
    """Part of the Hessian from gradients; add the weighted second derivatives."""


class DropoutSums:
    """Distinct pairs (x, t_x) and (x, T) of a table of customers, and the sums over its rows.

    Attributes
    ----------
    x, t, group
        The pairs, and the group of customers of each.
    n_groups
        Number of groups.
    bought
        Sum of the log of gamma(r + x) / gamma(r).
    """

    def __init__(
        self, x: Floats, t_x: Floats, T: Floats, weights: Floats, *, group: Codes | None
    ) -> None:
        self.n_groups = 1 if group is None else int(group.max(initial=0)) + 1
        if group is not None:
            order = np.argsort(group, kind="stable")
            x, t_x, T, weights = (column[order] for column in (x, t_x, T, weights))
            group = group[order]
        self._group = np.zeros(len(x), np.int64) if group is None else group
        counts = distinct_in_groups(x, group)
        n_of_count = np.bincount(counts.of_row, weights).astype(np.float64)
        self.bought = LogGammaSums(
            counts.values, n_of_count, group=counts.group, n_groups=self.n_groups
        )
        twice, ages = np.concatenate([x, x]), np.concatenate([t_x, T])
        aged = distinct_in_groups(ages, None if group is None else np.concatenate([group, group]))
        self.x, pair_cell, of_row = distinct_pairs(twice, aged.of_row.astype(np.float64))
        cell = pair_cell.astype(np.int64)
        self.t, self.group = aged.values[cell], aged.group[cell]
        self._last, self._end = of_row[: len(x)], of_row[len(x) :]
        self._n = weights

    def __call__(self, stay: Weight, dropout: Weight) -> Sums:
        """Sum over rows, in blocks that fit a processor's cache."""
        left_log, left_slopes = stay.log + dropout.log, stay.slopes + dropout.slopes
        drops_out_first = np.exp(dropout.log)
        buys_first = np.maximum(-np.expm1(dropout.log), _TINIEST)
        value = np.zeros(self.n_groups)
        hessian = np.zeros((len(stay.slopes),) * 2 + (self.n_groups,))
        of_left, of_first = np.empty_like(self._n), np.empty_like(self._n)
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            last, end, n = self._last[rows], self._end[rows], self._n[rows]
            staying = stay.log[end]
            log_odds = left_log[last] - staying
            left = np.exp(np.minimum(log_odds, _LARGEST_LOG_ODDS))
            beyond = np.maximum(log_odds - _LARGEST_LOG_ODDS, 0)
            total = left + buys_first[end]
            p_left, p_first = left / total, drops_out_first[end] / total
            of_left[rows], of_first[rows] = n * p_left, n * p_first
            from_left = [
                of[last] - stay_of[end]
                for of, stay_of in zip(left_slopes, stay.slopes, strict=True)
            ]
            both = [
                p_left * by_left - p_first * of_dropout[end]
                for by_left, of_dropout in zip(from_left, dropout.slopes, strict=True)
            ]
            # Rows are sorted by group, so that a block holds few groups, all consecutive.
            group = self._group[rows]
            first, n_groups = int(group[0]), int(group[-1] - group[0]) + 1
            groups, place = (group - first, n_groups), slice(first, first + n_groups)
            value[place] += summed(staying + np.log(total) + beyond, n, *groups)
            hessian[..., place] += summed_products(from_left, of_left[rows], *groups)
            hessian[..., place] -= summed_products(both, n, *groups)
        by_last, by_first, by_stay = (
            np.bincount(pairs, weights, len(self.x)).astype(np.float64)
            for pairs, weights in (
                (self._last, of_left),
                (self._end, of_first),
                (self._end, self._n - of_left),
            )
        )
        hessian -= summed_products(list(dropout.slopes), by_first, self.group, self.n_groups)
        return Sums(value, by_stay + by_last, by_last - by_first, hessian)
