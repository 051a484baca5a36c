r"""Quadrature over a Beta distribution, to twelve digits for any shape.

The dropout probability p varies across customers as Beta(a, b), and most forecasts are a mean
over it. On the scale :math:`u = \log(p / (1 - p))` such an integrand is smooth and decays on
both sides, so the trapezoidal rule converges faster than any power of its step. Two measures for
extreme shapes:

- the tails fall like :math:`e^{au}` and :math:`e^{-bu}`, too slowly when a or b is small, so
  beyond the last knee of the integrand the nodes move apart exponentially;
- where a and b are both large the bulk is narrow, and the nodes are scaled to its width.

References
----------
Takahasi, H. & Mori, M. (1974). Double exponential formulas for numerical integration.
*Publications of RIMS* 9(3), 721-741. https://doi.org/10.2977/prims/1195192451.
Trefethen, L. N. & Weideman, J. A. C. (2014). The exponentially convergent trapezoidal rule.
*SIAM Review* 56(3), 385-458. https://doi.org/10.1137/130932132.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real

_STEP = 0.25
_TINIEST_LOG_P = -460.0
"""Below this p, a function with its knee at 1e-20 or above is constant to the last digit."""

_FARTHEST = 80.0
_HALVINGS = 24


def beta_rule(a: Real, b: Floats, *, steepness: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights of a mean over Beta(a, b), a row for each b; `a` may be a scalar.

    The mean of f is `(weights * f(nodes)).sum(axis=1)`, for a positive f that is smooth in
    log p, flat below p = 1 / steepness and nowhere falling faster than 1 / p.
    """
    a, b = (each[:, np.newaxis] for each in np.broadcast_arrays(a, b))
    log_steepness = np.log1p(steepness)[:, np.newaxis]
    centre = np.log(a / b)
    width = np.minimum(1.0, 1.8 * np.sqrt(1 / a + 1 / b))
    left = 1 + np.maximum(centre + log_steepness, 0.0) / width
    right = 1 + np.maximum(-centre, 0.0) / width

    def log_odds(t: Floats) -> Floats:
        return centre + width * (t - np.exp(-t - left) + np.exp(t - right))

    def log_density(u: Floats) -> Floats:
        return a * log_expit(u) + b * log_expit(-u)

    # What is cut off at either end is below 1e-17 of the mean.
    floor = log_density(centre) - 40.0 - log_steepness
    start = -_last_inside(lambda t: log_density(log_odds(-t)) > floor, like=centre)
    end = _last_inside(lambda t: log_density(log_odds(t)) > floor, like=centre)
    n_nodes = int(np.ceil((end - start).max(initial=0.0) / _STEP)) + 1
    t = start + _STEP * np.arange(n_nodes)
    u = log_odds(np.minimum(t, end))
    stretch = 1 + np.exp(-t - left) + np.exp(t - right)
    weights = np.where(t <= end, np.exp(log_density(u) - log_density(centre)) * stretch, 0.0)
    nodes = np.exp(np.maximum(log_expit(u), _TINIEST_LOG_P))
    return nodes, weights / weights.sum(axis=1, keepdims=True)


def _last_inside(inside: Callable[[Floats], npt.NDArray[np.bool_]], *, like: Floats) -> Floats:
    """Find by bisection the distance from 0 where `inside` ceases to hold."""
    near, far = np.zeros_like(like), np.full_like(like, _FARTHEST)
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        holds = inside(middle)
        near, far = np.where(holds, middle, near), np.where(holds, far, middle)
    return far
