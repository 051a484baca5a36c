"""What a model must offer, so that tables can use it without knowing which one it is.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last of
them, `T` age at the end of observation, `z` mean spend of a purchase day after the first.
Ages are in days. All columns of one call have one length, a row for each customer. Where covariates
move parameters, a model holds them as arrays of that length too.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

import numpy as np

from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import Real


class PurchaseModel(Protocol):
    """How often customers buy and when they stop."""

    @classmethod
    def fit(
        cls, x: Floats, t_x: Floats, T: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for."""
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
        """Probability that each customer is still active so many days after `T`."""
        ...

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon."""
        ...

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days of the first one."""
        ...

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        What a row lacks to 1 is the probability of more. A new customer is one seen for no
        time: x, t_x and T of 0.
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
        """Purchases expected within the horizon, each discounted to `T`.

        The horizon may be infinite if the rate is above 0.
        """
        ...

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Invent the repeat purchases of new customers, each observed for an age of `T`.

        Gives the customer's position in `T` and the age at the purchase, above 0 and up to `T`,
        sorted by both.
        """
        ...


class SpendModel(Protocol):
    """How much customers spend on a purchase day."""

    line_of_logs: ClassVar[bool]
    """Whether `spend_line` gives the log of expected spend, from the log of one's own mean."""

    @classmethod
    def fit(
        cls, x: Floats, z: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood on rows with a repeat purchase and positive spend."""
        ...

    @property
    def population_mean(self) -> Real | None:
        """Mean spend over all customers; None where the fitted model has none."""
        ...

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend."""
        ...

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Give expected spend as a line in one's own mean: start and rise; NaN is unknown.

        Where `line_of_logs`, expected spend is ``exp(start + rise * log(z))``.
        """
        ...

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Mean spend expected of each customer's future purchase days; NaN is unknown."""
        ...

    def amount_distribution(self, x: Floats, z: Floats, /, days: Floats, amount: Floats) -> Floats:
        """Probability that so many further purchase days bring no more than `amount` in all.

        The arrays may be of any shapes that go together; `amount` is above 0. In units of
        expected spend it must not depend on `z`.
        """
        ...

    def mean_distribution(self, x: Floats, z: Floats, /, amount: Floats) -> Floats:
        """Probability that a customer's own mean spend is no more than `amount`.

        As for `amount_distribution`.
        """
        ...

    def second_moments(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Mean square of the customer's own mean, and of the amount of a purchase day.

        Both in units of the square of expected spend; infinite where there is none.
        """
        ...


class ContractModel(Protocol):
    """How long customers keep a contract that they renew or end, period by period.

    A customer is `periods` and `lost`: lost (1) at the end of that period, or still there (0)
    after so many. Periods count from 1.
    """

    @classmethod
    def fit(
        cls, periods: Floats, lost: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for."""
        ...

    def log_likelihood(self, periods: Floats, lost: Floats, /) -> Floats:
        """Log probability of each customer's history."""
        ...

    def survival(self, periods: Floats, /) -> Floats:
        """Share of customers still there after so many periods."""
        ...

    def retention_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who renew."""
        ...

    def churn_rate(self, periods: Floats, /) -> Floats:
        """Share of those who came to the end of the period who leave."""
        ...

    def discounted_lifetime(
        self, renewals: Floats, /, *, discount_rate_per_period: float
    ) -> Floats:
        """Periods still to come at the next renewal, for customers who made so many before.

        Each is discounted to that renewal; the period that it pays for counts in full.
        """
        ...
