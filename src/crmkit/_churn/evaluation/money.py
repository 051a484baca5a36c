"""Profit of contacting the customers with the highest scores, at its best share."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._churn.evaluation.ranking import Ranked
from crmkit._door.frames import Floats

_MOST_POINTS: Final = 500


class Best(NamedTuple):
    """The largest profit per customer, the share to contact for it, and the least score."""

    profit: float
    share: float
    threshold: float


class Lines(NamedTuple):
    """Profit per customer of contacting down to each score: ``base + slope * uncertain``.

    What is uncertain is the acceptance rate, or the contribution. The first line contacts nobody.
    """

    base: Floats
    slope: Floats
    share: Floats
    threshold: Floats


def lines(found: Ranked, campaign: RetentionCampaign | AcquisitionCampaign) -> Lines:
    """Lines of a campaign in which all customers have the same value."""
    total = float((found.left + found.stayed).sum())
    left = np.concatenate([[0.0], np.cumsum(found.left)]) / total
    stayed = np.concatenate([[0.0], np.cumsum(found.stayed)]) / total
    threshold = np.concatenate([[np.inf], found.score])
    contact = campaign.contact_cost
    if isinstance(campaign, AcquisitionCampaign):
        direct = campaign.direct_share
        base = -contact * (left + stayed) - direct * campaign.sales_cost * left
        slope = (direct + (1 - direct) * (1 - campaign.commission)) * left
    else:
        value = float(campaign.value)
        offer = campaign.offer_cost + campaign.offer_share * value
        base = -contact * (left + stayed) - offer * stayed
        slope = (value - offer) * left
    return Lines(base, slope, left + stayed, threshold)


def maximum(curve: Lines, at: float) -> Best:
    """The best share where what is uncertain has a value: MPC, MPA."""
    profit = curve.base + at * curve.slope
    best = int(np.argmax(profit))
    return Best(float(profit[best]), float(curve.share[best]), float(curve.threshold[best]))


def expected_maximum(curve: Lines, campaign: RetentionCampaign | AcquisitionCampaign) -> Best:
    """Mean of the best profit over what is uncertain: EMPC, EMPA.

    The best share is another one for each value; `share` is its mean, `threshold` the score there.
    """
    from scipy.special import betainc, gammainc  # noqa: PLC0415 - heavy, so not loaded with crmkit

    if isinstance(campaign, AcquisitionCampaign):
        shape = campaign.contribution_shape
        scale = campaign.contribution / shape
        mean, top = campaign.contribution, np.inf

        def below(x: Floats, more: int) -> Floats:
            at = x / scale if scale > 0 else np.where(x > 0, np.inf, 0.0)
            return np.asarray(gammainc(shape + more, at))
    else:
        alpha, beta = campaign.acceptance
        mean, top = campaign.acceptance_rate, 1.0

        def below(x: Floats, more: int) -> Floats:
            return np.asarray(betainc(alpha + more, beta, x))

    chosen, edges = _envelope(curve, top)
    chance = np.diff(below(edges, 0))
    part = mean * np.diff(below(edges, 1))
    profit = float(curve.base[chosen] @ chance + curve.slope[chosen] @ part)
    share = float(curve.share[chosen] @ chance)
    at = int(np.searchsorted(curve.share, share - 1e-12))
    return Best(profit, share, float(curve.threshold[min(at, len(curve.threshold) - 1)]))


def own_value(
    churned: Floats, score: Floats, value: Floats, weight: Floats, campaign: RetentionCampaign
) -> Best:
    """The best profit where each customer has a value of their own (EMPB)."""
    profit, share, threshold = own_value_curve(churned, score, value, weight, campaign)
    best = int(np.argmax(profit))
    return Best(float(profit[best]), float(share[best]), float(threshold[best]))


def own_value_curve(
    churned: Floats, score: Floats, value: Floats, weight: Floats, campaign: RetentionCampaign
) -> tuple[Floats, Floats, Floats]:
    """Profit per customer, share and least score, from contacting nobody to everybody."""
    gain = weight * gains_of_contact(churned, value, campaign)
    distinct, group = np.unique(-score, return_inverse=True)
    total = weight.sum()
    profit = np.concatenate([[0.0], np.cumsum(np.bincount(group, gain))]) / total
    share = np.concatenate([[0.0], np.cumsum(np.bincount(group, weight))]) / total
    return profit, share, np.concatenate([[np.inf], -distinct])


def gains_of_contact(churned: Floats, value: Floats, campaign: RetentionCampaign) -> Floats:
    """Expected profit of contacting each customer, whose outcome is known."""
    offer = campaign.offer_cost + campaign.offer_share * value
    if_left = campaign.acceptance_rate * (value - offer) - campaign.contact_cost
    return np.where(churned > 0, if_left, -(offer + campaign.contact_cost))


def share_of_perfect(
    churned: Floats, score: Floats, value: Floats, campaign: RetentionCampaign
) -> float:
    """Profit over that of the perfect ranking, on the average of the shares to contact (AUEPC).

    The shares end where even the perfect ranking brings no profit; equal scores count as their
    mean. NaN where no contact brings anything.
    """
    gain = gains_of_contact(churned, value, campaign)
    perfect = np.cumsum(np.sort(gain)[::-1])
    n = int(np.argmax(perfect <= 0)) if (perfect <= 0).any() else len(gain)
    if n == 0:
        return float("nan")
    _, group = np.unique(-score, return_inverse=True)
    ends = np.concatenate([[0.0], np.cumsum(np.bincount(group))])
    curve = np.concatenate([[0.0], np.cumsum(np.bincount(group, gain))])
    ratio = np.interp(np.arange(1, n + 1), ends, curve) / perfect[:n]
    return float(ratio[0]) if n == 1 else float(np.trapezoid(ratio) / (n - 1))


def fewer(curve: Lines) -> Lines:
    """Keep about 500 of the lines, for resampling."""
    if len(curve.base) <= _MOST_POINTS:
        return curve
    at = np.unique(np.searchsorted(curve.share, np.linspace(0, 1, _MOST_POINTS)))
    at = np.unique(np.concatenate([[0], np.minimum(at, len(curve.base) - 1)]))
    return Lines(*(each[at] for each in curve))


def _envelope(curve: Lines, top: float) -> tuple[list[int], Floats]:
    """Lines that are the highest somewhere from 0 to `top`, in order, and where they begin."""
    order = np.lexsort((-curve.base, curve.slope))
    chosen: list[int] = []
    starts: list[float] = []
    for i in map(int, order):
        a, b = float(curve.slope[i]), float(curve.base[i])
        if chosen and curve.slope[chosen[-1]] == a:
            continue  # as steep, and lower
        begin = 0.0
        while chosen:
            last = chosen[-1]
            begin = float((curve.base[last] - b) / (a - curve.slope[last]))
            if begin > starts[-1]:
                break
            chosen.pop()
            starts.pop()
            begin = 0.0
        if begin < top:
            chosen.append(i)
            starts.append(max(begin, 0.0) if chosen[:-1] else 0.0)
    return chosen, np.array([*starts, top])
