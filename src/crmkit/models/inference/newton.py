"""Maximum likelihood, once for all models.

The search is Newton's, over the logs of the parameters: they stay positive, a change of clock
or currency only shifts the start, and four parameters need no approximate second derivatives.
It is damped where the likelihood is not concave, and held within a factor of 5e8 of its start,
so that a parameter which the data send to infinity is found out rather than followed.
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
"""`maximize`, or what takes its place."""

_ENOUGH = 1e-9
"""The search ends when a further step promises less than this in total log-likelihood."""

_ROUGHLY_ENOUGH = 1e-4
"""What rounding may hide of that gain when parameters are huge."""

_MOST_STEPS = 200
_MOST_IDLE_STEPS = 5
"""Where so many steps in a row gain no more than rounding does, what they promise is rounding."""

_LONGEST_STEP = 2.0
_LARGEST_DRIFT = 20.0
_NO_ROOM = 1e-9

_LEAST_INFORMATION = 0.05
"""Below this the standard error of a log parameter exceeds 4.5: the data do not tell it."""

_NO_INFORMATION = 1e-4
"""Below this there is no maximum nearby: the search follows the parameter for good."""

_OPEN_SHARE = 0.01
"""A parameter with more than this share in directions that are not told is not told."""

_MOST_HALVINGS = 40
_ROUNDING = 1e-13

_ENOUGH_ROWS_TO_START = 2_500
_MUCH_THINNER = 64
"""From a table so much thinner than the whole one the search goes by way of one in between."""

_ENOUGH_TO_START = 1e-2
"""As `_ENOUGH`, where the search only wants a good place to start on the next table."""

_SAME_TOP = 0.05
"""Two climbs that come so near to each other end on one top."""


class Likelihood(Protocol):
    """The log-likelihood of a table as a function of the logs of the parameters."""

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""


@dataclass(frozen=True, slots=True)
class MaximumLikelihood(Generic[Model]):
    """A model at the maximum of its likelihood, and how well the data tell it.

    Attributes
    ----------
    model
        The fitted model.
    log_likelihood
        Its total log-likelihood.
    n_customers
        How many customers it was fitted on.
    names
        Its parameters, in the order of the rows of `covariance_log`.
    covariance_log
        Covariance of the logs of the parameters, from the exact Hessian; None where the data
        leave a parameter open.
    gradient_norm
        Steepness of the mean log-likelihood where the search ended; 0 is a maximum.
    eigenvalues
        Of the information matrix of the log parameters, smallest first; one near 0 or below is
        a direction in which the data tell nothing.
    converged
        Whether the search ended at a maximum; False also where a parameter ran away.
    diagnostics
        What a reader of the estimates must know, one sentence each; empty if all is well.
    coefficients
        Of covariates; they may be of either sign and come last in `names`, as they are, not by
        their logs.
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
        """Take it apart, to be kept as text."""
        return asdict(self) | {"model": asdict(cast("Any", self.model))}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], *, build: Callable[..., Model]) -> Self:
        """Put together what `to_dict` gave, after text has turned its tuples into lists."""
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
    """Find the parameters under which the data are likeliest.

    Parameters
    ----------
    build
        Makes a model of its parameters, in the order of `names`.
    names
        The parameters to search for; all are positive.
    likelihood
        Makes the `Likelihood` of `columns` and `weights`.
    columns, weights
        The data, a row for each distinct history, and how many customers each row stands for.
    starts
        Parameters to start from. All are tried, on a thinned table if it is long, and the
        search goes on from where the best of them led, on tables less and less thin.
    limits
        What it means in this model when parameters run away.
    """
    found = find(
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
        covariance_log=without_open(found.covariance, found.untold),
        gradient_norm=float(np.linalg.norm(found.gradient)) / n_customers,
        eigenvalues=tuple(found.eigenvalues.tolist()),
        converged=found.converged,
        diagnostics=found.diagnostics,
    )


class Found(NamedTuple):
    """Where a search ended, and what is known there."""

    position: Floats
    value: float
    gradient: Floats
    eigenvalues: Floats
    covariance: Floats
    """Within the directions that the data tell."""
    untold: Flags
    converged: bool
    diagnostics: tuple[str, ...]


