r"""BG/NBD: customers who buy at random and leave without notice after a purchase.

While active, a customer buys at Poisson rate :math:`\lambda`; after each purchase the customer
leaves with probability :math:`p`. Across customers :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)`
and :math:`p \sim \mathrm{Beta}(a, b)`.

Symbols are the paper's: `x` purchase days after the first, `t_x` age at the last one, `T` age at
the end of observation. Ages are in days.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. Cited below as FHL.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
from scipy.special import betainc, expit, gammaln, log_expit, xlogy

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.arrays import Codes, Floats
from crmkit.models.beta_mean import beta_rule
from crmkit.models.discounting import discounted
from crmkit.models.distinct import distinct, distinct_pairs
from crmkit.models.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.search import Limit, MaximumLikelihood, maximize

_NAMES = ("r", "alpha", "a", "b")

_NOBODY_LEAVES = "Hardly anybody seems to leave."
_NOBODY_STAYS = "Hardly anybody seems to stay after a first repeat purchase."

_LIMITS = (
    Limit({"r up", "alpha up"}, "Customers do not differ in how often they buy."),
    Limit({"a up", "b up"}, "Customers do not differ in how readily they leave."),
    Limit({"a down", "b down"}, "Customers leave after a first repeat purchase or never."),
    Limit({"a down", "b up"}, _NOBODY_LEAVES),
    Limit({"a up", "b down"}, _NOBODY_STAYS),
    Limit({"a down"}, _NOBODY_LEAVES),
    Limit({"b up"}, _NOBODY_LEAVES),
    Limit({"a up"}, _NOBODY_STAYS),
    Limit({"b down"}, _NOBODY_STAYS),
)

Derivatives = tuple[float, Floats, Floats]
"""A value, its gradient and its Hessian."""

_ROWS_AT_ONCE = 4096
"""Keeps a block of rows within a processor's cache."""

