"""Actual and expected repeat purchases by calendar period."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple, TypeAlias

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.require_fit import require_purchases
from crmkit._clv.prediction.scoring import require_no_covariates
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._summary import purchase_days
from crmkit._words.rates import require_period
from crmkit.errors import InvalidArgumentError
from crmkit.models.protocol import PurchaseModel
from crmkit.tables import LEDGER
from crmkit.typing import Period

Integers: TypeAlias = npt.NDArray[np.int64]


def tracking(
    orders: IntoFrameT, *, purchases: Fit, as_of: date | str, every: Period = "week"
) -> IntoFrameT:
    """Compare actual and expected repeat purchases by period.

    All customers are expected to buy as new ones do, by the days since their first purchase; their
    later purchases are not used. So the two curves agree over the time of the fit if the model
    fits, and diverge where customers change, at a season or in a crisis. Customers who came after
    the fit are expected to be like those before.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    purchases
        A fitted purchase model.
    as_of
        Last day that is seen, as a date or ISO text.
    every
        Calendar period of a row: "day", "week" (from Monday), "month", "quarter" or "year".

    Returns
    -------
    One row per period, from that of the first purchase of all, sorted by time. A lazy table is
    run, and two counts per day come to this machine.

    ========================  =====  =========================================================
    ``starts``                date   first day of the period
    ``ends``                  date   last day of the period
    ``is_complete``           bool   whether the period is over by the end of `as_of`; of one that
                                     is not, all figures are those up to `as_of`
    ``n_customers``           int    customers who had come by the end of the period
    ``actual_purchases``      int    purchase days after the first, within the period
    ``predicted_purchases``   float  the model's expectation of it
    ``actual_cumulative``     int    purchase days after the first, by the end of the period
    ``predicted_cumulative``  float  the model's expectation of it
    ========================  =====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `purchases` is not a purchase model, `every` not a calendar period, or the first
        purchase came after `as_of`.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
    *Marketing Science* 24(2), 275-284. https://doi.org/10.1287/mksc.1040.0098. Figures 2 and 3.

    Examples
    --------
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> fitted = fit(rfm.summarize(orders, as_of=date(1997, 9, 30)), model="bg_nbd")
    >>> found = tracking(orders, purchases=fitted, every="quarter", as_of=date(1998, 6, 30))
    >>> columns = ["starts", "actual_purchases", "predicted_purchases", "predicted_cumulative"]
    >>> print(found[columns].to_string(index=False, float_format="%.1f"))
        starts  actual_purchases  predicted_purchases  predicted_cumulative
    1997-01-01               812                695.3                 695.3
    1997-04-01               920               1022.1                1717.4
    1997-07-01               725                776.5                2494.0
    1997-10-01               731                640.1                3134.1
    1998-01-01               656                540.9                3675.0
    1998-04-01               495                485.6                4160.6
    """
    require_purchases(purchases)
    require_no_covariates(purchases, argument="purchases", table="a ledger")
    require_period(every)
    as_of = time.as_last_day(as_of, argument="as_of")
    frame = frames.read(orders, LEDGER)
    bought, came = _by_day(frame, as_of=as_of)
    if not came.day.size:
        _require_empty(frame, as_of=as_of)
    periods = _periods(came.day, as_of=as_of, every=every)
    today = time.number_of(as_of)
    until = np.minimum(periods["ends"].astype(np.int64), today)
    n_customers = _cumulative(came, until)
    actual = _cumulative(bought, until) - n_customers
    predicted = _expected(purchases.model, came, until)
    columns: dict[str, Any] = {
        **periods,
        "is_complete": periods["ends"].astype(np.int64) <= today,
        "n_customers": n_customers,
        "actual_purchases": np.diff(actual, prepend=0),
        "predicted_purchases": np.diff(predicted, prepend=0.0),
        "actual_cumulative": actual,
        "predicted_cumulative": predicted,
    }
    return frames.give(frames.table_like(columns, like=frame), like=orders, order_by=["starts"])


def _require_empty(ledger: frames.Frame, *, as_of: date) -> None:
    """Refuse a day before the first purchase; a ledger without rows may pass."""
    if frames.collect(ledger.select(n_rows=nw.len()), "n_rows")["n_rows"].item():
        msg = f"`as_of` is {as_of}, before the first purchase.\nGive a later day."
        raise InvalidArgumentError(msg)


class _Counts(NamedTuple):
    """Number of customers on each day that has any, in order."""

    day: Integers
    n: Integers


def _by_day(ledger: frames.Frame, *, as_of: date) -> tuple[_Counts, _Counts]:
    """Count the customers who bought on each day, and those who did for the first time."""
    days = purchase_days.days(ledger, as_of=as_of).filter(nw.col("n_orders") > 0)
    bought = days.select("customer_id", day=time.day_number(days, "day"))
    came = bought.group_by("customer_id").agg(nw.col("day").min())
    return _Counts(*frames.distribution(bought, "day")), _Counts(*frames.distribution(came, "day"))


def _periods(first_days: Integers, *, as_of: date, every: Period) -> dict[str, npt.NDArray[Any]]:
    """List the calendar periods from the first purchase to `as_of`; none without purchases."""
    last = time.period_of(as_of, every=every)
    known = time.calendar(every=every, last=last)
    first = last + 1
    if first_days.size:
        first = time.period_of(time.day_of(int(first_days[0])), every=every)
    return {name: known[name][first:] for name in ("starts", "ends")}


def _cumulative(counts: _Counts, until: Integers) -> Integers:
    """Count until the end of each day."""
    total = np.append(0, np.cumsum(counts.n))
    return total[np.searchsorted(counts.day, until, side="right")]


def _expected(model: PurchaseModel, came: _Counts, until: Integers) -> Floats:
    """Sum the expectations of all customers by each day; each age is computed once."""
    total = np.zeros(len(until))
    if came.day.size:
        by_age = model.expected_purchases_new(np.arange(until[-1] - came.day[0] + 1.0))
        for day, n in zip(came.day, came.n, strict=True):
            total += n * by_age[np.maximum(until - day, 0)]
    return total
