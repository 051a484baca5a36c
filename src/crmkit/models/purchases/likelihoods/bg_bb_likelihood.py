r"""BG/BB likelihood, summed backwards over the opportunity of dropout.

A customer last seen at opportunity :math:`t_x` survived to the end, or dropped out after one of
the opportunities :math:`j = t_x, ..., n - 1`. All terms are positive, so nothing cancels in a
logsumexp. With j descending, one running sum serves every :math:`t_x` of the same x and n; gamma
functions are computed per whole number. The derivatives of the sum are updated with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.beta_ratio import minus_log_survival
from crmkit.models.numerics.distinct import distinct_pairs
from crmkit.models.numerics.gamma_ratio import (
    digamma_difference,
    log_poch,
    trigamma_difference,
)

Derivatives = tuple[float, Floats, Floats]

Parameters = tuple[float, float, float, float]
"""alpha, beta, gamma, delta."""


def log_stayed(x: Floats, n: Floats, parameters: Parameters) -> Floats:
    """Log probability of the purchases and of survival to the end."""
    alpha, beta, gamma, delta = parameters
    bought = log_poch(alpha, x) + log_poch(beta, n - x) - log_poch(alpha + beta, n)
    return bought - minus_log_survival(gamma, delta, n)


class Histories:
    """Distinct histories: the pairs (x, n) among them, and the t_x of each pair."""

    def __init__(self, x: Floats, t_x: Floats, n: Floats) -> None:
        self.x, self.n, pair_of_row = distinct_pairs(x, n)
        pair, self.t_x, self.of_row = distinct_pairs(pair_of_row.astype(np.float64), t_x)
        self.pair: Codes = pair.astype(np.int64)
        self.most = int(n.max(initial=0))
        order = np.argsort(self.t_x, kind="stable")
        ends = np.searchsorted(self.t_x[order], np.arange(self.most + 2))
        self._at = [order[start:end] for start, end in pairwise(ends)]

    def backwards(self) -> Iterator[tuple[int, Codes, Codes]]:
        """Iterate over opportunities, last first, with the pairs and histories that may end there.

        A pair may end at j if x purchases fit into j opportunities and j is below n.
        """
        for j in range(self.most, -1, -1):
            yield j, np.flatnonzero((self.x <= j) & (j < self.n)), self._at[j]

    def log_likelihood(self, parameters: Parameters) -> Floats:
        """Log-likelihood of each distinct history."""
        alpha, beta, gamma, delta = parameters
        whole = np.arange(self.most + 1.0)
        bought, missed = log_poch(alpha, self.x), log_poch(beta, whole)
        ended = _log_left(whole, gamma, delta) - log_poch(alpha + beta, whole)
        total = log_stayed(self.x, self.n, parameters)
        found = np.empty(len(self.pair))
        for j, pairs, histories in self.backwards():
            term = bought[pairs] + missed[j - self.x[pairs].astype(np.int64)] + ended[j]
            total[pairs] = np.logaddexp(total[pairs], term)
            found[histories] = total[self.pair[histories]]
        return found


def _log_left(j: Floats, gamma: float, delta: float) -> Floats:
    """Log probability of dropout after opportunity j."""
    return np.log(gamma / (gamma + delta + j)) - minus_log_survival(gamma, delta, j)


class BGBBLikelihood:
    """Total log-likelihood with its derivatives by the logs of alpha, beta, gamma, delta."""

    def __init__(self, x: Floats, t_x: Floats, n: Floats, weights: Floats) -> None:
        self._histories = Histories(x, t_x, n)
        self._n = np.bincount(self._histories.of_row, weights)
        self._misses = (self._histories.n - self._histories.x).astype(np.int64)
        self._ends = self._histories.n.astype(np.int64)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        rows, parameters = self._histories, np.exp(log_parameters).tolist()
        terms = _Terms(rows.most, *parameters)
        total = terms.stayed(self._misses, self._ends)
        slopes, curvatures = terms.derivatives(self._misses, self._ends, left=False)
        value, gradient, hessian = self._bought(parameters[0])
        for j, pairs, histories in rows.backwards():
            missed = j - rows.x[pairs].astype(np.int64)
            before, term = total[pairs], terms.left(missed, j)
            total[pairs] = np.logaddexp(before, term)
            own_slopes, own_hessians = terms.derivatives(missed, np.full_like(missed, j), left=True)
            share = np.exp(term - total[pairs])
            apart = own_slopes - slopes[:, pairs]
            slopes[:, pairs] += share * apart
            spread = share * (1 - share) * apart[:, np.newaxis] * apart
            curvatures[:, :, pairs] += share * (own_hessians - curvatures[:, :, pairs]) + spread
            pair, n = rows.pair[histories], self._n[histories]
            value += float(total[pair] @ n)
            gradient += slopes[:, pair] @ n
            hessian += curvatures[:, :, pair] @ n
        return value, gradient, hessian

    def _bought(self, alpha: float) -> Derivatives:
        """Terms of x and alpha alone."""
        x = self._histories.x[self._histories.pair]
        gradient, hessian = np.zeros(4), np.zeros((4, 4))
        gradient[0] = alpha * (self._n @ digamma_difference(alpha, x))
        hessian[0, 0] = gradient[0] + alpha**2 * (self._n @ trigamma_difference(alpha, x))
        return float(self._n @ log_poch(alpha, x)), gradient, hessian


class _Terms:
    """Term of each opportunity of dropout, by the opportunities missed and the last one.

    Without the factor of x alone. Tables are by whole number, derivatives by log parameter.
    """

    def __init__(self, most: int, alpha: float, beta: float, gamma: float, delta: float) -> None:
        whole = np.arange(most + 2.0)
        self._missed = log_poch(beta, whole)
        self._offered = log_poch(alpha + beta, whole)
        self._stayed = -minus_log_survival(gamma, delta, whole)
        self._left = _log_left(whole, gamma, delta)
        self._scale = np.array([alpha, beta, gamma, delta])
        shifts = (beta, alpha + beta, delta, gamma + delta)
        self._slopes = [digamma_difference(z, whole) for z in shifts]
        self._curvatures = [trigamma_difference(z, whole) for z in shifts]

    def stayed(self, missed: Codes, n: Codes) -> Floats:
        """Log probability of survival to the end."""
        return self._missed[missed] - self._offered[n] + self._stayed[n]

    def left(self, missed: Codes, j: int) -> Floats:
        """Log probability of dropout after opportunity j."""
        return self._missed[missed] - self._offered[j] + self._left[j]

    def derivatives(self, missed: Codes, j: Codes, *, left: bool) -> tuple[Floats, Floats]:
        """Gradient and Hessian of `left` or `stayed` by the logs of the parameters."""
        b, ab, d, gd = self._pick(self._slopes, missed, j, left=left)
        rise = np.stack([-ab, b - ab, -gd, d - gd]) * self._scale[:, np.newaxis]
        b, ab, d, gd = self._pick(self._curvatures, missed, j, left=left)
        curvatures = np.zeros((4, 4, len(missed)))
        curvatures[:2, :2] = -ab
        curvatures[2:, 2:] = -gd
        curvatures[1, 1] += b
        curvatures[3, 3] += d
        curvatures *= (self._scale[:, np.newaxis] * self._scale)[:, :, np.newaxis]
        diagonal = np.arange(4)
        curvatures[diagonal, diagonal] += rise
        rise[2] += left
        return rise, curvatures

    @staticmethod
    def _pick(tables: list[Floats], missed: Codes, j: Codes, *, left: bool) -> tuple[Floats, ...]:
        of_missed, of_offered, of_stayed, of_faced = tables
        return of_missed[missed], of_offered[j], of_stayed[j], of_faced[j + left]
