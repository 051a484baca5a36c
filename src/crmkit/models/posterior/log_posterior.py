"""What data and a prior together say of any model's parameters, on the scale of their logs.

Coefficients of covariates stand beside the logs as they are. The search and the draws move in
parameters of a customer whose covariates are average, and in coefficients per standard deviation:
there they hardly hang together. To tell them in the units given moves logs by a sum, which leaves
every density as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crmkit.models.inference.covariates import Link, own_parameters
from crmkit.models.inference.newton import find
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.row_parameters import are_positive
from crmkit.models.posterior.likelihood_of_draws import log_likelihoods

_STEP = 1e-3
"""Of a log, for differences: what it leaves out and what rounding takes are both below 1e-5."""

_FARTHEST = 300.0
"""A log beyond this is out of the question, and its parameter no longer a number."""

_LEAST_CURVATURE = 0.05


class Beliefs(Protocol):
    """What is believed, and how a position among it gives a model."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name what varies."""
        ...

    @property
    def start(self) -> Floats:
        """Position of the fit, or near it where that is beyond belief."""
        ...

    def in_units(self, points: Floats, /) -> Floats:
        """Give parameters and coefficients as they are told at positions, a row each."""
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
class Shared:
    """Beliefs of parameters that all customers share: the log of each is normal.

    Attributes
    ----------
    model
        A fitted model; what is not named below is kept as it is.
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
        """Position of the fit, within the prior's reach."""
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
        """Give the parameters at positions, a row each."""
        parameters: Floats = np.exp(points)
        return parameters


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Beliefs of parameters and of coefficients that move them.

    Attributes
    ----------
    model
        A fitted model, of the customer for whom all covariates are 0.
    names
        Its parameters, then the coefficients.
    coefficients
        As fitted.
    links, moves
        What each process's effect moves, and in zeros and ones which coefficients count in it.
    middles, scales
        What to subtract from each column of covariates, and to divide it by.
    centres, deviations
        Of the log of each parameter, and of each coefficient per unit.
    at_zero
        Whether a parameter's belief is about the customer for whom all covariates are 0, and not
        about the one for whom they are as in the middle.
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
        """Position of the fit, within the prior's reach."""
        k, shared = self._n_logs, asdict(self.model)
        effects = [np.array(self.middles @ (move * self.coefficients)) for move in self.moves]
        shared |= own_parameters(shared, self.links, effects)
        logs = np.log([float(shared[name]) for name in self.names[:k]])
        # Where a belief is about another customer, its reach is not known here.
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
        """Log density: of parameters where each is believed, of coefficients in their units."""
        k, units = self._n_logs, self.in_units(points)
        logs = np.where(self.at_zero, np.log(units[:, :k]), points[:, :k])
        return _normal(np.append(logs, units[:, k:], axis=1), self.centres, self.deviations)

    def log_likelihoods(
        self, points: Floats, /, *, columns: Sequence[Floats], weights: Floats
    ) -> Floats:
        """Total log-likelihood of the data, whose last column is a row of covariates for each."""
        *history, rows = columns
        design, k = (rows - self.middles) / self.scales, self._n_logs
        found = np.full(len(points), -np.inf)
        for i, point in enumerate(points):
            shared = dict(zip(self.names, np.exp(point[:k]).tolist(), strict=False))
            effects = [design @ (move * point[k:]) for move in self.moves]
            parameters = shared | own_parameters(shared, self.links, effects)
            if are_positive(*parameters.values()):
                own = replace(self.model, **parameters)
                found[i] = weights @ own.log_likelihood(*history)
        return found

    def in_units(self, points: Floats, /) -> Floats:
        """Give parameters where all covariates are 0, and coefficients per unit."""
        k = self._n_logs
        coefficients = points[:, k:] / self.scales
        shared = dict(zip(self.names, np.exp(points[:, :k]).T, strict=False))
        effects = [-(coefficients * move) @ self.middles for move in self.moves]
        shared |= own_parameters(shared, self.links, effects)
        return np.column_stack([*(shared[name] for name in self.names[:k]), coefficients])


class LogPosterior:
    """Log-likelihood of a table plus the log density of what is believed.

    It needs no more of a model than its `log_likelihood`. Its derivatives come from differences,
    which is exact enough to find a mode and to place a first proposal there: how far draws
    from it are right is decided by the values, not by the proposal.

    Parameters
    ----------
    beliefs
        What is believed, and of what.
    columns, weights
        The data, a row for each distinct history, and how many customers each row stands for.
    """

    def __init__(self, beliefs: Beliefs, *, columns: Sequence[Floats], weights: Floats) -> None:
        self._beliefs, self._columns, self._weights = beliefs, tuple(columns), weights

    def mode(self) -> Floats:
        """Find the most probable position."""
        found = find(
            names=self._beliefs.names,
            likelihood=lambda *data: LogPosterior(
                self._beliefs, columns=data[:-1], weights=data[-1]
            ),
            columns=self._columns,
            weights=self._weights,
            starts=[tuple(np.exp(self._beliefs.start).tolist())],
            limits=(),
        )
        return found.position

    def covariance(self, mode: Floats) -> Floats:
        """Invert the curvature at the mode; a direction that hardly bends is not endless."""
        curvature, directions = np.linalg.eigh(-self(mode)[2])
        return (directions / np.maximum(curvature, _LEAST_CURVATURE)) @ directions.T

    def values(self, points: Floats) -> Floats:
        """Value at each position, up to a constant."""
        values = np.full(len(points), -np.inf)
        near = np.abs(points).max(axis=1) <= _FARTHEST
        # What covariates move may be no number any more: that is out of the question too.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            values[near] = self._beliefs.log_prior(points[near]) + self._beliefs.log_likelihoods(
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
    """Draw in an estimate that is out of the prior's reach, as of a parameter that ran away."""
    reach = 3 * deviations
    return np.clip(fitted, centres - reach, centres + reach)
