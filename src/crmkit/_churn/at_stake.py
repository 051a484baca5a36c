"""Money at stake: what customers brought lately, and the part that their silence puts in doubt."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.rates import require_horizon
from crmkit.tables import AT_STAKE, LEDGER, PAST_AMOUNT

_WITH_MONEY: Final = LEDGER.only("customer_id", "date", "amount")


def past_amount(orders: IntoFrameT, *, as_of: date | str, horizon_days: float) -> IntoFrameT:
    """Money that each customer brought in the last `horizon_days`.

    It is what would be missed if the customer bought nothing in as long a time to come.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with amounts,
        or the table of `crmkit.rfm.purchase_days`.
    as_of
        Last day of the period, as a date or ISO text; rows after it are not seen.
    horizon_days
        Length of the period that ends with `as_of`, in days: as long as the horizon of the risk.

    Returns
    -------
    One row per customer with a purchase by `as_of`, sorted by `customer_id` (a lazy table is
    not sorted):

    ===============  =====  =================================================================
    ``customer_id``  as in  who
    ``past_amount``  float  money of the period, less returns; 0 for one who bought nothing
    ===============  =====  =================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    InvalidArgumentError
        If `as_of` is not a date, or the horizon is not above 0 and finite.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-02-01", "2024-03-01"]),
    ...         "amount": [20.0, 15.0, 30.0],
    ...     }
    ... )
    >>> print(past_amount(orders, as_of="2024-03-31", horizon_days=31).to_string(index=False))
    customer_id  past_amount
            ann         30.0
            ben          0.0
    """
    day = time.as_day(as_of, argument="as_of")
    require_horizon(horizon_days)
    ledger = frames.read(orders, _WITH_MONEY)
    step = partial(_summed, as_of=day, horizon_days=float(horizon_days))
    return frames.give(frames.by_customer(ledger, step), like=orders, order_by=["customer_id"])


def value_at_risk(customers: IntoFrameT, *, past: IntoFrameT) -> IntoFrameT:
    """Value at risk: money of the last horizon times the churn risk.

    It ranks whom to contact by what would be missed. It does not say that a call helps: hold
    back a control group to find out.

    Parameters
    ----------
    customers
        One row per customer or prospect, with `churn_risk` from `crmkit.churn.risk`. With
        `expected_purchases` and `expected_spend` of the same horizon from `crmkit.clv.predict`,
        a customer without money in the past period has the expected money in its place.
    past
        Their money of the last horizon, from `crmkit.churn.past_amount`, on the same engine.

    Returns
    -------
    The same rows with more columns, null where the risk is unknown:

    =================  =====  ===============================================================
    ``past_amount``    float  money of the last horizon, less returns
    ``value_at_risk``  float  ``past_amount * churn_risk``; where the past amount is not above
                              0, ``expected_purchases * expected_spend * churn_risk``, or 0
                              where that is not known or not above 0
    =================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract.

    Notes
    -----
    It is revenue, neither discounted nor multiplied by a margin. The usual product of lifetime
    value and risk counts leaving twice, since the expected value of one who leaves is low
    already.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben", "new"], "churn_risk": [0.2, 0.9, None]}
    ... )
    >>> past = pd.DataFrame({"customer_id": ["ann", "ben"], "past_amount": [300.0, 100.0]})
    >>> print(value_at_risk(customers, past=past).to_string(index=False))
    customer_id  churn_risk  past_amount  value_at_risk
            ann         0.2        300.0           60.0
            ben         0.9        100.0           90.0
            new         NaN          NaN            NaN
    """
    frame = frames.read(customers, AT_STAKE).drop("past_amount", "value_at_risk", strict=False)
    amounts = frames.read(past, PAST_AMOUNT).select("customer_id", "past_amount")
    joined = frames.join_left(frame, amounts, on="customer_id")
    known = ~frames.known("churn_risk").is_null()
    brought = frames.known("past_amount")
    joined = frames.with_columns(
        joined, past_amount=nw.when(known & brought.is_null()).then(nw.lit(0.0)).otherwise(brought)
    )
    money = nw.when(frames.known("past_amount") > 0).then(frames.known("past_amount"))
    if frames.has(joined, "expected_purchases") and frames.has(joined, "expected_spend"):
        expected = frames.known("expected_purchases") * frames.known("expected_spend")
        money = money.when(expected > 0).then(expected)
    at_stake = nw.when(known).then(money.otherwise(nw.lit(0.0)) * frames.known("churn_risk"))
    valued = frames.with_columns(joined, value_at_risk=at_stake)
    return frames.give(valued, like=customers)


def _summed(ledger: nw.LazyFrame[Any], *, as_of: date, horizon_days: float) -> nw.LazyFrame[Any]:
    days = purchase_days.days(ledger, as_of=as_of)
    ago = nw.lit(time.number_of(as_of)) - time.day_number(days, "day")
    recent = nw.when(ago.cast(nw.Float64) < horizon_days).then(nw.col("amount"))
    marked = days.with_columns(past_amount=recent.otherwise(nw.lit(0.0)))
    summed = marked.group_by("customer_id").agg(
        nw.col("past_amount").sum(), nw.col("n_orders").sum()
    )
    return summed.filter(nw.col("n_orders") > 0).select("customer_id", "past_amount")
