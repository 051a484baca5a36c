"""What data and a prior together say of any model's parameters, on the scale of their logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from crmkit.models.arrays import Floats
from crmkit.models.many_parameters import log_likelihoods
from crmkit.models.search import maximize

_STEP = 1e-3
"""Of a log, for differences: what it leaves out and what rounding takes are both below 1e-5."""

_FARTHEST = 300.0
"""A log beyond this is out of the question, and its parameter no longer a number."""

_LEAST_CURVATURE = 0.05


class LogPosterior:
    """Log-likelihood of a table plus the log of a normal density for each log parameter.

    It needs no more of a model than its `log_likelihood`. Its derivatives come from differences,
    which is exact enough to find a mode and to place a first proposal there: how far draws
    from it are right is decided by the values, not by the proposal.

    Parameters
    ----------
    model
        A fitted model; what is not named below is kept as it is.
    names
        The parameters that vary.
    columns, weights
        The data, a row for each distinct history, and how many customers each row stands for.
    medians, deviations
        The prior: the median of each parameter, and the standard deviation of its log.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - a purchase or a spend model
        names: tuple[str, ...],
        *,
        columns: Sequence[Floats],
        weights: Floats,
        medians: Floats,
        deviations: Floats,
    ) -> None:
        self._model, self._names = model, names
        self._columns, self._weights = tuple(columns), weights
        self._centre, self._deviations = np.log(medians), deviations

    def model_at(self, *parameters: float) -> Any:  # noqa: ANN401 - as given
        """Make the model with other parameters."""
        return replace(self._model, **dict(zip(self._names, parameters, strict=True)))

    def mode(self) -> Floats:
        """Find the most probable log parameters."""
        fitted = np.log([getattr(self._model, name) for name in self._names])
        # A parameter that ran away has its estimate out of the prior's reach.
        reach = 3 * self._deviations
        start = np.clip(fitted, self._centre - reach, self._centre + reach)
        found = maximize(
            build=self.model_at,
            names=self._names,
            likelihood=self._on,
            columns=self._columns,
            weights=self._weights,
            starts=[tuple(np.exp(start).tolist())],
        )
        return np.log([getattr(found.model, name) for name in self._names])

    def covariance(self, mode: Floats) -> Floats:
        """Invert the curvature at the mode; a direction that hardly bends is not endless."""
        curvature, directions = np.linalg.eigh(-self(mode)[2])
        return (directions / np.maximum(curvature, _LEAST_CURVATURE)) @ directions.T

    def values(self, points: Floats) -> Floats:
        """Value at each row of log parameters, up to a constant."""
        off = (points - self._centre) / self._deviations
        values = np.full(len(points), -np.inf)
        near = np.abs(points).max(axis=1) <= _FARTHEST
        values[near] = log_likelihoods(
            self._model,
            np.exp(points[near]),
            names=self._names,
            columns=self._columns,
            weights=self._weights,
        )
        return values - np.square(off).sum(axis=1) / 2

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian."""
        steps = _STEP * np.eye(len(log_parameters))
        pairs = np.triu_indices(len(steps), k=1)
        both = steps[pairs[0]] + steps[pairs[1]]
        moves = np.concatenate([np.zeros_like(steps[:1]), steps, -steps, both, -both])
        values = self.values(log_parameters + moves)
        middle, changes = float(values[0]), values[1:] - values[0]
        n = len(steps)
        up, down = changes[:n], changes[n : 2 * n]
        corners = np.add(*np.split(changes[2 * n :], 2))
        hessian = np.diag(up + down)
        sides = np.diag(hessian)
        hessian[pairs] = (corners - sides[pairs[0]] - sides[pairs[1]]) / 2
        hessian = np.triu(hessian) + np.triu(hessian, k=1).T
        return middle, (up - down) / (2 * _STEP), hessian / _STEP**2

    def _on(self, *data: Floats) -> LogPosterior:
        """Look at other rows in the same way; the weights come last."""
        return LogPosterior(
            self._model,
            self._names,
            columns=data[:-1],
            weights=data[-1],
            medians=np.exp(self._centre),
            deviations=self._deviations,
        )
