"""Score intervals of proportions and of their difference."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def wilson(k: Any, n: Any, *, level: float) -> tuple[Floats, Floats]:  # noqa: ANN401 - counts
    """Wilson's score interval of k of n; 0 and 1 where n is 0."""
    return wilson_at(k, n, z=NormalDist().inv_cdf((1 + level) / 2))


def wilson_at(k: Any, n: Any, *, z: float) -> tuple[Floats, Floats]:  # noqa: ANN401 - counts
    """Wilson's score interval at a distance of z standard errors."""
    middle = (k + z * z / 2) / (n + z * z)
    half = np.sqrt(k * (n - k) / np.maximum(n, 1) + z * z / 4) * z / (n + z * z)
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
