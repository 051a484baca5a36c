"""Rules about the terms of contracts: cooling-off periods, overlaps and renewals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt

from crmkit._door import frames, time
from crmkit._intake.sheet import RowRule, Sheet, from_list, role_column

if TYPE_CHECKING:
    from crmkit._intake.contracts import ContractColumns

END_BEFORE_START: Final = "end before start"
NEVER_BEGUN: Final = "cancelled in the cooling-off period"
PENDING: Final = "still in the cooling-off period"
OVERLAP: Final = "overlapping contracts"

_START_DAY, _GIVEN_DAY, _END_DAY = (f"_crmkit_{each}_day" for each in ("start", "given", "end"))
_OVERLAPS: Final = "_crmkit_overlaps"
_FAR: Final = 10**8
"""Later than any day number."""


def with_terms(sheet: Sheet, columns: ContractColumns, *, cooling_off_days: int) -> Sheet:
    """Append the end of each contract, and the rules about its terms."""
    start, cancelled = role_column("start"), role_column("cancelled")
    end = role_column("end")
    if columns.end is None:
        never = nw.col(start).is_null() & ~nw.col(start).is_null()
        sheet = appended(sheet, end, nw.when(never).then(nw.col(start)))
    given = nw.col(end)
    if columns.cancelled is not None:
        kind = sheet.dtype(end)
        given = nw.coalesce(nw.col(cancelled).cast(kind), nw.col(end))
        sheet = appended(sheet, end, nw.coalesce(nw.col(end), nw.col(cancelled).cast(kind)))
    sheet = appended(sheet, "_crmkit_given", given)
    for column, into in ((start, _START_DAY), ("_crmkit_given", _GIVEN_DAY), (end, _END_DAY)):
        sheet = _with_number(sheet, column, into)
    start_day = _known(start, _START_DAY)
    end_day = _known(end, _END_DAY)
    shows = columns.end or columns.cancelled
    ends_early = (end_day < start_day).fill_null(value=False).cast(nw.Boolean)
    sheet = appended(sheet, "_crmkit_ends_early", ends_early)
    sheet = sheet.with_rules(
        RowRule(
            END_BEFORE_START,
            "error",
            f"`{shows or columns.start}` is before `{columns.start}`",
            nw.col("_crmkit_ends_early"),
            shows=shows,
        )
    )
    if cooling_off_days:
        sheet = _with_cooling_off(sheet, columns, start_day, days=cooling_off_days)
    return _with_overlaps(sheet, columns)


def appended(sheet: Sheet, column: str, values: nw.Expr | nw.Series[Any]) -> Sheet:
    """Append a column; Dask does it by partition, since it walks every way through a plan."""
    if isinstance(sheet.frame, nw.LazyFrame) and isinstance(values, nw.Expr):
        return replace(sheet, frame=frames.with_columns(sheet.frame, values.alias(column)))
    return sheet.with_column(column, values)


def joined(rows: nw.LazyFrame[Any], *, grace_days: int) -> nw.LazyFrame[Any]:
    """Join contracts that follow on the customer's previous one within days of grace.

    The last row of a chain stays, with the start of the first.
    """
    names = rows.collect_schema().names()
    ends = nw.when(nw.col("end").is_null()).then(nw.col("start")).otherwise(nw.col("end"))
    rows = rows.with_columns(crmkit_ends=ends)
    rows = rows.with_columns(
        crmkit_first=time.day_number(rows, "start"),
        crmkit_last=time.day_number(rows, "crmkit_ends"),
    )
    by: dict[str, Any] = {"order_by": ("crmkit_first", "crmkit_last")}
    before = nw.col("crmkit_last").shift(1).over("customer_id", **by)
    rows = rows.with_columns(crmkit_gap=nw.col("crmkit_first") - before)
    begins = nw.col("crmkit_gap").is_null() | (nw.col("crmkit_gap") > grace_days)
    rows = rows.with_columns(crmkit_begins=begins.cast(nw.Int64))
    rows = rows.with_columns(
        crmkit_chain=nw.col("crmkit_begins").cum_sum().over("customer_id", **by),
        crmkit_next=nw.col("crmkit_begins").shift(-1).over("customer_id", **by),
    )
    rows = rows.with_columns(start=nw.col("start").min().over("customer_id", "crmkit_chain"))
    is_last = nw.col("crmkit_next").is_null() | (nw.col("crmkit_next") == 1)
    return rows.filter(is_last).select(*names)


def _with_number(sheet: Sheet, column: str, into: str) -> Sheet:
    """Count days, of an unknown day those of 1970: whole numbers of pandas hold no nulls."""
    is_date = sheet.dtype(column) == nw.Date
    day: Any = date(1970, 1, 1) if is_date else datetime(1970, 1, 1)  # noqa: DTZ001 - no zone
    filled = f"{into}_filled"
    known = nw.when(nw.col(column).is_null()).then(nw.lit(day)).otherwise(nw.col(column))
    if is_date:
        known = known.cast(nw.Date)
    sheet = appended(sheet, filled, known)
    return appended(sheet, into, time.day_number(sheet.frame.lazy(), filled))


def _known(column: str, day: str) -> nw.Expr:
    """Take a day number where the day is known."""
    return nw.when(~nw.col(column).is_null()).then(nw.col(day))


def _with_cooling_off(
    sheet: Sheet, columns: ContractColumns, start_day: nw.Expr, *, days: int
) -> Sheet:
    given_day = _known("_crmkit_given", _GIVEN_DAY)
    as_of = sheet.options.as_of
    cancelled = (given_day - start_day <= days).fill_null(value=False)
    shows = columns.cancelled or columns.end
    if as_of is not None:
        today = time.number_of(as_of)
        cancelled = cancelled & (given_day <= today).fill_null(value=False)
    sheet = appended(sheet, "_crmkit_never_begun", cancelled.cast(nw.Boolean))
    cancelled = nw.col("_crmkit_never_begun")
    rules = [
        RowRule(
            NEVER_BEGUN,
            "info",
            f"`{shows or columns.start}` is within {days} days of `{columns.start}`",
            cancelled if shows is not None else None,
            shows=shows,
            is_set_aside=True,
        )
    ]
    if as_of is not None:
        young = (nw.lit(time.number_of(as_of)) - start_day < days).fill_null(value=False)
        sheet = appended(sheet, "_crmkit_pending", (young & ~cancelled).cast(nw.Boolean))
        pending = nw.col("_crmkit_pending")
        complaint = f"`{columns.start}` is less than {days} days before as_of ({as_of})"
        rules.append(
            RowRule(PENDING, "info", complaint, pending, shows=columns.start, is_set_aside=True)
        )
    return sheet.with_rules(*rules)


def _with_overlaps(sheet: Sheet, columns: ContractColumns) -> Sheet:
    """Find contracts that start before an earlier one of the customer ends; not in a plan."""
    complaint = f"`{columns.start}` is before the end of the customer's previous contract"
    rule = RowRule(OVERLAP, "error", complaint, None, shows=columns.start)
    if not isinstance(sheet.frame, nw.DataFrame):
        return sheet.with_rules(rule)
    bad = nw.lit(value=False)
    for each in sheet.rules:
        if each.rows is not None and (each.sets_aside or each.refuses):
            bad = bad | each.rows.fill_null(value=False)
    ids, end = role_column("customer_id"), role_column("end")
    frame = sheet.frame.with_columns(
        crmkit_bad=bad | nw.col(ids).is_null(), crmkit_open=nw.col(end).is_null()
    )
    usable = np.flatnonzero(~frame["crmkit_bad"].to_numpy().astype(bool))
    who: dict[Any, int] = {}
    all_ids = frame[ids].to_list()
    codes = np.array([who.setdefault(all_ids[i], len(who)) for i in usable], dtype=np.int64)
    starts = frame[_START_DAY].to_numpy().astype(np.int64)[usable]
    open_ = frame["crmkit_open"].to_numpy().astype(bool)[usable]
    ends = np.where(open_, _FAR, frame[_END_DAY].to_numpy().astype(np.int64)[usable])
    flags = np.zeros(len(frame), dtype=bool)
    flags[usable] = overlapping(codes, starts, ends)
    found = from_list(flags.tolist(), nw.Boolean(), like=frame[_START_DAY])
    sheet = appended(sheet, _OVERLAPS, found)
    return sheet.with_rules(
        RowRule(OVERLAP, "error", complaint, nw.col(_OVERLAPS), shows=columns.start)
    )


def overlapping(
    customer: npt.NDArray[np.int64], start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Flag what starts before the end of what stays of a customer; the earliest start stays."""
    flags = np.zeros(len(customer), dtype=bool)
    order = np.lexsort((np.arange(len(start)), start, customer))
    who, begins, ends = customer[order], start[order], end[order]
    close = np.zeros(len(order), dtype=bool)
    close[1:] = (who[1:] == who[:-1]) & (
        begins[1:] < np.maximum.accumulate(ends + who * 10 * _FAR)[:-1] - who[1:] * 10 * _FAR
    )
    affected = np.isin(who, who[close])
    last: tuple[int, int] | None = None
    for place in np.flatnonzero(affected):
        code = int(who[place])
        if last is not None and last[0] == code and begins[place] < last[1]:
            flags[order[place]] = True
        else:
            last = (code, int(ends[place]))
    return flags
