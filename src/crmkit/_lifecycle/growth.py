"""Growth accounting: where the active customers of each period come from, and their money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_flag, require_number
from crmkit._words.rates import require_period
from crmkit.tables import LEDGER
from crmkit.typing import Period

Numbers = npt.NDArray[Any]

_COUNTS: Final = ("active", "first", "retained", "churned")
_MONEY: Final = (
    "amount",
    "first_amount",
    "back_amount",
    "expansion",
    "contraction",
    "unchanged",
    "churned_amount",
    "kept_amount",
)


def growth_accounting(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    every: Period = "month",
    is_cut: bool = False,
    tolerance: float = 0.0,
) -> IntoFrameT:
    """Growth accounting: new, retained, resurrected and churned of each period.

    A customer is active in a period with a purchase in it. Who is active now was active in the
    period before (retained), bought for the first time (new) or came back after a pause
    (resurrected); whoever was active before and is not now has churned, for now. That assumes
    that a period is long against the gaps between purchases: with months and yearly buyers,
    almost all churn and resurrect.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`.
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is over.
    every
        The calendar period: "day", "week" (ISO, from Monday), "month", "quarter" or "year".
    is_cut
        Whether the ledger begins later than the business did. The customers of its first
        period are then "before", not new; others who had bought before it count as new in
        the period in which they are first seen, so the first periods have too many of them.
    tolerance
        The share of the money of the period before by which that of a retained customer may
        differ and count as unchanged: 0.05 for 5 %.

    Returns
    -------
    One row per period from the first purchase to `as_of`, in order (a lazy table is not sorted):

    ======================  =====  ==========================================================
    ``starts``              date   first day of the period
    ``ends``                date   last day of it
    ``is_complete``         bool   whether it is over by the end of `as_of`
    ``active``              int    customers with a purchase in the period
    ``previous``            int    those of the period before
    ``before``              int    active in the first period of a ledger that is cut
    ``new``                 int    active for the first time
    ``retained``            int    active now and in the period before
    ``resurrected``         int    active now and earlier, and not in the period before
    ``churned_customers``   int    active in the period before, and not now
    ``churn_rate``          float  `churned_customers` / `previous`
    ``win_back_rate``       float  `resurrected` / those seen earlier who were not active in the
                                   period before
    ``quick_ratio``         float  (`new` + `resurrected`) / `churned_customers`
    ``amount``              float  money of the active customers, less returns
    ``previous_amount``     float  that of the period before
    ``before_amount``       float  money of `before`
    ``new_amount``          float  money of `new`
    ``resurrected_amount``  float  money of `resurrected`
    ``expansion``           float  what retained customers brought more than before
    ``contraction``         float  what they brought less, as a number above 0
    ``unchanged``           float  sum of the differences within the tolerance
    ``churned_amount``      float  what those who churned had brought in the period before
    ``net_retention``       float  money of `retained` / `previous_amount`
    ``gross_retention``     float  the same, with growth of a customer not counted
    ``amount_quick_ratio``  float  (`new_amount` + `resurrected_amount` + `expansion`) /
                                   (`churned_amount` + `contraction`)
    ======================  =====  ==========================================================

    Rates are null where nothing stands below the line, and in a period that is not over: there
    `churned_customers` are those who have not bought yet. Without an `amount` in the ledger, the
    columns of money are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If an argument is outside its range.

    Notes
    -----
    Two sums hold in each row::

        active = previous + before + new + resurrected - churned
        amount = previous_amount + before_amount + new_amount + resurrected_amount
                 + expansion - contraction + unchanged - churned_amount

    Money of customers without a purchase in the period, such as a late return, is in none of the
    columns. Churn rates have several denominators in use; here it is the customers active in the
    period before, none of whom is new.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "ben", "cid", "dee", "ann", "cid", "dee"],
    ...         "date": pd.to_datetime(
    ...             ["2024-01-05"] * 3 + ["2024-02-05"] * 3 + ["2024-03-05"] * 3
    ...         ),
    ...     }
    ... )
    >>> growth = growth_accounting(orders, as_of=date(2024, 3, 31))
    >>> columns = ["active", "previous", "new", "retained", "resurrected", "churned_customers"]
    >>> print(growth[[*columns, "quick_ratio"]].to_string(index=False))
     active  previous  new  retained  resurrected  churned_customers  quick_ratio
          3         0    3         0            0                  0          NaN
          3         3    1         2            0                  1          1.0
          3         3    0         2            1                  1          1.0
    """
    today = time.as_last_day(as_of, argument="as_of")
    require_period(every)
    require_flag(is_cut, argument="is_cut")
    require_number(
        tolerance,
        argument="tolerance",
        must="be at least 0 and below 1",
        fits=lambda share: 0 <= share < 1,
        advice="Write 0.05 for 5 %.",
    )
    ledger = frames.read(orders, LEDGER)
    step = partial(_by_period, as_of=today, every=every, tolerance=float(tolerance))
    changes = frames.by_customer(ledger, step)
    has_money = frames.has(changes, "amount")
    names = (*_COUNTS, *(_MONEY if has_money else ()))
    summed = changes.group_by("number").agg(nw.col(*names).sum())
    found = frames.collect(summed, "number", *names)
    columns = _laid_out(found, today=today, every=every, is_cut=bool(is_cut), has_money=has_money)
    table = frames.table_like(columns, like=ledger)
    rates = [name for name in columns if columns[name].dtype == np.float64]
    return frames.give(
        frames.with_columns(table, *(nw.col(name).fill_nan(None) for name in rates)), like=orders
    )


def _by_period(
    ledger: nw.LazyFrame[Any], *, as_of: date, every: Period, tolerance: float
) -> nw.LazyFrame[Any]:
    """Give what each customer was in each period: a row for one of activity or just after it."""
    days = purchase_days.days(ledger, as_of=as_of)
    has_money = frames.has(days, "amount")
    days = days.with_columns(number=time.period_number(days, "day", every=every).cast(nw.Int64))
    sums = [nw.col("n_orders").sum(), *([nw.col("amount").sum()] if has_money else [])]
    active = days.group_by("customer_id", "number").agg(*sums).filter(nw.col("n_orders") > 0)
    active = frames.spread_least(active, "customer_id", of="number", into="least")
    one, none, zero = nw.lit(1).cast(nw.Int64), nw.lit(0).cast(nw.Int64), nw.lit(0.0)
    now = {"is_now": one, "was": none, "first": (nw.col("number") == nw.col("least"))}
    then = {"is_now": none, "was": one, "first": none}
    now["first"] = now["first"].cast(nw.Int64)
    if has_money:
        now |= {"amount": nw.col("amount"), "earlier": zero}
        then |= {"amount": zero, "earlier": nw.col("amount")}
    nexts = active.with_columns(number=nw.col("number") + 1)
    both = nw.concat(
        [
            active.select("customer_id", "number", **now),
            nexts.select("customer_id", "number", **then),
        ],
        how="vertical",
    )
    pairs = both.group_by("customer_id", "number").agg(nw.col(*now).sum())
    is_now, was = nw.col("is_now") > 0, nw.col("was") > 0
    states = pairs.with_columns(
        active=nw.col("is_now"),
        retained=(is_now & was).cast(nw.Int64),
        churned=(~is_now & was).cast(nw.Int64),
    )
    if not has_money:
        return states.select("customer_id", "number", *_COUNTS)
    return _with_money(states, tolerance=tolerance)


def _with_money(states: nw.LazyFrame[Any], *, tolerance: float) -> nw.LazyFrame[Any]:
    amount, earlier, zero = nw.col("amount"), nw.col("earlier"), nw.lit(0.0)
    more = amount - earlier
    is_retained, is_first = nw.col("retained") > 0, nw.col("first") > 0
    is_same = more.abs() <= earlier.abs() * tolerance
    is_back = (nw.col("active") > 0) & ~is_retained & ~is_first
    least = nw.when(more < 0).then(amount).otherwise(earlier)
    cases = {
        "first_amount": (is_first, amount),
        "back_amount": (is_back, amount),
        "expansion": (is_retained & ~is_same & (more > 0), more),
        "contraction": (is_retained & ~is_same & (more < 0), -more),
        "unchanged": (is_retained & is_same, more),
        "churned_amount": (nw.col("churned") > 0, earlier),
        "kept_amount": (is_retained, least),
    }
    money = {name: nw.when(when).then(what).otherwise(zero) for name, (when, what) in cases.items()}
    return states.with_columns(**money).select("customer_id", "number", *_COUNTS, *_MONEY)


def _laid_out(
    found: Mapping[str, Numbers], *, today: date, every: Period, is_cut: bool, has_money: bool
) -> dict[str, Numbers]:
    """Lay out a row for each period, of nobody too, and the rates."""
    last = time.period_of(today, every=every)
    calendar = time.calendar(every=every, last=last)
    first = int(found["number"].min()) if len(found["number"]) else last + 1
    n = last + 1 - first
    inside = found["number"] <= last
    place = found["number"][inside].astype(int) - first

    def of(name: str) -> Numbers:
        whole = np.zeros(n, dtype=np.int64 if name in _COUNTS else np.float64)
        np.add.at(whole, place, found[name][inside].astype(whole.dtype))
        return whole

    counts = {name: of(name) for name in _COUNTS}
    is_first = np.arange(n) == 0
    begun = counts["first"] * (is_first & is_cut)
    new, active = counts["first"] - begun, counts["active"]
    back = active - counts["first"] - counts["retained"]
    previous = np.concatenate([[0], active[:-1]])[:n]
    earlier = np.concatenate([[0], np.cumsum(counts["first"])[:-1]])[:n]
    over = np.arange(first, last + 1) <= time.last_complete(today, every=every)
    columns: dict[str, Numbers] = {
        "starts": calendar["starts"][first : last + 1],
        "ends": calendar["ends"][first : last + 1],
        "is_complete": over,
        "active": active,
        "previous": previous.astype(np.int64),
        "before": begun.astype(np.int64),
        "new": new.astype(np.int64),
        "retained": counts["retained"],
        "resurrected": back,
        "churned_customers": counts["churned"],
        "churn_rate": _ratio(counts["churned"], previous, over),
        "win_back_rate": _ratio(back, earlier - previous, over),
        "quick_ratio": _ratio(new + back, counts["churned"], over),
    }
    if not has_money:
        return columns
    money = {name: of(name) for name in _MONEY}
    amount_before = np.concatenate([[0.0], money["amount"][:-1]])[:n]
    begun_amount = money["first_amount"] * (is_first & is_cut)
    new_amount = money["first_amount"] - begun_amount
    change = money["expansion"] - money["contraction"] + money["unchanged"]
    retained_amount = amount_before - money["churned_amount"] + change
    gained = new_amount + money["back_amount"] + money["expansion"]
    lost = money["churned_amount"] + money["contraction"]
    return columns | {
        "amount": money["amount"],
        "previous_amount": amount_before,
        "before_amount": begun_amount,
        "new_amount": new_amount,
        "resurrected_amount": money["back_amount"],
        "expansion": money["expansion"],
        "contraction": money["contraction"],
        "unchanged": money["unchanged"],
        "churned_amount": money["churned_amount"],
        "net_retention": _ratio(retained_amount, amount_before, over),
        "gross_retention": _ratio(money["kept_amount"], amount_before, over),
        "amount_quick_ratio": _ratio(gained, lost, over),
    }


def _ratio(above: Numbers, below: Numbers, known: Numbers) -> Numbers:
    """Divide, NaN where nothing is below or the period is not over."""
    fits = known & (below > 0)
    return np.where(fits, above / np.where(fits, below, 1), np.nan)
