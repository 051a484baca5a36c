"""Likelihood of models with dropout right after a purchase, with derivatives.

The likelihood of a history is that of surviving to T, divided by the probability of being alive:

    log L = log L(survived) - log P(alive)

The first term needs only counts by distinct x and by distinct T; the second is one logistic
function per row. Gamma functions and logs are taken per distinct x, t_x and T. Where only every
k-th arrival is a purchase, both terms also sum over the arrivals since the last purchase, which
takes some arithmetic per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import digamma_difference, trigamma_difference
from crmkit.models.numerics.grouped_sums import (
    ByGroup,
    GroupedLikelihood,
    distinct_in_groups,
    of_group,
    summed,
    summed_products,
)
from crmkit.models.numerics.log_gamma_sums import LogGammaSums
from crmkit.models.purchases.future_purchases import stage_weights

_ROWS_AT_ONCE = 2**13
"""Rows of a block that fits a processor's cache."""

_LARGEST_LOG_ODDS = 700.0
"""Beyond this log-odds a probability is 1 to the last digit and the exponential overflows."""


class DropoutLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, a, b.

    `group` is the group of each row, numbered from 0; each group has its own parameters. Without
    it all customers are one group.
    """

    def __init__(
        self,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats,
        *,
        dropout_after_first: bool,
        k: int = 1,
        group: Codes | None = None,
    ) -> None:
        self._k = k
        self._n_groups = 1 if group is None else int(group.max(initial=0)) + 1
        if group is not None:
            order = np.argsort(group, kind="stable")
            x, t_x, T, weights = (column[order] for column in (x, t_x, T, weights))
            group = group[order]
        counts, self._count_group, of_count = distinct_in_groups(x, group)
        self._arrivals = k * counts
        self._occasions = counts + 1 if dropout_after_first else counts
        n_of_count = np.bincount(of_count, weights).astype(np.float64)
        self._bought, self._stays = (
            LogGammaSums(each, n_of_count, group=self._count_group, n_groups=self._n_groups)
            for each in (self._arrivals, self._occasions)
        )
        self._ages, self._age_group, of_age = distinct_in_groups(T, group)
        self._n_of_age = np.bincount(of_age, weights)
        self._arrivals_of_age = np.bincount(of_age, weights * k * x)
        kept = (self._occasions > 0)[of_count] if k == 1 else np.ones(len(x), np.bool_)
        self._n = weights[kept]
        self._of_count, self._of_age = of_count[kept], of_age[kept]
        self._group = self._age_group[self._of_age]
        last = distinct_in_groups(t_x[kept], None if group is None else self._group)
        self._last_ages, self._last_group, self._of_last_age = last

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group."""
        parameters = np.exp(log_parameters)
        stayed, not_alive = self._stayed(parameters), self._not_alive(parameters)
        return stayed[0] + not_alive[0], stayed[1] + not_alive[1], stayed[2] + not_alive[2]

    def _stayed(self, parameters: Floats) -> ByGroup:
        """Log-likelihood of survival with a purchase at T, by distinct x and distinct T."""
        r, _, a, b = parameters
        bought, r_1, r_2 = self._bought(r)
        stays, b_1, b_2 = self._stays(b)
        occasions, ab_1, ab_2 = self._stays(a + b)
        n_logs, arrival_logs, n_past, arrivals_ahead, curvature = self._age_sums(parameters)
        gradient = np.stack(
            [r * (r_1 - n_logs), r * n_past - arrivals_ahead, -a * ab_1, b * (b_1 - ab_1)]
        )
        hessian = np.zeros((4, *gradient.shape))
        hessian[range(4), range(4)] = gradient
        hessian[0, 0] += r * r * r_2
        hessian[0, 1] = hessian[1, 0] = r * n_past
        hessian[1, 1] = -curvature
        hessian[2, 2] -= a * a * ab_2
        hessian[2, 3] = hessian[3, 2] = -a * b * ab_2
        hessian[3, 3] += b * b * (b_2 - ab_2)
        return bought + stays - occasions - r * n_logs - arrival_logs, gradient, hessian

    def _age_sums(self, parameters: Floats) -> Floats:
        """Sum over ages: logs by customer and by arrival, first and second derivatives."""
        r, alpha, _, _ = of_group(parameters, self._age_group)
        n, arrivals = self._n_of_age, self._arrivals_of_age
        log_age, past, curvature = _by_age(self._ages, alpha)
        terms = [
            (log_age, n),
            (np.log(alpha) + log_age, arrivals),
            (past, n),
            (1 - past, arrivals),
            (curvature, r * n + arrivals),
        ]
        return np.stack([summed(*each, self._age_group, self._n_groups) for each in terms])

    def _not_alive(self, parameters: Floats) -> ByGroup:
        """Minus log P(alive), in blocks of rows that fit a processor's cache."""
        r, _, a, b = of_group(parameters, self._count_group)
        staying = b + np.maximum(self._occasions - 1, 0)
        log_odds = np.where(self._occasions > 0, np.log(staying / a), np.inf)
        by_count = log_odds, r + self._arrivals, b / staying
        by_age = _by_age(self._ages, of_group(parameters[1], self._age_group))[:2]
        by_last_age = _by_age(self._last_ages, of_group(parameters[1], self._last_group))[:2]
        found = tuple(np.zeros((*[4] * order, self._n_groups)) for order in range(3))
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            count, age, last_age = (
                of[rows] for of in (self._of_count, self._of_age, self._of_last_age)
            )
            (log_age, past), (log_last, past_last) = (
                [each[at] for each in by] for by, at in ((by_age, age), (by_last_age, last_age))
            )
            # The second derivative of log(1 + age / alpha) is past * (1 - past).
            slope = past - past_last
            inactivity = log_age - log_last, slope, slope * (1 - past - past_last)
            group = self._group[rows]
            r, alpha, _, _ = of_group(parameters, group)
            counts = [each[count] for each in by_count]
            waiting = None
            if self._k > 1:
                T = self._ages[age]
                share = (T - self._last_ages[last_age]) / (alpha + T)
                waiting = _waiting(self._k, r, counts[1], share, alpha / (alpha + T))
            # Rows are sorted by group, so that a block holds few groups, all consecutive.
            first, n_groups = int(group[0]), int(group[-1] - group[0]) + 1
            groups = group - first, n_groups
            block = _not_alive_rows(
                r, self._n[rows], counts, inactivity, waiting=waiting, groups=groups
            )
            for total, part in zip(found, block, strict=True):
                total[..., first : first + n_groups] += part
        value, gradient, hessian = found
        return value, gradient, hessian


