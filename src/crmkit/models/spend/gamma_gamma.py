r"""Gamma-Gamma: spend per purchase day, gamma within and across customers.

A customer's spend on a purchase day varies as :math:`\mathrm{Gamma}(p, \nu)`, and the
:math:`\nu` of customers as :math:`\mathrm{Gamma}(q, v)`. Spend is assumed
independent of purchase frequency: the assumption to check.

Symbols are the paper's, with `v` for its gamma: `x` purchase days after the first, `z` their mean
spend. Rows without such a day, or without positive spend, carry no information and must be left
out of a fit.

References
----------
Fader, P. S. & Hardie, B. G. S. (2013). The Gamma-Gamma model of monetary value.
http://www.brucehardie.com/notes/025/. Cited below as FH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.special import betainc, gammaincc, gammaln, polygamma, psi

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.inference.covariates import Link, Scale
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import (
    Real,
    digamma_difference,
    log_poch,
    trigamma_difference,
)
from crmkit.models.numerics.grouped_sums import (
    ByGroup,
    GroupedLikelihood,
    distinct_in_groups,
    of_group,
    summed,
)
from crmkit.models.numerics.row_parameters import are_positive
from crmkit.models.protocol import Nesting

_NAMES = ("p", "q", "v")

_TINIEST = 1e-300

_LIMITS = (
    Limit({"p up", "q up"}, "All customers spend the same amount every time."),
    Limit({"q up", "v up"}, "Customers do not differ in mean spend."),
    Limit({"p up", "v down"}, "Each customer spends the same amount every time."),
)

_NO_MEAN = (
    "q is {q:.3g}: at 1 or less the population mean of spend is infinite, and customers without a "
    "repeat purchase get no expected spend. A few very large amounts are the usual cause."
)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """A fitted Gamma-Gamma model: spend within (p) and across (q, v) customers.

    `v` is in the currency of the data; `p` and `q` have no unit.
    """

    name: ClassVar[str] = "gamma_gamma"
    title: ClassVar[str] = "Gamma-Gamma"
    use: ClassVar[str] = (
        "Amounts vary by gamma distributions, independent of purchase frequency; "
        "the usual first choice."
    )
    units: ClassVar[Mapping[str, int]] = {"v": 1}
    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {"spend": Scale("v", 1)}
    line_of_logs: ClassVar[bool] = False

    p: float
    q: float
    v: Real

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.p, self.q, self.v):
            msg = f"Gamma-Gamma parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls,
        x: Floats,
        z: Floats,
        /,
        *,
        weights: Floats | None = None,
        search: Search = maximize,
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood on rows with a repeat purchase and positive spend.

        Raises
        ------
        FitError
            If no row has both.
        InvalidArgumentError
            If any row lacks one.
        """
        if not len(x):
            msg = (
                "customer summary: no repeat purchase with positive spend in any row.\n"
                "First purchases do not identify the spend per purchase day."
            )
            raise FitError(msg)
        if not ((x > 0) & (z > 0)).all():
            msg = (
                "Gamma-Gamma is fitted on customers with x > 0 and z > 0 only.\n"
                "Leave the others out of the fit; predictions for them still work."
            )
            raise InvalidArgumentError(msg)
        weights = np.ones(len(x)) if weights is None else weights
        mean = float(weights @ z / weights.sum())
        found = search(
            build=cls,
            names=_NAMES,
            likelihood=GammaGammaLikelihood,
            columns=(x, z),
            weights=weights,
            starts=[(p, q, mean * (q - 1) / p) for p, q in ((3.0, 3.0), (10.0, 2.0), (1.0, 10.0))],
            limits=_LIMITS,
        )
        if found.model.population_mean is None:
            note = _NO_MEAN.format(q=found.model.q)
            return replace(found, diagnostics=(*found.diagnostics, note))
        return found

    @property
    def population_mean(self) -> Real | None:
        """Mean spend over all customers, p v / (q - 1); None for q of 1 or less (FH, p. 3)."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend (FH, eq. 1a)."""
        p, q, v = self.p, self.q, self.v
        counts, of_count = distinct(x)
        constant = (log_poch(p * counts, q) - gammaln(q))[of_count]
        y = x * z / v
        return constant - p * x * np.log1p(1 / y) - q * np.log1p(y) - np.log(z)

    def weight(self, x: Floats, /) -> Floats:
        """Weight of the customer's mean against the population mean, p x / (p x + q - 1).

        It grows with every purchase day. NaN for q of 1 or less.
        """
        own = self.p * x
        return own / (own + self.q - 1) if self.q > 1 else np.full(len(x), np.nan)

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Intercept and slope of expected spend in the customer's mean (FH, eq. 5).

        A mean of 0 or below, which returns can make, is outside the model; the line goes on there.
        NaN where the mean is infinite: q of 1 or less and too few purchase days.
        """
        degrees = self.p * x + self.q - 1
        degrees = np.where(degrees > 0, degrees, np.nan)
        return self.p * self.v / degrees, self.p * x / degrees

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Conditional expectation of spend per future purchase day; `spend_line` at `z`.

        `z` is not used where `x` is 0.
        """
        start, rise = self.spend_line(x)
        return start + np.where(x > 0, rise * z, 0.0)

    def amount_distribution(self, x: Floats, z: Floats, /, days: Floats, amount: Floats) -> Floats:
        """Predictive distribution function of the total of `days` future purchase days.

        The total of n days, divided by v + x z, is Beta prime with p n and q + p x. Where returns
        leave v + x z at 0 or below, all amounts are.
        """
        scale = self._scale(x, z)
        share = amount / (amount + np.maximum(scale, 0.0))
        return betainc(self.p * days, self.q + self.p * x, share)

    def mean_distribution(self, x: Floats, z: Floats, /, amount: Floats) -> Floats:
        """Posterior distribution function of a customer's mean spend p / nu, at `amount`."""
        scale = np.maximum(self._scale(x, z), 0.0)
        return gammaincc(self.q + self.p * x, self.p * scale / amount)

    def second_moments(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Second moments of the customer's mean and of a purchase day's amount.

        Both in units of expected spend squared; infinite where q + p x is 2 or less.
        """
        above = self.q + self.p * x - 2
        of_mean = 1 + np.where(above > 0, 1 / np.maximum(above, _TINIEST), np.inf)
        return of_mean, of_mean * (1 + 1 / self.p)

    def _scale(self, x: Floats, z: Floats) -> Floats:
        """Scale v + x z of the posterior of nu, Gamma(q + p x, v + x z)."""
        return self.v + np.where(x > 0, x * z, 0.0)


class GammaGammaLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of p, q, v.

    `group` is the group of each row, numbered from 0; each group has its own parameters. Without
    it all customers are one group.
    """

    def __init__(
        self, x: Floats, z: Floats, weights: Floats, *, group: Codes | None = None
    ) -> None:
        self._n_groups = 1 if group is None else int(group.max(initial=0)) + 1
        self._group = np.zeros(len(x), np.int64) if group is None else group
        self._n, self._total, self._x = weights, x * z, x
        self._log_z = np.log(z)
        self._counts, self._count_group, of_count = distinct_in_groups(x, group)
        self._n_of_count = np.bincount(of_count, weights).astype(np.float64)

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group."""
        parameters, rows = np.exp(log_parameters), (self._group, self._n_groups)
        rising, by_p, by_q, by_p_twice, by_both, by_q_twice = self._log_gamma_sums(parameters)
        p, q, v = of_group(parameters, self._group)
        n, days = self._n, self._n * (p * self._x)
        y = self._total / v
        rest = 1 / (1 + y)
        over, own_logs = summed(np.log1p(y), n, *rows), summed(np.log1p(1 / y), days, *rows)
        drawn, own_rest = summed(rest, n * y, *rows), summed(rest, days, *rows)
        curvature = summed(y * rest**2, days + q * n, *rows)
        q = parameters[1]
        value = rising - own_logs - q * over - summed(self._log_z, n, *rows)
        gradient = np.stack([by_p - own_logs, q * (by_q - over), q * drawn - own_rest])
        hessian = np.empty((3, *gradient.shape))
        hessian[0, 0] = gradient[0] + by_p_twice
        hessian[0, 1] = hessian[1, 0] = q * by_both
        hessian[0, 2] = hessian[2, 0] = -own_rest
        hessian[1, 1] = gradient[1] + q * q * by_q_twice
        hessian[1, 2] = hessian[2, 1] = q * drawn
        hessian[2, 2] = -curvature
        return value, gradient, hessian

    def _log_gamma_sums(self, parameters: Floats) -> Floats:
        """Sum log gamma(p x + q) / gamma(p x) / gamma(q), with first and second derivatives."""
        p, q, _ = of_group(parameters, self._count_group)
        shape = p * self._counts
        sums = [
            log_poch(shape, q) - gammaln(q),
            shape * digamma_difference(shape, q),
            psi(shape + q) - psi(q),
            shape**2 * trigamma_difference(shape, q),
            shape * polygamma(1, shape + q),
            polygamma(1, shape + q) - polygamma(1, q),
        ]
        return summed(np.stack(sums), self._n_of_count, self._count_group, self._n_groups)
