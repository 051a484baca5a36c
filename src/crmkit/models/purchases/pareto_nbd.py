r"""Pareto/NBD: Poisson purchases, dropout at any time.

While active, a customer buys at Poisson rate :math:`\lambda` and drops out at rate :math:`\mu`,
at any time. Across customers :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and
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
https://doi.org/10.1509/jmkr.2005.42.4.415. (Discounted expected residual transactions.)
Fader, P. S. & Hardie, B. G. S. Deriving the conditional PMF of the Pareto/NBD model.
http://brucehardie.com/notes/028/. (The distribution of future purchases.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import exprel

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link, Scale
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.discounting import discounted
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import Real, log_poch
from crmkit.models.numerics.legendre import legendre_rule
from crmkit.models.numerics.negative_binomial import pmf_up_to
from crmkit.models.numerics.row_parameters import are_positive, at_rows, distinct_histories
from crmkit.models.protocol import Nesting
from crmkit.models.purchases.likelihoods.pareto_dropout_integral import log_dropout_first
from crmkit.models.purchases.likelihoods.pareto_nbd_likelihood import ParetoNBDLikelihood
from crmkit.models.purchases.require_repeats import require_repeats

_NAMES = ("r", "alpha", "s", "beta")

_NO_DROPOUT = "Hardly any customer drops out: the NBD, without dropout, is enough."
_AT_ONCE_OR_NEVER = "Customers drop out right after the first purchase or hardly ever."
_ALL_DROP_OUT = "Hardly any customer stays active after the first purchase."

_LIMITS = (
    Limit({"r up", "alpha up"}, "Customers do not differ in purchase rate."),
    Limit({"s up", "beta up"}, "Customers do not differ in dropout rate."),
    Limit({"s down", "beta down"}, _AT_ONCE_OR_NEVER),
    Limit({"s down", "beta up"}, _NO_DROPOUT),
    Limit({"s up", "beta down"}, _ALL_DROP_OUT),
    Limit({"s down"}, _NO_DROPOUT),
    Limit({"beta up"}, _NO_DROPOUT),
    Limit({"s up"}, _ALL_DROP_OUT),
    Limit({"beta down"}, _AT_ONCE_OR_NEVER),
)

_TINIEST = 1e-300
_NODES_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class ParetoNBD:
    """A fitted Pareto/NBD model: purchase rate (r, alpha) and dropout rate (s, beta).

    `alpha` and `beta` are in days; r and s have no unit. Mean purchase rate r / alpha a day, mean
    dropout rate s / beta a day.
    """

    name: ClassVar[str] = "pareto_nbd"
    title: ClassVar[str] = "Pareto/NBD"
    use: ClassVar[str] = "Customers may drop out at any time, not only after a purchase."
    units: ClassVar[Mapping[str, int]] = {"alpha": 1, "beta": 1}
    # The limit b -> 0 with beta / b in place of beta; the lowest b allowed, so one-sided.
    nested_in: ClassVar[Mapping[str, Nesting]] = {"ggompertz_nbd": Nesting(1, on_boundary=True)}
    links: ClassVar[Mapping[str, Link]] = {
        "purchases": Scale("alpha", -1),
        "dropout": Scale("beta", -1),
    }

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
        drops_out, buys = self._log_next_event(x, t_x, T)
        left, stayed = (
            self._log_survival_weight(x, t_x) + drops_out,
            self._log_survival_weight(x, T) + buys,
        )
        return log_poch(self.r, counts)[of_count] + np.logaddexp(left, stayed)

    def probability_alive(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Probability that each customer is still active at `T` (FH, section 5)."""
        return np.exp(self._log_probability_alive(x, t_x, T))

    def probability_alive_later(
        self, x: Floats, t_x: Floats, T: Floats, /, *, days: float
    ) -> Floats:
        """Probability that each customer is still active `days` days after `T`."""
        stay = np.exp(-self.s * np.log1p(days / (self.beta + T)))
        return self.probability_alive(x, t_x, T) * stay

    def expected_purchases(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float
    ) -> Floats:
        """Conditional expectation of purchases within the horizon (FH, section 6)."""
        rate = (self.r + x) / (self.alpha + T)
        active_days = _active_days(self.beta + T, horizon_days, s=self.s)
        return self.probability_alive(x, t_x, T) * rate * active_days

    def expected_purchases_new(self, days: Floats, /) -> Floats:
        """Purchases expected of a new customer within `days` (FH, section 4).

        `days` count from the first purchase, which is not counted itself.
        """
        return self.r / self.alpha * _active_days(self.beta + np.zeros(len(days)), days, s=self.s)

    def purchase_distribution(
        self, x: Floats, t_x: Floats, T: Floats, /, *, horizon_days: float, most: int
    ) -> Floats:
        """Probability of 0, 1, ... `most` purchases within the horizon: a row per customer.

        The rest of a row to 1 is the probability of more. It is the mean of a negative binomial
        over the day of dropout; the published closed form is a difference of 2F1 series.
        """
        (counts, ages), here, of_row = distinct_histories(self, x, T)
        shape, scale, mu_scale = self.r + counts, here.alpha + ages, here.beta + ages
        # The shortest time scale of purchase or dropout.
        resolution = np.minimum(scale / (shape + 1), mu_scale / (self.s + 1))
        n_nodes = _n_nodes(float(np.log1p(horizon_days / resolution).max(initial=0.0)), most)
        if_alive = np.empty((len(counts), most + 1))
        n_rows = max(_NODES_AT_ONCE // n_nodes, 1)
        for start in range(0, len(counts), n_rows):
            rows = slice(start, start + n_rows)
            days, drops_out = _dropout_days(
                mu_scale[rows],
                resolution[rows],
                horizon_days=horizon_days,
                s=self.s,
                n_nodes=n_nodes,
            )
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
        (ages,), here, of_age = distinct_histories(self, T)
        mu_scale = here.beta + ages
        active_days = discounted(
            lambda days: _active_days(mu_scale, days, s=self.s),
            horizon_days=horizon_days,
            annual_discount_rate=annual_discount_rate,
            resolution_days=float(mu_scale.min(initial=mu_scale.max(initial=1.0))) / (self.s + 1),
        )
        rate = (self.r + x) / (self.alpha + T)
        return self.probability_alive(x, t_x, T) * rate * active_days[of_age]

    def simulate(self, T: Floats, /, *, rng: np.random.Generator) -> tuple[Codes, Floats]:
        """Simulate the repeat purchases of new customers, each observed up to age `T`.

        Returns the customer's position in `T` and the age, above 0 and up to `T`, of each purchase,
        sorted by both.
        """
        rate = rng.gamma(self.r, 1 / self.alpha, len(T))
        dropout = np.maximum(rng.gamma(self.s, 1 / self.beta, len(T)), _TINIEST)
        active = np.minimum(rng.standard_exponential(len(T)) / dropout, T)
        customer = np.repeat(np.arange(len(T)), rng.poisson(rate * active))
        # Given their number, purchase times are uniform.
        age = active[customer] * (1 - rng.random(len(customer)))
        order = np.lexsort((age, customer))
        return customer[order], age[order]

    def _log_probability_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Log of the weight of survival to `T`, as a share of all explanations of the history."""
        drops_out, buys = self._log_next_event(x, t_x, T)
        inactivity = T - t_x
        log_mu_lost = self.s * np.log1p(inactivity / (self.beta + t_x))
        lost = (self.r + x) * np.log1p(inactivity / (self.alpha + t_x)) + log_mu_lost
        return np.minimum(-np.logaddexp(lost + drops_out, buys), 0.0)

    def _log_next_event(self, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
        """Log probability of dropout before purchase, from `t_x`; of purchase first, from `T`."""
        twice = at_rows(self, np.tile(np.arange(len(x)), 2))
        (counts, ages), here, of_row = distinct_histories(twice, np.append(x, x), np.append(t_x, T))
        log_ratio = np.log((here.alpha + ages) / (here.beta + ages))
        drops_out = log_dropout_first(counts, log_ratio, r=self.r, s=self.s)
        buys = np.log(np.maximum(-np.expm1(drops_out), _TINIEST))
        return drops_out[of_row[: len(x)]], buys[of_row[len(x) :]]

    def _log_survival_weight(self, x: Floats, age: Floats) -> Floats:
        """Log weight of survival to an age with x purchases, up to a gamma function."""
        bought = self.r * np.log1p(age / self.alpha) + x * np.log(self.alpha + age)
        return -bought - self.s * np.log1p(age / self.beta)


def _active_days(mu_scale: Floats, horizon_days: float | Floats, *, s: float) -> Floats:
    """Mean active days within the horizon; `mu_scale` is beta + T."""
    stretch = np.log1p(horizon_days / mu_scale)
    return mu_scale * stretch * exprel((1 - s) * stretch)


def _dropout_days(
    mu_scale: Floats, resolution: Floats, *, horizon_days: float, s: float, n_nodes: int
) -> tuple[Floats, Floats]:
    """Nodes and probabilities of the day of dropout of active customers, a row for each.

    The last day is the horizon, with the probability of survival to it. The integrand varies
    over `resolution` days.
    """
    mu_scale, resolution = mu_scale[:, np.newaxis], resolution[:, np.newaxis]
    reach = np.log1p(horizon_days / resolution)
    node, weight = legendre_rule(n_nodes)
    days = resolution * np.expm1(reach * (node + 1) / 2)
    drops_out = (
        weight * (resolution + days) / (mu_scale + days) * np.exp(-s * np.log1p(days / mu_scale))
    )
    log_survival = -s * np.log1p(horizon_days / mu_scale)
    # Normalised, so that the probabilities sum to 1 to the last digit.
    drops_out *= -np.expm1(log_survival) / np.maximum(
        drops_out.sum(axis=1, keepdims=True), _TINIEST
    )
    days = np.append(days, np.full_like(mu_scale, horizon_days), axis=1)
    return days, np.append(drops_out, np.exp(log_survival), axis=1)


def _n_nodes(reach: float, most: int) -> int:
    """Nodes that resolve the peak of the count `most`, the narrowest one."""
    return 12 + math.ceil(reach * (4 + 2 * math.sqrt(most + 1)))
