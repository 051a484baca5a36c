r"""Discounted expected purchases (DERT), by one quadrature for all purchase models.

A purchase s days ahead counts :math:`e^{-\delta s}` with
:math:`\delta = \log(1 + \text{annual\_discount\_rate}) / 365.25`. For E(s) purchases expected
within s days, integration by parts gives

.. math::

    \int_0^h e^{-\delta s} dE(s) = e^{-\delta h} E(h) + \delta \int_0^h e^{-\delta s} E(s) ds,

which only uses E of a model. Beyond :math:`40 / \delta` days nothing contributes in sixteen
digits, so that an infinite horizon ends there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.legendre import legendre_rule

DAYS_PER_YEAR = 365.25

_ENDLESS = 40.0
"""Discounted by exp(-40), the rest of an infinite stream is below 1e-15 of it."""


def discounted(
    expected: Callable[[float], Floats],
    *,
    horizon_days: float,
    annual_discount_rate: float,
    resolution_days: float,
) -> Floats:
    """Present value of a stream of expected purchases.

    Parameters
    ----------
    expected
        Function of the number of days: purchases expected within it, for each customer.
    horizon_days
        Length of the horizon; `math.inf` needs a rate above 0.
    annual_discount_rate
        A fraction, 0 or more; 0.1 makes a purchase a year ahead count 1 / 1.1.
    resolution_days
        Shortest time scale of `expected`, such as the time to the next purchase of the most
        frequent buyer. Nodes are spread evenly in log(1 + days / resolution_days), so that any
        horizon is resolved.

    Raises
    ------
    InvalidArgumentError
        If `annual_discount_rate` is negative or not a finite number, or 0 with an infinite
        horizon.

    Examples
    --------
    One purchase a day for a year, at 10 % a year:

    >>> year = discounted(
    ...     lambda days: np.array([days]),
    ...     horizon_days=365.25,
    ...     annual_discount_rate=0.1,
    ...     resolution_days=30.0,
    ... )
    >>> round(float(year[0]), 2)
    348.38
    """
    delta = _daily_rate(annual_discount_rate)
    horizon_days = effective_horizon(horizon_days, annual_discount_rate=annual_discount_rate)
    total = expected(horizon_days) * math.exp(-delta * horizon_days)
    if delta == 0:
        return total
    for days, weight in _nodes(horizon_days, min(resolution_days, 1 / delta)):
        total = total + weight * delta * math.exp(-delta * days) * expected(days)
    return total


def effective_horizon(horizon_days: float, *, annual_discount_rate: float) -> float:
    """Horizon beyond which discounted purchases are negligible.

    Raises
    ------
    InvalidArgumentError
        As `discounted` does.

    Examples
    --------
    >>> round(effective_horizon(math.inf, annual_discount_rate=0.1))
    153289
    """
    delta = _daily_rate(annual_discount_rate)
    if delta > 0:
        return min(horizon_days, _ENDLESS / delta)
    if horizon_days == math.inf:
        msg = (
            "annual_discount_rate must be above 0 with an infinite horizon, got 0.\n"
            "The undiscounted sum need not be finite."
        )
        raise InvalidArgumentError(msg)
    return horizon_days


def _daily_rate(annual_discount_rate: float) -> float:
    """Continuous daily rate of an annual one."""
    if not 0 <= annual_discount_rate < math.inf:
        msg = (
            f"annual_discount_rate must be a fraction of 0 or more, got {annual_discount_rate}.\n"
            "Write 10 % as 0.1."
        )
        raise InvalidArgumentError(msg)
    return math.log1p(annual_discount_rate) / DAYS_PER_YEAR


def _nodes(horizon_days: float, resolution_days: float) -> list[tuple[float, float]]:
    """Gauss-Legendre nodes and weights, even in log(1 + days / resolution_days)."""
    reach = math.log1p(horizon_days / resolution_days)
    node, weight = legendre_rule(8 + math.ceil(4 * reach))
    v = reach * (node + 1) / 2
    days = resolution_days * np.expm1(v)
    return list(
        zip(days.tolist(), (weight * reach / 2 * (resolution_days + days)).tolist(), strict=True)
    )
