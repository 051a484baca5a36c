r"""What one who is alive will still buy, if every k-th arrival is a purchase to leave after.

With rate and p known, j arrivals since the last purchase and N arrivals to come, one who stayed
would make :math:`M = \lfloor (j + N) / k \rfloor` purchases, and who leaves with probability p
after each expects

.. math::

    E \sum_{n \ge 1} (1 - p)^{n - 1} P(M \ge n) = \frac{1 - E (1 - p)^M}{p}.

The left side is a sum of positive terms, exact but long where many purchases are ahead. On the
right, the powers :math:`u = (1 - p)^{1/k} e^{2 \pi i l / k}`, l = 0, ..., k - 1, sort out every
k-th arrival, and for a rate that varies as Gamma(shape, scale), with z = days / scale,

.. math::

    E (1 - p)^M = \frac{p}{k} \sum_u \frac{u^{j + 1 - k}}{1 - u} (1 + z (1 - u))^{-\text{shape}},

which is short but loses digits where hardly any purchase is ahead. Each is used where it is good.
For k = 1 it is :math:`(1 - (1 + p z)^{-\text{shape}}) / p`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import log_rising
from crmkit.models.numerics.negative_binomial import at_least, exactly

_NODES_AT_ONCE = 2**16

_RARE = 1e-4
"""Below this probability of any purchase, the sum over purchases is taken."""

_LONGEST_TAIL = 0.8
"""Unless its terms fall more slowly than by this factor."""

_NEARLY_ALL_LEAVE = 0.05
"""Below this 1 - p the sum over purchases needs a dozen terms, and the roots lose digits."""

_A_DOZEN = 12


def stage_weights(k: int, shape: Floats, share: Floats) -> Floats:
    """Weight of 0, ..., k - 1 arrivals since the last purchase, a row each; 1 for none.

    `share` is the time since the last purchase divided by the scale of the rate, that time
    included.
    """
    weights = np.ones((k, len(shape)))
    for j in range(1, k):
        weights[j] = weights[j - 1] * (shape + (j - 1)) / j * share
    return weights


def mean_purchases(
    nodes: Floats,
    weights: Floats,
    of_row: Codes,
    shape: Floats,
    z: Floats,
    *,
    beta: tuple[Floats, Floats],
    k: int,
    stage: int,
) -> Floats:
    """Purchases expected of those alive, `stage` arrivals after their last purchase.

    `nodes` and `weights` hold a rule for the mean over p for each `of_row`; `beta` is the
    distribution that the rule stands for, by row.
    """
    rare = _are_rare(shape, z, k=k, stage=stage)
    means = np.empty(len(shape))
    a, b = beta
    if rare.any():
        means[rare] = _summed(shape[rare], z[rare], beta=(a[rare], b[rare]), k=k, stage=stage)
    (often,) = np.nonzero(~rare)
    n_rows = max(_NODES_AT_ONCE // nodes.shape[1], 1)
    for start in range(0, len(often), n_rows):
        rows = often[start : start + n_rows]
        ahead = _by_roots(nodes[of_row[rows]], shape[rows], z[rows], k=k, stage=stage)
        means[rows] = (weights[of_row[rows]] * ahead).sum(axis=1)
    return means


def count_distribution(
    shape: Floats, z: Floats, *, most: int, beta: tuple[Floats, Floats], k: int, stage: int
) -> Floats:
    """Probability of 0, ..., `most` purchases of those alive: a row per shape.

    One makes n purchases by leaving after the n-th, or by staying while no more fit in.
    """
    a, b = (each[:, np.newaxis] for each in beta)
    shape, z = shape[:, np.newaxis], z[:, np.newaxis]
    n = np.arange(most + 1.0)
    earlier = np.maximum(n - 1, 0)
    leaves = a * np.exp(log_rising(b, earlier) - log_rising(a + b, n))
    stays = np.exp(log_rising(b, n) - log_rising(a + b, n))
    fit_in = sum(
        np.where(arrivals >= 0, exactly(np.maximum(arrivals, 0), shape, z), 0.0)
        for arrivals in (k * n - stage + more for more in range(k))
    )
    leaving = np.where(n > 0, leaves * at_least(k * n - stage, shape, z), 0.0)
    distribution: Floats = leaving + stays * fit_in
    return distribution


def _are_rare(shape: Floats, z: Floats, *, k: int, stage: int) -> npt.NDArray[np.bool_]:
    """Tell where purchases are better summed one by one."""
    if k == 1:
        return np.zeros(len(shape), np.bool_)
    return (at_least(k - stage, shape, z) < _RARE) & (z / (1 + z) < _LONGEST_TAIL)


def _summed(shape: Floats, z: Floats, *, beta: tuple[Floats, Floats], k: int, stage: int) -> Floats:
    """Sum the probability of each purchase; its terms fall fast where purchases are rare."""
    a, b = beta
    slowest = (z / (1 + z)).max(initial=0.0)
    n_arrivals = 2 * k + 20 + (40 / -np.log(slowest) if slowest > 0 else 0)
    n = np.arange(1.0, np.ceil(n_arrivals / k) + 1)
    a, b, shape, z = (each[:, np.newaxis] for each in (a, b, shape, z))
    still_there = np.exp(log_rising(b, n - 1) - log_rising(a + b, n - 1))
    return (still_there * at_least(k * n - stage, shape, z)).sum(axis=1)


def _by_roots(p: Floats, shape: Floats, z: Floats, *, k: int, stage: int) -> Floats:
    """Take the mean over the rate in closed form, for each row's nodes p."""
    shape, z = shape[:, np.newaxis], z[:, np.newaxis]
    if k == 1:
        return -np.expm1(-shape * np.log1p(p * z)) / p
    few = 1 - p < _NEARLY_ALL_LEAVE
    log_w = np.log1p(-np.where(few, 0.5, p)) / k
    # (1 - w ** k) / (k (1 - w)) in a form that is right for small p too.
    rest = sum(np.expm1(i * log_w) for i in range(1, k)) / k
    log_first = np.log1p(rest) + (stage + 1 - k) * log_w
    total = -np.expm1(log_first - shape * np.log1p(-z * np.expm1(log_w))) / p
    w, scale = np.exp(log_w), np.exp((stage + 1 - k) * log_w) / k
    for root in range(1, k // 2 + 1):
        angle = 2 * np.pi * root / k
        unlike = 1 - w * np.exp(1j * angle)
        term = np.exp(1j * angle * (stage + 1) - shape * np.log(1 + z * unlike)) / unlike
        # The roots above k / 2 mirror those below.
        total -= (1 if 2 * root == k else 2) * scale * term.real
    if few.any():
        total = np.where(few, _nearly_all_leave(1 - p, shape, z, k=k, stage=stage), total)
    return total


def _nearly_all_leave(q: Floats, shape: Floats, z: Floats, *, k: int, stage: int) -> Floats:
    """Sum the first purchases of those who stay with a small probability q."""
    total = np.zeros_like(q)
    for n in range(_A_DOZEN, 0, -1):
        total = total * q + at_least(k * n - stage, shape, z)
    return total
