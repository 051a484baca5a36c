"""Stage rules of the main job: learned where the log is long enough, tested on its last days."""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from typing import Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import lifecycle
from crmkit._door import frames
from crmkit._lifecycle.fit_rules import dates_to_learn_at
from crmkit._pipeline.known import LEAST_FOR_A_MODEL, Known
from crmkit.errors import CrmkitWarning, FitError
from crmkit.lifecycle import StageRules

_QUARTER: Final = 91


class Rules(NamedTuple, Generic[IntoFrameT]):
    """The rules, how many of each stage came back, and what is missing."""

    rules: StageRules
    returns: IntoFrameT | None = None
    left_out: tuple[str, ...] = ()


def stage_rules(
    customers: IntoFrame,
    found: Known,
    *,
    days: IntoFrameT,
    as_of: date,
    kept: StageRules | None = None,
) -> Rules[IntoFrameT]:
    """Learn the limits of the stages, and count who came back in the last part of the log.

    The horizon is a quarter, or as many quarters as the typical gap: whoever buys once a year does
    not come back within a quarter, lost or not. Rules that were kept are not learned anew; the
    count is by rules learned from the days before it all the same, for the kept ones may know them.
    """
    usual = kept or lifecycle.rules(customers)
    if found.n_customers < LEAST_FOR_A_MODEL:
        why = f"counting needs at least {LEAST_FOR_A_MODEL} customers"
        return Rules(usual, left_out=(_untested(why, kept),))
    quarters = max(1, round(usual.typical_gap_days / _QUARTER))
    horizon_days = int(usual.horizon_days or _QUARTER * quarters)
    test = as_of - timedelta(days=horizon_days)
    rules = _kept_or_learned(kept, days, as_of=as_of, horizon_days=horizon_days)
    if rules is None:
        why = f"the log does not reach back for twice {horizon_days} days"
        return Rules(usual, left_out=(_untested(why, kept),))
    known_then = _known_then(days, test=test, horizon_days=horizon_days)
    returns = lifecycle.calibrate(
        days, dates=[test], horizon_days=horizon_days, as_of=as_of, rules=known_then or rules
    )
    left_out = () if known_then else (_tested_where_learned(horizon_days),)
    by_date = frames.reopen(returns).filter(~nw.col("date").is_null())  # there is but one
    return Rules(rules, frames.give_in_order(by_date, like=returns), left_out)


def _kept_or_learned(
    kept: StageRules | None, days: IntoFrame, *, as_of: date, horizon_days: int
) -> StageRules | None:
    """Take the kept rules or learn some; None where the log is too short to count by."""
    if kept is not None:
        long_enough = dates_to_learn_at(days, as_of=as_of, horizon_days=horizon_days)
        return kept if long_enough else None
    try:
        return lifecycle.fit_rules(days, as_of=as_of, horizon_days=horizon_days)
    except FitError:
        return None


def _known_then(days: IntoFrame, *, test: date, horizon_days: int) -> StageRules | None:
    """Learn the rules from what was known by the test; None where that was too little."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)  # that nobody was lost, the table shows
        try:
            return lifecycle.fit_rules(days, as_of=test, horizon_days=horizon_days)
        except FitError:
            return None


def _untested(why: str, kept: StageRules | None) -> str:
    what = f"How many customers of each stage come back: {why}"
    if kept is not None and kept.horizon_days is not None:
        return f"{what}; the limits of the stages are the kept ones."
    return f"{what}, so the limits of the stages are rules of thumb."


def _tested_where_learned(horizon_days: int) -> str:
    return (
        "A test of the stages on days that their limits were not learned from: the log does not "
        f"reach back for three times {horizon_days} days."
    )
