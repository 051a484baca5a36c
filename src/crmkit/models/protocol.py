"""Interface of the models: facts and methods that every model of a kind has.

Symbols are the literature's: `x` purchase days after the first (frequency), `t_x` age at the last
of them (recency), `T` age at the end of observation, `z` mean spend of a purchase day after the
first. Ages are in days. All columns of one call have one length, a row for each customer. With
covariates, the parameters that they move are arrays of that length too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from crmkit.models.inference.covariates import Link
from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import Real


@dataclass(frozen=True, slots=True)
class Nesting:
    """How a model is a special case of a wider one, for a likelihood-ratio test.

    Attributes
    ----------
    parameters
        Parameters of the wider model that are fixed here: degrees of freedom of the test.
    on_boundary
        Whether the fixed values lie at the edge of the wider model's domain. The chi-square
        p-value is then conservative: with one parameter, half the probability is on a ratio of
        0 (Self & Liang 1987). The k of a CNBD lies there too: it is a whole number, searched for
        from 1 upwards.
    """

    parameters: int
    on_boundary: bool


class Model(Protocol):
    """Facts about a model, on its class. Its parameters are its dataclass fields."""

    name: ClassVar[str]
    """Key in the registry, such as "bg_nbd"."""

    title: ClassVar[str]
    """Name in the literature, such as "BG/NBD"."""

    use: ClassVar[str]
    """When to use it: what it assumes, against its neighbours, in one sentence."""

    units: ClassVar[Mapping[str, int]]
    """Power of a day, or of money in a spend model, of each parameter that has a unit."""

    nested_in: ClassVar[Mapping[str, Nesting]]
    """Wider models by name, of whose likelihood this one's is a special case."""

    links: ClassVar[Mapping[str, Link]]
    """Parameters that covariates move, by process; empty where it takes no covariates."""


class PurchaseModel(Model, Protocol):
    """Model of purchases and dropout in a noncontractual setting."""

    @classmethod
    def fit(
        cls, x: Floats, t_x: Floats, T: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` is the number of customers of each row."""
        ...

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        ...

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`."""
        ...

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active `days` days after `T`."""
        ...

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Conditional expectation of purchases within the horizon, given each history."""
        ...

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within `days` of the first purchase."""
        ...

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        The rest of a row to 1 is the probability of more. For a new customer, x, t_x and T are 0.
        """
        ...

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
        """Purchases expected within the horizon, discounted to `T`.

        With an infinite horizon and a rate above 0: discounted expected residual transactions
        (DERT).
        """
        ...

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Simulate the repeat purchases of new customers, each observed up to age `T`.

        Returns the customer's position in `T` and the age, above 0 and up to `T`, of each purchase,
        sorted by both.
        """
        ...


class SpendModel(Model, Protocol):
    """Model of the amount spent per purchase day."""

    line_of_logs: ClassVar[bool]
    """Whether `spend_line` is linear in logs."""

    @classmethod
    def fit(
        cls, x: Floats, z: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood on rows with a repeat purchase and positive spend."""
        ...

    @property
    def population_mean(self) -> Real | None:
        """Mean spend over all customers; None where it is infinite."""
        ...

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend."""
        ...

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Intercept and slope of expected spend in the customer's mean `z`; NaN is unknown.

        Where `line_of_logs`, expected spend is ``exp(intercept + slope * log(z))``, and 0 at a `z`
        of 0 or below; otherwise the line goes on there.
        """
        ...

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Conditional expectation of spend per future purchase day; NaN is unknown."""
        ...

    def amount_distribution(self, x: Floats, z: Floats, /, days: Floats, amount: Floats) -> Floats:
        """Predictive distribution function of the total of `days` future purchase days.

        The arrays broadcast; `amount` is above 0. In units of expected spend the distribution
        must not depend on `z`.
        """
        ...

    def mean_distribution(self, x: Floats, z: Floats, /, amount: Floats) -> Floats:
        """Posterior distribution function of a customer's mean spend, at `amount`.

        The arrays are as in `amount_distribution`.
        """
        ...

    def second_moments(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Second moments of the customer's mean and of a purchase day's amount.

        Both in units of expected spend squared; infinite where they do not exist.
        """
        ...


class ContractModel(Model, Protocol):
    """Model of retention in a contractual setting, period by period.

    A customer is `periods` and `lost`: lost (1) at the end of that period, or retained (0) after
    that number of periods. Periods count from 1.
    """

    @classmethod
    def fit(
        cls, periods: Floats, lost: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` is the number of customers of each row."""
        ...

    def log_likelihood(self, periods: Floats, lost: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        ...

    def survival(self, periods: Floats, /) -> Floats:
        """Survival function: share of customers retained after `periods` periods."""
        ...

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who renew."""
        ...

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of customers up for renewal at the end of a period who churn."""
        ...

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods expected from the next renewal on, after `renewals` renewals (DERL).

        Each period is discounted to that renewal; the period that it pays for counts in full.
        """
        ...
