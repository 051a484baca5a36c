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

from crmkit.models.arrays import Floats
from crmkit.models.distinct import distinct, distinct_pairs
from crmkit.models.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.leaving_first import leaving_first_derivatives

_ROWS_AT_ONCE = 4096
"""Keeps a block of rows within a processor's cache."""


class ParetoNBDLikelihood:
    """Total log-likelihood with its derivatives by the logs of r, alpha, s, beta."""

    def __init__(self, x: Floats, t_x: Floats, T: Floats, weights: Floats) -> None:
        self._counts, of_count = distinct(x)
        self._n_of_count = np.bincount(of_count, weights)
        twice, ages = np.concatenate([x, x]), np.concatenate([t_x, T])
        self._x, self._t, of_row = distinct_pairs(twice, ages)
        self._last, self._end = of_row[: len(x)], of_row[len(x) :]
        self._n = weights

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        r, alpha, s, beta = np.exp(log_parameters).tolist()
        x, t = self._x, self._t
        q = leaving_first_derivatives(x, np.log((alpha + t) / (beta + t)), r=r, s=s)
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

        rising = self._n_of_count @ log_rising(r, self._counts)
        gradient = of_stay @ stay.slopes + of_leave @ leave.slopes
        gradient[0] += r * (self._n_of_count @ digamma_rising(r, self._counts))
        bends = of_leave * q[4:]
        bend_rr = bends[0].sum() + self._n_of_count @ trigamma_rising(r, self._counts)
        upper = np.zeros((4, 4))
        upper[0, 0] = gradient[0] + r * r * bend_rr
        upper[0, 1] = r * (of_stay @ old + bends[2] @ new)
        upper[0, 2] = r * s * bends[1].sum()
        upper[0, 3] = -r * (bends[2] @ young)
        q_y = of_leave * q[3]
        upper[1, 1] = (q_y - of_stay * (r + x)) @ (new * old) + bends[5] @ new**2
        upper[1, 2] = s * (bends[4] @ new)
        upper[1, 3] = -bends[5] @ (new * young)
        upper[2, 2] = gradient[2] + s * s * bends[3].sum()
        upper[2, 3] = s * (of_stay @ aged - bends[4] @ young)
        upper[3, 3] = (-q_y - of_stay * s) @ (young * aged) + bends[5] @ young**2
        return float(rising) + value, gradient, hessian + upper + np.triu(upper, 1).T

    def _by_pair(self, stay: _Weight, leave: _Weight) -> tuple[float, Floats, Floats, Floats]:
        """Sum log L over rows, with what each pair's weights count in its slopes.

        The last result is what the slopes alone add to the Hessian.
        """
        n_pairs = len(self._x)
        left = _Weight(stay.log + leave.log, stay.slopes + leave.slopes)
        value, hessian = 0.0, np.zeros((4, 4))
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
            value += float(n @ (most + np.log(total)))
            from_left = left.slopes[last].T - stay.slopes[end].T
            from_first = leave.slopes[end].T
            both = p_left * from_left - p_first * from_first
            of_left[rows], of_first[rows] = n * p_left, n * p_first
            hessian += (from_left * of_left[rows]) @ from_left.T
            hessian -= (from_first * of_first[rows]) @ from_first.T + (both * n) @ both.T
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
