"""Log posterior density of any model's parameters, by their logs, and of covariate coefficients.

Search and draws use the parameters of a customer with average covariates and coefficients per
standard deviation, which are nearly uncorrelated. The change to the units given shifts logs by a
sum, with a constant Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crmkit.models.inference.covariates import Link, individual_parameters
from crmkit.models.inference.newton import search_maximum
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.row_parameters import are_positive
from crmkit.models.posterior.likelihood_of_draws import log_likelihoods

_STEP = 1e-3
"""Step of finite differences in logs: truncation and rounding errors are both below 1e-5."""

_FARTHEST = 300.0
"""A log beyond this has posterior density 0; its parameter would overflow."""

_LEAST_CURVATURE = 0.05


class Prior(Protocol):
    """Prior of a model's parameters, and the likelihood at positions in their space."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters and coefficients."""
        ...

    @property
    def start(self) -> Floats:
        """Position of the fit, moved within three prior standard deviations."""
        ...

    def in_units(self, points: Floats, /) -> Floats:
        """Parameters and coefficients in the units given, at positions, a row each."""
        ...

    def log_prior(self, points: Floats, /) -> Floats:
        """Log density of positions, a row each, up to a constant."""
        ...

    def log_likelihoods(
        self, points: Floats, /, *, columns: Sequence[Floats], weights: Floats
    ) -> Floats:
        """Total log-likelihood of the data at positions, a row each."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SharedPrior:
    """Lognormal priors of parameters that all customers share.

    Attributes
    ----------
    model
        A fitted model; parameters not in `names` are kept.
    names
        The parameters that vary.
    centres, deviations
        Of the log of each.
    """

    model: Any
    names: tuple[str, ...]
    centres: Floats
    deviations: Floats

    @property
    def start(self) -> Floats:
        """Position of the fit, moved within three prior standard deviations."""
        fitted = np.log([getattr(self.model, name) for name in self.names])
        return _within_reach(fitted, self.centres, self.deviations)

    def log_prior(self, points: Floats, /) -> Floats:
        """Log density of log parameters."""
        return _normal(points, self.centres, self.deviations)

    def log_likelihoods(
        self, points: Floats, /, *, columns: Sequence[Floats], weights: Floats
    ) -> Floats:
        """Total log-likelihood of the data at log parameters."""
        return log_likelihoods(
            self.model, np.exp(points), names=self.names, columns=columns, weights=weights
        )

    def in_units(self, points: Floats, /) -> Floats:
        """Parameters at positions, a row each."""
        parameters: Floats = np.exp(points)
        return parameters


@dataclass(frozen=True, slots=True, eq=False)
class CovariatePrior:
    """Lognormal priors of parameters and normal priors of covariate coefficients.

    Attributes
    ----------
    model
        A fitted model, of a customer with all covariates 0.
    names
        Its parameters, then the coefficients.
    coefficients
        Fitted coefficients.
    links, moves
        Link of each process, and in zeros and ones which coefficients are in its effect.
    middles, scales
        To subtract from each column of covariates, and to divide it by.
    centres, deviations
        Of the log of each parameter, and of each coefficient per unit.
    at_zero
        Whether the prior of a parameter is for a customer with all covariates 0, instead of one
        with covariates at `middles`.
    """

    model: Any
    names: tuple[str, ...]
    coefficients: Floats
    links: tuple[Link, ...]
    moves: Floats
    middles: Floats
    scales: Floats
    centres: Floats
    deviations: Floats
    at_zero: npt.NDArray[np.bool_]

    @property
    def start(self) -> Floats:
        """Position of the fit, moved within three prior standard deviations."""
        k, shared = self._n_logs, asdict(self.model)
        effects = [np.array(self.middles @ (move * self.coefficients)) for move in self.moves]
        shared |= individual_parameters(shared, self.links, effects)
        logs = np.log([float(shared[name]) for name in self.names[:k]])
        # A prior at covariates of 0 does not bound the parameter here.
        centres = np.where(self.at_zero, logs, self.centres[:k])
        return _within_reach(
            np.append(logs, self.coefficients * self.scales),
            np.append(centres, self.centres[k:] * self.scales),
            np.append(self.deviations[:k], self.deviations[k:] * self.scales),
        )

    @property
    def _n_logs(self) -> int:
        return len(self.names) - len(self.coefficients)

    def log_prior(self, points: Floats, /) -> Floats:
        """Log prior density, of each parameter at the covariates that its prior is for."""
        k, units = self._n_logs, self.in_units(points)
        logs = np.where(self.at_zero, np.log(units[:, :k]), points[:, :k])
        return _normal(np.append(logs, units[:, k:], axis=1), self.centres, self.deviations)

    def log_likelihoods(
        self, points: Floats, /, *, columns: Sequence[Floats], weights: Floats
    ) -> Floats:
        """Total log-likelihood of the data, whose last column holds the covariates."""
        *history, rows = columns
        design, k = (rows - self.middles) / self.scales, self._n_logs
        found = np.full(len(points), -np.inf)
        for i, point in enumerate(points):
            shared = dict(zip(self.names, np.exp(point[:k]).tolist(), strict=False))
            effects = [design @ (move * point[k:]) for move in self.moves]
            parameters = shared | individual_parameters(shared, self.links, effects)
            if are_positive(*parameters.values()):
                own = replace(self.model, **parameters)
                found[i] = weights @ own.log_likelihood(*history)
        return found

    def in_units(self, points: Floats, /) -> Floats:
        """Parameters where all covariates are 0, and coefficients per unit."""
        k = self._n_logs
        coefficients = points[:, k:] / self.scales
        shared = dict(zip(self.names, np.exp(points[:, :k]).T, strict=False))
        effects = [-(coefficients * move) @ self.middles for move in self.moves]
        shared |= individual_parameters(shared, self.links, effects)
        return np.column_stack([*(shared[name] for name in self.names[:k]), coefficients])


class LogPosterior:
    """Log-likelihood of a table plus the log prior density.

    It only uses `log_likelihood` of a model. Derivatives are finite differences, accurate enough
    to find the mode and to place a first proposal: the accuracy of draws depends on the values,
    not on the proposal.

    Parameters
    ----------
    prior
        Prior of the parameters.
    columns, weights
        The data, a row for each distinct history, and the number of customers of each.
    """

    def __init__(self, prior: Prior, *, columns: Sequence[Floats], weights: Floats) -> None:
        self._prior, self._columns, self._weights = prior, tuple(columns), weights

    def mode(self) -> Floats:
        """Find the posterior mode."""
        found = search_maximum(
            names=self._prior.names,
            likelihood=lambda *data: LogPosterior(self._prior, columns=data[:-1], weights=data[-1]),
            columns=self._columns,
            weights=self._weights,
            starts=[tuple(np.exp(self._prior.start).tolist())],
            limits=(),
        )
        return found.position

    def covariance(self, mode: Floats) -> Floats:
        """Inverse of minus the Hessian at the mode, with a bound on flat directions."""
        curvature, directions = np.linalg.eigh(-self(mode)[2])
        return (directions / np.maximum(curvature, _LEAST_CURVATURE)) @ directions.T

    def values(self, points: Floats) -> Floats:
        """Log posterior density at each position, up to a constant."""
        values = np.full(len(points), -np.inf)
        near = np.abs(points).max(axis=1) <= _FARTHEST
        # Parameters that covariates move may overflow; their density is 0 too.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            values[near] = self._prior.log_prior(points[near]) + self._prior.log_likelihoods(
                points[near], columns=self._columns, weights=self._weights
            )
        return np.where(np.isnan(values), -np.inf, values)

    def __call__(self, position: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian."""
        steps = _STEP * np.eye(len(position))
        pairs = np.triu_indices(len(steps), k=1)
        both = steps[pairs[0]] + steps[pairs[1]]
        moves = np.concatenate([np.zeros_like(steps[:1]), steps, -steps, both, -both])
        values = self.values(position + moves)
        middle, changes = float(values[0]), values[1:] - values[0]
        n = len(steps)
        up, down = changes[:n], changes[n : 2 * n]
        corners = np.add(*np.split(changes[2 * n :], 2))
        hessian = np.diag(up + down)
        sides = np.diag(hessian)
        hessian[pairs] = (corners - sides[pairs[0]] - sides[pairs[1]]) / 2
        hessian = np.triu(hessian) + np.triu(hessian, k=1).T
        return middle, (up - down) / (2 * _STEP), hessian / _STEP**2


def _normal(values: Floats, centres: Floats, deviations: Floats) -> Floats:
    off = (values - centres) / deviations
    density: Floats = -np.square(off).sum(axis=1) / 2
    return density


def _within_reach(fitted: Floats, centres: Floats, deviations: Floats) -> Floats:
    """Clip an estimate to three prior standard deviations, as of a parameter that diverged."""
    reach = 3 * deviations
    return np.clip(fitted, centres - reach, centres + reach)
