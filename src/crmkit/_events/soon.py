"""What will happen in a few days: a date ahead, and a ratio that will cross a threshold."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import narwhals as nw

from crmkit._door import frames, time
from crmkit._events.rules import EventRule

_LONGEST: Final = 36_500
"""Days of a hundred years: beyond them a calendar may end."""


def is_date(kind: Any) -> bool:  # noqa: ANN401 - a type of narwhals
    """Whether a column holds days."""
    return bool(kind == nw.Date) or bool(kind == nw.Datetime)


def on_a_date(
    joined: frames.Frame, column: str, *, rule: EventRule, day: date
) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    """Whether a date is ahead and in reach; the date as text, and the days to it."""
    last = day + timedelta(days=int(min(rule.within_days, _LONGEST)))
    first, last_day = (time.constant_day(joined, each) for each in (day, last))
    happened = (nw.col(column) >= first) & (nw.col(column) <= last_day)
    written = nw.col(column).dt.to_string("%Y-%m-%d")
    return happened, written, time.day_number(joined, column) - time.number_of(day)


def of_a_ratio(ratio: nw.Expr, *, gap: str, since: str, rule: EventRule) -> tuple[nw.Expr, nw.Expr]:
    """Whether a ratio of silence to the expected gap will cross a threshold; the days to it."""
    days = (rule.threshold * frames.known(gap) - frames.known(since)).ceil()
    happened = (ratio < rule.threshold) & (days > 0) & (days <= rule.within_days)
    return happened, days
