"""Calibration and holdout halves of each customer's history."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._summary.summarize import per_customer
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER


def holdout(orders: IntoFrameT, *, split: date | str, as_of: date | str) -> IntoFrameT:
    """Split each customer's history into a calibration and a holdout period.

    Customers first seen after the split cannot be forecast from their history; they have no row
    here, and `newcomers` counts them.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period, as a date or ISO text. The summary describes this day.
    as_of
        Last day of the holdout period, after `split`, as a date or ISO text.

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


def newcomers(orders: IntoFrameT, *, split: date | str, as_of: date | str) -> IntoFrameT:
    """Count the customers first seen in the holdout period.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period, as a date or ISO text.
    as_of
        Last day of the holdout period, after `split`, as a date or ISO text.

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
    customers = frames.by_customer(ledger, partial(purchase_days.of_customers, as_of=as_of))
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


def _held_out(ledger: nw.LazyFrame[Any], *, split: date, as_of: date) -> nw.LazyFrame[Any]:
    halves, names = in_halves(purchase_days.days(ledger, as_of=as_of), split=split)
    histories = purchase_days.histories(halves, more=[nw.col(name).sum() for name in names])
    return per_customer(histories, as_of=split, also=names)


def in_halves(days: nw.LazyFrame[Any], *, split: date) -> tuple[nw.LazyFrame[Any], tuple[str, ...]]:
    """Move what happened after the split to columns of their own, and name these.

    One pass gives both halves: a day after the split does not count as a purchase in the first.
    """
    early, zero = time.until(days, split, column="day"), nw.lit(0)
    bought_later = (nw.col("n_orders") > 0) & ~early
    later = {"frequency_holdout": bought_later.cast(nw.Int64)}
    first = {"n_orders": nw.when(early).then(nw.col("n_orders")).otherwise(zero)}
    if frames.has(days, "amount"):
        later["amount_holdout"] = nw.when(~early).then(nw.col("amount")).otherwise(nw.lit(0.0))
        first["amount"] = nw.when(early).then(nw.col("amount")).otherwise(nw.lit(0.0))
    return days.with_columns(**later).with_columns(**first), tuple(later)


def _split_days(split: date | str, as_of: date | str) -> tuple[date, date]:
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
