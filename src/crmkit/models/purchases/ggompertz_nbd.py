r"""Gamma-Gompertz/NBD: customers who buy at random and whose odds of leaving grow with age.

While active, a customer buys at Poisson rate :math:`\lambda` and leaves, at any moment, with the
hazard :math:`\eta b e^{b t}` at age t. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`\eta \sim \mathrm{Gamma}(s, \beta)`,
independently; b is the same for all. Where b and :math:`\beta` are small, it is the Pareto/NBD
with :math:`\beta / b` days in the place of its :math:`\beta`.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last one, `T`
age at the end of observation. Ages are in days.

References
----------
Bemmaor, A. C. & Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible
customer lifetime model. *Management Science* 58(5), 1012-1021.
https://doi.org/10.1287/mnsc.1110.1461. The tests of the R package CLVTools
expect purchases of a customer of age T with beta - 1 + exp(b T) in the place of beta; here it is
this divided by exp(b T), which follows from the survival function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import DAYS_PER_YEAR, days_that_count
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import Real, log_rising
from crmkit.models.numerics.negative_binomial import one_by_one
from crmkit.models.numerics.row_parameters import are_positive, at_rows, cells
from crmkit.models.purchases.ggompertz_lifetime import (
    active_days,
    beta_at_age,
    leaving_days,
    log_stay,
)
from crmkit.models.purchases.ggompertz_nbd_likelihood import GGompertzNBDLikelihood, log_terms
from crmkit.models.purchases.pareto_nbd import ParetoNBD
from crmkit.models.purchases.require_repeats import require_repeats

_NAMES = ("r", "alpha", "b", "s", "beta")

_NO_AGE = "Leaving does not get likelier or rarer with age: the Pareto/NBD would do."
_ALL_ALIKE = "Customers do not differ in how readily they leave."
_NOBODY_LEAVES = "Hardly anybody seems to leave: the NBD, without leaving, would do."
_AT_ONCE_OR_NEVER = "Customers leave right after a first purchase or hardly ever."
_NOBODY_STAYS = "Hardly anybody seems to stay after a first purchase."
_NOT_BEFORE = "Hardly anybody seems to leave before a certain age."

_LIMITS = (
    Limit({"r up", "alpha up"}, "Customers do not differ in how often they buy."),
    Limit({"b down", "s up"}, f"{_ALL_ALIKE} {_NO_AGE}"),
    Limit({"b down", "beta down"}, _NO_AGE),
    Limit({"b up", "beta up"}, _NOT_BEFORE),
    Limit({"s up", "beta up"}, _ALL_ALIKE),
    Limit({"s down", "beta down"}, _AT_ONCE_OR_NEVER),
    Limit({"b down", "beta up"}, _NOBODY_LEAVES),
    Limit({"s down", "beta up"}, _NOBODY_LEAVES),
    Limit({"b up", "s down"}, _ALL_ALIKE),
    Limit({"s up", "beta down"}, _NOBODY_STAYS),
    Limit({"b down"}, _NOBODY_LEAVES),
    Limit({"s down"}, _NOBODY_LEAVES),
    Limit({"beta up"}, _NOBODY_LEAVES),
    Limit({"s up"}, _NOBODY_STAYS),
    Limit({"beta down"}, _AT_ONCE_OR_NEVER),
)

_TINIEST = 1e-300


@dataclass(frozen=True, slots=True)
class GGompertzNBD:
    """A fitted Gamma-Gompertz/NBD: how buying (r, alpha) and leaving (b, s, beta) vary.

    `alpha` is in days and `b` per day; r, s and beta are pure numbers. Mean buying rate r / alpha
    a day; the mean hazard of leaving starts at b s / beta a day.
    """

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
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for.

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
                # The Pareto/NBD that fits best, nearly: at least as likely as it in the end.
                (simpler.r, simpler.alpha, slow, simpler.s, slow * simpler.beta),
                (0.6, 1.2 * days_between, 2 / mean_age, 0.5, 1.0),
                (0.6, 0.6 * days_between, 4 / mean_age, 1.0, 30.0),
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        counts, of_count = distinct(x)
        left, stay, buys = self._explanations(x, t_x, T)
        return log_rising(self.r, counts)[of_count] + np.logaddexp(left, stay + buys)

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`."""
        left, stay, buys = self._explanations(x, t_x, T)
        return np.exp(np.minimum(-np.logaddexp(left - stay, buys), 0.0))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active so many days after `T`."""
        stay = np.exp(log_stay(days, b=self.b, s=self.s, beta=self.beta_at(T)))
        return self.probability_alive(x, t_x, T) * stay

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon."""
        (ages,), here, of_age = cells(self, T)
        later, ahead = here.beta_at(ages), np.full(len(ages), horizon_days)
        active = active_days(later, ahead, b=self.b, s=self.s)[of_age]
        return self.probability_alive(x, t_x, T) * self._rate(x, T) * active

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days.

        The days count from the first purchase, which is not itself counted.
        """
        (horizons,), here, of_row = cells(self, days)
        now = here.beta_at(np.zeros(len(horizons)))
        active = active_days(now, horizons, b=self.b, s=self.s)
        return self.r / self.alpha * active[of_row]

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        What a row lacks to 1 is the probability of more. It is the mean of a negative binomial
        over the day of leaving.
        """
        (counts, ages), here, of_row = cells(self, x, T)
        shape, scale = self.r + counts, here.alpha + ages
        if_alive = np.empty((len(counts), most + 1))
        for rows, days, leaves in leaving_days(
            here.beta_at(ages),
            horizon_days=horizon_days,
            b=self.b,
            s=self.s,
            bend_days=scale / (shape + 1),
            per_unit=4 + 2 * math.sqrt(most + 1),
        ):
            z, own = days / scale[rows, np.newaxis], shape[rows, np.newaxis]
            for n, chance in enumerate(one_by_one(most, own, z)):
                if_alive[rows, n] = (leaves * chance).sum(axis=1)
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
        """Purchases expected within the horizon, each discounted to `T`.

        The horizon may be infinite if the rate is above 0; the papers' name is then discounted
        expected residual transactions.
        """
        ahead = days_that_count(horizon_days, annual_discount_rate=annual_discount_rate)
        (ages,), here, of_age = cells(self, T)
        active = active_days(
            here.beta_at(ages),
            np.full(len(ages), ahead),
            b=self.b,
            s=self.s,
            daily_rate=math.log1p(annual_discount_rate) / DAYS_PER_YEAR,
        )
        return self.probability_alive(x, t_x, T) * self._rate(x, T) * active[of_age]

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Invent the repeat purchases of new customers, each observed for an age of `T`.

        Gives the customer's position in `T` and the age at the purchase, above 0 and up to `T`,
        sorted by both.
        """
        rate = rng.gamma(self.r, 1 / self.alpha, len(T))
        eta = np.maximum(rng.gamma(self.s, 1 / self.beta, len(T)), _TINIEST)
        active = np.minimum(np.log1p(rng.standard_exponential(len(T)) / eta) / self.b, T)
        customer = np.repeat(np.arange(len(T)), rng.poisson(rate * active))
        # Given how many there are, purchase times are uniform.
        age = active[customer] * (1 - rng.random(len(customer)))
        order = np.lexsort((age, customer))
        return customer[order], age[order]

    def _explanations(self, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats, Floats]:
        """Log weights of having left by `T`, of staying until then, and of buying next if so."""
        twice = at_rows(self, np.tile(np.arange(len(x)), 2))
        (counts, ages), here, of_row = cells(twice, np.append(x, x), np.append(t_x, T))
        stay, leaves = log_terms(
            counts, ages, r=self.r, alpha=here.alpha, b=self.b, s=self.s, beta=here.beta
        )
        buys = np.log(np.maximum(-np.expm1(leaves), _TINIEST))
        last, end = of_row[: len(x)], of_row[len(x) :]
        return (stay + leaves)[last], stay[end], buys[end]

    def beta_at(self, T: Floats, /) -> Floats:
        """Beta of those who are active at `T`."""
        return beta_at_age(T, self.b, self.beta)

    def _rate(self, x: Floats, T: Floats) -> Floats:
        """Mean buying rate of those who are active at `T`."""
        return (self.r + x) / (self.alpha + T)
