r"""Shifted beta-geometric: contracts that customers renew or end, period by period.

At the end of each period a customer churns with probability :math:`\theta`, the same in all
periods; across customers :math:`\theta \sim \mathrm{Beta}(\alpha, \beta)`. Customers with a high
:math:`\theta` churn first, so the retention rate of a cohort rises with tenure although no
customer becomes more loyal.

A customer is a row (`periods`, `lost`): lost at the end of that period, or retained after that
number of periods (right-censored). The first renewal comes at the end of period 1.

References
----------
Fader, P. S. & Hardie, B. G. S. (2007). How to project customer retention. *Journal of
Interactive Marketing* 21(1), 76-90. https://doi.org/10.1002/dir.20074.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.contracts.contract_table import Contracts, renewals_by_period
from crmkit.models.inference.covariates import Link
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.beta_ratio import minus_log_survival
from crmkit.models.numerics.discounted_lifetime import lifetime_over_beta
from crmkit.models.protocol import Nesting

_NAMES = ("alpha", "beta")

_LIMITS = (
    Limit({"alpha up", "beta up"}, "Customers do not differ in churn probability."),
    Limit({"alpha down", "beta down"}, "Customers churn at the first renewal or never."),
    Limit({"alpha down"}, "Hardly any customer churns."),
    Limit({"beta up"}, "Hardly any customer churns."),
    Limit({"alpha up"}, "Hardly any customer renews."),
    Limit({"beta down"}, "Hardly any customer renews."),
)


@dataclass(frozen=True, slots=True)
class SBG:
    """A fitted shifted beta-geometric model: churn probability across customers.

    Mean churn probability at the first renewal: alpha / (alpha + beta).
    """

    name: ClassVar[str] = "sbg"
    title: ClassVar[str] = "sBG"
    use: ClassVar[str] = "Each customer keeps one churn probability for all periods."
    units: ClassVar[Mapping[str, int]] = {}
    nested_in: ClassVar[Mapping[str, Nesting]] = {"bdw": Nesting(1, on_boundary=False)}
    links: ClassVar[Mapping[str, Link]] = {}

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
            likelihood=SBGLikelihood,
            columns=(contracts.periods, contracts.lost),
            weights=contracts.n_customers,
            starts=[(churn * spread, (1 - churn) * spread) for spread in (0.5, 2.0, 20.0)],
            limits=_LIMITS,
        )

    def log_likelihood(self, periods: Floats, lost: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        left = lost > 0
        dropout = np.log(self.alpha / (self.alpha + self.beta + periods - 1))
        return self.log_survival(periods - left) + np.where(left, dropout, 0.0)

    def log_survival(self, periods: Floats, /) -> Floats:
        """Log of `survival`, exact also where `survival` underflows to 0."""
        return -minus_log_survival(self.alpha, self.beta, periods)

    def survival(self, periods: Floats, /) -> Floats:
        """Survival function: share of customers retained after `periods` periods."""
        return np.exp(self.log_survival(periods))

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who renew."""
        before = self.beta + periods - 1
        return before / (self.alpha + before)

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who churn (the hazard)."""
        return self.alpha / (self.alpha + self.beta + periods - 1)

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods expected from the next renewal on, discounted to it (DERL).

        For customers with `renewals` renewals so far; see
        `crmkit.models.numerics.discounted_lifetime`.
        """
        return lifetime_over_beta(
            self.alpha, self.beta + renewals, discount_rate_per_period=discount_rate_per_period
        )


class SBGLikelihood:
    """Total log-likelihood with its derivatives by the logs of alpha and beta.

    A product over renewals: of the customers up for renewal in period t, the share
    alpha / (alpha + beta + t - 1) churns.
    """

    def __init__(self, periods: Floats, lost: Floats, weights: Floats) -> None:
        period, self._kept, self._gone = renewals_by_period(periods, lost, weights)
        self._renewals = period - 1

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        alpha, beta = np.exp(log_parameters).tolist()
        kept, gone, due = self._kept, self._gone, self._kept + self._gone
        stay, both = beta + self._renewals, alpha + beta + self._renewals
        churn_share, stay_share, own_share = alpha / both, beta / both, beta / stay
        value = gone @ np.log(churn_share) - kept @ np.log1p(alpha / stay)
        gradient = np.array([gone.sum() - due @ churn_share, kept @ own_share - due @ stay_share])
        hessian = np.diag(gradient)
        hessian[0, 0] += due @ churn_share**2 - gone.sum()
        hessian[0, 1] = hessian[1, 0] = due @ (churn_share * stay_share)
        hessian[1, 1] += due @ stay_share**2 - kept @ own_share**2
        return float(value), gradient, hessian
