"""Sums over customers of the log of gamma(z + n) / gamma(z), which all counts of purchases need.

For a whole n it is the sum of log(z), log(z + 1), ..., log(z + n - 1). Summed over customers,
log(z + i) counts once for each whose n is above i, so no gamma function is needed, and what it
costs is the largest n, not the number of customers.
"""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.numerics.grouped_sums import own, summed

_LARGEST_COUNT = 2**14
"""Beyond it gamma functions of the distinct counts cost less."""


class Risings:
    """The sum for each group of customers as a function of z, with its slope and bend.

    Parameters
    ----------
    counts
        The distinct n of each group.
    n_customers
        How many customers each stands for.
    group
        The group of each, numbered from 0.
    n_groups
        How many groups there are.
    """

    def __init__(
        self, counts: Floats, n_customers: Floats, *, group: Codes, n_groups: int = 1
    ) -> None:
        self._counts, self._n, self._group, self._n_groups = counts, n_customers, group, n_groups
        whole = counts.astype(np.int64)
        most = int(whole.max(initial=0))
        self._one_by_one = (
            n_groups == 1 and most <= _LARGEST_COUNT and bool((whole == counts).all())
        )
        if self._one_by_one:
            self._steps = np.arange(most, dtype=np.float64)
            self._n_above = np.cumsum(np.bincount(whole, n_customers, most + 1)[:0:-1])[::-1]

    def __call__(self, z: Floats, /) -> Floats:
        """Give value, slope and bend, a row each, for a z of each group."""
        if self._one_by_one:
            rising = z + self._steps
            slope = 1 / rising
            found = [np.log(rising), slope, -slope * slope]
            return np.array([[self._n_above @ each] for each in found])
        z = own(z, self._group)
        risings = [rise(z, self._counts) for rise in (log_rising, digamma_rising, trigamma_rising)]
        return np.stack([summed(each, self._n, self._group, self._n_groups) for each in risings])
