r"""Time-invariant covariates, penalties and priors in a maximum-likelihood search.

A process (purchases, dropout, spend) has a linear predictor for each customer, the effect, and a
`Link` from that effect to parameters. Customers with equal covariates form a group with its own
parameters; the chain rule turns a model's likelihood by group parameters into one by common
parameters and coefficients.

The search uses centred and scaled covariates. Results are in the units given: parameters where all
covariates are 0, and coefficients per unit.

Priors are normal for the logs of common parameters, and normal around 0 for coefficients, a
penalty on their squares.

References
----------
Fader, P. S. & Hardie, B. G. S. (2007). Incorporating time-invariant covariates into the Pareto/NBD
and BG/NBD models. http://brucehardie.com/notes/019/. (For BG/NBD they have separate
coefficients for a and b; here only the dropout odds change.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from crmkit.errors import FitError
from crmkit.models.inference.diagnostics import Limit
from crmkit.models.inference.newton import MaximumLikelihood, masked, search_maximum
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.grouped_sums import ByGroup, Derivatives

_LARGEST_LOG = 690.0
"""Beyond this log a parameter overflows."""


class Scale(NamedTuple):
    """Log link of one parameter: the effect is added to its log or subtracted."""

    parameter: str
    sign: int

    def own(self, parameters: Mapping[str, Any], effect: Floats) -> dict[str, Floats]:
        """Parameters of customers with these effects."""
        return {self.parameter: parameters[self.parameter] * np.exp(self.sign * effect)}

    def move(self, at: GroupParameters, names: Sequence[str], process: int, effect: Floats) -> None:
        """Add the effects of groups to their log parameters, with derivatives."""
        i = names.index(self.parameter)
        at.logs[i] += self.sign * effect
        at.slopes[i, len(names) + process] = self.sign


class Odds(NamedTuple):
    """Logit link: the effect is added to the log odds dropout / stay at a constant sum."""

    dropout: str
    stay: str

    def own(self, parameters: Mapping[str, Any], effect: Floats) -> dict[str, Floats]:
        """Parameters of customers with these effects."""
        dropout, stay = parameters[self.dropout], parameters[self.stay]
        log_odds = np.log(dropout) - np.log(stay) + effect
        return {
            self.dropout: (dropout + stay) * expit(log_odds),
            self.stay: (dropout + stay) * expit(-log_odds),
        }

    def move(self, at: GroupParameters, names: Sequence[str], process: int, effect: Floats) -> None:
        """Add the effects of groups to their log parameters, with derivatives."""
        i, j, e = names.index(self.dropout), names.index(self.stay), len(names) + process
        base = at.logs[i] - at.logs[j]
        log_total, log_odds = np.logaddexp(at.logs[i], at.logs[j]), base + effect
        at.logs[i], at.logs[j] = log_total + log_expit(log_odds), log_total + log_expit(-log_odds)
        before, drops_out, stays = expit(base), expit(log_odds), expit(-log_odds)
        at.slopes[i, [i, j, e]] = before + stays, drops_out - before, stays
        at.slopes[j, [i, j, e]] = before - drops_out, 1 - before + drops_out, -drops_out
        # Both logs have the same second derivatives.
        n_moved = at.slopes.shape[1]
        curvatures = np.zeros((n_moved, n_moved, at.logs.shape[1]))
        apart = np.array([1.0, -1.0, 1.0])
        curvatures[np.ix_([i, j, e], [i, j, e])] = -np.multiply.outer(
            np.outer(apart, apart), drops_out * stays
        )
        curvatures[np.ix_([i, j], [i, j])] += np.multiply.outer(
            np.outer(apart[:2], apart[:2]), before * (1 - before)
        )
        at.curvatures.append(((i, j), curvatures))


Link = Scale | Odds


class GroupParameters(NamedTuple):
    """Log parameters by group, with derivatives by common parameters and effects."""

    logs: Floats
    slopes: Floats
    curvatures: list[tuple[tuple[int, int], Floats]]
    """Second derivatives that are not 0, with their parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class PenalizedSearch:
    """Search with covariates, a penalty on their coefficients and priors of the parameters.

    Attributes
    ----------
    names
        Names of the coefficients.
    links
        Link of each process.
    moves
        A row of zeros and ones for each link: which coefficients are in its effect.
    rows
        Design matrix: a row for each history, a column for each coefficient.
    centres, scales
        To subtract from each column, and to divide it by, during the search.
    penalty
        Factor of the sum of squared coefficients of scaled columns that is subtracted.
    prior
        Median and standard deviation of the log of a parameter, where all covariates are 0.
    """

    names: tuple[str, ...]
    links: tuple[Link, ...]
    moves: Floats
    rows: Floats
    centres: Floats
    scales: Floats
    penalty: float
    prior: Mapping[str, tuple[float, float]]

    def maximize(
        self,
        *,
        build: Callable[..., Any],
        names: tuple[str, ...],
        likelihood: Callable[..., Any],
        columns: Sequence[Floats],
        weights: Floats,
        starts: Sequence[tuple[float, ...]],
        limits: Sequence[Limit] = (),
    ) -> MaximumLikelihood[Any]:
        """Search as `crmkit.models.inference.newton.maximize`, with covariates and priors."""
        make = partial(Objective, self, likelihood, names)
        all_names, data = (*names, *self.names), (*columns, self.rows)
        found = search_maximum(
            names=all_names,
            likelihood=make,
            columns=data,
            weights=weights,
            starts=[(*start, *[1.0] * len(self.names)) for start in starts],
            limits=limits,
        )
        objective, n_customers = make(*data, weights), float(weights.sum())
        values, slopes = objective.in_units(found.position)
        _require_in_reach(values[: len(names)], names)
        covariance = slopes @ found.covariance @ slopes.T
        return MaximumLikelihood(
            model=build(*np.exp(values[: len(names)]).tolist()),
            log_likelihood=objective.log_likelihood(found.position),
            n_customers=round(n_customers),
            names=all_names,
            covariance_log=masked(covariance, np.abs(slopes) @ found.unidentified > 0),
            gradient_norm=float(np.linalg.norm(found.gradient)) / n_customers,
            eigenvalues=tuple(found.eigenvalues.tolist()),
            converged=found.converged,
            diagnostics=found.diagnostics,
            coefficients=tuple(values[len(names) :].tolist()),
        )