class _Waiting(NamedTuple):
    """Log of the summed stage weights of each row, with derivatives by log r and log alpha."""

    value: Floats
    slopes: Floats
    curvatures: Floats
    """Second derivatives: log r twice, log r and log alpha, log alpha twice."""


def _waiting(k: int, r: Floats, shape: Floats, share: Floats, unseen: Floats) -> _Waiting:
    """Sum over the possible numbers of arrivals j since the last purchase."""
    weights = stage_weights(k, shape, share)
    total = weights.sum(axis=0)
    weights /= total
    j = np.arange(k, dtype=np.float64)[:, np.newaxis]
    by_r, by_r_2 = r * digamma_difference(shape, j), r * r * trigamma_difference(shape, j)
    by_alpha = -j * unseen
    mean_r, mean_alpha = (weights * by_r).sum(axis=0), (weights * by_alpha).sum(axis=0)
    curvatures = [
        (weights * (by_r_2 + (by_r - mean_r) ** 2)).sum(axis=0) + mean_r,
        (weights * (by_r - mean_r) * (by_alpha - mean_alpha)).sum(axis=0),
        (weights * (by_alpha - mean_alpha) ** 2).sum(axis=0) + mean_alpha * (1 - unseen),
    ]
    return _Waiting(np.log(total), np.stack([mean_r, mean_alpha]), np.stack(curvatures))


def _by_age(age: Floats, alpha: Floats) -> Floats:
    """Log(1 + age / alpha) and its first and second derivative by -log(alpha)."""
    past = age / (alpha + age)
    return np.stack([np.log1p(age / alpha), past, past * (1 - past)])


def _not_alive_rows(
    r: Floats,
    n: Floats,
    by_count: Sequence[Floats],
    inactivity: Sequence[Floats],
    *,
    waiting: _Waiting | None,
    groups: tuple[Codes, int],
) -> ByGroup:
    """Minus log P(alive) and the log stage weights, summed over rows, with derivatives."""
    log_odds_new, rate, b_share = by_count
    log_inactive, slope, curvature = inactivity
    r_inactive, rate_slope = r * log_inactive, rate * slope
    log_odds_dead = rate * log_inactive - log_odds_new
    slopes = [-r_inactive, rate_slope, np.full_like(n, -1), b_share]
    if waiting is not None:
        log_odds_dead -= waiting.value
        slopes[0] += waiting.slopes[0]
        slopes[1] = rate_slope + waiting.slopes[1]
    odds = np.exp(np.minimum(log_odds_dead, _LARGEST_LOG_ODDS))
    beyond = np.maximum(log_odds_dead - _LARGEST_LOG_ODDS, 0)
    p_dead = odds / (1 + odds)
    dead = n * p_dead
    gradient = -np.stack([summed(slope, dead, *groups) for slope in slopes])
    hessian = summed_products(slopes, dead * (1 - p_dead), *groups)
    hessian[0, 0] += summed(r_inactive, dead, *groups)
    hessian[0, 1] -= summed(r * slope, dead, *groups)
    hessian[1, 1] += summed(rate * curvature, dead, *groups)
    hessian[3, 3] -= summed(b_share * (1 - b_share), dead, *groups)
    value = summed(np.log1p(odds) + beyond, n, *groups)
    if waiting is not None:
        value += summed(waiting.value, n, *groups)
        gradient[:2] += summed(waiting.slopes, n, *groups)
        hessian[[0, 0, 1], [0, 1, 1]] += summed(waiting.curvatures, n - dead, *groups)
    hessian[1, 0] = hessian[0, 1]
    return value, gradient, hessian
