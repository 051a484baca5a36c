r"""Conditional expectations for many customers, each with their own parameters.

A customer alive buys at a rate from Gamma(shape, scale) and drops out with a probability from
Beta(a, b + n) after n opportunities. For one shape and one n, and the same a + b for all, the
expectation is a smooth function of log scale and of the log odds a / b. So it is computed at
Chebyshev points of these and interpolated, where customers are many.
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

ExpectedPurchases = Callable[[float], Floats]
"""Purchases expected within a number of days."""

Aggregate = Callable[[ExpectedPurchases, float], Floats]
"""Functional of expected purchases, such as their discounted sum; also gets the shortest time
scale."""

_ROWS_AT_ONCE = 2**13


class ActiveCustomers(NamedTuple):
    """Posterior of customers given alive, a value for each.

    Attributes
    ----------
    shape, scale
        Of the gamma distribution of their rates.
    a, b
        Of the beta prior of the dropout probability. Their sum is the same for all.
    occasions
        Dropout opportunities so far; the same for customers of one shape.
    """

    shape: Floats
    scale: Floats
    a: Floats
    b: Floats
    occasions: Floats

    def at(self, rows: Codes | slice) -> ActiveCustomers:
        """Subset of the customers."""
        return ActiveCustomers(*(column[rows] for column in self))


def conditional_expectation(
    alive: ActiveCustomers, total: Aggregate, *, longest: float, k: int, stage: int
) -> Floats:
    """Conditional expectation of `total` for each customer, interpolated where they are many.

    `longest` is the longest horizon that `total` asks for, in days. Every k-th arrival is a
    purchase, with `stage` arrivals since the last one.
    """
    if k > 1 or not len(alive.shape):
        return without_interpolation(alive, total, longest=longest, k=k, stage=stage)
    shapes, first, kind = np.unique(alive.shape, return_index=True, return_inverse=True)
    occasions, whole = alive.occasions[first], float((alive.a + alive.b).mean())

    def exact(kind: Codes, log_scale: Floats, log_odds: Floats) -> Floats:
        share = expit(log_odds), expit(-log_odds)
        points = ActiveCustomers(
            shapes[kind], np.exp(log_scale), whole * share[0], whole * share[1], occasions[kind]
        )
        return without_interpolation(points, total, longest=longest, k=k, stage=stage)

    found, alone = interpolated(exact, kind, np.log(alive.scale), np.log(alive.a) - np.log(alive.b))
    found[alone] = without_interpolation(alive.at(alone), total, longest=longest, k=k, stage=stage)
    return found


def without_interpolation(
    alive: ActiveCustomers, total: Aggregate, *, longest: float, k: int, stage: int
) -> Floats:
    """Conditional expectation of `total` by quadrature for each customer."""
    found = np.empty(len(alive.shape))
    for start in range(0, len(found), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        some = alive.at(rows)
        purchases = expected_purchases_of(some, longest=longest, k=k, stage=stage)
        found[rows] = total(purchases, float((some.scale / (some.shape + 1)).min()))
    return found


def expected_purchases_of(
    alive: ActiveCustomers, *, longest: float, k: int, stage: int
) -> Callable[[float | Floats], Floats]:
    """Purchases expected as a function of the days ahead, up to `longest`."""
    after = alive.b + alive.occasions
    a, b, of_row = distinct_pairs(alive.a, after)
    # 1 / p where a dropout probability p begins to matter.
    steepness = np.zeros(len(a))
    np.maximum.at(steepness, of_row, np.maximum(alive.shape + k - 1, 1) / alive.scale)
    nodes, weights = beta_rule(a, b, steepness=longest * steepness)

    def within(days: float | Floats) -> Floats:
        z, beta = days / alive.scale, (alive.a, after)
        return mean_purchases(nodes, weights, of_row, alive.shape, z, beta=beta, k=k, stage=stage)

    return within
