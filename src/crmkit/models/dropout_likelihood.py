"""The likelihood of models in which one leaves right after a purchase, with its derivatives.

A history weighs as if its customer had stayed, times 1 / P(alive):

    log L = log L(stayed) - log P(alive)

The first term needs only counts by distinct x and by distinct T; the second is one logistic
function per row. Gamma functions and logs are taken per distinct x, t_x and T. Where only every
k-th arrival is a purchase, both terms also hold how many arrivals may have come since the last
one, which takes some arithmetic per row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit.models.arrays import Floats
from crmkit.models.distinct import distinct
from crmkit.models.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.purchases_ahead import stage_weights

Derivatives = tuple[float, Floats, Floats]
"""A value, its gradient and its Hessian."""

_ROWS_AT_ONCE = 4096
"""Keeps a block of rows within a processor's cache."""


class DropoutLikelihood:
    """Total log-likelihood with its derivatives by the logs of r, alpha, a, b."""

    def __init__(
        self,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats,
        *,
        may_leave_at_first: bool,
        k: int = 1,
    ) -> None:
        self._k = k
        counts, of_count = distinct(x)
        self._arrivals = k * counts
        self._occasions = counts + 1 if may_leave_at_first else counts
        self._n_of_count = np.bincount(of_count, weights)
        self._ages, of_age = distinct(T)
        self._n_of_age = np.bincount(of_age, weights)
        self._arrivals_of_age = np.bincount(of_age, weights * k * x)
        kept = (self._occasions > 0)[of_count] if k == 1 else np.ones(len(x), np.bool_)
        self._n = weights[kept]
        self._of_count, self._of_age = of_count[kept], of_age[kept]
        self._last_ages, self._of_last_age = distinct(t_x[kept])

    def __call__(self, log_parameters: Floats, /) -> Derivatives:
        """Value, gradient and Hessian, each summed over customers."""
        r, alpha, a, b = np.exp(log_parameters).tolist()
        stayed = self._stayed(r, alpha, a, b)
        not_alive = self._not_alive(r, alpha, a, b)
        return stayed[0] + not_alive[0], stayed[1] + not_alive[1], stayed[2] + not_alive[2]

    def _stayed(self, r: float, alpha: float, a: float, b: float) -> Derivatives:
        """Log-likelihood as if all had stayed and just bought, by distinct x and distinct T."""
        arrivals, n, stays = self._arrivals, self._n_of_count, self._occasions
        rise = n @ (log_rising(r, arrivals) + log_rising(b, stays) - log_rising(a + b, stays))
        r_1, r_2 = n @ digamma_rising(r, arrivals), n @ trigamma_rising(r, arrivals)
        b_1, ab_1 = (n @ digamma_rising(z, stays) for z in (b, a + b))
        b_2, ab_2 = (n @ trigamma_rising(z, stays) for z in (b, a + b))
        log_age, past = np.log1p(self._ages / alpha), self._ages / (alpha + self._ages)
        n_logs, n_past = self._n_of_age @ log_age, self._n_of_age @ past
        arrival_logs = self._arrivals_of_age @ (np.log(alpha) + log_age)
        arrivals_ahead = self._arrivals_of_age @ (1 - past)
        bend = (r * self._n_of_age + self._arrivals_of_age) @ (past * (1 - past))
        gradient = np.array(
            [r * (r_1 - n_logs), r * n_past - arrivals_ahead, -a * ab_1, b * (b_1 - ab_1)]
        )
        hessian = np.diag(gradient)
        hessian[0, 0] += r * r * r_2
        hessian[0, 1] = hessian[1, 0] = r * n_past
        hessian[1, 1] = -bend
        hessian[2, 2] -= a * a * ab_2
        hessian[2, 3] = hessian[3, 2] = -a * b * ab_2
        hessian[3, 3] += b * b * (b_2 - ab_2)
        return float(rise - r * n_logs - arrival_logs), gradient, hessian

    def _not_alive(self, r: float, alpha: float, a: float, b: float) -> Derivatives:
        """Minus log P(alive), in blocks of rows that fit a processor's cache."""
        staying = b + np.maximum(self._occasions - 1, 0)
        log_odds = np.where(self._occasions > 0, np.log(staying / a), np.inf)
        by_count = np.stack([log_odds, r + self._arrivals, b / staying])
        by_age, by_last_age = _by_age(self._ages, alpha), _by_age(self._last_ages, alpha)
        value, gradient, hessian = 0.0, np.zeros(4), np.zeros((4, 4))
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            counts, age = by_count[:, self._of_count[rows]], self._of_age[rows]
            last_age = self._of_last_age[rows]
            silence = by_age[:, age] - by_last_age[:, last_age]
            waiting = None
            if self._k > 1:
                T = self._ages[age]
                share = (T - self._last_ages[last_age]) / (alpha + T)
                waiting = _waiting(self._k, r, counts[1], share, alpha / (alpha + T))
            block = _not_alive_rows(r, self._n[rows], counts, silence, waiting)
            value, gradient, hessian = (
                value + block[0],
                gradient + block[1],
                hessian + block[2],
            )
        return value, gradient, hessian


