"""Pareto/NBD likelihood of a table of customers, with derivatives."""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.grouped_sums import ByGroup, GroupedLikelihood, of_group, summed
from crmkit.models.purchases.likelihoods.dropout_anytime_sums import DropoutSums, Weight
from crmkit.models.purchases.likelihoods.pareto_dropout_integral import dropout_first_derivatives


class ParetoNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, s, beta.

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
        """Value, gradient and Hessian of each group, all of which share r and s."""
        parameters, of = np.exp(log_parameters), self._sums
        x, t, pairs = of.x, of.t, (of.group, of.n_groups)
        r, alpha, s, beta = of_group(parameters, of.group)
        log_ratio = np.log((alpha + t) / (beta + t))
        q = dropout_first_derivatives(
            x, log_ratio, r=float(parameters[0, 0]), s=float(parameters[2, 0])
        )
        # By log(alpha) and log(beta), log(alpha + t) has the slopes new, log(beta + t) young.
        new, old, young, aged = (part / (z + t) for z in (alpha, beta) for part in (z, t))
        r_log, s_log = r * np.log1p(t / alpha), s * np.log1p(t / beta)
        stay = Weight(
            -r_log - x * np.log(alpha + t) - s_log,
            np.stack([-r_log, r * old - x * new, -s_log, s * aged]),
        )
        dropout = Weight(q[0], np.stack([r * q[1], new * q[3], s * q[2], -young * q[3]]))
        value, of_stay, of_dropout, hessian = of(stay, dropout)

        rising, rising_r, rising_rr = of.bought(parameters[0])
        gradient = summed(stay.slopes, of_stay, *pairs) + summed(dropout.slopes, of_dropout, *pairs)
        r, _, s, _ = parameters
        gradient[0] += r * rising_r

        def curvatures(by: int, along: Floats) -> Floats:
            """Sum a second derivative of log q: by RR, Rs, Ry, ss, sy or yy."""
            return summed(q[4 + by] * along, of_dropout, *pairs)

        one = np.ones_like(t)
        upper = np.zeros_like(hessian)
        upper[0, 0] = gradient[0] + r * r * (curvatures(0, one) + rising_rr)
        upper[0, 1] = r * (summed(old, of_stay, *pairs) + curvatures(2, new))
        upper[0, 2] = r * s * curvatures(1, one)
        upper[0, 3] = -r * curvatures(2, young)
        q_y = of_dropout * q[3]
        upper[1, 1] = summed(new * old, q_y - of_stay * (of_group(r, pairs[0]) + x), *pairs)
        upper[1, 1] += curvatures(5, new**2)
        upper[1, 2] = s * curvatures(4, new)
        upper[1, 3] = -curvatures(5, new * young)
        upper[2, 2] = gradient[2] + s * s * curvatures(3, one)
        upper[2, 3] = s * (summed(aged, of_stay, *pairs) - curvatures(4, young))
        upper[3, 3] = summed(young * aged, -q_y - of_stay * of_group(s, pairs[0]), *pairs)
        upper[3, 3] += curvatures(5, young**2)
        for i, j in zip(*np.triu_indices(4, k=1), strict=True):
            upper[j, i] = upper[i, j]
        return rising + value, gradient, hessian + upper
