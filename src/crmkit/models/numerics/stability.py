"""Population stability index: how far shares have moved, and how far chance moves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

Floats = npt.NDArray[np.float64]

_HALF: Final = 0.5
"""An empty class counts as half a customer: the logarithm of 0 would make any change endless."""


MODERATE, LARGE = 0.1, 0.25
"""Bands of the PSI: a rule of thumb of credit scoring."""

Change: TypeAlias = Literal["little", "moderate", "large"]

_LEVEL: Final = 0.95


class Movement(NamedTuple):
    """The index, what chance alone gives, and how large the change beyond chance is."""

    psi: float
    chance: float
    change: Change


def movement(expected: Sequence[int], actual: Sequence[int]) -> Movement:
    """Compare two counts by the same classes; what chance may have done counts as little."""
    psi = population_stability(expected, actual)
    chance = stability_by_chance(
        len(expected), expected=sum(expected), actual=sum(actual), level=_LEVEL
    )
    return Movement(psi, chance, change_of(psi if psi > chance else 0.0, MODERATE, LARGE))


def change_of(size: float, moderate: float, large: float) -> Change:
    """Name a change by two bands."""
    if size >= large:
        return "large"
    return "moderate" if size >= moderate else "little"


def shares(counts: npt.ArrayLike) -> Floats:
    """Share of each class, an empty one as half a customer; NaN of an empty whole."""
    n = np.asarray(counts, dtype=np.float64)
    total = n.sum()
    return np.where(n > 0, n, _HALF) / total if total > 0 else np.full(n.shape, np.nan)


def population_stability(expected: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """PSI = sum((actual - expected) ln(actual / expected)), of two counts by the same classes.

    0 where nothing has moved, the same in both directions, NaN where either counts nobody. Classes
    that are empty in both are left out.

    Siddiqi, N. (2006). Credit Risk Scorecards. Wiley. It is the symmetric divergence of
    Kullback, S. & Leibler, R. A. (1951), Annals of Mathematical Statistics 22(1), 79-86.
    """
    then, now = (np.asarray(each, dtype=np.float64) for each in (expected, actual))
    there = (then > 0) | (now > 0)
    p, q = shares(then[there]), shares(now[there])
    return float(((q - p) * np.log(q / p)).sum())


def stability_by_chance(n_classes: int, *, expected: float, actual: float, level: float) -> float:
    """PSI that two samples of one population stay below with this probability.

    Of samples of n and m, PSI / (1/n + 1/m) is about chi-squared with `n_classes` - 1 degrees of
    freedom: Yurdakul, B. (2018). Statistical Properties of Population Stability Index.
    Dissertation, Western Michigan University.
    """
    if n_classes < 2:  # noqa: PLR2004 - a single class cannot move
        return 0.0
    quantile: Any = 2 * gammaincinv((n_classes - 1) / 2, level)
    return float(quantile * (1 / expected + 1 / actual))
