"""The summary with each customer's own rhythm: gaps between purchases, and recent activity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._summary.holdout import in_halves
from crmkit._summary.summarize import per_customer
from crmkit._words.arguments import require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER, PROSPECTS

RECENT_DAYS: Final = 91
"""Length of the recent window: 13 weeks."""

_COUNTS: Final = ("purchases_recent", "purchases_before")


def rhythm(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    recent_days: int = RECENT_DAYS,
    prospects: IntoFrameT | None = None,
) -> IntoFrameT:
    """Summarize each customer's history together with their own purchase rhythm.

    All columns of `crmkit.rfm.summarize`, and the gaps between purchases that life-cycle stages
    need, so that models, scores, stages and risk follow on one table without a merge. Stages
    assume that past gaps are a guide to the next, which fails for goods bought once in a
    lifetime and for customers whose need has changed. Several purchases on one day are one
    purchase day; a return changes money, never timing; rows after `as_of` are not seen.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`.
    as_of
        The day that the table describes, as a date or ISO text; purchases of that day are seen.
    recent_days
        Length in days of the recent window, which ends with `as_of`, and of the window before
        it. The default is 13 weeks, so that both hold the same weekdays; take a longer one
        where customers buy less than a few times a quarter.
    prospects
        People known by name who may not have bought yet, with a `customer_id`, on the same
        engine as `orders`. Those without a purchase by `as_of` get a row of nulls; those with
        one are customers already.

    Returns
    -------
    One row per customer with a purchase by `as_of` and per prospect, sorted by `customer_id` (a
    lazy table is not sorted). The columns of `crmkit.rfm.summarize`, then those below. All but
    `customer_id` are null for a prospect:

    ====================  =====  =========================================================
    ``mean_gap_days``     float  ``recency / frequency``; null where nobody came back
    ``last_gap_days``     float  the gap that the last purchase ended; null likewise
    ``purchases_recent``  int    purchase days in the recent window
    ``purchases_before``  float  purchase days in the window before it; null for one who
                                 first bought after it began, and so cannot be compared
    ``amount_recent``     float  money in the recent window, less returns
    ``amount_before``     float  money in the window before it; null likewise
    ====================  =====  =========================================================

    Without an `amount` in the ledger the columns of money are left out. With prospects in the
    table, pandas shows whole numbers as floats, since its integers hold no nulls.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` or `prospects` breaks its contract.
    InvalidArgumentError
        If `as_of` is not a date, `recent_days` is not a whole number of at least 1, or
        `prospects` cannot be matched with `orders`.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ann"],
    ...         "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-01-11", "2024-03-01"]),
    ...     }
    ... )
    >>> table = rhythm(orders, as_of=date(2024, 3, 31), recent_days=30)
    >>> columns = ["customer_id", "days_since_last", "mean_gap_days", "last_gap_days"]
    >>> print(table[[*columns, "purchases_recent", "purchases_before"]].to_string(index=False))
    customer_id  days_since_last  mean_gap_days  last_gap_days  purchases_recent  purchases_before
            ann               30           30.0           50.0                 0               1.0
            ben               59            NaN            NaN                 0               NaN
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_whole(
        recent_days,
        argument="recent_days",
        least=1,
        advice="It is the length in days of each of the two windows that are compared.",
    )
    ledger = frames.read(orders, LEDGER)
    customers = frames.by_customer(ledger, partial(_measured, as_of=as_of, window=recent_days))
    if prospects is not None:
        customers = _with_prospects(customers, frames.read(prospects, PROSPECTS))
    return frames.give(customers, like=orders, order_by=["customer_id"])


def followed(ledger: frames.Frame, *, as_of: date, until: date) -> frames.Frame:
    """Make the rhythm of a past day, with what each customer did from then to `until`.

    That is `frequency_holdout` and, with money, `amount_holdout`, as in `crmkit.rfm.holdout`.
    """
    return frames.by_customer(
        ledger, partial(_measured, as_of=as_of, window=RECENT_DAYS, until=until)
    )


