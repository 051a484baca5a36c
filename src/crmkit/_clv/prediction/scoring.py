"""Score customers by a fit, each with the parameters that its covariates give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.covariates import (
    LINKS,
    complaints,
    design,
    encoded,
    moves_of,
    require_columns,
    trouble_with,
    unseen,
)
from crmkit._clv.fitting.fit import Fit
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.inference.covariates import groups, own_parameters
from crmkit.models.numerics.arrays import Codes
from crmkit.models.numerics.row_parameters import at_rows
from crmkit.tables import SUMMARY

Compute = Callable[..., Mapping[str, Floats]]
"""Takes a model, or what is known of customers, then columns by name."""

_LARGE: Final = 2**12
"""So many customers alike in all covariates are worth a model of their own."""

_ROWS_AT_ONCE: Final = 2**16
_EXAMPLES_SHOWN: Final = 3

_LEAST: Final = 1e-250
"""A parameter below it, or above its inverse, is no number of anything."""


class Known(NamedTuple):
    """What is known of some customers: a row each, for one fit.

    Attributes
    ----------
    fit
        The fit whose covariates these are.
    rows
        What each coefficient is multiplied by.
    """

    fit: Fit
    rows: Floats

    def at(self, rows: Codes | slice) -> Known:
        """Look at some of the customers."""
        return Known(self.fit, self.rows[rows])

    def effects(self, coefficients: Floats) -> dict[str, Floats]:
        """Give the effect on each process that covariates move, a number for each customer."""
        links = LINKS.get(self.fit.name, {})
        moves = moves_of(self.fit.covariates, processes=tuple(links))
        return {
            process: self.rows @ (move * coefficients)
            for process, move in zip(links, moves, strict=True)
            if move.any()
        }

    def own(self, model: Any, coefficients: Floats) -> Any:  # noqa: ANN401 - of any kind
        """Give each customer what the covariates make of a model's parameters."""
        own = self.own_parameters(model, coefficients)
        return replace(model, **own) if own else model

    def own_parameters(self, model: Any, coefficients: Floats) -> dict[str, Floats]:  # noqa: ANN401 - of any kind
        """Give the parameters that covariates move, a number for each customer."""
        effects = self.effects(coefficients)
        links = [LINKS[self.fit.name][process] for process in effects]
        return own_parameters(asdict(model), links, list(effects.values()))

    @property
    def model(self) -> Any:  # noqa: ANN401 - of any kind
        """The fitted model, with each customer's own parameters."""
        return self.own(self.fit.model, np.array(self.fit.likelihood.coefficients))


def with_scores(
    frame: frames.Frame, *, like: IntoFrame, fit: Fit, inputs: Sequence[str], compute: Compute
) -> frames.Frame:
    """Append columns that the fitted model computes from others.

    As `frames.with_computed`, with the model first among the arguments of `compute`: that of
    all customers, or one with own parameters for each.
    """

    def by_own(known: Sequence[Known], **columns: Floats) -> Mapping[str, Floats]:
        return _computed(known[0], columns, compute)

    return with_known(frame, like=like, fits=[fit], inputs=inputs, compute=by_own)


def with_known(
    frame: frames.Frame,
    *,
    like: IntoFrame,
    fits: Sequence[Fit],
    inputs: Sequence[str],
    compute: Compute,
) -> frames.Frame:
    """Append columns that are computed from others and from what is known of customers.

    As `frames.with_computed`, with a list of `Known` first among the arguments of `compute`, one
    for each fit.
    """
    coded, codes = with_codes(frame, like=like, fits=fits)

    def by_known(**columns: Floats) -> Mapping[str, Floats]:
        n_rows = len(columns[inputs[0]])
        known = known_of(fits, codes, columns, n_rows=n_rows)
        return compute(known, **{name: columns[name] for name in inputs})

    wanted = (*inputs, *(code for of_fit in codes for code in of_fit.values()))
    scored = frames.with_computed(coded, like=like, table=SUMMARY, inputs=wanted, compute=by_known)
    return scored.drop(*wanted[len(inputs) :]) if len(wanted) > len(inputs) else scored


def with_codes(
    frame: frames.Frame, *, like: IntoFrame, fits: Sequence[Fit]
) -> tuple[frames.Frame, list[dict[str, str]]]:
    """Append the covariates of each fit as numbers, and give the names of these by column."""
    codes: list[dict[str, str]] = []
    for fit in fits:
        levels = _levels(fit)
        if not levels:
            codes.append({})
            continue
        require_columns(frame, list(levels))
        frame, of_fit = encoded(frame, levels, first=sum(map(len, codes)))
        codes.append(of_fit)
        if frames.is_lazy(like):
            _require_exact(frame, list(levels))
        else:
            data = frame.collect()
            for column, known in levels.items():
                broken = complaints({column: known}, of_fit) | unseen({column: known}, of_fit)
                frames.require(data, SUMMARY, broken, advice=_advice(column, known))
    return frame, codes


