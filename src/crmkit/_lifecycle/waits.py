"""Median waits by the product limit: those who still wait count for as long as they were seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.product_limit import Curve, median, product_limit

Floats = npt.NDArray[np.float64]


class Wait(NamedTuple):
    """How many waited, and how many days, until it happened (1) or they were last seen (0)."""

    days: float
    event: int
    n: int


def medians(groups: Sequence[Sequence[Wait]], *, level: float) -> dict[str, Floats]:
    """Give the median wait of each group with its interval; NaN where it is not reached."""
    found = [_median(_curve(group), level=level) if group else (np.nan,) * 3 for group in groups]
    names = ("median", "median_lower", "median_upper")
    return dict(zip(names, np.array(found, dtype=np.float64).reshape(-1, 3).T, strict=True))


def shares(groups: Sequence[Sequence[Wait]]) -> Floats:
    """Give the share of each group to whom it happens within the longest wait that was seen."""
    found = [1 - _curve(group).survival[-1] if group else np.nan for group in groups]
    return np.array(found, dtype=np.float64)


def _curve(waits: Sequence[Wait]) -> Curve:
    days, event, n = (np.array(each, dtype=np.float64) for each in zip(*waits, strict=True))
    return product_limit(days, entry=np.full(len(days), -np.inf), event=event > 0, n=n)


def _median(curve: Curve, *, level: float) -> tuple[float, float, float]:
    lower, upper = curve.bounds("log-log", level=level)
    nobody = curve.survival <= 0
    return (
        median(curve.time, curve.survival),
        median(curve.time, np.where(nobody, 0.0, lower)),
        median(curve.time, np.where(nobody, 1.0, upper)),
    )
