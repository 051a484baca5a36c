"""Cohorts by calendar period: customers, orders, revenue and retention rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final, Literal, TypeAlias, get_args

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._cohorts.rates import RATES, normal_quantile, with_rates
from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_choice
from crmkit._words.rates import require_period
from crmkit.errors import MissingColumnsError
from crmkit.tables import LEDGER
from crmkit.typing import Period

Measure: TypeAlias = Literal["customers", "orders", "amount"]

_CELL: Final = ("cohort", "period", "starts", "ends", "is_complete", "cohort_size")
_STEP: Final = 1024


def table(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    every: Period = "month",
    measure: Measure = "customers",
) -> IntoFrameT:
    """Cohort table: customers, orders or revenue of each cohort by calendar period.

    A cohort is all customers whose first purchase falls in the same period. Periods that have
    not begun are null, never zero; a period that is not over on `as_of` is flagged, and its
    numbers are those up to `as_of`.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`. The ledger
        must reach back to the customers' first purchases: with a truncated history, the first
        cohorts are mostly old customers.
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is over.
    every
        The calendar period of cohorts and cells: "day", "week" (ISO, from Monday), "month",
        "quarter" or "year".
    measure
        What to count: "customers" with a purchase in the period, their "orders", or their
        "amount", money less returns.

    Returns
    -------
    One row per cohort and period, sorted by both (a lazy table is not sorted). All cohorts have
    the same number of periods, from 0 to the age of the oldest cohort:

    ==================  =====  ===========================================================
    ``cohort``          date   first day of the period of the customers' first purchases
    ``period``          int    periods since then, 0 for the cohort's own
    ``starts``          date   first day of the period
    ``ends``            date   last day of the period
    ``is_complete``     bool   whether the period is over by the end of `as_of`
    ``cohort_size``     int    customers in the cohort
    *measure*           int    the measure under its own name, `amount` as a float; 0 where
                               nothing happened, null where the period has not begun
    ==================  =====  ===========================================================

    A period without first purchases has no cohort.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no `amount` to measure.
    InvalidArgumentError
        If `every` or `measure` is not among the choices, or `as_of` is not a date.

    Notes
    -----
    Returns change `amount` only: they are neither purchases nor orders, and do not make a
    customer active. Money returned before the first purchase counts in period 0, so that the
    cells of a cohort add up to the `total_amount` of its customers in `crmkit.rfm.summarize`.
    Customers with returns only are in none of the cohorts.

    See Also
    --------
    crmkit.cohorts.calendar_retention : retention rates with intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-20", "2024-02-01"]),
    ...     }
    ... )
    >>> cells = table(orders, as_of=date(2024, 2, 25))
    >>> columns = ["cohort", "period", "ends", "is_complete", "cohort_size", "customers"]
    >>> print(cells[columns].to_string(index=False))
        cohort  period       ends  is_complete  cohort_size  customers
    2024-01-01       0 2024-01-31         True            2        2.0
    2024-01-01       1 2024-02-29        False            2        1.0
    2024-02-01       0 2024-02-29        False            1        1.0
    2024-02-01       1 2024-03-31        False            1        NaN
    """
    as_of = time.as_last_day(as_of, argument="as_of")
    require_period(every)
    require_choice(measure, get_args(Measure), argument="measure")
    ledger = frames.read(orders, LEDGER)
    if measure == "amount" and not frames.has(ledger, "amount"):
        msg = (
            f'{LEDGER.name}: no column `amount`, and `measure` is "amount".\n'
            'Name the column of money in crmkit.transactions(), or measure "orders".'
        )
        raise MissingColumnsError(msg)
    cells = full_grid(ledger, as_of=as_of, every=every).select(*_CELL, measure)
    return frames.give(cells, like=orders, order_by=["cohort", "period"])


def calendar_retention(
    orders: IntoFrameT, *, as_of: date | str, every: Period = "month", level: float = 0.95
) -> IntoFrameT:
    """Retention rate of each cohort by calendar period, with intervals.

    The usual retention triangle. Customers of one cohort differ in age by up to a period, so
    with months period 1 covers returns after one day and after almost two months;
    `crmkit.cohorts.retention` counts from each customer's own first purchase instead.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is over.
    every
        The calendar period of cohorts and cells: "day", "week" (ISO, from Monday), "month",
        "quarter" or "year".
    level
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    One row per cohort and period, those of `crmkit.cohorts.table`, with all columns that it has
    for customers, and:

    ==================  =====  ============================================================
    ``n_eligible``      int    the whole cohort if the period is over, else 0
    ``n_retained``      int    customers with a purchase in the period; null if it is not over
    ``retention_rate``  float  `n_retained` / `n_eligible`; null if the period is not over
    ``lower``           float  lower end of the interval for the rate
    ``upper``           float  upper end
    ==================  =====  ============================================================

    `customers` are those seen so far, also in a period that is not over.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `every`, `as_of` or `level` is outside its range.

    Notes
    -----
    The interval is that of `crmkit.cohorts.retention`. In period 0 all customers are active by
    definition.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-20", "2024-02-01"]),
    ...     }
    ... )
    >>> rates = calendar_retention(orders, as_of=date(2024, 2, 29))
    >>> columns = ["cohort", "period", "cohort_size", "n_eligible", "n_retained"]
    >>> print(rates[[*columns, "retention_rate"]].to_string(index=False))
        cohort  period  cohort_size  n_eligible  n_retained  retention_rate
    2024-01-01       0            2           2         2.0             1.0
    2024-01-01       1            2           2         1.0             0.5
    2024-02-01       0            1           1         1.0             1.0
    2024-02-01       1            1           0         NaN             NaN
    """
    as_of = time.as_last_day(as_of, argument="as_of")
    require_period(every)
    z = normal_quantile(level)
    cells = full_grid(frames.read(orders, LEDGER), as_of=as_of, every=every)
    over = nw.col("is_complete").cast(nw.Int64)
    counted = frames.with_columns(
        cells, n_eligible=nw.col("cohort_size") * over, n_retained=nw.col("customers")
    )
    rates = with_rates(counted, z=z).select(*_CELL, "customers", *RATES)
    return frames.give(rates, like=orders, order_by=["cohort", "period"])


def full_grid(ledger: frames.Frame, *, as_of: date, every: Period) -> frames.Frame:
    """Lay out every cohort and period with all measures, null where it has not begun.

    The oldest cohort is not known before the plan runs, so the calendar holds all possible
    periods, and the plan filters them.
    """
    active = frames.by_customer(ledger, partial(_active_periods, as_of=as_of, every=every))
    today = time.period_of(as_of, every=every)
    example = {"cohort_number": [today - 1, today], "period": [0, 0]}
    step = partial(_laid_out, as_of=as_of, every=every)
    return frames.in_one_piece(_cells(active), step, example=example)


def _laid_out(cells: frames.Frame, *, as_of: date, every: Period) -> frames.Frame:
    today, number = time.period_of(as_of, every=every), nw.col("number")
    measures = [name for name in get_args(Measure) if frames.has(cells, name)]
    grid = _with_quiet_cells(_with_sizes(cells), measures=measures, today=today).with_columns(
        number=nw.col("cohort_number") + nw.col("period")
    )
    calendar = frames.table_like(time.calendar(every=every, last=2 * today), like=grid)
    dated = with_cohort_date(grid, calendar).join(calendar, on="number")
    return dated.with_columns(
        *(nw.when(number <= today).then(nw.col(name)).alias(name) for name in measures),
        is_complete=time.until(dated, as_of, column="ends"),
    )


def with_cohort_date(frame: frames.Frame, calendar: frames.Frame) -> frames.Frame:
    """Name each cohort by the first day of its period."""
    starts = calendar.select(
        nw.col("number").alias("cohort_number"), nw.col("starts").alias("cohort")
    )
    return frame.join(starts, on="cohort_number")


def _active_periods(ledger: frames.Frame, *, as_of: date, every: Period) -> frames.Frame:
    """Sum up each customer's periods with a purchase or return, with the number of the cohort."""
    days = purchase_days.days(ledger, as_of=as_of)
    number, cohort_number, bought = nw.col("number"), nw.col("cohort_number"), nw.col("orders") > 0
    money = [nw.col("amount").sum()] if frames.has(days, "amount") else []
    since = number - cohort_number
    active = (
        days.with_columns(number=time.period_number(days, "day", every=every))
        .group_by("customer_id", "number")
        .agg(nw.col("n_orders").sum().alias("orders"), *money)
        .with_columns(bought_number=nw.when(bought).then(number))
    )
    return (
        frames.spread_least(active, "customer_id", of="bought_number", into="cohort_number")
        .filter(~cohort_number.is_null())
        .with_columns(
            cohort_number.cast(nw.Int64),
            customers=bought.cast(nw.Int64),
            period=nw.when(since > 0).then(since).otherwise(nw.lit(0)).cast(nw.Int64),
        )
    )


def _cells(active: frames.Frame) -> frames.Frame:
    """Add up the cohorts and periods with purchases or returns."""
    measures = [nw.col(name).sum() for name in get_args(Measure) if frames.has(active, name)]
    added = active.group_by("cohort_number", "period").agg(*measures)
    return added.with_columns(nw.col("customers", "orders").cast(nw.Int64))


def _with_sizes(cells: frames.Frame) -> frames.Frame:
    """Append the size of the cohort, and the number of the oldest cohort of all."""
    own = nw.when(nw.col("period") == 0).then(nw.col("customers"))
    flagged = cells.with_columns(own=own, all=nw.lit(0))
    sized = frames.spread_least(flagged, "cohort_number", of="own", into="cohort_size")
    return frames.spread_least(sized, "all", of="cohort_number", into="oldest")


def _with_quiet_cells(cells: frames.Frame, *, measures: Sequence[str], today: int) -> frames.Frame:
    """Add the cells without purchases or returns, as zeros.

    Each cohort has a cell of period 0, which is copied to all its periods. Their number is not
    known before the plan runs; any number is the sum of a step and a part of a step, from two
    short tables. It would be simpler to lay out a grid first and join the cells to it, but then
    the engines compute the cells three times.
    """
    rows = cells.with_columns(is_own=(nw.col("period") == 0).cast(nw.Int64))
    last, offset = today - nw.col("oldest"), nw.col("step") + nw.col("part")
    for name, offsets in (("step", range(0, today + 1, _STEP)), ("part", range(_STEP))):
        choices = {"is_own": [0, *[1] * len(offsets)], name: [0, *offsets]}
        rows = rows.join(frames.table_like(choices, like=rows), on="is_own")
        rows = rows.filter(nw.col(name) <= last)
    own = {name: nw.when(offset == 0).then(nw.col(name)).otherwise(0) for name in measures}
    return (
        rows.with_columns(**own, period=nw.col("period") + offset)
        .filter(nw.col("period") <= last)
        .group_by("cohort_number", "cohort_size", "period")
        .agg(*(nw.col(name).sum() for name in measures))
        .with_columns(nw.col("cohort_size", "customers", "orders").cast(nw.Int64))
    )
