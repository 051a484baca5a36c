"""Log-likelihood of one table for many parameter draws at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import log_expit

from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.gamma_ratio import log_poch
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase
from crmkit.models.purchases.likelihoods.pareto_dropout_integral import log_dropout_first_of_draws
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

    Works for any model; models that share work between draws register their own version.

    Parameters
    ----------
    model
        The model; parameters not in `names` are kept.
    points
        Parameter draws, a row each, in the order of `names`.
    names
        Names of the parameters.
    columns, weights
        The data, a row for each distinct history, and the number of customers of each.
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
    """Gamma functions and logs once per distinct x, t_x and T, for blocks of draws."""
    if model.arrivals_per_purchase > 1 or names != ("r", "alpha", "a", "b"):
        generic = log_likelihoods.dispatch(object)
        return generic(model, points, names=names, columns=columns, weights=weights)
    (counts, of_count), (lasts, of_last), (ages, of_age) = map(distinct, columns)
    occasions = counts + 1 if model.dropout_after_first else counts
    n_of_count, n_of_age = np.bincount(of_count, weights), np.bincount(of_age, weights)
    x_of_age = np.bincount(of_age, weights * columns[0])
    exposed = (occasions > 0)[of_count]
    n = weights[exposed]
    of_count, of_last, of_age = of_count[exposed], of_last[exposed], of_age[exposed]

    def totals(block: Floats) -> Floats:
        r, alpha, a, b = block.T[:, :, np.newaxis]
        log_age, log_last = np.log1p(ages / alpha), np.log1p(lasts / alpha)
        stayed = log_poch(r, counts) + log_poch(b, occasions) - log_poch(a + b, occasions)
        since = (r * log_age) @ n_of_age + (np.log(alpha) + log_age) @ x_of_age
        inactivity = log_last[:, of_last] - log_age[:, of_age]
        at_last = np.log((b + np.maximum(occasions - 1, 0)) / a)
        log_odds_alive = at_last[:, of_count] + (r + counts)[:, of_count] * inactivity
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
    """Costly terms once per distinct age, x and pair of them, for blocks of draws.

    Accurate to seven digits of each customer's log-likelihood: enough for importance weights, not
    for finite differences, which ask for few points and use the generic version.
    """
    if names != ("r", "alpha", "s", "beta") or len(points) < _MANY:
        generic = log_likelihoods.dispatch(object)
        return generic(model, points, names=names, columns=columns, weights=weights)
    x, t_x, T = columns
    counts, of_count = distinct(x)
    n_of_count = np.bincount(of_count, weights)
    ages, of_age = distinct(np.append(t_x, T))
    pairs, of_row = distinct((np.tile(of_count, 2) * len(ages) + of_age).astype(np.float64))
    pair_x, pair_age = np.divmod(pairs.astype(np.int64), len(ages))
    last, end = np.split(of_row, 2)

    def totals(block: Floats) -> Floats:
        r, alpha, s, beta = block.T[:, :, np.newaxis]
        log_buying, log_dropout = np.log(alpha + ages), np.log(beta + ages)
        buying = log_buying[:, pair_age]
        drops_out = log_dropout_first_of_draws(
            counts,
            pair_x,
            buying - log_dropout[:, pair_age],
            r=r[:, 0],
            s=s[:, 0],
        )
        stay = (r * np.log(alpha) + s * np.log(beta) - r * log_buying - s * log_dropout)[
            :, pair_age
        ]
        stay -= counts[pair_x] * buying
        buys = np.log(np.maximum(-np.expm1(drops_out), _TINIEST))
        left, stayed = (stay + drops_out)[:, last], (stay + buys)[:, end]
        return log_poch(r, counts) @ n_of_count + np.logaddexp(left, stayed) @ weights

    n_blocks = 1 + len(points) * len(weights) // _CELLS_AT_ONCE
    return np.concatenate([totals(block) for block in np.array_split(points, n_blocks)])
