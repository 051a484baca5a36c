r"""Shifted beta-geometric: contracts that customers renew or end, period by period.

At the end of each period a customer leaves with probability :math:`\theta`, the same each
time; across customers :math:`\theta \sim \mathrm{Beta}(\alpha, \beta)`. Those who leave readily
are gone first, so the retention rate of a cohort rises with its age although nobody becomes
more loyal.

A customer is a row (`periods`, `lost`): lost at the end of that period, or still there after so
many. Periods count from 1, at whose end the first renewal falls due.

References
----------
Fader, P. S. & Hardie, B. G. S. (2007). How to project customer retention. *Journal of
Interactive Marketing* 21(1), 76-90. https://doi.org/10.1002/dir.20074.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.contracts.contract_table import Contracts, renewals_by_period
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.beta_ratio import log_loss
from crmkit.models.numerics.discounted_lifetime import lifetime_over_beta

_NAMES = ("alpha", "beta")

_LIMITS = (
    Limit({"alpha up", "beta up"}, "Customers do not differ in how readily they leave."),
    Limit({"alpha down", "beta down"}, "Customers leave at the first renewal or never."),
    Limit({"alpha down"}, "Hardly anybody seems to leave."),
    Limit({"beta up"}, "Hardly anybody seems to leave."),
    Limit({"alpha up"}, "Hardly anybody seems to stay."),
    Limit({"beta down"}, "Hardly anybody seems to stay."),
)


@dataclass(frozen=True, slots=True)
class SBG:
    """A fitted shifted beta-geometric model: how readiness to leave varies over customers.

    Mean probability of leaving at the first renewal: alpha / (alpha + beta).
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < parameter < math.inf for parameter in astuple(self)):
            msg = f"sBG parameters must be positive and finite, got {self}."
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
            likelihood=SBGLikelihood,
            columns=(contracts.periods, contracts.lost),
            weights=contracts.n_customers,
            starts=[(churn * spread, (1 - churn) * spread) for spread in (0.5, 2.0, 20.0)],
            limits=_LIMITS,
        )

    def log_likelihood(self, periods: Floats, lost: Floats, /) -> Floats:
        """Log probability of each customer's history."""
        left = lost > 0
        leaving = np.log(self.alpha / (self.alpha + self.beta + periods - 1))
        return self.log_survival(periods - left) + np.where(left, leaving, 0.0)

    def log_survival(self, periods: Floats, /) -> Floats:
        """Log of `survival`, exact where that has become 0."""
        return -log_loss(self.alpha, self.beta, periods)

    def survival(self, periods: Floats, /) -> Floats:
        """Share of customers still there after so many periods."""
        return np.exp(self.log_survival(periods))

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who renew."""
        before = self.beta + periods - 1
        return before / (self.alpha + before)

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who leave."""
        return self.alpha / (self.alpha + self.beta + periods - 1)

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods still to come at the next renewal, the one it pays for in full.

        For customers with this number of renewals; see
        `crmkit.models.numerics.discounted_lifetime`.
        """
        return lifetime_over_beta(
            self.alpha, self.beta + renewals, discount_rate_per_period=discount_rate_per_period
        )


class SBGLikelihood:
    """Total log-likelihood with its derivatives by the logs of alpha and beta.

    Each renewal is a choice: of those who come to it, alpha / (alpha + beta + t - 1) leave.
    """

    def __init__(self, periods: Floats, lost: Floats, weights: Floats) -> None:
        period, self._kept, self._gone = renewals_by_period(periods, lost, weights)
        self._renewals = period - 1

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        alpha, beta = np.exp(log_parameters).tolist()
        kept, gone, due = self._kept, self._gone, self._kept + self._gone
        stay, both = beta + self._renewals, alpha + beta + self._renewals
        leave_share, stay_share, own_share = alpha / both, beta / both, beta / stay
        value = gone @ np.log(leave_share) - kept @ np.log1p(alpha / stay)
        gradient = np.array([gone.sum() - due @ leave_share, kept @ own_share - due @ stay_share])
        hessian = np.diag(gradient)
        hessian[0, 0] += due @ leave_share**2 - gone.sum()
        hessian[0, 1] = hessian[1, 0] = due @ (leave_share * stay_share)
        hessian[1, 1] += due @ stay_share**2 - kept @ own_share**2
        return float(value), gradient, hessian
