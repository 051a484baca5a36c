"""Gauss-Legendre nodes and weights, cached by their number."""

from __future__ import annotations

from functools import cache

from scipy.special import roots_legendre

from crmkit.models.numerics.arrays import Floats


@cache
def legendre_rule(n_nodes: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre rule on [-1, 1], exact for polynomials below degree 2 n.

    Examples
    --------
    >>> node, weight = legendre_rule(2)
    >>> round(float(weight @ node**2), 12) == round(2 / 3, 12)
    True
    """
    node, weight = roots_legendre(n_nodes)
    for array in (node, weight):
        array.flags.writeable = False
    return node, weight
