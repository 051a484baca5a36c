"""Retention rate of each cohort in windows of days after the first purchase."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._cohorts.rates import RATES, normal_quantile, with_rates
from crmkit._cohorts.table import with_cohort_date
from crmkit._cohorts.windows import DEFAULT_WINDOWS, Window, checked_windows
from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.rates import require_period
from crmkit.tables import LEDGER
from crmkit.typing import Period

_COLUMNS: Final = ("cohort", "from_day", "to_day", "cohort_size", "is_complete", *RATES)


def retention(
    orders: IntoFrameT,
    *,
    as_of: date | str,
    windows: Sequence[Window] = DEFAULT_WINDOWS,
    every: Period = "month",
    level: float = 0.95,
) -> IntoFrameT:
    """Retention rate of each cohort in windows of days, with intervals.

    Days are counted from each customer's own first purchase. The rate is over the customers
    whose whole window is over by `as_of`: customers who still have time to come back are not
    counted.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        The last day that is seen, as a date or ISO text.
    windows
        The windows of days, as made by `n_day`, `rolling` or `bracket`, or several of these
        joined with ``+``. The default is three brackets of 30 days each.
    every
        The calendar period of the cohorts: "day", "week" (ISO, from Monday), "month", "quarter"
        or "year".
    level
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    One row per cohort and window, sorted by both (a lazy table is not sorted):

    ==================  =====  ============================================================
    ``cohort``          date   first day of the period of the customers' first purchases
    ``from_day``        int    first day of the window, counted from the first purchase
    ``to_day``          int    first day after the window; null where it never ends
    ``cohort_size``     int    customers in the cohort
    ``is_complete``     bool   whether the row is final: the cohort's period is over, all of
                               its customers are eligible, and the window ends
    ``n_eligible``      int    customers whose window is over; of a window that never ends,
                               those who have reached its first day
    ``n_retained``      int    eligible customers with a purchase in the window; null if none
                               is eligible
    ``retention_rate``  float  `n_retained` / `n_eligible`; null if none is eligible
    ``lower``           float  lower end of the interval for the rate
    ``upper``           float  upper end
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `windows` is empty, repeats a window or holds other values, or another argument is
        outside its range.

    Notes
    -----
    A purchase on day d after the first falls in a window where ``from_day <= d < to_day``. A
    customer is eligible from day ``to_day - 1`` on: ``T >= to_day - 1`` with `T` as in
    `crmkit.rfm.summarize`. Returns do not count as purchases.

    The interval is Wilson's score interval without continuity correction. It assumes that
    customers decide independently of each other.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    *Journal of the American Statistical Association* 22(158), 209-212.
    https://doi.org/10.1080/01621459.1927.10502953.

    Newcombe, R. G. (1998). Two-sided confidence intervals for the single proportion.
    *Statistics in Medicine* 17(8), 857-872. Method 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit.cohorts import bracket
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "ann"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-20", "2024-01-25"]),
    ...     }
    ... )
    >>> rates = retention(orders, as_of=date(2024, 2, 29), windows=bracket((1, 31)))
    >>> columns = ["cohort_size", "n_eligible", "n_retained", "retention_rate"]
    >>> print(rates[["cohort", *columns, "lower", "upper"]].to_string(index=False))
        cohort  cohort_size  n_eligible  n_retained  retention_rate    lower    upper
    2024-01-01            2           2         1.0             0.5 0.094531 0.905469
    2024-02-01            1           0         NaN             NaN      NaN      NaN
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_period(every)
    z = normal_quantile(level)
    windows = checked_windows(windows)
    ledger = frames.read(orders, LEDGER)
    step = partial(_per_customer, as_of=as_of, windows=windows, every=every)
    customers = frames.by_customer(ledger, step)
    cohorts = _per_cohort(customers, windows=windows, as_of=as_of)
    today = time.period_of(as_of, every=every)
    counts = {name: [0, 1] for name in cohorts.collect_schema().names()}
    rates = frames.in_one_piece(
        cohorts,
        partial(_rates, as_of=as_of, windows=windows, every=every, z=z),
        example=counts | {"cohort_number": [today, today]},
    )
    return frames.give(rates, like=orders, order_by=["cohort", "from_day", "to_day"])


