"""Repeat patronage: what customers do, as far as orders show it."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.rates import require_period
from crmkit.tables import LEDGER
from crmkit.typing import Period


def behaviour(orders: IntoFrameT, *, as_of: date | str, every: Period = "month") -> IntoFrameT:
    """Repeat patronage: in how many periods since the first customers bought again.

    This is behaviour and not attitude: who buys each month may do so for want of a choice. The
    assumption that most often fails is that the period is near the rhythm of the trade: by months,
    a buyer of tyres is never loyal.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        The day that the table describes, as a date or ISO text; later rows are not seen.
    every
        "day", "week", "month", "quarter" or "year".

    Returns
    -------
    One row per customer with a purchase, sorted by customer (a lazy table is not sorted):

    ====================  =====  ===========================================================
    ``customer_id``       as in  who
    ``n_periods``         int    periods from that of the first purchase to that of `as_of`
    ``n_active_periods``  int    those with a purchase
    ``repeat_share``      float  share of the periods after the first that have a purchase;
                                 null where there is none yet
    ====================  =====  ===========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `as_of` is not a date, or `every` not a period.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-02-01", "2024-04-01", "2024-05-02"]),
    ...     }
    ... )
    >>> print(behaviour(orders, as_of="2024-05-31").to_string(index=False))
    customer_id  n_periods  n_active_periods  repeat_share
            ann          5                 3           0.5
            ben          1                 1           NaN
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_period(every)
    ledger = frames.read(orders, LEDGER)
    found = frames.by_customer(ledger, partial(_of_customers, as_of=as_of, every=every))
    return frames.give(found, like=orders, order_by=["customer_id"])


def _of_customers(ledger: Any, *, as_of: date, every: Period) -> Any:  # noqa: ANN401 - frames
    bought = purchase_days.days(ledger, as_of=as_of).filter(nw.col("n_orders") > 0)
    number = time.period_number(bought, "day", every=every)
    periods = bought.select("customer_id", crmkit_period=number).unique()
    last = time.period_of(as_of, every=every)
    counted = periods.group_by("customer_id").agg(
        nw.len().alias("n_active_periods"), nw.col("crmkit_period").min()
    )
    whole = counted.select(
        "customer_id",
        n_periods=(nw.lit(last + 1) - nw.col("crmkit_period")).cast(nw.Int64),
        n_active_periods=nw.col("n_active_periods").cast(nw.Int64),
    )
    later = (nw.col("n_periods") - 1).cast(nw.Float64)
    again = (nw.col("n_active_periods") - 1).cast(nw.Float64)
    return whole.with_columns(repeat_share=nw.when(later > 0).then(again / later))
