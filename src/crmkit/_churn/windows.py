"""Windows of days: the trailing ones that features look at, and the one of the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final

import narwhals as nw

from crmkit._door import time
from crmkit._words.arguments import require_list, require_whole, shown
from crmkit.errors import InvalidArgumentError

_LONGEST: Final = 36_500
_EXAMPLE: Final = "(30, 90, 365)"


def checked_windows(windows_days: Sequence[int]) -> tuple[int, ...]:
    """Require whole days, each window longer than the one before."""
    values = require_list(windows_days, argument="windows_days", example=_EXAMPLE)
    for value in values:
        require_whole(
            value,
            argument="windows_days",
            least=1,
            most=_LONGEST,
            advice=f"Write the days of each window: {_EXAMPLE}.",
        )
    windows = tuple(map(int, values))
    if not windows or any(a >= b for a, b in pairwise(windows)):
        msg = (
            f"`windows_days` must hold different lengths, the shortest first, got "
            f"{shown(windows_days)}.\nWrite {_EXAMPLE}."
        )
        raise InvalidArgumentError(msg)
    return windows


def checked_horizon(horizon_days: int) -> int:
    """Require a whole number of days."""
    require_whole(
        horizon_days,
        argument="horizon_days",
        least=1,
        most=_LONGEST,
        advice="Write 90 for the 90 days after the date.",
    )
    return int(horizon_days)


def span(ledger: nw.LazyFrame[Any]) -> tuple[date, date] | None:
    """Find the first and the last day of a ledger; None for an empty one."""
    number = time.day_number(ledger, "date")
    ends = ledger.select(first=number, last=number)
    found = ends.select(nw.col("first").min(), nw.col("last").max()).collect()
    ends_of = [found[name].drop_nulls().to_list() for name in ("first", "last")]
    if not ends_of[0]:
        return None
    return time.day_of(int(ends_of[0][0])), time.day_of(int(ends_of[1][0]))


def require_begun(ends: tuple[date, date] | None, *, day: date, argument: str) -> None:
    """Require that a day is not before all data."""
    if ends is None:
        msg = "transactions: the table has no rows.\nGive the orders of the customers."
        raise InvalidArgumentError(msg)
    if day < ends[0]:
        msg = (
            f"`{argument}` ({day}) is before the first day of the data, {ends[0]}.\n"
            "Nobody was a customer then: give a later day."
        )
        raise InvalidArgumentError(msg)


def require_outcome(
    ends: tuple[date, date], *, day: date, horizon_days: int, argument: str, what: str = ""
) -> None:
    """Require that the whole outcome window lies within the data.

    `what` is left without a label, said first.
    """
    first, last = ends
    if (last - day).days >= horizon_days:
        return
    usable = time.number_of(last) - horizon_days
    if usable >= time.number_of(first):
        advice = f"The last usable date is {time.day_of(usable)}."
    else:
        n_days = (last - first).days
        advice = f"The data span {n_days:,} days: take a shorter horizon."
    msg = (
        f"{what}`{argument}` ({day}) leaves no full outcome window of {horizon_days:,} days: the "
        f"data end on {last}.\n{advice}"
    )
    raise InvalidArgumentError(msg)
