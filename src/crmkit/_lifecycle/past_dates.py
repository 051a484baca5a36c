"""Customers at past dates of a ledger: how long they were silent, and who bought afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._lifecycle.rules import StageRules
from crmkit._summary import purchase_days

PER_GAP: Final = 10
"""Silence is counted in tenths of an expected gap; of fixed windows, in days."""

_MOST_GAPS: Final = 1_000
_MOST_DATES: Final = 4
"""At four dates a quarter apart, each season is seen once."""


@dataclass(frozen=True, slots=True)
class Silences:
    """How many customers had been silent for how long at past dates, and bought afterwards.

    Attributes
    ----------
    n_customers, n_returned
        One row per past date, the earliest first, and one column per step of silence.
    per_unit
        Steps of silence in one gap, or in one day.
    """

    n_customers: npt.NDArray[np.int64]
    n_returned: npt.NDArray[np.int64]
    per_unit: int


def past_dates(*, first: int, as_of: int, horizon_days: int) -> tuple[int, ...]:
    """List the day numbers to learn at: each has a horizon after it, and as much before."""
    days = [as_of - i * horizon_days for i in range(1, _MOST_DATES + 1)]
    return tuple(reversed([day for day in days if day - first >= horizon_days]))


def first_day(orders: IntoFrame) -> int | None:
    """Find the day number of the first row; None for an empty table."""
    frame = frames.reopen(orders)
    found = frame.select(time.day_number(frame, "date").min().alias("first")).collect()
    number = found["first"].drop_nulls().to_list()
    return int(number[0]) if number else None


def at_dates(
    ledger: frames.Frame, *, dates: Sequence[int], horizon_days: int, as_of: date
) -> frames.Frame:
    """Describe each customer at each date, by its `step`, in one pass over the ledger.

    Gives the day numbers of the `first` and the `last` purchase by then, the `n` purchase days by
    then, and how many came `later`, within the horizon.
    """
    step = partial(_at_each_date, dates=dates, horizon_days=horizon_days, as_of=as_of)
    wide = frames.by_customer(ledger, step)
    customers = frames.reopen(frames.keep(wide.to_native()))
    labels = frames.table_like({"step": list(range(len(dates)))}, like=customers)
    rows = customers.join(labels, how="cross")
    measures = ("first", "last", "n", "later")
    picked = rows.select("step", *(_of_date(name, len(dates)).alias(name) for name in measures))
    return picked.filter(nw.col("n") > 0)


def silences(
    customers: frames.Frame,
    *,
    dates: Sequence[int],
    typical_gaps: Sequence[float],
    rules: StageRules,
) -> Silences:
    """Count customers by their silence at each date, as the rules measure it."""
    per_unit = 1 if rules.windows == "days" else PER_GAP
    steps = (_silence(dates, typical_gaps, rules) * per_unit).clip(0.0, float(_MOST_GAPS * PER_GAP))
    binned = customers.filter(nw.col("step") < len(dates)).select(
        "step",
        steps.floor().cast(nw.Int64).alias("silence"),
        (nw.col("later") > 0).cast(nw.Int64).alias("came_back"),
    )
    counted = binned.group_by("step", "silence").agg(
        nw.len().alias("n_customers"), nw.col("came_back").sum()
    )
    return _as_arrays(
        frames.collect(counted, "step", "silence", "n_customers", "came_back"),
        n_dates=len(dates),
        per_unit=per_unit,
    )


def typical_gaps(customers: frames.Frame, *, n_dates: int) -> list[float]:
    """Find the median of the customers' mean gaps at each date, as `rules` does; NaN for none.

    In a young ledger gaps are short, and so are silences: each date has its own.
    """
    gap = (nw.col("last") - nw.col("first")) / (nw.col("n") - 1)
    gaps = customers.filter(nw.col("n") > 1).select("step", gap.alias("gap"))
    counted = gaps.group_by("step", "gap").agg(nw.len().alias("n_customers"))
    found = frames.collect(counted, "step", "gap", "n_customers")
    typical = []
    for i in range(n_dates):
        here = found["step"] == i
        values = np.repeat(found["gap"][here], found["n_customers"][here].astype(int))
        typical.append(float(np.median(values)) if len(values) else math.nan)
    return typical


def _silence(dates: Sequence[int], typical: Sequence[float], rules: StageRules) -> nw.Expr:
    """Measure the silence at each date in days or in expected gaps."""
    days = (_by_step([nw.lit(day) for day in dates]) - nw.col("last")).cast(nw.Float64)
    if rules.windows == "days":
        return days
    credit = _by_step([nw.lit(rules.prior_gaps * gap) for gap in typical])
    n_gaps = nw.col("n") - 1 + rules.prior_gaps
    return days * n_gaps / (nw.col("last") - nw.col("first") + credit)


def _at_each_date(
    ledger: nw.LazyFrame[Any], *, dates: Sequence[int], horizon_days: int, as_of: date
) -> nw.LazyFrame[Any]:
    """Collapse a ledger to one row per customer, with a set of columns for each date."""
    days = purchase_days.days(ledger, as_of=as_of).filter(nw.col("n_orders") > 0)
    numbered = days.select("customer_id", number=time.day_number(days, "day"))
    number = nw.col("number")
    flags: dict[str, nw.Expr] = {}
    for i, day in enumerate(dates):
        flags[f"seen_{i}"] = nw.when(number <= day).then(number)
        after = (number > day) & (number <= day + horizon_days)
        flags[f"later_{i}"] = after.cast(nw.Int64)
    marked = numbered.with_columns(**flags)
    measured = [
        measure
        for i in range(len(dates))
        for measure in (
            nw.col(f"seen_{i}").min().alias(f"first_{i}"),
            nw.col(f"seen_{i}").max().alias(f"last_{i}"),
            nw.col(f"seen_{i}").count().alias(f"n_{i}"),
            nw.col(f"later_{i}").sum(),
        )
    ]
    customers = marked.group_by("customer_id").agg(*measured)
    counts = [f"{name}_{i}" for i in range(len(dates)) for name in ("n", "later")]
    return customers.with_columns(nw.col(*counts).cast(nw.Int64)).drop("customer_id")


def _of_date(name: str, n_dates: int) -> nw.Expr:
    return _by_step([nw.col(f"{name}_{i}") for i in range(n_dates)])


def _by_step(values: Sequence[nw.Expr]) -> nw.Expr:
    """Pick the value that belongs to the row's date."""
    picked: nw.Expr = values[0]
    for i, value in enumerate(values[1:], start=1):
        picked = nw.when(nw.col("step") == i).then(value).otherwise(picked)
    return picked


def _as_arrays(counted: dict[str, npt.NDArray[Any]], *, n_dates: int, per_unit: int) -> Silences:
    place = counted["step"].astype(int), counted["silence"].astype(int)
    size = (n_dates, int(place[1].max(initial=0)) + 2)
    n_customers, n_returned = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.add.at(n_customers, place, counted["n_customers"].astype(np.int64))
    np.add.at(n_returned, place, counted["came_back"].astype(np.int64))
    return Silences(n_customers, n_returned, per_unit)
