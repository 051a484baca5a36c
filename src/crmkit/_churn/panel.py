"""A panel: features at several dates, each with what the customer did afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._churn import attributes, histories, windows
from crmkit._churn.features import WINDOWS_DAYS, at_date, names, with_attributes
from crmkit._door import frames, time
from crmkit._words.arguments import require_list
from crmkit.errors import InvalidArgumentError
from crmkit.tables import FEATURE_ORDERS

Frame = nw.LazyFrame[Any]


def panel(
    orders: IntoFrameT,
    *,
    dates: Sequence[date | str],
    horizon_days: int,
    windows_days: Sequence[int] = WINDOWS_DAYS,
    customers: IntoFrameT | None = None,
) -> IntoFrameT:
    """Features at several dates with the label of each, for a churn model to learn from.

    Each date is a past day on which one could have scored: features see what was known by then,
    and the label what happened in the horizon after it. Customers are in several rows, so that
    rows are not independent: validate on later dates, never on rows drawn at random.

    Parameters
    ----------
    orders
        As in `crmkit.churn.features`. A lazy table is run once, to find its first and last day.
    dates
        The days to stand on, as dates or ISO text, each with a whole horizon after it in the
        data. A horizon or more apart, no purchase serves two labels.
    horizon_days
        Length of the outcome window in days. It holds the days from ``date + 1`` to
        ``date + horizon_days``, both included.
    windows_days, customers
        As in `crmkit.churn.features`. A dated table of customers serves each date by its own
        last row.

    Returns
    -------
    One row per date and customer with a purchase by then, sorted by both (a lazy table is not
    sorted), with the columns of `crmkit.churn.features` and two more:

    ================  =====  ===============================================================
    ``customer_id``   as in  who
    ``date``          date   the day that the features describe
    ``horizon_days``  int    length of the outcome window in days
    ``churned``       flag   whether the customer bought nothing in the horizon after it
    ================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` or `customers` breaks its contract.
    InvalidArgumentError
        If a date is before all data, has no full outcome window (the message names the last
        usable date) or is given twice, or another argument is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-02-20", "2024-03-31"]),
    ...     }
    ... )
    >>> rows = panel(orders, dates=["2024-01-31", "2024-02-29"], horizon_days=30)
    >>> columns = ["customer_id", "date", "frequency", "days_since_last", "churned"]
    >>> print(rows[columns].to_string(index=False))
    customer_id       date  frequency  days_since_last  churned
            ann 2024-01-31          0               30    False
            ben 2024-01-31          0               22     True
            ann 2024-02-29          1                9     True
            ben 2024-02-29          0               51     True
    """
    days = _checked_dates(dates)
    horizon = windows.checked_horizon(horizon_days)
    lengths = windows.checked_windows(windows_days)
    ledger = frames.read(orders, FEATURE_ORDERS)
    ends = windows.span(ledger)
    for day in days:
        windows.require_begun(ends, day=day, argument="dates")
        if ends is not None:
            windows.require_outcome(ends, day=day, horizon_days=horizon, argument="dates")
    known = None
    if customers is not None:
        known = attributes.read_attributes(customers, like=ledger, taken=names(ledger, lengths))
        attributes.require_known(customers, known, as_of=days[0])
    step = partial(_stacked, days=days, windows=lengths, horizon_days=horizon)
    rows = frames.by_customer(ledger, step)
    if known is not None:
        at = [with_attributes(rows.filter(_is_on(rows, day)), known, as_of=day) for day in days]
        rows = nw.concat(at)
    return frames.give(rows, like=orders, order_by=["date", "customer_id"])


def _stacked(
    ledger: Frame, *, days: Sequence[date], windows: Sequence[int], horizon_days: int
) -> Frame:
    """Stack the features of each date; all of them are made of one table of purchase days."""
    until = days[-1] + timedelta(days=horizon_days)
    numbered = histories.numbered_days(ledger, as_of=until)
    parts = []
    for day in days:
        part = at_date(numbered, ledger, as_of=day, windows=windows, horizon_days=horizon_days)
        churned = nw.col("later") == 0
        length = nw.lit(horizon_days).cast(nw.Int64)
        parts.append(part.with_columns(horizon_days=length, churned=churned).drop("later"))
    return nw.concat(parts) if len(parts) > 1 else parts[0]


def _is_on(rows: Frame, day: date) -> nw.Expr:
    return time.day_number(rows, "date") == time.number_of(day)


def _checked_dates(dates: Sequence[date | str]) -> list[date]:
    """Take the dates in order, each of them once."""
    values = require_list(dates, argument="dates", example='["2024-06-30", "2024-09-30"]')
    days = sorted(time.as_day(value, argument="dates") for value in values)
    if not days:
        msg = '`dates` is empty.\nWrite ["2024-06-30", "2024-09-30"].'
        raise InvalidArgumentError(msg)
    twice = [a for a, b in pairwise(days) if a == b]
    if twice:
        msg = f"`dates` holds {twice[0]} more than once.\nLeave the repetition out."
        raise InvalidArgumentError(msg)
    return days
