"""Opportunities to buy and purchases of each customer, counted in calendar periods."""

from __future__ import annotations

from datetime import date
from functools import partial

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.rates import require_period
from crmkit.tables import LEDGER
from crmkit.typing import Period


def opportunities(orders: IntoFrameT, *, as_of: date | str, every: Period = "month") -> IntoFrameT:
    """Summarize customers by opportunities to buy, for the BG/BB model.

    An opportunity is a calendar period after the customer's first one. The model is for purchases
    that come once a period or not at all: a monthly donation, a yearly fair. Where customers buy
    several times in a period, a model of continuous time uses more of the data
    (`crmkit.rfm.summarize`).

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is
        complete; purchases in an incomplete one are not counted.
    every
        The calendar period that is one opportunity: "day", "week" (ISO, from Monday), "month",
        "quarter" or "year".

    Returns
    -------
    One row per customer with a purchase by `as_of`, sorted by `customer_id` (a lazy table is
    not sorted):

    ===================  =====  ==========================================================
    ``customer_id``      as in  the customer
    ``frequency``        int    x: periods after the first with a purchase
    ``recency``          int    t_x: the last of them, counted from 1; 0 for none
    ``n_opportunities``  int    n: complete periods after the first
    ===================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `every` is not a calendar period, or `as_of` not a date.

    Notes
    -----
    The period of the first purchase does not count as an opportunity. Customers who came in the
    last complete period, or after it, have had no opportunity yet: all three are 0.

    `frequency` and `recency` count periods here; in `crmkit.rfm.summarize` they are purchase days
    and days.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-base analysis in a discrete-time
    noncontractual setting. *Marketing Science* 29(6), 1086-1108.
    https://doi.org/10.1287/mksc.1100.0580

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ann", "ann", "ben"],
    ...         "date": pd.to_datetime(
    ...             ["2024-01-05", "2024-01-20", "2024-03-02", "2024-05-10", "2024-02-01"]
    ...         ),
    ...     }
    ... )
    >>> seen = opportunities(orders, as_of=date(2024, 5, 15))
    >>> print(seen.to_string(index=False))
    customer_id  frequency  recency  n_opportunities
            ann          1        2                3
            ben          0        0                2
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_period(every)
    ledger = frames.read(orders, LEDGER)
    result = frames.by_customer(ledger, partial(_counted, as_of=as_of, every=every))
    return frames.give(result, like=orders, order_by=["customer_id"])


def _counted(ledger: frames.Frame, *, as_of: date, every: Period) -> frames.Frame:
    days = purchase_days.days(ledger, as_of=as_of)
    bought = days.filter(nw.col("n_orders") > 0)
    last = time.last_complete(as_of, every=every)
    number, first = nw.col("number"), nw.col("first")
    numbered = bought.select(
        "customer_id", number=time.period_number(bought, "day", every=every)
    ).unique()
    periods = frames.spread_least(numbered, "customer_id", of="number", into="first")
    customers = (
        periods.with_columns(taken=(number > first) & (number <= last))
        .with_columns(
            since=nw.when(nw.col("taken")).then(number - first).otherwise(nw.lit(0)),
            taken=nw.col("taken").cast(nw.Int64),
        )
        .group_by("customer_id")
        .agg(first.min(), nw.col("taken").sum(), nw.col("since").max())
        .with_columns(left=nw.lit(last) - first)
    )
    return customers.select(
        "customer_id",
        nw.col("taken").cast(nw.Int64).alias("frequency"),
        nw.col("since").cast(nw.Int64).alias("recency"),
        nw.when(nw.col("left") > 0)
        .then(nw.col("left"))
        .otherwise(nw.lit(0))
        .cast(nw.Int64)
        .alias("n_opportunities"),
    )
