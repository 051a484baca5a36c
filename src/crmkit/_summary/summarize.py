"""One row per customer: when they came, how often, and what they spent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER, SUMMARY


def summarize(orders: IntoFrameT, *, as_of: date) -> IntoFrameT:
    """Measure each customer's history up to a given day.

    The one table that scores, stages and lifetime value start from. Several purchases on one
    day are one purchase day. A return changes money, never timing. Rows after `as_of` are not
    seen, so the same call on a longer ledger gives the same answer.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`. With an
        `order_id`, the lines of one order count as one order on the day of its first line.
    as_of
        The day that the table describes; purchases of that day are seen.

    Returns
    -------
    One row per customer with a purchase by `as_of`, sorted by `customer_id` (a lazy table is
    not sorted):

    ===================  =====  ==========================================================
    ``customer_id``      as in  who
    ``first_date``       date   day of the first purchase
    ``last_date``        date   day of the last purchase
    ``orders``           int    orders, the first one counted
    ``total_amount``     float  money of all orders less returns
    ``days_since_last``  int    days from the last purchase to `as_of`
    ``frequency``        int    x: purchase days after the first
    ``recency``          int    t_x: days from the first purchase to the last
    ``T``                int    days from the first purchase to `as_of`
    ``monetary_value``   float  mean amount of the purchase days after the first, returns
                                taken off; null where there is none
    ===================  =====  ==========================================================

    Without an `amount` in the ledger, `total_amount` and `monetary_value` are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        If `orders` breaks its contract, or `as_of` is no date.

    Notes
    -----
    ``monetary_value = (total_amount - amount of the first purchase day) / frequency``. So a
    return after the first day lowers the repeat spend even where it takes back the first
    purchase, and the mean can fall below zero.

    A customer whose rows are all returns has no purchase and no row here;
    `crmkit.intake.check` counts them.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
    *Marketing Science* 24(2), 275-284. https://doi.org/10.1287/mksc.1040.0098. Section 3
    defines x, t_x and T.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ann"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-02-01", "2024-02-04", "2024-03-01"]),
    ...         "amount": [20.0, 15.0, 30.0, 10.0],
    ...     }
    ... )
    >>> customers = summarize(orders, as_of=date(2024, 3, 31))
    >>> columns = ["customer_id", "orders", "days_since_last", "frequency", "recency", "T"]
    >>> print(customers[[*columns, "monetary_value"]].to_string(index=False))
    customer_id  orders  days_since_last  frequency  recency  T  monetary_value
            ann       3               30          2       56 86            20.0
            ben       1               59          0        0 59             NaN
    """
    as_of = time.as_day(as_of, argument="as_of")
    ledger = frames.read(orders, LEDGER)
    summary = frames.by_customer(ledger, partial(_summarized, as_of=as_of))
    return frames.give(summary, like=orders, order_by=["customer_id"])


def holdout(orders: IntoFrameT, *, split: date, as_of: date) -> IntoFrameT:
    """Split each customer's history in two, to test a forecast on what came after.

    Customers first seen after the split cannot be forecast from their history; they have no row
    here, and `newcomers` counts them.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period. The summary describes this day.
    as_of
        Last day of the holdout period, after `split`.

    Returns
    -------
    The table of `summarize` as of `split`, and what each of its customers did afterwards:

    ======================  =====  =======================================================
    ``frequency_holdout``   int    purchase days after the split
    ``amount_holdout``      float  money after the split, less returns
    ``duration_holdout``    int    days from `split` to `as_of`
    ======================  =====  =======================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `split` is not before `as_of`.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ben", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-03-01", "2024-01-09", "2024-03-02"]),
    ...         "amount": [20.0, 30.0, 15.0, 40.0],
    ...     }
    ... )
    >>> halves = holdout(orders, split=date(2024, 1, 31), as_of=date(2024, 3, 31))
    >>> columns = ["customer_id", "frequency", "T", "frequency_holdout", "amount_holdout"]
    >>> print(halves[[*columns, "duration_holdout"]].to_string(index=False))
    customer_id  frequency  T  frequency_holdout  amount_holdout  duration_holdout
            ann          0 26                  1            30.0                60
            ben          0 22                  0             0.0                60
    """
    split, as_of = _split_days(split, as_of)
    ledger = frames.read(orders, LEDGER)
    customers = frames.by_customer(ledger, partial(_held_out, split=split, as_of=as_of))
    result = customers.with_columns(
        nw.col("frequency_holdout").cast(nw.Int64),
        duration_holdout=nw.lit((as_of - split).days).cast(nw.Int64),
    )
    return frames.give(result, like=orders, order_by=["customer_id"])


def newcomers(orders: IntoFrameT, *, split: date, as_of: date) -> IntoFrameT:
    """Count the customers whom a holdout test leaves out: first seen after the split.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period.
    as_of
        Last day of the holdout period, after `split`.

    Returns
    -------
    One row:

    =================  =====  ======================================================
    ``n_customers``    int    customers whose first purchase falls after the split
    ``orders``         int    their orders by `as_of`
    ``total_amount``   float  their money by `as_of`, less returns
    =================  =====  ======================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `split` is not before `as_of`.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "cid", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-03-02", "2024-03-09"]),
    ...         "amount": [20.0, 30.0, 15.0],
    ...     }
    ... )
    >>> new = newcomers(orders, split=date(2024, 1, 31), as_of=date(2024, 3, 31))
    >>> print(new.to_string(index=False))
     n_customers  orders  total_amount
               1       2          45.0
    """
    split, as_of = _split_days(split, as_of)
    ledger = frames.read(orders, LEDGER)
    customers = frames.by_customer(ledger, partial(_histories, as_of=as_of))
    new = customers.filter(~time.until(customers, split, column="first_day"))
    counted = new.select(
        nw.len().alias("n_customers"),
        nw.col("n_orders").sum().alias("orders"),
        *_sums(new, total_amount="amount"),
    )
    whole = counted.with_columns(
        nw.col("n_customers").cast(nw.Int64), nw.col("orders").fill_null(0).cast(nw.Int64)
    )
    if frames.has(whole, "total_amount"):
        whole = whole.with_columns(nw.col("total_amount").fill_null(0.0))
    return frames.give(whole, like=orders)


def per_customer(
    histories: nw.LazyFrame[Any], *, as_of: date, also: Sequence[str] = ()
) -> nw.LazyFrame[Any]:
    """Describe purchase histories as of a day, in the columns of `summarize`.

    Columns named in `also` stay as they are.
    """
    numbered = histories.with_columns(
        first=time.day_number(histories, "first_day"), last=time.day_number(histories, "last_day")
    )
    today = time.number_of(as_of)
    summary = numbered.select(
        "customer_id",
        nw.col("first_day").alias("first_date"),
        nw.col("last_day").alias("last_date"),
        nw.col("n_orders").alias("orders"),
        (nw.lit(today) - nw.col("last")).cast(nw.Int64).alias("days_since_last"),
        (nw.col("n_days") - 1).alias("frequency"),
        (nw.col("last") - nw.col("first")).alias("recency"),
        (nw.lit(today) - nw.col("first")).cast(nw.Int64).alias("T"),
        *(nw.col(name) for name in ("amount", "first_amount") if frames.has(numbered, name)),
        *also,
    )
    if not frames.has(summary, "amount"):
        return summary
    repeat_amount = nw.col("amount") - nw.col("first_amount")
    mean = nw.when(nw.col("frequency") > 0).then(repeat_amount / nw.col("frequency"))
    with_money = summary.with_columns(monetary_value=mean, total_amount=nw.col("amount"))
    return with_money.select(*SUMMARY.column_names, *also)


def _histories(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    return purchase_days.histories(purchase_days.days(ledger, as_of=as_of))


def _summarized(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    return per_customer(_histories(ledger, as_of=as_of), as_of=as_of)


def _held_out(ledger: nw.LazyFrame[Any], *, split: date, as_of: date) -> nw.LazyFrame[Any]:
    halves, names = _in_halves(purchase_days.days(ledger, as_of=as_of), split=split)
    histories = purchase_days.histories(halves, more=[nw.col(name).sum() for name in names])
    return per_customer(histories, as_of=split, also=names)


def _in_halves(
    days: nw.LazyFrame[Any], *, split: date
) -> tuple[nw.LazyFrame[Any], tuple[str, ...]]:
    """Move what happened after the split to columns of its own, and name them.

    So one pass tells both halves: a day after the split is no purchase of the first.
    """
    early, zero = time.until(days, split, column="day"), nw.lit(0)
    bought_later = (nw.col("n_orders") > 0) & ~early
    later = {"frequency_holdout": bought_later.cast(nw.Int64)}
    first = {"n_orders": nw.when(early).then(nw.col("n_orders")).otherwise(zero)}
    if frames.has(days, "amount"):
        later["amount_holdout"] = nw.when(~early).then(nw.col("amount")).otherwise(nw.lit(0.0))
        first["amount"] = nw.when(early).then(nw.col("amount")).otherwise(nw.lit(0.0))
    return days.with_columns(**later).with_columns(**first), tuple(later)


def _split_days(split: date, as_of: date) -> tuple[date, date]:
    split = time.as_day(split, argument="split")
    as_of = time.as_day(as_of, argument="as_of")
    if split >= as_of:
        msg = (
            f"`split` ({split}) must come before `as_of` ({as_of}).\n"
            "The days between them are the holdout period."
        )
        raise InvalidArgumentError(msg)
    return split, as_of


def _sums(frame: nw.LazyFrame[Any], **columns: str) -> list[nw.Expr]:
    """Sum the columns that the frame has."""
    return [
        nw.col(column).sum().alias(name)
        for name, column in columns.items()
        if frames.has(frame, column)
    ]
