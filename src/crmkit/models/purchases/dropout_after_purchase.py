r"""What all models share in which one leaves right after a purchase: BG/NBD and its kin.

Two things tell them apart. Is the first purchase already an occasion to leave (the modified
models, MBG), or only the repeat purchases (BG)? And how many arrivals of a Poisson process make a
purchase: each one (NBD), or only every k-th, so that buying is the more regular the larger k is
(CNBD-k)? Here both are left open. The rate of arrivals :math:`\lambda` varies over customers as
:math:`\mathrm{Gamma}(r, \alpha)`, the probability :math:`p` of leaving at an occasion as
:math:`\mathrm{Beta}(a, b)`.

What is known of a customer who is alive at `T`: :math:`p \sim \mathrm{Beta}(a, b + n)` after n
occasions, and, if j arrivals have come since the last purchase,
:math:`\lambda \sim \mathrm{Gamma}(r + kx + j, \alpha + T)`, independent of p. For k = 1 there is
only j = 0; otherwise the days since the last purchase weigh j = 0, ..., k - 1.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. Cited below as FHL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit, log_expit

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import days_that_count, discounted
from crmkit.models.numerics.gamma_ratio import Real, log_rising
from crmkit.models.numerics.row_parameters import are_positive, cells, own_names
from crmkit.models.purchases.conditional_expectation import (
    Alive,
    Purchases,
    Total,
    brought,
    one_by_one,
    purchases_of,
)
from crmkit.models.purchases.dropout_likelihood import DropoutLikelihood
from crmkit.models.purchases.future_purchases import count_distribution, stage_weights
from crmkit.models.purchases.require_repeats import require_repeats

_PARAMETERS = ("r", "alpha", "a", "b")

_FIRST_REPEAT, _FIRST = "first repeat purchase", "first purchase"

_TINIEST, _ALL_BUT_ONE = 1e-300, 1 - 1e-16


@dataclass(frozen=True, slots=True)
class DropoutAfterPurchase:
    """How buying (r, alpha) and leaving (a, b) vary over customers."""

    r: float
    alpha: Real
    a: Real
    b: Real

    title: ClassVar[str]
    """The model's name in the literature."""

    may_leave_at_first: ClassVar[bool]
    """Whether the first purchase is an occasion to leave."""

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.r, self.alpha, self.a, self.b):
            msg = f"{self.title} parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @property
    def arrivals_per_purchase(self) -> int:
        """Every how many arrivals of a Poisson process one buys."""
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
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for.

        Raises
        ------
        FitError
            If no customer has a repeat purchase.
        """
        return cls._fit_arrivals(x, t_x, T, weights, build=cls, k=1, search=search)

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history.

        It is that of one who stayed, divided by the probability of being alive (FHL, eq. 6).
        """
        k, ((counts,), here, of_count) = self.arrivals_per_purchase, cells(self, x)
        occasions = self._occasions(counts)
        stayed = log_rising(here.b, occasions) - log_rising(here.a + here.b, occasions)
        bought = log_rising(self.r, k * counts)
        since = -self.r * np.log1p(T / self.alpha) - k * x * np.log(self.alpha + T)
        log_alive = log_expit(self._log_odds_alive(x, t_x, T))
        return (stayed + bought)[of_count] + since + self._log_waiting(x, t_x, T) - log_alive

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T`.

        Where the first purchase is no occasion to leave, it is 1 for one without a repeat.
        """
        return expit(self._log_odds_alive(x, t_x, T))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active so many days after `T`.

        Each purchase ahead ends it with probability p, so what is missing to 1 is p times the
        purchases ahead; the mean over Beta(a, b) of p f(p) is a / (a + b) times that of f over
        Beta(a + 1, b).
        """
        gone = self._brought(
            x, t_x, T, lambda purchases, _: purchases(days), a=self.a + 1, longest=days
        )
        leaving = self.a / (self.a + self.b + self._occasions(x))
        stays = np.maximum(1 - leaving * gone, 0.0)
        return stays * self.probability_alive(x, t_x, T)

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Purchases expected of each observed customer within the horizon.

        One who leaves with probability p and would make M purchases if staying expects
        (1 - (1 - p) ** M) / p of them; this is the mean of that over all still possible. For
        BG/NBD it equals FHL eq. 10, whose 2F1 overflows for heavy buyers and which reads 0/0
        at a = 1.
        """
        expected = self._brought(
            x, t_x, T, lambda purchases, _: purchases(horizon_days), a=self.a, longest=horizon_days
        )
        return expected * self.probability_alive(x, t_x, T)

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within so many days (FHL, eq. 9).

        The days count from the first purchase, which is not itself counted.
        """
        none, k = np.zeros(len(days)), self.arrivals_per_purchase
        longest = float(days.max(initial=0.0))
        purchases = purchases_of(self.alive(none, none, stage=0), longest=longest, k=k, stage=0)
        return purchases(days) * self.probability_alive(none, none, none)

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        What a row lacks to 1 is the probability of more. A new customer is one seen for no
        time: x, t_x and T of 0 (FHL, eq. 8).
        """
        k, alive = self.arrivals_per_purchase, self.probability_alive(x, t_x, T)
        (counts, ages), here, of_row = cells(self, x, T)
        weights = self._stage_shares(x, t_x, T)
        if_alive = np.zeros((len(x), most + 1))
        for stage in range(k):
            known = here.alive(counts, ages, stage=stage)
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
        """Purchases expected within the horizon, each discounted to `T`.

        The horizon may be infinite if the rate is above 0.
        """
        longest = days_that_count(horizon_days, annual_discount_rate=annual_discount_rate)

        def total(purchases: Purchases, bend_days: float) -> Floats:
            return discounted(
                purchases,
                horizon_days=horizon_days,
                annual_discount_rate=annual_discount_rate,
                bend_days=bend_days,
            )

        worth = self._brought(x, t_x, T, total, a=self.a, longest=longest)
        return worth * self.probability_alive(x, t_x, T)

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Invent the repeat purchases of new customers, each observed for an age of `T`.

        Gives the customer's position in `T` and the age at the purchase, sorted by both.
        """
        k = self.arrivals_per_purchase
        arrivals = rng.poisson(rng.gamma(self.r, 1 / self.alpha, len(T)) * T)
        p = np.clip(rng.beta(self.a, self.b, len(T)), _TINIEST, _ALL_BUT_ONE)
        stays = np.floor(rng.exponential(size=len(T)) / -np.log1p(-p))
        most = stays if self.may_leave_at_first else stays + 1
        x = np.minimum(arrivals // k, most).astype(np.int64)
        customer = np.repeat(np.arange(len(T)), x)
        # Given how many arrivals there are, their gaps are as shares of one exponential wait.
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
            likelihood=partial(DropoutLikelihood, may_leave_at_first=cls.may_leave_at_first, k=k),
            columns=(x, t_x, T),
            weights=weights,
            starts=[(r, r * days_between / speed, a, b) for r, speed, a, b in cls._starts()],
            limits=_limits(_FIRST if cls.may_leave_at_first else _FIRST_REPEAT),
        )

    @classmethod
    def _starts(cls) -> list[tuple[float, float, float, float]]:
        """Say whence to look for r, alpha as days between purchases divided by it, a and b."""
        starts = [
            (0.5, 2.0, 0.8, 2.5),
            (1.5, 1.0, 0.1, 3.0),
            (0.3, 3.0, 2.0, 1.0),
            (0.5, 2.0, 0.01, 0.1),
        ]
        # Where nearly all leave at once, the few who stay make a hill of their own.
        return [*starts, (2.0, 1.0, 0.1, 0.01)] if cls.may_leave_at_first else starts

    def _occasions(self, x: Floats) -> Floats:
        """Occasions to leave so far, the last purchase included."""
        return x + 1 if self.may_leave_at_first else x

    def _log_odds_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        occasions, shape = self._occasions(x), self.r + self.arrivals_per_purchase * x
        silence = np.log1p(t_x / self.alpha) - np.log1p(T / self.alpha)
        odds_at_last = (self.b + np.maximum(occasions - 1, 0)) / self.a
        log_odds = np.log(odds_at_last) + shape * silence + self._log_waiting(x, t_x, T)
        return np.where(occasions > 0, log_odds, np.inf)

    def _log_waiting(self, x: Floats, t_x: Floats, T: Floats) -> Floats | float:
        """Log of what arrivals short of a purchase add to no arrival since the last one."""
        if self.arrivals_per_purchase == 1:
            return 0.0
        return np.log(self._stage_weights(x, t_x, T).sum(axis=0))

    def _stage_weights(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        k = self.arrivals_per_purchase
        return stage_weights(k, self.r + k * x, (T - t_x) / (self.alpha + T))

    def _stage_shares(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Probability of 0, ..., k - 1 arrivals since the last purchase of one alive."""
        if self.arrivals_per_purchase == 1:
            return np.ones((1, len(x)))
        weights = self._stage_weights(x, t_x, T)
        return weights / weights.sum(axis=0)

    def _brought(
        self, x: Floats, t_x: Floats, T: Floats, total: Total, *, a: Real, longest: float
    ) -> Floats:
        """Tell what those alive at `T` bring, with p from a Beta distribution of this `a`.

        It is a mean over the arrivals that may have come since the last purchase.
        """
        k, found = self.arrivals_per_purchase, np.zeros(len(x))
        (counts, ages), here, of_row = cells(replace(self, a=a), x, T)
        bring = brought if own_names(self) else one_by_one
        for stage, weight in enumerate(self._stage_shares(x, t_x, T)):
            known = here.alive(counts, ages, stage=stage)
            found += weight * bring(known, total, longest=longest, k=k, stage=stage)[of_row]
        return found

    def alive(self, x: Floats, T: Floats, /, *, stage: int = 0) -> Alive:
        """Say what is known of those alive at `T`, so many arrivals after their last purchase."""
        full = np.ones(len(x))
        return Alive(
            shape=self.r + self.arrivals_per_purchase * x + stage,
            scale=self.alpha + T,
            a=self.a * full,
            b=self.b * full,
            occasions=self._occasions(x),
        )


def _limits(first: str) -> tuple[Limit, ...]:
    """Say what it means when parameters run away; `first` is the first occasion to leave."""
    nobody_leaves = "Hardly anybody seems to leave."
    nobody_stays = f"Hardly anybody seems to stay after a {first}."
    return (
        Limit({"r up", "alpha up"}, "Customers do not differ in how often they buy."),
        Limit({"a up", "b up"}, "Customers do not differ in how readily they leave."),
        Limit({"a down", "b down"}, f"Customers leave after a {first} or never."),
        Limit({"a down", "b up"}, nobody_leaves),
        Limit({"a up", "b down"}, nobody_stays),
        Limit({"a down"}, nobody_leaves),
        Limit({"b up"}, nobody_leaves),
        Limit({"a up"}, nobody_stays),
        Limit({"b down"}, nobody_stays),
    )
