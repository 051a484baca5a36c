r"""Covariates: what is known of customers beforehand moves their parameters.

A process (buying, leaving, spending) has an effect for each customer, the sum of what is known
times a coefficient for each, and a `Link` from that effect to parameters. So customers who are
alike in all covariates are a group with parameters of its own, and a model's likelihood of groups,
by their own parameters, becomes one by common parameters and coefficients: the chain rule, here.

The search runs over coefficients of covariates that are centred and scaled, for its own sake.
What it finds is told in the units given: parameters where all covariates are 0, and coefficients
per unit.

What is believed beforehand holds the search: a normal law for the logs of common parameters, and
one around 0 for coefficients, which is a penalty on their squares.

References
----------
Fader, P. S. & Hardie, B. G. S. (2007). Incorporating time-invariant covariates into the Pareto/NBD
and BG/NBD models. http://brucehardie.com/notes/019/. (For BG/NBD they move a and b apart, each by
a coefficient of its own; here only the odds of leaving move.)
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
from crmkit.models.inference.newton import MaximumLikelihood, find, without_open
from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct
from crmkit.models.numerics.grouped_sums import ByGroup, Derivatives

_LARGEST_LOG = 690.0
"""Beyond it a parameter is no number any more."""


class Scale(NamedTuple):
    """The log of a parameter moves with the effect, or against it."""

    parameter: str
    sign: int

    def own(self, parameters: Mapping[str, Any], effect: Floats) -> dict[str, Floats]:
        """Give the parameters of customers with these effects."""
        return {self.parameter: parameters[self.parameter] * np.exp(self.sign * effect)}

    def move(self, at: Moved, names: Sequence[str], process: int, effect: Floats) -> None:
        """Move the log parameters of groups with these effects."""
        i = names.index(self.parameter)
        at.logs[i] += self.sign * effect
        at.slopes[i, len(names) + process] = self.sign


class Odds(NamedTuple):
    """The log odds of leaving, leave / stay, move with the effect; leave + stay remains."""

    leave: str
    stay: str

    def own(self, parameters: Mapping[str, Any], effect: Floats) -> dict[str, Floats]:
        """Give the parameters of customers with these effects."""
        leave, stay = parameters[self.leave], parameters[self.stay]
        log_odds = np.log(leave) - np.log(stay) + effect
        return {
            self.leave: (leave + stay) * expit(log_odds),
            self.stay: (leave + stay) * expit(-log_odds),
        }

    def move(self, at: Moved, names: Sequence[str], process: int, effect: Floats) -> None:
        """Move the log parameters of groups with these effects."""
        i, j, e = names.index(self.leave), names.index(self.stay), len(names) + process
        base = at.logs[i] - at.logs[j]
        log_total, log_odds = np.logaddexp(at.logs[i], at.logs[j]), base + effect
        at.logs[i], at.logs[j] = log_total + log_expit(log_odds), log_total + log_expit(-log_odds)
        before, leaves, stays = expit(base), expit(log_odds), expit(-log_odds)
        at.slopes[i, [i, j, e]] = before + stays, leaves - before, stays
        at.slopes[j, [i, j, e]] = before - leaves, 1 - before + leaves, -leaves
        # Both logs have the same second derivatives.
        n_moved = at.slopes.shape[1]
        bends = np.zeros((n_moved, n_moved, at.logs.shape[1]))
        apart = np.array([1.0, -1.0, 1.0])
        bends[np.ix_([i, j, e], [i, j, e])] = -np.multiply.outer(
            np.outer(apart, apart), leaves * stays
        )
        bends[np.ix_([i, j], [i, j])] += np.multiply.outer(
            np.outer(apart[:2], apart[:2]), before * (1 - before)
        )
        at.bends.append(((i, j), bends))


Link = Scale | Odds


class Moved(NamedTuple):
    """Log parameters by group, and their derivatives by common ones and effects."""

    logs: Floats
    slopes: Floats
    bends: list[tuple[tuple[int, int], Floats]]
    """Second derivatives, and the parameters that have them; all others have none."""


@dataclass(frozen=True, slots=True, eq=False)
class SideInformation:
    """What bears on a fit beside the histories: covariates, and what is believed beforehand.

    Attributes
    ----------
    names
        The coefficients.
    links
        What each process's effect moves.
    moves
        A row of zeros and ones for each link: which coefficients count in its effect.
    rows
        What each coefficient is multiplied by: a row for each history.
    centres, scales
        What to subtract from each of these columns, and to divide it by, while searching.
    penalty
        Times the sum of the squares of the coefficients of scaled columns it is subtracted.
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
        """Take the place of `crmkit.models.inference.newton.maximize`, and search with all this."""
        make = partial(Objective, self, likelihood, names)
        all_names, data = (*names, *self.names), (*columns, self.rows)
        found = find(
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
            covariance_log=without_open(covariance, np.abs(slopes) @ found.untold > 0),
            gradient_norm=float(np.linalg.norm(found.gradient)) / n_customers,
            eigenvalues=tuple(found.eigenvalues.tolist()),
            converged=found.converged,
            diagnostics=found.diagnostics,
            coefficients=tuple(values[len(names) :].tolist()),
        )


