r"""BG/CNBD-k and MBG/CNBD-k: regular (Erlang-k) purchases, dropout after a purchase.

As BG/NBD and MBG/NBD, but the interpurchase times are not exponential but Erlang-k: only every
k-th arrival of a Poisson process with rate :math:`\lambda` is a purchase. k = 1 is the Poisson
process; the larger k, the more regular the purchases, and the more a given inactivity points to
dropout. Across customers :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and
:math:`p \sim \mathrm{Beta}(a, b)`; k is the same for all.

`x`, `t_x` and `T` do not hold the interpurchase times, which identify k best. Without them the
likelihood is marginal over their possible values: the estimates for a given k are those of the
paper, and the choice of k, or against other models, is consistent but less sharp. With the sums of
the logs of interpurchase times it is the paper's likelihood.

References
----------
Reutterer, T., Platzer, M. & Schroeder, N. (2021). Leveraging purchase regularity for predicting
customer behavior the easy way. *International Journal of Research in Marketing* 38(1), 194-215.
https://doi.org/10.1016/j.ijresmar.2020.09.002.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np
from scipy.special import gammaln

from crmkit.errors import InvalidArgumentError
from crmkit.models.inference.covariates import Link
from crmkit.models.inference.newton import MaximumLikelihood, Search, maximize
from crmkit.models.numerics.arrays import Floats
from crmkit.models.protocol import Nesting
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase

_LARGEST_K = 12

_AT_THE_END = (
    "The likelihood still rises at the largest k tried, {k}: customers buy at nearly even "
    "intervals, or orders come on a schedule."
)


@dataclass(frozen=True, slots=True)
class RegularPurchases(DropoutAfterPurchase):
    """Regularity (k) beside purchase rate (r, alpha) and dropout (a, b) across customers."""

    k: int

    nested_in: ClassVar[Mapping[str, Nesting]] = {}
    links: ClassVar[Mapping[str, Link]] = {}

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        DropoutAfterPurchase.__post_init__(self)
        _check_k(self.k)

    @property
    def arrivals_per_purchase(self) -> int:
        """Arrivals of the Poisson process per purchase: k."""
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
        """Fit by maximum likelihood; `weights` is the number of customers of each row.

        Without `k`, 1, 2, 3, ... are tried until the likelihood falls. `log_gaps` is the sum of
        the logs of a customer's interpurchase times in days, the first one included, 0 without
        repeat purchase; it sharpens the choice of k and does not change other estimates.

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

    def log_likelihood(
        self, x: Floats, t_x: Floats, T: Floats, /, *, log_gaps: Floats | None = None
    ) -> Floats:
        """Log-likelihood of each customer's history, without `log_gaps` marginal over them.

        Raises
        ------
        InvalidArgumentError
            If some customer has repeat purchases but no time between them.
        """
        arrivals = DropoutAfterPurchase.log_likelihood(self, x, t_x, T)
        return arrivals + _log_density(x, t_x, self.k, log_gaps)

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
class BGCNBDK(RegularPurchases):
    """A fitted BG/CNBD-k model: k, purchase rate (r, alpha) and dropout (a, b).

    `alpha` is in days; the others have no unit. Mean purchase rate r / alpha / k a day, mean
    dropout probability after a repeat purchase a / (a + b). k = 1 is BG/NBD.
    """

    name: ClassVar[str] = "bg_cnbd_k"
    title: ClassVar[str] = "BG/CNBD-k"
    use: ClassVar[str] = "As BG/NBD, for purchases at regular intervals (Erlang-k)."
    dropout_after_first: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class MBGCNBDK(RegularPurchases):
    """A fitted MBG/CNBD-k model: k, purchase rate (r, alpha) and dropout (a, b).

    `alpha` is in days; the others have no unit. Mean purchase rate r / alpha / k a day, mean
    dropout probability after any purchase a / (a + b). k = 1 is MBG/NBD.
    """

    name: ClassVar[str] = "mbg_cnbd_k"
    title: ClassVar[str] = "MBG/CNBD-k"
    use: ClassVar[str] = "As MBG/NBD, for purchases at regular intervals (Erlang-k)."
    dropout_after_first: ClassVar[bool] = True


def _check_k(k: int) -> None:
    try:
        whole = operator.index(k)
    except TypeError:
        whole = 0
    if whole < 1:
        msg = f"k must be a whole number of 1 or more, got {k}.\nk = 1 is a Poisson process."
        raise InvalidArgumentError(msg)


def _log_density(x: Floats, t_x: Floats, k: int, log_gaps: Floats | None = None) -> Floats:
    """Log density of the arrivals between purchases, at the purchase times.

    Without `log_gaps`, its mean over all positions of x - 1 purchases between 0 and t_x.
    """
    if log_gaps is not None:
        return (k - 1) * log_gaps - x * gammaln(k)
    if k == 1:
        return np.zeros(len(x))
    at_once = (x > 0) & (t_x == 0)
    if at_once.any():
        msg = (
            f"customer summary: repeat purchases at age 0 in {at_once.sum():,} of {len(x):,} "
            "rows.\nMerge the purchases of a day into one: regular purchases cannot coincide."
        )
        raise InvalidArgumentError(msg)
    repeats, span = np.maximum(x, 1), np.where(x > 0, t_x, 1.0)
    ways = (k - 1) * x * np.log(span) + gammaln(repeats) - gammaln(k * repeats)
    return np.where(x > 0, ways, 0.0)
