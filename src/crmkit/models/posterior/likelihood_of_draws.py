"""The log-likelihood of one table under many parameters at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import log_expit

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import log_rising
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase
from crmkit.models.purchases.pareto_dropout_integral import log_leaving_first_of_many
from crmkit.models.purchases.pareto_nbd import ParetoNBD

_CELLS_AT_ONCE = 2**16

_MANY = 50

_TINIEST = 1e-300


@singledispatch
def log_likelihoods(
    model: Any,  # noqa: ANN401 - a purchase or a spend model
    points: Floats,
    *,
    names: tuple[str, ...],
    columns: Sequence[Floats],
    weights: Floats,
) -> Floats:
    """Total log-likelihood of the table under each row of parameters.

    Any model will do; one that can share work between parameters registers how.

    Parameters
    ----------
    model
        Says which model; what is not named is kept as it is.
    points
        Parameters, a row for each set of them, in the order of `names`.
    names
        Which parameters those are.
    columns, weights
        The data, a row for each distinct history, and how many customers each row stands for.
    """
    totals = [
        weights @ replace(model, **dict(zip(names, point, strict=True))).log_likelihood(*columns)
        for point in points.tolist()
    ]
    return np.array(totals)


@log_likelihoods.register
def _of_dropout_after_purchase(
    model: DropoutAfterPurchase,
    points: Floats,
    *,
    names: tuple[str, ...],
    columns: Sequence[Floats],
    weights: Floats,
) -> Floats:
    """Take gamma functions and logs once per distinct x, t_x and T, for blocks of parameters."""
    if model.arrivals_per_purchase > 1 or names != ("r", "alpha", "a", "b"):
        one_by_one = log_likelihoods.dispatch(object)
        return one_by_one(model, points, names=names, columns=columns, weights=weights)
    (counts, of_count), (lasts, of_last), (ages, of_age) = map(distinct, columns)
    occasions = counts + 1 if model.may_leave_at_first else counts
    n_of_count, n_of_age = np.bincount(of_count, weights), np.bincount(of_age, weights)
    x_of_age = np.bincount(of_age, weights * columns[0])
    exposed = (occasions > 0)[of_count]
    n = weights[exposed]
    of_count, of_last, of_age = of_count[exposed], of_last[exposed], of_age[exposed]

    def totals(block: Floats) -> Floats:
        r, alpha, a, b = block.T[:, :, np.newaxis]
        log_age, log_last = np.log1p(ages / alpha), np.log1p(lasts / alpha)
        stayed = log_rising(r, counts) + log_rising(b, occasions) - log_rising(a + b, occasions)
        since = (r * log_age) @ n_of_age + (np.log(alpha) + log_age) @ x_of_age
        silence = log_last[:, of_last] - log_age[:, of_age]
        at_last = np.log((b + np.maximum(occasions - 1, 0)) / a)
        log_odds_alive = at_last[:, of_count] + (r + counts)[:, of_count] * silence
        return stayed @ n_of_count - since - log_expit(log_odds_alive) @ n

    n_blocks = 1 + len(points) * len(n) // _CELLS_AT_ONCE
    return np.concatenate([totals(block) for block in np.array_split(points, n_blocks)])


@log_likelihoods.register
def _of_pareto_nbd(
    model: ParetoNBD,
    points: Floats,
    *,
    names: tuple[str, ...],
    columns: Sequence[Floats],
    weights: Floats,
) -> Floats:
    """Take what is costly once per distinct age, x and pair of them, for blocks of parameters.

    That is right to seven digits of what each customer adds, which is plenty for weighing draws
    and too little for derivatives from differences, of which few points are asked.
    """
    if names != ("r", "alpha", "s", "beta") or len(points) < _MANY:
        one_by_one = log_likelihoods.dispatch(object)
        return one_by_one(model, points, names=names, columns=columns, weights=weights)
    x, t_x, T = columns
    counts, of_count = distinct(x)
    n_of_count = np.bincount(of_count, weights)
    ages, of_age = distinct(np.append(t_x, T))
    pairs, of_row = distinct((np.tile(of_count, 2) * len(ages) + of_age).astype(np.float64))
    pair_x, pair_age = np.divmod(pairs.astype(np.int64), len(ages))
    last, end = np.split(of_row, 2)

    def totals(block: Floats) -> Floats:
        r, alpha, s, beta = block.T[:, :, np.newaxis]
        log_buying, log_leaving = np.log(alpha + ages), np.log(beta + ages)
        buying = log_buying[:, pair_age]
        leaves = log_leaving_first_of_many(
            counts,
            pair_x,
            buying - log_leaving[:, pair_age],
            r=r[:, 0],
            s=s[:, 0],
        )
        stay = (r * np.log(alpha) + s * np.log(beta) - r * log_buying - s * log_leaving)[
            :, pair_age
        ]
        stay -= counts[pair_x] * buying
        buys = np.log(np.maximum(-np.expm1(leaves), _TINIEST))
        left, stayed = (stay + leaves)[:, last], (stay + buys)[:, end]
        return log_rising(r, counts) @ n_of_count + np.logaddexp(left, stayed) @ weights

    n_blocks = 1 + len(points) * len(weights) // _CELLS_AT_ONCE
    return np.concatenate([totals(block) for block in np.array_split(points, n_blocks)])
