"""Life-cycle stages: the stage of each customer, and the customers of each stage."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._lifecycle.rules import StageRules
from crmkit._words import wording
from crmkit._words.arguments import require_fitted
from crmkit.tables import RHYTHM, STAGED

STAGES: Final = (
    "prospect",
    "new",
    "active",
    "growing",
    "at risk",
    "lapsing",
    "lost",
    "returned",
)
"""Every stage, in the order of the life cycle."""


def assign(rhythm: IntoFrameT, *, rules: StageRules) -> IntoFrameT:
    """Assign each customer a life-cycle stage by their own purchase rhythm.

    A weekly buyer who has been silent for 60 days is lost, a yearly one is active. Silence is
    measured in the gaps expected of this customer. That assumes that past gaps are a guide to
    the next: a change of season or of need shows only after it.

    Parameters
    ----------
    rhythm
        One row per customer or prospect, as made by `crmkit.lifecycle.rhythm`.
    rules
        The typical gap and the limits, as made by `crmkit.lifecycle.rules` or
        `crmkit.lifecycle.fit_rules`. Rules kept from last month make this month's stages mean the
        same.

    Returns
    -------
    The same rows in the same order, with more columns, null (but for the stage and its reason)
    for a prospect:

    =====================  =====  ========================================================
    ``expected_gap_days``  float  days between purchases to be expected of this customer
    ``overdue_ratio``      float  ``days_since_last / expected_gap_days``: above 1 is late
    ``stage``              text   one of the eight below
    ``stage_reason``       text   the figures that decided it, as a short sentence
    =====================  =====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `rhythm` breaks its contract.

    Notes
    -----
    The expected gap is the mean of the customer's own gaps and of `prior_gaps` typical ones::

        (prior_gaps * typical_gap_days + recency) / (prior_gaps + frequency)

    The first rule that holds gives the stage, so each customer has exactly one:

    =  ========  =====================================================================
    1  prospect  has never bought
    2  lost      `overdue_ratio` is `lost_from` or more
    3  lapsing   `overdue_ratio` is `lapsing_from` or more
    4  at risk   `overdue_ratio` is `at_risk_from` or more
    5  new       first bought `new_days` ago or less
    6  returned  the last purchase ended a gap of `lapsing_from` or more of the gaps that were
                 to be expected before it: the customer was lapsing or lost, and came back
    7  growing   bought on `growing_purchases` days or more in the recent window, on
                 `growing_ratio` times as many or more as in the window before it, and brought
                 no less money
    8  active    all others
    =  ========  =====================================================================

    Rules with windows of days hold `days_since_last` against the limits in place of
    `overdue_ratio`, and the last gap against `lapsing_from` days; a silence of exactly the limit
    has reached it. A stage whose limit is infinite is given to nobody.

    Someone who first bought after the earlier window began cannot be growing; with no
    `amount` in the ledger, money is not asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import lifecycle
    >>> table = pd.DataFrame(
    ...     {
    ...         "customer_id": ["weekly", "yearly", "once", "known"],
    ...         "days_since_last": [60, 60, 10, None],
    ...         "frequency": [20, 3, 0, None],
    ...         "recency": [140, 1095, 0, None],
    ...         "T": [200, 1155, 10, None],
    ...         "mean_gap_days": [7, 365, None, None],
    ...         "last_gap_days": [7, 365, None, None],
    ...         "purchases_recent": [5, 1, 1, None],
    ...         "purchases_before": [13, 0, None, None],
    ...     }
    ... )
    >>> staged = assign(table, rules=lifecycle.rules(table, typical_gap_days=60))
    >>> columns = ["customer_id", "expected_gap_days", "overdue_ratio", "stage"]
    >>> print(staged[columns].round(1).to_string(index=False))
    customer_id  expected_gap_days  overdue_ratio    stage
         weekly                9.5            6.3     lost
         yearly              288.8            0.2   active
           once               60.0            0.2      new
          known                NaN            NaN prospect
    >>> print(staged["stage_reason"][0])
    silent for 60 days, 6.3 times the expected gap of 10 days
    """
    require_fitted(rules, StageRules, argument="rules", made_by="crmkit.lifecycle.rules")
    staged = with_stage(frames.read(rhythm, RHYTHM), rules)
    return frames.give(frames.with_columns(staged, stage_reason=_reason(rules)), like=rhythm)


def stage_summary(staged: IntoFrameT) -> IntoFrameT:
    """Summarize life-cycle stages: customers and revenue of each.

    Parameters
    ----------
    staged
        One row per customer, as made by `crmkit.lifecycle.assign`. A `total_amount` in it is
        summed up.

    Returns
    -------
    One row per stage in the order of the life cycle, empty stages included (a lazy table is not
    sorted). A stage of your own making keeps a row at the end:

    ==================  =====  =========================================================
    ``stage``           text   the stage
    ``stage_order``     int    its place in the life cycle, from 1; 9 for a stage of your own
    ``n_customers``     int    customers in it
    ``customer_share``  float  their share of all; null where the table is empty
    ``total_amount``    float  their money, less returns
    ``amount_share``    float  its share of all; null where the total is 0
    ==================  =====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `staged` breaks its contract.

    Examples
    --------
    >>> import pandas as pd
    >>> staged = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "stage": ["active", "lost", "active", "prospect"],
    ...         "total_amount": [50.0, 20.0, 30.0, None],
    ...     }
    ... )
    >>> summary = stage_summary(staged)
    >>> print(summary[summary["n_customers"] > 0].to_string(index=False))
       stage  stage_order  n_customers  customer_share  total_amount  amount_share
    prospect            1            1            0.25           0.0           0.0
      active            3            2            0.50          80.0           0.8
        lost            7            1            0.25          20.0           0.2
    """
    frame = frames.read(staged, STAGED)
    sums = {"n_customers": nw.len()}
    if frames.has(frame, "total_amount"):
        sums["total_amount"] = nw.col("total_amount").sum()
    named = frame.with_columns(nw.col("stage").cast(nw.String))
    counted = named.group_by("stage").agg(*(sum_.alias(name) for name, sum_ in sums.items()))
    order: dict[str, list[Any]] = {
        "stage": list(STAGES),
        "stage_order": list(range(1, len(STAGES) + 1)),
    }
    known = frames.table_like(order, like=frame).with_columns(nw.col("stage").cast(nw.String))
    every = counted.join(known, on="stage", how="full")
    shares = {"n_customers": "customer_share", "total_amount": "amount_share"}
    whole = every.select(
        nw.coalesce("stage", "stage_right").alias("stage"),
        nw.col("stage_order").fill_null(len(STAGES) + 1).cast(nw.Int64),
        nw.col("n_customers").fill_null(0).cast(nw.Int64),
        *(nw.col(name).fill_null(0.0) for name in sums if name == "total_amount"),
    ).with_columns(**{shares[name]: _share(name) for name in sums})
    columns = ["stage", "stage_order", *(each for name in sums for each in (name, shares[name]))]
    return frames.give(whole.select(*columns), like=staged, order_by=["stage_order", "stage"])


def in_order(stages: Collection[str]) -> tuple[str, ...]:
    """Put stages in order: those of the life cycle in its own, then others by name."""
    known = [stage for stage in STAGES if stage in stages]
    return (*known, *sorted(set(stages) - set(known)))


def with_stage(frame: nw.LazyFrame[Any], rules: StageRules) -> nw.LazyFrame[Any]:
    """Append the expected gap, the silence in gaps and the stage, without its reason."""
    frame = _with_expected_gap(frame, rules)
    has_money = all(frames.has(frame, name) for name in ("amount_recent", "amount_before"))
    stage = nw.lit("active")
    for name, holds in reversed(_conditions(rules, has_money=has_money).items()):
        stage = nw.when(holds).then(nw.lit(name)).otherwise(stage)
    return frames.with_columns(frame, stage=stage)


def _share(column: str) -> nw.Expr:
    total = nw.col(column).sum()
    return nw.when(total != 0).then(nw.col(column) / total)


def _with_expected_gap(frame: nw.LazyFrame[Any], rules: StageRules) -> nw.LazyFrame[Any]:
    credit = rules.prior_gaps * rules.typical_gap_days
    expected = (nw.col("recency") + credit) / (nw.col("frequency") + rules.prior_gaps)
    frame = frames.with_columns(frame, expected_gap_days=expected)
    return frames.with_columns(
        frame,
        overdue_ratio=nw.col("days_since_last") / nw.col("expected_gap_days"),
    )


def _conditions(rules: StageRules, *, has_money: bool) -> dict[str, nw.Expr]:
    """Give the rule of each stage but the last, in the order in which they are tried."""
    frequency = nw.col("frequency")
    silence = nw.col("days_since_last" if rules.windows == "days" else "overdue_ratio")
    recent, before = nw.col("purchases_recent"), nw.col("purchases_before")
    growing = (recent >= rules.growing_purchases) & (recent >= before * rules.growing_ratio)
    if has_money:
        growing &= nw.col("amount_recent") >= nw.col("amount_before")
    conditions = {
        "prospect": frequency.is_null() | frequency.is_nan(),
        "lost": silence >= rules.lost_from,
        "lapsing": silence >= rules.lapsing_from,
        "at risk": silence >= rules.at_risk_from,
        "new": nw.col("T") <= rules.new_days,
        "returned": (frequency > 0) & _was_long_away(rules),
        "growing": growing,
    }
    limits = {
        "lost": rules.lost_from,
        "lapsing": rules.lapsing_from,
        "at risk": rules.at_risk_from,
        "returned": rules.lapsing_from,
    }
    nobodys = {name for name, limit in limits.items() if math.isinf(limit)}
    return {name: holds for name, holds in conditions.items() if name not in nobodys}


def _was_long_away(rules: StageRules) -> nw.Expr:
    """Whether the last purchase ended a silence that had reached the limit of lapsing."""
    if rules.windows == "days":
        return nw.col("last_gap_days") >= rules.lapsing_from
    credit = rules.prior_gaps * rules.typical_gap_days
    # What was expected before the last gap ended, so that a long one does not excuse itself.
    sum_before = nw.col("recency") - nw.col("last_gap_days") + credit
    expected_before = sum_before / (nw.col("frequency") - 1 + rules.prior_gaps)
    return nw.col("last_gap_days") >= expected_before * rules.lapsing_from


def _reason(rules: StageRules) -> nw.Expr:
    """Word the reason for the stage."""
    silence, gap = nw.col("days_since_last"), nw.col("expected_gap_days")
    silent = nw.concat_str(
        nw.lit("silent for "),
        wording.days(silence),
        nw.lit(", "),
        wording.tenths(nw.col("overdue_ratio")),
        nw.lit(" times the expected gap of "),
        wording.days(gap),
    )
    if rules.windows == "days":
        silent = nw.concat_str(nw.lit("silent for "), wording.days(silence))
    growing = nw.concat_str(
        nw.lit("bought on "),
        wording.days(nw.col("purchases_recent")),
        nw.lit(" recently, on "),
        wording.whole(nw.col("purchases_before")),
        nw.lit(" in the window before"),
    )
    active = nw.concat_str(
        nw.lit("last bought "),
        wording.days(silence),
        nw.lit(" ago, expected gap "),
        wording.days(gap),
    )
    new = nw.concat_str(nw.lit("first bought "), wording.days(nw.col("T")), nw.lit(" ago"))
    away = wording.days(nw.col("last_gap_days"))
    stage = nw.col("stage")
    return (
        nw.when(stage.is_in(["lost", "lapsing", "at risk"]))
        .then(silent)
        .when(stage == "active")
        .then(active)
        .when(stage == "growing")
        .then(growing)
        .when(stage == "new")
        .then(new)
        .when(stage == "returned")
        .then(nw.concat_str(nw.lit("came back after "), away))
        .otherwise(nw.lit("has not bought yet"))
    )
