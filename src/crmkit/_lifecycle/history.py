"""The stage of each customer at many dates, in one pass over the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._lifecycle.rules import StageRules
from crmkit._lifecycle.stages import with_stage
from crmkit._summary import purchase_days
from crmkit._summary.rhythm import RECENT_DAYS, require_same_keys
from crmkit._words.arguments import require_fitted, require_list, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER, PROSPECTS

_WINDOWS: Final = ("purchases_recent", "purchases_before", "amount_recent", "amount_before")


def history(
    orders: IntoFrameT,
    *,
    dates: Sequence[date | str],
    rules: StageRules,
    recent_days: int = RECENT_DAYS,
    prospects: IntoFrameT | None = None,
) -> IntoFrameT:
    """Life-cycle stage of each customer at many dates, in one pass over the ledger.

    At each date customers get the stage that `crmkit.lifecycle.rhythm` and
    `crmkit.lifecycle.assign` give them on that day, by the same rules at all dates: so a change of
    stage is a change of the customer. Rows after a date move nothing in it. That assumes that the
    rules fit all of the dates; limits learned in a young ledger are too short for an old one.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`.
    dates
        The days on which stages are given, in ascending order, as dates or ISO text. For
        `crmkit.lifecycle.transitions` they lie a period apart.
    rules
        The rules of all dates, as made by `crmkit.lifecycle.rules` or
        `crmkit.lifecycle.fit_rules`.
    recent_days
        Length in days of the recent window and of the one before it, as in
        `crmkit.lifecycle.rhythm`.
    prospects
        People known by name who may not have bought yet, with a `customer_id`, on the same engine
        as `orders`. Each has the stage "prospect" at all dates before the first purchase.

    Returns
    -------
    One row per customer and date, sorted by both (a lazy table is not sorted). A customer who has
    not bought by a date has no row for it, unless known as a prospect:

    ================  =====  ==============================================================
    ``customer_id``   as in  who
    ``date``          date   the day of the stage
    ``stage``         text   the stage on that day
    ``total_amount``  float  money of all orders until then, less returns; null for a prospect
    ================  =====  ==============================================================

    Without an `amount` in the ledger, the last column is left out. The money of a period is the
    difference between two dates of `total_amount`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` or `prospects` breaks its contract.
    InvalidArgumentError
        If `dates` do not ascend, or another argument is outside its range.

    See Also
    --------
    crmkit.lifecycle.transitions : how customers move from stage to stage.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import lifecycle
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-02-10", "2024-03-20"]),
    ...         "amount": [20.0, 15.0, 30.0],
    ...     }
    ... )
    >>> rules = lifecycle.StageRules(30, 1, 20, 1.5, 3, 1, 1.5, 3)
    >>> stages = history(orders, dates=["2024-01-31", "2024-02-29", "2024-03-31"], rules=rules)
    >>> print(stages.to_string(index=False))
    customer_id       date    stage  total_amount
            ann 2024-01-31   active          20.0
            ann 2024-02-29  lapsing          20.0
            ann 2024-03-31 returned          50.0
            ben 2024-02-29      new          15.0
            ben 2024-03-31  lapsing          15.0
    """
    days = _ascending(dates)
    require_fitted(rules, StageRules, argument="rules", made_by="crmkit.lifecycle.rules")
    require_whole(recent_days, argument="recent_days", least=1, advice="Write 91 for a quarter.")
    ledger = frames.read(orders, LEDGER)
    step = partial(_at_each_date, dates=days, window=int(recent_days))
    wide = frames.by_customer(ledger, step)
    if prospects is not None:
        people = frames.read(prospects, PROSPECTS)
        require_same_keys(wide, people)
        wide = _with_people(wide, people, n_dates=len(days))
    customers = frames.reopen(frames.keep(wide.to_native()))
    at_dates = [
        _staged(
            customers, i, day, rules=rules, window=int(recent_days), known=prospects is not None
        )
        for i, day in enumerate(days)
    ]
    every = nw.concat(at_dates, how="vertical")
    labels = frames.table_like(_labels(days), like=every).with_columns(
        nw.col("step").cast(nw.Int64)
    )
    dated = every.join(labels, on="step")
    money = ["total_amount"] if frames.has(dated, "total_amount") else []
    result = dated.select("customer_id", "date", "stage", *money)
    return frames.give(result, like=orders, order_by=["customer_id", "date"])


def _labels(days: Sequence[date]) -> Mapping[str, Any]:
    return {"step": list(range(len(days))), "date": np.array(days, dtype="datetime64[D]")}


def _ascending(dates: Sequence[date | str]) -> tuple[date, ...]:
    """Require one date or more, each later than the one before."""
    listed = require_list(dates, argument="dates", example="[datetime.date(2024, 9, 30)]")
    days = tuple(time.as_day(each, argument="dates") for each in listed)
    if not days:
        msg = "`dates` is empty.\nGive one date or more, such as [datetime.date(2024, 9, 30)]."
        raise InvalidArgumentError(msg)
    for earlier, later in pairwise(days):
        if later <= earlier:
            msg = (
                f"`dates` must ascend, got {later} after {earlier}.\nGive each date once, in order."
            )
            raise InvalidArgumentError(msg)
    return days


def _at_each_date(
    ledger: nw.LazyFrame[Any], *, dates: Sequence[date], window: int
) -> nw.LazyFrame[Any]:
    """Collapse a ledger to one row per customer, with a set of columns for each date."""
    days = purchase_days.days(ledger, as_of=dates[-1])
    bought = nw.col("n_orders") > 0
    days = days.with_columns(bought=bought, number=time.day_number(days, "day"))
    # Days with returns only stand between no two purchases: they form a group of their own.
    gap = nw.col("number").diff().over("customer_id", "bought", order_by="number")
    days = days.with_columns(since=gap.cast(nw.Float64))
    has_gap = nw.col("bought") & (nw.col("since") > 0)
    days = days.with_columns(
        previous=nw.when(has_gap).then(nw.col("number") - nw.col("since")),
        bought_on=nw.when(nw.col("bought")).then(nw.col("number")),
    )
    has_money = frames.has(days, "amount")
    flags: dict[str, nw.Expr] = {}
    measures: list[nw.Expr] = [nw.col("bought_on").min().alias("first")]
    for i, day in enumerate(dates):
        more, sums = _of_date(i, time.number_of(day), window=window, has_money=has_money)
        flags |= more
        measures += sums
    return days.with_columns(**flags).group_by("customer_id").agg(*measures)


def _of_date(
    i: int, day: int, *, window: int, has_money: bool
) -> tuple[dict[str, nw.Expr], list[nw.Expr]]:
    """Mark what each purchase day is to a date, and sum it up."""
    number, bought, zero = nw.col("number"), nw.col("bought"), nw.lit(0.0)
    seen = number <= day
    recent = seen & (number > day - window)
    before = (number <= day - window) & (number > day - 2 * window)
    flags = {
        f"last_{i}": nw.when(seen).then(nw.col("bought_on")),
        f"previous_{i}": nw.when(seen).then(nw.col("previous")),
        f"purchases_recent_{i}": (bought & recent).cast(nw.Int64),
        f"purchases_before_{i}": (bought & before).cast(nw.Int64),
    }
    if has_money:
        within = {"amount_recent": recent, "amount_before": before, "total_amount": seen}
        flags |= {
            f"{name}_{i}": nw.when(when).then(nw.col("amount")).otherwise(zero)
            for name, when in within.items()
        }
    sums = [name for name in flags if not name.startswith(("last", "previous"))]
    measures = [
        nw.col(f"last_{i}").max(),
        nw.col(f"previous_{i}").max(),
        nw.col(f"last_{i}").count().alias(f"n_{i}"),
        *(nw.col(name).sum() for name in sums),
    ]
    return flags, measures


def _with_people(
    customers: nw.LazyFrame[Any], people: nw.LazyFrame[Any], *, n_dates: int
) -> nw.LazyFrame[Any]:
    """Add those who are known by name; `is_known` is 1 for them, customers or not."""
    names = customers.collect_schema().names()
    known = people.select("customer_id").with_columns(is_known=nw.lit(1).cast(nw.Int64))
    both = nw.concat([customers, known], how="diagonal")
    return frames.by_customer(both, partial(_one_row_each, names=names, n_dates=n_dates))


def _one_row_each(
    people: nw.LazyFrame[Any], *, names: Sequence[str], n_dates: int
) -> nw.LazyFrame[Any]:
    """Put the rows of one person together: at most one, that of a customer, holds values."""
    counts = [f"n_{i}" for i in range(n_dates)]
    values = [name for name in names if name != "customer_id"]
    merged = people.group_by("customer_id").agg(nw.col(*values, "is_known").max())
    return merged.with_columns(nw.col(*counts, "is_known").fill_null(0).cast(nw.Int64))


def _staged(
    customers: nw.LazyFrame[Any],
    i: int,
    day: date,
    *,
    rules: StageRules,
    window: int,
    known: bool,
) -> nw.LazyFrame[Any]:
    """Give the stages of one date, by the columns that `with_stage` reads."""
    there = nw.col(f"n_{i}") > 0
    rows = customers.filter(there | (nw.col("is_known") > 0) if known else there)
    today = nw.lit(time.number_of(day))
    bought = nw.col(f"n_{i}") > 0
    has_money = frames.has(rows, f"total_amount_{i}")
    first, last = nw.col("first"), nw.col(f"last_{i}")
    measures = {
        "days_since_last": (today - last),
        "frequency": nw.when(bought).then(nw.col(f"n_{i}") - 1),
        "recency": (last - first),
        "T": (today - first),
        "last_gap_days": (last - nw.col(f"previous_{i}")),
    }
    measures |= {
        name: nw.col(f"{name}_{i}") for name in _WINDOWS if has_money or "purchases" in name
    }
    taken = {name: nw.when(bought).then(value.cast(nw.Float64)) for name, value in measures.items()}
    money = {"total_amount": nw.when(bought).then(nw.col(f"total_amount_{i}"))} if has_money else {}
    chosen = frames.with_columns(
        rows.select("customer_id", *(value.alias(name) for name, value in (taken | money).items())),
        step=nw.lit(i).cast(nw.Int64),
    )
    # Someone who first bought after the earlier window began cannot be compared with it.
    both = nw.col("T") >= 2 * window
    earlier = [name for name in ("purchases_before", "amount_before") if name in measures]
    compared = frames.with_columns(
        chosen, **{name: nw.when(both).then(nw.col(name)) for name in earlier}
    )
    staged = with_stage(compared, rules)
    return staged.select("customer_id", "step", "stage", *(["total_amount"] if money else []))
