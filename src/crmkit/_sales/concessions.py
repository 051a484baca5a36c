"""What concessions cost with each customer, and what is bought after they end."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_whole
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics import proportions

_CLASSES: Final = ("none", "some", "most")
_MOST: Final = 0.5
_LONGEST: Final = 36_500
_SUMS: Final = ("before", "given", "after", "given_after", "bought", "bought_after")


def concessions(orders: IntoFrameT, *, as_of: date | str, days: int = 365) -> IntoFrameT:
    """Concessions by customer: share of sales at a discount, and margin after it.

    The assumption that most often fails is that the ledger has all concessions: bonuses at the end
    of the year, free delivery and longer terms are seldom in it.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with `discount`:
        what was taken off the price of the row. With `cost` there are margins.
    as_of
        The last day that is seen, as a date or ISO text.
    days
        Days up to `as_of` that count.

    Returns
    -------
    One row per customer with a row in the days, the highest discount first, then by customer (a
    lazy table is not sorted):

    ==========================  =====  ======================================================
    ``customer_id``             as in  who
    ``amount``                  float  money, less returns
    ``discount_amount``         float  what was taken off
    ``discount_rate``           float  that as a share of what the rows would have been without
    ``discounted_share``        float  share of the money from rows with a discount
    ``n_discount_unknown``      int    rows whose discount is unknown; they count as without
    ``margin_amount``           float  with `cost`: money less cost; null where a cost is unknown
    ``margin_before_discount``  float  that and what was taken off
    ``margin_share``            float  margin / money
    ==========================  =====  ======================================================

    Shares are null where nothing or less stands below the line.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no `discount`.
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-05-01", "2024-06-01", "2024-06-10"]),
    ...         "amount": [80.0, 120.0, 50.0],
    ...         "discount": [20.0, 0.0, 0.0],
    ...         "cost": [60.0, 70.0, 30.0],
    ...     }
    ... )
    >>> found = concessions(orders, as_of="2024-06-30")
    >>> columns = ["customer_id", "discounted_share", "margin_amount", "margin_before_discount"]
    >>> print(found[columns].to_string(index=False))
    customer_id  discounted_share  margin_amount  margin_before_discount
            ann               0.4           70.0                    90.0
            ben               0.0           20.0                    20.0
    """
    today = time.as_day(as_of, argument="as_of")
    require_whole(days, argument="days", least=1, most=_LONGEST, advice="Write 365 for a year.")
    frame = ledger.read(orders, (), needed=("discount",))
    step = partial(_by_customer, today=time.number_of(today), days=int(days))
    table = frames.by_customer(frame, step)
    if frames.is_lazy(orders):
        return frames.give(table, like=orders)
    ranked = table.sort("discount_amount", "customer_id", descending=[True, False])
    return frames.give_in_order(ranked, like=orders)


def _by_customer(rows: nw.LazyFrame[Any], *, today: int, days: int) -> nw.LazyFrame[Any]:
    has_cost = frames.has(rows, "cost")
    number = time.day_number(rows, "date")
    inside = rows.filter((number <= today) & (number > today - days))
    off, none = frames.known("discount"), nw.lit(0.0)
    amount = nw.col("amount").cast(nw.Float64)
    marks = {
        "amount": amount,
        "discount_amount": nw.when(off.is_null()).then(none).otherwise(off),
        "discounted": nw.when((off > 0).fill_null(value=False)).then(amount).otherwise(none),
        "n_discount_unknown": nw.when(off.is_null()).then(nw.lit(1)).otherwise(nw.lit(0)),
    }
    if has_cost:
        cost = frames.known("cost")
        marks["cost"] = nw.when(cost.is_null()).then(none).otherwise(cost)
        marks["n_cost_unknown"] = nw.when(cost.is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    sums = inside.select("customer_id", **marks).group_by("customer_id").agg(nw.col(*marks).sum())
    money, taken = nw.col("amount"), nw.col("discount_amount")
    full = money + taken
    columns = {
        "amount": money,
        "discount_amount": taken,
        "discount_rate": nw.when(full > 0).then(taken / full),
        "discounted_share": nw.when(money > 0).then(nw.col("discounted") / money),
        "n_discount_unknown": nw.col("n_discount_unknown").cast(nw.Int64),
    }
    if has_cost:
        known, margin = nw.col("n_cost_unknown") == 0, money - nw.col("cost")
        columns |= {
            "margin_amount": nw.when(known).then(margin),
            "margin_before_discount": nw.when(known).then(margin + taken),
            "margin_share": nw.when(known & (money > 0)).then(margin / money),
        }
    return sums.select("customer_id", **columns)


def after_concessions(
    orders: IntoFrameT,
    *,
    ended: date | str,
    as_of: date | str,
    days: int = 182,
    level: float = 0.9,
) -> IntoFrameT:
    """What customers buy after concessions end, by how much was at a discount.

    It compares customers who lived on discounts with those who had none, before and after the day.
    It is not an experiment: both differ in more than discounts, and a season between the windows
    moves all. `ratio_to_none` takes out what moved all alike.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with `discount`.
        A lazy table is run.
    ended
        The last day of the concessions, as a date or ISO text.
    as_of
        The last day that is seen, `days` or more after `ended`.
    days
        Days before and after that are compared; 364 compares whole years.
    level
        The level of the intervals, as a fraction.

    Returns
    -------
    The customers with a purchase in the days up to `ended`, by class (a lazy table is not sorted):

    ==========================  =====  ======================================================
    ``concession_class``        text   share of their money at a discount: "none", "some" (up to
                                       a half), "most"
    ``n_customers``             int    customers
    ``n_still_bought``          int    those with a purchase after
    ``still_bought_share``      float  their share; null without customers
    ``still_bought_lower``      float  lower bound of it (Wilson)
    ``still_bought_upper``      float  upper bound of it
    ``amount_before``           float  money in the days before, less returns
    ``amount_after``            float  money in the days after, less returns
    ``amount_ratio``            float  after / before; null where before is not above 0
    ``ratio_to_none``           float  that ratio over the one of "none"
    ``discounted_after_share``  float  share of the money after that was still at a discount:
                                       above 0, concessions have not ended
    ==========================  =====  ======================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no `discount`.
    InvalidArgumentError
        If an argument is outside its range, or fewer than `days` lie between `ended` and `as_of`.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid"],
    ...         "date": pd.to_datetime(["2024-05-01", "2024-05-02", "2024-08-01", "2024-06-10"]),
    ...         "amount": [100.0, 80.0, 90.0, 40.0],
    ...         "discount": [0.0, 20.0, 0.0, 10.0],
    ...     }
    ... )
    >>> found = after_concessions(orders, ended="2024-06-30", as_of="2024-12-31")
    >>> columns = ["concession_class", "n_customers", "still_bought_share", "amount_ratio"]
    >>> print(found[columns].to_string(index=False))
    concession_class  n_customers  still_bought_share  amount_ratio
                none            1                 1.0           0.9
                some            0                 NaN           NaN
                most            2                 0.0           0.0
    """
    last, today = time.as_day(ended, argument="ended"), time.as_day(as_of, argument="as_of")
    require_whole(days, argument="days", least=1, most=_LONGEST, advice="Write 182.")
    require_level(level)
    if (today - last) < timedelta(days=int(days)):
        msg = (
            f"`as_of` is {today}, fewer than {int(days):,} days after {last}.\n"
            "Give a later `as_of`, or fewer `days`."
        )
        raise InvalidArgumentError(msg)
    frame = ledger.read(orders, (), needed=("discount",))
    step = partial(_around, last=time.number_of(last), days=int(days))
    each = frames.by_customer(frame, step)
    data = each.select(*_SUMS).collect()
    sums = {name: ledger.number(data, name) for name in _SUMS}
    columns = _of_classes(sums, level=level)
    return frames.give(ledger.laid_out(columns, like=frame), like=orders)


def _around(rows: nw.LazyFrame[Any], *, last: int, days: int) -> nw.LazyFrame[Any]:
    """Add up each customer's money in both windows, and what of it was at a discount."""
    number = time.day_number(rows, "date")
    inside = rows.filter((number > last - days) & (number <= last + days))
    bought = purchase_days.is_purchase(inside)
    is_before = time.day_number(inside, "date") <= last
    is_off = (frames.known("discount") > 0).fill_null(value=False)
    amount, none = nw.col("amount").cast(nw.Float64), nw.lit(0.0)
    one = nw.lit(1.0)
    marks = {
        "before": nw.when(is_before).then(amount).otherwise(none),
        "given": nw.when(is_before & is_off).then(amount).otherwise(none),
        "after": nw.when(is_before).then(none).otherwise(amount),
        "given_after": nw.when(~is_before & is_off).then(amount).otherwise(none),
        "bought": nw.when(is_before & bought).then(one).otherwise(none),
        "bought_after": nw.when(~is_before & bought).then(one).otherwise(none),
    }
    summed = inside.select("customer_id", **marks).group_by("customer_id")
    return summed.agg(nw.col(*marks).sum())


