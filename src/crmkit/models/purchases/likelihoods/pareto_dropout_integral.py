r"""Probability of dropout before the next purchase, both at constant rates.

A customer active at age t, after x purchases, buys next at a rate drawn from
Gamma(r + x, alpha + t) and drops out at a rate drawn from Gamma(s, beta + t). The probability that
dropout comes first,

.. math::

    q_x(t) = \int_0^\infty \left(\frac{\alpha + t}{\alpha + t + u}\right)^{r + x}
             \left(\frac{\beta + t}{\beta + t + u}\right)^{s} \frac{s \, du}{\beta + t + u},

is the only special function in the Pareto/NBD likelihood: a customer last seen at :math:`t_x`
dropped out before the next purchase, or survived to T and would buy first. Both terms are positive,
so nothing cancels; the papers write the same as a difference of two 2F1, which overflow.

It depends only on r + x, on s and on the ratio of alpha + t to beta + t, and on the log of this
ratio so smoothly that a polynomial interpolates it to 13 digits. So the integral is computed at a
dozen points for each distinct x, whatever the number of customers and ages.

References
----------
Fader, P. S. & Hardie, B. G. S. (2005). A note on deriving the Pareto/NBD model and related
expressions. http://brucehardie.com/notes/009/. (The likelihood, section 3.)
Takahasi, H. & Mori, M. (1974). Double exponential formulas for numerical integration.
*Publications of RIMS* 9(3), 721-741. https://doi.org/10.2977/prims/1195192451.
Trefethen, L. N. (2013). *Approximation Theory and Approximation Practice*, chapter 8. SIAM.
"""

from __future__ import annotations

import math

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats

_N_DERIVATIVES = 10
"""Log q, three first and six second derivatives."""

_STEP = 0.25
_CUT_OFF = 38.0
"""The integral is taken as far as its integrand exceeds exp(-38) = 3e-17 of its peak."""

_DIGITS = 32.0
"""The polynomial is right to exp(-32) = 1e-14."""

_LONG_STEP, _FEWER_DIGITS = 0.5, 17.0
"""The same for seven digits, enough for importance weights of drawn parameters."""

_CELLS_AT_ONCE = 600
"""Pairs of R and y in a block, each of some 80 nodes, that fits a processor's cache."""


def log_dropout_first(x: Floats, log_ratio: Floats, /, *, r: float, s: float) -> Floats:
    """Log of q for customers with x purchases; `x` must be sorted.

    `log_ratio` is y = log((alpha + t) / (beta + t)).
    """
    return _interpolated(x, log_ratio, r=r, s=s, n_columns=1)[0]


def dropout_first_derivatives(x: Floats, log_ratio: Floats, /, *, r: float, s: float) -> Floats:
    """Log of q with its derivatives; `x` must be sorted.

    The rows are log q, its first derivatives by R = r + x, s and y, then the second ones by RR,
    Rs, Ry, ss, sy and yy.
    """
    return _interpolated(x, log_ratio, r=r, s=s, n_columns=_N_DERIVATIVES)


