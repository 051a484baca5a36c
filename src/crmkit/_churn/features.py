"""Features of each customer as of a day, from what was known by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._churn import attributes, breadth, histories, windows
from crmkit._door import frames, time
from crmkit.tables import FEATURE_ORDERS

Frame = nw.LazyFrame[Any]

WINDOWS_DAYS = (30, 90, 365)


def features(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    windows_days: Sequence[int] = WINDOWS_DAYS,
    customers: IntoFrameT | None = None,
) -> IntoFrameT:
    """Features of each customer as of a day, for a churn model to score.

    Rows after `as_of` are not seen, so that a feature cannot hold what it is to foretell. That
    assumes that the ledger still says what it said then: orders that were deleted or dated back
    later leak all the same.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`; or the table
        of `crmkit.rfm.purchase_days`, which has neither products nor discounts. A column
        `discount` with what was taken off each row, in money or as a share, comes through
        `crmkit.transactions` with ``keep=["discount"]``.
    as_of
        The day that the features describe, as a date or ISO text; that day is seen.
    windows_days
        Lengths in days of the trailing windows, the shortest first. Each ends with `as_of`.
    customers
        More columns to join on by `customer_id`, on the same engine: attributes, complaints,
        the probability of a model. With a column `date`, each customer's last row dated by
        `as_of` counts, and later ones are not seen. Without, the table is taken as known on
        that day: leave out what was learned later.

    Returns
    -------
    One row per customer with a purchase by `as_of`, sorted by `customer_id` (a lazy table is
    not sorted). What one purchase cannot show is null:

    ======================  =====  ==========================================================
    ``customer_id``         as in  who
    ``date``                date   `as_of`
    ``orders``              int    orders so far
    ``days_since_last``     int    days from the last purchase to `as_of`
    ``frequency``           int    purchase days after the first
    ``recency``             int    days from the first purchase to the last
    ``T``                   int    days from the first purchase to `as_of`
    ``total_amount``        float  money so far, less returns
    ``monetary_value``      float  mean amount of the purchase days after the first
    ``n_orders_30d``        int    orders of each window
    ``amount_30d``          float  money of each window, less returns
    ``orders_trend_30d_90d``  float  orders a day in a window over those in the next longer
                                   one; for a customer younger than the window, over the days
                                   since the first purchase
    ``amount_trend_30d_90d``  float  money a day likewise
    ``gap_mean_days``       float  mean days between purchase days
    ``gap_sd_days``         float  their standard deviation, from three purchase days on
    ``silence_over_gap``    float  `days_since_last` over `gap_mean_days`
    ``return_share``        float  money of the days on which more came back than was bought,
                                   over that of the other days
    ``n_products``          int    different products bought
    ``discount_share``      float  share of the rows bought at a discount, where it is known
    ``month``               int    month of `as_of`, 1 to 12
    ======================  =====  ==========================================================

    and the columns of `customers`. Without an amount, a product or a discount in the ledger,
    the columns that need it are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` or `customers` breaks its contract, or `customers` has a customer twice.
    InvalidArgumentError
        If `as_of` is not a date or before all data, `windows_days` are not whole days in rising
        order, or `customers` cannot be joined: another engine, a column that is a feature
        already, no row dated by `as_of`. The values of lazy tables are not checked.

    Notes
    -----
    The standard deviation divides by the number of gaps less one. With a gap mean ``m`` and the
    days since the last purchase ``s``, `silence_over_gap` is ``s / m``.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ann"],
    ...         "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-01-11", "2024-03-01"]),
    ...         "amount": [20.0, 15.0, 30.0, 10.0],
    ...     }
    ... )
    >>> table = features(orders, as_of=date(2024, 3, 31), windows_days=(31, 60))
    >>> columns = ["n_orders_31d", "amount_60d", "gap_mean_days", "gap_sd_days"]
    >>> print(table[["customer_id", *columns, "silence_over_gap"]].round(2).to_string(index=False))
    customer_id  n_orders_31d  amount_60d  gap_mean_days  gap_sd_days  silence_over_gap
            ann             1        10.0           30.0        28.28               1.0
            ben             0        15.0            NaN          NaN               NaN
    """
    day = time.as_day(as_of, argument="as_of")
    lengths = windows.checked_windows(windows_days)
    ledger = frames.read(orders, FEATURE_ORDERS)
    if not frames.is_lazy(orders):
        windows.require_begun(windows.span(ledger), day=day, argument="as_of")
    known = None
    if customers is not None:
        known = attributes.read_attributes(customers, like=ledger, taken=names(ledger, lengths))
        attributes.require_known(customers, known, as_of=day)
    table = frames.by_customer(ledger, partial(_described, as_of=day, windows=lengths))
    table = with_attributes(table, known, as_of=day)
    return frames.give(table, like=orders, order_by=["customer_id"])


def names(ledger: Frame, lengths: Sequence[int]) -> list[str]:
    """List all features of a ledger, in order."""
    own = histories.names(lengths, money=frames.has(ledger, "amount"))
    return [*own, *breadth.names(ledger), "month"]


def with_attributes(table: Frame, known: Frame | None, *, as_of: date) -> Frame:
    """Join on the columns of customers as they were known on a day."""
    if known is None:
        return table
    return frames.join_left(table, attributes.as_known(known, as_of=as_of), on="customer_id")


def at_date(
    days: Frame, ledger: Frame, *, as_of: date, windows: Sequence[int], horizon_days: int = 0
) -> Frame:
    """Make the features of a day, with `later`, the purchase days within the horizon."""
    known = histories.as_known(days, as_of=as_of, windows=windows, horizon_days=horizon_days)
    known = breadth.with_breadth(known, ledger, as_of=as_of)
    dated = known.with_columns(
        date=time.constant_day(known, as_of), month=nw.lit(as_of.month).cast(nw.Int64)
    )
    return dated.select("customer_id", "date", *names(ledger, windows), "later")


def _described(ledger: Frame, *, as_of: date, windows: Sequence[int]) -> Frame:
    days = histories.numbered_days(ledger, as_of=as_of)
    return at_date(days, ledger, as_of=as_of, windows=windows).drop("later")