def _of_classes(sums: dict[str, frames.Floats], *, level: float) -> dict[str, Any]:
    before = sums["before"]
    fits = before > 0
    share = np.where(fits, sums["given"] / np.where(fits, before, 1.0), sums["given"] != 0)
    kind = np.where(share <= 0, 0, np.where(share <= _MOST, 1, 2))
    kind = np.where(sums["bought"] > 0, kind, -1)  # who bought nothing before is in none
    total = {name: np.array([v[kind == i].sum() for i in range(3)]) for name, v in sums.items()}
    n = np.array([(kind == i).sum() for i in range(3)])
    still = np.array([((kind == i) & (sums["bought_after"] > 0)).sum() for i in range(3)])
    lower, upper = proportions.wilson(still, n, level=level)
    ratio = _ratio(total["after"], total["before"])
    has = n > 0
    return {
        "concession_class": list(_CLASSES),
        "n_customers": n.astype(np.int64),
        "n_still_bought": still.astype(np.int64),
        "still_bought_share": _ratio(still, n),
        "still_bought_lower": np.where(has, lower, np.nan),
        "still_bought_upper": np.where(has, upper, np.nan),
        "amount_before": total["before"],
        "amount_after": total["after"],
        "amount_ratio": ratio,
        "ratio_to_none": _ratio(ratio, np.full(3, ratio[0])),
        "discounted_after_share": _ratio(total["given_after"], total["after"]),
    }


def _ratio(above: Any, below: Any) -> frames.Floats:  # noqa: ANN401 - arrays
    fits = below > 0
    return np.where(fits, above / np.where(fits, below, 1), np.nan)
