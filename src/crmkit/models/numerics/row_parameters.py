"""Parameters that vary by row: arrays, with a value for each customer, where covariates move them.

A model's formulas work for such an array as for a shared number; functions of distinct histories
are then computed for each row. Rows are sorted by their first column, a count, since rows of one
count share costly steps.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct, distinct_pairs
from crmkit.models.numerics.gamma_ratio import Real

Model = TypeVar("Model")


class DistinctHistories(NamedTuple):
    """Distinct histories: columns, the model at them, and the index of each row's history."""

    columns: tuple[Floats, ...]
    model: Any
    of_row: Codes


def distinct_histories(model: Any, *columns: Floats) -> DistinctHistories:  # noqa: ANN401 - of any kind
    """Distinct values of one column or pairs of two; all rows where parameters vary."""
    if not varying_parameters(model):
        *values, of_row = distinct(*columns) if len(columns) == 1 else distinct_pairs(*columns)
        return DistinctHistories(tuple(values), model, of_row)
    order = np.argsort(columns[0], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return DistinctHistories(
        tuple(column[order] for column in columns), at_rows(model, order), place
    )


def at_rows(model: Model, rows: Codes | slice | int) -> Model:
    """Model of some rows, in this order, or of one row; shared parameters are kept."""
    names = varying_parameters(model)
    if not names:
        return model
    there = {name: getattr(model, name)[rows] for name in names}
    return replace(model, **there)  # type: ignore[type-var]  # a frozen dataclass


def varying_parameters(model: Any) -> list[str]:  # noqa: ANN401 - of any kind
    """Names of the parameters that vary by row."""
    return [each.name for each in fields(model) if np.ndim(getattr(model, each.name))]


def are_positive(*parameters: Real) -> bool:
    """Whether all are finite numbers above 0."""
    return all(bool(np.all(np.greater(each, 0) & np.isfinite(each))) for each in parameters)
