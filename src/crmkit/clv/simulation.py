"""Invent customers who buy as a fitted model says, to try a method where the truth is known."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np

from crmkit import _frames, _time
from crmkit._frames import Floats
from crmkit.clv.fits import Fit
from crmkit.clv.forecast import check_kinds
from crmkit.clv.own_models import require_no_covariates
from crmkit.errors import InvalidArgumentError
from crmkit.models.arrays import Codes


def simulate(
    *,
    purchases: Fit,
    n_customers: int,
    start: date,
    acquisition_days: int,
    as_of: date,
    seed: int,
    backend: _frames.Backend = "polars",
) -> Any:  # noqa: ANN401 - native to `backend`
    """Invent the purchases of new customers, as a ledger.

    They come evenly over the days of acquisition and buy and leave as the model says, with no
    season and no trend: what holds on such a ledger need not hold on a real one.

    Parameters
    ----------
    purchases
        A fitted purchase model.
    n_customers
        How many customers to invent, 1 or more.
    start
        First day on which a customer can come.
    acquisition_days
        On how many days, from `start`, customers come: 1 or more. Each is as likely.
    as_of
        Last day of the ledger, no earlier than the last day of acquisition.
    seed
        Where chance starts, a whole number of 0 or more; the same seed gives the same ledger.
    backend
        Library of the returned table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per purchase, sorted by customer and date. It goes into `crmkit.rfm.summarize` as
    it is:

    ===============  ====  =========================================================
    ``customer_id``  int   1 to `n_customers`; each has a first purchase
    ``date``         date  day of the purchase; several on one day are several rows
    ===============  ====  =========================================================

    Raises
    ------
    InvalidArgumentError
        If a number is not a whole one in its range, `start` or `as_of` is no date, `as_of` comes
        before acquisition ends, or `purchases` is no purchase model.

    Notes
    -----
    The models know moments and a ledger knows days. Each first purchase is taken to end its day,
    so that a repeat purchase falls on a later one. Several within a day make one purchase day in
    a summary: where customers buy nearly daily, a fit on it finds them slower than they are.

    Examples
    --------
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True)
    >>> real = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> invented = simulate(
    ...     purchases=fit(real, model="bg_nbd"),
    ...     n_customers=1000,
    ...     start=date(2024, 1, 1),
    ...     acquisition_days=90,
    ...     as_of=date(2024, 12, 31),
    ...     seed=5,
    ...     backend="pandas",
    ... )
    >>> print(invented.head(6).to_string(index=False))
     customer_id       date
               1 2024-03-01
               2 2024-03-13
               2 2024-06-02
               3 2024-01-03
               4 2024-03-13
               4 2024-09-30
    """
    check_kinds(purchases)
    require_no_covariates(purchases, argument="purchases", where="simulate() knows")
    _require_whole(n_customers, argument="n_customers", least=1, advice="Write 5000.")
    _require_whole(
        acquisition_days, argument="acquisition_days", least=1, advice="Write 90 for a quarter."
    )
    _require_whole(seed, argument="seed", least=0, advice="Write 1.")
    first = _time.number_of(_time.as_day(start, argument="start"))
    last = _time.number_of(_time.as_day(as_of, argument="as_of"))
    _require_all_seen(first + int(acquisition_days) - 1, last)
    rng = np.random.default_rng(int(seed))
    came = first + rng.integers(0, int(acquisition_days), int(n_customers))
    who, age = purchases.model.simulate((last - came).astype(np.float64), rng=rng)
    customer, day = _ledger(came, who, age)
    # pandas has no type for a date.
    dates = day.astype("datetime64[D]").astype(
        "datetime64[us]" if backend == "pandas" else "datetime64[D]"
    )
    columns = {"customer_id": customer.tolist(), "date": dates.tolist()}
    return _frames.new_table(columns, backend=backend)


def _ledger(came: Codes, who: Codes, age: Floats) -> tuple[Codes, Codes]:
    """Put first and repeat purchases in one list, by customer, counted from 1, and day."""
    customer = np.concatenate([np.arange(len(came)), who])
    day = np.concatenate([came, came[who] + np.ceil(age).astype(np.int64)])
    order = np.lexsort((day, customer))
    return customer[order] + 1, day[order]


def _require_whole(value: float, *, argument: str, least: int, advice: str) -> None:
    if not least <= value < math.inf or value % 1:
        msg = f"`{argument}` must be a whole number of {least} or more, got {value}.\n{advice}"
        raise InvalidArgumentError(msg)


def _require_all_seen(last_came: int, last: int) -> None:
    """Refuse to end the ledger while customers still come."""
    if last < last_came:
        msg = (
            f"`as_of` is {_time.day_of(last)}, and customers come until "
            f"{_time.day_of(last_came)}.\n"
            "Give a later `as_of` or fewer `acquisition_days`."
        )
        raise InvalidArgumentError(msg)
