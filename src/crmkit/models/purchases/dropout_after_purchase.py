r"""Models with dropout right after a purchase: BG/NBD, MBG/NBD and their CNBD-k versions.

They differ in two things. Dropout is possible after the first purchase too (the modified models,
MBG) or only after repeat purchases (BG). And each arrival of a Poisson process is a purchase (NBD),
or only every k-th, so that purchases are the more regular the larger k is (CNBD-k). Here both are
parameters. Across customers, the arrival rate :math:`\lambda` is
:math:`\mathrm{Gamma}(r, \alpha)` and the dropout probability :math:`p` per opportunity
:math:`\mathrm{Beta}(a, b)`.

Posterior of a customer alive at `T`: :math:`p \sim \mathrm{Beta}(a, b + n)` after n dropout
opportunities and, given j arrivals since the last purchase,
:math:`\lambda \sim \mathrm{Gamma}(r + kx + j, \alpha + T)`, independent of p. For k = 1 only
j = 0 is possible; otherwise the days since the last purchase weight j = 0, ..., k - 1.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. Cited below as FHL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit, log_expit

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link, Odds, Scale
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import discounted, effective_horizon
from crmkit.models.numerics.gamma_ratio import Real, log_poch
from crmkit.models.numerics.row_parameters import (
    are_positive,
    distinct_histories,
    varying_parameters,
)
from crmkit.models.purchases.conditional_expectation import (
    ActiveCustomers,
    Aggregate,
    ExpectedPurchases,
    conditional_expectation,
    expected_purchases_of,
    without_interpolation,
)
from crmkit.models.purchases.future_purchases import count_distribution, stage_weights
from crmkit.models.purchases.likelihoods.dropout_likelihood import DropoutLikelihood
from crmkit.models.purchases.require_repeats import require_repeats

_PARAMETERS = ("r", "alpha", "a", "b")

_FIRST_REPEAT, _FIRST = "first repeat purchase", "first purchase"

_TINIEST, _ALL_BUT_ONE = 1e-300, 1 - 1e-16


@dataclass(frozen=True, slots=True)
class DropoutAfterPurchase:
    """Purchase rate (r, alpha) and dropout probability (a, b) across customers."""

    r: float
    alpha: Real
    a: Real
    b: Real

    title: ClassVar[str]
    units: ClassVar[Mapping[str, int]] = {"alpha": 1}
    links: ClassVar[Mapping[str, Link]] = {
        "purchases": Scale("alpha", -1),
        "dropout": Odds("a", "b"),
    }

    dropout_after_first: ClassVar[bool]
    """Whether customers may drop out right after their first purchase."""

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.r, self.alpha, self.a, self.b):
            msg = f"{self.title} parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @property
    def arrivals_per_purchase(self) -> int:
        """Arrivals of the Poisson process per purchase."""
        return 1

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
        return cls._fit_arrivals(x, t_x, T, weights, build=cls, k=1, search=search)

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history.

        The likelihood of surviving to `T` divided by the probability alive (FHL, eq. 6).
        """
        k, ((counts,), here, of_count) = self.arrivals_per_purchase, distinct_histories(self, x)
        occasions = self._occasions(counts)
        stayed = log_poch(here.b, occasions) - log_poch(here.a + here.b, occasions)
        bought = log_poch(self.r, k * counts)
        since = -self.r * np.log1p(T / self.alpha) - k * x * np.log(self.alpha + T)
        log_alive = log_expit(self._log_odds_alive(x, t_x, T))
        return (stayed + bought)[of_count] + since + self._log_waiting(x, t_x, T) - log_alive

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`.

        1 without repeat purchase, unless customers may drop out after the first one.
        """
        return expit(self._log_odds_alive(x, t_x, T))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active `days` days after `T`.

        Each future purchase ends in dropout with probability p, so the dropout probability is p
        times the expected purchases; the mean over Beta(a, b) of p f(p) is a / (a + b) times
        that of f over Beta(a + 1, b).
        """
        gone = self._conditional_expectation(
            x, t_x, T, lambda purchases, _: purchases(days), a=self.a + 1, longest=days
        )
        dropout = self.a / (self.a + self.b + self._occasions(x))
        stays = np.maximum(1 - dropout * gone, 0.0)
        return stays * self.probability_alive(x, t_x, T)

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Conditional expectation of purchases within the horizon, given each history.

        With dropout probability p and M purchases in the absence of dropout, the expectation is
        (1 - (1 - p) ** M) / p; this is its mean over the posterior of p and M. For BG/NBD it
        equals FHL eq. 10, whose 2F1 overflows for frequent buyers and which is 0/0 at a = 1.
        """
        expected = self._conditional_expectation(
            x, t_x, T, lambda purchases, _: purchases(horizon_days), a=self.a, longest=horizon_days
        )
        return expected * self.probability_alive(x, t_x, T)

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within `days` (FHL, eq. 9).

        `days` count from the first purchase, which is not counted itself.
        """
        none, k = np.zeros(len(days)), self.arrivals_per_purchase
        longest = float(days.max(initial=0.0))
        purchases = expected_purchases_of(
            self.active_customers(none, none, stage=0), longest=longest, k=k, stage=0
        )
        return purchases(days) * self.probability_alive(none, none, none)

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        The rest of a row to 1 is the probability of more. For a new customer, x, t_x and T are 0
        (FHL, eq. 8).
        """
        k, alive = self.arrivals_per_purchase, self.probability_alive(x, t_x, T)
        (counts, ages), here, of_row = distinct_histories(self, x, T)
        weights = self._stage_shares(x, t_x, T)
        if_alive = np.zeros((len(x), most + 1))
        for stage in range(k):
            known = here.active_customers(counts, ages, stage=stage)
            beta, z = (known.a, known.b + known.occasions), horizon_days / known.scale
            chances = count_distribution(known.shape, z, most=most, beta=beta, k=k, stage=stage)
            if_alive += weights[stage][:, np.newaxis] * chances[of_row]
        distribution = if_alive * alive[:, np.newaxis]
        distribution[:, 0] += 1 - alive
        return distribution

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
        longest = effective_horizon(horizon_days, annual_discount_rate=annual_discount_rate)

        def total(purchases: ExpectedPurchases, resolution_days: float) -> Floats:
            return discounted(
                purchases,
                horizon_days=horizon_days,
                annual_discount_rate=annual_discount_rate,
                resolution_days=resolution_days,
            )

        worth = self._conditional_expectation(x, t_x, T, total, a=self.a, longest=longest)
        return worth * self.probability_alive(x, t_x, T)

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Simulate the repeat purchases of new customers, each observed up to age `T`.

        Returns the customer's position in `T` and the age of each purchase, sorted by both.
        """
        k = self.arrivals_per_purchase
        arrivals = rng.poisson(rng.gamma(self.r, 1 / self.alpha, len(T)) * T)
        p = np.clip(rng.beta(self.a, self.b, len(T)), _TINIEST, _ALL_BUT_ONE)
        stays = np.floor(rng.exponential(size=len(T)) / -np.log1p(-p))
        most = stays if self.dropout_after_first else stays + 1
        x = np.minimum(arrivals // k, most).astype(np.int64)
        customer = np.repeat(np.arange(len(T)), x)
        # Given the number of arrivals, their gaps are shares of a sum of exponential waits.
        waits = np.cumsum(rng.gamma(k, size=len(customer)))
        before = np.concatenate([[0.0], waits])[np.cumsum(x) - x]
        last = np.concatenate([[0.0], waits])[np.cumsum(x)]
        total = last - before + rng.gamma(arrivals + 1 - k * x)
        return customer, T[customer] * ((waits - before[customer]) / total[customer])

    @classmethod
    def _fit_arrivals(
        cls,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats | None,
        *,
        build: Callable[..., Self],
        k: int,
        search: Search,
    ) -> MaximumLikelihood[Self]:
        """Fit r, alpha, a and b for a given k."""
        weights = np.ones(len(x)) if weights is None else weights
        require_repeats(x, T, weights, table="customer summary")
        repeats, exposure = float(weights @ x), float(weights @ T)
        days_between = exposure / repeats / k
        return search(
            build=build,
            names=_PARAMETERS,
            likelihood=partial(DropoutLikelihood, dropout_after_first=cls.dropout_after_first, k=k),
            columns=(x, t_x, T),
            weights=weights,
            starts=[(r, r * days_between / speed, a, b) for r, speed, a, b in cls._starts()],
            limits=_limits(_FIRST if cls.dropout_after_first else _FIRST_REPEAT),
        )

    @classmethod
    def _starts(cls) -> list[tuple[float, float, float, float]]:
        """Choose starting values of r, alpha (as a divisor of the days between purchases), a, b."""
        starts = [
            (0.5, 2.0, 0.8, 2.5),
            (1.5, 1.0, 0.1, 3.0),
            (0.3, 3.0, 2.0, 1.0),
            (0.5, 2.0, 0.01, 0.1),
        ]
        # Where nearly all drop out at once, the few survivors make a mode of their own.
        return [*starts, (2.0, 1.0, 0.1, 0.01)] if cls.dropout_after_first else starts

    def _occasions(self, x: Floats) -> Floats:
        """Dropout opportunities so far, the last purchase included."""
        return x + 1 if self.dropout_after_first else x

    def _log_odds_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        occasions, shape = self._occasions(x), self.r + self.arrivals_per_purchase * x
        inactivity = np.log1p(t_x / self.alpha) - np.log1p(T / self.alpha)
        odds_at_last = (self.b + np.maximum(occasions - 1, 0)) / self.a
        log_odds = np.log(odds_at_last) + shape * inactivity + self._log_waiting(x, t_x, T)
        return np.where(occasions > 0, log_odds, np.inf)

    def _log_waiting(self, x: Floats, t_x: Floats, T: Floats) -> Floats | float:
        """Log weight of 0 to k - 1 arrivals since the last purchase, relative to 0 arrivals."""
        if self.arrivals_per_purchase == 1:
            return 0.0
        return np.log(self._stage_weights(x, t_x, T).sum(axis=0))

    def _stage_weights(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        k = self.arrivals_per_purchase
        return stage_weights(k, self.r + k * x, (T - t_x) / (self.alpha + T))

    def _stage_shares(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Probability of 0, ..., k - 1 arrivals since the last purchase, given alive."""
        if self.arrivals_per_purchase == 1:
            return np.ones((1, len(x)))
        weights = self._stage_weights(x, t_x, T)
        return weights / weights.sum(axis=0)

    def _conditional_expectation(
        self, x: Floats, t_x: Floats, T: Floats, total: Aggregate, *, a: Real, longest: float
    ) -> Floats:
        """Conditional expectation given alive at `T`, with p from a Beta distribution with `a`.

        A mean over the possible numbers of arrivals since the last purchase.
        """
        k, found = self.arrivals_per_purchase, np.zeros(len(x))
        (counts, ages), here, of_row = distinct_histories(replace(self, a=a), x, T)
        bring = conditional_expectation if varying_parameters(self) else without_interpolation
        for stage, weight in enumerate(self._stage_shares(x, t_x, T)):
            known = here.active_customers(counts, ages, stage=stage)
            found += weight * bring(known, total, longest=longest, k=k, stage=stage)[of_row]
        return found

    def active_customers(self, x: Floats, T: Floats, /, *, stage: int = 0) -> ActiveCustomers:
        """Posterior of customers alive at `T`, `stage` arrivals after their last purchase."""
        full = np.ones(len(x))
        return ActiveCustomers(
            shape=self.r + self.arrivals_per_purchase * x + stage,
            scale=self.alpha + T,
            a=self.a * full,
            b=self.b * full,
            occasions=self._occasions(x),
        )


def _limits(first: str) -> tuple[Limit, ...]:
    """Meanings of diverging parameters; `first` is the first dropout opportunity."""
    no_dropout = "Hardly any customer drops out."
    all_drop_out = f"Hardly any customer stays active after the {first}."
    return (
        Limit({"r up", "alpha up"}, "Customers do not differ in purchase rate."),
        Limit({"a up", "b up"}, "Customers do not differ in dropout probability."),
        Limit({"a down", "b down"}, f"Customers drop out after the {first} or never."),
        Limit({"a down", "b up"}, no_dropout),
        Limit({"a up", "b down"}, all_drop_out),
        Limit({"a down"}, no_dropout),
        Limit({"b up"}, no_dropout),
        Limit({"a up"}, all_drop_out),
        Limit({"b down"}, all_drop_out),
    )
