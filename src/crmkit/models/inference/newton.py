"""Maximum likelihood by damped Newton steps, for all models.

The search is over the logs of the parameters: they stay positive, a change of time unit or
currency only shifts the start, and Hessians are exact. Steps are damped where the likelihood is not
concave, and bounded to a factor of 5e8 from the start, so that a parameter that diverges is
diagnosed rather than followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar, cast

import numpy as np

from crmkit.models.inference.diagnostics import FAR, Limit, diagnose
from crmkit.models.inference.eigen import eigh
from crmkit.models.numerics.arrays import Flags, Floats

Model = TypeVar("Model")
Matrix = tuple[tuple[float | None, ...], ...]
Search = Callable[..., "MaximumLikelihood[Any]"]
"""`maximize`, or another function with its arguments."""

_ENOUGH = 1e-9
"""Convergence: a further step is expected to gain less than this in total log-likelihood."""

_ROUGHLY_ENOUGH = 1e-4
"""Expected gain that rounding may hide when parameters are huge."""

_MOST_STEPS = 200
_MOST_IDLE_STEPS = 5
"""After this number of steps in a row without a gain above rounding, the search stops."""

_LONGEST_STEP = 2.0
_LARGEST_DRIFT = 20.0
_NO_ROOM = 1e-9

_LEAST_INFORMATION = 0.05
"""Eigenvalue of the information below which the standard error of a log parameter exceeds 4.5: not
identified by the data."""

_NO_INFORMATION = 1e-4
"""Eigenvalue of the information below which there is not a maximum nearby: a parameter diverges."""

_OPEN_SHARE = 0.01
"""Share of a parameter in unidentified directions above which it is not identified."""

_MOST_HALVINGS = 40
_ROUNDING = 1e-13

_ENOUGH_ROWS_TO_START = 2_500
_MUCH_THINNER = 64
"""Ratio of rows above which the search uses a table in between."""

_ENOUGH_TO_START = 1e-2
"""As `_ENOUGH`, where the search only needs a start for the next table."""

_SAME_TOP = 0.05
"""Two searches this close to each other end at one maximum."""


class Likelihood(Protocol):
    """The log-likelihood of a table as a function of the logs of the parameters."""

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""


@dataclass(frozen=True, slots=True)
class MaximumLikelihood(Generic[Model]):
    """Maximum-likelihood estimates with their covariance and diagnostics.

    Attributes
    ----------
    model
        The fitted model.
    log_likelihood
        Total log-likelihood of the data.
    n_customers
        Number of customers fitted on.
    names
        Names of the parameters, in the order of the rows of `covariance_log`.
    covariance_log
        Covariance of the logs of the parameters, from the exact Hessian; None for parameters that
        are not identified by the data.
    gradient_norm
        Norm of the gradient of the mean log-likelihood at the estimates; 0 at a maximum.
    eigenvalues
        Of the observed information of the log parameters, smallest first; one near 0 or below is
        a direction that is not identified.
    converged
        Whether the search ended at a maximum; False also where a parameter diverged.
    diagnostics
        Problems with the estimates, one sentence each; empty without problems.
    coefficients
        Coefficients of covariates, of either sign; last in `names`, themselves and not their logs.
    """

    model: Model
    log_likelihood: float
    n_customers: int
    names: tuple[str, ...]
    covariance_log: Matrix
    gradient_norm: float
    eigenvalues: tuple[float, ...]
    converged: bool
    diagnostics: tuple[str, ...]
    coefficients: tuple[float, ...] = ()

    @property
    def standard_errors_log(self) -> tuple[float | None, ...]:
        """Standard error of the log of each parameter, and of each coefficient."""
        variances = (row[i] for i, row in enumerate(self.covariance_log))
        return tuple(None if v is None else math.sqrt(v) for v in variances)

    @property
    def standard_errors(self) -> tuple[float | None, ...]:
        """Standard error of each parameter, by the delta method."""
        n_logs = len(self.names) - len(self.coefficients)
        values = [getattr(self.model, name) for name in self.names[:n_logs]]
        values += [1.0] * len(self.coefficients)
        errors = zip(values, self.standard_errors_log, strict=True)
        return tuple(None if error is None else value * error for value, error in errors)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain data for JSON."""
        return asdict(self) | {"model": asdict(cast("Any", self.model))}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], *, build: Callable[..., Model]) -> Self:
        """Build from the result of `to_dict`, with lists for tuples after JSON."""
        content = dict(kept)
        content["covariance_log"] = tuple(map(tuple, content["covariance_log"]))
        for listed in ("names", "eigenvalues", "diagnostics", "coefficients"):
            content[listed] = tuple(content.get(listed, ()))
        return cls(**content | {"model": build(**content["model"])})


