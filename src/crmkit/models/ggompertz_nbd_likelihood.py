"""The Gamma-Gompertz/NBD likelihood of a table of customers, with its derivatives.

Whoever fell silent at t_x left before buying again, or stayed until T and would buy first. With
`stay(t)` the log weight of staying until t, and q the probability that leaving comes first,

    log L = stay(T) + log S,    S = exp(stay(t_x) - stay(T)) q(t_x) + 1 - q(T),

and 1 / S is the probability of being alive. What is costly depends on (x, t_x) and (x, T) alone,
of which there are few; a row costs one exponential and one log. `log_terms` and `pair_terms`
take an alpha and a beta for all pairs or one for each.
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
from crmkit.models.gamma_ratio import Real, digamma_rising, log_rising, trigamma_rising
from crmkit.models.ggompertz_leaving import leaving_first_derivatives, log_leaving_first
from crmkit.models.ggompertz_lifetime import beta_at_age, log_stay

_ROWS_AT_ONCE = 4096
"""Keeps a block of rows within a processor's cache."""

_UPPER = np.triu_indices(4)


class Weight(NamedTuple):
    """The log of a weight for each pair, its slopes and bends by the five log parameters."""

    log: Floats
    slopes: Floats
    bends: Floats


class GGompertzNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, b, s, beta.

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
        """Value, gradient and Hessian of each group, all of which share r, b and s."""
        parameters, pairs = np.exp(log_parameters), (self._pair_group, self._n_groups)
        r, b, s = parameters[[0, 2, 3], 0].tolist()
        alpha, beta = own(parameters[[1, 4]], self._pair_group)
        stay, leave = pair_terms(self._x, self._t, r=r, alpha=alpha, b=b, s=s, beta=beta)
        value, of_stay, of_leave, hessian = self._by_pair(stay, leave)
        gradient = summed(stay.slopes, of_stay, *pairs) + summed(leave.slopes, of_leave, *pairs)
        hessian += summed(stay.bends, of_stay, *pairs) + summed(leave.bends, of_leave, *pairs)
        risings = np.stack(
            [rising(r, self._counts) for rising in (log_rising, digamma_rising, trigamma_rising)]
        )
        bought = summed(risings, self._n_of_count, self._count_group, self._n_groups)
        gradient[0] += r * bought[1]
        hessian[0, 0] += r * bought[1] + r * r * bought[2]
        return value + bought[0], gradient, hessian

    def _by_pair(self, stay: Weight, leave: Weight) -> tuple[Floats, Floats, Floats, Floats]:
        """Sum log L over rows, with what each pair's weights count in its derivatives.

        The last result is what the slopes alone add to the Hessian.
        """
        n_pairs, n_parameters = len(self._x), len(stay.slopes)
        left_log, left_slopes = stay.log + leave.log, stay.slopes + leave.slopes
        value = np.zeros(self._n_groups)
        hessian = np.zeros((n_parameters, n_parameters, self._n_groups))
        of_left, of_first = np.empty_like(self._n), np.empty_like(self._n)
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            last, end, n = self._last[rows], self._end[rows], self._n[rows]
            log_odds = left_log[last] - stay.log[end]
            shift = np.maximum(log_odds, 0)
            q_end, scale = np.exp(leave.log[end]), np.exp(-shift)
            p_left = np.exp(log_odds - shift)
            total = p_left - np.expm1(leave.log[end]) * scale
            p_left, p_first = p_left / total, q_end * scale / total
            from_left = left_slopes[:, last] - stay.slopes[:, end]
            from_first = leave.slopes[:, end]
            both = p_left * from_left - p_first * from_first
            of_left[rows], of_first[rows] = n * p_left, n * p_first
            # Rows are sorted by group, so that a block holds few of them, one after the other.
            group = self._group[rows]
            first, n_groups = int(group[0]), int(group[-1] - group[0]) + 1
            groups, place = (group - first, n_groups), slice(first, first + n_groups)
            value[place] += summed(stay.log[end] + shift + np.log(total), n, *groups)
            hessian[..., place] += (
                summed_products(from_left, of_left[rows], *groups)
                - summed_products(from_first, of_first[rows], *groups)
                - summed_products(both, n, *groups)
            )
        by_last, by_end, staying = (
            np.bincount(pairs, weights, n_pairs).astype(np.float64)
            for pairs, weights in (
                (self._last, of_left),
                (self._end, of_first),
                (self._end, self._n - of_left),
            )
        )
        return value, staying + by_last, by_last - by_end, hessian


