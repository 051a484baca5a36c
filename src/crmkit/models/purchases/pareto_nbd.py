r"""Pareto/NBD: customers who buy at random and leave at any time without notice.

While active, a customer buys at Poisson rate :math:`\lambda` and leaves at rate :math:`\mu`, at
any moment. Across customers :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and
:math:`\mu \sim \mathrm{Gamma}(s, \beta)`, independently.

Symbols are the literature's: `x` purchase days after the first, `t_x` age at the last one, `T`
age at the end of observation. Ages are in days.

References
----------
Schmittlein, D. C., Morrison, D. G. & Colombo, R. (1987). Counting your customers: who are they
and what will they do next? *Management Science* 33(1), 1-24.
https://doi.org/10.1287/mnsc.33.1.1.
Fader, P. S. & Hardie, B. G. S. (2005). A note on deriving the Pareto/NBD model and related
expressions. http://brucehardie.com/notes/009/. Cited below as FH.
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for
customer base analysis. *Journal of Marketing Research* 42(4), 415-430.
https://doi.org/10.1509/jmkr.2005.42.4.415. (Discounted purchases for ever.)
Fader, P. S. & Hardie, B. G. S. Deriving the conditional PMF of the Pareto/NBD model.
http://brucehardie.com/notes/028/. (The distribution of purchases to come.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import exprel

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import discounted
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import Real, log_rising
from crmkit.models.numerics.legendre import legendre_rule
from crmkit.models.numerics.negative_binomial import one_by_one
from crmkit.models.numerics.row_parameters import are_positive, at_rows, cells
from crmkit.models.purchases.pareto_dropout_integral import log_leaving_first
from crmkit.models.purchases.pareto_nbd_likelihood import ParetoNBDLikelihood
from crmkit.models.purchases.require_repeats import require_repeats

_NAMES = ("r", "alpha", "s", "beta")

_NOBODY_LEAVES = "Hardly anybody seems to leave: the NBD, without leaving, would do."
_AT_ONCE_OR_NEVER = "Customers leave right after a first purchase or hardly ever."
_NOBODY_STAYS = "Hardly anybody seems to stay after a first purchase."

_LIMITS = (
    Limit({"r up", "alpha up"}, "Customers do not differ in how often they buy."),
    Limit({"s up", "beta up"}, "Customers do not differ in how readily they leave."),
    Limit({"s down", "beta down"}, _AT_ONCE_OR_NEVER),
    Limit({"s down", "beta up"}, _NOBODY_LEAVES),
    Limit({"s up", "beta down"}, _NOBODY_STAYS),
    Limit({"s down"}, _NOBODY_LEAVES),
    Limit({"beta up"}, _NOBODY_LEAVES),
    Limit({"s up"}, _NOBODY_STAYS),
    Limit({"beta down"}, _AT_ONCE_OR_NEVER),
)

_TINIEST = 1e-300
_NODES_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class ParetoNBD:
    """A fitted Pareto/NBD model: how buying (r, alpha) and leaving (s, beta) vary.

    `alpha` and `beta` are in days; r and s are pure numbers. Mean buying rate r / alpha a day,
    mean rate of leaving s / beta a day.
    """

    r: float
    alpha: Real
    s: float
    beta: Real

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.r, self.alpha, self.s, self.beta):
            msg = f"Pareto/NBD parameters must be positive and finite, got {self}."
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
        return search(
            build=cls,
            names=_NAMES,
            likelihood=ParetoNBDLikelihood,
            columns=(x, t_x, T),
            weights=weights,
            starts=[
                (r, r * days_between / speed, s, mean_age * stay)
                for r, speed, s, stay in (
                    (0.6, 2.0, 0.5, 0.3),
                    (0.3, 4.0, 0.3, 0.02),
                )
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history (FH, section 3)."""
        counts, of_count = distinct(x)
        leaves, buys = self._what_comes_first(x, t_x, T)
        left, stayed = self._log_stay(x, t_x) + leaves, self._log_stay(x, T) + buys
        return log_rising(self.r, counts)[of_count] + np.logaddexp(left, stayed)

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T` (FH, section 5)."""
        return np.exp(self._log_probability_alive(x, t_x, T))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active so many days after `T`."""
        stay = np.exp(-self.s * np.log1p(days / (self.beta + T)))
        return self.probability_alive(x, t_x, T) * stay

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon (FH, section 6)."""
        rate = (self.r + x) / (self.alpha + T)
        active_days = _active_days(self.beta + T, horizon_days, s=self.s)
        return self.probability_alive(x, t_x, T) * rate * active_days

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days (FH, section 4).

        The days count from the first purchase, which is not itself counted.
        """
        return self.r / self.alpha * _active_days(self.beta + np.zeros(len(days)), days, s=self.s)

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        What a row lacks to 1 is the probability of more. It is the mean of a negative binomial
        over the day of leaving; the closed form in print subtracts series of 2F1 instead.
        """
        (counts, ages), here, of_row = cells(self, x, T)
        shape, scale, calm = self.r + counts, here.alpha + ages, here.beta + ages
        # From here on buying or leaving begins to tell.
        bend = np.minimum(scale / (shape + 1), calm / (self.s + 1))
        n_nodes = _n_nodes(float(np.log1p(horizon_days / bend).max(initial=0.0)), most)
        if_alive = np.empty((len(counts), most + 1))
        n_rows = max(_NODES_AT_ONCE // n_nodes, 1)
        for start in range(0, len(counts), n_rows):
            rows = slice(start, start + n_rows)
            days, leaves = _leaving_days(
                calm[rows], bend[rows], horizon_days=horizon_days, s=self.s, n_nodes=n_nodes
            )
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
        (ages,), here, of_age = cells(self, T)
        calm = here.beta + ages
        active_days = discounted(
            lambda days: _active_days(calm, days, s=self.s),
            horizon_days=horizon_days,
            annual_discount_rate=annual_discount_rate,
            bend_days=float(calm.min(initial=calm.max(initial=1.0))) / (self.s + 1),
        )
        rate = (self.r + x) / (self.alpha + T)
        return self.probability_alive(x, t_x, T) * rate * active_days[of_age]

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Invent the repeat purchases of new customers, each observed for an age of `T`.

        Gives the customer's position in `T` and the age at the purchase, above 0 and up to `T`,
        sorted by both.
        """
        rate = rng.gamma(self.r, 1 / self.alpha, len(T))
        leaving = np.maximum(rng.gamma(self.s, 1 / self.beta, len(T)), _TINIEST)
        active = np.minimum(rng.standard_exponential(len(T)) / leaving, T)
        customer = np.repeat(np.arange(len(T)), rng.poisson(rate * active))
        # Given how many there are, purchase times are uniform.
        age = active[customer] * (1 - rng.random(len(customer)))
        order = np.lexsort((age, customer))
        return customer[order], age[order]

    def _log_probability_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Log of the weight of staying until `T`, as a share of all that explains the silence."""
        leaves, buys = self._what_comes_first(x, t_x, T)
        silence = T - t_x
        calmed = self.s * np.log1p(silence / (self.beta + t_x))
        lost = (self.r + x) * np.log1p(silence / (self.alpha + t_x)) + calmed
        return np.minimum(-np.logaddexp(lost + leaves, buys), 0.0)

    def _what_comes_first(self, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
        """Log probability to leave before buying, seen from `t_x`; to buy first, from `T`."""
        twice = at_rows(self, np.tile(np.arange(len(x)), 2))
        (counts, ages), here, of_row = cells(twice, np.append(x, x), np.append(t_x, T))
        log_ratio = np.log((here.alpha + ages) / (here.beta + ages))
        leaves = log_leaving_first(counts, log_ratio, r=self.r, s=self.s)
        buys = np.log(np.maximum(-np.expm1(leaves), _TINIEST))
        return leaves[of_row[: len(x)]], buys[of_row[len(x) :]]

    def _log_stay(self, x: Floats, age: Floats) -> Floats:
        """Log weight of staying until an age, having bought x times, up to a gamma function."""
        bought = self.r * np.log1p(age / self.alpha) + x * np.log(self.alpha + age)
        return -bought - self.s * np.log1p(age / self.beta)


def _active_days(calm: Floats, horizon_days: float | Floats, *, s: float) -> Floats:
    """Days that one is expected to stay active within the horizon; `calm` is beta + T."""
    stretch = np.log1p(horizon_days / calm)
    return calm * stretch * exprel((1 - s) * stretch)


def _leaving_days(
    calm: Floats, bend: Floats, *, horizon_days: float, s: float, n_nodes: int
) -> tuple[Floats, Floats]:
    """Days of leaving of active customers and their probabilities, a row for each.

    The last day is the horizon, with the probability of staying until then. What is sought bends
    over `bend` days.
    """
    calm, bend = calm[:, np.newaxis], bend[:, np.newaxis]
    reach = np.log1p(horizon_days / bend)
    node, weight = legendre_rule(n_nodes)
    days = bend * np.expm1(reach * (node + 1) / 2)
    leaves = weight * (bend + days) / (calm + days) * np.exp(-s * np.log1p(days / calm))
    log_stay = -s * np.log1p(horizon_days / calm)
    # Scaled to what is known of them, the probabilities sum to 1 to the last digit.
    leaves *= -np.expm1(log_stay) / np.maximum(leaves.sum(axis=1, keepdims=True), _TINIEST)
    days = np.append(days, np.full_like(calm, horizon_days), axis=1)
    return days, np.append(leaves, np.exp(log_stay), axis=1)


def _n_nodes(reach: float, most: int) -> int:
    """Nodes that see the peak of the count `most`, which is the narrowest."""
    return 12 + math.ceil(reach * (4 + 2 * math.sqrt(most + 1)))
