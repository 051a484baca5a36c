"""How well a score ranks: ROC AUC, average precision, lift, all with ties and weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit._door.frames import Floats
from crmkit.models.numerics.roc import area_of_groups


class Ranked(NamedTuple):
    """Distinct scores, falling, with the weight of those who left and who stayed at each."""

    score: Floats
    left: Floats
    stayed: Floats


def ranked(churned: Floats, score: Floats, weight: Floats | None = None) -> Ranked:
    """Group customers by score, the highest first."""
    weight = np.ones(len(churned)) if weight is None else weight
    distinct, group = np.unique(-np.asarray(score, dtype=float), return_inverse=True)
    left = np.bincount(group, weight * churned, minlength=len(distinct)).astype(float)
    every = np.bincount(group, weight, minlength=len(distinct)).astype(float)
    return Ranked(-distinct, left, every - left)


def roc_auc(churned: Floats, score: Floats) -> float:
    """Probability that one who left has a higher score than one who stayed; ties count half."""
    return auc_of(ranked(churned, score))


def auc_of(found: Ranked) -> float:
    """ROC AUC of grouped scores."""
    return area_of_groups(found.left, found.stayed)


def average_precision_of(found: Ranked) -> float:
    """Mean precision over those who left, a group of equal scores at its end."""
    taken = np.cumsum(found.left + found.stayed)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, np.cumsum(found.left) / taken, 0.0)
        return float((precision * found.left).sum() / found.left.sum())


def left_within(found: Ranked, share: Floats) -> Floats:
    """Weight of those who left among the first; of a group that is cut, a part in proportion."""
    every = found.left + found.stayed
    taken = np.concatenate([[0.0], np.cumsum(every)])
    gone = np.concatenate([[0.0], np.cumsum(found.left)])
    within: Floats = np.interp(np.asarray(share) * taken[-1], taken, gone)
    return within


def lift_of(found: Ranked, share: float) -> float:
    """Churn rate of the share with the highest scores over that of all."""
    gone = float(left_within(found, np.array([share]))[0])
    total = float((found.left + found.stayed).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.float64(gone) / (share * total) / (found.left.sum() / total))
