"""What is known of customers beside their histories: columns of their table, made into numbers.

A number counts as it is, true and false as 1 and 0. Text has levels; each but the first, in
sorted order, counts 1 for the customers who have it and is told against that first one.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import numpy as np

from crmkit._door import frames
from crmkit._door.frames import Floats, quoted
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models.inference.covariates import Link, Odds, Scale
from crmkit.tables import SUMMARY

BOTH: Final = "both"
_PURCHASES: Final = Scale("alpha", -1)
_BY_ODDS: Final[Mapping[str, Link]] = {"purchases": _PURCHASES, "dropout": Odds("a", "b")}
_BY_SCALE: Final[Mapping[str, Link]] = {"purchases": _PURCHASES, "dropout": Scale("beta", -1)}

LINKS: Final[Mapping[str, Mapping[str, Link]]] = {
    "bg_nbd": _BY_ODDS,
    "mbg_nbd": _BY_ODDS,
    "pareto_nbd": _BY_SCALE,
    "ggompertz_nbd": _BY_SCALE,
    "gamma_gamma": {"spend": Scale("v", 1)},
    "lognormal_spend": {"spend": Scale("median", 1)},
}
"""The models that take covariates: their processes, and what the effect on each moves."""

_MOST_LEVELS: Final = 50
_SUMMED_UP: Final = frozenset(SUMMARY.column_names) - {"customer_id"}
"""What `crmkit.rfm.summarize` makes of the purchases that a model explains."""

_CODE: Final = "crmkit_covariate_{}"
_UNSEEN = -1
_UNKNOWN = -2
"""In place of a level: one without a coefficient, and none at all."""

Asked = Sequence[str] | Mapping[str, Sequence[str]]


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
        Of a text column, sorted; the coefficients of all others are told against the first.
        None for numbers.
    """

    process: str
    column: str
    levels: tuple[str, ...] | None = None

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Name the coefficients."""
        name = f"{self.process}: {self.column}"
        if self.levels is None:
            return (name,)
        return tuple(f"{name}={level}" for level in self.levels[1:])

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Covariate:
        """Put together what text has taken apart."""
        levels = kept["levels"]
        return cls(kept["process"], kept["column"], None if levels is None else tuple(levels))


def asked_for(model: str, covariates: Asked | None) -> tuple[tuple[str, str], ...]:
    """List each process with each of its columns, or say what is wrong with them."""
    if not covariates:
        return ()
    if model not in LINKS:
        msg = f"{model} takes no covariates.\nChoose one of {', '.join(map(repr, LINKS))}."
        raise InvalidArgumentError(msg)
    processes = list(LINKS[model])
    by_process = covariates
    if not isinstance(by_process, Mapping):
        by_process = dict.fromkeys(processes, by_process)
    known = [*processes, BOTH] if len(processes) > 1 else processes
    for process, columns in by_process.items():
        if process not in known:
            msg = (
                f"`covariates` are for {process!r}, which {model} has not.\n"
                f"Choose among {', '.join(map(repr, known))}."
            )
            raise InvalidArgumentError(msg)
        _require_names(columns)
    return tuple((process, column) for process, named in by_process.items() for column in named)


def moves_of(covariates: Sequence[Covariate], *, processes: Sequence[str]) -> Floats:
    """Say in zeros and ones which coefficients count in which process, a row each."""
    of_coefficient = [each.process for each in covariates for _ in each.coefficients]
    rows = [[float(of in (process, BOTH)) for of in of_coefficient] for process in processes]
    return np.array(rows).reshape(len(processes), len(of_coefficient))


def design(covariates: Sequence[Covariate], columns: Mapping[str, Floats]) -> Floats:
    """Give what each coefficient is multiplied by, from the codes of the columns."""
    made: list[Floats] = []
    for each in covariates:
        codes = columns[each.column]
        if each.levels is None:
            made.append(codes)
        else:
            made += [(codes == i).astype(np.float64) for i in range(1, len(each.levels))]
    n_rows = len(next(iter(columns.values())))
    return np.stack(made, axis=1) if made else np.zeros((n_rows, 0))


def trouble_with(
    column: str, codes: Floats, levels: tuple[str, ...] | None
) -> tuple[str, int] | None:
    """Say what is wrong with values of a covariate, and in how many, as on tables."""
    is_null = np.isnan(codes) if levels is None else codes == _UNKNOWN
    found = {"is null": is_null, "has a level that the fit has not seen": codes == _UNSEEN}
    if levels is None:
        found = {"is null": is_null, "is not finite": np.isinf(codes)}
    counts = ((f"covariate `{column}` {what}", int(bad.sum())) for what, bad in found.items())
    return next(((complaint, n) for complaint, n in counts if n), None)


# On tables


def levels_of(frame: frames.Frame, columns: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """Find the levels of each text column; numbers have None."""
    require_columns(frame, columns)
    schema = frame.collect_schema()
    return {
        column: _levels(frame, column) if _is_text(schema[column]) else None
        for column in dict.fromkeys(columns)
    }


def require_columns(frame: frames.Frame, columns: Sequence[str]) -> None:
    """Refuse columns that are not there, or of a type that is neither number nor text."""
    schema = frame.collect_schema()
    missing = [name for name in dict.fromkeys(columns) if name not in schema]
    if missing:
        msg = (
            f"{SUMMARY.name}: no column {quoted(missing)} among {quoted(schema.names())}.\n"
            "Join what is known of customers to their summary first."
        )
        raise MissingColumnsError(msg)
    for name in columns:
        if not (_is_text(schema[name]) or schema[name].is_numeric() or schema[name] == nw.Boolean):
            msg = (
                f"{SUMMARY.name}: covariate `{name}` has type {schema[name]}.\n"
                "Make it a number, text, or true and false."
            )
            raise InvalidArgumentError(msg)


def encoded(
    frame: frames.Frame, levels: Mapping[str, tuple[str, ...] | None], *, first: int = 0
) -> tuple[frames.Frame, dict[str, str]]:
    """Append each column as a number, and give the names of these: a level counts from 0.

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
    """Say what a number made of a covariate must not be."""
    found = {}
    for column, known in levels.items():
        code = nw.col(codes[column])
        is_null = code.is_null() if known is None else code == _UNKNOWN
        found[f"covariate `{column}` is null"] = is_null
        if known is None:
            found[f"covariate `{column}` is not finite"] = ~code.is_finite()
    return found