def log_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[Floats, Floats]:
    """Log weight of staying until t, up to a gamma function, and log q, for each pair."""
    left = log_leaving_first(r + x, s, np.log(b * (alpha + t)), np.log(beta_at_age(t, b, beta)))
    return _log_stay(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta), left


def pair_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[Weight, Weight]:
    """Weights of staying until t and of leaving before buying again, with derivatives."""
    log_a = np.log(b * (alpha + t))
    later = beta_at_age(t, b, beta)
    q = leaving_first_derivatives(r + x, s, log_a, np.log(later))
    # By log(alpha), log(alpha + t) has the slope new; by log(beta) and log(b), log B has the
    # slopes young and worn * kept, and the log of survival for s = 1 has young - 1 and -worn.
    new = alpha / (alpha + t)
    young = beta * np.exp(-b * t) / later
    aged = -np.expm1(-b * t) / later
    worn = b * t / later
    kept = (1 - np.asarray(beta)) * np.exp(-b * t)
    log_still = log_stay(t, b=b, s=1.0, beta=beta)
    shape = (5, len(x))
    stay = Weight(
        _log_stay(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta),
        np.zeros(shape),
        np.zeros((5, *shape)),
    )
    stay.slopes[:] = (
        -r * np.log1p(t / alpha),
        r * (1 - new) - x * new,
        -s * worn,
        s * log_still,
        s * aged,
    )
    _put(stay.bends, 0, 0, stay.slopes[0])
    _put(stay.bends, 0, 1, r * t / (alpha + t))
    _put(stay.bends, 1, 1, -(r + x) * new * t / (alpha + t))
    _put(stay.bends, 2, 2, -s * worn * (1 - worn * kept))
    _put(stay.bends, 2, 3, stay.slopes[2])
    _put(stay.bends, 2, 4, s * worn * young)
    _put(stay.bends, 3, 3, stay.slopes[3])
    _put(stay.bends, 3, 4, stay.slopes[4])
    _put(stay.bends, 4, 4, -s * young * aged)
    return stay, _leave(q, r=r, s=s, new=new, young=young, aged=aged, worn=worn, kept=kept)


def _leave(
    q: Floats,
    *,
    r: float,
    s: float,
    new: Floats,
    young: Floats,
    aged: Floats,
    worn: Floats,
    kept: Floats,
) -> Weight:
    """Differentiate log q by the log parameters, from what it is by R, s, log A and log B."""
    n_pairs = q.shape[1]
    by = np.zeros((4, 5, n_pairs))
    by[0, 0], by[1, 3] = r, s
    by[2, 1], by[2, 2] = new, 1.0
    by[3, 2], by[3, 4] = worn * kept, young
    second = np.empty((4, 4, n_pairs))
    second[_UPPER] = q[5:]
    second[_UPPER[::-1]] = q[5:]
    bends = np.einsum("iap,ijp,jbp->abp", by, second, by, optimize=True)
    bends[0, 0] += r * q[1]
    bends[1, 1] += q[3] * new * (1 - new)
    bends[2, 2] += q[4] * worn * kept * (1 - worn)
    bends[3, 3] += s * q[2]
    bends[4, 4] += q[4] * young * aged
    _put(bends, 2, 4, bends[2, 4] - q[4] * young * worn)
    return Weight(q[0], np.einsum("ip,iap->ap", q[1:5], by), bends)


def _put(bends: Floats, i: int, j: int, values: Floats) -> None:
    """Set a second derivative on both sides of the diagonal."""
    bends[i, j] = bends[j, i] = values


def _log_stay(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> Floats:
    """Log weight of staying until an age, having bought x times, up to a gamma function."""
    bought = r * np.log1p(t / alpha) + x * np.log(alpha + t)
    return log_stay(t, b=b, s=s, beta=beta) - bought
