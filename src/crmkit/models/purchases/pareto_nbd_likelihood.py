"""The Pareto/NBD likelihood of a table of customers, with its derivatives."""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.grouped_sums import ByGroup, GroupedLikelihood, own, summed
from crmkit.models.purchases.dropout_anytime_sums import Silences, Weight
from crmkit.models.purchases.pareto_dropout_integral import leaving_first_derivatives


class ParetoNBDLikelihood(GroupedLikelihood):
    """Total log-likelihood with its derivatives by the logs of r, alpha, s, beta.

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
        """Value, gradient and Hessian of each group, all of which share r and s."""
        parameters, of = np.exp(log_parameters), self._silences
        x, t, pairs = of.x, of.t, (of.group, of.n_groups)
        r, alpha, s, beta = own(parameters, of.group)
        log_ratio = np.log((alpha + t) / (beta + t))
        q = leaving_first_derivatives(
            x, log_ratio, r=float(parameters[0, 0]), s=float(parameters[2, 0])
        )
        # By log(alpha) and log(beta), log(alpha + t) has the slopes new, log(beta + t) young.
        new, old, young, aged = (part / (z + t) for z in (alpha, beta) for part in (z, t))
        r_log, s_log = r * np.log1p(t / alpha), s * np.log1p(t / beta)
        stay = Weight(
            -r_log - x * np.log(alpha + t) - s_log,
            np.stack([-r_log, r * old - x * new, -s_log, s * aged]),
        )
        leave = Weight(q[0], np.stack([r * q[1], new * q[3], s * q[2], -young * q[3]]))
        value, of_stay, of_leave, hessian = of(stay, leave)

        rising, rising_r, rising_rr = of.bought(parameters[0])
        gradient = summed(stay.slopes, of_stay, *pairs) + summed(leave.slopes, of_leave, *pairs)
        r, _, s, _ = parameters
        gradient[0] += r * rising_r

        def bends(by: int, along: Floats) -> Floats:
            """Sum a second derivative of log q: by RR, Rs, Ry, ss, sy or yy."""
            return summed(q[4 + by] * along, of_leave, *pairs)

        one = np.ones_like(t)
        upper = np.zeros_like(hessian)
        upper[0, 0] = gradient[0] + r * r * (bends(0, one) + rising_rr)
        upper[0, 1] = r * (summed(old, of_stay, *pairs) + bends(2, new))
        upper[0, 2] = r * s * bends(1, one)
        upper[0, 3] = -r * bends(2, young)
        q_y = of_leave * q[3]
        upper[1, 1] = summed(new * old, q_y - of_stay * (own(r, pairs[0]) + x), *pairs)
        upper[1, 1] += bends(5, new**2)
        upper[1, 2] = s * bends(4, new)
        upper[1, 3] = -bends(5, new * young)
        upper[2, 2] = gradient[2] + s * s * bends(3, one)
        upper[2, 3] = s * (summed(aged, of_stay, *pairs) - bends(4, young))
        upper[3, 3] = summed(young * aged, -q_y - of_stay * own(s, pairs[0]), *pairs)
        upper[3, 3] += bends(5, young**2)
        for i, j in zip(*np.triu_indices(4, k=1), strict=True):
            upper[j, i] = upper[i, j]
        return rising + value, gradient, hessian + upper