def unseen(
    levels: Mapping[str, tuple[str, ...] | None], codes: Mapping[str, str]
) -> dict[str, nw.Expr]:
    """Say which rows have a level that has no coefficient."""
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
        return nw.col(column).cast(nw.Int64)
    return frames.known(column)


def _levels(frame: frames.Frame, column: str) -> tuple[str, ...]:
    text = frame.select(nw.col(column).cast(nw.String)).filter(~nw.col(column).is_null())
    found = tuple(sorted(text.unique().collect()[column].to_list()))
    if len(found) > _MOST_LEVELS:
        msg = (
            f"{SUMMARY.name}: covariate `{column}` has {len(found):,} levels, and "
            f"{_MOST_LEVELS} is the most.\nPut the rare ones together."
        )
        raise InvalidArgumentError(msg)
    if len(found) == 1:
        raise one_value(column, repr(found[0]))
    return found


def one_value(column: str, value: str) -> InvalidArgumentError:
    """Refuse what tells no customers apart."""
    msg = (
        f"{SUMMARY.name}: covariate `{column}` is {value} for all customers that the fit can use."
        "\nLeave it out."
    )
    return InvalidArgumentError(msg)


def _require_names(columns: Sequence[str]) -> None:
    is_list = isinstance(columns, Iterable) and not isinstance(columns, str)
    if not (is_list and all(isinstance(name, str) for name in columns)):
        example = [columns] if isinstance(columns, str) else ["age"]
        msg = f"`covariates` names columns in a list, got {shown(columns)}.\nWrite {example}."
        raise InvalidArgumentError(msg)
    explained = [name for name in columns if name in _SUMMED_UP]
    if explained:
        msg = (
            f"`covariates` has {quoted(explained)}, made of the purchases that the model explains: "
            "it would explain them by themselves.\n"
            "Name columns that were known when the customer came."
        )
        raise InvalidArgumentError(msg)


def _require_same_kind(column: str, dtype: nw.dtypes.DType, *, is_text: bool) -> None:
    if _is_text(dtype) != is_text:
        due = "text" if is_text else "a number"
        msg = (
            f"{SUMMARY.name}: covariate `{column}` has type {dtype}, and was {due} in the fit.\n"
            "Give it the type that it had there."
        )
        raise InvalidArgumentError(msg)


def _is_text(dtype: nw.dtypes.DType) -> bool:
    return dtype in (nw.String, nw.Categorical, nw.Enum)
