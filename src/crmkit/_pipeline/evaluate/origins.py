"""Days to forecast from: given, or evenly from the middle of the log on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._words import formats
from crmkit._words.arguments import is_number, require_list, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

MOST: Final = 100
_EXAMPLE: Final = "4, or [date(1997, 9, 30), date(1997, 12, 31)]"


class Span(NamedTuple):
    """First and last day of a log."""

    first: date
    last: date

    @property
    def n_days(self) -> int:
        """Days from the first to the last."""
        return (self.last - self.first).days


def span_of(orders: IntoFrame, *, as_of: date | None) -> Span:
    """Find the first day of a ledger, and the last where it is not given."""
    ledger = frames.read(orders, LEDGER)
    if as_of is not None:
        ledger = ledger.filter(time.until(ledger, as_of))
    number = time.day_number(ledger, "date")
    (row,) = frames.rows(ledger.select(first=number.min(), last=number.max()))
    if row["first"] is None:
        by = "" if as_of is None else f" by {as_of}"
        msg = f"transactions: no row{by}.\nGive a log with purchases, or a later `as_of`."
        raise InvalidArgumentError(msg)
    return Span(time.day_of(int(row["first"])), as_of or time.day_of(int(row["last"])))


def origins_of(origins: int | Sequence[date | str], span: Span, *, horizon_days: int) -> list[date]:
    """Give the days to forecast from, the earliest first.

    Raises
    ------
    InvalidArgumentError
        If the log is not longer than the horizon, `origins` is neither a whole number nor a list
        of dates, or a date has no row before it or no whole horizon after it.
    """
    days = formats.counted(horizon_days, "day")
    if is_number(origins):
        require_whole(origins, argument="origins", least=1, most=MOST, advice="Write 4.")  # type: ignore[arg-type]
    if span.n_days <= horizon_days:
        msg = (
            f"A horizon of {days} leaves no day to forecast from: the log goes from {span.first} "
            f"to {span.last}, which is {formats.counted(span.n_days, 'day')}.\n"
            "Give a shorter `horizon_days`, a quarter of the log or less, or a longer log."
        )
        raise InvalidArgumentError(msg)
    latest = span.last - timedelta(days=horizon_days)
    if is_number(origins):
        return _spread(span, latest, n=int(origins))  # type: ignore[arg-type]
    given = require_list(origins, argument="origins", example=_EXAMPLE)
    if not given:
        msg = f"`origins` is empty.\nWrite {_EXAMPLE}."
        raise InvalidArgumentError(msg)
    found = sorted({time.as_day(each, argument="origins") for each in given})
    outside = [day for day in found if not span.first <= day <= latest]
    if outside:
        names = ", ".join(map(str, outside[:3]))
        msg = (
            f"`origins`: {len(outside)} of {len(found)} days ({names}) are outside {span.first} "
            f"to {latest}: a day to forecast from needs a log that begins by then and goes on for "
            f"{days}.\nGive earlier days, or a shorter `horizon_days`."
        )
        raise InvalidArgumentError(msg)
    return found


def _spread(span: Span, latest: date, *, n: int) -> list[date]:
    """Spread days evenly over the second half, as far as a whole horizon follows; the last one is.

    A log without the room for them has fewer.
    """
    middle = min(span.first + timedelta(days=(span.n_days + 1) // 2), latest)
    back = np.linspace((latest - middle).days, 0, n) if n > 1 else np.zeros(1)
    return [
        latest - timedelta(days=each) for each in sorted({round(b) for b in back}, reverse=True)
    ]
