r"""Beta-discrete-Weibull: contracts with heterogeneity and duration dependence.

As the shifted beta-geometric (`crmkit.models.contracts.sbg`), but a customer's own churn
probability may rise (c above 1) or fall (c below 1) with the number of periods:

.. math::

    S(t \mid \theta) = (1 - \theta)^{t^c}, \quad \theta \sim \mathrm{Beta}(\alpha, \beta),
    \quad S(t) = \frac{B(\alpha, \beta + t^c)}{B(\alpha, \beta)}.

With c = 1 it is the shifted beta-geometric. The retention rate may first fall and then rise
with tenure, which few other models can follow.

References
----------
Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. & Steenburgh, T. (2018). "How to project
customer retention" revisited: the role of duration dependence. *Journal of Interactive
Marketing* 43, 1-16. https://doi.org/10.1016/j.intmar.2018.01.002.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import polygamma

from crmkit.errors import InvalidArgumentError
from crmkit.models.contracts.contract_table import Contracts, renewals_by_period
from crmkit.models.inference.covariates import Link
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.beta_ratio import minus_log_survival
from crmkit.models.numerics.discounted_lifetime import lifetime_by_summing
from crmkit.models.numerics.gamma_ratio import digamma_difference, trigamma_difference
from crmkit.models.protocol import Nesting

_NAMES = ("alpha", "beta", "c")

_LIMITS = (
    Limit({"alpha up", "beta up"}, "Customers do not differ in churn probability."),
    Limit({"alpha down", "beta down"}, "Customers churn at the first renewal or never."),
    Limit({"alpha down", "c up"}, "Hardly any customer churns at the first renewal."),
    Limit({"beta up", "c up"}, "Hardly any customer churns at the first renewal."),
    Limit({"c down"}, "Customers churn at the first renewal or never."),
    Limit({"c up"}, "Hardly any customer stays beyond the second renewal."),
    Limit({"alpha down"}, "Hardly any customer churns."),
    Limit({"beta up"}, "Hardly any customer churns."),
    Limit({"alpha up"}, "Hardly any customer renews."),
    Limit({"beta down"}, "Hardly any customer renews."),
)

_LARGEST_LOG = 300.0
"""From t ** c = exp(300) on, survival falls by exactly the power alpha of t ** c."""

_LARGEST_LOSS = 700.0
"""exp(-700) is close to the smallest float."""


@dataclass(frozen=True, slots=True)
class BDW:
    """A fitted beta-discrete-Weibull model: churn (alpha, beta) and its duration dependence (c).

    Mean churn probability at the first renewal: alpha / (alpha + beta).
    """

    name: ClassVar[str] = "bdw"
    title: ClassVar[str] = "BdW"
    use: ClassVar[str] = (
        "As sBG, but each customer's churn probability may rise or fall with the periods."
    )
    units: ClassVar[Mapping[str, int]] = {}
    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {}

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
        """Fit by maximum likelihood; `weights` is the number of customers of each row.

        Raises
        ------
        FitError
            If nobody renewed, or nobody churned.
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
        """Log-likelihood of each customer's history."""
        left = lost > 0
        loss = self._minus_log_retention(np.maximum(periods, 1))
        dropout = np.log(-np.expm1(-loss))
        return self.log_survival(periods - left) + np.where(left, dropout, 0.0)

    def log_survival(self, periods: Floats, /) -> Floats:
        """Log of `survival`, exact also where `survival` underflows to 0."""
        effort, beyond = _effort(periods, self.c)
        return -minus_log_survival(self.alpha, self.beta, effort) - self.alpha * beyond

    def survival(self, periods: Floats, /) -> Floats:
        """Survival function: share of customers retained after `periods` periods."""
        return np.exp(self.log_survival(periods))

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who renew."""
        return np.exp(-self._minus_log_retention(periods))

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who churn (the hazard)."""
        return -np.expm1(-self._minus_log_retention(periods))

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods expected from the next renewal on, discounted to it (DERL).

        For customers with `renewals` renewals so far; see
        `crmkit.models.numerics.discounted_lifetime`.
        """
        return lifetime_by_summing(
            self.log_survival, renewals, discount_rate_per_period=discount_rate_per_period
        )

    def _minus_log_retention(self, periods: Floats) -> Floats:
        """Minus the log of the retention rate in each period, with all digits where it is small."""
        return _period_loss(periods, *astuple(self))


def _effort(periods: Floats, c: float) -> tuple[Floats, Floats]:
    """Compute periods ** c up to exp(300), and by how much its log exceeds 300."""
    log_effort = c * np.log(np.maximum(periods, 1))
    effort = np.where(periods > 0, np.exp(np.minimum(log_effort, _LARGEST_LOG)), 0.0)
    return effort, np.maximum(log_effort - _LARGEST_LOG, 0)


def _period_loss(periods: Floats, alpha: float, beta: float, c: float) -> Floats:
    start, start_beyond = _effort(periods - 1, c)
    end, end_beyond = _effort(periods, c)
    # t ** c - (t - 1) ** c, where the two are close.
    close = -end * np.expm1(c * np.log1p(-1 / np.maximum(periods, 2)))
    step = np.where(end_beyond > 0, end - start, np.where(periods > 1, close, end))
    return minus_log_survival(alpha, beta + start, step) + alpha * (end_beyond - start_beyond)


class BDWLikelihood:
    """Total log-likelihood with its derivatives by the logs of alpha, beta, c.

    A product over renewals: of the customers up for renewal, the share exp(-h) renews. The
    derivatives follow from those of h, a difference of two log survival functions.
    """

    def __init__(self, periods: Floats, lost: Floats, weights: Floats) -> None:
        self._period, self._kept, self._gone = renewals_by_period(periods, lost, weights)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        alpha, beta, c = np.exp(log_parameters).tolist()
        h = _period_loss(self._period, alpha, beta, c)
        value = self._gone @ np.log(-np.expm1(-h)) - self._kept @ h
        ends = (_log_survival_derivatives(self._period - k, alpha, beta, c) for k in (1, 0))
        slopes, curvatures = (before - after for before, after in zip(*ends, strict=True))
        rise = np.expm1(np.minimum(h, _LARGEST_LOSS))
        by_loss = self._gone / rise - self._kept
        by_loss_twice = self._gone / rise / np.expm1(-h)
        return (
            float(value),
            slopes @ by_loss,
            curvatures @ by_loss + (slopes * by_loss_twice) @ slopes.T,
        )


def _log_survival_derivatives(
    periods: Floats, alpha: float, beta: float, c: float
) -> tuple[Floats, Floats]:
    """Gradient and Hessian of log survival by log alpha, log beta and log c, per period."""
    y, beyond = _effort(periods, c)
    by_log_c = c * np.log(np.maximum(periods, 1))
    by_y = -y * digamma_difference(beta + y, alpha)
    by_y_twice = -(y**2) * trigamma_difference(beta + y, alpha)
    by_alpha = -alpha * (digamma_difference(alpha + beta, y) + beyond)
    by_beta = beta * (digamma_difference(beta, y) - digamma_difference(alpha + beta, y))
    spread = trigamma_difference(alpha + beta, y)
    slopes = np.stack([by_alpha, by_beta, by_y * by_log_c])
    curvatures = np.empty((3, 3, len(periods)))
    curvatures[0, 0] = by_alpha - alpha**2 * spread
    curvatures[1, 1] = by_beta + beta**2 * (trigamma_difference(beta, y) - spread)
    curvatures[2, 2] = (by_y_twice + by_y) * by_log_c**2 + by_y * by_log_c
    curvatures[0, 1] = curvatures[1, 0] = -alpha * beta * spread
    curvatures[0, 2] = curvatures[2, 0] = -alpha * y * polygamma(1, alpha + beta + y) * by_log_c
    curvatures[1, 2] = curvatures[2, 1] = (
        -beta * y * trigamma_difference(beta + y, alpha) * by_log_c
    )
    return slopes, curvatures
