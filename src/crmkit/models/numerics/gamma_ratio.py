r"""Ratios of gamma functions that keep their digits when the arguments are huge.

:math:`\log\Gamma(z + n) - \log\Gamma(z)` loses all digits at z = 1e12 if computed directly.
With Stirling's formula only the small error term is a difference, which keeps them, so that a
search may follow a parameter that grows without bound.

References
----------
Loader, C. (2000). Fast and accurate computation of binomial probabilities. (The error term of
Stirling's formula as a separate function.)
Abramowitz, M. & Stegun, I. (1964). *Handbook of Mathematical Functions*, 6.1.40, 6.3.18, 6.4.12.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from crmkit.models.numerics.arrays import Floats

Real = float | Floats

_LARGE = 20.0
"""Above this the series below are exact to the last digit."""

_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def log_poch(z: Real, n: Real) -> Floats:
    """Log rising factorial: log gamma(z + n) - log gamma(z), for z > 0 and n >= 0."""
    end = np.add(z, n)
    smooth = (end - 0.5) * np.log1p(np.divide(n, z)) + n * np.log(z) - n
    return smooth + _stirling_error(end) - _stirling_error(z)


def digamma_difference(z: Real, n: Real) -> Floats:
    """First derivative of `log_poch` by z: digamma(z + n) - digamma(z)."""
    end = np.add(z, n)
    smooth = np.log1p(np.divide(n, z)) + 0.5 * n / z / end
    return smooth + _stirling_error_slope(end) - _stirling_error_slope(z)


def trigamma_difference(z: Real, n: Real) -> Floats:
    """Second derivative of `log_poch` by z: trigamma(z + n) - trigamma(z)."""
    end = np.add(z, n)
    smooth = -n / z / end - 0.5 * n / z / end * (1 / z + 1 / end)
    return smooth + _stirling_error_curvature(end) - _stirling_error_curvature(z)


def _stirling_error(z: Real) -> Floats:
    """Error of Stirling's formula for log gamma(z)."""
    big, small = np.maximum(z, _LARGE), np.minimum(z, _LARGE)
    w = 1 / big**2
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / big
    direct = gammaln(small) - (small - 0.5) * np.log(small) + small - _HALF_LOG_TWO_PI
    return np.where(np.greater(z, _LARGE), series, direct)


def _stirling_error_slope(z: Real) -> Floats:
    big, small = np.maximum(z, _LARGE), np.minimum(z, _LARGE)
    w = 1 / big**2
    series = -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))))
    direct = digamma(small) - np.log(small) + 0.5 / small
    return np.where(np.greater(z, _LARGE), series, direct)


def _stirling_error_curvature(z: Real) -> Floats:
    big, small = np.maximum(z, _LARGE), np.minimum(z, _LARGE)
    w = 1 / big**2
    series = w / big * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * 5 / 66))))
    direct = polygamma(1, small) - 1 / small - 0.5 / small**2
    return np.where(np.greater(z, _LARGE), series, direct)
