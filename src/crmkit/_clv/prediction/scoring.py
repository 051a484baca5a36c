"""Apply a fit to a table of customers, each with the parameters that the covariates give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.covariates import (
    coefficient_mask,
    complaints,
    design_matrix,
    encoded,
    first_complaint,
    links_of,
    require_columns,
    unseen_levels,
)
from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import listed
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.inference.covariates import groups, individual_parameters
from crmkit.models.numerics.arrays import Codes
from crmkit.models.numerics.row_parameters import at_rows
from crmkit.tables import SUMMARY

Compute = Callable[..., Mapping[str, Floats]]
"""Takes a model, or the covariates of customers, then columns by name."""

_LARGE: Final = 2**12
"""A group with the same covariates and at least this many customers is computed apart."""

_ROWS_AT_ONCE: Final = 2**16
_EXAMPLES_SHOWN: Final = 3

_LEAST: Final = 1e-250
"""A parameter below it, or above its inverse, comes from an impossible covariate."""


class CustomerCovariates(NamedTuple):
    """Covariates of customers for one fit, a row for each customer.

    Attributes
    ----------
    fit
        The fit.
    rows
        The design matrix: a column for each coefficient.
    """

    fit: Fit
    rows: Floats

    def at(self, rows: Codes | slice) -> CustomerCovariates:
        """Select some of the customers."""
        return CustomerCovariates(self.fit, self.rows[rows])

    def effects(self, coefficients: Floats) -> dict[str, Floats]:
        """Effect on each process that covariates move, a number for each customer."""
        links = links_of(self.fit.name)
        mask = coefficient_mask(self.fit.covariates, processes=tuple(links))
        return {
            process: self.rows @ (used * coefficients)
            for process, used in zip(links, mask, strict=True)
            if used.any()
        }

    def moved(self, model: Any, coefficients: Floats) -> Any:  # noqa: ANN401 - of any kind
        """Give the model with the parameters that covariates move as arrays by customer."""
        parameters = self.moved_parameters(model, coefficients)
        return replace(model, **parameters) if parameters else model

    def moved_parameters(self, model: Any, coefficients: Floats) -> dict[str, Floats]:  # noqa: ANN401 - of any kind
        """Give the parameters that covariates move, a number for each customer."""
        effects = self.effects(coefficients)
        links = [links_of(self.fit.name)[process] for process in effects]
        return individual_parameters(asdict(model), links, list(effects.values()))

    @property
    def model(self) -> Any:  # noqa: ANN401 - of any kind
        """The fitted model, with the parameters of each customer."""
        return self.moved(self.fit.model, np.array(self.fit.likelihood.coefficients))


def with_scores(
    frame: frames.Frame, *, like: IntoFrame, fit: Fit, inputs: Sequence[str], compute: Compute
) -> frames.Frame:
    """Append columns that the fitted model computes from others.

    As `frames.with_computed`, with the model first among the arguments of `compute`: that of
    all customers, or one with parameters for each.
    """

    def by_model(
        covariates: Sequence[CustomerCovariates], **columns: Floats
    ) -> Mapping[str, Floats]:
        return _computed(covariates[0], columns, compute)

    return with_covariates(frame, like=like, fits=[fit], inputs=inputs, compute=by_model)


def with_covariates(
    frame: frames.Frame,
    *,
    like: IntoFrame,
    fits: Sequence[Fit],
    inputs: Sequence[str],
    compute: Compute,
) -> frames.Frame:
    """Append columns that are computed from others and from the covariates of customers.

    As `frames.with_computed`, with a list of `CustomerCovariates` first among the arguments of
    `compute`, one for each fit.
    """
    coded, codes = with_codes(frame, like=like, fits=fits)

    def by_row(**columns: Floats) -> Mapping[str, Floats]:
        n_rows = len(columns[inputs[0]])
        covariates = read_covariates(fits, codes, columns, n_rows=n_rows)
        return compute(covariates, **{name: columns[name] for name in inputs})

    wanted = (*inputs, *(code for of_fit in codes for code in of_fit.values()))
    scored = frames.with_computed(coded, like=like, table=SUMMARY, inputs=wanted, compute=by_row)
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
                one = {column: known}
                broken = complaints(one, of_fit) | unseen_levels(one, of_fit)
                frames.require(data, SUMMARY, broken, advice=_advice(column, known))
    return frame, codes


def read_covariates(
    fits: Sequence[Fit],
    codes: Sequence[Mapping[str, str]],
    columns: Mapping[str, Floats],
    *,
    n_rows: int,
) -> list[CustomerCovariates]:
    """Read the codes that `with_codes` appended, for each fit."""
    found = []
    for fit, of_fit in zip(fits, codes, strict=True):
        values = {column: columns[code] for column, code in of_fit.items()}
        _require_known(values, _levels(fit))
        rows = design_matrix(fit.covariates, values) if values else np.zeros((n_rows, 0))
        found.append(CustomerCovariates(fit, rows))
        if values:
            _require_possible(found[-1], values)
    return found


def blocks(*columns: Floats) -> Iterator[Codes]:
    """Cut rows into blocks, sorted by the first column: rows of one count share the costly part."""
    order = np.lexsort(columns[:1])
    for start in range(0, max(len(order), 1), _ROWS_AT_ONCE):
        yield order[start : start + _ROWS_AT_ONCE]


def require_no_covariates(fit: Fit, *, argument: str, table: str) -> None:
    """Require a fit without covariates, where the table cannot have them."""
    if fit.covariates:
        msg = (
            f"`{argument}` has covariates, which {table} does not hold.\n"
            "Fit the model without `covariates` for it."
        )
        raise InvalidArgumentError(msg)


def _computed(
    covariates: CustomerCovariates, columns: Mapping[str, Floats], compute: Compute
) -> Mapping[str, Floats]:
    """Compute for all at once; with covariates, for each large group of them and for the rest."""
    if not covariates.fit.covariates:
        return compute(covariates.fit.model, **columns)
    found: dict[str, Floats] = {}
    for rows, model in _models(covariates, *columns.values()):
        scores = compute(model, **{name: values[rows] for name, values in columns.items()})
        for name, values in scores.items():
            found.setdefault(name, np.empty(len(covariates.rows)))[rows] = values
    return found


def _models(covariates: CustomerCovariates, *columns: Floats) -> Iterator[tuple[Codes, Any]]:
    """Give the model of each large group with the same covariates, then those of the rest.

    A large group has many customers with the same history, which is computed once.
    """
    first, group = groups(covariates.rows)
    sizes = np.bincount(group, minlength=len(first))
    large = np.flatnonzero(sizes >= _LARGE)
    for i in large.tolist():
        yield np.flatnonzero(group == i), at_rows(covariates.at(first[i : i + 1]).model, 0)
    (rest,) = np.nonzero((sizes < _LARGE)[group])
    for rows in blocks(*(column[rest] for column in columns)):
        yield rest[rows], covariates.at(rest[rows]).model


def _levels(fit: Fit) -> dict[str, tuple[str, ...] | None]:
    return {each.column: each.levels for each in fit.covariates}


def _require_exact(frame: frames.Frame, columns: Sequence[str]) -> None:
    """Require covariates that a lazy table can be joined on."""
    schema = frame.collect_schema()
    inexact = [
        name for name in columns if schema[name].is_numeric() and not schema[name].is_integer()
    ]
    if inexact:
        msg = (
            f"{SUMMARY.name}: covariates {frames.quoted(inexact)} are not whole numbers, which a "
            "lazy table needs for its joins.\nRun the table first, or round them and fit anew."
        )
        raise InvalidArgumentError(msg)


def _require_known(
    known: Mapping[str, Floats], levels: Mapping[str, tuple[str, ...] | None]
) -> None:
    """Check the values of a lazy table as those of an eager one."""
    for column, codes in known.items():
        found = first_complaint(column, codes, levels[column])
        if found is not None:
            complaint, n_rows = found
            msg = (
                f"{SUMMARY.name}: {complaint} in {n_rows:,} of {len(codes):,} distinct histories."
                f"\n{_advice(column, levels[column])}"
            )
            raise InvalidRowsError(msg, n_rows=n_rows, examples=())


def _require_possible(covariates: CustomerCovariates, values: Mapping[str, Floats]) -> None:
    """Refuse values so far from those of the fit that a parameter overflows."""
    fit, rows = covariates.fit, covariates.rows
    coefficients = np.array(fit.likelihood.coefficients)
    with np.errstate(over="ignore"):
        found = covariates.moved_parameters(fit.model, coefficients).values()
    impossible = np.any([(each < _LEAST) | (each > 1 / _LEAST) for each in found], axis=0)
    if not impossible.any():
        return
    parts = np.abs(rows[impossible.argmax()] * coefficients)
    columns = [each.column for each in fit.covariates for _ in each.coefficients]
    column, n_rows = columns[int(parts.argmax())], int(impossible.sum())
    examples = tuple(dict.fromkeys(values[column][impossible].tolist()))[:_EXAMPLES_SHOWN]
    msg = (
        f"{SUMMARY.name}: covariate `{column}` is far beyond what the fit has seen in {n_rows:,} "
        f"of {len(rows):,} rows ({column} {', '.join(map(repr, examples))}).\n"
        "Give it in the unit that it had in the fit."
    )
    raise InvalidRowsError(msg, n_rows=n_rows, examples=examples)


def _advice(column: str, levels: tuple[str, ...] | None) -> str:
    """List the levels, so that a typing error shows."""
    if levels is None:
        return "Give values as in the fit."
    return f"Give levels as in the fit: `{column}` was {listed(levels)}."
