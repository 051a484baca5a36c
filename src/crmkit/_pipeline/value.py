"""Customers by recency, frequency and money: scores, segments, tiers and concentration."""

from __future__ import annotations

from typing import Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import rfm, tiers
from crmkit._door import frames
from crmkit._pipeline import known
from crmkit._pipeline.known import Known
from crmkit.rfm import Breakpoints
from crmkit.tables import MEASURES
from crmkit.tiers import TierRule

_MONEY: Final = ("total_amount", "amount_share", "mean_amount", "average_order_value")


class Scored(NamedTuple, Generic[IntoFrameT]):
    """Customers with scores and segment, the cut points, and why there are none."""

    customers: IntoFrameT
    breakpoints: Breakpoints | None = None
    left_out: tuple[str, ...] = ()


class Tiered(NamedTuple, Generic[IntoFrameT]):
    """Customers with tier and ABC class, the rule, the concentration, and why there are none."""

    customers: IntoFrameT
    rule: TierRule | None = None
    concentration: IntoFrameT | None = None
    left_out: tuple[str, ...] = ()


def scored(
    customers: IntoFrameT, found: Known, *, kept: Breakpoints | None = None
) -> Scored[IntoFrameT]:
    """Append RFM scores and segments; without money, those of recency and frequency.

    By cut points that were kept, one customer is enough.
    """
    if (kept is None or not found.has_orders) and (why := known.no_scores(found)):
        return Scored(customers, None, (why,))
    breakpoints = kept or rfm.breakpoints(_of_known_money(customers, found))
    with_scores = rfm.score(customers, breakpoints=breakpoints)
    segmented = rfm.segment(with_scores)
    if found.has_money and found.n_without_money:
        # A sum with unknown amounts in it would pass for the money of the segment.
        known_money = nw.when(~frames.known("total_amount").is_null()).then(nw.col("segment"))
        frame = frames.with_columns(frames.reopen(segmented), segment=known_money)
        segmented = frames.give(frame, like=customers)
    return Scored(segmented, breakpoints)


def tiered(
    customers: IntoFrameT,
    found: Known,
    *,
    shares: tuple[float, float],
    kept: TierRule | None = None,
) -> Tiered[IntoFrameT]:
    """Append tiers and ABC classes by past revenue, and sum up how concentrated it is.

    By a rule that was kept, a tier begins where it began then, and `shares` are not looked at.
    """
    if not found.has_money or (kept is None and known.too_few_to_compare(found)):
        return Tiered(customers)  # said already
    if why := known.no_shares(found):
        return Tiered(customers, left_out=(why,))
    concentration = tiers.concentration(customers)
    if kept is None and (why := known.no_tiers(found)):
        return Tiered(customers, None, concentration, (why,))
    rule = kept or tiers.rule(customers, method="customer_share", cuts=shares)
    return Tiered(tiers.abc(tiers.assign(customers, rule=rule)), rule, concentration)


def segment_summary(customers: IntoFrameT, breakpoints: Breakpoints | None) -> IntoFrameT | None:
    """Sum up the segments, if there are any; the money of those of unknown amount is unknown."""
    if breakpoints is None:
        return None
    summary = rfm.segment_summary(_without_prospects(customers))
    frame = frames.reopen(summary)
    if not frames.has(frame, "total_amount"):
        return summary
    known_money = (
        nw.when(~nw.col("segment").is_null()).then(nw.col(name)).alias(name) for name in _MONEY
    )
    return frames.give(frame.with_columns(*known_money), like=summary)


def tier_summary(customers: IntoFrameT, rule: TierRule | None) -> IntoFrameT | None:
    """Sum up the tiers, if there are any."""
    return None if rule is None else tiers.summary(_without_prospects(customers), rule=rule)


def _without_prospects(customers: IntoFrameT) -> IntoFrameT:
    """Leave out prospects, who have no segment and no tier."""
    frame = frames.without_prospects(frames.reopen(customers), MEASURES)
    return frames.give(frame, like=customers)


def _of_known_money(customers: IntoFrame, found: Known) -> IntoFrame:
    """Leave out customers of unknown amount, who get no m_score, where there are any."""
    frame = frames.reopen(customers)
    if not found.has_money:
        return frames.give(frame.drop("total_amount", strict=False), like=customers)
    if not found.n_without_money:
        return customers
    known_money = frame.filter(~frames.known("total_amount").is_null())
    return frames.give(known_money.filter(~nw.col("days_since_last").is_null()), like=customers)