def _per_customer(
    ledger: frames.Frame, *, as_of: date, windows: Sequence[Window], every: Period
) -> frames.Frame:
    """Count each customer's purchase days within each window."""
    days = purchase_days.days(ledger, as_of=as_of)
    bought = days.filter(nw.col("n_orders") > 0)
    numbered = bought.select(
        "customer_id",
        number=time.day_number(bought, "day"),
        cohort_number=time.period_number(bought, "day", every=every),
    )
    visits = frames.spread_least(numbered, "customer_id", of="number", into="first_number")
    age = nw.col("number") - nw.col("first_number")
    hits = {f"hits_{i}": _falls_in(age, window) for i, window in enumerate(windows)}
    return (
        visits.with_columns(**{name: hit.cast(nw.Int64) for name, hit in hits.items()})
        .group_by("customer_id", "first_number")
        .agg(nw.col("cohort_number").min(), *(nw.col(name).sum() for name in hits))
    )


def _falls_in(age: nw.Expr, window: Window) -> nw.Expr:
    begun = age >= window.from_day
    return begun if window.to_day is None else begun & (age < window.to_day)


def _per_cohort(customers: frames.Frame, *, windows: Sequence[Window], as_of: date) -> frames.Frame:
    """Count eligible and retained customers, a pair of columns for each window."""
    age_now = nw.lit(time.number_of(as_of)) - nw.col("first_number")
    flags: dict[str, nw.Expr] = {}
    for i, window in enumerate(windows):
        eligible = age_now >= window.known_from
        flags[f"n_eligible_{i}"] = eligible
        flags[f"n_retained_{i}"] = eligible & (nw.col(f"hits_{i}") > 0)
    counts = customers.with_columns(**{name: flag.cast(nw.Int64) for name, flag in flags.items()})
    return (
        counts.group_by("cohort_number")
        .agg(nw.len().alias("cohort_size"), *(nw.col(name).sum() for name in flags))
        .with_columns(nw.col("cohort_size", *flags).cast(nw.Int64))
    )


def _rates(
    cohorts: frames.Frame,
    *,
    as_of: date,
    windows: Sequence[Window],
    every: Period,
    z: float,
) -> frames.Frame:
    """Compute the rate of each cohort in each window."""
    counted = _per_window(cohorts, windows=windows)
    is_over = nw.col("cohort_number") <= time.last_complete(as_of, every=every)
    is_final = nw.col("is_known_of_all") & is_over
    calendar = frames.table_like(
        time.calendar(every=every, last=time.period_of(as_of, every=every)), like=counted
    )
    dated = with_cohort_date(counted.with_columns(is_complete=is_final), calendar)
    return with_rates(dated, z=z).select(*_COLUMNS)


def _per_window(cohorts: frames.Frame, *, windows: Sequence[Window]) -> frames.Frame:
    """Turn the pairs of columns into rows."""
    labels = {
        "window": range(len(windows)),
        "from_day": [window.from_day for window in windows],
        "end": [window.to_day or 0 for window in windows],
    }
    rows = cohorts.join(frames.table_like(labels, like=cohorts), how="cross")
    ends = nw.col("end") > 0
    counted = rows.with_columns(
        n_eligible=_of_window("n_eligible", len(windows)),
        n_retained=_of_window("n_retained", len(windows)),
        to_day=nw.when(ends).then(nw.col("end")),
    )
    everybody = nw.col("n_eligible") == nw.col("cohort_size")
    return counted.with_columns(is_known_of_all=ends & everybody)


def _of_window(name: str, n_windows: int) -> nw.Expr:
    """Pick the count that belongs to the row's window."""
    picked = nw.col(f"{name}_0")
    for i in range(1, n_windows):
        picked = nw.when(nw.col("window") == i).then(nw.col(f"{name}_{i}")).otherwise(picked)
    return picked
