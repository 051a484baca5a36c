"""Kaplan-Meier: the product limit, its intervals, quantiles and restricted mean."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.arrays import Flags, Floats

Interval = Literal["log-log", "log", "plain"]
INTERVALS: Final = ("log-log", "log", "plain")

_HALF: Final = 0.5
_EXACT: Final = 1e-12


class Mean(NamedTuple):
    """A restricted mean and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Survival after each distinct duration, and what it is made of."""

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_censored: Floats
    survival: Floats
    steps: Floats
    """Terms of Greenwood's sum, d / (n (n - d)); infinite where all at risk ended."""

    @property
    def error(self) -> Floats:
        """Greenwood's standard error; NaN where nobody is left."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.survival * np.sqrt(np.cumsum(self.steps)))

    def bounds(self, interval: Interval, *, level: float) -> tuple[Floats, Floats]:
        """Give both bounds of the interval at each duration; NaN where nobody is left."""
        z, s = NormalDist().inv_cdf((1 + level) / 2), self.survival
        spread = z * np.sqrt(np.cumsum(self.steps))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if interval == "plain":
                lower, upper = s - s * spread, s + s * spread
            elif interval == "log":
                lower, upper = s * np.exp(-spread), s * np.exp(spread)
            else:
                lower, upper = s ** np.exp(-spread / np.log(s)), s ** np.exp(spread / np.log(s))
        nobody_ended, nobody_left = s >= 1, s <= 0
        for bound in (lower, upper):
            bound[nobody_ended] = 1.0
            bound[nobody_left] = np.nan
        return np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)

    def at(self, times: Floats) -> Floats:
        """Give the survival after each of some durations."""
        position = np.searchsorted(self.time, times, side="right")
        return np.concatenate([[1.0], self.survival])[position]

    def restricted_mean(self, restricted_to: float) -> Mean:
        """Area under the curve up to a duration; NaN where the curve ends before."""
        if restricted_to > self.time[-1] and self.survival[-1] > 0:
            return Mean(np.nan, np.nan)
        inside = (self.time < restricted_to) & (self.n_event > 0)
        time, level = self.time[inside], self.survival[inside]
        width = np.diff(np.concatenate([[0.0], time, [restricted_to]]))
        pieces = width * np.concatenate([[1.0], level])
        after = np.cumsum(pieces[::-1])[::-1][1:]
        steps = np.where(np.isfinite(self.steps[inside]), self.steps[inside], 0.0)
        return Mean(float(pieces.sum()), float(np.sqrt((after**2 * steps).sum())))


def product_limit(duration: Floats, *, entry: Floats, event: Flags, n: Floats) -> Curve:
    """Estimate survival; whoever was first seen late is at risk from then on only."""
    time, place = np.unique(duration, return_inverse=True)
    ended = counted(place, n * event, into=time)
    left = counted(place, n, into=time)
    at_risk = n_from(duration, n, time) - n_from(entry, n, time)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(ended > 0, 1 - ended / at_risk, 1.0)
        steps = np.where(ended > 0, ended / (at_risk * (at_risk - ended)), 0.0)
    return Curve(time, at_risk, ended, left - ended, np.cumprod(factor, dtype=np.float64), steps)


def counted(place: npt.NDArray[Any], n: Floats, *, into: Floats) -> Floats:
    """Add up the numbers of those followed at each duration."""
    return np.bincount(place, weights=n, minlength=len(into)).astype(np.float64)


def n_from(values: Floats, n: Floats, times: Floats) -> Floats:
    """Count the values at or above each time."""
    order = np.argsort(values)
    below = np.concatenate([[0.0], np.cumsum(n[order])])
    return np.asarray(below[-1] - below[np.searchsorted(values[order], times, side="left")])


def median(time: Floats, survival: Floats) -> float:
    """First duration with a survival of at most one half, as R has it.

    Where the curve stays at exactly one half, it is the middle of that stretch; NaN where the
    curve does not come down so far.
    """
    reached = np.flatnonzero(survival <= _HALF + _EXACT)
    if not len(reached):
        return float("nan")
    first = reached[0]
    below = np.flatnonzero(survival < _HALF - _EXACT)
    if abs(survival[first] - _HALF) <= _EXACT and len(below):
        return float((time[first] + time[below[0]]) / 2)
    return float(time[first])