def _measured(
    ledger: nw.LazyFrame[Any], *, as_of: date, window: int, until: date | None = None
) -> nw.LazyFrame[Any]:
    days = purchase_days.days(ledger, as_of=until or as_of)
    later: tuple[str, ...] = ()
    if until is not None:
        days, later = in_halves(days, split=as_of)
    marked, money = _marked(days, today=time.number_of(as_of), window=window, also=later)
    sums = (*_COUNTS, *money, *later)
    more = [nw.col("last_gap_days").min(), *(nw.col(name).sum() for name in sums)]
    also = ("last_gap_days", *sums)
    customers = per_customer(purchase_days.histories(marked, more=more), as_of=as_of, also=also)
    both_windows = nw.col("T") >= 2 * window
    gaps_ended = nw.col("frequency") > 0
    amounts = [
        nw.col("amount_recent"),
        nw.when(both_windows).then(nw.col("amount_before")).alias("amount_before"),
    ]
    summary = [name for name in customers.collect_schema().names() if name not in also]
    return customers.select(
        *summary,
        nw.when(gaps_ended).then(nw.col("recency") / nw.col("frequency")).alias("mean_gap_days"),
        nw.col("last_gap_days").cast(nw.Float64),
        nw.col("purchases_recent").cast(nw.Int64),
        nw.when(both_windows)
        .then(nw.col("purchases_before").cast(nw.Float64))
        .alias("purchases_before"),
        *(amounts if money else []),
        *later,
    )


def _marked(
    days: nw.LazyFrame[Any], *, today: int, window: int, also: tuple[str, ...] = ()
) -> tuple[nw.LazyFrame[Any], tuple[str, ...]]:
    """Mark each day with the gap to the last purchase and with its part in the two windows.

    Comes with the names of the columns of money.
    """
    ago, bought = nw.col("days_ago"), nw.col("n_orders") > 0
    recent = ago < window
    inside = {"recent": recent, "before": (ago < 2 * window) & ~recent}
    flags = {f"purchases_{name}": (bought & when).cast(nw.Int64) for name, when in inside.items()}
    money: dict[str, nw.Expr] = {}
    if frames.has(days, "amount"):
        zero = nw.lit(0.0)
        money = {
            f"amount_{name}": nw.when(when).then(nw.col("amount")).otherwise(zero)
            for name, when in inside.items()
        }
    numbered = days.with_columns(
        days_ago=(nw.lit(today) - time.day_number(days, "day")).cast(nw.Int64)
    ).with_columns(bought_ago=nw.when(bought).then(ago))
    spread = frames.spread_least(numbered, "customer_id", of="bought_ago", into="last_ago")
    since_last = nw.col("bought_ago") - nw.col("last_ago")
    gap = nw.when(since_last > 0).then(since_last)
    amount = ["amount"] if money else []
    columns = ["customer_id", "day", "n_orders", *amount, "last_gap_days", *flags, *money, *also]
    return spread.with_columns(last_gap_days=gap, **flags, **money).select(*columns), tuple(money)


def _with_prospects(
    customers: nw.LazyFrame[Any], prospects: nw.LazyFrame[Any]
) -> nw.LazyFrame[Any]:
    require_same_keys(customers, prospects)
    names = customers.collect_schema().names()
    both = nw.concat([customers, prospects.select("customer_id")], how="diagonal")
    return frames.by_customer(both, partial(_one_row_each, names=names))


def _one_row_each(people: nw.LazyFrame[Any], *, names: Sequence[str]) -> nw.LazyFrame[Any]:
    """Put the rows of one person together: at most one, that of a customer, holds values."""
    values = (nw.col(name).max() for name in names if name != "customer_id")
    return people.group_by("customer_id").agg(*values).select(*names)


def require_same_keys(
    customers: nw.LazyFrame[Any],
    prospects: nw.LazyFrame[Any],
    *,
    tables: tuple[str, str] = ("prospects", "transactions"),
) -> None:
    """Require that people can be matched with customers, and name both tables if not."""
    second, first = tables
    ours, theirs = (frame.implementation for frame in (customers, prospects))
    if ours != theirs:
        msg = (
            f"{second}: on {theirs.value}, where the {first} are on {ours.value}.\n"
            "Give both as tables of one engine."
        )
        raise InvalidArgumentError(msg)
    kinds = [frame.collect_schema()["customer_id"] for frame in (customers, prospects)]
    if kinds[0] != kinds[1]:
        msg = (
            f"{second}: `customer_id` has type {kinds[1]}, where the {first} have "
            f"{kinds[0]}.\nCast one to the type of the other."
        )
        raise InvalidArgumentError(msg)
