"""The Pareto/NBD likelihood of a table of customers, with its derivatives.

Whoever fell silent at t_x left before buying again, or stayed until T and would buy first. With
`stay(t)` the log weight of staying until t, and q the probability that leaving comes first,

    log L = stay(T) + log S,    S = exp(stay(t_x) - stay(T)) q(t_x) + 1 - q(T),

and 1 / S is the probability of being alive. What is costly depends on (x, t_x) and (x, T) alone,
of which there are few; a row costs one exponential and one log.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit.models.arrays import Codes, Floats
from crmkit.models.by_group import (
    ByGroup,
    GroupedLikelihood,
    cells,
    own,
    summed,
    summed_products,
)
from crmkit.models.distinct import distinct_pairs
from crmkit.models.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.leaving_first import leaving_first_derivatives

_ROWS_AT_ONCE = 4096
"""Keeps a block of rows within a processor's cache."""


class ParetoNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, s, beta.

    `group` numbers groups of customers from 0, each with an alpha and beta of its own; without
    it all customers are one.
    """

    def __init__(
        self,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats,
        *,
        group: Codes | None = None,
    ) -> None:
        self._n_groups = 1 if group is None else int(group.max(initial=0)) + 1
        if group is not None:
            order = np.argsort(group, kind="stable")
            x, t_x, T, weights = (column[order] for column in (x, t_x, T, weights))
            group = group[order]
        self._group = np.zeros(len(x), np.int64) if group is None else group
        counts = cells(x, group)
        self._counts, self._count_group = counts.values, counts.group
        self._n_of_count = np.bincount(counts.of_row, weights).astype(np.float64)
        twice, ages = np.concatenate([x, x]), np.concatenate([t_x, T])
        aged = cells(ages, None if group is None else np.concatenate([group, group]))
        self._x, pair_cell, of_row = distinct_pairs(twice, aged.of_row.astype(np.float64))
        cell = pair_cell.astype(np.int64)
        self._t, self._pair_group = aged.values[cell], aged.group[cell]
        self._last, self._end = of_row[: len(x)], of_row[len(x) :]
        self._n = weights

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group, all of which share r and s."""
        parameters = np.exp(log_parameters)
        x, t, pairs = self._x, self._t, (self._pair_group, self._n_groups)
        r, alpha, s, beta = own(parameters, self._pair_group)
        log_ratio = np.log((alpha + t) / (beta + t))
        q = leaving_first_derivatives(
            x, log_ratio, r=float(parameters[0, 0]), s=float(parameters[2, 0])
        )
        # By log(alpha) and log(beta), log(alpha + t) has the slopes new, log(beta + t) young.
        new, old, young, aged = (part / (z + t) for z in (alpha, beta) for part in (z, t))
        stay = _Weight(
            -r * np.log1p(t / alpha) - x * np.log(alpha + t) - s * np.log1p(t / beta),
            np.stack(
                [
                    -r * np.log1p(t / alpha),
                    r * old - x * new,
                    -s * np.log1p(t / beta),
                    s * aged,
                ],
                axis=1,
            ),
        )
        leave = _Weight(q[0], np.stack([r * q[1], new * q[3], s * q[2], -young * q[3]], axis=1))
        value, of_stay, of_leave, hessian = self._by_pair(stay, leave)

        rising, rising_r, rising_rr = self._risings(parameters[0])
        gradient = summed(stay.slopes.T, of_stay, *pairs) + summed(leave.slopes.T, of_leave, *pairs)
        r, _, s, _ = parameters
        gradient[0] += r * rising_r

        def bends(by: int, along: Floats) -> Floats:
            """Sum a second derivative of log q: by RR, Rs, Ry, ss, sy or yy."""
            return summed(q[4 + by] * along, of_leave, *pairs)

        one = np.ones_like(t)
        upper = np.zeros_like(hessian)
        upper[0, 0] = gradient[0] + r * r * (bends(0, one) + rising_rr)
        upper[0, 1] = r * (summed(old, of_stay, *pairs) + bends(2, new))
        upper[0, 2] = r * s * bends(1, one)
        upper[0, 3] = -r * bends(2, young)
        q_y = of_leave * q[3]
        upper[1, 1] = summed(new * old, q_y - of_stay * (own(r, pairs[0]) + x), *pairs)
        upper[1, 1] += bends(5, new**2)
        upper[1, 2] = s * bends(4, new)
        upper[1, 3] = -bends(5, new * young)
        upper[2, 2] = gradient[2] + s * s * bends(3, one)
        upper[2, 3] = s * (summed(aged, of_stay, *pairs) - bends(4, young))
        upper[3, 3] = summed(young * aged, -q_y - of_stay * own(s, pairs[0]), *pairs)
        upper[3, 3] += bends(5, young**2)
        for i, j in zip(*np.triu_indices(4, k=1), strict=True):
            upper[j, i] = upper[i, j]
        return rising + value, gradient, hessian + upper

    def _risings(self, r: Floats) -> Floats:
        """Sum the logs of gamma functions of r + x and r, their slopes and bends."""
        r, x = own(r, self._count_group), self._counts
        risings = np.stack([log_rising(r, x), digamma_rising(r, x), trigamma_rising(r, x)])
        return summed(risings, self._n_of_count, self._count_group, self._n_groups)

    def _by_pair(self, stay: _Weight, leave: _Weight) -> tuple[Floats, Floats, Floats, Floats]:
        """Sum log L over rows, with what each pair's weights count in its slopes.

        The last result is what the slopes alone add to the Hessian.
        """
        n_pairs = len(self._x)
        left = _Weight(stay.log + leave.log, stay.slopes + leave.slopes)
        value, hessian = np.zeros(self._n_groups), np.zeros((4, 4, self._n_groups))
        of_left, of_first = np.empty_like(self._n), np.empty_like(self._n)
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            last, end, n = self._last[rows], self._end[rows], self._n[rows]
            log_odds = left.log[last] - stay.log[end]
            shift = np.maximum(log_odds, 0)
            q_end, scale = np.exp(leave.log[end]), np.exp(-shift)
            p_left = np.exp(log_odds - shift)
            total = p_left + (1 - q_end) * scale
            p_left, p_first = p_left / total, q_end * scale / total
            most = np.maximum(left.log[last], stay.log[end])
            from_left = left.slopes[last].T - stay.slopes[end].T
            from_first = leave.slopes[end].T
            both = p_left * from_left - p_first * from_first
            of_left[rows], of_first[rows] = n * p_left, n * p_first
            # Rows are sorted by group, so that a block holds few of them, one after the other.
            group = self._group[rows]
            first, n_groups = int(group[0]), int(group[-1] - group[0]) + 1
            groups, place = (group - first, n_groups), slice(first, first + n_groups)
            value[place] += summed(most + np.log(total), n, *groups)
            hessian[..., place] += summed_products(from_left, of_left[rows], *groups)
            hessian[..., place] -= summed_products(from_first, of_first[rows], *groups)
            hessian[..., place] -= summed_products(both, n, *groups)
        by_last, by_end, staying = (
            np.bincount(pairs, weights, n_pairs).astype(np.float64)
            for pairs, weights in (
                (self._last, of_left),
                (self._end, of_first),
                (self._end, self._n - of_left),
            )
        )
        return value, staying + by_last, by_last - by_end, hessian


class _Weight(NamedTuple):
    """The log of a weight for each pair, and its slopes by the log parameters."""

    log: Floats
    slopes: Floats