def dropout_first_by_quadrature(shape: Floats, s: float, log_ratio: Floats) -> Floats:
    """Log q and its derivatives by quadrature, for each y and each R: three axes."""
    found = np.empty((len(log_ratio), len(shape), _N_DERIVATIVES))
    n_at_once = max(_CELLS_AT_ONCE // max(len(shape), 1), 1)
    for start in range(0, len(log_ratio), n_at_once):
        rows = slice(start, start + n_at_once)
        found[rows] = _block(shape, s, log_ratio[rows, np.newaxis])
    return found


def log_dropout_first_of_draws(
    x: Floats, pair_x: Codes, log_ratio: Floats, /, *, r: Floats, s: Floats
) -> Floats:
    """Log of q to seven digits, a row for each pair of r and s.

    `x` holds distinct counts, and `pair_x` the position of each column's among them; `log_ratio`
    has a row for each r and s.
    """
    low, high = log_ratio.min(axis=1, keepdims=True), log_ratio.max(axis=1, keepdims=True)
    middle, half = (low + high) / 2, np.maximum(high - low, 1) / 2
    n_points = math.ceil(_FEWER_DIGITS / math.asinh(math.pi / float(half.max())))
    angles = math.pi * (np.arange(n_points) + 0.5) / n_points
    points = (middle + half * np.cos(angles)).reshape(-1, 1)
    shapes, s = np.repeat(r[:, np.newaxis] + x, n_points, axis=0), np.repeat(s, n_points)
    exact = _by_coarse_quadrature(shapes, s[:, np.newaxis], points).reshape(
        len(r), n_points, len(x)
    )
    to_series = 2 / n_points * np.cos(np.outer(np.arange(n_points), angles))
    to_series[0] /= 2
    series = np.moveaxis(to_series @ exact, 1, 0)
    place = (log_ratio - middle) / half
    ahead, further = np.zeros_like(place), np.zeros_like(place)
    for of_x in series[:0:-1]:
        ahead, further = of_x[:, pair_x] + 2 * place * ahead - further, ahead
    found: Floats = series[0][:, pair_x] + place * ahead - further
    return found


def _interpolated(x: Floats, y: Floats, *, r: float, s: float, n_columns: int) -> Floats:
    """Interpolate exact values by a polynomial in y, for each distinct x."""
    found = np.empty((n_columns, len(x)))
    if not len(x):
        return found
    # Whole ends, so that other customers of the table rarely change the nodes.
    low, high = math.floor(y.min()), math.ceil(y.max())
    middle, half = (low + high) / 2, max(high - low, 1) / 2
    # Log q is analytic in y up to a distance of pi from the real axis.
    n_points = math.ceil(_DIGITS / math.asinh(math.pi / half))
    angles = math.pi * (np.arange(n_points) + 0.5) / n_points
    points = middle + half * np.cos(angles)
    first = np.flatnonzero(np.diff(x, prepend=-1.0))
    last = np.flatnonzero(np.diff(x, append=math.inf)) + 1
    exact = dropout_first_by_quadrature(r + x[first], s, points)[:, :, :n_columns]
    to_series = 2 / n_points * np.cos(np.outer(np.arange(n_points), angles))
    to_series[0] /= 2
    series = to_series @ exact.transpose(1, 0, 2)
    basis = np.polynomial.chebyshev.chebvander((y - middle) / half, n_points - 1)
    for start, end, of_x in zip(first, last, series, strict=True):
        found[:, start:end] = of_x.T @ basis[start:end].T
    return found


def _block(shape: Floats, s: float, y: Floats) -> Floats:
    """Integrate over v, the log of time in units of beta + t, for some y, a row each, and all R.

    The integrand exp(v - R log(1 + exp(v - y)) - (s + 1) log(1 + exp(v))) has one peak, never
    narrower than 1, and exponential tails. Nodes are even where any R has its peak, and move
    apart exponentially beyond; all R share them, so that means over nodes are one product.
    """
    peak = _peak(shape, s, y)
    low = np.minimum(np.minimum(y, 0), peak.min(axis=1, keepdims=True)) - 1
    high = np.maximum(np.maximum(y, 0), peak.max(axis=1, keepdims=True)) + 1
    start, end = _ends(shape, s, y, peak=peak, low=low, high=high)
    n_nodes = math.ceil((end - start).max() / _STEP) + 1
    t = np.minimum(start + _STEP * np.arange(n_nodes), end + _STEP)
    apart, ahead = np.exp(low - t), np.exp(t - high)
    v = t - apart + ahead
    (a, c), (b, _) = _softplus(v - y), _softplus(v)
    log_f = (v - (s + 1) * b)[:, np.newaxis] - shape[:, np.newaxis] * a[:, np.newaxis]
    top = log_f.max(axis=2, keepdims=True)
    weight = np.exp(log_f - top)
    spacing = np.where(t <= end, 1 + apart + ahead, 0.0)
    moments = np.stack([np.ones_like(v), a, b, c, a * a, a * b, a * c, b * b, b * c, c * c], axis=2)
    total, *means = np.moveaxis(weight @ (moments * spacing[:, :, np.newaxis]), 2, 0)
    mean_a, mean_b, mean_c, aa, ab, ac, bb, bc, cc = (mean / total for mean in means)
    return np.stack(
        [
            math.log(s * _STEP) + np.log(total) + top[:, :, 0],
            -mean_a,
            1 / s - mean_b,
            shape * mean_c,
            aa - mean_a**2,
            ab - mean_a * mean_b,
            mean_c - shape * (ac - mean_a * mean_c),
            bb - mean_b**2 - 1 / s**2,
            -shape * (bc - mean_b * mean_c),
            shape * (cc - mean_c) + shape**2 * (cc - mean_c**2),
        ],
        axis=2,
    )


def _by_coarse_quadrature(shape: Floats, s: Floats, y: Floats) -> Floats:
    """Log q by the same integral with fewer nodes, a row for each y and s."""
    peak = _peak(shape, s, y)
    low = np.minimum(np.minimum(y, 0), peak.min(axis=1, keepdims=True)) - 1
    high = np.maximum(np.maximum(y, 0), peak.max(axis=1, keepdims=True)) + 1
    start, end = _ends(shape, s, y, peak=peak, low=low, high=high, cut_off=_FEWER_DIGITS)
    n_nodes = math.ceil((end - start).max() / _LONG_STEP) + 1
    t = np.minimum(start + _LONG_STEP * np.arange(n_nodes), end + _LONG_STEP)
    apart, ahead = np.exp(low - t), np.exp(t - high)
    v = t - apart + ahead
    log_f = (v - (s + 1) * _log_one_more(v))[:, np.newaxis]
    log_f = log_f - shape[:, :, np.newaxis] * _log_one_more(v - y)[:, np.newaxis]
    top = log_f.max(axis=2, keepdims=True)
    spacing = np.where(t <= end, 1 + apart + ahead, 0.0)[:, :, np.newaxis]
    total = (np.exp(log_f - top) @ spacing)[:, :, 0]
    return np.log(s * _LONG_STEP * total) + top[:, :, 0]


def _peak(shape: Floats, s: float | Floats, y: Floats) -> Floats:
    """Where the integrand peaks: a root of (R + s) z**2 + (R + s ratio - 1) z = ratio."""
    ratio = np.exp(y)
    b, c = shape + s * ratio - 1, (shape + s) * ratio
    root = np.sqrt(b * b + 4 * c)
    return np.log(np.where(b > 0, 2 * ratio / (root + b), (root - b) / (2 * (shape + s))))


def _ends(
    shape: Floats,
    s: float | Floats,
    y: Floats,
    *,
    peak: Floats,
    low: Floats,
    high: Floats,
    cut_off: float = _CUT_OFF,
) -> tuple[Floats, Floats]:
    """Range of t in which an integrand matters, from linear bounds of its log."""
    floor = peak - shape * _softplus(peak - y)[0] - (s + 1) * _softplus(peak)[0] - cut_off
    near, far = np.minimum(y, 0), np.maximum(y, 0)
    at_far = far - shape * (far - y) - (s + 1) * far
    steep = np.where(y < 0, shape, s + 1) - 1
    before_far = near + (near - floor) / np.maximum(steep, 1e-300)
    last = np.where(at_far > floor, far + (at_far - floor) / (shape + s), before_far)
    first, last = floor.min(axis=1, keepdims=True), last.max(axis=1, keepdims=True)
    start = low - np.log(np.maximum(low - first, 1))
    return start, np.minimum(last, high + np.log(np.maximum(last - high, 1)))


def _log_one_more(v: Floats) -> Floats:
    """Log(1 + exp(v))."""
    return np.maximum(v, 0) + np.log1p(np.exp(-np.abs(v)))


def _softplus(v: Floats) -> tuple[Floats, Floats]:
    """Log(1 + exp(v)) and its slope."""
    small = np.exp(-np.abs(v))
    return np.maximum(v, 0) + np.log1p(small), np.where(v > 0, 1.0, small) / (1 + small)
