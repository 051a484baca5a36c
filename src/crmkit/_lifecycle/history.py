"""The stage of each customer at many dates, in one pass over the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._lifecycle.rules import StageRules
from crmkit._lifecycle.stages import with_stage
from crmkit._summary import purchase_days
from crmkit._summary.rhythm import RECENT_DAYS, require_same_keys
from crmkit._words.arguments import require_fitted, require_list, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER, PROSPECTS

_BEFORE_ALL: Final = -(10**6)
"""A day number before any date: that of the year 1 is -719,162."""


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
    ``frequency``     int    purchase days until then, after the first; null for a prospect
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
    customer_id       date    stage  frequency  total_amount
            ann 2024-01-31   active          0          20.0
            ann 2024-02-29  lapsing          0          20.0
            ann 2024-03-31 returned          1          50.0
            ben 2024-02-29      new          0          15.0
            ben 2024-03-31  lapsing          0          15.0
    """
    days = _ascending(dates)
    require_fitted(rules, StageRules, argument="rules", made_by="crmkit.lifecycle.rules")
    require_whole(recent_days, argument="recent_days", least=1, advice="Write 91 for a quarter.")
    ledger = frames.read(orders, LEDGER)
    events = frames.by_customer(ledger, partial(_events, until=days[-1]))
    if prospects is not None:
        people = frames.read(prospects, PROSPECTS)
        require_same_keys(events, people)
        events = _with_people(events, people)
    step = partial(_at_each_date, dates=days, rules=rules, window=int(recent_days))
    unknown = () if prospects is None else ("frequency",)
    staged = frames.by_customer(events, step, may_be_null=unknown)
    if frames.is_lazy(orders):
        return frames.give(staged, like=orders)
    return frames.give_in_order(frames.sort_again(staged, "customer_id", then="date"), like=orders)


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


def _events(ledger: nw.LazyFrame[Any], *, until: date) -> nw.LazyFrame[Any]:
    """Collapse a ledger to the days of each customer: its number, and again if they bought."""
    days = purchase_days.days(ledger, as_of=until)
    number = time.day_number(days, "day")
    money = ["amount"] if frames.has(days, "amount") else []
    bought_on = nw.when(nw.col("n_orders") > 0).then(number)
    return days.select("customer_id", *money, number=number, bought_on=bought_on)


def _with_people(events: nw.LazyFrame[Any], people: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add those who are known by name, each with a row before all dates, without a purchase."""
    money = {"amount": nw.lit(0.0)} if frames.has(events, "amount") else {}
    known = frames.with_columns(
        people.select("customer_id"), **money, number=nw.lit(_BEFORE_ALL).cast(nw.Int64)
    )
    number = nw.col("number")
    never = nw.when(number > _BEFORE_ALL).then(number)  # null in the type that the engine has
    known = frames.with_columns(known, bought_on=never, known=nw.lit(1).cast(nw.Int64))
    events = frames.with_columns(events, known=nw.lit(0).cast(nw.Int64))
    return nw.concat([events, known.select(*events.collect_schema().names())], how="vertical")


def _at_each_date(
    events: nw.LazyFrame[Any], *, dates: Sequence[date], rules: StageRules, window: int
) -> nw.LazyFrame[Any]:
    """Give the stages of each date, from the rows until then.

    Each date sums up its own rows of one kept table, in which the rows of a customer stand
    together: to carry columns for all dates through one sum would touch each row for every date.
    """
    kept = frames.keep_with_previous(events, "customer_id", of="bought_on", into="previous")
    staged = [_staged(kept, day, rules=rules, window=window) for day in dates]
    return nw.concat(staged, how="vertical")


def _staged(
    events: nw.LazyFrame[Any], day: date, *, rules: StageRules, window: int
) -> nw.LazyFrame[Any]:
    """Give the stages of one date, by the columns that `with_stage` reads."""
    customers = _customers(events, time.number_of(day), window=window)
    money = ["total_amount"] if frames.has(customers, "total_amount") else []
    staged = with_stage(customers, rules)
    dated = staged.with_columns(date=time.constant_day(staged, day))
    return dated.select("customer_id", "date", "stage", "frequency", *money)


def _customers(events: nw.LazyFrame[Any], today: int, *, window: int) -> nw.LazyFrame[Any]:
    """Sum up the rows of each customer until a day; nulls stand for one who has not bought."""
    recent = nw.col("number") > today - window
    before = (nw.col("number") > today - 2 * window) & ~recent
    within = {"recent": recent, "before": before}
    # Days are counted rather than summed, since DuckDB sums whole numbers in 128 bits.
    counted = {
        f"purchases_{name}": nw.when(when).then(nw.col("bought_on"))
        for name, when in within.items()
    }
    summed: dict[str, nw.Expr] = {}
    if frames.has(events, "amount"):
        summed = {
            f"amount_{name}": nw.when(when).then(nw.col("amount")).otherwise(nw.lit(0.0))
            for name, when in within.items()
        } | {"total_amount": nw.col("amount")}
    has_people = frames.has(events, "known")
    seen = events.filter(nw.col("number") <= today).with_columns(**counted, **summed)
    sums = seen.group_by("customer_id").agg(
        nw.col("bought_on").min().alias("first"),
        nw.col("bought_on").max().alias("last"),
        nw.col("previous").max(),
        nw.col("bought_on").count().alias("n"),
        *(nw.col(name).count() for name in counted),
        *(nw.col(name).sum() for name in summed),
        *([nw.col("known").max()] if has_people else []),
    )
    bought = nw.col("n") > 0
    rows = sums.filter(bought | (nw.col("known") > 0) if has_people else bought)
    first, last = nw.col("first"), nw.col("last")
    frequency = nw.col("n").cast(nw.Int64) - 1
    parts = {name: nw.col(name) for name in (*counted, *summed)}
    if has_people:
        frequency = nw.when(bought).then(frequency)
        if summed:
            parts["total_amount"] = nw.when(bought).then(nw.col("total_amount"))
    # Someone who first bought after the earlier window began cannot be compared with it.
    both = first <= today - 2 * window
    parts["purchases_before"] = nw.when(both).then(nw.col("purchases_before"))
    return rows.select(
        "customer_id",
        frequency.alias("frequency"),
        (nw.lit(today) - last).alias("days_since_last"),
        (last - first).alias("recency"),
        (nw.lit(today) - first).alias("T"),
        (last - nw.col("previous")).alias("last_gap_days"),
        *(value.alias(name) for name, value in parts.items()),
    )
