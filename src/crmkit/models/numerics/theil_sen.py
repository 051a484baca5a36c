"""Theil-Sen slopes of many series of equal length, with Sen's interval."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats

_CELLS_AT_ONCE: Final = 4_000_000


def slopes(series: Floats, *, level: float) -> tuple[Floats, Floats, Floats]:
    """Give the median slope of each row and the bounds of its interval.

    A row is a series at times 0, 1, 2, ... The interval inverts Kendall's test of no trend (Sen
    1968, Journal of the American Statistical Association 63, 1379-1389), with ties counted. Where
    even a series that only rises would not be significant, the bounds are NaN: of n! orders two are
    the extreme ones.
    """
    n_rows, n = series.shape
    lower, upper = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
    middle = np.full(n_rows, np.nan)
    if n < 2:  # noqa: PLR2004 - one point has no slope
        return middle, lower, upper
    first, last = np.triu_indices(n, k=1)
    n_pairs = len(first)
    step = max(_CELLS_AT_ONCE // n_pairs, 1)
    is_testable = 2 / math.factorial(n) <= 1 - level
    for start in range(0, n_rows, step):
        rows = slice(start, start + step)
        part = series[rows]
        ranked = np.sort((part[:, last] - part[:, first]) / (last - first), axis=1)
        middle[rows] = np.median(ranked, axis=1)
        if is_testable:
            low, high = _places(part, n_pairs=n_pairs, level=level)
            at = np.arange(len(part))
            lower[rows], upper[rows] = ranked[at, low], ranked[at, high]
    return middle, lower, upper


def _places(part: Floats, *, n_pairs: int, level: float) -> tuple[Codes, Codes]:
    """Give the places of both bounds among the sorted slopes."""
    n = part.shape[1]
    ties = np.zeros(len(part))
    ordered = np.sort(part, axis=1)
    run = np.ones(len(part))
    for i in range(1, n + 1):
        goes_on = ordered[:, i] == ordered[:, i - 1] if i < n else np.zeros(len(part), dtype=bool)
        ties += np.where(goes_on, 0.0, run * (run - 1) * (2 * run + 5))
        run = np.where(goes_on, run + 1, 1.0)
    spread = np.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread
    low = np.maximum(np.rint((n_pairs - reach) / 2) - 1, 0).astype(np.int64)
    high = np.minimum(np.rint((n_pairs + reach) / 2), n_pairs - 1).astype(np.int64)
    return low, high
