r"""Survival as a ratio of two beta functions, with all its digits.

Survival in the contract models is
:math:`B(a, z + n) / B(a, z) = E[(1 - \theta)^n]` for :math:`\theta \sim \mathrm{Beta}(a, z)`.
It is symmetric in a and n; with the smaller of the two as the step, all digits are kept.
"""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real, digamma_difference, log_poch

_SHORT = 1e-5
"""Step, as a share of z, below which the difference is the derivative at its middle."""


def minus_log_survival(a: Real, z: Real, n: Real) -> Floats:
    """Minus the log of B(a, z + n) / B(a, z), 0 or more."""
    step, shift = np.minimum(a, n), np.maximum(a, n)
    difference = log_poch(np.add(z, shift), step) - log_poch(z, step)
    slope = digamma_difference(np.add(z, step / 2), shift)
    return np.where(step < _SHORT * np.asarray(z), step * slope, difference)
