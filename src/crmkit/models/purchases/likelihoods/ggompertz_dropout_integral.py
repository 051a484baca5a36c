r"""Probability of dropout before the next purchase, for a hazard that grows with age.

A customer active at age t, after x purchases, buys next at a rate drawn from
Gamma(R, alpha + t) with R = r + x, and survives u more days with probability
:math:`(1 + (e^{b u} - 1) / B)^{-s}`, where B is the beta of that age. With
:math:`A = b (\alpha + t)` and :math:`p = \log((e^{b u} - 1) / B)` the probability that dropout
comes first is

.. math::

    q = s \int_{-\infty}^{\infty} (1 + e^p)^{-(s + 1)} \, e^p
        \left(1 + \frac{\log(1 + B e^p)}{A}\right)^{-R} dp.

Whatever the parameters, the integrand has no singularity within :math:`\pi` of the real line and
no peak narrower than 1, and both of its tails are exponential. So the trapezoidal rule has all
digits, once the nodes in the tails move apart. Nothing overflows, and where b is so small that
the hazard does not depend on age, only A / B matters, as in the Pareto/NBD.

Derivatives are taken under the integral: those of log q are means and covariances of those of
the log integrand.
"""

from __future__ import annotations

import math

import numpy as np

from crmkit.models.numerics.arrays import Floats
from crmkit.models.purchases.likelihoods.ggompertz_lifetime import log_expm1, softplus

_N_DERIVATIVES = 15
"""Log q, four first and ten second derivatives."""

_STEP = 0.3
_CUT_OFF = 35.0
"""The integral is taken as far as its integrand exceeds exp(-35) = 6e-16 of its peak."""

_ROWS_AT_ONCE = 256
"""Rows of a block, each of some 60 nodes, that fits a processor's cache."""


def log_dropout_first(shape: Floats, s: float, log_a: Floats, log_b: Floats, /) -> Floats:
    """Log of q for each R, log A and log B."""
    return _by_blocks(shape, s, log_a, log_b, n_columns=1)[0]


def dropout_first_derivatives(shape: Floats, s: float, log_a: Floats, log_b: Floats, /) -> Floats:
    """Log of q with its derivatives, a row for each.

    The rows are log q, its first derivatives by R, s, log A and log B, then the second ones by
    RR, Rs, RA, RB, ss, sA, sB, AA, AB and BB.
    """
    return _by_blocks(shape, s, log_a, log_b, n_columns=_N_DERIVATIVES)


def _by_blocks(shape: Floats, s: float, log_a: Floats, log_b: Floats, *, n_columns: int) -> Floats:
    found = np.empty((n_columns, len(shape)))
    for start in range(0, len(shape), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        found[:, rows] = _block(
            *(column[rows, np.newaxis] for column in (shape, log_a, log_b)),
            s=s,
            n_columns=n_columns,
        )
    return found


def _block(shape: Floats, log_a: Floats, log_b: Floats, *, s: float, n_columns: int) -> Floats:
    """Sum over nodes, for rows that are columns here."""
    p, apart = _nodes(shape, log_a, log_b, s=s)
    stays = softplus(p)
    m = log_b + p
    small = np.exp(-np.abs(m))
    v = np.maximum(m, 0) + np.log1p(small)
    a = np.exp(log_a)
    buys = np.log1p(v / a)
    log_f = p - (s + 1) * stays - shape * buys
    top = log_f.max(axis=1, keepdims=True)
    weight = np.exp(log_f - top) * apart
    total = weight.sum(axis=1)
    log_q = math.log(s * _STEP) + np.log(total) + top[:, 0]
    if n_columns == 1:
        return log_q[np.newaxis]
    weight /= total[:, np.newaxis]
    R = shape[:, 0]
    # By log A, log(1 + v / A) has the slope -w; by log B it has k.
    grown = np.where(m > 0, 1.0, small) / (1 + small)
    w, k = v / (a + v), grown / (a + v)
    by_weight = [weight * each for each in (buys, stays, w, k)]
    mean_l, mean_p, mean_w, mean_k = (each.sum(axis=1) for each in by_weight)
    wl, wp, ww, wk = by_weight
    kk, k_grown, k_w = _dot(wk, k), _dot(wk, grown), _dot(wk, w)
    w_w = _dot(ww, w)
    return np.stack(
        [
            log_q,
            -mean_l,
            1 / s - mean_p,
            R * mean_w,
            -R * mean_k,
            _dot(wl, buys) - mean_l**2,
            _dot(wl, stays) - mean_l * mean_p,
            mean_w - R * (_dot(wl, w) - mean_l * mean_w),
            -mean_k + R * (_dot(wl, k) - mean_l * mean_k),
            _dot(wp, stays) - mean_p**2 - 1 / s**2,
            -R * (_dot(wp, w) - mean_p * mean_w),
            R * (_dot(wp, k) - mean_p * mean_k),
            R * (w_w - mean_w) + R**2 * (w_w - mean_w**2),
            R * (mean_k - k_w) - R**2 * (k_w - mean_w * mean_k),
            R * (k_grown + kk - mean_k) + R**2 * (kk - mean_k**2),
        ]
    )


def _nodes(shape: Floats, log_a: Floats, log_b: Floats, *, s: float) -> tuple[Floats, Floats]:
    """Nodes p at even steps of t, with dp / dt; the tails are stretched."""
    late = -math.log(s)
    peak = np.minimum(log_a - np.log(shape) - log_b, late)
    floor = np.maximum(*(_log_integrand(p, shape, log_a, log_b, s=s) for p in (peak, late)))
    floor = floor - _CUT_OFF
    # Beyond these knees, left and right, the integrand is an exponential.
    knees = np.minimum(log_a, 0) - log_b
    left = np.minimum(np.minimum(knees, peak), 0) - 1
    right = np.maximum(-log_b, 0) + 1
    start = np.maximum(left - np.log(np.maximum(left - floor, 1)), floor)
    # Two upper bounds of the log integrand: survival alone and the purchase term alone.
    stayed = log_expm1(-floor / s)
    bought = log_expm1(np.exp(log_a) * np.expm1(np.minimum(-floor / shape, 600.0))) - log_b
    last = np.maximum(np.minimum(stayed, bought), left)
    end = np.minimum(last + 1, right + np.log(np.maximum(last - right, 1)))
    steps = _STEP * np.arange(math.ceil((end - start).max() / _STEP) + 1)
    apart = np.exp(left - start) * np.exp(-steps)
    ahead = np.exp(start - right) * np.exp(steps)
    return start + steps - apart + ahead, 1 + apart + ahead


def _log_integrand(
    p: Floats | float, shape: Floats, log_a: Floats, log_b: Floats, *, s: float
) -> Floats:
    v = softplus(log_b + p)
    return p - (s + 1) * softplus(np.asarray(p)) - shape * np.log1p(v / np.exp(log_a))


def _dot(one: Floats, other: Floats) -> Floats:
    """Sum of products within each row."""
    return np.einsum("ij,ij->i", one, other)
