"""Compare with a published value at the precision it was printed with."""

from __future__ import annotations

from collections.abc import Iterable


def printed(value: float, *, like: str) -> str:
    """Write `value` with as many decimals as `like` shows."""
    return f"{value:.{len(like.partition('.')[2])}f}"


def all_printed(values: Iterable[float], *, like: str) -> str:
    """Write `values` side by side, each as its number in `like`."""
    return " ".join(printed(v, like=number) for v, number in zip(values, like.split(), strict=True))
