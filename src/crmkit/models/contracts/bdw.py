r"""Beta-discrete-Weibull: contracts whose customers differ, and change with time.

As the shifted beta-geometric (`crmkit.models.contracts.sbg`), but a customer's own odds of leaving
may rise (c above 1) or fall (c below 1) with the number of periods:

.. math::

    S(t \mid \theta) = (1 - \theta)^{t^c}, \quad \theta \sim \mathrm{Beta}(\alpha, \beta),
    \quad S(t) = \frac{B(\alpha, \beta + t^c)}{B(\alpha, \beta)}.

With c = 1 it is the shifted beta-geometric. The curve of retention may then fall at first and
rise later, which few other models can follow.

References
----------
Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. & Steenburgh, T. (2018). "How to project
customer retention" revisited: the role of duration dependence. *Journal of Interactive
Marketing* 43, 1-16. https://doi.org/10.1016/j.intmar.2018.01.002.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
from scipy.special import polygamma

from crmkit.errors import InvalidArgumentError
from crmkit.models.contracts.contract_table import Contracts, renewals_by_period
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.beta_ratio import log_loss
from crmkit.models.numerics.discounted_lifetime import lifetime_by_summing
from crmkit.models.numerics.gamma_ratio import digamma_rising, trigamma_rising

_NAMES = ("alpha", "beta", "c")

_LIMITS = (
    Limit({"alpha up", "beta up"}, "Customers do not differ in how readily they leave."),
    Limit({"alpha down", "beta down"}, "Customers leave at the first renewal or never."),
    Limit({"alpha down", "c up"}, "Hardly anybody seems to leave at the first renewal."),
    Limit({"beta up", "c up"}, "Hardly anybody seems to leave at the first renewal."),
    Limit({"c down"}, "Customers leave at the first renewal or never."),
    Limit({"c up"}, "Hardly anybody seems to stay beyond the second renewal."),
    Limit({"alpha down"}, "Hardly anybody seems to leave."),
    Limit({"beta up"}, "Hardly anybody seems to leave."),
    Limit({"alpha up"}, "Hardly anybody seems to stay."),
    Limit({"beta down"}, "Hardly anybody seems to stay."),
)

_LARGEST_LOG = 300.0
"""From t ** c = exp(300) on, survival falls by exactly the power alpha of t ** c."""

_HOPELESS = 700.0
"""exp(-700) is all but the smallest number there is."""


@dataclass(frozen=True, slots=True)
class BDW:
    """A fitted beta-discrete-Weibull model: readiness to leave (alpha, beta) and its course (c).

    Mean probability of leaving at the first renewal: alpha / (alpha + beta).
    """

    alpha: float
    beta: float
    c: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < parameter < math.inf for parameter in astuple(self)):
            msg = f"BdW parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls, periods: Floats, lost: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for.

        Raises
        ------
        FitError
            If nobody renewed, or nobody left.
        """
        contracts = Contracts.of(periods, lost, weights)
        churn = contracts.churn_rate
        return maximize(
            build=cls,
            names=_NAMES,
            likelihood=BDWLikelihood,
            columns=(contracts.periods, contracts.lost),
            weights=contracts.n_customers,
            starts=[
                (churn * spread, (1 - churn) * spread, c)
                for spread, c in ((0.5, 1.5), (2.0, 1.0), (20.0, 0.7))
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, periods: Floats, lost: Floats, /) -> Floats:
        """Log probability of each customer's history."""
        left = lost > 0
        loss = self._log_loss(np.maximum(periods, 1))
        leaving = np.log(-np.expm1(-loss))
        return self.log_survival(periods - left) + np.where(left, leaving, 0.0)

    def log_survival(self, periods: Floats, /) -> Floats:
        """Log of `survival`, exact where that has become 0."""
        effort, beyond = _effort(periods, self.c)
        return -log_loss(self.alpha, self.beta, effort) - self.alpha * beyond

    def survival(self, periods: Floats, /) -> Floats:
        """Share of customers still there after so many periods."""
        return np.exp(self.log_survival(periods))

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who renew."""
        return np.exp(-self._log_loss(periods))

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who leave."""
        return -np.expm1(-self._log_loss(periods))

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods still to come at the next renewal, the one it pays for in full.

        For customers with this number of renewals; see
        `crmkit.models.numerics.discounted_lifetime`.
        """
        return lifetime_by_summing(
            self.log_survival, renewals, discount_rate_per_period=discount_rate_per_period
        )

    def _log_loss(self, periods: Floats) -> Floats:
        """Minus the log of the retention rate in each period, small ones to the last digit."""
        return _period_loss(periods, *astuple(self))


def _effort(periods: Floats, c: float) -> tuple[Floats, Floats]:
    """Give periods ** c up to exp(300), and what its log is beyond that."""
    log_effort = c * np.log(np.maximum(periods, 1))
    effort = np.where(periods > 0, np.exp(np.minimum(log_effort, _LARGEST_LOG)), 0.0)
    return effort, np.maximum(log_effort - _LARGEST_LOG, 0)


def _period_loss(periods: Floats, alpha: float, beta: float, c: float) -> Floats:
    start, start_beyond = _effort(periods - 1, c)
    end, end_beyond = _effort(periods, c)
    # t ** c - (t - 1) ** c, where the two are close.
    close = -end * np.expm1(c * np.log1p(-1 / np.maximum(periods, 2)))
    step = np.where(end_beyond > 0, end - start, np.where(periods > 1, close, end))
    return log_loss(alpha, beta + start, step) + alpha * (end_beyond - start_beyond)


class BDWLikelihood:
    """Total log-likelihood with its derivatives by the logs of alpha, beta, c.

    Each renewal is a choice: of those who come to it, the share exp(-h) stays. So the
    derivatives follow from those of h, which is a difference of two log survivals.
    """

    def __init__(self, periods: Floats, lost: Floats, weights: Floats) -> None:
        self._period, self._kept, self._gone = renewals_by_period(periods, lost, weights)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        alpha, beta, c = np.exp(log_parameters).tolist()
        h = _period_loss(self._period, alpha, beta, c)
        value = self._gone @ np.log(-np.expm1(-h)) - self._kept @ h
        ends = (_log_survival_derivatives(self._period - k, alpha, beta, c) for k in (1, 0))
        slopes, bends = (before - after for before, after in zip(*ends, strict=True))
        rise = np.expm1(np.minimum(h, _HOPELESS))
        by_loss = self._gone / rise - self._kept
        by_loss_twice = self._gone / rise / np.expm1(-h)
        return float(value), slopes @ by_loss, bends @ by_loss + (slopes * by_loss_twice) @ slopes.T


def _log_survival_derivatives(
    periods: Floats, alpha: float, beta: float, c: float
) -> tuple[Floats, Floats]:
    """Gradient and Hessian of log survival by log alpha, log beta and log c, per period."""
    y, beyond = _effort(periods, c)
    by_log_c = c * np.log(np.maximum(periods, 1))
    by_y = -y * digamma_rising(beta + y, alpha)
    by_y_twice = -(y**2) * trigamma_rising(beta + y, alpha)
    by_alpha = -alpha * (digamma_rising(alpha + beta, y) + beyond)
    by_beta = beta * (digamma_rising(beta, y) - digamma_rising(alpha + beta, y))
    spread = trigamma_rising(alpha + beta, y)
    slopes = np.stack([by_alpha, by_beta, by_y * by_log_c])
    bends = np.empty((3, 3, len(periods)))
    bends[0, 0] = by_alpha - alpha**2 * spread
    bends[1, 1] = by_beta + beta**2 * (trigamma_rising(beta, y) - spread)
    bends[2, 2] = (by_y_twice + by_y) * by_log_c**2 + by_y * by_log_c
    bends[0, 1] = bends[1, 0] = -alpha * beta * spread
    bends[0, 2] = bends[2, 0] = -alpha * y * polygamma(1, alpha + beta + y) * by_log_c
    bends[1, 2] = bends[2, 1] = -beta * y * trigamma_rising(beta + y, alpha) * by_log_c
    return slopes, bends
