"""Purchase days: a ledger collapsed to one row per customer and day.

Every answer that looks at timing starts here, so that all of them mean the same by a purchase.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit.tables import LEDGER

ROUNDING: Final = 1e-9
"""The part of the money added up that may be rounding."""


def purchase_days(orders: IntoFrameT, *, as_of: date | str) -> IntoFrameT:
    """Collapse a ledger to one row per customer and day.

    Every function that takes `orders` takes this table in its place and gives the same answer
    for any day up to `as_of`. Make it once where several follow: it is most of their work.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        Last day, as a date or ISO text; rows after it are not seen.

    Returns
    -------
    One row per customer and day with a purchase or a return, in no particular order: sorting
    would cost more than all the rest.

    ===================  =====  ==========================================================
    ``customer_id``      as in  who
    ``date``             date   the day
    ``n_orders_of_day``  int    orders of the day; 0 where there were returns only
    ``amount``           float  money of the day, less returns
    ===================  =====  ==========================================================

    Without an `amount` in the ledger, the last column is left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        If `orders` breaks its contract, or `as_of` is not a date.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann"],
    ...         "date": pd.to_datetime(
    ...             ["2024-01-05 09:00", "2024-02-01 12:00", "2024-01-05 17:30"]
    ...         ),
    ...         "amount": [20.0, 15.0, 30.0],
    ...     }
    ... )
    >>> days = purchase_days(orders, as_of=date(2024, 3, 31)).sort_values("customer_id")
    >>> print(days.to_string(index=False))
    customer_id       date  n_orders_of_day  amount
            ann 2024-01-05                2    50.0
            ben 2024-02-01                1    15.0
    """
    as_of = time.as_day(as_of, argument="as_of")
    ledger = frames.read(orders, LEDGER)
    by_day = frames.by_customer(ledger, partial(_named, as_of=as_of))
    return frames.give(by_day, like=orders)


def _named(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    by_day = days(ledger, as_of=as_of)
    money = ["amount"] if frames.has(by_day, "amount") else []
    return by_day.select(
        "customer_id",
        nw.col("day").alias("date"),
        nw.col("n_orders").cast(nw.Int64).alias("n_orders_of_day"),
        *money,
    )


def days(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Collapse a ledger to `customer_id`, `day`, `n_orders` and `amount`, up to `as_of`.

    `n_orders` is 0 on a day with returns only: money moved, but nobody came to buy. `amount`
    is the sum of the day's purchases and returns; it is left out where the ledger has none.
    Orders are counted rather than summed, since DuckDB sums whole numbers in 128 bits.
    """
    rows = ledger.filter(time.until(ledger, as_of))
    rows = rows.with_columns(day=time.calendar_day(rows, "date"))
    amount = [nw.col("amount").sum()] if frames.has(rows, "amount") else []
    if frames.has(rows, "n_orders_of_day"):
        n_orders = nw.col("n_orders_of_day").alias("n_orders")
        return rows.select("customer_id", "day", n_orders, *(["amount"] if amount else []))
    if frames.has(rows, "order_id"):
        rows = _orders(rows)
    return (
        rows.with_columns(n_orders=nw.when(is_purchase(rows)).then(nw.lit(1)))
        .group_by("customer_id", "day")
        .agg(nw.col("n_orders").count(), *amount)
    )


def of_customers(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Collapse a ledger to one row per customer who ever bought, as `histories` does."""
    return histories(days(ledger, as_of=as_of))


def histories(days: nw.LazyFrame[Any], *, more: Sequence[nw.Expr] = ()) -> nw.LazyFrame[Any]:
    """Collapse purchase days to one row per customer who ever bought.

    Gives `first_day`, `last_day`, `n_days`, `n_orders` and, with money, `amount` and
    `first_amount`: what the first purchase day came to. `more` are aggregates of the caller's
    own, so that they need no second look at the days.
    """
    bought = nw.col("n_orders") > 0
    days = days.with_columns(bought_day=nw.when(bought).then(nw.col("day")))
    totals = [
        nw.col("bought_day").min().alias("first_day"),
        nw.col("bought_day").max().alias("last_day"),
        nw.col("bought_day").count().alias("n_days"),
        nw.col("n_orders").sum().alias("n_orders"),
        *more,
    ]
    if frames.has(days, "amount"):
        days, first_amount = frames.first_value(
            days, "customer_id", value="amount", by="bought_day"
        )
        totals += [nw.col("amount").sum(), first_amount.alias("first_amount")]
    customers = days.group_by("customer_id").agg(*totals).filter(nw.col("n_orders") > 0)
    counts = ("n_days", "n_orders")  # some engines count without a sign
    return customers.with_columns(nw.col(*counts).cast(nw.Int64))


def _orders(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the lines that an order has on one day together.

    Whether an order is a purchase is decided by the lines of its first day, and money belongs to
    its own day: so a later refund under the same number changes no count, no timing and no
    month that is over.
    """
    key, sums = ("customer_id", "order_id"), []
    if frames.has(rows, "amount"):
        rows = rows.with_columns(gross=nw.col("amount").abs())
        sums += [nw.col("amount").sum(), nw.col("gross").sum()]
    if frames.has(rows, "is_purchase"):
        sums.append(nw.col("is_purchase").max())
    lines = rows.group_by(*key, "day").agg(*sums)
    if frames.has(lines, "amount"):
        # .70 + .10 - .80 is an order of 0.00, though its float may be below zero.
        is_nothing = nw.col("amount").abs() <= ROUNDING * nw.col("gross")
        lines = lines.with_columns(
            amount=nw.when(is_nothing).then(nw.lit(0.0)).otherwise(nw.col("amount"))
        )
    first = frames.spread_least(lines, key, of="day", into="first_day")
    return first.with_columns(begins=nw.col("day") == nw.col("first_day"))


def is_purchase(rows: nw.LazyFrame[Any]) -> nw.Expr:
    """Whether a row is a purchase: as flagged, or with an amount of zero or more."""
    is_purchase = nw.lit(value=True)
    if frames.has(rows, "is_purchase"):
        is_purchase = nw.col("is_purchase")
    elif frames.has(rows, "amount"):
        is_purchase = nw.col("amount") >= 0
    return nw.col("begins") & is_purchase if frames.has(rows, "begins") else is_purchase
