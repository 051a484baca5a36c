r"""Negative binomial: Poisson arrivals whose rate has a Gamma distribution.

With a rate :math:`\lambda \sim \mathrm{Gamma}(\text{shape}, \text{scale})`, the number of arrivals
within a number of days is negative binomial, and depends on the days only through
:math:`z = \text{days} / \text{scale}`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real, log_poch

_LARGEST_LOG = 300.0
"""Numbers above exp(-300) keep all their digits."""


def pmf(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals."""
    ways = log_poch(shape, n) - gammaln(np.add(n, 1))
    return np.exp(ways - shape * np.log1p(z) + xlogy(n, z / (1 + z)))


def pmf_up_to(most: int, shape: Floats, z: Floats) -> Iterator[Floats]:
    """Probability of 0, 1, ... `most` arrivals, by recursion.

    Where the probability of 0 underflows, a factor exp(`late`) is kept apart until the terms have
    grown.
    """
    log_none, share = -shape * np.log1p(z), z / (1 + z)
    late = np.minimum(log_none + _LARGEST_LOG, 0.0)
    chance = np.exp(log_none - late)
    for n in range(most + 1):
        yield chance * np.exp(late) if late.any() else chance
        chance = chance * ((shape + n) / (n + 1) * share)
        if late.any():
            taken = np.where(chance > 1, np.minimum(-late, _LARGEST_LOG), 0.0)
            chance, late = chance * np.exp(-taken), late + taken


def at_least(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals or more."""
    return np.where(np.greater(n, 0), betainc(np.maximum(n, 1), shape, z / (1 + z)), 1.0)