def maximize(
    *,
    build: Callable[..., Model],
    names: tuple[str, ...],
    likelihood: Callable[..., Likelihood],
    columns: Sequence[Floats],
    weights: Floats,
    starts: Sequence[tuple[float, ...]],
    limits: Sequence[Limit] = (),
) -> MaximumLikelihood[Model]:
    """Find the maximum-likelihood estimates.

    Parameters
    ----------
    build
        Makes a model from its parameters, in the order of `names`.
    names
        The parameters to search for; all are positive.
    likelihood
        Makes the `Likelihood` of `columns` and `weights`.
    columns, weights
        The data, a row for each distinct history, and the number of customers of each.
    starts
        Starting values. All are tried, on a thinned table if it is long; the search continues from
        the best result on larger tables up to the whole one.
    limits
        Meanings of diverging parameters in this model.
    """
    found = search_maximum(
        names=names,
        likelihood=likelihood,
        columns=columns,
        weights=weights,
        starts=starts,
        limits=limits,
    )
    n_customers = float(weights.sum())
    return MaximumLikelihood(
        model=build(*np.exp(found.position).tolist()),
        log_likelihood=found.value,
        n_customers=round(n_customers),
        names=names,
        covariance_log=masked(found.covariance, found.unidentified),
        gradient_norm=float(np.linalg.norm(found.gradient)) / n_customers,
        eigenvalues=tuple(found.eigenvalues.tolist()),
        converged=found.converged,
        diagnostics=found.diagnostics,
    )


class SearchResult(NamedTuple):
    """End of a search, with derivatives and diagnostics."""

    position: Floats
    value: float
    gradient: Floats
    eigenvalues: Floats
    covariance: Floats
    """Within the identified directions."""
    unidentified: Flags
    converged: bool
    diagnostics: tuple[str, ...]


def search_maximum(
    *,
    names: tuple[str, ...],
    likelihood: Callable[..., Likelihood],
    columns: Sequence[Floats],
    weights: Floats,
    starts: Sequence[tuple[float, ...]],
    limits: Sequence[Limit],
) -> SearchResult:
    """Search as `maximize` does; all results are by log parameters."""
    thinnest, *finer = _strides(len(weights))

    def table(thin: int) -> Likelihood:
        return likelihood(*(column[::thin] for column in columns), weights[::thin])

    start, top = _best_start(table(thinnest), [np.log(start) for start in starts])
    for thin in finer:
        # A thinned table may not identify a parameter; the next one then starts afresh.
        lost = np.abs(top.position - start).max() > FAR
        begin = start if lost else top.position
        enough = _ENOUGH if thin == 1 else _ENOUGH_TO_START
        top = _ascend(table(thin), begin, centre=start, enough=enough)
    eigenvalues, directions = eigh(-top.hessian)
    unidentified, loose = (
        (directions[:, eigenvalues < bound] ** 2).sum(axis=1) > _OPEN_SHARE
        for bound in (_LEAST_INFORMATION, _NO_INFORMATION)
    )
    identified = eigenvalues >= _LEAST_INFORMATION
    drift = np.where(loose, top.position - start, 0.0)
    return SearchResult(
        position=top.position,
        value=top.value,
        gradient=top.gradient,
        eigenvalues=eigenvalues,
        covariance=(directions[:, identified] / eigenvalues[identified])
        @ directions[:, identified].T,
        unidentified=unidentified,
        converged=top.converged and bool(np.abs(drift).max() <= FAR),
        diagnostics=diagnose(
            names, stopped=not top.converged, drift=drift, unidentified=unidentified, limits=limits
        ),
    )


