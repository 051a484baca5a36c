"""Classical seasonal figures of a series: ratios to a moving average, and simple means."""

from __future__ import annotations

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats


def centred_average(values: Floats, *, period: int) -> Floats:
    """Average over one period, centred; NaN where the window leaves the series."""
    weights = np.full(period + 1 - period % 2, 1.0 / period)
    if period % 2 == 0:
        weights[[0, -1]] /= 2  # half of a season on either side
    half = len(weights) // 2
    smooth = np.full(len(values), np.nan)
    if len(values) >= len(weights):
        smooth[half : len(values) - half] = np.convolve(values, weights, mode="valid")
    return smooth


def ratios_to_average(values: Floats, *, period: int) -> Floats:
    """Divide by the centred average; NaN at the ends and where the average is not above 0."""
    smooth = centred_average(values, period=period)
    fits = smooth > 0
    return np.where(fits, values / np.where(fits, smooth, 1.0), np.nan)


def ratios_to_year(values: Floats, *, period: int) -> Floats:
    """Divide each whole year, from the first value on, by its mean; NaN where that is not above 0.

    What follows the last whole year is NaN.
    """
    n_years = len(values) // period
    whole = values[: n_years * period].reshape(n_years, period)
    mean = whole.mean(axis=1, keepdims=True)
    ratios = np.where(mean > 0, whole / np.where(mean > 0, mean, 1.0), np.nan)
    return np.concatenate([ratios.ravel(), np.full(len(values) % period, np.nan)])


def index_of(ratios: Floats, seasons: Codes, *, period: int) -> Floats:
    """Average the known ratios of each season, scaled to a mean of 1; NaN for one without any."""
    known = ~np.isnan(ratios)
    n = np.bincount(seasons[known], minlength=period)
    total = np.bincount(seasons[known], weights=ratios[known], minlength=period)
    return scaled(np.where(n > 0, total / np.maximum(n, 1), np.nan))


def index_of_totals(values: Floats, seasons: Codes, *, period: int) -> Floats:
    """Divide the sum of each season by the mean of these sums."""
    return scaled(np.bincount(seasons, weights=values, minlength=period).astype(float))


def scaled(index: Floats) -> Floats:
    """Scale to a mean of 1; NaN where the mean is not above 0."""
    mean = float(index.mean())
    return index / mean if mean > 0 else np.full(len(index), np.nan)


def shrunk(own: Floats, errors: Floats, whole: Floats) -> tuple[Floats, Floats]:
    """Pull the index of each group to that of the whole; give it and the weight of its own.

    `own` has a row for each group and `errors` its standard error. How much groups truly differ is
    what their indices differ beyond these errors (empirical Bayes by the method of moments).
    """
    beyond = np.mean((own - whole) ** 2, axis=1) - errors**2
    between = max(float(np.mean(beyond)), 0.0) if len(beyond) else 0.0
    total = between + errors**2
    weight = np.where(total > 0, between / np.where(total > 0, total, 1.0), 1.0)
    return weight[:, None] * own + (1 - weight[:, None]) * whole, weight
