"""Audit of assigned tiers: who holds a tier that the rule does not give them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers.assign import class_of, require_free
from crmkit._tiers.rule import value_of
from crmkit._tiers.tier_rule import TierRule
from crmkit._words.arguments import (
    require_column_name,
    require_fitted,
    require_number,
)
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics.proportions import newcombe, wilson
from crmkit.tables import AUDITED_TIERS, Column, customers_with
from crmkit.tables.contracts import NOT_MADE

_MADE: Final = ("audited_value", "tier_earned", "steps", "gap_to_cut", "gap_share", "audit")
_GRADES: Final = ("right", "over-graded", "under-graded", "unknown")
_GROUP: Final = "crmkit_group"


def audit(
    customers: IntoFrameT,
    *,
    rule: TierRule,
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
        As made by `crmkit.tiers.rule`.
    assigned
        The column of tiers that were assigned, by hand or otherwise.
    tolerance
        How far a value may miss a cut, or be above it, and the lower or higher tier still count as
        right: a fraction of the cut, 0.05 for 5 %.

    Returns
    -------
    The same rows in the same order, with more columns:

    =================  =====  ===============================================================
    ``audited_value``  float  value that the rule looks at
    ``tier_earned``    text   tier by the rule; null where the value is unknown
    ``steps``          int    tiers between: above 0 where more was assigned than is earned (a
                              float in pandas, which has no whole numbers beside nulls)
    ``gap_to_cut``     float  value less the cut of the assigned tier; null in the last tier
    ``gap_share``      float  the gap as a fraction of that cut; null where the cut is 0
    ``audit``          text   right, over-graded, under-graded, or unknown where the value or
                              the assigned tier is
    =================  =====  ===============================================================

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
    require_fitted(rule, TierRule, argument="rule", made_by="crmkit.tiers.rule")
    require_column_name(assigned, argument="assigned")
    require_number(
        tolerance,
        argument="tolerance",
        must="be from 0 to 1",
        fits=lambda x: 0 <= x <= 1,
        advice="Write 0.05 for 5 % of the cut.",
    )
    frame = frames.read(customers, _with_assigned(rule, assigned))
    require_free(frame, _MADE)
    require_tiers_known(frame, assigned, rule=rule)
    value = value_of(rule.measures, rule.weights, rule.scales)
    frame = frames.with_columns(frame, audited_value=value)
    frame = frames.with_columns(frame, tier_earned=class_of(nw.col("audited_value"), rule))
    held, earned = rank_of(assigned, rule.names), rank_of("tier_earned", rule.names)
    cuts = dict(zip(rule.names, rule.cuts, strict=False))
    gap = nw.col("audited_value") - number_of(assigned, cuts)
    sizes = {name: abs(cut) for name, cut in cuts.items() if cut}
    frame = frames.with_columns(
        frame,
        steps=earned - held,
        gap_to_cut=gap,
        gap_share=gap / number_of(assigned, sizes),
    )
    graded = frames.with_columns(frame, audit=_grade(assigned, rule, float(tolerance)))
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

    Rates and bounds are null where nobody is judged.

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


def require_tiers_known(frame: frames.Frame, column: str, *, rule: TierRule) -> None:
    """Require that a column of tiers holds those of the rule only."""
    tier = nw.col(column).cast(nw.String)
    counted = frame.select(tier.alias(_GROUP)).group_by(_GROUP).agg(n=nw.len())
    rows = frames.rows(counted)
    strange = {
        row[_GROUP]: int(row["n"])
        for row in rows
        if row[_GROUP] is not None and row[_GROUP] not in rule.names
    }
    if strange:
        names, n_rows = sorted(strange), sum(strange.values())
        total = sum(int(row["n"]) for row in rows)
        msg = (
            f"customers: `{column}` is not a tier of the rule in {n_rows:,} of {total:,} rows "
            f"({', '.join(map(repr, names[:3]))}).\n"
            f"The rule has {frames.quoted(rule.names)}: give the rule that these tiers belong to, "
            "or make null what is unknown."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=tuple(names[:3]))


def rank_of(column: str, names: Sequence[str]) -> nw.Expr:
    """Number the tiers from the best, which is 0; null where the tier is unknown."""
    return _of_tier(column, {name: nw.lit(i, nw.Int64) for i, name in enumerate(names)})


def number_of(column: str, numbers: Mapping[str, float]) -> nw.Expr:
    """Write a number for each tier that has one; null for all others."""
    return _of_tier(column, {name: nw.lit(float(number)) for name, number in numbers.items()})


def _of_tier(column: str, choices: Mapping[str, nw.Expr]) -> nw.Expr:
    # pandas has no whole numbers beside nulls: a cast of them would fail there.
    found: nw.Expr | None = None
    for name, choice in choices.items():
        this = nw.when(nw.col(column).cast(nw.String) == name).then(choice)
        found = this if found is None else this.otherwise(found)
    return nw.lit(None).cast(nw.Float64) if found is None else found


def _with_assigned(rule: TierRule, assigned: str) -> Any:  # noqa: ANN401 - a contract
    table = customers_with(*rule.measures)
    column = Column(assigned, "text", "tier assigned", nullable=True, made_by=NOT_MADE)
    return replace(table, columns=(*table.columns, column))


def _grade(assigned: str, rule: TierRule, tolerance: float) -> nw.Expr:
    """Judge the assigned tier; a value within the tolerance of the cut is right."""
    value, steps = nw.col("audited_value"), nw.col("steps")
    least = {n: c - tolerance * abs(c) for n, c in zip(rule.names, rule.cuts, strict=False)}
    most = {n: c + tolerance * abs(c) for n, c in zip(rule.names[1:], rule.cuts, strict=True)}
    is_over = (steps > 0) & ((value < number_of(assigned, least)) | nw.lit(tolerance == 0))
    is_under = (steps < 0) & ((value >= number_of(assigned, most)) | nw.lit(tolerance == 0))
    right, over, under, unknown = map(nw.lit, _GRADES)
    judged = nw.when(is_under).then(under).otherwise(right)
    judged = nw.when(is_over).then(over).otherwise(judged)
    return nw.when(steps.is_null()).then(unknown).otherwise(judged)


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
        .agg(n=nw.len(), value=nw.col("value").sum(), lacking=nw.col("lacking").sum())
    )
    found: dict[Any, dict[str, float]] = {}
    names = (*_GRADES, "value", "lacking")
    for row in frames.rows(grouped):
        mine = found.setdefault(row[_GROUP], dict.fromkeys(names, 0.0))
        mine[row["audit"]] += row["n"]
        for name in ("value", "lacking"):
            mine[name] += row[name] or 0.0

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
