"""Which of the kept values these customers allow, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._pipeline.held_out_risk import serves
from crmkit._pipeline.kept import Kept
from crmkit._pipeline.known import Known
from crmkit.errors import MissingColumnsError
from crmkit.tables import MEASURES

_MONEY = "total_amount"


class Applicable(NamedTuple):
    """The kept values to apply, and what of them is left out."""

    kept: Kept
    left_out: tuple[str, ...] = ()


def applicable(
    kept: Kept, customers: IntoFrame, found: Known, *, horizon_days: float | None
) -> Applicable:
    """Leave out kept values of amounts where none are known, and of another horizon.

    Raises
    ------
    MissingColumnsError
        If a kept fit or rule needs a column that the customers do not have.
    """
    left_out: list[str] = []
    if not found.has_money:
        kept, of_money = _without_money(kept)
        left_out += of_money
    elif kept.breakpoints is not None and kept.breakpoints.total_amount is None:
        left_out.append(
            "m_score and RFM code: the kept cut points have none of amounts, which were unknown "
            "when they were fitted."
        )
    if kept.risk is not None and horizon_days is not None and not serves(kept.risk, horizon_days):
        left_out.append(
            f"Kept calibration of churn risk: it was learned from {kept.risk.horizon_days:g} days, "
            f"which say little of a horizon of {horizon_days:g}; it was learned anew."
        )
        kept = replace(kept, risk=None)
    if horizon_days is not None:
        for name, fit in (("purchases", kept.purchases), ("spend", kept.spend)):
            columns = [] if fit is None else [each.column for each in fit.covariates]
            _require(customers, columns, name=name, advice="Name it in `keep`, or fit anew.")
    return Applicable(kept, tuple(left_out))


def require_measures(kept: Kept, customers: IntoFrame) -> None:
    """Require the columns that the kept tiers are by."""
    measures = () if kept.tiers is None else kept.tiers.measures
    _require(customers, measures, name="tiers", advice="Fit the tiers anew: leave out kept.tiers.")


def _without_money(kept: Kept) -> Applicable:
    """Leave out what needs amounts; recency and frequency are scored as they were."""
    cuts, rule = kept.breakpoints, kept.tiers
    scores_money = cuts is not None and cuts.total_amount is not None
    if cuts is not None and scores_money:
        cuts = replace(cuts, total_amount=None, total_amount_within=())
    money_tiers = rule is not None and _MONEY in rule.measures
    if not (scores_money or money_tiers or kept.spend is not None):
        return Applicable(kept)
    why = (
        "Kept cut points of amounts, spend model and tiers: the amounts are now unknown; recency "
        "and frequency are scored by the kept cut points."
    )
    without = replace(kept, breakpoints=cuts, spend=None, tiers=None if money_tiers else rule)
    return Applicable(without, (why,))


def _require(customers: IntoFrame, columns: Sequence[str], *, name: str, advice: str) -> None:
    present = frames.reopen(customers).collect_schema().names()
    missing = [column for column in dict.fromkeys(columns) if column not in present]
    if missing:
        msg = (
            f"{MEASURES.name}: no column {frames.quoted(missing)}, which `kept.{name}` was "
            f"fitted on.\n{advice}"
        )
        raise MissingColumnsError(msg)
