"""The period that is looked at, and the one that it is compared with."""

from __future__ import annotations

import warnings
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from crmkit._door import time
from crmkit._words.arguments import require_choice
from crmkit._words.rates import require_period
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.typing import Period

Compare: TypeAlias = Literal["previous", "year"]
"""The period just before, or the same one a year before."""

_A_YEAR: Final[dict[Period, int]] = {"day": 364, "week": 52, "month": 12, "quarter": 4, "year": 1}
"""Days and weeks by whole weeks, so that a Monday is compared with a Monday."""
_MISSING: Final = 0.1
"""The part of a first period that may pass before its first row: small shops have quiet days."""


class Span(NamedTuple):
    """A period by its number, with its first and last day."""

    number: int
    starts: date
    ends: date


def require_compare(every: Period, compare: Compare) -> int:
    """Require a period and a comparison; give how many periods lie between both."""
    require_period(every)
    require_choice(compare, get_args(Compare), argument="compare")
    return 1 if compare == "previous" else _A_YEAR[every]


def span(number: int, *, every: Period) -> Span:
    """Give the days of a period."""
    calendar = time.calendar(every=every, last=number)
    return Span(number, calendar["starts"][number].item(), calendar["ends"][number].item())


def begins_late(period: Span, *, first: date) -> bool:
    """Whether the data begins so late in a period that it is not whole."""
    length = (period.ends - period.starts).days + 1
    return (first - period.starts).days > _MISSING * length


def pair(*, every: Period, compare: Compare, today: date, first: date | None) -> tuple[Span, Span]:
    """Give the last period that is over, and the one that it is compared with."""
    lag = require_compare(every, compare)
    last = time.last_complete(today, every=every)
    if first is None:
        msg = f"transactions: no rows up to {today}.\nGive a later `as_of`."
        raise InvalidArgumentError(msg)
    if last - lag < 0:
        msg = f"`as_of` is {today}, before any period.\nGive the last day of the data."
        raise InvalidArgumentError(msg)
    now, before = span(last, every=every), span(last - lag, every=every)
    if before.ends < first:
        msg = (
            f"transactions: the data begins on {first}, after the period compared with "
            f"({before.starts} to {before.ends}).\n"
            "Give a later `as_of`, a shorter `every`, or older data."
        )
        raise InvalidArgumentError(msg)
    if begins_late(before, first=first):
        msg = (
            f"The data begins on {first}, within the period compared with ({before.starts} to "
            f"{before.ends}): what looks like growth may be the days that lack."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=3)
    return now, before
