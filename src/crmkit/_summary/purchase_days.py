"""Purchase days: what a ledger says once the lines of one day are put together.

Every answer that looks at timing starts here, so that all of them mean the same by a purchase.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import narwhals as nw

from crmkit._door import frames, time

_NEVER: Final = date(9999, 12, 31)


def days(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Collapse a ledger to one row per customer and day, up to `as_of`.

    `n_orders` is 0 on a day with returns only: money moved, but nobody came to buy. `amount`
    is what the day's purchases and returns come to; it is left out where the ledger has none.
    Orders are counted rather than summed, since DuckDB sums whole numbers in 128 bits.
    """
    rows = ledger.filter(time.until(ledger, as_of))
    rows = rows.with_columns(day=time.calendar_day(rows, "date"))
    if frames.has(rows, "order_id"):
        rows = _orders(rows)
    amount = [nw.col("amount").sum()] if frames.has(rows, "amount") else []
    return (
        rows.with_columns(n_orders=nw.when(_is_purchase(rows)).then(nw.lit(1)))
        .group_by("customer_id", "day")
        .agg(nw.col("n_orders").count(), *amount)
    )


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
        days, first_amount = _with_first_amount(days)
        totals += [nw.col("amount").sum(), first_amount.alias("first_amount")]
    customers = days.group_by("customer_id").agg(*totals).filter(nw.col("n_orders") > 0)
    counts = ("n_days", "n_orders")  # some engines count without a sign
    return customers.with_columns(nw.col(*counts).cast(nw.Int64))


def _orders(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the lines of one order together, on the day of its first line."""
    amount = [nw.col("amount").sum()] if frames.has(rows, "amount") else []
    flag = [nw.col("is_purchase").max()] if frames.has(rows, "is_purchase") else []
    return rows.group_by("customer_id", "order_id").agg(nw.col("day").min(), *amount, *flag)


def _is_purchase(rows: nw.LazyFrame[Any]) -> nw.Expr:
    if frames.has(rows, "is_purchase"):
        return nw.col("is_purchase")
    if frames.has(rows, "amount"):
        return nw.col("amount") >= 0
    return nw.lit(value=True)


def _with_first_amount(days: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.Expr]:
    """Prepare the sum that picks each customer's amount of the first purchase day.

    pandas takes the first by sorting all rows, which costs twice what a window does there;
    elsewhere the window costs half as much again. Spark can take the first only as the least pair
    of day and amount.
    """
    engine = days.implementation
    if engine.is_pandas_like():
        spread = frames.spread_least(days, "customer_id", of="bought_day", into="first_bought")
        on_first = nw.when(nw.col("bought_day") == nw.col("first_bought")).then(nw.col("amount"))
        return spread.with_columns(on_first=on_first), nw.col("on_first").sum()
    turn = nw.when(nw.col("n_orders") > 0).then(nw.col("day")).otherwise(nw.lit(_NEVER))
    days = days.with_columns(turn=turn)
    if engine.is_spark_like():
        pair = nw.struct("turn", "amount")
        return days.with_columns(pair=pair), nw.col("pair").min().struct.field("amount")
    return days, nw.col("amount").first(order_by="turn")
