r"""How often one buys whose rate is not known but varies as a Gamma distribution.

With a rate :math:`\lambda \sim \mathrm{Gamma}(\text{shape}, \text{scale})`, arrivals at random
within some days are negative binomial, and :math:`z = \text{days} / \text{scale}` is all that the
days matter for.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from crmkit.models.arrays import Floats
from crmkit.models.gamma_ratio import Real, log_rising


def exactly(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals."""
    ways = log_rising(shape, n) - gammaln(np.add(n, 1))
    return np.exp(ways - shape * np.log1p(z) + xlogy(n, z / (1 + z)))


def at_least(n: Real, shape: Floats, z: Floats) -> Floats:
    """Probability of n arrivals or more."""
    return np.where(np.greater(n, 0), betainc(np.maximum(n, 1), shape, z / (1 + z)), 1.0)
