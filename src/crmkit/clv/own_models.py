"""Score customers by a fit, each with the parameters that its covariates give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from narwhals.typing import IntoFrame

from crmkit import _frames
from crmkit._frames import Floats
from crmkit.clv.covariates import (
    LINKS,
    complaints,
    design,
    encoded,
    moves_of,
    require_columns,
    trouble_with,
    unseen,
)
from crmkit.clv.fits import Fit
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.covariates import groups, own_parameters
from crmkit.tables import SUMMARY

Compute = Callable[..., Mapping[str, Floats]]
"""Takes a model, then columns by name."""


def with_scores(
    frame: _frames.Frame, *, like: IntoFrame, fit: Fit, inputs: Sequence[str], compute: Compute
) -> _frames.Frame:
    """Append columns that the fitted model computes from others.

    As `_frames.with_computed`, with the model first among the arguments of `compute`. Where the
    fit has covariates, it is called once for the customers who are alike in all of them.
    """
    if not fit.covariates:

        def by_all(**columns: Floats) -> Mapping[str, Floats]:
            return compute(fit.model, **columns)

        return _frames.with_computed(frame, like=like, inputs=inputs, compute=by_all)

    levels = {each.column: each.levels for each in fit.covariates}
    require_columns(frame, list(levels))
    coded, codes = encoded(frame, levels)
    if _frames.is_lazy(like):
        _require_exact(frame, list(levels))
    else:
        broken = complaints(levels, codes) | unseen(levels, codes)
        _frames.require(coded.collect(), SUMMARY, broken, advice=_advice(levels))

    def by_own(**columns: Floats) -> Mapping[str, Floats]:
        known = {column: columns.pop(code) for column, code in codes.items()}
        _require_known(known, levels)
        return _computed(fit, design(fit.covariates, known), columns, compute)

    wanted = (*inputs, *codes.values())
    scored = _frames.with_computed(coded, like=like, inputs=wanted, compute=by_own)
    return scored.drop(*codes.values())


def require_no_covariates(fit: Fit, *, argument: str, where: str) -> None:
    """Refuse a fit whose customers differ in more than their histories."""
    if fit.covariates:
        msg = (
            f"`{argument}` has covariates, and {where} none.\n"
            "Fit the model without `covariates` for it."
        )
        raise InvalidArgumentError(msg)


def _computed(
    fit: Fit, rows: Floats, columns: Mapping[str, Floats], compute: Compute
) -> dict[str, Floats]:
    """Call once per group of customers alike, and put the results back in their rows."""
    if not len(rows):
        return dict(compute(fit.model, **columns))
    first, group = groups(rows)
    links = LINKS[fit.name]
    moves = moves_of(fit.covariates, processes=tuple(links))
    effects = [rows[first] @ (move * fit.likelihood.coefficients) for move in moves]
    own = own_parameters(asdict(fit.model), tuple(links.values()), effects)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=len(first)))
    found: dict[str, Floats] = {}
    for i, members in enumerate(np.split(order, ends[:-1])):
        model = replace(fit.model, **{name: float(values[i]) for name, values in own.items()})
        scores = compute(model, **{name: values[members] for name, values in columns.items()})
        for name, values in scores.items():
            found.setdefault(name, np.empty(len(rows)))[members] = values
    return found


def _require_exact(frame: _frames.Frame, columns: Sequence[str]) -> None:
    """Refuse numbers that a lazy table cannot be joined on."""
    schema = frame.collect_schema()
    inexact = [
        name for name in columns if schema[name].is_numeric() and not schema[name].is_integer()
    ]
    if inexact:
        msg = (
            f"{SUMMARY.name}: covariates {_frames.quoted(inexact)} are no whole numbers, and a "
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
                f"\n{_advice({column: levels[column]})}"
            )
            raise InvalidRowsError(msg, n_rows=n_rows, examples=())


def _advice(levels: Mapping[str, tuple[str, ...] | None]) -> str:
    """List the levels, so that a typing error is seen."""
    seen = [
        f"`{column}` was {', '.join(map(repr, known))}"
        for column, known in levels.items()
        if known is not None
    ]
    return ". ".join(["Give what was known in the fit", *seen]) + "."
