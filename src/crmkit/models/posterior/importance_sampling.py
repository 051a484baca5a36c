"""Draws from a density that is known up to a factor, without a Markov chain.

With a handful of parameters a multivariate Student-t at the mode is close to a posterior. Draws
from it, weighted by the ratio of the two densities, are draws from the posterior. The largest
weights are smoothed by a generalized Pareto distribution; its shape, Pareto-k, tells whether the
weights can be trusted. Where it is too large, the t is fitted anew to the weighted draws.

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
"""Heavier tails than a posterior has, and not so heavy that many draws go to waste."""

_MOST_ROUNDS = 6
_LARGEST_K = 0.7
_LEAST_TAIL = 5
_FEW = 10

LogDensity = Callable[[Floats], Floats]
"""Log density of points, a row each, up to a constant."""


@dataclass(frozen=True, slots=True)
class ImportanceSample:
    """Points, a row each, with weights that sum to 1, and the round in which they were drawn."""

    points: Floats
    weights: Floats
    pareto_k: float
    round: int

    @property
    def effective_sample_size(self) -> float:
        """How many independent draws tell a mean about as well."""
        return float(1 / np.square(self.weights).sum())

    @property
    def can_be_trusted(self) -> bool:
        """Whether Pareto-k allows means to be taken at this number of draws."""
        return self.pareto_k <= largest_k(len(self.weights))

    def evened(self, rng: np.random.Generator) -> Floats:
        """Give as many points that are equally likely: heavy ones again, light ones seldom.

        Each comes as often as its weight has it, rounded up or down (systematic resampling), in
        random order.
        """
        n = len(self.weights)
        ends = np.cumsum(self.weights)
        chosen = np.searchsorted(ends / ends[-1], (rng.random() + np.arange(n)) / n, side="right")
        return self.points[rng.permutation(np.minimum(chosen, n - 1))]


def largest_k(draws: int) -> float:
    """Pareto-k from which so many draws no longer do (Vehtari et al. 2024, section 3.2.4)."""
    return min(1 - 1 / math.log10(draws), _LARGEST_K)


def importance_sample(
    log_density: LogDensity,
    *,
    centre: Floats,
    covariance: Floats,
    draws: int,
    rng: np.random.Generator,
) -> ImportanceSample:
    """Draw from a Student-t, weigh, and do so again from a better t while that is needed.

    Parameters
    ----------
    log_density
        What to draw from.
    centre, covariance
        Where its mode is, and the inverse of how sharply it bends there.
    draws
        How many points to draw in each round.
    rng
        Where chance comes from.
    """
    samples: list[ImportanceSample] = []
    while len(samples) < _MOST_ROUNDS:
        points, log_proposal = _student_t(centre, covariance, draws, rng)
        weights, pareto_k = smoothed(log_density(points) - log_proposal)
        samples.append(ImportanceSample(points, weights, pareto_k, len(samples) + 1))
        if samples[-1].can_be_trusted:
            return samples[-1]
        centre, covariance = _refitted(samples[-1], covariance)
    return min(samples, key=lambda sample: sample.pareto_k)


def smoothed(log_ratios: Floats) -> tuple[Floats, float]:
    """Weights that sum to 1, the largest of them smoothed, and Pareto-k.

    Pareto-k is minus infinity where the largest weights are all alike.
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
    """Mean and covariance of the weighted points; few that count lean on the last covariance."""
    centre = sample.weights @ sample.points
    apart = sample.points - centre
    lean = 1 / (1 + sample.effective_sample_size / _FEW)
    return centre, (1 - lean) * (sample.weights * apart.T) @ apart + lean * covariance


def _student_t(
    centre: Floats, covariance: Floats, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw points, and give the log density of each up to a constant."""
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
