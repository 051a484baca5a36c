"""Covariates: columns of the customers' table as the numbers of a design matrix.

Numbers enter as they are, true and false as 1 and 0. Text is dummy coded: its levels are sorted,
the first is the reference, and each other level has a coefficient of its own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import narwhals as nw
import numpy as np

from crmkit._door import frames
from crmkit._door.frames import Floats, quoted
from crmkit._words.arguments import did_you_mean, listed, require_list, shown
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.inference.covariates import Link
from crmkit.tables import SUMMARY

BOTH: Final = "both"
_MOST_LEVELS: Final = 50
_FROM_PURCHASES: Final = frozenset(SUMMARY.column_names) - {"customer_id"}
"""Columns that `crmkit.rfm.summarize` makes of the purchases that a model explains."""

_CODE: Final = "crmkit_covariate_{}"
_UNSEEN = -1
_UNKNOWN = -2
"""Codes in place of a level: one without a coefficient, and a null."""

_NO_NUMBER: Final = -(2**63)
"""Code in place of a whole number that is null: rows with a null would be left out."""

CovariateNames = Sequence[str] | Mapping[str, Sequence[str]]
"""Columns for all processes of a model, or for each by its name."""


@dataclass(frozen=True, slots=True)
class Covariate:
    """A column that moves a process of a model.

    Attributes
    ----------
    process
        "purchases", "dropout", "both" (with one coefficient for the two) or "spend".
    column
        The column's name.
    levels
        Levels of a text column, sorted; the first is the reference. None for numbers.
    """

    process: str
    column: str
    levels: tuple[str, ...] | None = None

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        name = f"{self.process}: {self.column}"
        if self.levels is None:
            return (name,)
        return tuple(f"{name}={level}" for level in self.levels[1:])


def links_of(model: str) -> Mapping[str, Link]:
    """Give the processes that covariates move in a model, and the parameters that each moves."""
    return PURCHASE_MODELS[model].links if model in PURCHASE_MODELS else SPEND_MODELS[model].links


def by_process(model: str, covariates: CovariateNames | None) -> tuple[tuple[str, str], ...]:
    """List each process of the model with each of its columns.

    Raises
    ------
    InvalidArgumentError
        If the model takes no covariates or lacks a process, or a column is made of purchases.
    """
    if not covariates:
        return ()
    processes = list(links_of(model))
    if not processes:
        models = [*PURCHASE_MODELS, *SPEND_MODELS]
        msg = (
            f"{model} takes no covariates.\n"
            f"Choose one of {listed(each for each in models if links_of(each))}."
        )
        raise InvalidArgumentError(msg)
    columns_of = covariates
    if not isinstance(columns_of, Mapping):
        columns_of = dict.fromkeys(processes, columns_of)
    known = [*processes, BOTH] if len(processes) > 1 else processes
    for process, columns in columns_of.items():
        if process not in known:
            msg = f"`covariates` has {process!r}; the processes of {model} are {listed(known)}."
            raise InvalidArgumentError(msg + did_you_mean(process, known))
        _require_names(columns)
    return tuple((process, column) for process, named in columns_of.items() for column in named)


def coefficient_mask(covariates: Sequence[Covariate], *, processes: Sequence[str]) -> Floats:
    """Give zeros and ones, a row per process: which coefficients enter its effect."""
    of_coefficient = [each.process for each in covariates for _ in each.coefficients]
    rows = [[float(of in (process, BOTH)) for of in of_coefficient] for process in processes]
    return np.array(rows).reshape(len(processes), len(of_coefficient))


def design_matrix(covariates: Sequence[Covariate], columns: Mapping[str, Floats]) -> Floats:
    """Make the design matrix, a column per coefficient, from the codes of the covariates."""
    made: list[Floats] = []
    for each in covariates:
        codes = columns[each.column]
        if each.levels is None:
            made.append(codes)
        else:
            made += [(codes == i).astype(np.float64) for i in range(1, len(each.levels))]
    n_rows = len(next(iter(columns.values())))
    return np.stack(made, axis=1) if made else np.zeros((n_rows, 0))


def first_complaint(
    column: str, codes: Floats, levels: tuple[str, ...] | None
) -> tuple[str, int] | None:
    """Find the first complaint about the codes of a covariate, and the number of rows with it."""
    is_null = np.isnan(codes) | (codes == (_NO_NUMBER if levels is None else _UNKNOWN))
    found = {"is null": is_null, "has a level that the fit has not seen": codes == _UNSEEN}
    if levels is None:
        found = {"is null": is_null, "is not finite": np.isinf(codes)}
    counts = ((f"covariate `{column}` {what}", int(bad.sum())) for what, bad in found.items())
    return next(((complaint, n) for complaint, n in counts if n), None)


# On tables


def levels_of(frame: frames.Frame, columns: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """Find the levels of each text column; None for numbers."""
    require_columns(frame, columns)
    schema = frame.collect_schema()
    return {
        column: _levels(frame, column) if _is_text(schema[column]) else None
        for column in dict.fromkeys(columns)
    }


def require_columns(frame: frames.Frame, columns: Sequence[str]) -> None:
    """Require columns to be there, and to be numbers, text, or true and false."""
    schema = frame.collect_schema()
    missing = [name for name in dict.fromkeys(columns) if name not in schema]
    if missing:
        msg = (
            f"{SUMMARY.name}: no column {quoted(missing)} among {quoted(schema.names())}.\n"
            "Join the covariates to the customers' summary first."
        )
        raise MissingColumnsError(msg)
    for name in columns:
        if not (_is_text(schema[name]) or schema[name].is_numeric() or schema[name] == nw.Boolean):
            msg = (
                f"{SUMMARY.name}: covariate `{name}` has type {schema[name]}; expected a number, "
                "text, or true and false.\nConvert it first."
            )
            raise InvalidArgumentError(msg)


def encoded(
    frame: frames.Frame, levels: Mapping[str, tuple[str, ...] | None], *, first: int = 0
) -> tuple[frames.Frame, dict[str, str]]:
    """Append a column of codes for each covariate, and give their names; levels count from 0.

    The names are numbered from `first`.
    """
    schema = frame.collect_schema()
    codes = {column: _CODE.format(first + i) for i, column in enumerate(levels)}
    for column, known in levels.items():
        _require_same_kind(column, schema[column], is_text=known is not None)
    numbers = [
        _number(column, schema[column], known).alias(codes[column])
        for column, known in levels.items()
    ]
    return frame.with_columns(*numbers), codes


def complaints(
    levels: Mapping[str, tuple[str, ...] | None], codes: Mapping[str, str]
) -> dict[str, nw.Expr]:
    """Give each complaint about the codes of covariates, and the rows that it holds for."""
    found = {}
    for column, known in levels.items():
        code = nw.col(codes[column])
        is_null = code.is_null() | (code == (_NO_NUMBER if known is None else _UNKNOWN))
        found[f"covariate `{column}` is null"] = is_null
        if known is None:
            found[f"covariate `{column}` is not finite"] = ~code.is_finite()
    return found


def unseen_levels(
    levels: Mapping[str, tuple[str, ...] | None], codes: Mapping[str, str]
) -> dict[str, nw.Expr]:
    """Give the rows with a level that the fit has no coefficient for."""
    return {
        f"covariate `{column}` has a level that the fit has not seen": nw.col(codes[column])
        == _UNSEEN
        for column, known in levels.items()
        if known is not None
    }


def _number(column: str, dtype: nw.dtypes.DType, levels: tuple[str, ...] | None) -> nw.Expr:
    if levels is not None:
        text = nw.col(column) if dtype == nw.String else nw.col(column).cast(nw.String)
        text = text.fill_null("")  # Dask compares no nulls
        places = [(text == level).cast(nw.Int64) * (i + 1) for i, level in enumerate(levels)]
        place = functools.reduce(operator.add, places, nw.lit(_UNSEEN))
        return nw.when(nw.col(column).is_null()).then(nw.lit(_UNKNOWN)).otherwise(place)
    if dtype.is_integer() or dtype == nw.Boolean:
        return nw.col(column).cast(nw.Int64).fill_null(_NO_NUMBER)
    return frames.known(column)


def _levels(frame: frames.Frame, column: str) -> tuple[str, ...]:
    text = frame.select(nw.col(column).cast(nw.String)).filter(~nw.col(column).is_null())
    found = tuple(sorted(text.unique().collect()[column].to_list()))
    if len(found) > _MOST_LEVELS:
        msg = (
            f"{SUMMARY.name}: covariate `{column}` has {len(found):,} levels, at most "
            f"{_MOST_LEVELS} are possible.\nMerge the rare ones into one level."
        )
        raise InvalidArgumentError(msg)
    if len(found) == 1:
        raise constant_covariate(column, repr(found[0]))
    return found


def constant_covariate(column: str, value: str) -> InvalidArgumentError:
    """Make the error for a covariate that is the same for all customers."""
    msg = (
        f"{SUMMARY.name}: covariate `{column}` is {value} for all customers that the fit can use."
        "\nLeave it out."
    )
    return InvalidArgumentError(msg)


def covariate_list(columns: Sequence[str]) -> tuple[str, ...]:
    """Require a list of columns."""
    example = None if isinstance(columns, str) else "['age']"
    return require_list(columns, argument="covariates", example=example)


def _require_names(columns: Sequence[str]) -> None:
    columns = covariate_list(columns)
    for name in columns:
        if not isinstance(name, str):
            msg = f"`covariates` must hold names of columns, got {shown(name)}.\nWrite ['age']."
            raise InvalidArgumentError(msg)
    from_purchases = [name for name in columns if name in _FROM_PURCHASES]
    if from_purchases:
        msg = (
            f"`covariates` has {quoted(from_purchases)}, which follows from the purchases that the "
            "model explains.\nName columns that were known when the customer came."
        )
        raise InvalidArgumentError(msg)


def _require_same_kind(column: str, dtype: nw.dtypes.DType, *, is_text: bool) -> None:
    if _is_text(dtype) != is_text:
        expected = "text" if is_text else "a number"
        msg = (
            f"{SUMMARY.name}: covariate `{column}` has type {dtype}; expected {expected}, as in "
            "the fit.\nConvert it to the type that it had there."
        )
        raise InvalidArgumentError(msg)


def _is_text(dtype: nw.dtypes.DType) -> bool:
    return dtype in (nw.String, nw.Categorical, nw.Enum)