class _Optimum(NamedTuple):
    """End of one search on one table."""

    position: Floats
    value: float
    gradient: Floats
    hessian: Floats
    converged: bool


def _strides(n_rows: int) -> list[int]:
    """Strides of the tables to search in turn, such as 100, 10, 1."""
    thinnest = max(1, n_rows // _ENOUGH_ROWS_TO_START)
    return [thinnest, *([math.isqrt(thinnest)] if thinnest > _MUCH_THINNER else []), 1]


def _best_start(likelihood: Likelihood, starts: Sequence[Floats]) -> tuple[Floats, _Optimum]:
    """Search roughly from each start; return the best start and its result."""
    results: list[tuple[Floats, _Optimum]] = []
    for start in starts:
        known = [top.position for _, top in results]
        top = _ascend(likelihood, start, centre=start, enough=_ENOUGH_TO_START, known=known)
        results.append((start, top))
    return max(results, key=lambda result: result[1].value)


def _ascend(
    likelihood: Likelihood,
    position: Floats,
    *,
    centre: Floats,
    enough: float,
    known: Sequence[Floats] = (),
) -> _Optimum:
    """Damped Newton steps until convergence or near a known maximum."""
    value, gradient, hessian = likelihood(position)
    n_idle = 0
    for _ in range(_MOST_STEPS):
        step = _step_inside(gradient, hessian, drift=position - centre)
        promised = promise = float(gradient @ step)
        ahead = position + step
        if promised < enough or any(np.abs(ahead - top).max() < _SAME_TOP for top in known):
            return _Optimum(position, value, gradient, hessian, converged=True)
        for _ in range(_MOST_HALVINGS):
            reached = likelihood(ahead)
            if reached[0] >= value + 1e-4 * promise - _ROUNDING * abs(value):
                break
            step, promise = step / 2, promise / 2
            ahead = position + step
        else:
            # A step without the expected gain: rounding, unless the expected gain was large.
            return _Optimum(
                position, value, gradient, hessian, converged=promised < _ROUGHLY_ENOUGH
            )
        n_idle = 0 if reached[0] > value + _ROUNDING * abs(value) else n_idle + 1
        position = ahead
        value, gradient, hessian = reached
        if n_idle == _MOST_IDLE_STEPS:
            return _Optimum(
                position, value, gradient, hessian, converged=promised < _ROUGHLY_ENOUGH
            )
    return _Optimum(position, value, gradient, hessian, converged=False)


def _step_inside(gradient: Floats, hessian: Floats, *, drift: Floats) -> Floats:
    """Newton step within the bounds, shortened as a whole so that it keeps its direction.

    A parameter at its bound that would go beyond stays there; the others move.
    """
    step, free = _newton_step(gradient, hessian), np.ones(len(drift), dtype=np.bool_)
    while True:
        room = _LARGEST_DRIFT - np.sign(step) * drift
        at_edge = (step != 0) & (room < _NO_ROOM)
        if not at_edge.any():
            return step * min(1.0, float((room / np.maximum(np.abs(step), _NO_ROOM)).min()))
        free &= ~at_edge
        step = np.zeros_like(drift)
        if not free.any():
            return step
        step[free] = _newton_step(gradient[free], hessian[np.ix_(free, free)])


def _newton_step(gradient: Floats, hessian: Floats) -> Floats:
    """Ascent step, bounded in each eigendirection, whatever the sign of the curvature."""
    curvature, directions = eigh(hessian)
    slope = directions.T @ gradient
    size = np.abs(curvature)
    size = np.maximum(size, 1e-14 * size.max())
    return directions @ np.clip(slope / size, -_LONGEST_STEP, _LONGEST_STEP)


def masked(covariance: Floats, unidentified: Flags) -> Matrix:
    """Covariance with None for unidentified parameters."""
    unknown = unidentified[:, np.newaxis] | unidentified
    return tuple(
        tuple(None if hide else value for value, hide in zip(row, hidden, strict=True))
        for row, hidden in zip(covariance.tolist(), unknown.tolist(), strict=True)
    )
