"""Acquisition, retention, churn and win-back by calendar period, of customers and of money."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_share
from crmkit._words.rates import PERIOD_DAYS, require_period
from crmkit.tables import LEDGER
from crmkit.typing import Period

Frame = nw.LazyFrame[Any]
Floats = npt.NDArray[np.float64]

_COUNTS: Final = ("n_new", "n_retained", "n_won_back", "n_left")
_MONEY: Final = ("amount_end", "amount_contraction", "amount_expansion", "amount_left")
_RATES: Final = ("acquisition_rate", "retention_rate", "churn_rate", "win_back_rate")
_REVENUE: Final = ("net_revenue_retention", "gross_revenue_retention")


def rates(orders: IntoFrameT, *, every: Period, as_of: date | str) -> IntoFrameT:
    """Acquisition, retention, churn and win-back rate of each calendar period.

    Each rate stands beside the count that it divides by. A customer is active in a period with
    a purchase in it, which assumes that a period is longer than the usual gap: with shorter
    ones, customers churn and are won back without end.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`. A lazy table is run once; one row per period comes here.
    every
        The calendar period: "day", "week" (ISO, from Monday), "month", "quarter" or "year".
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is over.

    Returns
    -------
    One row per period from the first purchase on, in order:

    ===========================  =====  ====================================================
    ``starts``                   date   first day of the period
    ``ends``                     date   last day
    ``is_complete``              bool   whether the period is over by the end of `as_of`
    ``n_start``                  int    customers active in the period before
    ``n_new``                    int    customers whose first purchase falls in the period
    ``n_retained``               int    those of `n_start` who are active again
    ``n_lost``                   int    those of `n_start` who are not
    ``n_lapsed``                 int    earlier customers who were not active before it
    ``n_won_back``               int    those of `n_lapsed` who are active again
    ``n_end``                    int    customers active in the period
    ``acquisition_rate``         float  `n_new` / `n_start`
    ``retention_rate``           float  `n_retained` / `n_start`
    ``churn_rate``               float  `n_lost` / `n_start`
    ``win_back_rate``            float  `n_won_back` / `n_lapsed`
    ``amount_start``             float  money of the period before
    ``amount_lost``              float  the part of it from customers who are lost
    ``amount_contraction``       float  what retained customers spent less than before
    ``amount_expansion``         float  what retained customers spent more than before
    ``amount_end``               float  money of the period
    ``net_revenue_retention``    float  (start - lost - contraction + expansion) / start
    ``gross_revenue_retention``  float  (start - lost - contraction) / start
    ===========================  =====  ====================================================

    A rate is null where its denominator is 0 or the period is not over. Without amounts, the
    columns of money are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `every` is unknown or `as_of` is not a date.

    Notes
    -----
    ``n_retained = n_end - n_new - n_won_back``: the retention rate often written as
    ``(end - new) / start`` counts those won back as retained.

    Money is that of periods in which the customer bought, less returns in them.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid", "ben"],
    ...         "date": pd.to_datetime(
    ...             ["2024-01-05", "2024-01-09", "2024-02-20", "2024-02-01", "2024-03-01"]
    ...         ),
    ...     }
    ... )
    >>> table = rates(orders, every="month", as_of="2024-03-31")
    >>> columns = ["n_start", "n_new", "n_retained", "n_lost", "n_lapsed", "n_won_back"]
    >>> print(table[[*columns, "churn_rate"]].to_string(index=False))
     n_start  n_new  n_retained  n_lost  n_lapsed  n_won_back  churn_rate
           0      2           0       0         0           0         NaN
           2      1           1       1         0           0         0.5
           2      0           0       2         1           1         1.0
    """
    require_period(every)
    day = time.as_last_day(as_of, argument="as_of")
    ledger = frames.read(orders, LEDGER)
    money = frames.has(ledger, "amount")
    active = frames.by_customer(ledger, partial(_active, as_of=day, every=every))
    sums = (*_COUNTS, *(_MONEY if money else ()))
    added = active.group_by("number").agg(*(nw.col(name).sum() for name in sums))
    found = frames.collect(added, "number", *sums)
    columns = _columns(found, day=day, every=every, money=money)
    table = frames.table_like(columns, like=frames.reopen(orders))
    shares = [*_RATES, *(_REVENUE if money else ())]
    known = [nw.when(~nw.col(name).is_nan()).then(nw.col(name)).alias(name) for name in shares]
    return frames.give(table.with_columns(*known), like=orders, order_by=["starts"])


def rescale_churn(churn_rate: float, *, every: Period, to: Period = "year") -> float:
    """Churn rate of another period, such as a yearly one from a monthly one.

    It assumes that the rate stays the same; that of a cohort falls as it ages, so that twelve
    times a young month says too much of the year.

    Parameters
    ----------
    churn_rate
        Share of customers lost in a period, from 0 to 1.
    every
        The period that it was measured in: "day", "week", "month", "quarter" or "year".
    to
        The period that it is wanted for.

    Returns
    -------
    The churn rate of the other period.

    Raises
    ------
    InvalidArgumentError
        If the rate is not from 0 to 1, or a period is unknown.

    Notes
    -----
    ``1 - (1 - churn_rate) ** (days of to / days of every)``; a year has 365.25 days, and twelve
    months.

    Examples
    --------
    >>> round(rescale_churn(0.05, every="month"), 5)
    0.45964
    >>> round(rescale_churn(0.4, every="year", to="month"), 6)
    0.041675
    """
    require_share(churn_rate, argument="churn_rate", advice="Write 0.05 for 5 %.")
    require_period(every)
    require_period(to, argument="to")
    return float(1 - (1 - float(churn_rate)) ** (PERIOD_DAYS[to] / PERIOD_DAYS[every]))


def _active(ledger: Frame, *, as_of: date, every: Period) -> Frame:
    """Mark each customer's active periods by the one before and the one after."""
    days = purchase_days.days(ledger, as_of=as_of)
    money = frames.has(days, "amount")
    numbered = days.with_columns(number=time.period_number(days, "day", every=every))
    sums = [nw.col("n_orders").sum(), *([nw.col("amount").sum()] if money else [])]
    periods = numbered.group_by("customer_id", "number").agg(*sums).filter(nw.col("n_orders") > 0)

    def beside(column: str, step: int) -> nw.Expr:
        return nw.col(column).shift(step).over("customer_id", order_by="number")

    spread = {"before": beside("number", 1), "after": beside("number", -1)}
    if money:
        spread["amount_before"] = beside("amount", 1)
    periods = periods.with_columns(**spread)
    number, before = nw.col("number"), nw.col("before")
    retained = (before == number - 1).fill_null(value=False)
    stays = (nw.col("after") == number + 1).fill_null(value=False)
    flags: dict[str, nw.Expr] = {
        "n_new": before.is_null().cast(nw.Int64),
        "n_retained": retained.cast(nw.Int64),
        "n_won_back": (~before.is_null() & ~retained).cast(nw.Int64),
        "n_left": (~stays).cast(nw.Int64),
    }
    if money:
        zero, more = nw.lit(0.0), nw.col("amount") - nw.col("amount_before")
        flags |= {
            "amount_end": nw.col("amount"),
            "amount_expansion": nw.when(retained & (more > 0)).then(more).otherwise(zero),
            "amount_contraction": nw.when(retained & (more < 0)).then(-more).otherwise(zero),
            "amount_left": nw.when(~stays).then(nw.col("amount")).otherwise(zero),
        }
    return periods.select("number", **flags)


def _columns(
    found: dict[str, npt.NDArray[Any]], *, day: date, every: Period, money: bool
) -> dict[str, npt.NDArray[Any]]:
    """Lay the sums out by period, and divide them."""
    today = time.period_of(day, every=every)
    number = found.pop("number").astype(np.int64)
    first = int(number.min()) if len(number) else today + 1
    size = today - first + 1
    of = {name: _laid_out(values, number - first, size) for name, values in found.items()}
    calendar = time.calendar(every=every, last=today)
    n_end = of["n_new"] + of["n_retained"] + of["n_won_back"]
    n_start, n_lost = _before(n_end), _before(of["n_left"])
    n_lapsed = np.cumsum(of["n_new"]) - of["n_new"] - n_start
    counts = {
        "n_start": n_start,
        "n_new": of["n_new"],
        "n_retained": of["n_retained"],
        "n_lost": n_lost,
        "n_lapsed": n_lapsed,
        "n_won_back": of["n_won_back"],
        "n_end": n_end,
    }
    is_complete = np.arange(first, today + 1) <= time.last_complete(day, every=every)
    columns: dict[str, npt.NDArray[Any]] = {
        "starts": calendar["starts"][first:],
        "ends": calendar["ends"][first:],
        "is_complete": is_complete,
        **{name: values.astype(np.int64) for name, values in counts.items()},
    }
    pairs = (of["n_new"], n_start), (of["n_retained"], n_start), (n_lost, n_start)
    for name, (part, whole) in zip(_RATES, (*pairs, (of["n_won_back"], n_lapsed)), strict=True):
        columns[name] = _share(part, whole, is_complete)
    if money:
        start, lost = _before(of["amount_end"]), _before(of["amount_left"])
        less, more = of["amount_contraction"], of["amount_expansion"]
        columns |= {
            "amount_start": start,
            "amount_lost": lost,
            "amount_contraction": less,
            "amount_expansion": more,
            "amount_end": of["amount_end"],
            _REVENUE[0]: _share(start - lost - less + more, start, is_complete),
            _REVENUE[1]: _share(start - lost - less, start, is_complete),
        }
    return columns


def _laid_out(values: npt.NDArray[Any], place: npt.NDArray[np.int64], size: int) -> Floats:
    full = np.zeros(size)
    full[place] = values
    return full


def _before(values: Floats) -> Floats:
    return np.append(0.0, values)[:-1] if len(values) else values


def _share(part: Floats, whole: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    shares = np.full(len(part), np.nan)
    np.divide(part, whole, out=shares, where=known & (whole > 0))
    return shares
