"""Nodes and weights of Gauss and Legendre, each number of them found once."""

from __future__ import annotations

from functools import cache

from scipy.special import roots_legendre

from crmkit.models.numerics.arrays import Floats


@cache
def legendre_rule(n_nodes: int) -> tuple[Floats, Floats]:
    """Give the rule that is exact for polynomials below degree 2 n between -1 and 1.

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