class Objective:
    """Penalized log-likelihood by common log parameters and coefficients."""

    def __init__(
        self,
        side: PenalizedSearch,
        likelihood: Callable[..., Any],
        names: tuple[str, ...],
        *data: Floats,
    ) -> None:
        *columns, rows, weights = data
        self._side, self._names = side, names
        first, group = groups(rows)
        self._design = (rows[first] - side.centres) / side.scales
        self._at_zero = -(side.centres / side.scales)[np.newaxis]
        if len(first) == 1:
            self._likelihood = likelihood(*columns, weights)
        else:
            self._likelihood = likelihood(*columns, weights, group=group)

    def __call__(self, position: Floats, /) -> Derivatives:
        """Value, gradient and Hessian, with prior and penalty."""
        value, gradient, hessian = self._pulled_back(self._design, position, self._by_group)
        if self._side.prior:
            log_prior = self._pulled_back(self._at_zero, position, self._log_prior)
            value, gradient, hessian = (
                value + log_prior[0],
                gradient + log_prior[1],
                hessian + log_prior[2],
            )
        coefficients = position[len(self._names) :]
        where = np.arange(len(self._names), len(position))
        value -= self._side.penalty * float(coefficients @ coefficients)
        gradient[where] -= 2 * self._side.penalty * coefficients
        hessian[where, where] -= 2 * self._side.penalty
        return value, gradient, hessian

    def log_likelihood(self, position: Floats) -> float:
        """Log-likelihood without prior and penalty."""
        moved = self._moved(self._design, position)
        return float(self._by_group(moved.logs)[0].sum())

    def in_units(self, position: Floats) -> tuple[Floats, Floats]:
        """Log parameters where covariates are 0, coefficients per unit, and their Jacobian."""
        k, side = len(self._names), self._side
        moved = self._moved(self._at_zero, position)
        slopes = np.zeros((len(position), len(position)))
        slopes[:k, :k] = moved.slopes[:, :k, 0]
        for process, moves in enumerate(side.moves, start=k):
            slopes[:k, k:] += np.outer(moved.slopes[:, process, 0], self._at_zero[0] * moves)
        slopes[k:, k:] = np.diag(1 / side.scales)
        return np.append(moved.logs[:, 0], position[k:] / side.scales), slopes

    def _moved(self, design: Floats, position: Floats) -> GroupParameters:
        """Log parameters of each group."""
        names, side = self._names, self._side
        k = len(names)
        slopes = np.zeros((k, k + len(side.links), len(design)))
        slopes[range(k), range(k)] = 1
        moved = GroupParameters(
            np.repeat(position[:k, np.newaxis], len(design), axis=1), slopes, []
        )
        for process, (link, moves) in enumerate(zip(side.links, side.moves, strict=True)):
            link.move(moved, names, process, design @ (moves * position[k:]))
        return moved

    def _pulled_back(
        self, design: Floats, position: Floats, of_groups: Callable[[Floats], ByGroup]
    ) -> Derivatives:
        """Apply the chain rule: derivatives by group parameters to those by position."""
        k, moves = len(self._names), self._side.moves
        moved = self._moved(design, position)
        values, own_gradient, own_hessian = of_groups(moved.logs)
        gradients = np.einsum("iag,ig->ag", moved.slopes, own_gradient)
        half = np.einsum("ijg,jbg->ibg", own_hessian, moved.slopes)
        hessians = np.einsum("iag,ibg->abg", moved.slopes, half)
        for (i, j), curvatures in moved.curvatures:
            hessians += curvatures * (own_gradient[i] + own_gradient[j])
        gradient, hessian = np.zeros(len(position)), np.zeros((len(position),) * 2)
        gradient[:k], hessian[:k, :k] = gradients[:k].sum(axis=1), hessians[:k, :k].sum(axis=2)
        for p, move in enumerate(moves, start=k):
            gradient[k:] += (gradients[p] @ design) * move
            hessian[:k, k:] += (hessians[:k, p] @ design) * move
            for q, other in enumerate(moves, start=k):
                both = (design.T * hessians[p, q]) @ design
                hessian[k:, k:] += np.outer(move, other) * both
        hessian[k:, :k] = hessian[:k, k:].T
        return float(values.sum()), gradient, hessian

    def _by_group(self, logs: Floats) -> ByGroup:
        if logs.shape[1] > 1:
            found: ByGroup = self._likelihood.by_group(logs)
            return found
        value, gradient, hessian = self._likelihood(logs[:, 0])
        return np.array([value]), gradient[:, np.newaxis], hessian[:, :, np.newaxis]

    def _log_prior(self, logs: Floats) -> ByGroup:
        """Log prior density of the log parameters where covariates are 0, up to a constant."""
        gradient, precisions = np.zeros(len(logs)), np.zeros(len(logs))
        value = 0.0
        for name, (median, deviation) in self._side.prior.items():
            i = self._names.index(name)
            off = (logs[i, 0] - np.log(median)) / deviation
            value -= off * off / 2
            gradient[i], precisions[i] = -off / deviation, 1 / deviation**2
        return np.array([value]), gradient[:, np.newaxis], -np.diag(precisions)[:, :, np.newaxis]


def individual_parameters(
    parameters: Mapping[str, Any], links: Sequence[Link], effects: Sequence[Floats]
) -> dict[str, Floats]:
    """Parameters that covariates move, a value for each customer."""
    found: dict[str, Floats] = {}
    for link, effect in zip(links, effects, strict=True):
        found |= link.own(parameters, effect)
    return found


def groups(rows: Floats) -> tuple[Codes, Codes]:
    """Group customers with equal covariates: first row of each group, group of each row."""
    group = np.zeros(len(rows), np.int64)
    for column in rows.T:
        values, of_row = distinct(column)
        _, group = distinct(group * len(values) + of_row)
    _, first = np.unique(group, return_index=True)
    return first, group


def _require_in_reach(logs: Floats, names: tuple[str, ...]) -> None:
    """Refuse parameters that overflow, as where a covariate is a time in seconds."""
    far = [name for name, log in zip(names, logs.tolist(), strict=True) if abs(log) > _LARGEST_LOG]
    if far:
        msg = (
            f"Overflow of {', '.join(far)} where all covariates are 0, which is far from their "
            "values.\nMeasure covariates from a typical value, such as years since 2000."
        )
        raise FitError(msg)
