"""Whether the groups of an experiment were alike before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def largest(
    mine: Mapping[str, float], others: Mapping[str, float], names: Sequence[str]
) -> dict[str, Any]:
    """The largest standardized difference of two groups, and the column of it."""
    found = {name: standardized(mine, others, name) for name in names}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return {"imbalance": None, "imbalance_in": None}
    name = max(known, key=lambda each: abs(known[each]))
    return {"imbalance": known[name], "imbalance_in": name}


def standardized(mine: Mapping[str, float], others: Mapping[str, float], name: str) -> float | None:
    """Difference of means over the root of the mean variance; None where it is unknown.

    Austin, P. C. (2009). Balance diagnostics for comparing the distribution of baseline
    covariates. *Statistics in Medicine* 28, 3083-3107.
    """
    groups = [_moments(each, name) for each in (mine, others)]
    if None in groups:
        return None
    (mean, variance), (other, other_variance) = groups  # type: ignore[misc] # neither is None
    spread = math.sqrt((variance + other_variance) / 2)
    if not spread:
        return 0.0 if mean == other else math.copysign(math.inf, mean - other)
    return (mean - other) / spread


def _moments(sums: Mapping[str, float], name: str) -> tuple[float, float] | None:
    n = sums[f"n {name}"]
    if n <= 1:
        return None
    mean = sums[f"sum {name}"] / n
    return mean, max(sums[f"sum2 {name}"] / n - mean * mean, 0.0) * n / (n - 1)
