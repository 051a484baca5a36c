"""What a model must offer, so that tables can use it without knowing which one it is.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last of
them, `T` age at the end of observation, `z` mean spend of a purchase day after the first.
Ages are in days. All columns of one call have one length, a row for each customer.
"""

from __future__ import annotations

from typing import Protocol, Self

from crmkit.models.arrays import Floats
from crmkit.models.search import MaximumLikelihood


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

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon."""
        ...

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days of the first one."""
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
        """Purchases expected within the horizon, each discounted to `T`."""
        ...


class SpendModel(Protocol):
    """How much customers spend on a purchase day."""

    @classmethod
    def fit(
        cls, x: Floats, z: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood on rows with a repeat purchase and positive spend."""
        ...

    @property
    def population_mean(self) -> float | None:
        """Mean spend over all customers; None where the fitted model has none."""
        ...

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend."""
        ...

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Give expected spend as a line in one's own mean: start and rise; NaN is unknown."""
        ...

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Mean spend expected of each customer's future purchase days; NaN is unknown."""
        ...
