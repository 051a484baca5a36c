r"""BG/CNBD-k and MBG/CNBD-k: customers who buy with some regularity, and leave after a purchase.

BG/NBD and MBG/NBD, except that the days between purchases are not exponential but Erlang-k: only
every k-th arrival of a Poisson process with rate :math:`\lambda` is a purchase. k = 1 is buying at
random; the larger k, the more evenly one buys, and the more a silence tells. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`p \sim \mathrm{Beta}(a, b)`; k is the same
for all.

`x`, `t_x` and `T` hold nothing of the times in between, which say most about k. Where they are not
known the likelihood here is the mean over all that they may have been. That leaves the estimates
for a given k as in the paper, and a choice between different k, or against other models, right
but less sharp. Sums of the logs of the days between purchases make it the paper's own.

References
----------
Reutterer, T., Platzer, M. & Schroeder, N. (2021). Leveraging purchase regularity for predicting
customer behavior the easy way. *International Journal of Research in Marketing* 38(1), 194-215.
https://doi.org/10.1016/j.ijresmar.2020.09.002.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np
from scipy.special import gammaln

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase

_LARGEST_K = 12

_AT_THE_END = (
    "No k up to {k} fits worse than the one before: customers buy at nearly even intervals, or "
    "what one orders comes on a schedule."
)


@dataclass(frozen=True, slots=True)
class RegularBuying(DropoutAfterPurchase):
    """How regularly one buys (k), on top of how buying and leaving vary over customers."""

    k: int

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        DropoutAfterPurchase.__post_init__(self)
        _check_k(self.k)

    @property
    def arrivals_per_purchase(self) -> int:
        """Every how many arrivals of a Poisson process one buys: k."""
        return self.k

    @classmethod
    def fit(
        cls,
        x: Floats,
        t_x: Floats,
        T: Floats,
        /,
        *,
        weights: Floats | None = None,
        k: int | None = None,
        log_gaps: Floats | None = None,
        search: Search = maximize,
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood; `weights` counts the customers that a row stands for.

        Without `k`, 1, 2, 3, ... are tried until the likelihood falls. `log_gaps` is the sum of
        the logs of the days between a customer's purchases, the first one included, and 0 for
        one without a repeat; it sharpens the choice of k and changes no other estimate.

        Raises
        ------
        FitError
            If no customer has a repeat purchase.
        InvalidArgumentError
            If `k` is not a whole number of 1 or more, or if some customer has repeat purchases
            but no time between them.
        """
        if k is not None:
            _check_k(k)
            return cls._fit_k(x, t_x, T, weights, log_gaps, k=k, search=search)
        best = cls._fit_k(x, t_x, T, weights, log_gaps, k=1, search=search)
        for larger in range(2, _LARGEST_K + 1):
            found = cls._fit_k(x, t_x, T, weights, log_gaps, k=larger, search=search)
            if found.log_likelihood <= best.log_likelihood:
                return best
            best = found
        note = _AT_THE_END.format(k=_LARGEST_K)
        return replace(best, diagnostics=(*best.diagnostics, note))

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats, /) -> Floats:
        """Log-likelihood of each customer's history, whatever the times between were.

        Raises
        ------
        InvalidArgumentError
            If some customer has repeat purchases but no time between them.
        """
        arrivals = DropoutAfterPurchase.log_likelihood(self, x, t_x, T)
        return arrivals + _log_density(x, t_x, self.k)

    @classmethod
    def _fit_k(
        cls,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats | None,
        log_gaps: Floats | None,
        *,
        k: int,
        search: Search,
    ) -> MaximumLikelihood[Self]:
        build = partial(cls, k=k)
        found = cls._fit_arrivals(x, t_x, T, weights, build=build, k=k, search=search)
        times = _log_density(x, t_x, k, log_gaps)
        of_times = float(times.sum() if weights is None else weights @ times)
        return replace(found, log_likelihood=found.log_likelihood + of_times)


@dataclass(frozen=True, slots=True)
class BGCNBDK(RegularBuying):
    """A fitted BG/CNBD-k model: k, and how buying (r, alpha) and leaving (a, b) vary.

    `alpha` is in days; the others are pure numbers. Mean buying rate r / alpha / k a day, mean
    probability of leaving after a repeat purchase a / (a + b). k = 1 is BG/NBD.
    """

    title: ClassVar[str] = "BG/CNBD-k"
    may_leave_at_first: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class MBGCNBDK(RegularBuying):
    """A fitted MBG/CNBD-k model: k, and how buying (r, alpha) and leaving (a, b) vary.

    `alpha` is in days; the others are pure numbers. Mean buying rate r / alpha / k a day, mean
    probability of leaving after any purchase a / (a + b). k = 1 is MBG/NBD.
    """

    title: ClassVar[str] = "MBG/CNBD-k"
    may_leave_at_first: ClassVar[bool] = True


def _check_k(k: int) -> None:
    try:
        whole = operator.index(k)
    except TypeError:
        whole = 0
    if whole < 1:
        msg = f"k must be a whole number of 1 or more, got {k}.\nk = 1 is buying at random."
        raise InvalidArgumentError(msg)


def _log_density(x: Floats, t_x: Floats, k: int, log_gaps: Floats | None = None) -> Floats:
    """Log density of the arrivals between purchases, at the times of these.

    Without `log_gaps`, its mean over all ways to lay x - 1 purchases between 0 and t_x.
    """
    if log_gaps is not None:
        return (k - 1) * log_gaps - x * gammaln(k)
    if k == 1:
        return np.zeros(len(x))
    at_once = (x > 0) & (t_x == 0)
    if at_once.any():
        msg = (
            f"customer summary: repeat purchases at age 0 in {at_once.sum():,} of {len(x):,} "
            "rows.\nTake purchases of one day as one: no regular buyer buys twice at a time."
        )
        raise InvalidArgumentError(msg)
    repeats, span = np.maximum(x, 1), np.where(x > 0, t_x, 1.0)
    ways = (k - 1) * x * np.log(span) + gammaln(repeats) - gammaln(k * repeats)
    return np.where(x > 0, ways, 0.0)
