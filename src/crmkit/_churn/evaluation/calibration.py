"""Whether probabilities hold: log loss, Brier score, calibration slope, intercepts and error."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit._churn.model.blend import expit, logit
from crmkit._door.frames import Floats

_ROUNDS: Final = 50
_LEAST: Final = 1e-15
_EXACT: Final = 1e-12
_NEAR: Final = 1e-6


class Line(NamedTuple):
    """Log odds of the outcome as a line in those stated (Cox 1958)."""

    slope: float
    intercept: float
    """With the slope free."""
    in_the_large: float
    """With the slope held at 1."""


def log_loss(churned: Floats, stated: Floats, weight: Floats) -> float:
    """Mean of -log of the probability of what happened."""
    held = np.clip(stated, _LEAST, 1 - _LEAST)
    return _mean(-np.log(np.where(churned > 0, held, 1 - held)), weight)


def brier(churned: Floats, stated: Floats, weight: Floats) -> float:
    """Mean squared difference of probability and outcome."""
    return _mean((stated - churned) ** 2, weight)


def line(churned: Floats, stated: Floats, weight: Floats) -> Line:
    """Fit the line by maximum likelihood; NaN where it runs away or all have one probability."""
    odds = logit(stated)
    shift = _newton(np.ones((len(odds), 1)), odds, churned, weight)
    if np.ptp(odds) == 0:
        return Line(float("nan"), float("nan"), float(shift[0]))
    both = _newton(np.column_stack([np.ones(len(odds)), odds]), 0.0 * odds, churned, weight)
    return Line(float(both[1]), float(both[0]), float(shift[0]))


def bins_of(stated: Floats, n: int) -> npt.NDArray[np.int64]:
    """Divide customers into groups of as many each, by probability; equal ones stay together."""
    edges = np.quantile(stated, np.arange(1, n) / n)
    return np.searchsorted(edges, stated, side="left")


def expected_error(
    churned: Floats, stated: Floats, weight: Floats, group: npt.NDArray[np.int64]
) -> float:
    """Mean distance of stated and actual churn rate over groups, by their number of customers."""
    apart = np.bincount(group, weight * (churned - stated))
    return float(np.abs(apart).sum() / weight.sum())


def _newton(columns: Floats, offset: Floats, churned: Floats, weight: Floats) -> Floats:
    """Fit a logistic regression of one or two columns."""
    found: Floats = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        p = expit(offset + columns @ found)
        slope = columns.T @ (weight * (churned - p))
        bend = (columns * (weight * p * (1 - p))[:, np.newaxis]).T @ columns
        try:
            step = np.linalg.solve(bend, slope)
        except np.linalg.LinAlgError:
            return np.full(len(found), np.nan)
        found = found + np.clip(step, -5, 5)
        if np.abs(step).max() < _EXACT:
            return found
    return found if np.abs(step).max() < _NEAR else np.full(len(found), np.nan)


def _mean(values: Floats, weight: Floats) -> float:
    return float((weight * values).sum() / weight.sum())
