"""The part of the main job that one row per customer allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit import actions
from crmkit._door import frames, time
from crmkit._pipeline import carried, decisions, drift, known, value
from crmkit._pipeline.applicable import applicable, require_measures
from crmkit._pipeline.kept import About, Kept, require_currency, require_kept
from crmkit._pipeline.key_figures import key_figures
from crmkit._pipeline.result import Result, Settings
from crmkit._pipeline.run import collecting, people_only, with_kept_day
from crmkit.errors import InvalidRowsError, MissingColumnsError
from crmkit.tables import CUSTOMER_TOTALS

_SHOWN: Final = 3


def run_summary(
    customers: IntoFrameT,
    *,
    as_of: date,
    tier_shares: tuple[float, float] = (0.05, 0.20),
    keep: Sequence[str] = (),
    kept: Kept | None = None,
    currency: str = "",
) -> Result[IntoFrameT]:
    """Run what one row per customer allows: RFM segments, tiers, concentration.

    For a table in which a system has added up each customer already. A forecast, stages and
    cohorts need the dates of the purchases: use `run` where you have them.

    Parameters
    ----------
    customers
        One row per customer, with `customer_id` and either `days_since_last` or `last_date`, the
        day of the last purchase; where known also `orders` and `total_amount`, as in
        `crmkit.rfm.summarize`. A prospect has nulls.
    as_of
        The day that the table describes; `last_date` is counted from it.
    tier_shares
        The shares of customers down to which diamond and gold reach: by default the best 5 %,
        and the next 15 %.
    keep
        Columns that describe the customer, such as name, phone and region: they stand unchanged
        right after `customer_id` in `customers` and in `call_list`.
    kept
        `Result.kept` of an earlier day, whose cut points and tier rule are applied, as in `run`.
    currency
        Sign or code of the amounts, to be kept. Kept values of another one are refused.

    Returns
    -------
    A `Result` as `run` gives it, with `customers`, `key_figures`, `call_list`, `segments`, `tiers`
    and `concentration` as far as the columns allow; the other tables are None, and `left_out`
    says why. The call list holds those who bought longer ago than most, by what they
    brought.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, has a customer twice, a `last_date` after `as_of`, or
        lacks a column to keep or one that the kept tiers are by.
    InvalidArgumentError
        If `as_of` is not a date, a share is outside its range, `keep` names a column that the
        job makes itself, or `kept` is of a later day or of another currency.

    Notes
    -----
    A customer of unknown `total_amount` has no m_score, segment and tier, and is in no sum of
    money; the key figures count them.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan", "eve"],
    ...         "days_since_last": [3, 40, 9, 200, 80],
    ...         "orders": [9, 1, 4, 2, 3],
    ...         "total_amount": [900.0, 20.0, 310.0, 55.0, 70.0],
    ...         "phone": ["01", "02", "03", "04", "05"],
    ...     }
    ... )
    >>> result = run_summary(customers, as_of=date(2024, 12, 31), keep=["phone"])
    >>> columns = ["customer_id", "phone", "rfm_code", "segment", "tier"]
    >>> print(result.customers[columns].head(2).to_string(index=False))
    customer_id phone rfm_code                 segment    tier
            ann    01      555   Frequent, most recent diamond
            ben    02      311 Infrequent, less recent  silver
    """
    settings = Settings(time.as_day(as_of, argument="as_of"), keep=carried.require_names(keep))
    currency = require_currency(currency)
    given = require_kept(kept, as_of=settings.as_of, currency=currency)
    settings = with_kept_day(settings, given)
    notes: list[str] = []
    with collecting(notes):
        summary = frames.keep(_summary(customers, settings))
        found = known.look_at(summary)
        if not found.n_customers:
            why = known.nobody(settings.as_of, only_returns=False)
            return people_only(summary, settings=settings, why=why, kept=given)
        if not found.has_money:
            summary = _without_money(summary)
        use, not_applied = applicable(given, summary, found, horizon_days=None)
        scored = value.scored(summary, found, kept=use.breakpoints)
        require_measures(use, scored.customers)
        tiered = value.tiered(scored.customers, found, shares=tier_shares, kept=use.tiers)
        described = tiered.customers
        counts = drift.counts(described)
        moved = drift.since(given, counts, days=None, as_of=settings.as_of, like=customers)
    return Result(
        customers=described,
        key_figures=key_figures(
            described,
            concentration=tiered.concentration,
            backtest=None,
            calibration=None,
            reliability=None,
            settings=settings,
        ),
        call_list=actions.call_list(described, most=decisions.MOST_CALLS, keep=settings.keep),
        segments=value.segment_summary(described, scored.breakpoints),
        tiers=value.tier_summary(described, tiered.rule),
        concentration=tiered.concentration,
        drift=moved.table,
        kept=given.completed(
            Kept(
                breakpoints=scored.breakpoints,
                tiers=tiered.rule,
                about=About(settings.as_of, found.n_customers, currency=currency, counts=counts),
            )
        ),
        settings=settings,
        notes=tuple(dict.fromkeys(filter(None, [moved.note, *notes]))),
        left_out=(
            *filter(None, [known.no_money(found)]),
            *not_applied,
            *scored.left_out,
            *tiered.left_out,
            known.no_dates(),
        ),
    )


def _summary(customers: IntoFrameT, settings: Settings) -> IntoFrameT:
    """Take the columns that matter, in the order of `crmkit.rfm.summarize`."""
    names = CUSTOMER_TOTALS.column_names
    frame = frames.read(customers, carried.contract(CUSTOMER_TOTALS, settings.keep))
    if frames.is_lazy(customers):  # the contract has looked at all other tables
        _require_each_once(frame)
    if not frames.has(frame, "days_since_last"):
        frame = _with_days(frame, settings.as_of)
    present = [name for name in names if frames.has(frame, name) and name != "customer_id"]
    ordered = frame.select("customer_id", *settings.keep, *present)
    return frames.give(ordered, like=customers, order_by=["customer_id"])


def _without_money(customers: IntoFrameT) -> IntoFrameT:
    """Leave out a column of amounts in which none is known: its sums would be 0."""
    frame = frames.reopen(customers).drop("total_amount", strict=False)
    return frames.give(frame, like=customers)


def _with_days(frame: frames.Frame, as_of: date) -> frames.Frame:
    """Count the days from the last purchase, which cannot come after `as_of`."""
    if not frames.has(frame, "last_date"):
        msg = (
            f"{CUSTOMER_TOTALS.name}: no column `days_since_last` and no column `last_date`.\n"
            "Give one of them: how recently a customer bought is the R of RFM."
        )
        raise MissingColumnsError(msg)
    is_day = frame.collect_schema()["last_date"] == nw.Date
    today = as_of if is_day else datetime(as_of.year, as_of.month, as_of.day)  # noqa: DTZ001 - no zone
    filled = frames.with_columns(frame, crmkit_last=nw.col("last_date").fill_null(nw.lit(today)))
    days = nw.lit(time.number_of(as_of)) - time.day_number(filled, "crmkit_last")
    known_days = nw.when(~nw.col("last_date").is_null()).then(days)
    counted = frames.with_columns(filled, days_since_last=known_days).drop("crmkit_last")
    late = counted.filter(nw.col("days_since_last") < 0).select("customer_id").collect()
    if len(late):
        raise _refused(
            frame,
            f"`last_date` is after as_of ({as_of})",
            n_rows=len(late),
            customers=late["customer_id"].sort().head(_SHOWN).to_list(),
            advice="Give a later `as_of`, or mend these dates.",
        )
    return counted


def _require_each_once(frame: frames.Frame) -> None:
    """Require one row per customer."""
    counted = frame.group_by("customer_id").agg(nw.len().alias("n_rows"))
    twice = counted.filter(nw.col("n_rows") > 1).sort("customer_id").collect()
    if len(twice):
        raise _refused(
            frame,
            "`customer_id` is repeated",
            n_rows=int(twice["n_rows"].sum()),
            customers=twice["customer_id"].head(_SHOWN).to_list(),
            advice="One row is one customer: sum up or drop the others.",
        )


def _refused(
    frame: frames.Frame, complaint: str, *, n_rows: int, customers: Sequence[Any], advice: str
) -> InvalidRowsError:
    n_all = int(frame.select(nw.len().alias("n")).collect().item())
    msg = (
        f"{CUSTOMER_TOTALS.name}: {complaint} in {n_rows:,} of {n_all:,} rows "
        f"(customer_id {', '.join(map(repr, customers))}).\n{advice}"
    )
    return InvalidRowsError(msg, n_rows=n_rows, examples=tuple(customers))
