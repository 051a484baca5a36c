"""What to do: stage, risk and action of each customer, and whom to call first."""

from __future__ import annotations

from datetime import date
from typing import Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import actions, churn, lifecycle
from crmkit._door import frames
from crmkit._pipeline import known
from crmkit._pipeline.forecast import Models
from crmkit._pipeline.known import Known
from crmkit._pipeline.result import Settings
from crmkit._pipeline.stage_rules import stage_rules
from crmkit.churn import RiskCalibration
from crmkit.lifecycle import StageRules

MOST_CALLS: Final = 100

# Where value is unknown, the plan by stages alone: it must not say what a customer brought.
_PLAN_WITHOUT_TIERS: Final = {
    "lapsing": ("send a last reminder", "silent for long by their own rhythm"),
    "lost": (
        "try one win-back offer",
        "silent for very long by their own rhythm; one try is cheap",
    ),
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


def at_risk(
    customers: IntoFrameT,
    *,
    days: IntoFrameT,
    models: Models,
    calibration: RiskCalibration | None,
    settings: Settings,
) -> IntoFrameT:
    """Append churn risk and value at risk, as far as a model and money are known."""
    if models.purchases is None or settings.horizon_days is None:
        return customers
    horizon_days = settings.horizon_days
    rated = churn.risk(
        customers, purchases=models.purchases, horizon_days=horizon_days, calibration=calibration
    )
    frame = frames.reopen(rated)
    if not frames.has(frame, "total_amount"):
        return rated
    past = churn.past_amount(days, as_of=settings.as_of, horizon_days=horizon_days)
    return frames.keep(churn.value_at_risk(rated, past=past))


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
    """Sum up the actions, where there are any."""
    has_actions = frames.has(frames.reopen(customers), "action")
    return actions.summary(customers) if has_actions else None


def _plan_without_tiers() -> IntoFrame:
    rules = frames.rows(frames.reopen(actions.plan(backend="polars")))
    kept = [rule for rule in rules if rule["tier"] == "any"]
    for rule in kept:
        if rule["stage"] in _PLAN_WITHOUT_TIERS:
            rule["action"], rule["reason"] = _PLAN_WITHOUT_TIERS[rule["stage"]]
    columns = {name: [rule[name] for rule in kept] for name in kept[0]}
    plan: IntoFrame = frames.new_table(columns, backend="polars")
    return plan
