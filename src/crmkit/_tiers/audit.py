"""Audit of assigned tiers: who holds a tier that the rule does not give them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.assign import require_free
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import require_column_name, require_number
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.proportions import newcombe, wilson
from crmkit.tables import AUDITED_TIERS, Column
from crmkit.tables.contracts import NOT_MADE

_MADE: Final = ("audited_value", "tier_earned", "steps", "gap_to_cut", "gap_share", "audit")
_GRADES: Final = ("right", "over-graded", "under-graded", "unknown")
_GROUP: Final = "crmkit_group"
_NO: Final = nw.lit(value=False)


def audit(
    customers: IntoFrameT,
    *,
    rule: TierRule | TierRules,
    assigned: str = "tier_assigned",
    tolerance: float = 0.0,
) -> IntoFrameT:
    """Audit assigned tiers: who holds a tier that the value does not earn, and by how much.

    Agents upgrade customers who do not qualify, and forget others who do. The assumption that most
    often fails is that value is known to the audit as it was to the agent: audit with the values
    of the day on which the tiers were assigned.

    Parameters
    ----------
    customers
        One row per customer, with the measures of the rule and the assigned tiers. A lazy table is
        run, to see that the rule knows all assigned tiers.
    rule
        As made by `crmkit.tiers.rule`. With rules within groups, a customer is judged by that of
        the group; where it has none, the audit is unknown.
    assigned
        The column of tiers that were assigned, by hand or otherwise.
    tolerance
        How far a value may miss a cut, or be above it, and the lower or higher tier still count as
        right: a fraction of the cut, 0.05 for 5 %.

    Returns
    -------
    The same rows in the same order, with more columns:

    =================  =====  ===============================================================
    ``audited_value``  float  value that the rule looks at; null where each measure has cuts of
                              its own
    ``tier_earned``    text   tier by the rule; null where the value is unknown
    ``steps``          int    tiers between: above 0 where more was assigned than is earned (a
                              float in pandas, which has no whole numbers beside nulls)
    ``gap_to_cut``     float  value less the cut of the assigned tier; null in the last tier
    ``gap_share``      float  the gap as a fraction of that cut; null where the cut is 0. Where
                              each measure has cuts of its own, that of the one that lacks most
    ``audit``          text   right, over-graded, under-graded, or unknown where the value or
                              the assigned tier is
    =================  =====  ===============================================================

    With method "all_thresholds", ``gap_to_cut`` is null and the gap of each measure stands in
    ``gap_`` and its name.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure or `assigned`, or an assigned tier is not in the rule.
    InvalidArgumentError
        If `rule` is of another type, `tolerance` is not from 0 to 1, or the table already has one
        of the new columns.

    Notes
    -----
    The tolerance changes `audit` only: `steps` and the gap say what the rule says.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "total_amount": [1200.0, 450.0, 2100.0, 60.0],
    ...         "tier_assigned": ["gold", "gold", "gold", "diamond"],
    ...     }
    ... )
    >>> by_value = tiers.rule(customers, method="thresholds", cuts=(2000, 1000))
    >>> audited = audit(customers, rule=by_value)
    >>> columns = ["customer_id", "tier_earned", "steps", "gap_to_cut", "gap_share", "audit"]
    >>> print(audited[columns].to_string(index=False))
    customer_id tier_earned  steps  gap_to_cut  gap_share        audit
            ann        gold    0.0       200.0       0.20        right
            ben      silver    1.0      -550.0      -0.55  over-graded
            cid     diamond   -1.0      1100.0       1.10 under-graded
            dee      silver    2.0     -1940.0      -0.97  over-graded
    """
    reach.require_rule(rule)
    require_column_name(assigned, argument="assigned")
    require_number(
        tolerance,
        argument="tolerance",
        must="be from 0 to 1",
        fits=lambda x: 0 <= x <= 1,
        advice="Write 0.05 for 5 % of the cut.",
    )
    table = reach.contract(rule)
    held = Column(assigned, "text", "tier assigned", nullable=True, made_by=NOT_MADE)
    frame = frames.read(customers, replace(table, columns=(*table.columns, held)))
    lone = {f"gap_{name}": name for name in rule.measures} if reach.is_by_measure(rule) else {}
    require_free(frame, [*_MADE, *lone])
    reach.require_tiers_known(frame, assigned, names=rule.names)
    frame = frames.with_columns(frame, audited_value=reach.by_group(rule, reach.value))
    earned = partial(reach.tier_of, column=None if lone else "audited_value")
    tier = reach.by_group(rule, earned, otherwise=reach.NO_TIER)
    frame = frames.with_columns(frame, tier_earned=tier)
    gap = partial(_gap, assigned=assigned)
    frame = frames.with_columns(
        frame,
        steps=reach.rank_of("tier_earned", rule.names) - reach.rank_of(assigned, rule.names),
        gap_to_cut=reach.by_group(rule, gap),
        gap_share=reach.by_group(rule, partial(_gap_share, assigned=assigned)),
        **{
            column: reach.by_group(rule, partial(gap, measure=name))
            for column, name in lone.items()
        },
    )
    judge = partial(_grade, assigned=assigned, tolerance=float(tolerance))
    grade = reach.by_group(rule, judge, otherwise=reach.NO_TIER)
    is_unknown = nw.col("steps").is_null()
    audit = nw.when(is_unknown).then(nw.lit(_GRADES[-1])).otherwise(grade)
    graded = frames.with_columns(frame, audit=audit)
    return frames.give(graded, like=customers)


def audit_summary(audited: IntoFrameT, *, by: str = "agent", level: float = 0.95) -> IntoFrameT:
    """Summarize an audit of tiers: who over-grades how often, and against all others.

    A high rate of few customers may be chance: read the interval, not the rate. And an agent with
    more customers near a cut has more occasions to be wrong.

    Parameters
    ----------
    audited
        One row per customer, as made by `crmkit.tiers.audit`. A lazy table is run, to count.
    by
        The column to group by, such as the agent who assigned the tiers.
    level
        Probability of the intervals, 0.95 for 95 %.

    Returns
    -------
    One row per value of `by`, the highest rate of over-grading first:

    ======================  =====  =============================================================
    *by*                    text   whom the row is about; null where it is unknown
    ``n_customers``         int    customers
    ``n_right``             int    whose tier is right
    ``n_over_graded``       int    with a higher tier than they earn
    ``n_under_graded``      int    with a lower one
    ``n_unknown``           int    not to be judged; not in the rates
    ``over_grading_rate``   float  share over-graded of those judged
    ``rate_lower``          float  lower bound of the rate (Wilson)
    ``rate_upper``          float  upper bound of the rate
    ``value_over_graded``   float  value of the over-graded customers
    ``shortfall``           float  what they lack to the cuts of their tiers
    ``others_rate``         float  rate of all other rows together
    ``difference``          float  rate less that of the others
    ``difference_lower``    float  lower bound of the difference (Newcombe)
    ``difference_upper``    float  upper bound of the difference
    ======================  =====  =============================================================

    Rates and bounds are null where nobody is judged, money where no single value was audited.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `audited` lacks `by` or a column of `crmkit.tiers.audit`.
    InvalidArgumentError
        If `level` is not between 0 and 1, or `by` is a column that is made here.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions.
    *Statistics in Medicine* 17, 873-890, method 10.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame(
    ...     {
    ...         "total_amount": [1200.0, 450.0, 2100.0, 60.0, 1500.0],
    ...         "tier_assigned": ["gold", "gold", "gold", "diamond", "gold"],
    ...         "agent": ["kim", "kim", "lee", "kim", "lee"],
    ...     }
    ... )
    >>> by_value = tiers.rule(customers, method="thresholds", cuts=(2000, 1000))
    >>> found = audit_summary(tiers.audit(customers, rule=by_value))
    >>> columns = ["agent", "n_customers", "n_over_graded", "over_grading_rate", "shortfall"]
    >>> print(found[columns].round(2).to_string(index=False))
    agent  n_customers  n_over_graded  over_grading_rate  shortfall
      kim            3              2               0.67     2490.0
      lee            2              0               0.00        0.0
    """
    require_column_name(by, argument="by")
    require_level(level)
    if by in _SUMMARIZED or by in _MADE:
        msg = f"`by` is {by!r}, which is made here.\nRename the column."
        raise InvalidArgumentError(msg)
    group = Column(by, "key", "whom to group by", nullable=True, made_by=NOT_MADE)
    table = replace(AUDITED_TIERS, columns=(*AUDITED_TIERS.columns, group))
    frame = frames.read(audited, table)
    found = _counts(frame, by)
    columns = _rates(found, level=level)
    made = frames.table_like({by: list(found), **columns}, like=frame)
    floats = [nw.col(name).cast(nw.Float64) for name in columns if not name.startswith("n_")]
    return frames.give(made.with_columns(*floats), like=audited)


def _grade(rule: TierRule, assigned: str, *, tolerance: float) -> nw.Expr:
    """Judge the assigned tier; a value within the tolerance of the cut is right."""
    column = None if reach.is_by_measure(rule) else "audited_value"
    steps, names = nw.col("steps"), rule.names
    is_over, is_under = steps > 0, steps < 0
    if tolerance:
        at_most, at_least = {}, {}
        for i, (name, lower) in enumerate(itertools.pairwise(names)):
            at_most[name] = ~reach.reaches(rule, i, moved=-tolerance, column=column)
            at_least[lower] = reach.reaches(rule, i, moved=tolerance, column=column)
        is_over = is_over & reach.of_tier(assigned, at_most, otherwise=_NO)
        is_under = is_under & reach.of_tier(assigned, at_least, otherwise=_NO)
    right, over, under = map(nw.lit, _GRADES[:-1])
    judged = nw.when(is_under).then(under).otherwise(right)
    return nw.when(is_over).then(over).otherwise(judged)


def _gap(rule: TierRule, assigned: str, *, measure: str | None = None) -> nw.Expr:
    """Give the value less the cut of the assigned tier, or that of one measure."""
    if measure is None and rule.method == "all_thresholds":
        return reach.NO_NUMBER
    column = "audited_value" if measure is None else None
    part = next(p for p in reach.parts(rule, column) if measure in (None, p.name))
    cuts = zip(rule.names, part.cuts, strict=False)
    return reach.of_tier(assigned, {name: part.value - cut for name, cut in cuts})


def _gap_share(rule: TierRule, assigned: str) -> nw.Expr:
    column = None if rule.method == "all_thresholds" else "audited_value"
    shares = {name: reach.gap_share(rule, i, column) for i, name in enumerate(rule.names[:-1])}
    return reach.of_tier(assigned, shares)


_SUMMARIZED: Final = (
    *("n_customers", "n_right", "n_over_graded", "n_under_graded", "n_unknown"),
    *("over_grading_rate", "rate_lower", "rate_upper", "value_over_graded", "shortfall"),
    *("others_rate", "difference", "difference_lower", "difference_upper"),
)


def _counts(frame: frames.Frame, by: str) -> dict[Any, dict[str, float]]:
    """Count each group's grades, and add up its money, where the table lives."""
    is_over = nw.col("audit") == "over-graded"
    grouped = (
        frame.select(
            nw.col(by).alias(_GROUP),
            nw.col("audit").cast(nw.String),
            value=nw.when(is_over).then(frames.known("audited_value")),
            lacking=nw.when(is_over).then(-frames.known("gap_to_cut")),
        )
        .group_by(_GROUP, "audit")
        .agg(
            n=nw.len(),
            value=nw.col("value").sum(),
            lacking=nw.col("lacking").sum(),
            known=nw.col("value").count(),
        )
    )
    found: dict[Any, dict[str, float]] = {}
    names = (*_GRADES, "value", "lacking")
    for row in frames.rows(grouped):
        mine = found.setdefault(row[_GROUP], dict.fromkeys(names, 0.0))
        mine[row["audit"]] += row["n"]
        # Where each measure has cuts of its own, no single value can be added up.
        has_money = row["known"] or row["audit"] != "over-graded"
        for name in ("value", "lacking"):
            mine[name] += (row[name] or 0.0) if has_money else math.nan

    def place(group: Any) -> tuple[float, bool, str]:  # noqa: ANN401 - any key
        mine = found[group]
        judged = sum(mine[grade] for grade in _GRADES[:3])
        rate = -mine["over-graded"] / judged if judged else math.inf
        return rate, group is None, str(group)

    return {group: found[group] for group in sorted(found, key=place)}


def _rates(found: dict[Any, dict[str, float]], *, level: float) -> dict[str, list[Any]]:
    right, over, under, unknown, value, lacking = (
        np.array([mine[name] for mine in found.values()], dtype=float)
        for name in (*_GRADES, "value", "lacking")
    )
    judged = right + over + under
    others, over_others = judged.sum() - judged, over.sum() - over
    lower, upper = wilson(over, judged, level=level)
    bounds = newcombe(over, judged, over_others, others, level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, others_rate = over / judged, over_others / others
    has_both = (judged > 0) & (others > 0)
    counts = (judged + unknown, right, over, under, unknown)
    floats = (
        rate,
        np.where(judged > 0, lower, np.nan),
        np.where(judged > 0, upper, np.nan),
        value,
        lacking,
        others_rate,
        *(np.where(has_both, each, np.nan) for each in (rate - others_rate, *bounds)),
    )
    columns: dict[str, list[Any]] = {
        name: each.astype(np.int64).tolist()
        for name, each in zip(_SUMMARIZED, counts, strict=False)
    }
    for name, each in zip(_SUMMARIZED[len(counts) :], floats, strict=True):
        columns[name] = [x if math.isfinite(x) else None for x in each.tolist()]
    return columns
