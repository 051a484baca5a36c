"""Compare with a published value at the precision it was printed with."""

from __future__ import annotations


def printed(value: float, *, like: str) -> str:
    """Write `value` with as many decimals as `like` shows."""
    return f"{value:.{len(like.partition('.')[2])}f}"
