"""Simulated ledgers of a fitted model, to test a method where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.require_fit import require_purchases
from crmkit._clv.prediction.scoring import read_covariates, with_codes
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_backend, require_seed, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.arrays import Codes
from crmkit.tables import SUMMARY
from crmkit.typing import Backend

_CUSTOMERS: Final = SUMMARY.only("customer_id")


def simulate(
    *,
    purchases: Fit,
    n_customers: int | None = None,
    customers: IntoFrame | None = None,
    start: date | str,
    acquisition_days: int,
    as_of: date | str,
    seed: int,
    backend: Backend = "pandas",
) -> Any:  # noqa: ANN401 - native to `backend`
    """Simulate the purchases of new customers, as a ledger.

    Customers come evenly over the days of acquisition, and buy and drop out as the model has it,
    without season or trend: what holds on such a ledger need not hold on a real one.

    Parameters
    ----------
    purchases
        A fitted purchase model.
    n_customers
        Number of customers, 1 or more.
    customers
        Instead of `n_customers`, a table with a row for each customer: a `customer_id` and the
        covariates of the fit, if it has any, which give each customer its parameters.
    start
        First day on which a customer can come, as a date or ISO text.
    acquisition_days
        Number of days, from `start`, on which customers come: 1 or more. Each is as likely.
    as_of
        Last day of the ledger, no earlier than the last day of acquisition, as a date or ISO text.
    seed
        Seed of the random numbers, 0 or more; the same seed gives the same ledger.
    backend
        Library of the returned table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per purchase, sorted by customer, as in `customers`, and date. It goes into
    `crmkit.rfm.summarize` as it is:

    ===============  ====  =========================================================
    ``customer_id``  int   1 to `n_customers`, or as in `customers`; each has a first purchase
    ``date``         date  day of the purchase; several on one day are several rows
    ===============  ====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a covariate, or it is null or of a level that the fit has not seen.
    InvalidArgumentError
        If a number is not a whole one in its range, `start` or `as_of` is not a date, `as_of` comes
        before acquisition ends, `purchases` is not a purchase model, both or neither of
        `n_customers` and `customers` are given, or a fit with covariates comes without
        `customers`.

    Notes
    -----
    The models have moments and a ledger has days. Each first purchase is at the end of its day,
    so that a repeat purchase falls on a later one. Several within a day make one purchase day in
    a summary: where customers buy nearly daily, a fit on it underestimates their rate.

    Examples
    --------
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True)
    >>> real = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> simulated = simulate(
    ...     purchases=fit(real, model="bg_nbd"),
    ...     n_customers=1000,
    ...     start=date(2024, 1, 1),
    ...     acquisition_days=90,
    ...     as_of=date(2024, 12, 31),
    ...     seed=5,
    ... )
    >>> print(simulated.head(6).to_string(index=False))
     customer_id       date
               1 2024-03-01
               2 2024-03-13
               2 2024-06-02
               3 2024-01-03
               4 2024-03-13
               4 2024-09-30
    """
    require_purchases(purchases)
    ids, model = _simulated(purchases, n_customers, customers)
    require_backend(backend)
    require_whole(
        acquisition_days, argument="acquisition_days", least=1, advice="Write 90 for a quarter."
    )
    require_seed(seed)
    first = time.number_of(time.as_day(start, argument="start"))
    last = time.number_of(time.as_day(as_of, argument="as_of"))
    _require_all_seen(first + int(acquisition_days) - 1, last)
    rng = np.random.default_rng(int(seed))
    came = first + rng.integers(0, int(acquisition_days), len(ids))
    customer_of, age = model.simulate((last - came).astype(np.float64), rng=rng)
    customer, day = _ledger(came, customer_of, age)
    # pandas has no type for a date.
    dates = day.astype("datetime64[D]").astype(
        "datetime64[us]" if backend == "pandas" else "datetime64[D]"
    )
    columns = {"customer_id": [ids[i] for i in customer.tolist()], "date": dates.tolist()}
    return frames.new_table(columns, backend=backend)


def _simulated(
    purchases: Fit, n_customers: int | None, customers: IntoFrame | None
) -> tuple[Sequence[Any], Any]:
    """Give the ids of the customers, and the model with their parameters."""
    if (n_customers is None) == (customers is None):
        msg = "Give either `n_customers` or `customers`.\nWrite n_customers=5000."
        raise InvalidArgumentError(msg)
    if customers is None:
        if purchases.covariates:
            msg = (
                "`purchases` has covariates, which `n_customers` does not give.\n"
                "Give `customers`, a table with a row for each customer, instead."
            )
            raise InvalidArgumentError(msg)
        n = 0 if n_customers is None else n_customers
        require_whole(n, argument="n_customers", least=1, advice="Write 5000.")
        return range(1, int(n) + 1), purchases.model
    table = frames.run_once(customers)
    frame, codes = with_codes(frames.read(table, _CUSTOMERS), like=table, fits=[purchases])
    data = frame.collect()
    columns = {code: data[code].to_numpy().astype(np.float64) for code in codes[0].values()}
    (covariates,) = read_covariates([purchases], codes, columns, n_rows=len(data))
    return data["customer_id"].to_list(), covariates.model


def _ledger(came: Codes, customer_of: Codes, age: Floats) -> tuple[Codes, Codes]:
    """Merge first and repeat purchases, sorted by customer, counted from 0, and day."""
    customer = np.concatenate([np.arange(len(came)), customer_of])
    day = np.concatenate([came, came[customer_of] + np.ceil(age).astype(np.int64)])
    order = np.lexsort((day, customer))
    return customer[order], day[order]


def _written(number: int) -> str:
    """Write a day; one after the year 9999 has no date."""
    farthest = time.number_of(date.max)
    return str(time.day_of(number)) if number <= farthest else "after the year 9999"


def _require_all_seen(last_came: int, last: int) -> None:
    """Require that the ledger ends after all customers have come."""
    if last < last_came:
        msg = (
            f"`as_of` is {time.day_of(last)}, but customers come until "
            f"{_written(last_came)}.\n"
            "Give a later `as_of` or fewer `acquisition_days`."
        )
        raise InvalidArgumentError(msg)
