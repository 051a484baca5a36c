r"""How many stay: the ratio of two beta functions, with all its digits.

Survival in the models of contracts is
:math:`B(a, z + n) / B(a, z) = E[(1 - \theta)^n]` for :math:`\theta \sim \mathrm{Beta}(a, z)`.
Step and shift may change places in it; the smaller of a and n taken as the step keeps the digits.
"""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real, digamma_rising, log_rising

_SHORT = 1e-5
"""Over a step this short, as a part of z, a difference is its slope in the middle."""


def log_loss(a: Real, z: Real, n: Real) -> Floats:
    """Minus the log of B(a, z + n) / B(a, z): how much is lost in n steps, 0 or more."""
    step, shift = np.minimum(a, n), np.maximum(a, n)
    difference = log_rising(np.add(z, shift), step) - log_rising(z, step)
    slope = digamma_rising(np.add(z, step / 2), shift)
    return np.where(step < _SHORT * np.asarray(z), step * slope, difference)
