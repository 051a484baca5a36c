"""The customer summary: one row per customer, as of a given day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_flag
from crmkit.tables import LEDGER, SUMMARY

_LOG_GAPS: Final = "sum_log_gaps"
_COLUMNS: Final = tuple(name for name in SUMMARY.column_names if name != _LOG_GAPS)


def summarize(orders: IntoFrameT, *, as_of: date | str, log_gaps: bool = False) -> IntoFrameT:
    """Summarize each customer's purchase history as of a given day.

    The one table that scores, stages and lifetime value start from. Several purchases on one
    day are one purchase day. A return changes money, never timing. Rows after `as_of` are not
    seen, so the same call on a longer ledger gives the same answer.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`. With an `order_id`, the lines of one order count as one
        order on the day of its first line, and money counts on the day of its own line.
    as_of
        The day that the table describes, as a date or ISO text; purchases of that day are seen.
    log_gaps
        Whether to add `sum_log_gaps`, by which the CNBD-k of `crmkit.clv.fit` find how regular
        purchases are. It takes about as long as all the rest.

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
    ``sum_log_gaps``     float  with `log_gaps`: sum of the natural logs of the days from
                                each purchase day to the next; 0 where there is none
    ===================  =====  ==========================================================

    Without an `amount` in the ledger, `total_amount` and `monetary_value` are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        If `orders` breaks its contract, or `as_of` is not a date.

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
    require_flag(log_gaps, argument="log_gaps")
    ledger = frames.read(orders, LEDGER)
    step = _with_log_gaps if log_gaps else _summarized
    summary = frames.by_customer(ledger, partial(step, as_of=as_of))
    return frames.give(summary, like=orders, order_by=["customer_id"])


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
    mean = nw.when(nw.col("frequency") > 0).then(_repeat_amount() / nw.col("frequency"))
    with_money = summary.with_columns(monetary_value=mean, total_amount=nw.col("amount"))
    return with_money.select(*_COLUMNS, *also)


def _repeat_amount() -> nw.Expr:
    """Money after the first day; what rounding leaves of a sum that cancels is zero.

    As spend of 1e-14 it would weigh on a model of spend, and only in some orders of the rows.
    """
    amount, first = nw.col("amount"), nw.col("first_amount")
    later = amount - first
    is_rounding = later.abs() <= purchase_days.ROUNDING * (amount.abs() + first.abs())
    return nw.when(is_rounding).then(0.0).otherwise(later)


def _summarized(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    return per_customer(purchase_days.of_customers(ledger, as_of=as_of), as_of=as_of)


def _with_log_gaps(ledger: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Summarize, and add up the logs of the days between purchase days.

    Days with returns only stand between no two purchases: they form a group of their own.
    """
    days = purchase_days.days(ledger, as_of=as_of)
    days = days.with_columns(bought=nw.col("n_orders") > 0, number=time.day_number(days, "day"))
    gap = nw.col("number").diff().over("customer_id", "bought", order_by="number")
    days = days.with_columns(gap=gap.cast(nw.Float64))
    is_gap = nw.col("bought") & (nw.col("gap") > 0)
    days = days.with_columns(gap=nw.when(is_gap).then(nw.col("gap")).otherwise(nw.lit(1.0)))
    days = days.with_columns(nw.col("gap").log().alias(_LOG_GAPS)).drop("gap", "number", "bought")
    histories = purchase_days.histories(days, more=[nw.col(_LOG_GAPS).sum()])
    return per_customer(histories, as_of=as_of, also=[_LOG_GAPS])
