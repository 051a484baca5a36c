r"""Future purchases of customers alive, if every k-th arrival is a purchase.

With rate and p known, j arrivals since the last purchase and N future arrivals, there are
:math:`M = \lfloor (j + N) / k \rfloor` purchases in the absence of dropout; with probability p of
dropout after each purchase, the expectation is

.. math::

    E \sum_{n \ge 1} (1 - p)^{n - 1} P(M \ge n) = \frac{1 - E (1 - p)^M}{p}.

The left side is a sum of positive terms, exact but long where many purchases are expected. On the
right, the roots :math:`u = (1 - p)^{1/k} e^{2 \pi i l / k}`, l = 0, ..., k - 1, select every k-th
arrival, and for a rate distributed as Gamma(shape, scale), with z = days / scale,

.. math::

    E (1 - p)^M = \frac{p}{k} \sum_u \frac{u^{j + 1 - k}}{1 - u} (1 + z (1 - u))^{-\text{shape}},

which is short but loses digits where purchases are rare. Each is used where it is accurate.
For k = 1 it is :math:`(1 - (1 + p z)^{-\text{shape}}) / p`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.gamma_ratio import log_poch
from crmkit.models.numerics.negative_binomial import at_least, pmf

_NODES_AT_ONCE = 2**16

_RARE = 1e-4
"""Below this probability of any purchase, the sum over purchases is used."""

_LONGEST_TAIL = 0.8
"""Largest ratio of successive terms for which the sum is used."""

_NEARLY_ALL_DROP_OUT = 0.05
"""Below this 1 - p, a dozen terms of the sum suffice, and the roots lose digits."""

_A_DOZEN = 12


def stage_weights(k: int, shape: Floats, share: Floats) -> Floats:
    """Weight of 0, ..., k - 1 arrivals since the last purchase, a row each; 1 for 0 arrivals.

    `share` is the time since the last purchase divided by the posterior scale of the rate.
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
    """Purchases expected if alive, `stage` arrivals after the last purchase.

    `nodes` and `weights` hold a quadrature rule over p, a row for each value of `of_row`; `beta`
    is the distribution of the rule, by row.
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
    """Probability of 0, ..., `most` purchases if alive: a row per shape.

    A customer makes n purchases by dropout after the n-th, or by survival with n in the horizon.
    """
    a, b = (each[:, np.newaxis] for each in beta)
    shape, z = shape[:, np.newaxis], z[:, np.newaxis]
    n = np.arange(most + 1.0)
    earlier = np.maximum(n - 1, 0)
    drops_out = a * np.exp(log_poch(b, earlier) - log_poch(a + b, n))
    stays = np.exp(log_poch(b, n) - log_poch(a + b, n))
    fit_in = sum(
        np.where(arrivals >= 0, pmf(np.maximum(arrivals, 0), shape, z), 0.0)
        for arrivals in (k * n - stage + more for more in range(k))
    )
    dropout = np.where(n > 0, drops_out * at_least(k * n - stage, shape, z), 0.0)
    distribution: Floats = dropout + stays * fit_in
    return distribution


def _are_rare(shape: Floats, z: Floats, *, k: int, stage: int) -> npt.NDArray[np.bool_]:
    """Whether the sum over purchases is the better form."""
    if k == 1:
        return np.zeros(len(shape), np.bool_)
    return (at_least(k - stage, shape, z) < _RARE) & (z / (1 + z) < _LONGEST_TAIL)


def _summed(shape: Floats, z: Floats, *, beta: tuple[Floats, Floats], k: int, stage: int) -> Floats:
    """Sum the probabilities of the purchases; the terms fall fast where purchases are rare."""
    a, b = beta
    slowest = (z / (1 + z)).max(initial=0.0)
    n_arrivals = 2 * k + 20 + (40 / -np.log(slowest) if slowest > 0 else 0)
    n = np.arange(1.0, np.ceil(n_arrivals / k) + 1)
    a, b, shape, z = (each[:, np.newaxis] for each in (a, b, shape, z))
    still_there = np.exp(log_poch(b, n - 1) - log_poch(a + b, n - 1))
    return (still_there * at_least(k * n - stage, shape, z)).sum(axis=1)


def _by_roots(p: Floats, shape: Floats, z: Floats, *, k: int, stage: int) -> Floats:
    """Mean over the rate in closed form, for each row's nodes p."""
    shape, z = shape[:, np.newaxis], z[:, np.newaxis]
    if k == 1:
        return -np.expm1(-shape * np.log1p(p * z)) / p
    few = 1 - p < _NEARLY_ALL_DROP_OUT
    log_w = np.log1p(-np.where(few, 0.5, p)) / k
    # (1 - w ** k) / (k (1 - w)) in a form that is accurate for small p too.
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
        total = np.where(few, _nearly_all_drop_out(1 - p, shape, z, k=k, stage=stage), total)
    return total


def _nearly_all_drop_out(q: Floats, shape: Floats, z: Floats, *, k: int, stage: int) -> Floats:
    """Sum over the first purchases for a small survival probability q."""
    total = np.zeros_like(q)
    for n in range(_A_DOZEN, 0, -1):
        total = total * q + at_least(k * n - stage, shape, z)
    return total
