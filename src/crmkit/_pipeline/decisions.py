"""What to do: stage, risk and action of each customer, and whom to call first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import actions, churn, lifecycle
from crmkit._door import frames
from crmkit._pipeline import known
from crmkit._pipeline.known import Known
from crmkit._pipeline.stage_rules import stage_rules
from crmkit.lifecycle import StageRules
from crmkit.tables import RECOMMENDED

LATE: Final = ("at risk", "lapsing")
"""The stages of those who are late by their own rhythm, and not yet lost."""

AWAY: Final = tuple(
    f"{often}, least recent" for often in ("Frequent", "Medium frequency", "Infrequent")
)
"""The segments of those who bought longer ago than most; what they brought ranks them."""

_MOST_CALLS: Final = 100
_WORTH: Final = ("expected_purchases", "total_amount", "orders")
"""What ranks customers whose value at risk is unknown: the first of these that is known."""

# Where value is unknown, the plan by stages alone: it must not say what a customer brought.
_PLAN_WITHOUT_TIERS: Final = {
    "lapsing": ("send a last reminder", "nearly gone by their own rhythm"),
    "lost": ("try one win-back offer", "gone by their own rhythm; one try is cheap"),
}


class Staged(NamedTuple, Generic[IntoFrameT]):
    """Customers with their stage, the rules, who came back of each stage, and what is missing."""

    customers: IntoFrameT
    rules: StageRules | None = None
    left_out: tuple[str, ...] = ()
    returns: IntoFrameT | None = None


def staged(
    customers: IntoFrameT, found: Known, *, days: IntoFrameT, as_of: date
) -> Staged[IntoFrameT]:
    """Append life-cycle stages by the usual gap between purchases."""
    if why := known.no_stages(found):
        return Staged(customers, None, (why,))
    rules, returns, left_out = stage_rules(customers, found, days=days, as_of=as_of)
    return Staged(lifecycle.assign(customers, rules=rules), rules, left_out, returns)


def at_risk(customers: IntoFrameT) -> IntoFrameT:
    """Append churn risk and value at risk, as far as the signals are known."""
    frame = frames.reopen(customers)
    if not (frames.has(frame, "p_alive") and frames.has(frame, "overdue_ratio")):
        return customers
    rated = churn.risk(customers)
    if not frames.has(frame, "clv"):
        return rated
    value_at_risk = nw.col("clv") * nw.col("churn_risk")
    with_value = frames.with_columns(frames.reopen(rated), value_at_risk=value_at_risk)
    return frames.give(with_value, like=customers)


def advised(customers: IntoFrameT, *, plan: IntoFrame | None) -> IntoFrameT:
    """Append one action for each customer whose stage is known."""
    frame = frames.reopen(customers)
    if not frames.has(frame, "stage"):
        return customers
    if frames.has(frame, "tier"):
        return actions.recommend(customers, plan=plan)
    untiered = frames.with_columns(frame, tier=nw.lit(None).cast(nw.String))
    plan = _plan_without_tiers() if plan is None else plan
    recommended = actions.recommend(frames.give(untiered, like=customers), plan=plan)
    return frames.give(frames.reopen(recommended).drop("tier"), like=customers)


def action_summary(customers: IntoFrameT) -> IntoFrameT | None:
    """Sum up the actions; without a forecast, only count the customers of each."""
    frame = frames.reopen(customers)
    if not frames.has(frame, "action"):
        return None
    if frames.has(frame, "value_at_risk"):
        return actions.summary(customers)
    counted = frame.group_by("action").agg(nw.len().alias("n_customers"))
    whole = counted.with_columns(nw.col("n_customers").cast(nw.Int64))
    ranked = whole.sort("n_customers", "action", descending=[True, False])
    return frames.give_in_order(ranked, like=customers)


def call_list(customers: IntoFrameT, *, keep: Sequence[str]) -> IntoFrameT:
    """List whom to call first: by value at risk, or by the best that is known in its place."""
    frame = frames.reopen(customers)
    has = set(frame.collect_schema().names())
    if "value_at_risk" in has:
        return actions.call_list(customers, most=_MOST_CALLS, keep=keep)
    bought = frame.filter(~frames.known("days_since_last").is_null())
    by = next((name for name in _WORTH if name in has), "days_since_last")
    shown = ["days_since_last", *_WORTH, *RECOMMENDED.column_names]
    columns = [name for name in dict.fromkeys(shown) if name in has and name != "customer_id"]
    ranked = (
        _away(bought, has)
        .select("customer_id", *keep, *columns)
        .sort(by, "customer_id", descending=[True, False], nulls_last=True)
    )
    return frames.give_in_order(ranked.head(_MOST_CALLS), like=customers)


def _away(bought: frames.Frame, has: set[str]) -> frames.Frame:
    """Keep those who are late, by the best sign that is known."""
    if "stage" in has:
        return bought.filter(nw.col("stage").is_in(LATE))
    if "segment" in has:
        return bought.filter(nw.col("segment").is_in(AWAY))
    return bought


def _plan_without_tiers() -> IntoFrame:
    rules = frames.rows(frames.reopen(actions.plan(backend="polars")))
    kept = [rule for rule in rules if rule["tier"] == "any"]
    for rule in kept:
        if rule["stage"] in _PLAN_WITHOUT_TIERS:
            rule["action"], rule["reason"] = _PLAN_WITHOUT_TIERS[rule["stage"]]
    columns = {name: [rule[name] for rule in kept] for name in kept[0]}
    plan: IntoFrame = frames.new_table(columns, backend="polars")
    return plan
