r"""Lognormal spend: spend per purchase day, lognormal within and across customers.

The mean amount :math:`\mu` of a customer's purchase days is lognormal across customers,
:math:`\log \mu \sim N(\log \mathrm{median}, \tau^2)`, and one purchase day has the coefficient of
variation cv about it. The mean z of x days is taken as lognormal with mean :math:`\mu` and
coefficient of variation :math:`\mathrm{cv} / \sqrt{x}`:

.. math::

    \log z \mid \mu \sim N(\log \mu - v_x / 2,\; v_x), \qquad v_x = \log(1 + \mathrm{cv}^2 / x).

For one day that is exact; the mean of several lognormal amounts is not quite lognormal, and is
matched in mean and variance (Fenton 1960). Spend is assumed independent of purchase
frequency: the assumption to check.

On simulated lognormal amounts with a cv of up to 1, parameters are recovered within 3 % and total
spend within 0.2 %; with a cv of 2, tau is a fifth too low and total spend 1 % (in the tests).

The tail of spend across customers is lighter than in Gamma-Gamma, so the mean is always finite.

References
----------
Fenton, L. F. (1960). The sum of log-normal probability distributions in scatter transmission
systems. *IRE Transactions on Communications Systems* 8(1), 57-67.
https://doi.org/10.1109/TCOM.1960.1097606. The closed forms are those of a normal mean with a
normal prior, in the logs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.special import ndtr

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.inference.covariates import Link, Scale
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct, distinct_pairs
from crmkit.models.numerics.gamma_ratio import Real
from crmkit.models.numerics.row_parameters import are_positive
from crmkit.models.protocol import Nesting

_NAMES = ("median", "tau", "cv")

_LIMITS = (
    Limit({"tau down", "cv down"}, "All customers spend the same amount every time."),
    Limit({"tau down"}, "Customers do not differ in mean spend."),
    Limit({"cv down"}, "Each customer spends the same amount every time."),
)

_LEAST_SPREAD = 1e-3

_LARGEST_LOG = 700.0

_ONE_COUNT = (
    "All customers have the same number of repeat purchase days, so variation across customers "
    "and within customers are not identified apart: do not trust expected spend."
)


@dataclass(frozen=True, slots=True)
class LognormalSpend:
    """A fitted lognormal spend model: across (median, tau) and within (cv) customers.

    `median` is in the currency of the data; `tau` is the standard deviation of the log of
    customers' mean amounts, and `cv` the coefficient of variation of a customer's amounts.
    """

    name: ClassVar[str] = "lognormal_spend"
    title: ClassVar[str] = "Lognormal spend"
    use: ClassVar[str] = (
        "Amounts vary by factors; the lighter tail means that the population always has a mean."
    )
    units: ClassVar[Mapping[str, int]] = {"median": 1}
    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {"spend": Scale("median", 1)}
    line_of_logs: ClassVar[bool] = True

    median: Real
    tau: float
    cv: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not are_positive(self.median, self.tau, self.cv):
            msg = f"Lognormal spend parameters must be positive and finite, got {self}."
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
                "Lognormal spend is fitted on customers with x > 0 and z > 0 only.\n"
                "Leave the others out of the fit; predictions for them still work."
            )
            raise InvalidArgumentError(msg)
        weights = np.ones(len(x)) if weights is None else weights
        log_z = np.log(z)
        middle = float(np.average(log_z, weights=weights))
        spread = math.sqrt(float(np.average((log_z - middle) ** 2, weights=weights)))
        spread = max(spread, _LEAST_SPREAD)
        found = search(
            build=cls,
            names=_NAMES,
            likelihood=LognormalSpendLikelihood,
            columns=(x, z),
            weights=weights,
            starts=[
                (math.exp(middle), across * spread, within * spread)
                for across, within in ((0.7, 0.7), (0.9, 0.3), (0.3, 0.9))
            ],
            limits=_LIMITS,
        )
        if (x == x[0]).all() and found.converged:
            return replace(found, diagnostics=(*found.diagnostics, _ONE_COUNT))
        return found

    @property
    def population_mean(self) -> Real | None:
        """Mean spend over all customers, median exp(tau^2 / 2); None where it overflows."""
        log_mean = np.log(self.median) + self.tau**2 / 2
        return np.exp(log_mean) if np.max(log_mean) < _LARGEST_LOG else None

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend."""
        counts, of_count = distinct(x)
        within = np.log1p(self.cv**2 / counts)
        variance, log_z = (self.tau**2 + within)[of_count], np.log(z)
        off = log_z - np.log(self.median) + within[of_count] / 2
        return -(np.log(2 * np.pi * variance) + off**2 / variance) / 2 - log_z

    def weight(self, x: Floats, /) -> Floats:
        """Weight of the customer's log mean against the population's, tau^2 / (tau^2 + v_x).

        It grows with every purchase day; 0 without one.
        """
        return 1 - self._population_weight(x)

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Intercept and slope of log expected spend in the log of the customer's mean.

        A weighted mean of the logs of the customer's mean and of ``median exp(tau^2)``. Without a
        purchase day it is the log of the population mean. NaN where that overflows.

        The line holds for a mean above 0. As the mean falls to 0, so does expected spend, and the
        model has no amounts below: at 0 and less it is 0.
        """
        rest = self._population_weight(x)
        # The mean of exp(log mu) adds half a variance, and E log z is half a variance below log mu.
        halves = np.where(x > 0, 1.0, 0.5) * self.tau**2
        start = rest * (np.log(self.median) + halves)
        return np.where(start < _LARGEST_LOG, start, np.nan), 1 - rest

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Conditional expectation of spend per future purchase day; `spend_line` at `z`.

        `z` is not used where `x` is 0; where it is 0 or below, so that the line has no log, the
        expectation is 0, its limit.
        """
        return np.exp(self._log_expected(x, z))

    def amount_distribution(self, x: Floats, z: Floats, /, days: Floats, amount: Floats) -> Floats:
        """Predictive distribution function of the total of `days` future purchase days.

        The log of their mean is normal, with the posterior variance of log mu and that within
        customers.
        """
        variance = self._posterior_variance(x) + np.log1p(self.cv**2 / days)
        off = np.log(amount / days) - self._log_expected(x, z)  # infinite at 0: all is below
        return ndtr((off + variance / 2) / np.sqrt(variance))

    def mean_distribution(self, x: Floats, z: Floats, /, amount: Floats) -> Floats:
        """Posterior distribution function of a customer's mean spend mu, at `amount`."""
        variance = self._posterior_variance(x)
        off = np.log(amount) - self._log_expected(x, z)
        return ndtr((off + variance / 2) / np.sqrt(variance))

    def second_moments(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Second moments of the customer's mean and of a purchase day's amount.

        Both in units of expected spend squared; infinite where they overflow.
        """
        variance = self._posterior_variance(x)
        of_mean = np.exp(np.where(variance < _LARGEST_LOG, variance, np.inf))
        return of_mean, of_mean * (1 + self.cv**2)

    def _log_expected(self, x: Floats, z: Floats) -> Floats:
        """Log of expected spend; minus infinity where the customer's mean is 0 or below."""
        start, rise = self.spend_line(x)
        has_log = (x == 0) | (z > 0) | np.isnan(z)
        log_z = np.log(np.where((x > 0) & has_log, z, 1.0))
        return np.where(has_log, start + rise * log_z, np.where(np.isnan(start), start, -np.inf))

    def _population_weight(self, x: Floats) -> Floats:
        """Weight of the population against the customer's mean; 1 without a purchase day."""
        within = np.log1p(self.cv**2 / np.maximum(x, 1.0))
        return np.where(x > 0, within / (self.tau**2 + within), 1.0)

    def _posterior_variance(self, x: Floats) -> Floats:
        """Posterior variance of log mu."""
        return self.tau**2 * self._population_weight(x)


class LognormalSpendLikelihood:
    """Total log-likelihood with its derivatives by the logs of median, tau and cv.

    Sufficient statistics of the rows with one x: their number, and mean and variance of log z.
    `group` is the group of each row, numbered from 0; each group has its own parameters. Without
    it all customers are one group.
    """

    def __init__(
        self, x: Floats, z: Floats, weights: Floats, *, group: Codes | None = None
    ) -> None:
        self._n_groups = 1 if group is None else int(group.max(initial=0)) + 1
        groups = np.zeros(len(x)) if group is None else group.astype(np.float64)
        self._x, group_of_cell, cell = distinct_pairs(x, groups)
        self._group: Codes = group_of_cell.astype(np.int64)
        log_z = np.log(z)
        self._n = np.bincount(cell, weights)
        self._mean = np.bincount(cell, weights * log_z) / self._n
        self._squares = np.bincount(cell, weights * (log_z - self._mean[cell]) ** 2)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, summed over customers, who share the parameters."""
        value, gradient, hessian = self.by_group(log_parameters[:, np.newaxis])
        return float(value.sum()), gradient.sum(axis=-1), hessian.sum(axis=-1)

    def by_group(self, log_parameters: Floats, /) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and Hessian of each group, which is the last axis of each.

        `log_parameters` has a row for each parameter and a column for each group, or one for all.
        """
        shared = log_parameters.shape[1] == 1
        log_median, log_tau, log_cv = log_parameters if shared else log_parameters[:, self._group]
        n, ratio = self._n, np.exp(2 * log_cv) / self._x
        within, across = np.log1p(ratio), np.exp(2 * log_tau)
        slope = 2 * ratio / (1 + ratio)  # of v_x by log cv
        variance = across + within
        mean_off = self._mean - log_median + within / 2
        off, squares = n * mean_off, self._squares + n * mean_off**2
        # By the variance and by the deviation of log z from its mean, first and second derivatives.
        by_variance = (squares / variance - n) / variance / 2
        by_variance_twice = (n / 2 - squares / variance) / variance**2
        by_off, by_both, by_off_twice = -off / variance, off / variance**2, -n / variance
        # cv enters both.
        by_within = by_variance + by_off / 2
        by_within_twice = by_variance_twice + by_both + by_off_twice / 4
        value = -(n * np.log(2 * np.pi * variance) + squares / variance) / 2 - n * self._mean
        gradient = np.stack([-by_off, 2 * across * by_variance, slope * by_within])
        hessian = np.empty((3, 3, len(n)))
        hessian[0, 0] = by_off_twice
        hessian[0, 1] = hessian[1, 0] = -2 * across * by_both
        hessian[0, 2] = hessian[2, 0] = -slope * (by_both + by_off_twice / 2)
        hessian[1, 1] = 4 * across * (by_variance + across * by_variance_twice)
        hessian[1, 2] = hessian[2, 1] = 2 * across * slope * (by_variance_twice + by_both / 2)
        hessian[2, 2] = 2 * slope / (1 + ratio) * by_within + slope**2 * by_within_twice
        return self._summed(value), self._summed(gradient), self._summed(hessian)

    def _summed(self, by_cell: Floats) -> Floats:
        """Sum along the last axis, within each group."""
        if self._n_groups == 1:
            return by_cell.sum(axis=-1, keepdims=True)
        sums = np.zeros((*by_cell.shape[:-1], self._n_groups))
        np.add.at(sums.T, self._group, by_cell.T)
        return sums
