r"""How often one buys whose rate is not known but varies as a Gamma distribution.

With a rate :math:`\lambda \sim \mathrm{Gamma}(\text{shape}, \text{scale})`, arrivals at random
within some days are negative binomial, and :math:`z = \text{days} / \text{scale}` is all that the
days matter for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real, log_rising

_LARGEST_LOG = 300.0
"""Between exp(-300) and 1 there is room for any number with all its digits."""


def exactly(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals."""
    ways = log_rising(shape, n) - gammaln(np.add(n, 1))
    return np.exp(ways - shape * np.log1p(z) + xlogy(n, z / (1 + z)))


def one_by_one(most: int, shape: Floats, z: Floats) -> Iterator[Floats]:
    """Probability of 0, 1, ... `most` arrivals, each from the one before.

    Where none at all is too rare to be a number, a factor of e to the power `late` waits until
    the chances have grown.
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