def find(
    *,
    names: tuple[str, ...],
    likelihood: Callable[..., Likelihood],
    columns: Sequence[Floats],
    weights: Floats,
    starts: Sequence[tuple[float, ...]],
    limits: Sequence[Limit],
) -> Found:
    """Search as `maximize` does, and give all by log parameters."""
    thinnest, *finer = _thinner_and_finer(len(weights))

    def table(thin: int) -> Likelihood:
        return likelihood(*(column[::thin] for column in columns), weights[::thin])

    start, top = _best_climb(table(thinnest), [np.log(start) for start in starts])
    for thin in finer:
        # A thin table may lack what holds a parameter; the next one then starts afresh.
        lost = np.abs(top.position - start).max() > FAR
        begin = start if lost else top.position
        enough = _ENOUGH if thin == 1 else _ENOUGH_TO_START
        top = _climb(table(thin), begin, centre=start, enough=enough)
    eigenvalues, directions = eigh(-top.hessian)
    untold, loose = (
        (directions[:, eigenvalues < bound] ** 2).sum(axis=1) > _OPEN_SHARE
        for bound in (_LEAST_INFORMATION, _NO_INFORMATION)
    )
    told = eigenvalues >= _LEAST_INFORMATION
    drift = np.where(loose, top.position - start, 0.0)
    return Found(
        position=top.position,
        value=top.value,
        gradient=top.gradient,
        eigenvalues=eigenvalues,
        covariance=(directions[:, told] / eigenvalues[told]) @ directions[:, told].T,
        untold=untold,
        converged=top.converged and bool(np.abs(drift).max() <= FAR),
        diagnostics=diagnose(
            names, stopped=not top.converged, drift=drift, untold=untold, limits=limits
        ),
    )


class _Top(NamedTuple):
    """Where a climb ended."""

    position: Floats
    value: float
    gradient: Floats
    hessian: Floats
    converged: bool


def _thinner_and_finer(n_rows: int) -> list[int]:
    """Say of which tables to climb, one after the other: of every 100th row, every 10th, all."""
    thinnest = max(1, n_rows // _ENOUGH_ROWS_TO_START)
    return [thinnest, *([math.isqrt(thinnest)] if thinnest > _MUCH_THINNER else []), 1]


def _best_climb(likelihood: Likelihood, starts: Sequence[Floats]) -> tuple[Floats, _Top]:
    """Climb from each start nearly to the top, and give the best with where it began."""
    climbs: list[tuple[Floats, _Top]] = []
    for start in starts:
        known = [top.position for _, top in climbs]
        top = _climb(likelihood, start, centre=start, enough=_ENOUGH_TO_START, known=known)
        climbs.append((start, top))
    return max(climbs, key=lambda climb: climb[1].value)


def _climb(
    likelihood: Likelihood,
    position: Floats,
    *,
    centre: Floats,
    enough: float,
    known: Sequence[Floats] = (),
) -> _Top:
    """Climb by damped Newton steps until a further one promises nothing or leads to a known top."""
    value, gradient, hessian = likelihood(position)
    n_idle = 0
    for _ in range(_MOST_STEPS):
        step = _step_inside(gradient, hessian, drift=position - centre)
        promised = promise = float(gradient @ step)
        ahead = position + step
        if promised < enough or any(np.abs(ahead - top).max() < _SAME_TOP for top in known):
            return _Top(position, value, gradient, hessian, converged=True)
        for _ in range(_MOST_HALVINGS):
            reached = likelihood(ahead)
            if reached[0] >= value + 1e-4 * promise - _ROUNDING * abs(value):
                break
            step, promise = step / 2, promise / 2
            ahead = position + step
        else:
            # No step gains what it promised: rounding, unless the promise was real.
            return _Top(position, value, gradient, hessian, converged=promised < _ROUGHLY_ENOUGH)
        n_idle = 0 if reached[0] > value + _ROUNDING * abs(value) else n_idle + 1
        position = ahead
        value, gradient, hessian = reached
        if n_idle == _MOST_IDLE_STEPS:
            return _Top(position, value, gradient, hessian, converged=promised < _ROUGHLY_ENOUGH)
    return _Top(position, value, gradient, hessian, converged=False)


def _step_inside(gradient: Floats, hessian: Floats, *, drift: Floats) -> Floats:
    """Newton's step, shortened as a whole before it drifts too far, so that it keeps its way.

    A parameter that has come to the edge and would go on stays there; the others move.
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
    """Newton's step uphill, bounded in each direction, whatever the curvature's sign."""
    curvature, directions = eigh(hessian)
    slope = directions.T @ gradient
    size = np.abs(curvature)
    size = np.maximum(size, 1e-14 * size.max())
    return directions @ np.clip(slope / size, -_LONGEST_STEP, _LONGEST_STEP)


def without_open(covariance: Floats, untold: Flags) -> Matrix:
    """Put None where the data leave a parameter open."""
    unknown = untold[:, np.newaxis] | untold
    return tuple(
        tuple(None if hide else value for value, hide in zip(row, hidden, strict=True))
        for row, hidden in zip(covariance.tolist(), unknown.tolist(), strict=True)
    )
