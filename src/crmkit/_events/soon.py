"""What will happen in a few days: a date ahead, and a ratio that will cross a threshold."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw

from crmkit._door import frames, time
from crmkit._events.rules import EventRule


def is_date(kind: Any) -> bool:  # noqa: ANN401 - a type of narwhals
    """Whether a column holds days."""
    return bool(kind == nw.Date) or bool(kind == nw.Datetime)


def on_a_date(
    joined: frames.Frame, column: str, *, rule: EventRule, day: date
) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    """Whether a date is ahead and in reach; the date as text, and the days to it."""
    ahead = time.day_number(joined, column) - time.number_of(day)
    happened = (ahead >= 0) & (ahead <= rule.within_days)
    written = nw.col(column).dt.to_string("%Y-%m-%d")
    return happened, written, ahead


def of_a_ratio(ratio: nw.Expr, *, gap: str, since: str, rule: EventRule) -> tuple[nw.Expr, nw.Expr]:
    """Whether a ratio of silence to the expected gap will cross a threshold; the days to it."""
    days = (rule.threshold * frames.known(gap) - frames.known(since)).ceil()
    happened = (ratio < rule.threshold) & (days > 0) & (days <= rule.within_days)
    return happened, days
