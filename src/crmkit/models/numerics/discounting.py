r"""Discounted expected purchases, one quadrature for every purchase model.

A purchase s days ahead counts :math:`e^{-\delta s}` with
:math:`\delta = \log(1 + \text{annual\_discount\_rate}) / 365.25`. For E(s) purchases expected
within s days, integration by parts gives

.. math::

    \int_0^h e^{-\delta s} dE(s) = e^{-\delta h} E(h) + \delta \int_0^h e^{-\delta s} E(s) ds,

which needs no more of a model than its E. Beyond :math:`40 / \delta` days nothing counts in
sixteen digits, so that "for ever" ends there.
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
"""Discounted by exp(-40), what is left of an endless stream is below 1e-15 of it."""


def discounted(
    expected: Callable[[float], Floats],
    *,
    horizon_days: float,
    annual_discount_rate: float,
    bend_days: float,
) -> Floats:
    """Discount a stream of expected purchases to its beginning.

    Parameters
    ----------
    expected
        Purchases expected within so many days, for each customer; 0 within 0 days.
    horizon_days
        How far to look ahead; `math.inf` is for ever, with a rate above 0.
    annual_discount_rate
        A fraction, 0 or more; 0.1 makes a purchase a year ahead count 1 / 1.1.
    bend_days
        The shortest time over which `expected` bends, such as that to the next purchase of the
        most frequent buyer. Nodes are spread evenly in log(1 + days / bend_days), so that any
        horizon is seen sharply.

    Raises
    ------
    InvalidArgumentError
        If `annual_discount_rate` is negative or not a finite number, or 0 over an endless
        horizon.

    Examples
    --------
    One purchase a day for a year, at 10 % a year:

    >>> year = discounted(
    ...     lambda days: np.array([days]),
    ...     horizon_days=365.25,
    ...     annual_discount_rate=0.1,
    ...     bend_days=30.0,
    ... )
    >>> round(float(year[0]), 2)
    348.38
    """
    delta = _daily_rate(annual_discount_rate)
    horizon_days = days_that_count(horizon_days, annual_discount_rate=annual_discount_rate)
    total = expected(horizon_days) * math.exp(-delta * horizon_days)
    if delta == 0:
        return total
    for days, weight in _nodes(horizon_days, min(bend_days, 1 / delta)):
        total = total + weight * delta * math.exp(-delta * days) * expected(days)
    return total


def days_that_count(horizon_days: float, *, annual_discount_rate: float) -> float:
    """Cut a horizon off where discounting leaves nothing: the longest `discounted` looks ahead.

    Raises
    ------
    InvalidArgumentError
        As `discounted` does.

    Examples
    --------
    >>> round(days_that_count(math.inf, annual_discount_rate=0.1))
    153289
    """
    delta = _daily_rate(annual_discount_rate)
    if delta > 0:
        return min(horizon_days, _ENDLESS / delta)
    if horizon_days == math.inf:
        msg = (
            "annual_discount_rate must be above 0 over an endless horizon, got 0.\n"
            "Undiscounted purchases for ever need not have a finite sum."
        )
        raise InvalidArgumentError(msg)
    return horizon_days


def _daily_rate(annual_discount_rate: float) -> float:
    """Turn an annual rate into a continuous one a day."""
    if not 0 <= annual_discount_rate < math.inf:
        msg = (
            f"annual_discount_rate must be a fraction of 0 or more, got {annual_discount_rate}.\n"
            "Write 10 % as 0.1."
        )
        raise InvalidArgumentError(msg)
    return math.log1p(annual_discount_rate) / DAYS_PER_YEAR


def _nodes(horizon_days: float, bend_days: float) -> list[tuple[float, float]]:
    """Nodes and weights of Gauss and Legendre, even in log(1 + days / bend_days)."""
    reach = math.log1p(horizon_days / bend_days)
    node, weight = legendre_rule(8 + math.ceil(4 * reach))
    v = reach * (node + 1) / 2
    days = bend_days * np.expm1(v)
    return list(zip(days.tolist(), (weight * reach / 2 * (bend_days + days)).tolist(), strict=True))