_NODES_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class BGNBD:
    """A fitted BG/NBD model: how buying (r, alpha) and leaving (a, b) vary over customers.

    `alpha` is in days; the other three are pure numbers. Mean buying rate r / alpha a day,
    mean probability of leaving after a purchase a / (a + b).
    """

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < parameter < math.inf for parameter in astuple(self)):
            msg = f"BG/NBD parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls, x: Floats, t_x: Floats, T: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for.

        Raises
        ------
        FitError
            If no customer has a repeat purchase.
        """
        weights = np.ones(len(x)) if weights is None else weights
        repeats, exposure = float(weights @ x), float(weights @ T)
        if not repeats:
            msg = (
                f"customer summary: no repeat purchase in {weights.sum():,.0f} of "
                f"{weights.sum():,.0f} customers.\nObserve them for longer before you fit."
            )
            raise FitError(msg)
        days_between = exposure / repeats
        return maximize(
            build=cls,
            names=_NAMES,
            likelihood=BGNBDLikelihood,
            columns=(x, t_x, T),
            weights=weights,
            starts=[
                (r, r * days_between / speed, a, b)
                for r, speed, a, b in (
                    (0.5, 2.0, 0.8, 2.5),
                    (1.5, 1.0, 0.1, 3.0),
                    (0.3, 3.0, 2.0, 1.0),
                )
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history (FHL, eq. 6)."""
        r, alpha, a, b = astuple(self)
        counts, of_count = distinct(x)
        stayed = log_rising(r, counts) + log_rising(b, counts) - log_rising(a + b, counts)
        since = -r * np.log1p(T / alpha) - x * np.log(alpha + T)
        return stayed[of_count] + since - log_expit(self._log_odds_alive(x, t_x, T))

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`.

        It is 1 for one without a repeat purchase: one leaves after a purchase, and the first
        one is not counted as an occasion to.
        """
        return expit(self._log_odds_alive(x, t_x, T))

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon.

        One who leaves with probability p expects (1 - exp(-rate p horizon)) / p of them; this
        is the mean of that over the rate and p still possible. It equals FHL eq. 10, whose 2F1
        overflows for heavy buyers and which reads 0/0 at a = 1.
        """
        counts, ages, of_row = distinct_pairs(x, T)
        if_alive = self._if_alive(counts, ages, longest=horizon_days)(horizon_days)
        return if_alive[of_row] * self.probability_alive(x, t_x, T)

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days (FHL, eq. 9).

        The days count from the first purchase, which is not itself counted.
        """
        none = np.zeros(1)
        longest = float(days.max(initial=0.0))
        nodes, weights = beta_rule(self.a, none + self.b, steepness=self._steepness(none, longest))
        shape, z = np.full(len(days), self.r), days / self.alpha
        return _mean_purchases(nodes, weights, np.zeros(len(days), np.int64), shape, z)

    def purchase_probability_new(self, n: Floats, /, *, days: float) -> Floats:
        """Probability that a new customer buys n times within so many days (FHL, eq. 8)."""
        r, alpha, a, b = astuple(self)
        z, earlier = days / alpha, np.maximum(n - 1, 0)
        stayed = log_rising(b, n) - log_rising(a + b, n)
        exactly = log_rising(r, n) - gammaln(n + 1) - r * np.log1p(z) + xlogy(n, z / (1 + z))
        left = a * np.exp(log_rising(b, earlier) - log_rising(a + b, n))
        at_least = betainc(np.maximum(n, 1), r, z / (1 + z))
        return np.exp(stayed + exactly) + np.where(n > 0, left * at_least, 0.0)

    def discounted_purchases(
        self,
        x: Floats,
        t_x: Floats,
        T: Floats,
        /,
        *,
        horizon_days: float,
        annual_discount_rate: float,
    ) -> Floats:
        """Purchases expected within the horizon, each discounted to `T`."""
        counts, ages, of_row = distinct_pairs(x, T)
        if_alive = discounted(
            self._if_alive(counts, ages, longest=horizon_days),
            horizon_days=horizon_days,
            annual_discount_rate=annual_discount_rate,
            bend_days=self.alpha,
        )
        return if_alive[of_row] * self.probability_alive(x, t_x, T)

    def _log_odds_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        r, alpha, a, b = astuple(self)
        silence = np.log1p(t_x / alpha) - np.log1p(T / alpha)
        log_odds = np.log((b + np.maximum(x - 1, 0)) / a) + (r + x) * silence
        return np.where(x > 0, log_odds, np.inf)

    def _if_alive(self, x: Floats, T: Floats, *, longest: float) -> Callable[[float], Floats]:
        """Give the purchases of customers alive at `T`, as a function of the days to come."""
        counts, of_row = distinct(x)
        steepness = self._steepness(counts, longest)
        nodes, weights = beta_rule(self.a, self.b + counts, steepness=steepness)

        def purchases(days: float) -> Floats:
            return _mean_purchases(nodes, weights, of_row, self.r + x, days / (self.alpha + T))

        return purchases

    def _steepness(self, x: Floats, longest: float) -> Floats:
        """1 / p where leaving with probability p begins to cost purchases."""
        return np.maximum(self.r + x, 1) * longest / self.alpha


def _mean_purchases(
    nodes: Floats, weights: Floats, of_row: Codes, shape: Floats, z: Floats
) -> Floats:
    """Mean of (1 - (1 + p z) ** -shape) / p over each row's rule for p."""
    means = np.empty(len(shape))
    n_rows = max(_NODES_AT_ONCE // nodes.shape[1], 1)
    for start in range(0, len(shape), n_rows):
        rows = slice(start, start + n_rows)
        p = nodes[of_row[rows]]
        stretch = shape[rows, np.newaxis] * np.log1p(p * z[rows, np.newaxis])
        means[rows] = (weights[of_row[rows]] * -np.expm1(-stretch) / p).sum(axis=1)
    return means


class BGNBDLikelihood:
    """Total log-likelihood with its derivatives by the logs of r, alpha, a, b.

    A history weighs as if its customer had stayed, times 1 / P(alive):

        log L = log L(stayed) - log P(alive)

    The first term needs only counts by distinct x and by distinct T; the second is one
    logistic function per row. Gamma functions and logs are taken per distinct x, t_x and T.
    """

    def __init__(self, x: Floats, t_x: Floats, T: Floats, weights: Floats) -> None:
        self._counts, of_count = distinct(x)
        self._n_of_count = np.bincount(of_count, weights)
        self._ages, of_age = distinct(T)
        self._n_of_age = np.bincount(of_age, weights)
        self._x_of_age = np.bincount(of_age, weights * x)
        repeat = x > 0
        self._n = weights[repeat]
        self._of_count, self._of_age = of_count[repeat], of_age[repeat]
        self._last_ages, self._of_last_age = distinct(t_x[repeat])

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        r, alpha, a, b = np.exp(log_parameters).tolist()
        stayed = self._stayed(r, alpha, a, b)
        not_alive = self._not_alive(r, alpha, a, b)
        return stayed[0] + not_alive[0], stayed[1] + not_alive[1], stayed[2] + not_alive[2]

    def _stayed(self, r: float, alpha: float, a: float, b: float) -> Derivatives:
        """Log-likelihood as if all had stayed, by distinct x and distinct T."""
        x, n = self._counts, self._n_of_count
        rise = n @ (log_rising(r, x) + log_rising(b, x) - log_rising(a + b, x))
        r_1, b_1, ab_1 = (n @ digamma_rising(z, x) for z in (r, b, a + b))
        r_2, b_2, ab_2 = (n @ trigamma_rising(z, x) for z in (r, b, a + b))
        log_age, past = np.log1p(self._ages / alpha), self._ages / (alpha + self._ages)
        n_logs, n_past = self._n_of_age @ log_age, self._n_of_age @ past
        x_logs = self._x_of_age @ (np.log(alpha) + log_age)
        x_ahead = self._x_of_age @ (1 - past)
        bend = (r * self._n_of_age + self._x_of_age) @ (past * (1 - past))
        gradient = np.array([r * (r_1 - n_logs), r * n_past - x_ahead, -a * ab_1, b * (b_1 - ab_1)])
        hessian = np.diag(gradient)
        hessian[0, 0] += r * r * r_2
        hessian[0, 1] = hessian[1, 0] = r * n_past
        hessian[1, 1] = -bend
        hessian[2, 2] -= a * a * ab_2
        hessian[2, 3] = hessian[3, 2] = -a * b * ab_2
        hessian[3, 3] += b * b * (b_2 - ab_2)
        return float(rise - r * n_logs - x_logs), gradient, hessian

    def _not_alive(self, r: float, alpha: float, a: float, b: float) -> Derivatives:
        """Minus log P(alive), in blocks of rows that fit a processor's cache."""
        staying = b + np.maximum(self._counts - 1, 0)
        by_count = np.stack([np.log(staying / a), r + self._counts, b / staying])
        by_age, by_last_age = _by_age(self._ages, alpha), _by_age(self._last_ages, alpha)
        value, gradient, hessian = 0.0, np.zeros(4), np.zeros((4, 4))
        for start in range(0, len(self._n), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            silence = by_age[:, self._of_age[rows]] - by_last_age[:, self._of_last_age[rows]]
            block = _not_alive_rows(r, self._n[rows], by_count[:, self._of_count[rows]], silence)
            value, gradient, hessian = (
                value + block[0],
                gradient + block[1],
                hessian + block[2],
            )
        return value, gradient, hessian


def _by_age(age: Floats, alpha: float) -> Floats:
    """Log(1 + age / alpha), its slope by -log(alpha), and that one's bend."""
    past = age / (alpha + age)
    return np.stack([np.log1p(age / alpha), past, past * (1 - past)])


def _not_alive_rows(r: float, n: Floats, by_count: Floats, silence: Floats) -> Derivatives:
    """Minus log P(alive) summed over rows, with its derivatives."""
    log_odds_new, rate, b_share = by_count
    silent, silent_slope, silent_bend = silence
    log_odds = log_odds_new - rate * silent
    odds = np.exp(-np.abs(log_odds))
    p_dead = np.where(log_odds > 0, odds, 1) / (1 + odds)
    dead = n * p_dead
    slopes = np.stack([-r * silent, rate * silent_slope, np.full_like(n, -1), b_share])
    gradient = -slopes @ dead
    hessian = (slopes * (dead * (1 - p_dead))) @ slopes.T
    hessian[0, 0] += gradient[0]
    hessian[0, 1] -= r * (dead @ silent_slope)
    hessian[1, 0] = hessian[0, 1]
    hessian[1, 1] += (dead * rate) @ silent_bend
    hessian[3, 3] -= dead @ (b_share * (1 - b_share))
    value = n @ (np.log1p(odds) - np.minimum(log_odds, 0))
    return float(value), gradient, hessian
