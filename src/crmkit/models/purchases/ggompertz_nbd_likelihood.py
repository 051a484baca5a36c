"""The Gamma-Gompertz/NBD likelihood of a table of customers, with its derivatives.

`log_terms` and `pair_terms` take an alpha and a beta for all pairs or one for each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import Real
from crmkit.models.numerics.grouped_sums import ByGroup, GroupedLikelihood, own, summed
from crmkit.models.purchases.dropout_anytime_sums import Silences, Weight
from crmkit.models.purchases.ggompertz_dropout_integral import (
    leaving_first_derivatives,
    log_leaving_first,
)
from crmkit.models.purchases.ggompertz_lifetime import beta_at_age, log_stay

_UPPER = np.triu_indices(4)


class BentWeight(NamedTuple):
    """The log of a weight for each pair, its slopes and bends by the five log parameters."""

    log: Floats
    slopes: Floats
    bends: Floats


class GGompertzNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, b, s, beta.

    `group` numbers groups of customers from 0, each with an alpha and beta of its own; without
    it all customers are one.
    """

    def __init__(
        self,
        x: Floats,
        t_x: Floats,
        T: Floats,
        weights: Floats,
        *,
        group: Codes | None = None,
    ) -> None:
        self._silences = Silences(x, t_x, T, weights, group=group)

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group, all of which share r, b and s."""
        parameters, of = np.exp(log_parameters), self._silences
        r, b, s = parameters[[0, 2, 3], 0].tolist()
        alpha, beta = own(parameters[[1, 4]], of.group)
        stay, leave = pair_terms(of.x, of.t, r=r, alpha=alpha, b=b, s=s, beta=beta)
        weights = Weight(stay.log, stay.slopes), Weight(leave.log, leave.slopes)
        value, of_stay, of_leave, hessian = of(*weights)
        pairs = of.group, of.n_groups
        gradient = summed(stay.slopes, of_stay, *pairs) + summed(leave.slopes, of_leave, *pairs)
        hessian += summed(stay.bends, of_stay, *pairs) + summed(leave.bends, of_leave, *pairs)
        rising, rising_r, rising_rr = of.bought(parameters[0])
        gradient[0] += r * rising_r
        hessian[0, 0] += r * rising_r + r * r * rising_rr
        return value + rising, gradient, hessian


def log_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[Floats, Floats]:
    """Log weight of staying until t, up to a gamma function, and log q, for each pair."""
    left = log_leaving_first(r + x, s, np.log(b * (alpha + t)), np.log(beta_at_age(t, b, beta)))
    return _log_stay(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta), left


def pair_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[BentWeight, BentWeight]:
    """Weights of staying until t and of leaving before buying again, with derivatives."""
    log_a = np.log(b * (alpha + t))
    later = beta_at_age(t, b, beta)
    q = leaving_first_derivatives(r + x, s, log_a, np.log(later))
    # By log(alpha), log(alpha + t) has the slope new; by log(beta) and log(b), log B has the
    # slopes young and worn * kept, and the log of survival for s = 1 has young - 1 and -worn.
    new = alpha / (alpha + t)
    young = beta * np.exp(-b * t) / later
    aged = -np.expm1(-b * t) / later
    worn = b * t / later
    kept = (1 - np.asarray(beta)) * np.exp(-b * t)
    log_still = log_stay(t, b=b, s=1.0, beta=beta)
    shape = (5, len(x))
    stay = BentWeight(
        _log_stay(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta),
        np.zeros(shape),
        np.zeros((5, *shape)),
    )
    stay.slopes[:] = (
        -r * np.log1p(t / alpha),
        r * (1 - new) - x * new,
        -s * worn,
        s * log_still,
        s * aged,
    )
    _put(stay.bends, 0, 0, stay.slopes[0])
    _put(stay.bends, 0, 1, r * t / (alpha + t))
    _put(stay.bends, 1, 1, -(r + x) * new * t / (alpha + t))
    _put(stay.bends, 2, 2, -s * worn * (1 - worn * kept))
    _put(stay.bends, 2, 3, stay.slopes[2])
    _put(stay.bends, 2, 4, s * worn * young)
    _put(stay.bends, 3, 3, stay.slopes[3])
    _put(stay.bends, 3, 4, stay.slopes[4])
    _put(stay.bends, 4, 4, -s * young * aged)
    return stay, _leave(q, r=r, s=s, new=new, young=young, aged=aged, worn=worn, kept=kept)


def _leave(
    q: Floats,
    *,
    r: float,
    s: float,
    new: Floats,
    young: Floats,
    aged: Floats,
    worn: Floats,
    kept: Floats,
) -> BentWeight:
    """Differentiate log q by the log parameters, from what it is by R, s, log A and log B."""
    n_pairs = q.shape[1]
    by = np.zeros((4, 5, n_pairs))
    by[0, 0], by[1, 3] = r, s
    by[2, 1], by[2, 2] = new, 1.0
    by[3, 2], by[3, 4] = worn * kept, young
    second = np.empty((4, 4, n_pairs))
    second[_UPPER] = q[5:]
    second[_UPPER[::-1]] = q[5:]
    bends = np.einsum("iap,ijp,jbp->abp", by, second, by, optimize=True)
    bends[0, 0] += r * q[1]
    bends[1, 1] += q[3] * new * (1 - new)
    bends[2, 2] += q[4] * worn * kept * (1 - worn)
    bends[3, 3] += s * q[2]
    bends[4, 4] += q[4] * young * aged
    _put(bends, 2, 4, bends[2, 4] - q[4] * young * worn)
    return BentWeight(q[0], np.einsum("ip,iap->ap", q[1:5], by), bends)


def _put(bends: Floats, i: int, j: int, values: Floats) -> None:
    """Set a second derivative on both sides of the diagonal."""
    bends[i, j] = bends[j, i] = values


def _log_stay(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> Floats:
    """Log weight of staying until an age, having bought x times, up to a gamma function."""
    bought = r * np.log1p(t / alpha) + x * np.log(alpha + t)
    return log_stay(t, b=b, s=s, beta=beta) - bought
