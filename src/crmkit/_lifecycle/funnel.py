"""The funnel from prospect to second purchase, with the waits between its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._lifecycle.steps import at_steps
from crmkit._lifecycle.waits import Wait, medians, shares
from crmkit._words.arguments import require_column_name
from crmkit._words.rates import require_level, require_period
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics.proportions import wilson
from crmkit.tables import HISTORY_OF_STAGES
from crmkit.tables.contracts import NOT_MADE, Column
from crmkit.typing import Period

STEPS: Final = ("prospect", "first purchase", "second purchase")

_COUNTS: Final = ("n_customers", "n_from", "n_converted")
_RATES: Final = (
    *("conversion_rate", "conversion_lower", "conversion_upper", "rate_if_followed"),
    *("median", "median_lower", "median_upper"),
)
_MADE: Final = ("funnel_step", "step_order", *_COUNTS, *_RATES)
_NEVER: Final = -1
_HOLDS: Final = ("prospect", "bought", "again")


@dataclass(frozen=True, slots=True)
class _People:
    """People alike: their group, the step at which they came to each point, the last one seen."""

    group: str
    came: tuple[int, int, int]
    last: int
    n: int


def funnel(history: IntoFrameT, *, by: str | None = None, level: float = 0.9) -> IntoFrameT:
    """Funnel from prospect to first and second purchase: counts, conversion and days between.

    Who has not come to a step yet may still do so: the rate says how many have by the last date,
    the median counts those who still wait for as long as they were seen. It assumes that they will
    wait as the others did.

    Parameters
    ----------
    history
        One row per customer and date, as made by `crmkit.lifecycle.history`. It has the step
        "prospect" where it was made with `prospects`, and the second purchase where it has a
        `frequency`.
    by
        A column of the history, such as the source or the owner of a customer, to get a funnel
        for each of its values; the same at all dates of a customer.
    level
        Level of the intervals, between 0 and 1.

    Returns
    -------
    One row per group and step, in order:

    ====================  =====  =============================================================
    *by*                  text   the group, the unknown last as null; only with `by`
    ``funnel_step``       text   "prospect", "first purchase" or "second purchase"
    ``step_order``        int    its place, from 1
    ``n_customers``       int    people who have come so far, whether or not it was seen
    ``n_from``            int    those seen to come to the step before; 0 for the first step
    ``n_converted``       int    those of them who came to this one by the last date
    ``conversion_rate``   float  their share; null where `n_from` is 0
    ``conversion_lower``  float  lower bound of the share (Wilson)
    ``conversion_upper``  float  upper bound of the share
    ``rate_if_followed``  float  share who would have come to it had all been followed for as
                                 long as the longest of them (Kaplan-Meier)
    ``median``            float  days after which half have come to it; null where fewer have
    ``median_lower``      float  lower bound of the median
    ``median_upper``      float  upper bound; null where it is beyond the data
    ====================  =====  =============================================================

    Days count from the middle between two dates of the history to the middle between two others,
    and are 0 where both steps fell between the same two; prospects count from the first date
    on which they are known. Those who had bought by the first date of the history are in
    `n_customers` only: when they did is unknown.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `history` breaks its contract, holds a customer more than once at a date, or `by`
        changes within a customer.
    InvalidArgumentError
        If it has fewer than two dates, `by` is a column that is made here, or `level` is not
        between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan"] * 3,
    ...         "date": pd.to_datetime(
    ...             ["2024-01-31"] * 4 + ["2024-03-01"] * 4 + ["2024-03-31"] * 4
    ...         ),
    ...         "stage": ["prospect"] * 4
    ...         + ["new", "new", "prospect", "prospect"]
    ...         + ["active", "new", "new", "prospect"],
    ...         "frequency": [None] * 4 + [0, 0, None, None] + [1, 0, 0, None],
    ...     }
    ... )
    >>> table = funnel(history)
    >>> columns = ["funnel_step", "n_customers", "n_from", "n_converted", "conversion_rate"]
    >>> print(table[[*columns, "median"]].round(2).to_string(index=False))
        funnel_step  n_customers  n_from  n_converted  conversion_rate  median
           prospect            4       0            0              NaN     NaN
     first purchase            3       4            3             0.75    30.0
    second purchase            1       3            1             0.33    30.0
    """
    require_level(level)
    people, dates, frame = _people(history, by=by)
    steps = _steps(people, frame)
    groups = sorted({each.group for each in people}, key=lambda name: (name == "", name))
    rows = [
        _row([each for each in people if each.group == group], step, steps, dates)
        for group in groups
        for step in steps
    ]
    counts = {
        name: np.array([row[0][i] for row in rows], dtype=np.int64)
        for i, name in enumerate(_COUNTS)
    }
    n, k = counts["n_from"], counts["n_converted"]
    lower, upper = wilson(k, n, level=level)
    known = n > 0
    with np.errstate(invalid="ignore"):
        rates = {
            "conversion_rate": np.where(known, k / np.where(known, n, 1), np.nan),
            "conversion_lower": np.where(known, lower, np.nan),
            "conversion_upper": np.where(known, upper, np.nan),
        }
    waits = [row[1] for row in rows]
    columns: dict[str, Any] = {
        "funnel_step": [STEPS[step] for _ in groups for step in steps],
        "step_order": np.array([1 + i for _ in groups for i in range(len(steps))], dtype=np.int64),
        **counts,
        **rates,
        "rate_if_followed": shares(waits),
        **medians(waits, level=level),
    }
    if by is not None:
        names = [group or None for group in groups for _ in steps]
        columns = {by: np.array(names, dtype=object), **columns}
    table = frames.table_like(columns, like=frame)
    return frames.give(table.with_columns(nw.col(*_RATES).fill_nan(None)), like=history)


def second_purchases(
    history: IntoFrameT, *, every: Period = "month", level: float = 0.9
) -> IntoFrameT:
    """Time to the second purchase by cohort, those who still wait counted as such.

    Young cohorts have had less time: compare medians and shares at the same age, not the counts.

    Parameters
    ----------
    history
        One row per customer and date with a `frequency`, as made by `crmkit.lifecycle.history`.
        Its dates are best the last days of the periods.
    every
        The calendar period of the first purchase that makes a cohort: "day", "week", "month",
        "quarter" or "year". A customer belongs to that of the first date with a purchase.
    level
        Level of the interval of each median, between 0 and 1.

    Returns
    -------
    One row per cohort, in order. Those who had bought by the first date of the history are in
    none:

    ====================  =====  =============================================================
    ``cohort``            date   first day of the period of the customers' first purchases
    ``cohort_size``       int    customers in the cohort
    ``n_converted``       int    of which bought again by the last date
    ``rate_if_followed``  float  share who buy again within the longest wait that was seen
                                 (Kaplan-Meier)
    ``median``            float  days after which half have bought again; null where fewer have
    ``median_lower``      float  lower bound of the median
    ``median_upper``      float  upper bound; null where it is beyond the data
    ====================  =====  =============================================================

    Days are measured as in `crmkit.lifecycle.funnel`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `history` breaks its contract, has no `frequency`, or holds a customer more than once
        at a date.
    InvalidArgumentError
        If it has fewer than two dates, or another argument is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame(
    ...     {
    ...         "customer_id": ["old", "ann", "ben", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-01-31"] + ["2024-02-29"] * 2 + ["2024-03-31"] * 2),
    ...         "stage": ["active", "new", "new", "active", "new"],
    ...         "frequency": [3, 0, 0, 1, 0],
    ...     }
    ... )
    >>> table = second_purchases(history)
    >>> print(table.iloc[:, :5].to_string(index=False))
        cohort  cohort_size  n_converted  rate_if_followed  median
    2024-02-01            2            1               0.5    30.0
    """
    require_period(every)
    require_level(level)
    people, dates, frame = _people(history, by=None, needs=("frequency",))
    cohorts: dict[int, list[_People]] = {}
    for each in people:
        if each.came[1] > 0:
            period = time.period_of(dates[each.came[1]], every=every)
            cohorts.setdefault(period, []).append(each)
    numbers = sorted(cohorts)
    starts = time.calendar(every=every, last=max(numbers, default=0))["starts"]
    rows = [_row(cohorts[number], 2, (1, 2), dates) for number in numbers]
    waits = [row[1] for row in rows]
    columns: dict[str, Any] = {
        "cohort": starts[numbers],
        "cohort_size": np.array([row[0][1] for row in rows], dtype=np.int64),
        "n_converted": np.array([row[0][2] for row in rows], dtype=np.int64),
        "rate_if_followed": shares(waits),
        **medians(waits, level=level),
    }
    table = frames.table_like(columns, like=frame)
    floats = ("rate_if_followed", "median", "median_lower", "median_upper")
    return frames.give(table.with_columns(nw.col(*floats).fill_nan(None)), like=history)


def _people(
    history: IntoFrame, *, by: str | None, needs: Sequence[str] = ()
) -> tuple[list[_People], tuple[date, ...], frames.Frame]:
    """Count people by when they came to each point; few ways are possible, so few rows come."""
    columns = [
        replace(each, required=each.required or each.name in needs)
        for each in HISTORY_OF_STAGES.columns
    ]
    if by is not None:
        require_column_name(by, argument="by")
        if by in _MADE or by in HISTORY_OF_STAGES.column_names:
            msg = f"`by` is {by!r}, which has a meaning of its own.\nRename the column."
            raise InvalidArgumentError(msg)
        columns.append(Column(by, "key", "whom to group by", nullable=True, made_by=NOT_MADE))
    table = replace(HISTORY_OF_STAGES, columns=tuple(columns))
    placed, dates = at_steps(history, table, also=["frequency", *([by] if by is not None else [])])
    step, is_prospect = nw.col("step"), nw.col("stage") == "prospect"
    points = {
        "prospect": nw.when(is_prospect).then(step),
        "bought": nw.when(~is_prospect).then(step),
    }
    if frames.has(placed, "frequency"):
        points["again"] = nw.when(frames.known("frequency") >= 1).then(step)
    group = nw.lit("")
    if by is not None:
        text = nw.col(by).cast(nw.String)
        group = nw.when(~nw.col(by).is_null()).then(text).otherwise(nw.lit(""))
    rows = placed.select("customer_id", "step", group=group, **points)
    each = frames.by_customer(rows, _first_steps)
    found = frames.rows(each.group_by("group", "changes", "last", *points).agg(nw.len().alias("n")))
    _refuse_changes(found, by)
    people = [
        _People(
            str(row["group"]),
            (_came(row, "prospect"), _came(row, "bought"), _came(row, "again")),
            int(row["last"]),
            int(row["n"]),
        )
        for row in found
    ]
    return people, dates, placed


def _first_steps(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Find when each person came to each point, and whether they stayed in one group."""
    points = [name for name in _HOLDS if frames.has(rows, name)]
    people = rows.group_by("customer_id").agg(
        nw.col(*points).min(),
        nw.col("step").max().alias("last"),
        nw.col("group").min(),
        nw.col("group").max().alias("other"),
    )
    changes = nw.when(nw.col("group") != nw.col("other")).then(nw.lit(1)).otherwise(nw.lit(0))
    never = [nw.col(name).cast(nw.Float64).fill_null(float(_NEVER)) for name in points]
    return people.with_columns(*never, changes=changes).drop("other")


def _came(row: frames.Row, point: str) -> int:
    return int(row.get(point, _NEVER))


def _refuse_changes(found: Sequence[frames.Row], by: str | None) -> None:
    n_rows = sum(int(row["n"]) for row in found if row["changes"])
    if n_rows:
        total = sum(int(row["n"]) for row in found)
        msg = (
            f"{HISTORY_OF_STAGES.name}: `{by}` changes within {n_rows:,} of {total:,} customers.\n"
            "Give each customer one value at all dates, such as the first."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=())


def _steps(people: Sequence[_People], frame: frames.Frame) -> tuple[int, ...]:
    """List the steps that the history can show."""
    has_prospects = any(each.came[0] > _NEVER for each in people)
    has_frequency = frames.has(frame, "frequency")
    return (*((0,) if has_prospects else ()), 1, *((2,) if has_frequency else ()))


def _row(
    people: Sequence[_People], step: int, steps: Sequence[int], dates: Sequence[date]
) -> tuple[tuple[int, int, int], list[Wait]]:
    """Count those who came to a step, those seen at the one before, and their waits."""
    n_customers = sum(each.n for each in people if max(each.came[step:]) > _NEVER)
    if step == steps[0]:
        return (n_customers, 0, 0), []
    # A prospect is known from the first date on; when a customer first bought before it is not.
    least = 0 if step == 1 else 1
    came_from = [each for each in people if each.came[step - 1] >= least]
    waits = [_wait(each, step, dates) for each in came_from]
    n_converted = sum(each.n for each in waits if each.event)
    return (n_customers, sum(each.n for each in waits), n_converted), waits


def _wait(people: _People, step: int, dates: Sequence[date]) -> Wait:
    begin = people.came[step - 1]
    end = people.came[step]
    started = _middle(begin, dates)
    if end > _NEVER:
        return Wait(_middle(end, dates) - started, 1, people.n)
    return Wait(time.number_of(dates[people.last]) - started, 0, people.n)


def _middle(step: int, dates: Sequence[date]) -> float:
    """Give the middle between a date and the one before, as a day number."""
    day = time.number_of(dates[step])
    return (day + time.number_of(dates[max(step - 1, 0)])) / 2
