"""Importance sampling from an unnormalised density, with Pareto smoothing.

With a handful of parameters a multivariate Student-t at the mode is close to a posterior. Draws
from it, weighted by the ratio of the two densities, are draws from the posterior. The largest
weights are smoothed by a generalized Pareto distribution; its shape, Pareto-k, shows whether the
weights are reliable. Where it is too large, the t is refitted to the weighted draws.

References
----------
Vehtari, A., Simpson, D., Gelman, A., Yao, Y. & Gabry, J. (2024). Pareto smoothed importance
sampling. *Journal of Machine Learning Research* 25(72), 1-58.
https://jmlr.org/papers/v25/19-556.html.
Zhang, J. & Stephens, M. A. (2009). A new and efficient estimation method for the generalized
Pareto distribution. *Technometrics* 51(3), 316-325. https://doi.org/10.1198/tech.2009.08017.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import exprel

from crmkit.models.numerics.arrays import Floats

_DEGREES_OF_FREEDOM = 8.0
"""Heavier tails than a posterior, yet few wasted draws."""

_MOST_ROUNDS = 6
_LARGEST_K = 0.7
_LEAST_TAIL = 5
_FEW = 10

LogDensity = Callable[[Floats], Floats]
"""Log density of points, a row each, up to a constant."""


@dataclass(frozen=True, slots=True)
class ImportanceSample:
    """Draws, a row each, with weights that sum to 1, Pareto-k, and the round of the draws."""

    points: Floats
    weights: Floats
    pareto_k: float
    round: int

    @property
    def effective_sample_size(self) -> float:
        """Effective sample size: independent draws with about the same error of a mean."""
        return float(1 / np.square(self.weights).sum())

    @property
    def is_reliable(self) -> bool:
        """Whether Pareto-k is below the threshold for this number of draws."""
        return self.pareto_k <= pareto_k_threshold(len(self.weights))

    def resampled(self, rng: np.random.Generator) -> Floats:
        """Resample as many equally weighted points (systematic resampling), in random order.

        Each occurs as often as its weight times their number, rounded up or down.
        """
        n = len(self.weights)
        ends = np.cumsum(self.weights)
        chosen = np.searchsorted(ends / ends[-1], (rng.random() + np.arange(n)) / n, side="right")
        return self.points[rng.permutation(np.minimum(chosen, n - 1))]


def pareto_k_threshold(draws: int) -> float:
    """Largest reliable Pareto-k for a number of draws (Vehtari et al. 2024, section 3.2.4)."""
    return min(1 - 1 / math.log10(draws), _LARGEST_K)


def importance_sample(
    log_density: LogDensity,
    *,
    centre: Floats,
    covariance: Floats,
    draws: int,
    rng: np.random.Generator,
) -> ImportanceSample:
    """Adaptive importance sampling with a Student-t proposal.

    Parameters
    ----------
    log_density
        Target density.
    centre, covariance
        Its mode, and the inverse of minus its Hessian there.
    draws
        Number of draws in each round.
    rng
        Random number generator.
    """
    samples: list[ImportanceSample] = []
    while len(samples) < _MOST_ROUNDS:
        points, log_proposal = _student_t(centre, covariance, draws, rng)
        weights, pareto_k = pareto_smoothed(log_density(points) - log_proposal)
        samples.append(ImportanceSample(points, weights, pareto_k, len(samples) + 1))
        if samples[-1].is_reliable:
            return samples[-1]
        centre, covariance = _refitted(samples[-1], covariance)
    return min(samples, key=lambda sample: sample.pareto_k)


def pareto_smoothed(log_ratios: Floats) -> tuple[Floats, float]:
    """Pareto-smoothed weights that sum to 1, and Pareto-k.

    Pareto-k is minus infinity where the largest weights are equal.
    """
    log_weights = log_ratios - log_ratios.max()
    n_tail = math.ceil(min(len(log_weights) / 5, 3 * math.sqrt(len(log_weights))))
    order = np.argsort(log_weights)
    tail, cutoff = order[-n_tail:], math.exp(log_weights[order[-n_tail - 1]])
    excesses = np.exp(log_weights[tail]) - cutoff
    weights, pareto_k = np.exp(log_weights), -math.inf
    if n_tail >= _LEAST_TAIL and excesses[0] > 0:
        pareto_k, scale = _pareto_fit(excesses)
        quantiles = (np.arange(n_tail) + 0.5) / n_tail
        weights[tail] = np.minimum(cutoff + _pareto_quantile(quantiles, pareto_k, scale), 1.0)
    return weights / weights.sum(), pareto_k


def _refitted(sample: ImportanceSample, covariance: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and covariance, shrunk to the last covariance at a small sample size."""
    centre = sample.weights @ sample.points
    apart = sample.points - centre
    lean = 1 / (1 + sample.effective_sample_size / _FEW)
    return centre, (1 - lean) * (sample.weights * apart.T) @ apart + lean * covariance


def _student_t(
    centre: Floats, covariance: Floats, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw points, with the log density of each up to a constant."""
    root = np.linalg.cholesky(covariance)
    normal = rng.standard_normal((draws, len(centre)))
    shrink = rng.chisquare(_DEGREES_OF_FREEDOM, draws) / _DEGREES_OF_FREEDOM
    distance = np.square(normal).sum(axis=1) / shrink
    exponent = (_DEGREES_OF_FREEDOM + len(centre)) / 2
    points = centre + (normal / np.sqrt(shrink)[:, np.newaxis]) @ root.T
    return points, -exponent * np.log1p(distance / _DEGREES_OF_FREEDOM)


def _pareto_fit(excesses: Floats) -> tuple[float, float]:
    """Shape and scale of a generalized Pareto distribution; the excesses are sorted.

    Zhang and Stephens' posterior mean over a grid, with the shape drawn towards 1/2 as if by
    ten more observations (Vehtari et al. 2024, appendix G).
    """
    n = len(excesses)
    n_grid = 30 + math.isqrt(n)
    quartile = excesses[math.floor(n / 4 + 0.5) - 1]
    grid = 1 - np.sqrt(n_grid / (np.arange(n_grid) + 0.5))
    grid = grid / (3 * quartile) + 1 / excesses[-1]
    shapes = np.log1p(-grid[:, np.newaxis] * excesses).mean(axis=1)
    profile = n * (np.log(-grid / shapes) - shapes - 1)
    likely = np.exp(profile - profile.max())
    rate = float(grid @ likely / likely.sum())
    shape = float(np.log1p(-rate * excesses).mean())
    return (n * shape + 10 * 0.5) / (n + 10), -shape / rate


def _pareto_quantile(p: Floats, shape: float, scale: float) -> Floats:
    log_beyond = -np.log1p(-p)
    return scale * log_beyond * exprel(shape * log_beyond)
