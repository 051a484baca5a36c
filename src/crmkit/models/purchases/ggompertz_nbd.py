r"""Gamma-Gompertz/NBD: Poisson purchases, a dropout hazard that grows with age.

While active, a customer buys at Poisson rate :math:`\lambda` and drops out, at any time, with the
hazard :math:`\eta b e^{b t}` at age t. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`\eta \sim \mathrm{Gamma}(s, \beta)`,
independently; b is the same for all. Where b and :math:`\beta` are small, it is the Pareto/NBD
with :math:`\beta / b` days as its :math:`\beta`.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last one, `T`
age at the end of observation. Ages are in days.

References
----------
Bemmaor, A. C. & Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible
customer lifetime model. *Management Science* 58(5), 1012-1021.
https://doi.org/10.1287/mnsc.1110.1461. The tests of the R package CLVTools
compute expected purchases of a customer of age T with beta - 1 + exp(b T) for beta; here it is this
divided by exp(b T), which follows from the survival function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link, Scale
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import DAYS_PER_YEAR, effective_horizon
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import Real, log_poch
from crmkit.models.numerics.negative_binomial import pmf_up_to
from crmkit.models.numerics.row_parameters import are_positive, at_rows, distinct_histories
from crmkit.models.protocol import Nesting
from crmkit.models.purchases.likelihoods.ggompertz_lifetime import (
    active_days,
    beta_at_age,
    dropout_days,
    log_survival,
)
from crmkit.models.purchases.likelihoods.ggompertz_nbd_likelihood import (
    GGompertzNBDLikelihood,
    log_terms,
)
from crmkit.models.purchases.pareto_nbd import ParetoNBD
from crmkit.models.purchases.require_repeats import require_repeats

_NAMES = ("r", "alpha", "b", "s", "beta")

_NO_AGE = "The dropout hazard does not change with age: the Pareto/NBD is enough."
_ALL_ALIKE = "Customers do not differ in dropout hazard."
_NO_DROPOUT = "Hardly any customer drops out: the NBD, without dropout, is enough."
_AT_ONCE_OR_NEVER = "Customers drop out right after the first purchase or hardly ever."
_ALL_DROP_OUT = "Hardly any customer stays active after the first purchase."
_NOT_BEFORE = "Hardly any customer drops out before a certain age."

_LIMITS = (
    Limit({"r up", "alpha up"}, "Customers do not differ in purchase rate."),
    Limit({"b down", "s up"}, f"{_ALL_ALIKE} {_NO_AGE}"),
    Limit({"b down", "beta down"}, _NO_AGE),
    Limit({"b up", "beta up"}, _NOT_BEFORE),
    Limit({"s up", "beta up"}, _ALL_ALIKE),
    Limit({"s down", "beta down"}, _AT_ONCE_OR_NEVER),
    Limit({"b down", "beta up"}, _NO_DROPOUT),
    Limit({"s down", "beta up"}, _NO_DROPOUT),
    Limit({"b up", "s down"}, _ALL_ALIKE),
    Limit({"s up", "beta down"}, _ALL_DROP_OUT),
    Limit({"b down"}, _NO_DROPOUT),
    Limit({"s down"}, _NO_DROPOUT),
    Limit({"beta up"}, _NO_DROPOUT),
    Limit({"s up"}, _ALL_DROP_OUT),
    Limit({"beta down"}, _AT_ONCE_OR_NEVER),
)

_TINIEST = 1e-300


@dataclass(frozen=True, slots=True)
class GGompertzNBD:
    """A fitted Gamma-Gompertz/NBD: purchase rate (r, alpha) and dropout hazard (b, s, beta).

    `alpha` is in days and `b` per day; r, s and beta have no unit. Mean purchase rate r / alpha a
    day; the mean dropout hazard starts at b s / beta a day.
    """

    name: ClassVar[str] = "ggompertz_nbd"
    title: ClassVar[str] = "Gamma-Gompertz/NBD"
    use: ClassVar[str] = "As Pareto/NBD, but each customer's dropout hazard grows with age."
    units: ClassVar[Mapping[str, int]] = {"alpha": 1, "b": -1}
    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {
        "purchases": Scale("alpha", -1),
        "dropout": Scale("beta", -1),
    }

    r: float
    alpha: Real
    b: float
    s: float
    beta: Real

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.r, self.alpha, self.b, self.s, self.beta):
            msg = f"Gamma-Gompertz/NBD parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls,
        x: Floats,
        t_x: Floats,
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
        days_between, mean_age = exposure / repeats, exposure / float(weights.sum())
        simpler = ParetoNBD.fit(x, t_x, T, weights=weights).model
        slow = 0.1 / mean_age
        return search(
            build=cls,
            names=_NAMES,
            likelihood=GGompertzNBDLikelihood,
            columns=(x, t_x, T),
            weights=weights,
            starts=[
                # Close to the fitted Pareto/NBD, so that the fit is at least as likely.
                (simpler.r, simpler.alpha, slow, simpler.s, slow * simpler.beta),
                (0.6, 1.2 * days_between, 2 / mean_age, 0.5, 1.0),
                (0.6, 0.6 * days_between, 4 / mean_age, 1.0, 30.0),
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        counts, of_count = distinct(x)
        left, stay, buys = self._log_weights(x, t_x, T)
        return log_poch(self.r, counts)[of_count] + np.logaddexp(left, stay + buys)

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`."""
        left, stay, buys = self._log_weights(x, t_x, T)
        return np.exp(np.minimum(-np.logaddexp(left - stay, buys), 0.0))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active `days` days after `T`."""
        stay = np.exp(log_survival(days, b=self.b, s=self.s, beta=self.beta_at(T)))
        return self.probability_alive(x, t_x, T) * stay

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Conditional expectation of purchases within the horizon, given each history."""
        (ages,), here, of_age = distinct_histories(self, T)
        later, ahead = here.beta_at(ages), np.full(len(ages), horizon_days)
        active = active_days(later, ahead, b=self.b, s=self.s)[of_age]
        return self.probability_alive(x, t_x, T) * self._rate(x, T) * active

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within `days`.

        `days` count from the first purchase, which is not counted itself.
        """
        (horizons,), here, of_row = distinct_histories(self, days)
        now = here.beta_at(np.zeros(len(horizons)))
        active = active_days(now, horizons, b=self.b, s=self.s)
        return self.r / self.alpha * active[of_row]

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        The rest of a row to 1 is the probability of more. It is the mean of a negative binomial
        over the day of dropout.
        """
        (counts, ages), here, of_row = distinct_histories(self, x, T)
        shape, scale = self.r + counts, here.alpha + ages
        if_alive = np.empty((len(counts), most + 1))
        for rows, days, drops_out in dropout_days(
            here.beta_at(ages),
            horizon_days=horizon_days,
            b=self.b,
            s=self.s,
            resolution_days=scale / (shape + 1),
            per_unit=4 + 2 * math.sqrt(most + 1),
        ):
            z, own = days / scale[rows, np.newaxis], shape[rows, np.newaxis]
            for n, chance in enumerate(pmf_up_to(most, own, z)):
                if_alive[rows, n] = (drops_out * chance).sum(axis=1)
        alive = self.probability_alive(x, t_x, T)
        found = if_alive[of_row] * alive[:, np.newaxis]
        found[:, 0] += 1 - alive
        return found

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
        ahead = effective_horizon(horizon_days, annual_discount_rate=annual_discount_rate)
        (ages,), here, of_age = distinct_histories(self, T)
        active = active_days(
            here.beta_at(ages),
            np.full(len(ages), ahead),
            b=self.b,
            s=self.s,
            daily_rate=math.log1p(annual_discount_rate) / DAYS_PER_YEAR,
        )
        return self.probability_alive(x, t_x, T) * self._rate(x, T) * active[of_age]

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Simulate the repeat purchases of new customers, each observed up to age `T`.

        Returns the customer's position in `T` and the age, above 0 and up to `T`, of each purchase,
        sorted by both.
        """
        rate = rng.gamma(self.r, 1 / self.alpha, len(T))
        eta = np.maximum(rng.gamma(self.s, 1 / self.beta, len(T)), _TINIEST)
        active = np.minimum(np.log1p(rng.standard_exponential(len(T)) / eta) / self.b, T)
        customer = np.repeat(np.arange(len(T)), rng.poisson(rate * active))
        # Given their number, purchase times are uniform.
        age = active[customer] * (1 - rng.random(len(customer)))
        order = np.lexsort((age, customer))
        return customer[order], age[order]

    def _log_weights(self, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats, Floats]:
        """Log weights of dropout by `T`, of survival to `T`, and of a purchase next if so."""
        twice = at_rows(self, np.tile(np.arange(len(x)), 2))
        (counts, ages), here, of_row = distinct_histories(twice, np.append(x, x), np.append(t_x, T))
        stay, drops_out = log_terms(
            counts, ages, r=self.r, alpha=here.alpha, b=self.b, s=self.s, beta=here.beta
        )
        buys = np.log(np.maximum(-np.expm1(drops_out), _TINIEST))
        last, end = of_row[: len(x)], of_row[len(x) :]
        return (stay + drops_out)[last], stay[end], buys[end]

    def beta_at(self, T: Floats, /) -> Floats:
        """Beta of customers active at `T`."""
        return beta_at_age(T, self.b, self.beta)

    def _rate(self, x: Floats, T: Floats) -> Floats:
        """Mean purchase rate of customers active at `T`."""
        return (self.r + x) / (self.alpha + T)
