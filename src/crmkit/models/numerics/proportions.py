"""Score intervals of proportions and of their difference."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def wilson(k: Floats, n: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Wilson's score interval of k of n; NaN where n is 0."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (k + z * z / 2) / (n + z * z)
        half = np.sqrt(k * (n - k) / n + z * z / 4) * z / (n + z * z)
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)


def newcombe(
    k: Floats, n: Floats, k_other: Floats, n_other: Floats, *, level: float
) -> tuple[Floats, Floats]:
    """Newcombe's interval of the difference of two proportions, from the two of Wilson.

    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions.
    *Statistics in Medicine* 17, 873-890, method 10.
    """
    low, high = wilson(k, n, level=level)
    low_other, high_other = wilson(k_other, n_other, level=level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, p_other = k / n, k_other / n_other
    difference = p - p_other
    return (
        difference - np.hypot(p - low, high_other - p_other),
        difference + np.hypot(high - p, p_other - low_other),
    )
