"""Concordance of a risk with the order in which contracts ended."""

from __future__ import annotations

import numpy as np

from crmkit._churn.survival.durations import Flags
from crmkit._door.frames import Floats


def concordance(
    duration: Floats, event: Flags, risk: Floats, *, strata: Floats | None = None
) -> float:
    """Share of usable pairs in which the higher risk ended first (Harrell); ties count half.

    A pair is usable where one ended while the other still ran.
    """
    groups = np.zeros(len(duration)) if strata is None else strata
    agree = usable = 0.0
    for group in np.unique(groups):
        mine = groups == group
        more = _pairs(duration[mine], event[mine], risk[mine])
        agree, usable = agree + more[0], usable + more[1]
    return float(agree / usable) if usable else float("nan")


def _pairs(duration: Floats, event: Flags, risk: Floats) -> tuple[float, float]:
    """Count the pairs from the last duration back, against all that ran longer."""
    longer = np.zeros(0)
    agree = usable = 0.0
    times = np.unique(duration)
    order = np.argsort(duration, kind="stable")
    starts = np.searchsorted(duration[order], times, side="left")
    ends = np.searchsorted(duration[order], times, side="right")
    for start, end in zip(starts[::-1], ends[::-1], strict=True):
        rows = order[start:end]
        ended = event[rows]
        longer = _joined(longer, risk[rows[~ended]])  # those censored then ran longer
        mine = risk[rows[ended]]
        below = np.searchsorted(longer, mine, side="left")
        upto = np.searchsorted(longer, mine, side="right")
        agree += float((below + (upto - below) / 2).sum())
        usable += float(len(mine) * len(longer))
        longer = _joined(longer, mine)
    return agree, usable


def _joined(ordered: Floats, more: Floats) -> Floats:
    more = np.sort(more)
    return np.insert(ordered, np.searchsorted(ordered, more), more) if len(more) else ordered
