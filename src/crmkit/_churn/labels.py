"""Labels: who left in the days after a date, by their purchases or by their contracts."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._churn import windows
from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._summary.holdout import in_halves
from crmkit.errors import InvalidArgumentError
from crmkit.tables import CONTRACTS, LEDGER

Frame = nw.LazyFrame[Any]


def label(orders: IntoFrameT, *, as_of: date | str, horizon_days: int) -> IntoFrameT:
    """Label each customer of a day by whether they bought in the horizon.

    The outcome window is half open: a purchase on `as_of` is history, one on
    ``as_of + horizon_days`` is in the window, one on the day after that is not. Returns are not
    purchases.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`. A lazy table is run once, to find its first and last day.
    as_of
        The day after which the window begins, as a date or ISO text.
    horizon_days
        Length of the window in days.

    Returns
    -------
    One row per customer with a purchase by `as_of`, sorted by `customer_id` (a lazy table is
    not sorted):

    ===============  =====  ============================================================
    ``customer_id``  as in  who
    ``date``         date   `as_of`
    ``churned``      flag   whether the customer bought nothing in the window
    ===============  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `as_of` is not a date or before all data, or the window is not over by the last day
        of the data; the message names the last usable date.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-03-01", "2024-03-02"]),
    ...     }
    ... )
    >>> print(label(orders, as_of="2024-01-31", horizon_days=30).to_string(index=False))
    customer_id       date  churned
            ann 2024-01-31    False
            ben 2024-01-31     True
    """
    day = time.as_day(as_of, argument="as_of")
    horizon = windows.checked_horizon(horizon_days)
    ledger = frames.read(orders, LEDGER)
    ends = windows.span(ledger)
    windows.require_begun(ends, day=day, argument="as_of")
    if ends is not None:
        windows.require_outcome(ends, day=day, horizon_days=horizon, argument="as_of")
    step = partial(_labelled, as_of=day, horizon_days=horizon)
    return frames.give(frames.by_customer(ledger, step), like=orders, order_by=["customer_id"])


def label_contracts(
    contracts: IntoFrameT,
    *,
    as_of: date | str,
    horizon_days: int,
    data_until: date | str | None = None,
) -> IntoFrameT:
    """Label each contract that runs on a day by whether it ended in the horizon.

    The outcome window is half open: a contract that ends on `as_of` no longer runs, an end on
    ``as_of + horizon_days`` is in the window, one on the day after that is not.

    Parameters
    ----------
    contracts
        One row per contract, as made by `crmkit.contracts`. A lazy table is run once.
    as_of
        The day after which the window begins, as a date or ISO text.
    horizon_days
        Length of the window in days.
    data_until
        Last day on which an end would be in the table, as a date or ISO text. The default is
        the latest start or end; give it where ends are entered ahead of time, or where the
        table is younger than its last entry.

    Returns
    -------
    One row per contract that runs at the end of `as_of`, sorted by `customer_id` (a lazy table
    is not sorted):

    ===============  =====  ============================================================
    ``customer_id``  as in  who
    ``date``         date   `as_of`
    ``churned``      flag   whether the contract ended in the window
    ===============  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `contracts` breaks its contract.
    InvalidArgumentError
        If `as_of` is not a date or before all starts, or the window is not over by
        `data_until`; the message counts the contracts without a label and names the last usable
        date.

    Notes
    -----
    Contracts of one customer do not overlap, as `crmkit.contracts` sees to, so that a customer
    has one row.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "start": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-03-01"]),
    ...         "end": pd.to_datetime(["2024-02-20", None, None]),
    ...     }
    ... )
    >>> print(
    ...     label_contracts(contracts, as_of="2024-01-31", horizon_days=30).to_string(index=False)
    ... )
    customer_id       date  churned
            ann 2024-01-31     True
            ben 2024-01-31    False
    """
    day = time.as_day(as_of, argument="as_of")
    horizon = windows.checked_horizon(horizon_days)
    until = None if data_until is None else time.as_day(data_until, argument="data_until")
    frame = frames.read(contracts, CONTRACTS)
    runs = time.until(frame, day, column="start") & ~_ended_by(frame, day)
    _require_labels(frame, runs, day=day, horizon_days=horizon, until=until)
    running = frame.filter(runs)
    labelled = frames.with_columns(
        running,
        date=time.constant_day(running, day),
        churned=_ended_by(running, day + timedelta(days=horizon)),
    )
    labelled = labelled.select("customer_id", "date", "churned")
    return frames.give(labelled, like=contracts, order_by=["customer_id"])


def _labelled(ledger: Frame, *, as_of: date, horizon_days: int) -> Frame:
    days = purchase_days.days(ledger, as_of=as_of + timedelta(days=horizon_days))
    halves, _ = in_halves(days, split=as_of)
    more = [nw.col("frequency_holdout").sum()]
    bought = purchase_days.histories(halves, more=more)
    return bought.select(
        "customer_id",
        time.constant_day(bought, as_of).alias("date"),
        (nw.col("frequency_holdout") == 0).alias("churned"),
    )


def _ended_by(frame: Frame, day: date) -> nw.Expr:
    return ~nw.col("end").is_null() & time.until(frame, day, column="end").fill_null(value=False)


def _require_labels(
    frame: Frame, runs: nw.Expr, *, day: date, horizon_days: int, until: date | None
) -> None:
    """Require that all outcomes are known, and count those that are not."""
    counted = frames.with_columns(frame, runs=runs.fill_null(value=False).cast(nw.Int64))
    found = frames.rows(
        counted.select(
            first=nw.col("start").min(),
            started=nw.col("start").max(),
            ended=nw.col("end").max(),
            runs=nw.col("runs").sum(),
        )
    )[0]
    first = found["first"]
    if first is None:
        msg = "contracts: the table has no rows.\nGive the contracts of the customers."
        raise InvalidArgumentError(msg)
    if day < first:
        msg = f"`as_of` ({day}) is before the first start, {first}.\nGive a later day."
        raise InvalidArgumentError(msg)
    last = until or max(found["started"], found["ended"] or found["started"])
    n = int(found["runs"] or 0)
    windows.require_outcome(
        (first, last),
        day=day,
        horizon_days=horizon_days,
        argument="as_of",
        what=f"contracts: no label for the {n:,} that run then, as ",
    )
