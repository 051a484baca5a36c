r"""How often one buys whose rate is not known but varies as a Gamma distribution.

With a rate :math:`\lambda \sim \mathrm{Gamma}(\text{shape}, \text{scale})`, arrivals at random
within some days are negative binomial, and :math:`z = \text{days} / \text{scale}` is all that the
days matter for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from crmkit.models.arrays import Floats
from crmkit.models.gamma_ratio import Real, log_rising

_LEAST_LOG = -600.0
"""A probability below exp(-708) is no longer a number with all its digits."""


def exactly(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals."""
    ways = log_rising(shape, n) - gammaln(np.add(n, 1))
    return np.exp(ways - shape * np.log1p(z) + xlogy(n, z / (1 + z)))


def one_by_one(most: int, shape: Floats, z: Floats) -> Iterator[Floats]:
    """Probability of 0, 1, ... `most` arrivals, each from the one before where that is safe."""
    log_none = -shape * np.log1p(z)
    if log_none.min(initial=0.0) < _LEAST_LOG:
        yield from (exactly(n, shape, z) for n in range(most + 1))
        return
    chance, share = np.exp(log_none), z / (1 + z)
    for n in range(most + 1):
        yield chance
        chance = chance * ((shape + n) / (n + 1)) * share


def at_least(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals or more."""
    return np.where(np.greater(n, 0), betainc(np.maximum(n, 1), shape, z / (1 + z)), 1.0)
