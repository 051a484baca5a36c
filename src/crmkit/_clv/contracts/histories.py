"""Lifetimes of contracts, from counts of survivors or from a row per contract."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit.errors import InvalidRowsError
from crmkit.tables import CONTRACTS, SURVIVORS, Table
from crmkit.typing import Period

Histories = tuple[Floats, Floats, Floats]
"""Periods, whether lost at their end, and the number of customers with this history."""

_MONTHS: Final[dict[Period, int]] = {"month": 1, "quarter": 3, "year": 12}
_DAYS: Final[dict[Period, int]] = {"day": 1, "week": 7}
_EXAMPLES_SHOWN: Final = 3


def from_survivors(survivors: IntoFrame) -> Histories:
    """Count customers missing after a period as lost in it, and the last survivors as censored."""
    frame = frames.read(survivors, SURVIVORS)
    keys = ["cohort", "period"] if frames.has(frame, "cohort") else ["period"]
    rows = frames.counted(frame, SURVIVORS.only(*keys, "survivors"))
    period, left = (rows[name].to_numpy().astype(np.float64) for name in ("period", "survivors"))
    cohort = rows[keys[0]].to_list() if len(keys) > 1 else [None] * len(rows)
    first = np.array([i == 0 or cohort[i] != cohort[i - 1] for i in range(len(rows))], dtype=bool)
    lost = np.append(np.nan, left)[:-1] - left
    position = np.arange(len(rows))
    since = position - np.maximum.accumulate(np.where(first, position, 0))
    out_of_step = (period != since) | (rows["n_rows"].to_numpy() > 1)
    for complaint, broken in (
        ("`period` does not run 0, 1, 2, ... once each", out_of_step),
        ("`survivors` rises, but customers who left do not return,", ~first & (lost < 0)),
    ):
        if broken.any():
            examples = [value for value, bad in zip(rows[keys[0]], broken, strict=True) if bad]
            raise _invalid(SURVIVORS, complaint, key=keys[0], examples=examples, n_rows=len(rows))
    last = np.append(first, True)[1:]
    return (
        np.append(period[~first], period[last]),
        np.append(np.ones((~first).sum()), np.zeros(last.sum())),
        np.append(lost[~first], left[last]),
    )


def from_contracts(contracts: IntoFrame, *, as_of: date, every: Period) -> Histories:
    """Count whole periods from each contract's own first day, to its end or to `as_of`.

    A loss counts once the period that it ends is over, as a renewal does. Before that the leavers
    of the period would be counted without its stayers, who are not known to stay until it is over.
    """
    frame = frames.read(contracts, CONTRACTS)
    if frames.is_lazy(contracts):
        _require_in_order(frame)
    seen = frame.filter(time.until(frame, as_of, column="start"))
    over = time.until(seen, as_of, column="end")
    ended = seen.filter(~nw.col("end").is_null(), over)
    runs_on = seen.filter(nw.col("end").is_null() | ~over)
    begun = periods_to_end(ended, every=every)
    completed = periods_until(ended, as_of, every=every)
    is_over = begun <= completed
    of_ended = _tally(ended, nw.when(is_over).then(begun).otherwise(completed), lost=is_over)
    kept_for = periods_until(runs_on, as_of, every=every)
    of_others = _tally(runs_on, kept_for, lost=kept_for < 0)  # nobody
    both = zip(of_ended, of_others, strict=True)
    periods, lost, n_rows = (np.append(one, other) for one, other in both)
    return periods, lost, n_rows


def periods_to_end(frame: frames.Frame, *, every: Period) -> nw.Expr:
    """Count the periods begun by the end of a contract; at least 1.

    Rounding up gives the same for the last day and for the day after.
    """
    if every in _DAYS:
        size = _DAYS[every]
        elapsed = time.day_number(frame, "end") - time.day_number(frame, "start")
    else:
        size = _MONTHS[every]
        into_next = nw.col("end").dt.day() > nw.col("start").dt.day()
        elapsed = _month_number("end") - _month_number("start") + into_next.cast(nw.Int64)
    begun = (elapsed + (size - 1)) // size
    return nw.when(begun > 1).then(begun).otherwise(nw.lit(1))


def periods_until(frame: frames.Frame, day: date, *, every: Period) -> nw.Expr:
    """Count the periods completed by a day."""
    if every in _DAYS:
        return (time.number_of(day) - time.day_number(frame, "start")) // _DAYS[every]
    not_yet = nw.col("start").dt.day() > day.day
    months = 12 * day.year + day.month - _month_number("start") - not_yet.cast(nw.Int64)
    return months // _MONTHS[every]


def periods_begun(frame: frames.Frame, day: date, *, every: Period) -> nw.Expr:
    """Count the periods begun by a day, one that ends on it included."""
    if every in _DAYS:
        size = _DAYS[every]
        return (time.number_of(day) - time.day_number(frame, "start") + (size - 1)) // size
    size = _MONTHS[every]
    into_next = nw.col("start").dt.day() < day.day
    months = 12 * day.year + day.month - _month_number("start") + into_next.cast(nw.Int64)
    return (months + (size - 1)) // size


def _month_number(column: str) -> nw.Expr:
    return nw.col(column).dt.year().cast(nw.Int64) * 12 + nw.col(column).dt.month().cast(nw.Int64)


def _tally(frame: frames.Frame, periods: nw.Expr, *, lost: nw.Expr) -> Histories:
    """Collect the distinct histories, and the number of contracts with each."""
    keys = ("periods", "lost")
    histories = frame.select(periods=periods, lost=lost.cast(nw.Int64))
    counted = histories.group_by(*keys).agg(nw.len().alias("n_rows")).collect().sort(*keys)
    columns = (counted[name].to_numpy().astype(np.float64) for name in (*keys, "n_rows"))
    in_periods, is_lost, n_rows = columns
    return in_periods, is_lost, n_rows


def _require_in_order(frame: frames.Frame) -> None:
    """Check the values of a lazy table, which have not been seen before."""
    wrong = frame.filter(nw.col("start").is_null() | (nw.col("start") > nw.col("end")))
    examples = wrong.select("customer_id").collect()["customer_id"].to_list()
    if examples:
        n_rows = frame.select(nw.len().alias("n_rows")).collect()["n_rows"].item()
        complaint = "`start` is null or exceeds `end`"
        raise _invalid(CONTRACTS, complaint, key="customer_id", examples=examples, n_rows=n_rows)


def _invalid(
    table: Table, complaint: str, *, key: str, examples: list[Any], n_rows: int
) -> InvalidRowsError:
    shown = tuple(examples[:_EXAMPLES_SHOWN])
    msg = (
        f"{table.name}: {complaint} in {len(examples):,} of {n_rows:,} rows "
        f"({key} {', '.join(map(repr, shown))}).\nBuild this table with {table.made_by}()."
    )
    return InvalidRowsError(msg, n_rows=len(examples), examples=shown)
