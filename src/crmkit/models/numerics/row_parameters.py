"""Parameters of customers' own: what covariates move is an array, with a number for each row.

A model's formulas hold for such an array as for a number that all customers share; what they
compute once for each distinct history they then compute for each row. Rows are put in the order of
their first column, a count: those of one count share what is costly.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct, distinct_pairs
from crmkit.models.numerics.gamma_ratio import Real

Model = TypeVar("Model")


class Cells(NamedTuple):
    """What is computed once: columns, the model there, and for each row the place of its own."""

    columns: tuple[Floats, ...]
    model: Any
    of_row: Codes


def cells(model: Any, *columns: Floats) -> Cells:  # noqa: ANN401 - of any kind
    """Find the distinct values of one column or pairs of two; with own parameters, all rows."""
    if not own_names(model):
        *values, of_row = distinct(*columns) if len(columns) == 1 else distinct_pairs(*columns)
        return Cells(tuple(values), model, of_row)
    order = np.argsort(columns[0], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return Cells(tuple(column[order] for column in columns), at_rows(model, order), place)


def at_rows(model: Model, rows: Codes | slice | int) -> Model:
    """Give the model of some rows, in this order, or of one; what all share is as it is."""
    names = own_names(model)
    if not names:
        return model
    there = {name: getattr(model, name)[rows] for name in names}
    return replace(model, **there)  # type: ignore[type-var]  # a frozen dataclass


def own_names(model: Any) -> list[str]:  # noqa: ANN401 - of any kind
    """Name the parameters that each row has of its own."""
    return [each.name for each in fields(model) if np.ndim(getattr(model, each.name))]


def are_positive(*parameters: Real) -> bool:
    """Tell whether all are numbers above 0."""
    return all(bool(np.all(np.greater(each, 0) & np.isfinite(each))) for each in parameters)
