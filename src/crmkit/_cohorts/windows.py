"""Windows of days after a customer's first purchase, for retention rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Final

from crmkit._words.arguments import require_list, require_number, require_numbers, shown
from crmkit.errors import InvalidArgumentError

_EXAMPLE: Final = "(1, 31), (31, 61)"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of days after the first purchase.

    It reaches from `from_day` up to, not including, `to_day`. Day 0 is the day of the first
    purchase, so a window begins on day 1 or later. A window without `to_day` never ends.
    """

    from_day: int
    to_day: int | None = None

    def __post_init__(self) -> None:
        """Require a range of whole days after day 0."""
        _require_day(self.from_day, argument="from_day")
        if self.to_day is not None:
            _require_day(self.to_day, argument="to_day")
        if self.to_day is not None and self.to_day <= self.from_day:
            msg = (
                f"A window from day {self.from_day} up to, not including, day {self.to_day} "
                "is empty.\n"
                "Give the earlier day first."
            )
            raise InvalidArgumentError(msg)

    @property
    def known_from(self) -> int:
        """Age in days from which it is known whether a customer came back in the window.

        In a window that never ends, customers count from its first day on.
        """
        return self.from_day if self.to_day is None else self.to_day - 1


def n_day(*days: int) -> tuple[Window, ...]:
    """N-day retention: windows of exactly the n-th day after the first purchase.

    For products used daily. In shops few customers buy on any single day, so the rates are
    small; use `bracket` instead. Later rates can exceed earlier ones.

    Parameters
    ----------
    days
        The days, 1 or later. Day 1 is the day after the first purchase.

    Returns
    -------
    One window of one day for each, for `crmkit.cohorts.retention`.

    Raises
    ------
    InvalidArgumentError
        If a day is below 1.

    Examples
    --------
    >>> n_day(1, 7)
    (Window(from_day=1, to_day=2), Window(from_day=7, to_day=8))
    """
    for day in days:
        _require_day(day, argument="days")
    return tuple(Window(day, day + 1) for day in days)


def rolling(*days: int) -> tuple[Window, ...]:
    """Unbounded (rolling) retention: windows from the n-th day on.

    A purchase on day n or at any time later counts. The rate can still rise, since last month's
    customers had less time to come back than last year's. Compare cohorts of equal age only.

    Parameters
    ----------
    days
        The first days, 1 or later.

    Returns
    -------
    One window without an end for each, for `crmkit.cohorts.retention`.

    Raises
    ------
    InvalidArgumentError
        If a day is below 1.

    Examples
    --------
    >>> rolling(30, 90)
    (Window(from_day=30, to_day=None), Window(from_day=90, to_day=None))
    """
    for day in days:
        _require_day(day, argument="days")
    return tuple(Window(day) for day in days)


def bracket(*ranges: tuple[int, int]) -> tuple[Window, ...]:
    """Bracket retention: windows of given ranges of days.

    Parameters
    ----------
    ranges
        Pairs of the first day of a window, 1 or later, and the first day after it. So (1, 31)
        and (31, 61) are the first and the second thirty days. Ranges are in order and do not
        overlap; gaps between them are allowed.

    Returns
    -------
    One window for each, for `crmkit.cohorts.retention`.

    Raises
    ------
    InvalidArgumentError
        If a range is empty, begins before day 1, or begins before the previous one ends.

    Examples
    --------
    >>> bracket((1, 31), (31, 61))
    (Window(from_day=1, to_day=31), Window(from_day=31, to_day=61))
    """
    for pair in ranges:
        if len(require_numbers(pair, argument="ranges", example=_EXAMPLE)) != len(("from", "to")):
            msg = f"`ranges` must be pairs of days, got {shown(pair)}.\nWrite {_EXAMPLE}."
            raise InvalidArgumentError(msg)
    for (_, end), (start, _) in pairwise(ranges):
        if start < end:
            msg = (
                f"`ranges` overlap: one begins on day {start}, before the previous one ends on "
                f"day {end}.\n"
                f"Give them in order, each from the end of the previous one: {_EXAMPLE}."
            )
            raise InvalidArgumentError(msg)
    return tuple(Window(start, end) for start, end in ranges)


def _require_day(day: int, *, argument: str) -> None:
    require_number(
        day,
        argument=argument,
        must="be a whole number of 1 or more",
        fits=lambda number: isinstance(number, Integral) and number >= 1,
        advice="Day 0 is the day of the first purchase; begin on day 1 or later.",
    )


DEFAULT_WINDOWS: Final = bracket((1, 31), (31, 61), (61, 91))
"""Three months of 30 days, counted from each customer's first purchase."""


def checked_windows(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Require one or more different windows."""
    advice = "Make them with cohorts.n_day(), cohorts.rolling() or cohorts.bracket()."
    require_list(windows, argument="windows", example="cohorts.bracket((1, 31), (31, 61))")
    windows = tuple(windows)
    if not windows:
        msg = f"`windows` is empty.\n{advice}"
        raise InvalidArgumentError(msg)
    strange = [window for window in windows if not isinstance(window, Window)]
    if strange:
        msg = f"`windows` must hold Window values, got {shown(strange[0])}.\n{advice}"
        raise InvalidArgumentError(msg)
    twice = [window for i, window in enumerate(windows) if window in windows[:i]]
    if twice:
        msg = f"`windows` holds {twice[0]!r} more than once.\nLeave the repetition out."
        raise InvalidArgumentError(msg)
    return windows
