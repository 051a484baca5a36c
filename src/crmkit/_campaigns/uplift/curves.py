"""How well a score ranks by uplift: targeting curve, AUTOC, Qini, from effects per customer."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit._door.frames import Floats

_REPEATS: Final = 100


class Curve(NamedTuple):
    """At each share of customers contacted, the mean effect of these, and of all in total."""

    share: Floats
    effect: Floats
    """Mean effect of the customers contacted so far."""
    toc: Floats
    """The same, less the mean effect of all (targeting operator characteristic)."""
    gain: Floats
    """Sum of the effects so far, over the number of all customers."""


class Rank(NamedTuple):
    """Area under the targeting curve, plain and weighted by the share contacted."""

    autoc: float
    qini: float


def ipw_effects(outcome: Floats, arm: npt.NDArray[np.int64], chance: Floats) -> Floats:
    """Effect of each treatment on each customer, right on the average (inverse propensity).

    `arm` is 0 for the control group and k for treatment k; `chance` the probability of each arm.
    """
    is_control = (arm == 0) / chance[0]
    return np.column_stack(
        [outcome * ((arm == k) / chance[k] - is_control) for k in range(1, len(chance))]
    )


def doubly_robust_effects(
    outcome: Floats, treated: npt.NDArray[np.bool_], chance: float, without: Floats, with_: Floats
) -> Floats:
    """Effect on each customer, with forecasts of both outcomes to take out what they explain."""
    corrected = treated * (outcome - with_) / chance
    corrected -= ~treated * (outcome - without) / (1 - chance)
    return with_ - without + corrected


def with_ties_averaged(effect: Floats, score: Floats) -> Floats:
    """Put effects in the order of the score, the highest first; equal scores share their mean."""
    order = np.argsort(-score, kind="stable")
    ranked, sorted_score = effect[order], score[order]
    starts = np.concatenate([[True], np.diff(sorted_score) != 0])
    group = np.cumsum(starts) - 1
    means = np.bincount(group, ranked) / np.bincount(group)
    averaged: Floats = means[group]
    return averaged


def curve(effect: Floats, score: Floats) -> Curve:
    """The targeting curve of a score, one point per customer."""
    ranked = with_ties_averaged(effect, score)
    n = len(ranked)
    count = np.arange(1, n + 1)
    total = np.cumsum(ranked)
    mean = total / count
    return Curve(count / n, mean, mean - total[-1] / n, total / n)


def rank(effect: Floats, score: Floats) -> Rank:
    """AUTOC and Qini as Yadlowsky et al. (2025) define them: means of TOC and of share x TOC."""
    found = curve(effect, score)
    return Rank(float(found.toc.mean()), float((found.share * found.toc).mean()))


def standard_errors(effect: Floats, score: Floats, *, seed: int) -> Rank:
    """Standard errors of both, from halves of the customers drawn at random."""
    rng = np.random.default_rng(seed)
    n, half = len(effect), len(effect) // 2
    found = np.array(
        [
            rank(effect[mine], score[mine])
            for mine in (rng.choice(n, half, replace=False) for _ in range(_REPEATS))
        ]
    )
    # Half-samples scatter as much around the whole as the whole around the truth.
    autoc, qini = found.std(axis=0, ddof=1)
    return Rank(float(autoc), float(qini))
