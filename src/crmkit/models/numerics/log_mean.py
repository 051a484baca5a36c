"""What each factor of a product adds to its change, whatever the order of the factors."""

from __future__ import annotations

import math
from collections.abc import Sequence


def contributions(now: Sequence[float], before: Sequence[float]) -> list[float] | None:
    """Give what each factor adds to the change of the product of all; None at zero or below.

    The logarithmic mean of both products times the logarithm of a factor's growth is its part. The
    parts add up to the change without a rest and depend on no order (Ang 2004, Energy Policy 32,
    1131-1139: the LMDI method).
    """
    if min(*now, *before) <= 0:
        return None
    mean = log_mean(math.prod(now), math.prod(before))
    return [mean * math.log(new / old) for new, old in zip(now, before, strict=True)]


def log_mean(a: float, b: float) -> float:
    """Give the logarithmic mean of two numbers above 0."""
    return a if math.isclose(a, b, rel_tol=1e-12) else (a - b) / math.log(a / b)
