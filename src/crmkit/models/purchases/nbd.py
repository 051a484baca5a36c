r"""NBD: Poisson purchases without dropout.

A customer buys at Poisson rate :math:`\lambda`, and across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)`. Customers without dropout are
rare; the model is the baseline for models with dropout, and the limit of the Pareto/NBD without
dropout.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last one (not
used here), `T` age at the end of observation. Ages are in days.

References
----------
Ehrenberg, A. S. C. (1959). The pattern of consumer purchases. *Applied Statistics* 8(1), 26-41.
https://doi.org/10.2307/2985810.
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. (Uses it as a benchmark.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import discounted
from crmkit.models.numerics.distinct import distinct, distinct_pairs
from crmkit.models.numerics.gamma_ratio import log_poch
from crmkit.models.numerics.log_gamma_sums import LogGammaSums
from crmkit.models.numerics.negative_binomial import pmf
from crmkit.models.protocol import Nesting
from crmkit.models.purchases.require_repeats import require_repeats

_LIMITS = (Limit({"r up", "alpha up"}, "Customers do not differ in purchase rate."),)


@dataclass(frozen=True, slots=True)
class NBD:
    """A fitted NBD model: purchase rate (r, alpha) across customers, without dropout.

    `alpha` is in days, `r` has no unit. Mean purchase rate r / alpha a day.
    """

    name: ClassVar[str] = "nbd"
    title: ClassVar[str] = "NBD"
    use: ClassVar[str] = "Customers never drop out; the baseline that other models must beat."
    units: ClassVar[Mapping[str, int]] = {"alpha": 1}
    # The limit of a dropout rate or probability of 0, the lowest there can be.
    nested_in: ClassVar[Mapping[str, Nesting]] = {
        "bg_nbd": Nesting(2, on_boundary=True),
        "mbg_nbd": Nesting(2, on_boundary=True),
        "bg_cnbd_k": Nesting(3, on_boundary=True),
        "mbg_cnbd_k": Nesting(3, on_boundary=True),
        "pareto_nbd": Nesting(2, on_boundary=True),
        "ggompertz_nbd": Nesting(3, on_boundary=True),
    }
    links: ClassVar[Mapping[str, Link]] = {}

    r: float
    alpha: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < value < math.inf for value in (self.r, self.alpha)):
            msg = f"NBD parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls,
        x: Floats,
        _t_x: Floats,
        T: Floats,
        /,
        *,
        weights: Floats | None = None,
        search: Search = maximize,
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` is the number of customers of each row.

        Raises
        ------
        FitError
            If no customer has a repeat purchase.
        """
        weights = np.ones(len(x)) if weights is None else weights
        require_repeats(x, T, weights, table="customer summary")
        repeats, exposure = float(weights @ x), float(weights @ T)
        return search(
            build=cls,
            names=("r", "alpha"),
            likelihood=NBDLikelihood,
            columns=(x, T),
            weights=weights,
            starts=[(r, r * exposure / repeats) for r in (0.3, 3.0)],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, _t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's purchase times.

        A density of purchase times, as in all purchase models here, not of their number alone.
        """
        counts, of_count = distinct(x)
        bought = log_poch(self.r, counts)[of_count]
        return bought - self.r * np.log1p(T / self.alpha) - x * np.log(self.alpha + T)

    def probability_alive(self, x: Floats, _t_x: Floats, _T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`: 1."""
        return np.ones(len(x))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active `days` days after `T`: 1."""
        return self.probability_alive(x, t_x, T + days)

    def expected_purchases(
        self, x: Floats, _t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Conditional expectation of purchases within the horizon, given each history."""
        return (self.r + x) * (horizon_days / (self.alpha + T))

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within `days` of the first purchase."""
        return self.r * (days / self.alpha)

    def purchase_distribution(
        self, x: Floats, _t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        The rest of a row to 1 is the probability of more. For a new customer, x, t_x and T are 0.
        """
        counts, ages, of_row = distinct_pairs(x, T)
        z = horizon_days / (self.alpha + ages)
        n = np.arange(most + 1.0)
        return pmf(n, (self.r + counts)[:, np.newaxis], z[:, np.newaxis])[of_row]

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
        return discounted(
            lambda days: self.expected_purchases(x, t_x, T, horizon_days=days),
            horizon_days=horizon_days,
            annual_discount_rate=annual_discount_rate,
            resolution_days=math.inf,
        )

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Simulate the repeat purchases of new customers, each observed up to age `T`.

        Returns the customer's position in `T` and the age, above 0 and up to `T`, of each purchase,
        sorted by both.
        """
        x = rng.poisson(rng.gamma(self.r, 1 / self.alpha, len(T)) * T)
        customer = np.repeat(np.arange(len(T)), x)
        age = T[customer] * (1 - rng.random(len(customer)))
        order = np.lexsort((age, customer))
        return customer, age[order]


class NBDLikelihood:
    """Total log-likelihood with its derivatives by the logs of r and alpha."""

    def __init__(self, x: Floats, T: Floats, weights: Floats) -> None:
        counts, of_count = distinct(x)
        n_of_count = np.bincount(of_count, weights).astype(np.float64)
        one_group = np.zeros(len(counts), np.int64)
        self._bought = LogGammaSums(counts, n_of_count, group=one_group)
        self._ages, of_age = distinct(T)
        self._n_of_age = np.bincount(of_age, weights)
        self._x_of_age = np.bincount(of_age, weights * x)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        r, alpha = np.exp(log_parameters).tolist()
        n_of_age = self._n_of_age
        (rising,), (rising_r,), (rising_rr,) = self._bought(np.array([r]))
        log_age, past = np.log1p(self._ages / alpha), self._ages / (alpha + self._ages)
        n_logs, n_past = n_of_age @ log_age, n_of_age @ past
        x_logs = self._x_of_age @ (np.log(alpha) + log_age)
        value = rising - r * n_logs - x_logs
        by_r = r * (rising_r - n_logs)
        by_alpha = r * n_past - self._x_of_age @ (1 - past)
        by_r_twice = by_r + r * r * rising_rr
        by_alpha_twice = -((r * n_of_age + self._x_of_age) @ (past * (1 - past)))
        hessian = np.array([[by_r_twice, r * n_past], [r * n_past, by_alpha_twice]])
        return float(value), np.array([by_r, by_alpha]), hessian
