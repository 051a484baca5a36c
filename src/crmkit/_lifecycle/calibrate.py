"""How many customers of each stage came back afterwards, counted at past dates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import NormalDist
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._lifecycle.fit_rules import dates_to_learn_at, fit_rules
from crmkit._lifecycle.rules import StageRules, require_lost_below
from crmkit._lifecycle.rules import rules as rules_of_thumb
from crmkit._lifecycle.stages import STAGES, with_stage
from crmkit._summary.purchase_days import purchase_days
from crmkit._summary.rhythm import followed, rhythm
from crmkit._words.arguments import require_fitted, require_list, require_whole
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.tables import LEDGER, STAGE_RETURNS

_OF_CUSTOMERS: Final = tuple(stage for stage in STAGES if stage != "prospect")


def calibrate(
    orders: IntoFrameT,
    *,
    dates: Sequence[date | str],
    horizon_days: int,
    as_of: date | str | None = None,
    rules: StageRules | None = None,
    lost_below: float = 0.1,
    level: float = 0.9,
) -> IntoFrameT:
    """Count how many customers of each stage bought again, at past dates.

    At each date customers get the stage that they would have had then, and are followed for the
    horizon. So a stage that promises something, as "lost" does, is held against what happened.
    What held at these dates need not hold in a season that is not among them.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table of
        `crmkit.rfm.purchase_days`.
    dates
        The past dates, as dates or ISO text; the ledger must go on for the horizon after each.
    horizon_days
        Length of the time in which customers may come back, in whole days.
    as_of
        Last day until which the ledger is complete; by default the day of its last row.
    rules
        Rules to test at all dates. By default the rules are learned at each date, from what was
        known then: those of `crmkit.lifecycle.fit_rules`, or of `crmkit.lifecycle.rules` where the
        ledger was too short by then. That tests the way of learning on days that it has not seen.
    lost_below
        The share that must not be reached by those called lost who come back.
    level
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    One row per date and stage in the order of the life cycle, then the dates together with a
    `date` of null (a lazy table is not sorted). Prospects have no row, and stages of nobody keep
    theirs:

    ====================  =====  =============================================================
    ``date``              date   the day on which the stage was given; null for all together
    ``horizon_days``      int    days in which they were followed
    ``stage``             text   the stage
    ``stage_order``       int    its place in the life cycle
    ``n_customers``       int    customers in it; of all dates together, once for each date
    ``n_returned``        int    those of them who bought within the horizon
    ``return_rate``       float  `n_returned` / `n_customers`; null for a stage of nobody
    ``lower``, ``upper``  float  Wilson's interval for the rate
    ``holds``             bool   false where the rate of "lost" is `lost_below` or more; true for
                                 all other stages, which promise nothing
    ``amount``            float  their money within the horizon, less returns
    ====================  =====  =============================================================

    Without an `amount` in the ledger, the last column is left out.

    Raises
    ------
    FitError
        If rules are to be learned and nobody had bought twice by one of the dates.
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If the ledger ends before the horizon of a date does, or an argument is outside its range.

    Notes
    -----
    The interval assumes that customers come back independently of one another, which a season
    that all of them share contradicts: compare the dates before you trust the rows of all together.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    *Journal of the American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> table = calibrate(load_cdnow(), dates=[date(1998, 3, 31)], horizon_days=91)
    >>> table = table[table["date"].notna() & (table["n_customers"] > 0)]
    >>> columns = ["stage", "n_customers", "n_returned", "return_rate"]
    >>> print(table[columns].round(2).to_string(index=False))
       stage  n_customers  n_returned  return_rate
      active         3527        1450         0.41
     growing          383         279         0.73
     at risk         1114         269         0.24
     lapsing         1527         247         0.16
        lost        14979         608         0.04
    returned         2040         464         0.23
    """
    days = _past_dates(dates)
    require_whole(horizon_days, argument="horizon_days", least=1, advice="Write 91 for a quarter.")
    horizon_days = int(horizon_days)
    require_lost_below(lost_below)
    require_level(level)
    if rules is not None:
        made_by = "crmkit.lifecycle.rules"
        require_fitted(rules, StageRules, argument="rules", made_by=made_by)
    frames.read(orders, LEDGER)
    end = None if as_of is None else time.as_day(as_of, argument="as_of")
    _require_seen(orders, days, horizon_days, end=end)
    seen = frames.keep(purchase_days(orders, as_of=days[-1] + timedelta(days=horizon_days)))
    by_date = [rules or _learned(seen, day, horizon_days, lost_below) for day in days]
    return returns_of(
        seen,
        rules=dict(zip(days, by_date, strict=True)),
        horizon_days=horizon_days,
        lost_below=lost_below,
        level=level,
    )


def returns_of(
    orders: IntoFrameT,
    *,
    rules: dict[date, StageRules],
    horizon_days: int,
    lost_below: float = 0.1,
    level: float = 0.9,
) -> IntoFrameT:
    """Count those who came back by stage, with the rules of each date."""
    ledger = frames.read(orders, LEDGER)
    counted = [
        _counted(ledger, day=day, rules=each, horizon_days=horizon_days).with_columns(
            step=nw.lit(i).cast(nw.Int64)
        )
        for i, (day, each) in enumerate(rules.items())
    ]
    money = ["amount"] if frames.has(counted[0], "amount") else []
    sums = ("n_customers", "n_returned", *money)
    names = ("step", "stage_order", *sums)
    of_dates = nw.concat([each.select(*names) for each in counted], how="vertical")
    together = of_dates.with_columns(step=nw.lit(len(rules)).cast(nw.Int64)).select(*names)
    every = nw.concat([of_dates, together], how="vertical")
    summed = every.group_by("step", "stage_order").agg(nw.col(*sums).sum())
    grid = frames.table_like(_grid(tuple(rules)), like=summed)
    keys = ("step", "stage_order")  # Dask has two types of text, and warns where they meet
    grid = grid.with_columns(nw.col("stage").cast(nw.String), nw.col(*keys).cast(nw.Int64))
    whole = grid.join(summed, on=list(keys), how="left").with_columns(
        nw.col("n_customers", "n_returned").fill_null(0).cast(nw.Int64),
        *(nw.col(name).fill_null(0.0) for name in money),
    )
    rated = _with_rates(whole, z=NormalDist().inv_cdf((1 + level) / 2))
    at_most = nw.col("n_customers") * lost_below
    fails = (nw.col("n_customers") > 0) & (nw.col("n_returned") >= at_most)
    result = rated.with_columns(
        date=nw.when(nw.col("step") < len(rules)).then(nw.col("date")),
        horizon_days=nw.lit(horizon_days).cast(nw.Int64),
        holds=~((nw.col("stage") == "lost") & fails),
    )
    ordered = [name for name in STAGE_RETURNS.column_names if name != "amount" or money]
    if frames.is_lazy(orders):
        return frames.give(result.select(*ordered), like=orders)
    result = result.sort("step", "stage_order").select(*ordered)
    return frames.give_in_order(result, like=orders)


def _counted(
    ledger: frames.Frame, *, day: date, rules: StageRules, horizon_days: int
) -> frames.Frame:
    """Assign the stages of a day, and count those of each who bought afterwards."""
    customers = followed(ledger, as_of=day, until=day + timedelta(days=horizon_days))
    staged = with_stage(customers, rules)
    order: nw.Expr = nw.lit(0)
    for i, stage in enumerate(STAGES, start=1):
        order = nw.when(nw.col("stage") == stage).then(nw.lit(i)).otherwise(order)
    came_back = (nw.col("frequency_holdout") > 0).cast(nw.Int64)
    money = [nw.col("amount_holdout").sum().alias("amount")]
    return (
        frames.with_columns(staged, came_back=came_back, stage_order=order.cast(nw.Int64))
        .group_by("stage_order")
        .agg(
            nw.len().alias("n_customers"),
            nw.col("came_back").sum().alias("n_returned"),
            *(money if frames.has(staged, "amount_holdout") else []),
        )
        .with_columns(nw.col("n_customers", "n_returned").cast(nw.Int64))
    )


def _grid(days: tuple[date, ...]) -> dict[str, Any]:
    """List every stage for each date, and for all dates together."""
    pairs = [(step, stage) for step in range(len(days) + 1) for stage in _OF_CUSTOMERS]
    dates = [days[min(step, len(days) - 1)] for step, _ in pairs]
    return {
        "step": [step for step, _ in pairs],
        "stage": [stage for _, stage in pairs],
        "stage_order": [STAGES.index(stage) + 1 for _, stage in pairs],
        "date": np.array(dates, dtype="datetime64[D]"),
    }


def _with_rates(counted: frames.Frame, *, z: float) -> frames.Frame:
    n = nw.when(nw.col("n_customers") > 0).then(nw.col("n_customers")).cast(nw.Float64)
    k = nw.col("n_returned").cast(nw.Float64)
    middle = (k + z * z / 2) / (n + z * z)
    half_width = (k * (n - k) / n + z * z / 4).sqrt() * z / (n + z * z)
    return frames.with_columns(
        counted,
        return_rate=k / n,
        lower=(middle - half_width).clip(0.0, 1.0),
        upper=(middle + half_width).clip(0.0, 1.0),
    )


def _learned(orders: IntoFrame, day: date, horizon_days: int, lost_below: float) -> StageRules:
    """Learn the rules that were to be had on a day."""
    if not dates_to_learn_at(orders, as_of=day, horizon_days=horizon_days):
        return rules_of_thumb(rhythm(orders, as_of=day))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)  # the table shows that nobody is lost
        return fit_rules(orders, as_of=day, horizon_days=horizon_days, lost_below=lost_below)


def _past_dates(dates: Sequence[date | str]) -> tuple[date, ...]:
    listed = require_list(dates, argument="dates", example="[datetime.date(2024, 9, 30)]")
    days = tuple(sorted({time.as_day(each, argument="dates") for each in listed}))
    if not days:
        msg = "`dates` is empty.\nGive one past date or more, such as [datetime.date(2024, 9, 30)]."
        raise InvalidArgumentError(msg)
    return days


def _require_seen(
    orders: IntoFrame, days: tuple[date, ...], horizon_days: int, *, end: date | None
) -> None:
    """Require that the ledger goes on for the horizon after each date."""
    last = end or _last_day(orders)
    if last is None or (last - days[-1]).days < horizon_days:
        ends = "have no row" if last is None else f"end on {last}"
        msg = (
            f"transactions: they {ends}, and customers of {days[-1]} are followed for "
            f"{horizon_days} days.\nGive earlier `dates` or a shorter `horizon_days`."
        )
        raise InvalidArgumentError(msg)


def _last_day(orders: IntoFrame) -> date | None:
    frame = frames.reopen(orders)
    found = frame.select(time.day_number(frame, "date").max().alias("last")).collect()
    number = found["last"].drop_nulls().to_list()
    return time.day_of(int(number[0])) if number else None