class Objective:
    """Log-likelihood by common log parameters and coefficients, and what is believed of them."""

    def __init__(
        self,
        side: SideInformation,
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
        """Value, gradient and Hessian, with what is believed."""
        value, gradient, hessian = self._pulled_back(self._design, position, self._by_group)
        if self._side.prior:
            believed = self._pulled_back(self._at_zero, position, self._believed)
            value, gradient, hessian = (
                value + believed[0],
                gradient + believed[1],
                hessian + believed[2],
            )
        coefficients = position[len(self._names) :]
        where = np.arange(len(self._names), len(position))
        value -= self._side.penalty * float(coefficients @ coefficients)
        gradient[where] -= 2 * self._side.penalty * coefficients
        hessian[where, where] -= 2 * self._side.penalty
        return value, gradient, hessian

    def log_likelihood(self, position: Floats) -> float:
        """Give the value of the data alone."""
        moved = self._moved(self._design, position)
        return float(self._by_group(moved.logs)[0].sum())

    def in_units(self, position: Floats) -> tuple[Floats, Floats]:
        """Give log parameters where covariates are 0, coefficients per unit, and their slopes."""
        k, side = len(self._names), self._side
        moved = self._moved(self._at_zero, position)
        slopes = np.zeros((len(position), len(position)))
        slopes[:k, :k] = moved.slopes[:, :k, 0]
        for process, moves in enumerate(side.moves, start=k):
            slopes[:k, k:] += np.outer(moved.slopes[:, process, 0], self._at_zero[0] * moves)
        slopes[k:, k:] = np.diag(1 / side.scales)
        return np.append(moved.logs[:, 0], position[k:] / side.scales), slopes

    def _moved(self, design: Floats, position: Floats) -> Moved:
        """Give each group its parameters."""
        names, side = self._names, self._side
        k = len(names)
        slopes = np.zeros((k, k + len(side.links), len(design)))
        slopes[range(k), range(k)] = 1
        moved = Moved(np.repeat(position[:k, np.newaxis], len(design), axis=1), slopes, [])
        for process, (link, moves) in enumerate(zip(side.links, side.moves, strict=True)):
            link.move(moved, names, process, design @ (moves * position[k:]))
        return moved

    def _pulled_back(
        self, design: Floats, position: Floats, of_groups: Callable[[Floats], ByGroup]
    ) -> Derivatives:
        """Turn derivatives by groups' own parameters into those by position."""
        k, moves = len(self._names), self._side.moves
        moved = self._moved(design, position)
        values, own_gradient, own_hessian = of_groups(moved.logs)
        gradients = np.einsum("iag,ig->ag", moved.slopes, own_gradient)
        half = np.einsum("ijg,jbg->ibg", own_hessian, moved.slopes)
        hessians = np.einsum("iag,ibg->abg", moved.slopes, half)
        for (i, j), bends in moved.bends:
            hessians += bends * (own_gradient[i] + own_gradient[j])
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

    def _believed(self, logs: Floats) -> ByGroup:
        """Log density of the logs where covariates are 0, up to a constant."""
        gradient, precisions = np.zeros(len(logs)), np.zeros(len(logs))
        value = 0.0
        for name, (median, deviation) in self._side.prior.items():
            i = self._names.index(name)
            off = (logs[i, 0] - np.log(median)) / deviation
            value -= off * off / 2
            gradient[i], precisions[i] = -off / deviation, 1 / deviation**2
        return np.array([value]), gradient[:, np.newaxis], -np.diag(precisions)[:, :, np.newaxis]


def own_parameters(
    parameters: Mapping[str, Any], links: Sequence[Link], effects: Sequence[Floats]
) -> dict[str, Floats]:
    """Give what the processes move of the parameters, a value for each customer."""
    found: dict[str, Floats] = {}
    for link, effect in zip(links, effects, strict=True):
        found |= link.own(parameters, effect)
    return found


def groups(rows: Floats) -> tuple[Codes, Codes]:
    """Find customers alike in all covariates: the first row of each group, the group of each."""
    group = np.zeros(len(rows), np.int64)
    for column in rows.T:
        values, of_row = distinct(column)
        _, group = distinct(group * len(values) + of_row)
    _, first = np.unique(group, return_index=True)
    return first, group


def _require_in_reach(logs: Floats, names: tuple[str, ...]) -> None:
    """Refuse parameters that no float can hold, as where a covariate is the time in seconds."""
    far = [name for name, log in zip(names, logs.tolist(), strict=True) if abs(log) > _LARGEST_LOG]
    if far:
        msg = (
            f"No number is large or small enough for {', '.join(far)} where all covariates are 0, "
            "which is far from what they are.\nCount them from a usual value, such as years "
            "since 2000."
        )
        raise FitError(msg)
