r"""What customers alive may still bring, for many of them who may all have own parameters.

One who is alive buys at a rate from Gamma(shape, scale) and leaves with a probability from
Beta(a, b + n) after n occasions. For one shape and one n, and where a + b is the same for all,
what such customers bring is a smooth function of log scale and of the log odds a / b. So it is
computed for a few of these and interpolated between them, where customers are many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.beta_quadrature import beta_rule
from crmkit.models.numerics.distinct import distinct_pairs
from crmkit.models.numerics.interpolation import interpolated
from crmkit.models.purchases.future_purchases import mean_purchases

Purchases = Callable[[float], Floats]
"""Purchases expected within so many days."""

Total = Callable[[Purchases, float], Floats]
"""What purchases come to, given also the days in which the first of them bends."""

_ROWS_AT_ONCE = 2**13


class Alive(NamedTuple):
    """What is known of customers who are alive, a number for each.

    Attributes
    ----------
    shape, scale
        Of the distribution of their rates.
    a, b
        Of the probability of leaving among customers who come new. Their sum is the same for all.
    occasions
        To leave, so far; those of one shape have the same number.
    """

    shape: Floats
    scale: Floats
    a: Floats
    b: Floats
    occasions: Floats

    def at(self, rows: Codes | slice) -> Alive:
        """Look at some of them."""
        return Alive(*(column[rows] for column in self))


def brought(alive: Alive, total: Total, *, longest: float, k: int, stage: int) -> Floats:
    """Give the total for each, of which no purchase is further ahead than `longest` days.

    Every k-th arrival is a purchase, and `stage` came since the last one.
    """
    if k > 1 or not len(alive.shape):
        return one_by_one(alive, total, longest=longest, k=k, stage=stage)
    shapes, first, kind = np.unique(alive.shape, return_index=True, return_inverse=True)
    occasions, whole = alive.occasions[first], float((alive.a + alive.b).mean())

    def exact(kind: Codes, log_scale: Floats, log_odds: Floats) -> Floats:
        share = expit(log_odds), expit(-log_odds)
        points = Alive(
            shapes[kind], np.exp(log_scale), whole * share[0], whole * share[1], occasions[kind]
        )
        return one_by_one(points, total, longest=longest, k=k, stage=stage)

    found, alone = interpolated(exact, kind, np.log(alive.scale), np.log(alive.a) - np.log(alive.b))
    found[alone] = one_by_one(alive.at(alone), total, longest=longest, k=k, stage=stage)
    return found


def one_by_one(alive: Alive, total: Total, *, longest: float, k: int, stage: int) -> Floats:
    """Give the same without interpolation: at once for distinct histories, which are few."""
    found = np.empty(len(alive.shape))
    for start in range(0, len(found), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        some = alive.at(rows)
        purchases = purchases_of(some, longest=longest, k=k, stage=stage)
        found[rows] = total(purchases, float((some.scale / (some.shape + 1)).min()))
    return found


def purchases_of(
    alive: Alive, *, longest: float, k: int, stage: int
) -> Callable[[float | Floats], Floats]:
    """Give what they are expected to buy as a function of the days ahead, up to the longest."""
    after = alive.b + alive.occasions
    a, b, of_row = distinct_pairs(alive.a, after)
    # 1 / p where leaving with probability p begins to cost purchases.
    steepness = np.zeros(len(a))
    np.maximum.at(steepness, of_row, np.maximum(alive.shape + k - 1, 1) / alive.scale)
    nodes, weights = beta_rule(a, b, steepness=longest * steepness)

    def within(days: float | Floats) -> Floats:
        z, beta = days / alive.scale, (alive.a, after)
        return mean_purchases(nodes, weights, of_row, alive.shape, z, beta=beta, k=k, stage=stage)

    return within
