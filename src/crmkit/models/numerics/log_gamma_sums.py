"""Sums over customers of log gamma(z + n) / gamma(z), the log rising factorial.

For a whole n it is the sum of log(z), log(z + 1), ..., log(z + n - 1). Summed over customers,
log(z + i) counts once for each with n above i, so the sum does not need gamma functions, and its
cost is the largest n, not the number of customers.
"""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import (
    digamma_difference,
    log_poch,
    trigamma_difference,
)
from crmkit.models.numerics.grouped_sums import of_group, summed

_LARGEST_COUNT = 2**14
"""Above this count gamma functions of the distinct counts cost less."""


class LogGammaSums:
    """Sum for each group of customers as a function of z, with first and second derivatives.

    Parameters
    ----------
    counts
        The distinct n of each group.
    n_customers
        Number of customers with each.
    group
        The group of each, numbered from 0.
    n_groups
        Number of groups.
    """

    def __init__(
        self, counts: Floats, n_customers: Floats, *, group: Codes, n_groups: int = 1
    ) -> None:
        self._counts, self._n, self._group, self._n_groups = counts, n_customers, group, n_groups
        whole = counts.astype(np.int64)
        most = int(whole.max(initial=0))
        self._by_steps = n_groups == 1 and most <= _LARGEST_COUNT and bool((whole == counts).all())
        if self._by_steps:
            self._steps = np.arange(most, dtype=np.float64)
            self._n_above = np.cumsum(np.bincount(whole, n_customers, most + 1)[:0:-1])[::-1]

    def __call__(self, z: Floats, /) -> Floats:
        """Value, first and second derivative, a row each, for a z of each group."""
        if self._by_steps:
            rising = z + self._steps
            slope = 1 / rising
            found = [np.log(rising), slope, -slope * slope]
            return np.array([[self._n_above @ each] for each in found])
        z = of_group(z, self._group)
        sums = [
            rise(z, self._counts) for rise in (log_poch, digamma_difference, trigamma_difference)
        ]
        return np.stack([summed(each, self._n, self._group, self._n_groups) for each in sums])
