"""Chebyshev interpolation of a costly smooth function of two variables at many points.

The plane is divided into squares of side 2, the same for all tables. In a square with more rows
than Chebyshev points, the function is computed at these points and interpolated at each row. For a
function without singularity nearer than 2 to the real axes the relative error is 1e-12.

References
----------
Trefethen, L. N. (2013). *Approximation Theory and Approximation Practice*, chapter 8. SIAM.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct

_SIDE = 2.0
_N_POINTS = 20

Exact = Callable[[Codes, Floats, Floats], Floats]
"""Function of the kind and both variables of each point."""


class Panel(NamedTuple):
    """A square with enough rows, and its Chebyshev points."""

    rows: Codes
    first: Floats
    second: Floats


def interpolated(exact: Exact, kind: Codes, first: Floats, second: Floats) -> tuple[Floats, Codes]:
    """Interpolate the function at all rows of full squares; also return the rows in none.

    Each kind of row has its own function. Where the second variable is constant, a square is a
    line.
    """
    found = np.full(len(kind), math.nan)
    panels, alone = _panels(kind, first, second)
    # All squares at once, since each call has a fixed cost.
    of_kind = [
        np.full(len(panel.first) * len(panel.second), kind[panel.rows[0]]) for panel in panels
    ]
    firsts = [np.repeat(panel.first, len(panel.second)) for panel in panels]
    seconds = [np.tile(panel.second, len(panel.first)) for panel in panels]
    if panels:
        values = exact(*(np.concatenate(each) for each in (of_kind, firsts, seconds)))
        ends = np.cumsum([len(each) for each in firsts])
        for panel, at_points in zip(panels, np.split(values, ends[:-1]), strict=True):
            found[panel.rows] = _at_rows(panel, at_points, first, second)
    return found, alone


def _panels(kind: Codes, first: Floats, second: Floats) -> tuple[list[Panel], Codes]:
    """Group rows by kind and square; the rest are better computed directly."""
    if not len(kind):
        return [], np.zeros(0, np.int64)
    is_line = bool((second == second[0]).all())
    key = kind - kind.min()
    for column in (first, second):
        square = np.floor(column / _SIDE)
        square -= square.min()
        key = key * (int(square.max()) + 1) + square.astype(np.int64)
    keys, of_row = distinct(key)
    order = np.argsort(of_row, kind="stable")
    together = np.split(order, np.cumsum(np.bincount(of_row, minlength=len(keys)))[:-1])
    n_points = _N_POINTS if is_line else _N_POINTS**2
    full = [rows for rows in together if len(rows) > n_points]
    panels = [
        Panel(rows, _points(first[rows[0]]), second[:1] if is_line else _points(second[rows[0]]))
        for rows in full
    ]
    alone = np.ones(len(kind), np.bool_)
    for rows in full:
        alone[rows] = False
    return panels, np.flatnonzero(alone)


def _at_rows(panel: Panel, values: Floats, first: Floats, second: Floats) -> Floats:
    """Evaluate the interpolating polynomial of a square at its rows."""
    n, rows = (len(panel.first), len(panel.second)), panel.rows
    series = _to_series(n[0]) @ values.reshape(n) @ _to_series(n[1]).T
    along = _basis(first[rows], n[0]) @ series
    return np.asarray(np.einsum("ij,ij->i", along, _basis(second[rows], n[1])))


def _points(value: float) -> Floats:
    """Chebyshev points of the square that contains a value, along one side."""
    middle = (math.floor(value / _SIDE) + 0.5) * _SIDE
    points: Floats = middle + _SIDE / 2 * np.cos(_angles(_N_POINTS))
    return points


def _basis(values: Floats, n: int) -> Floats:
    """Chebyshev polynomials at values, each in its square."""
    place = 2 * (values / _SIDE - np.floor(values / _SIDE)) - 1
    return np.asarray(chebvander(place, n - 1))


def _to_series(n: int) -> Floats:
    """Matrix from values at n points to the coefficients of a Chebyshev series."""
    matrix = 2 / n * np.cos(np.outer(np.arange(n), _angles(n)))
    matrix[0] /= 2
    return np.asarray(matrix)


def _angles(n: int) -> Floats:
    return math.pi * (np.arange(n) + 0.5) / n
