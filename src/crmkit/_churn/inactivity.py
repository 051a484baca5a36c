"""What silence should mean: quantiles of customers' own gaps, and who returns after each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn import windows
from crmkit._churn.histories import numbered_days
from crmkit._door import frames, time
from crmkit._words.arguments import require_numbers
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

Frame = nw.LazyFrame[Any]

_QUANTILES: Final = (0.5, 0.75, 0.8, 0.9, 0.95, 0.99)
_EXAMPLE: Final = "(0.5, 0.9, 0.99)"


def inactivity(
    orders: IntoFrameT, *, as_of: date | str, quantiles: Sequence[float] = _QUANTILES
) -> IntoFrameT:
    """Quantiles of the gaps between purchases, with the share that returns after each.

    What "silent" should mean here: take the gap after which few return, rather than 90 days
    because others do. It assumes that customers are alike; where some buy weekly and others
    once a year, measure each by their own gap (`silence_over_gap` in `crmkit.churn.features`).

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`. A lazy table is run; only counts by days come here.
    as_of
        The last day that is seen, as a date or ISO text.
    quantiles
        Shares of the gaps, from 0 to 1, in rising order.

    Returns
    -------
    One row per quantile:

    ================  =====  ===============================================================
    ``quantile``      float  share of the gaps that are not longer
    ``gap_days``      int    the gap, in days from one purchase day to the next
    ``n_silent``      int    times that a customer was silent for longer than that
    ``n_returned``    int    times that they bought again by `as_of`
    ``return_share``  float  `n_returned` / `n_silent`; null where that is 0
    ================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `as_of` is not a date or before all data, `quantiles` are not from 0 to 1 in rising
        order, or nobody has bought on two days.

    Notes
    -----
    Silences that last at `as_of` count as not returned, though some will end. Of young ledgers
    the shares are therefore too low, most of all for short gaps.

    Examples
    --------
    >>> import pandas as pd
    >>> days = ["2024-01-01", "2024-01-11", "2024-01-31", "2024-01-05"]
    >>> orders = pd.DataFrame(
    ...     {"customer_id": ["ann", "ann", "ann", "ben"], "date": pd.to_datetime(days)}
    ... )
    >>> table = inactivity(orders, as_of="2024-03-31", quantiles=(0.5, 1.0))
    >>> print(table.round(2).to_string(index=False))
     quantile  gap_days  n_silent  n_returned  return_share
          0.5        10         3           1          0.33
          1.0        20         2           0          0.00
    """
    day = time.as_day(as_of, argument="as_of")
    wanted = _checked(quantiles)
    ledger = frames.read(orders, LEDGER)
    windows.require_begun(windows.span(ledger), day=day, argument="as_of")
    silences = frames.by_customer(ledger, partial(_silences, as_of=day))
    counted = silences.group_by("days").agg(nw.col("ended").sum(), nw.col("lasts").sum())
    found = frames.collect(counted, "days", "ended", "lasts")
    order = np.argsort(found["days"])
    length, ended, lasts = (found[name][order].astype(np.int64) for name in found)
    if not ended.sum():
        msg = f"transactions: nobody bought on two days by {day}.\nGaps need customers who return."
        raise InvalidArgumentError(msg)
    reached = np.cumsum(ended) / ended.sum()
    # A quantile is a gap that occurs; sums of shares may miss it by rounding.
    at = np.searchsorted(reached, np.array(wanted) - 1e-12)
    gaps = [int(length[min(place, len(length) - 1)]) for place in at]
    n_returned = [int(ended[length > gap].sum()) for gap in gaps]
    n_silent = [int(lasts[length > gap].sum()) + n for gap, n in zip(gaps, n_returned, strict=True)]
    columns: dict[str, Sequence[Any]] = {
        "quantile": list(wanted),
        "gap_days": gaps,
        "n_silent": n_silent,
        "n_returned": n_returned,
    }
    table = frames.table_like(columns, like=frames.reopen(orders))
    share = nw.when(nw.col("n_silent") > 0).then(nw.col("n_returned") / nw.col("n_silent"))
    return frames.give_in_order(table.with_columns(return_share=share), like=orders)


def _silences(ledger: Frame, *, as_of: date) -> Frame:
    """List how long each purchase day was followed by silence, ended by a purchase or not."""
    days = numbered_days(ledger, as_of=as_of)
    bought = days.filter(nw.col("is_bought"))
    following = nw.col("number").shift(-1).over("customer_id", order_by="number")
    spread = bought.with_columns(following=following)
    lasts = nw.col("following").is_null()
    until = nw.when(lasts).then(nw.lit(time.number_of(as_of))).otherwise(nw.col("following"))
    return spread.select(
        days=(until - nw.col("number")).cast(nw.Int64),
        ended=(~lasts).cast(nw.Int64),
        lasts=lasts.cast(nw.Int64),
    )


def _checked(quantiles: Sequence[float]) -> tuple[float, ...]:
    wanted = require_numbers(quantiles, argument="quantiles", example=_EXAMPLE)
    fits = all(0 <= q <= 1 for q in wanted)
    rises = all(a < b for a, b in pairwise(wanted))
    if not (wanted and fits and rises):
        msg = f"`quantiles` must be from 0 to 1 in rising order.\nWrite {_EXAMPLE}."
        raise InvalidArgumentError(msg)
    return wanted
