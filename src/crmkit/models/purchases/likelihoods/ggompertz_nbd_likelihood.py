"""Gamma-Gompertz/NBD likelihood of a table of customers, with derivatives.

`log_terms` and `pair_terms` take an alpha and a beta for all pairs or one for each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import Real
from crmkit.models.numerics.grouped_sums import ByGroup, GroupedLikelihood, of_group, summed
from crmkit.models.purchases.likelihoods.dropout_anytime_sums import DropoutSums, Weight
from crmkit.models.purchases.likelihoods.ggompertz_dropout_integral import (
    dropout_first_derivatives,
    log_dropout_first,
)
from crmkit.models.purchases.likelihoods.ggompertz_lifetime import beta_at_age, log_survival

_UPPER = np.triu_indices(4)


class WeightWithHessian(NamedTuple):
    """Log weight of each pair, with gradient and Hessian by the five log parameters."""

    log: Floats
    slopes: Floats
    curvatures: Floats


class GGompertzNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, b, s, beta.

    `group` is the group of each row, numbered from 0; each group has its own alpha and beta.
    Without it all customers are one group.
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
        self._sums = DropoutSums(x, t_x, T, weights, group=group)

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group, all of which share r, b and s."""
        parameters, of = np.exp(log_parameters), self._sums
        r, b, s = parameters[[0, 2, 3], 0].tolist()
        alpha, beta = of_group(parameters[[1, 4]], of.group)
        stay, dropout = pair_terms(of.x, of.t, r=r, alpha=alpha, b=b, s=s, beta=beta)
        weights = Weight(stay.log, stay.slopes), Weight(dropout.log, dropout.slopes)
        value, of_stay, of_dropout, hessian = of(*weights)
        pairs = of.group, of.n_groups
        gradient = summed(stay.slopes, of_stay, *pairs) + summed(dropout.slopes, of_dropout, *pairs)
        hessian += summed(stay.curvatures, of_stay, *pairs) + summed(
            dropout.curvatures, of_dropout, *pairs
        )
        rising, rising_r, rising_rr = of.bought(parameters[0])
        gradient[0] += r * rising_r
        hessian[0, 0] += r * rising_r + r * r * rising_rr
        return value + rising, gradient, hessian


def log_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[Floats, Floats]:
    """Log weight of survival to t, up to a gamma function, and log q, for each pair."""
    left = log_dropout_first(r + x, s, np.log(b * (alpha + t)), np.log(beta_at_age(t, b, beta)))
    return _log_survival_weight(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta), left


def pair_terms(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> tuple[WeightWithHessian, WeightWithHessian]:
    """Weights of survival to t and of dropout before the next purchase, with derivatives."""
    log_a = np.log(b * (alpha + t))
    later = beta_at_age(t, b, beta)
    q = dropout_first_derivatives(r + x, s, log_a, np.log(later))
    # By log(alpha), log(alpha + t) has the slope new; by log(beta) and log(b), log B has the
    # slopes young and worn * kept, and the log of survival for s = 1 has young - 1 and -worn.
    new = alpha / (alpha + t)
    young = beta * np.exp(-b * t) / later
    aged = -np.expm1(-b * t) / later
    worn = b * t / later
    kept = (1 - np.asarray(beta)) * np.exp(-b * t)
    log_still = log_survival(t, b=b, s=1.0, beta=beta)
    shape = (5, len(x))
    stay = WeightWithHessian(
        _log_survival_weight(x, t, r=r, alpha=alpha, b=b, s=s, beta=beta),
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
    _put(stay.curvatures, 0, 0, stay.slopes[0])
    _put(stay.curvatures, 0, 1, r * t / (alpha + t))
    _put(stay.curvatures, 1, 1, -(r + x) * new * t / (alpha + t))
    _put(stay.curvatures, 2, 2, -s * worn * (1 - worn * kept))
    _put(stay.curvatures, 2, 3, stay.slopes[2])
    _put(stay.curvatures, 2, 4, s * worn * young)
    _put(stay.curvatures, 3, 3, stay.slopes[3])
    _put(stay.curvatures, 3, 4, stay.slopes[4])
    _put(stay.curvatures, 4, 4, -s * young * aged)
    return stay, _dropout(q, r=r, s=s, new=new, young=young, aged=aged, worn=worn, kept=kept)


def _dropout(
    q: Floats,
    *,
    r: float,
    s: float,
    new: Floats,
    young: Floats,
    aged: Floats,
    worn: Floats,
    kept: Floats,
) -> WeightWithHessian:
    """Gradient and Hessian of log q by the log parameters, from those by R, s, log A and log B."""
    n_pairs = q.shape[1]
    by = np.zeros((4, 5, n_pairs))
    by[0, 0], by[1, 3] = r, s
    by[2, 1], by[2, 2] = new, 1.0
    by[3, 2], by[3, 4] = worn * kept, young
    second = np.empty((4, 4, n_pairs))
    second[_UPPER] = q[5:]
    second[_UPPER[::-1]] = q[5:]
    curvatures = np.einsum("iap,ijp,jbp->abp", by, second, by, optimize=True)
    curvatures[0, 0] += r * q[1]
    curvatures[1, 1] += q[3] * new * (1 - new)
    curvatures[2, 2] += q[4] * worn * kept * (1 - worn)
    curvatures[3, 3] += s * q[2]
    curvatures[4, 4] += q[4] * young * aged
    _put(curvatures, 2, 4, curvatures[2, 4] - q[4] * young * worn)
    return WeightWithHessian(q[0], np.einsum("ip,iap->ap", q[1:5], by), curvatures)


def _put(curvatures: Floats, i: int, j: int, values: Floats) -> None:
    """Set a second derivative on both sides of the diagonal."""
    curvatures[i, j] = curvatures[j, i] = values


def _log_survival_weight(
    x: Floats, t: Floats, *, r: float, alpha: Real, b: float, s: float, beta: Real
) -> Floats:
    """Log weight of survival to an age with x purchases, up to a gamma function."""
    bought = r * np.log1p(t / alpha) + x * np.log(alpha + t)
    return log_survival(t, b=b, s=s, beta=beta) - bought