def known_of(
    fits: Sequence[Fit],
    codes: Sequence[Mapping[str, str]],
    columns: Mapping[str, Floats],
    *,
    n_rows: int,
) -> list[Known]:
    """Read the numbers that `with_codes` appended."""
    found = []
    for fit, of_fit in zip(fits, codes, strict=True):
        values = {column: columns[code] for column, code in of_fit.items()}
        _require_known(values, _levels(fit))
        rows = design(fit.covariates, values) if values else np.zeros((n_rows, 0))
        found.append(Known(fit, rows))
        if values:
            _require_possible(found[-1], values)
    return found


def blocks(*columns: Floats) -> Iterator[Codes]:
    """Cut rows into blocks, by the first column: rows of one count share what is costly."""
    order = np.lexsort(columns[:1])
    for start in range(0, max(len(order), 1), _ROWS_AT_ONCE):
        yield order[start : start + _ROWS_AT_ONCE]


def require_no_covariates(fit: Fit, *, argument: str, where: str) -> None:
    """Refuse a fit whose customers differ in more than their histories."""
    if fit.covariates:
        msg = (
            f"`{argument}` has covariates, and {where} none.\n"
            "Fit the model without `covariates` for it."
        )
        raise InvalidArgumentError(msg)


def _computed(
    known: Known, columns: Mapping[str, Floats], compute: Compute
) -> Mapping[str, Floats]:
    """Compute for all at once, for each large group of customers alike, and for all others."""
    if not known.fit.covariates:
        return compute(known.fit.model, **columns)
    found: dict[str, Floats] = {}
    for rows, model in _models(known, *columns.values()):
        scores = compute(model, **{name: values[rows] for name, values in columns.items()})
        for name, values in scores.items():
            found.setdefault(name, np.empty(len(known.rows)))[rows] = values
    return found


def _models(known: Known, *columns: Floats) -> Iterator[tuple[Codes, Any]]:
    """Give the model of each large group of customers alike, then those of the rest, by blocks.

    A large group has many customers with the same history, who are computed once.
    """
    first, group = groups(known.rows)
    sizes = np.bincount(group, minlength=len(first))
    large = np.flatnonzero(sizes >= _LARGE)
    for i in large.tolist():
        yield np.flatnonzero(group == i), at_rows(known.at(first[i : i + 1]).model, 0)
    (rest,) = np.nonzero((sizes < _LARGE)[group])
    for rows in blocks(*(column[rest] for column in columns)):
        yield rest[rows], known.at(rest[rows]).model


def _levels(fit: Fit) -> dict[str, tuple[str, ...] | None]:
    return {each.column: each.levels for each in fit.covariates}


def _require_exact(frame: frames.Frame, columns: Sequence[str]) -> None:
    """Refuse numbers that a lazy table cannot be joined on."""
    schema = frame.collect_schema()
    inexact = [
        name for name in columns if schema[name].is_numeric() and not schema[name].is_integer()
    ]
    if inexact:
        msg = (
            f"{SUMMARY.name}: covariates {frames.quoted(inexact)} are no whole numbers, and a "
            "lazy table is joined on them.\nRun the table first, or make them whole and fit anew."
        )
        raise InvalidArgumentError(msg)


def _require_known(
    known: Mapping[str, Floats], levels: Mapping[str, tuple[str, ...] | None]
) -> None:
    """Hold the values of a lazy table to what an eager one has been held to."""
    for column, codes in known.items():
        trouble = trouble_with(column, codes, levels[column])
        if trouble is not None:
            complaint, n_rows = trouble
            msg = (
                f"{SUMMARY.name}: {complaint} in {n_rows:,} of {len(codes):,} distinct histories."
                f"\n{_advice(column, levels[column])}"
            )
            raise InvalidRowsError(msg, n_rows=n_rows, examples=())


def _require_possible(known: Known, values: Mapping[str, Floats]) -> None:
    """Refuse values so far from those of the fit that a parameter is no number any more."""
    coefficients = np.array(known.fit.likelihood.coefficients)
    with np.errstate(over="ignore"):
        found = known.own_parameters(known.fit.model, coefficients).values()
    impossible = np.any([(each < _LEAST) | (each > 1 / _LEAST) for each in found], axis=0)
    if not impossible.any():
        return
    parts = np.abs(known.rows[impossible.argmax()] * coefficients)
    columns = [each.column for each in known.fit.covariates for _ in each.coefficients]
    column, n_rows = columns[int(parts.argmax())], int(impossible.sum())
    examples = tuple(dict.fromkeys(values[column][impossible].tolist()))[:_EXAMPLES_SHOWN]
    msg = (
        f"{SUMMARY.name}: covariate `{column}` is far beyond what the fit has seen in {n_rows:,} "
        f"of {len(known.rows):,} rows ({column} {', '.join(map(repr, examples))}).\n"
        "Give it in the unit that it had in the fit."
    )
    raise InvalidRowsError(msg, n_rows=n_rows, examples=examples)


def _advice(column: str, levels: tuple[str, ...] | None) -> str:
    """List the levels, so that a typing error is seen."""
    if levels is None:
        return "Give what was known in the fit."
    return f"Give what was known in the fit. `{column}` was {', '.join(map(repr, levels))}."
