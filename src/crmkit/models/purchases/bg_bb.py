r"""BG/BB: at most one purchase per opportunity, dropout at any opportunity.

A month with a donation or none, a yearly fair attended or not: at each opportunity a customer
drops out for good with probability :math:`\theta`, and an active customer buys with probability
p. Across customers :math:`p \sim \mathrm{Beta}(\alpha, \beta)` and
:math:`\theta \sim \mathrm{Beta}(\gamma, \delta)`.

Symbols are the paper's: `x` purchases at the `n` opportunities after the first purchase, the last
one at opportunity `t_x`, 0 without purchase. All are whole numbers.

References
----------
Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-base analysis in a discrete-time
noncontractual setting. *Marketing Science* 29(6), 1086-1108.
https://doi.org/10.1287/mksc.1100.0580. Cited below as FHS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.special import gammaln

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.beta_ratio import minus_log_survival
from crmkit.models.numerics.discounted_lifetime import lifetime_over_beta
from crmkit.models.numerics.distinct import distinct, distinct_pairs
from crmkit.models.numerics.gamma_ratio import log_poch
from crmkit.models.protocol import Nesting
from crmkit.models.purchases.likelihoods.bg_bb_likelihood import (
    BGBBLikelihood,
    Histories,
    log_stayed,
)
from crmkit.models.purchases.require_repeats import require_repeats

_NAMES = ("alpha", "beta", "gamma", "delta")

_NO_DROPOUT = "Hardly any customer drops out."
_ALL_DROP_OUT = "Hardly any customer stays active after the first purchase."

_LIMITS = (
    Limit({"alpha up", "beta up"}, "Customers do not differ in purchase probability."),
    Limit({"gamma up", "delta up"}, "Customers do not differ in dropout probability."),
    Limit({"alpha down", "beta down"}, "Customers buy at every opportunity or at none."),
    Limit({"gamma down", "delta down"}, "Customers drop out after the first purchase or never."),
    Limit({"gamma down"}, _NO_DROPOUT),
    Limit({"delta up"}, _NO_DROPOUT),
    Limit({"gamma up"}, _ALL_DROP_OUT),
    Limit({"delta down"}, _ALL_DROP_OUT),
    Limit({"alpha up"}, "Customers buy at every opportunity until they drop out."),
    Limit({"beta down"}, "Customers buy at every opportunity until they drop out."),
)


@dataclass(frozen=True, slots=True)
class BGBB:
    """A fitted BG/BB model: purchase (alpha, beta) and dropout probability (gamma, delta).

    Mean purchase probability per opportunity alpha / (alpha + beta), mean dropout probability
    gamma / (gamma + delta).
    """

    name: ClassVar[str] = "bg_bb"
    title: ClassVar[str] = "BG/BB"
    use: ClassVar[str] = (
        "At most one purchase per opportunity, such as a month or a yearly event; "
        "customers may drop out at any opportunity."
    )
    units: ClassVar[Mapping[str, int]] = {}
    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {}

    alpha: float
    beta: float
    gamma: float
    delta: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < parameter < math.inf for parameter in astuple(self)):
            msg = f"BG/BB parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls, x: Floats, t_x: Floats, n: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` is the number of customers of each row.

        Raises
        ------
        FitError
            If no customer has a repeat purchase.
        InvalidArgumentError
            If a history is impossible: not in whole numbers, or not x <= t_x <= n.
        """
        _require_whole(x, t_x, n)
        weights = np.ones(len(x)) if weights is None else weights
        require_repeats(x, n, weights, table="opportunities")
        taken = float(weights @ x) / float(weights @ n)
        return maximize(
            build=cls,
            names=_NAMES,
            likelihood=BGBBLikelihood,
            columns=(x, t_x, n),
            weights=weights,
            starts=[
                (buying * spread, spread, dropout, 1 - dropout)
                for buying, spread, dropout in (
                    (2 * taken, 1.0, 0.2),
                    (taken, 5.0, 0.02),
                    (4 * taken, 0.5, 0.6),
                )
            ],
            limits=_LIMITS,
        )

    def log_likelihood(self, x: Floats, t_x: Floats, n: Floats, /) -> Floats:
        """Log-likelihood of each customer's history."""
        rows = Histories(x, t_x, n)
        return rows.log_likelihood(astuple(self))[rows.of_row]

    def probability_alive(self, x: Floats, t_x: Floats, n: Floats, /) -> Floats:
        """Probability that each customer is still active after opportunity `n`."""
        stayed = log_stayed(x, n, astuple(self))
        return np.exp(np.minimum(stayed - self.log_likelihood(x, t_x, n), 0.0))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, n: Floats, /, *, opportunities: int
    ) -> Floats:
        """Probability of being active after further `opportunities` (FHS, eq. A10)."""
        staying = -minus_log_survival(self.gamma, self.delta + n, opportunities)
        return self.probability_alive(x, t_x, n) * np.exp(staying)

    def expected_buying_probability(self, x: Floats, t_x: Floats, n: Floats, /) -> Floats:
        """Posterior mean of each customer's purchase probability while active.

        The ratio of the likelihoods with alpha + 1 and alpha.
        """
        with_one_more = replace(self, alpha=self.alpha + 1).log_likelihood(x, t_x, n)
        rise = np.exp(with_one_more - self.log_likelihood(x, t_x, n))
        return self.alpha / (self.alpha + self.beta) * rise

    def expected_purchases(
        self, x: Floats, t_x: Floats, n: Floats, /, *, opportunities: int
    ) -> Floats:
        """Conditional expectation of purchases at further opportunities (FHS, eq. 13)."""
        return self._buying_now(x, t_x, n) * self._still_there(
            n, opportunities=opportunities, discount_rate_per_opportunity=0.0
        )

    def expected_purchases_new(self, opportunities: Floats, /) -> Floats:
        """Purchases expected of a new customer at the first `opportunities`."""
        most = int(opportunities.max(initial=0))
        there = np.exp(-minus_log_survival(self.gamma, self.delta, np.arange(1.0, most + 1)))
        sums = np.append(0.0, there.cumsum())
        return self.alpha / (self.alpha + self.beta) * sums[opportunities.astype(np.int64)]

    def purchase_distribution(
        self, x: Floats, t_x: Floats, n: Floats, /, *, opportunities: int, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases at further opportunities: a row per customer.

        The rest of a row to 1 is the probability of more. For a new customer, x, t_x and n are 0.
        """
        bought, offered, of_row = distinct_pairs(x, n)
        buying = (self.alpha + bought, self.beta + offered - bought)
        staying = (self.gamma, self.delta + offered)
        if_alive = _counts_if_there(buying, staying, opportunities=opportunities, most=most)
        alive = self.probability_alive(x, t_x, n)[:, np.newaxis]
        gone = np.zeros(most + 1)
        gone[0] = 1.0
        return alive * if_alive[of_row] + (1 - alive) * gone

    def discounted_purchases(
        self,
        x: Floats,
        t_x: Floats,
        n: Floats,
        /,
        *,
        opportunities: float,
        discount_rate_per_opportunity: float,
    ) -> Floats:
        """Purchases expected at further opportunities, discounted to now.

        A purchase at the next opportunity counts 1 / (1 + rate). `opportunities` may be infinite.
        """
        return self._buying_now(x, t_x, n) * self._still_there(
            n,
            opportunities=opportunities,
            discount_rate_per_opportunity=discount_rate_per_opportunity,
        )

    def simulate(self, n: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Codes]:
        """Simulate the repeat purchases of new customers, each with `n` opportunities.

        Returns the customer's position in `n` and the opportunity, from 1 to `n`, of each purchase,
        sorted by both.
        """
        p = rng.beta(self.alpha, self.beta, len(n))
        theta = np.maximum(rng.beta(self.gamma, self.delta, len(n)), 1e-300)
        with np.errstate(divide="ignore"):  # theta of 1
            lasts = rng.exponential(size=len(n)) / -np.log1p(-theta)
        offered = np.minimum(lasts, n).astype(np.int64)
        customer = np.repeat(np.arange(len(n)), offered)
        opportunity = np.arange(len(customer)) - np.repeat(offered.cumsum() - offered, offered) + 1
        bought = rng.random(len(customer)) < p[customer]
        return customer[bought], opportunity[bought]

    def _buying_now(self, x: Floats, t_x: Floats, n: Floats) -> Floats:
        """Probability of being active times purchase probability if active."""
        buying = (self.alpha + x) / (self.alpha + self.beta + n)
        return self.probability_alive(x, t_x, n) * buying

    def _still_there(
        self, n: Floats, *, opportunities: float, discount_rate_per_opportunity: float
    ) -> Floats:
        """Discounted expected opportunities while active, for customers active after `n`."""
        counts, of_row = distinct(n)
        if math.isinf(opportunities):
            lifetime = lifetime_over_beta(
                self.gamma,
                self.delta + counts,
                discount_rate_per_period=discount_rate_per_opportunity,
            )
            return lifetime[of_row] / (1 + discount_rate_per_opportunity)
        ahead = np.arange(1.0, opportunities + 1)
        discount = ahead * math.log1p(discount_rate_per_opportunity)
        loss = minus_log_survival(self.gamma, self.delta + counts[:, np.newaxis], ahead)
        return np.exp(-loss - discount).sum(axis=1)[of_row]


def _counts_if_there(
    buying: tuple[Floats, Floats],
    staying: tuple[float, Floats],
    *,
    opportunities: int,
    most: int,
) -> Floats:
    """Probability of each count if active, summed over the opportunities until dropout."""
    alpha, beta = (each[:, np.newaxis] for each in buying)
    gamma, delta = staying
    k = np.arange(most + 1.0)
    bought = log_poch(alpha, k) - gammaln(k + 1)
    p = np.zeros((len(alpha), most + 1))
    for seen in range(opportunities + 1):
        missed = np.maximum(seen - k, 0)
        ways = bought + gammaln(seen + 1) - gammaln(missed + 1)
        log_p = ways + log_poch(beta, missed) - log_poch(alpha + beta, float(seen))
        last = -minus_log_survival(gamma, delta, float(seen))
        if seen < opportunities:
            last = last + np.log(gamma / (gamma + delta + seen))
        p += np.where(k <= seen, np.exp(log_p + last[:, np.newaxis]), 0.0)
    return p


def _require_whole(x: Floats, t_x: Floats, n: Floats) -> None:
    whole = (x >= 0) & (x <= t_x) & (t_x <= n) & ((x > 0) | (t_x == 0))
    for column in (x, t_x, n):
        whole &= column == np.floor(column)
    if whole.all():
        return
    msg = (
        f"opportunities: impossible history in {(~whole).sum():,} of {len(whole):,} customers "
        f"(row {', '.join(map(str, np.flatnonzero(~whole)[:3]))}).\n"
        "Give whole numbers with 0 <= x <= t_x <= n, and t_x of 0 where x is 0."
    )
    raise InvalidArgumentError(msg)
