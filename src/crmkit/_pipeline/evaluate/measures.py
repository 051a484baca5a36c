"""How well a ranking does: area under the ROC curve, money in the top tenth, calibration.

Customers of equal score share their place: each order among them is as likely as the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.roc import area_of_groups

Floats: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.int64]

TOP: Final = 0.1
_BINS: Final = 10
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Ranked:
    """Place of each customer, 0 for the highest score, and the number of places."""

    place: Places
    n_places: int

    def sums(self, values: Floats) -> Floats:
        """Sum values by place."""
        return np.bincount(self.place, values, self.n_places).astype(float)


def ranked(score: Floats) -> Ranked:
    """Rank by score, the highest first; equal scores share a place, unknown ones are last."""
    known = np.where(np.isnan(score), -np.inf, _steady(score))
    distinct, index = np.unique(known, return_inverse=True)
    return Ranked((len(distinct) - 1 - index).astype(np.int64), len(distinct))


def auc(ranking: Ranked, outcome: Floats, weight: Floats) -> float:
    """Area under the ROC curve: how often one with the outcome ranks above one without.

    Ties count by half. NaN where all or none have the outcome.
    """
    yes, no = ranking.sums(weight * outcome), ranking.sums(weight * (1 - outcome))
    return area_of_groups(yes, no)


def captured(ranking: Ranked, money: Floats, weight: Floats) -> float:
    """Share of the money that the tenth ranked first has, at least one customer; NaN of none.

    Of customers who share the last place in it, each counts in part.
    """
    n, held = ranking.sums(weight), ranking.sums(weight * money)
    if not held.sum() > 0:
        return float("nan")
    first = max(round(TOP * float(n.sum())), 1)
    taken = np.clip(first - (np.cumsum(n) - n), 0, n)
    part = np.divide(taken, n, out=np.zeros_like(n), where=n > 0)
    return float(held @ part / held.sum())


def brier(risk: Floats, outcome: Floats) -> float:
    """Mean square of probability less outcome (Brier 1950); 0 is perfect."""
    return float(np.mean((risk - outcome) ** 2))


def risk_error(risk: Floats, outcome: Floats) -> float:
    """Mean distance of said and happened over ten groups of like risk."""
    order = np.argsort(_steady(risk), kind="stable")
    groups = [each for each in np.array_split(order, _BINS) if len(each)]
    return float(np.mean([abs(risk[each].mean() - outcome[each].mean()) for each in groups]))


def _steady(values: Floats) -> Floats:
    """Round to ten digits: engines add in other orders, which must not break ties."""
    size = np.abs(values)
    usual = np.isfinite(values) & (size > 0)
    exponent = np.floor(np.log10(size, out=np.zeros_like(size), where=usual))
    scale = 10.0 ** np.clip(_DIGITS - 1 - exponent, -300, 300)
    rounded: Floats = np.where(usual, np.rint(values * scale) / scale, values)
    return rounded
