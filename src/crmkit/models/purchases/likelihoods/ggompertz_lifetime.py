r"""Customer lifetimes with a Gamma-Gompertz distribution.

A customer drops out with the hazard :math:`\eta b e^{b t}` at age t, and across customers
:math:`\eta \sim \mathrm{Gamma}(s, \beta)`, so that

.. math::

    S(t) = \left(1 + \frac{e^{b t} - 1}{\beta}\right)^{-s}.

A customer active at age t has the lifetime distribution of a new one with the same b and s and
with :math:`B = 1 + (\beta - 1) e^{-b t}` for :math:`\beta`. Means over the day of dropout are
Gauss-Legendre sums at nodes evenly spread in :math:`\log(1 + (e^v - 1) / c)`, where v is the days
ahead times b and c is below each scale on which survival, purchases or discounting vary. In this
variable the nearest singularity is at a distance of :math:`\pi`.

References
----------
Bemmaor, A. C. & Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible
customer lifetime model. *Management Science* 58(5), 1012-1021.
https://doi.org/10.1287/mnsc.1110.1461.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.gamma_ratio import Real
from crmkit.models.numerics.legendre import legendre_rule

_ENDLESS = 40.0
"""Survival and discount factors below exp(-40) = 4e-18 are taken as 0."""

_TINIEST = 1e-300
_NODES_AT_ONCE = 2**16


def softplus(p: Floats) -> Floats:
    """Log of 1 + exp(p)."""
    return np.maximum(p, 0) + np.log1p(np.exp(-np.abs(p)))


def log_expm1(v: Floats) -> Floats:
    """Log of exp(v) - 1; that of 0 is a large negative number."""
    v = np.maximum(v, _TINIEST)
    return v + np.log(-np.expm1(-v))


def beta_at_age(t: Real, b: Real, beta: Real) -> Floats:
    """Beta of customers active at age t, B above; it approaches 1."""
    gone = np.multiply(-b, t)
    return beta * np.exp(gone) - np.expm1(gone)


def log_survival(days: Real, *, b: float, s: float, beta: Real) -> Floats:
    """Log survival function."""
    return -s * softplus(log_expm1(np.multiply(b, days)) - np.log(beta))


def active_days(
    beta: Floats, horizon_days: Floats, *, b: float, s: float, daily_rate: float = 0.0
) -> Floats:
    """Discounted expected active days within a horizon.

    `beta` is that of the present age; `daily_rate` is a continuous discount rate.
    """
    found = np.empty(len(beta))
    rate = daily_rate / b
    resolution = np.full(len(beta), 1 / rate if rate else math.inf)
    end = np.minimum(b * horizon_days, _ENDLESS * resolution)
    for rows, v, width in _nodes(beta, end, s=s, resolution=resolution, per_unit=4.0):
        still = log_survival(v, b=1.0, s=s, beta=beta[rows, np.newaxis])
        found[rows] = (np.exp(still - rate * v) * width).sum(axis=1) / b
    return found


def dropout_days(
    beta: Floats,
    *,
    horizon_days: float,
    b: float,
    s: float,
    resolution_days: Floats,
    per_unit: float,
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Nodes and probabilities of the day of dropout within a horizon, by blocks of rows.

    The last day is the horizon itself, with the probability of survival to it. The function to
    average varies over `resolution_days` and needs `per_unit` nodes per unit of their log.
    """
    end = np.full(len(beta), b * horizon_days)
    for rows, v, width in _nodes(beta, end, s=s, resolution=b * resolution_days, per_unit=per_unit):
        own = beta[rows, np.newaxis]
        stays = log_survival(np.full_like(own, horizon_days), b=b, s=s, beta=own)
        hazard = s / beta_at_age(v, 1.0, own)
        drops_out = width * hazard * np.exp(log_survival(v, b=1.0, s=s, beta=own))
        # Normalised, so that the probabilities sum to 1 to the last digit.
        drops_out *= -np.expm1(stays) / np.maximum(drops_out.sum(axis=1, keepdims=True), _TINIEST)
        days = np.append(v / b, np.full_like(own, horizon_days), axis=1)
        yield rows, days, np.append(drops_out, np.exp(stays), axis=1)


def _nodes(
    beta: Floats, end: Floats, *, s: float, resolution: Floats, per_unit: float
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Nodes v up to `end` and their widths, by blocks of rows."""
    if not len(beta):
        return
    gone = softplus(log_expm1(np.array(_ENDLESS / s)) + np.log(beta))
    end = np.minimum(end, gone)
    # Beyond this, survival falls as exp(-s v): the log of v is the better variable.
    plain = _ENDLESS + np.log(np.maximum(beta, 1))
    near = np.minimum(end, plain)
    soon = np.minimum(np.minimum(beta / (1 + s), 1.0), resolution) / 2
    reach = np.where(near > 0, softplus(log_expm1(near) - np.log(soon)), 0.0)
    further = np.log(np.maximum(end, plain) / plain)
    n_near = 12 + math.ceil(reach.max() * per_unit)
    n_late = 12 + math.ceil(further.max() * per_unit) if further.any() else 0
    node, weight = legendre_rule(n_near)
    n_rows = max(_NODES_AT_ONCE // (n_near + n_late), 1)
    for start in range(0, len(beta), n_rows):
        rows = slice(start, start + n_rows)
        length, first = reach[rows, np.newaxis] / 2, soon[rows, np.newaxis]
        y = length * (node + 1)
        grown = first * np.expm1(y)
        v, width = np.log1p(grown), weight * length * first * np.exp(y) / (1 + grown)
        if n_late:
            node_late, weight_late = legendre_rule(n_late)
            length = further[rows, np.newaxis] / 2
            late = plain[rows, np.newaxis] * np.exp(length * (node_late + 1))
            v = np.append(v, late, axis=1)
            width = np.append(width, weight_late * length * late, axis=1)
        yield rows, v, width
