"""When a return counts: windows of days after a customer's first purchase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from crmkit.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `from_day` up to, not including, `to_day` after the first purchase.

    Day 0 is the day of the first purchase, so a window begins on day 1 or later. A window
    without `to_day` never ends.
    """

    from_day: int
    to_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no span of days after day 0."""
        if self.from_day < 1:
            msg = (
                f"A window cannot begin on day {self.from_day}.\n"
                "Day 0 is the first purchase itself, made by everybody; begin on day 1 or later."
            )
            raise InvalidArgumentError(msg)
        if self.to_day is not None and self.to_day <= self.from_day:
            msg = (
                f"A window from day {self.from_day} up to, not including, day {self.to_day} "
                "holds no day.\n"
                "Give the earlier day first."
            )
            raise InvalidArgumentError(msg)

    @property
    def known_from(self) -> int:
        """Age in days from which it is known whether a customer came back in the window.

        A window that never ends is judged from its first day on, by what was seen until then.
        """
        return self.from_day if self.to_day is None else self.to_day - 1


def n_day(*days: int) -> tuple[Window, ...]:
    """Ask who bought on exactly the n-th day after the first purchase.

    Made for things used daily. Shops see small numbers here, since few customers buy on any
    one day; ask by `bracket` instead. Later rates can exceed earlier ones.

    Parameters
    ----------
    days
        Which days, 1 or later. Day 1 is the day after the first purchase.

    Returns
    -------
    One window of one day for each, to give to `retention`.

    Raises
    ------
    InvalidArgumentError
        If a day is below 1.

    Examples
    --------
    >>> n_day(1, 7)
    (Window(from_day=1, to_day=2), Window(from_day=7, to_day=8))
    """
    return tuple(Window(day, day + 1) for day in days)


def rolling(*days: int) -> tuple[Window, ...]:
    """Ask who bought on the n-th day after the first purchase or at any time later.

    Also called unbounded retention. Such a window never ends, so its rate can still rise:
    customers of last month had less time to come back than those of last year. Compare cohorts
    of equal age only.

    Parameters
    ----------
    days
        From which days, 1 or later.

    Returns
    -------
    One window without an end for each, to give to `retention`.

    Raises
    ------
    InvalidArgumentError
        If a day is below 1.

    Examples
    --------
    >>> rolling(30, 90)
    (Window(from_day=30, to_day=None), Window(from_day=90, to_day=None))
    """
    return tuple(Window(day) for day in days)


def bracket(*ranges: tuple[int, int]) -> tuple[Window, ...]:
    """Ask who bought within given ranges of days after the first purchase.

    Parameters
    ----------
    ranges
        Pairs of the first day that counts, 1 or later, and the first day that counts no more.
        So (1, 31) and (31, 61) are the first and the second thirty days. Ranges come in order
        and do not overlap; gaps between them are allowed.

    Returns
    -------
    One window for each, to give to `retention`.

    Raises
    ------
    InvalidArgumentError
        If a range holds no day, begins before day 1, or begins before the one ahead of it ends.

    Examples
    --------
    >>> bracket((1, 31), (31, 61))
    (Window(from_day=1, to_day=31), Window(from_day=31, to_day=61))
    """
    for (_, end), (start, _) in pairwise(ranges):
        if start < end:
            msg = (
                f"The brackets overlap: one begins on day {start} before the last ends on day "
                f"{end}.\n"
                "Give them in order, each from where the last one ends, as in (1, 31), (31, 61)."
            )
            raise InvalidArgumentError(msg)
    return tuple(Window(start, end) for start, end in ranges)


DEFAULT_WINDOWS: Final = bracket((1, 31), (31, 61), (61, 91))
"""Three months of 30 days, counted from each customer's first purchase."""


def check_windows(windows: Sequence[Window]) -> None:
    """Refuse no windows, repeated windows and what is no window."""
    advice = "Make them with cohorts.n_day(), cohorts.rolling() or cohorts.bracket()."
    if not windows:
        msg = f"`windows` is empty.\n{advice}"
        raise InvalidArgumentError(msg)
    strange = [window for window in windows if not isinstance(window, Window)]
    if strange:
        msg = f"`windows` holds {strange[0]!r}, which is no window.\n{advice}"
        raise InvalidArgumentError(msg)
    twice = [window for i, window in enumerate(windows) if window in windows[:i]]
    if twice:
        msg = f"`windows` holds {twice[0]!r} more than once.\nLeave the repetition out."
        raise InvalidArgumentError(msg)
