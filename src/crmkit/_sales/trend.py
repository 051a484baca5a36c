"""The own trend of each customer: a robust slope, with an interval that few orders widen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger
from crmkit._sales.season_value import SeasonalIndex, require_index
from crmkit._words.arguments import require_whole
from crmkit._words.rates import require_level, require_period
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics import theil_sen
from crmkit.typing import Period

_MADE: Final = (
    *("n_periods", "orders", "mean_amount", "slope", "slope_lower", "slope_upper"),
    *("growth_per_period", "sales_trend"),
)
_FEWEST: Final = 2


def trend(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    by: str | Sequence[str] = "customer_id",
    every: Period = "month",
    periods: int = 12,
    level: float = 0.9,
    index: SeasonalIndex | None = None,
) -> IntoFrameT:
    """Trend of each customer's sales: a robust slope with interval, the surest growth first.

    Customers are ranked by the bound of the interval that is nearer to no growth, so that one with
    three orders leads no list. The assumption that most often fails is that the periods have no
    season: twelve months to December end high every year. Give an `index`, or whole years.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`. A lazy table is
        run.
    as_of
        The last day that is seen, as a date or ISO text. Only periods that are over count.
    by
        Whose trend: `customer_id`, or any columns.
    every
        The calendar period: "day", "week", "month", "quarter" or "year".
    periods
        The number of periods up to `as_of`, from 2 to 60. A customer's begin with the first
        purchase; periods without one count as 0.
    level
        The level of the interval, as a fraction.
    index
        The seasonal index of `crmkit.sales.seasonal_index`, by which the money of each period is
        divided; of the same `every`.

    Returns
    -------
    One row per customer with money in the periods, the surest growth first (a lazy table is not
    sorted):

    =====================  =====  ============================================================
    the columns of `by`    as in  who
    ``n_periods``          int    periods that count
    ``orders``             int    orders in them
    ``mean_amount``        float  mean money of a period
    ``slope``              float  change of money from one period to the next: the median over
                                  all pairs of periods; null with one period
    ``slope_lower``        float  lower bound; null where the periods are too few for any trend
                                  to be significant
    ``slope_upper``        float  upper bound
    ``growth_per_period``  float  `slope` / `mean_amount`; null where that is not above 0
    ``sales_trend``        text   "growing" or "shrinking" where the interval says so, else
                                  "unclear"
    =====================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or lacks a column of `by`.
    InvalidArgumentError
        If an argument is outside its range.

    Notes
    -----
    The slope is that of Theil and Sen: half of the pairs may be outliers on either side before it
    turns. Whoever buys in fewer than half of the periods has a slope of 0 or near it. With `n`
    periods, two of `n!` orders are the most extreme; where 2/n! exceeds 1 - level, no interval is
    given (three periods or fewer at 0.9).

    References
    ----------
    Sen, P. K. (1968). Estimates of the regression coefficient based on Kendall's tau. *Journal of
    the American Statistical Association* 63, 1379-1389, equation 2.6.

    Examples
    --------
    Ann rises by 10 a month; Ben has three orders, each larger than the last.

    >>> import pandas as pd
    >>> months = [f"2024-{month:02d}-10" for month in range(1, 9)]
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann"] * 8 + ["ben"] * 3,
    ...         "date": pd.to_datetime(months + ["2024-01-10", "2024-05-10", "2024-08-10"]),
    ...         "amount": [50.0 + 10 * month for month in range(8)] + [100.0, 300.0, 900.0],
    ...     }
    ... )
    >>> found = trend(orders, as_of="2024-08-31")
    >>> columns = ["customer_id", "orders", "slope", "slope_lower", "sales_trend"]
    >>> print(found[columns].to_string(index=False))
    customer_id  orders  slope  slope_lower sales_trend
            ann       8   10.0         10.0     growing
            ben       3    0.0          0.0     unclear
    """
    names = ledger.require_by(by, made=_MADE)
    today = time.as_last_day(as_of, argument="as_of")
    require_period(every)
    require_whole(periods, argument="periods", least=_FEWEST, most=60, advice="Write 12.")
    require_level(level)
    if index is not None:
        require_index(index, argument="index")
        if index.every != every:
            msg = (
                f'`index` is by {index.every} and `every` is "{every}".\n'
                "Make the index with the same `every`."
            )
            raise InvalidArgumentError(msg)
    frame = ledger.read(orders, names)
    rows = ledger.numbered(frame, today=today, every=every)
    found = ledger.cells(rows, names)
    ledger.require_known(found.keys, names, table="transactions")
    last = time.last_complete(today, every=every)
    keys, columns = _trends(found, last=last, periods=int(periods), level=level, index=index)
    rank = _ranked(keys, columns)
    laid: dict[str, Any] = {n: [keys[i][place] for i in rank] for place, n in enumerate(names)}
    laid |= {n: values[rank] for n, values in columns.items() if n != "sales_trend"}
    laid["sales_trend"] = columns["sales_trend"][rank].tolist()
    return frames.give(ledger.laid_out(laid, like=frame, keys=names), like=orders)


def _trends(
    found: ledger.Cells, *, last: int, periods: int, level: float, index: SeasonalIndex | None
) -> tuple[list[ledger.Key], dict[str, Any]]:
    """Lay out each group's periods, and find the slopes of those of one length together."""
    groups = {key: code for code, key in enumerate(dict.fromkeys(found.keys))}
    code = np.array([groups[key] for key in found.keys], dtype=np.int64)
    begins = np.full(len(groups), last + 1, dtype=np.int64)
    np.minimum.at(begins, code, found.number)
    start = last - periods + 1
    inside = (found.number >= start) & (found.number <= last)
    amounts, orders = np.zeros((len(groups), periods)), np.zeros((len(groups), periods))
    places = (code[inside], found.number[inside] - start)
    np.add.at(amounts, places, found.amount[inside])
    np.add.at(orders, places, found.orders[inside])
    if index is not None:
        amounts = amounts / index.factors(list(range(start, last + 1)))
    seen = np.bincount(code[inside], minlength=len(groups)) > 0
    names = [key for key, is_seen in zip(groups, seen, strict=True) if is_seen]
    amounts, orders = amounts[seen], orders[seen]
    length = np.minimum(last + 1 - begins[seen], periods)
    slope, lower, upper = (np.full(len(names), np.nan) for _ in range(3))
    for n in np.unique(length).tolist():
        of = length == n
        slope[of], lower[of], upper[of] = theil_sen.slopes(amounts[of, periods - n :], level=level)
    mean = amounts.sum(axis=1) / np.maximum(length, 1)
    fits = mean > 0
    words = np.full(len(names), "unclear", dtype=object)
    words[lower > 0], words[upper < 0] = "growing", "shrinking"
    return names, {
        "n_periods": length.astype(np.int64),
        "orders": orders.sum(axis=1).astype(np.int64),
        "mean_amount": mean,
        "slope": slope,
        "slope_lower": lower,
        "slope_upper": upper,
        "growth_per_period": np.where(fits, slope / np.where(fits, mean, 1.0), np.nan),
        "sales_trend": words,
    }


def _ranked(keys: Sequence[ledger.Key], columns: dict[str, Any]) -> list[int]:
    """Put the surest growth first: by the bound nearer to 0, and 0 where the interval has it."""
    lower, upper = (np.nan_to_num(columns[name]) for name in ("slope_lower", "slope_upper"))
    sure = np.where(lower > 0, lower, np.where(upper < 0, upper, 0.0))
    slope = np.nan_to_num(columns["slope"])
    return sorted(range(len(keys)), key=lambda i: (-sure[i], -slope[i], ledger.sort_key(keys[i])))