class _Waiting(NamedTuple):
    """Log of the weight of all stages, a row each, and its derivatives by log r and log alpha."""

    value: Floats
    slopes: Floats
    bends: Floats
    """By log r twice, by both, by log alpha twice."""


def _waiting(k: int, r: float, shape: Floats, share: Floats, unseen: Floats) -> _Waiting:
    """Sum over the arrivals j that may have come since the last purchase."""
    weights = stage_weights(k, shape, share)
    total = weights.sum(axis=0)
    weights /= total
    j = np.arange(k, dtype=np.float64)[:, np.newaxis]
    by_r, by_r_2 = r * digamma_rising(shape, j), r * r * trigamma_rising(shape, j)
    by_alpha = -j * unseen
    mean_r, mean_alpha = (weights * by_r).sum(axis=0), (weights * by_alpha).sum(axis=0)
    bends = [
        (weights * (by_r_2 + (by_r - mean_r) ** 2)).sum(axis=0) + mean_r,
        (weights * (by_r - mean_r) * (by_alpha - mean_alpha)).sum(axis=0),
        (weights * (by_alpha - mean_alpha) ** 2).sum(axis=0) + mean_alpha * (1 - unseen),
    ]
    return _Waiting(np.log(total), np.stack([mean_r, mean_alpha]), np.stack(bends))


def _by_age(age: Floats, alpha: float) -> Floats:
    """Log(1 + age / alpha), its slope by -log(alpha), and that one's bend."""
    past = age / (alpha + age)
    return np.stack([np.log1p(age / alpha), past, past * (1 - past)])


def _not_alive_rows(
    r: float, n: Floats, by_count: Floats, silence: Floats, waiting: _Waiting | None
) -> Derivatives:
    """Minus log P(alive) summed over rows, with its derivatives, and the weight of waiting."""
    log_odds_new, rate, b_share = by_count
    silent, silent_slope, silent_bend = silence
    log_odds = log_odds_new - rate * silent
    if waiting is not None:
        log_odds = log_odds + waiting.value
    odds = np.exp(-np.abs(log_odds))
    p_dead = np.where(log_odds > 0, odds, 1) / (1 + odds)
    dead = n * p_dead
    slopes = np.stack([-r * silent, rate * silent_slope, np.full_like(n, -1), b_share])
    if waiting is not None:
        slopes[:2] += waiting.slopes
    gradient = -slopes @ dead
    hessian = (slopes * (dead * (1 - p_dead))) @ slopes.T
    hessian[0, 0] += r * (dead @ silent)
    hessian[0, 1] -= r * (dead @ silent_slope)
    hessian[1, 1] += (dead * rate) @ silent_bend
    hessian[3, 3] -= dead @ (b_share * (1 - b_share))
    value = float(n @ (np.log1p(odds) - np.minimum(log_odds, 0)))
    if waiting is not None:
        value += float(n @ waiting.value)
        gradient[:2] += waiting.slopes @ n
        hessian[0, 0] += waiting.bends[0] @ (n - dead)
        hessian[0, 1] += waiting.bends[1] @ (n - dead)
        hessian[1, 1] += waiting.bends[2] @ (n - dead)
    hessian[1, 0] = hessian[0, 1]
    return value, gradient, hessian
