"""Columns of customers as a matrix of numbers that a learner can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words import kept
from crmkit._words.arguments import require_column_name, require_list
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

FeatureKind = Literal["number", "flag", "text"]

MOST_CATEGORIES: Final = 200
"""The most frequent values of a text column; the others are read as unknown."""

_READERS: Final[Mapping[str, kept.Reader[Any]]] = {
    "name": kept.text,
    "kind": kept.choice("number", "flag", "text"),
    "categories": kept.list_of(kept.text),
}
READER: Final = kept.list_of(kept.record(_READERS))
"""Reads the features of a kept value."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: its name, what it holds, and the values of text that were seen."""

    name: str
    kind: FeatureKind
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Features:
    """The columns that a learner was trained on, in their order."""

    columns: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(each.name for each in self.columns)

    @property
    def is_category(self) -> list[bool]:
        """Which columns hold the number of a category."""
        return [each.kind == "text" for each in self.columns]

    def matrix(self, data: Mapping[str, Any]) -> Floats:
        """Give the columns as numbers; NaN is unknown, as a category is that was not seen."""
        return np.column_stack([_numbers(each, data[each.name]) for each in self.columns])

    def as_fields(self) -> list[dict[str, Any]]:
        """Give the features as JSON has them."""
        return [
            {"name": each.name, "kind": each.kind, "categories": list(each.categories)}
            for each in self.columns
        ]

    @classmethod
    def of_fields(cls, fields: Sequence[Mapping[str, Any]]) -> Features:
        """Make features of fields that were read."""
        return cls(
            tuple(Feature(**{**each, "categories": tuple(each["categories"])}) for each in fields)
        )


def contract(
    table: str, features: Sequence[str | Feature], *, others: Sequence[Column] = ()
) -> Table:
    """Write what a table with these features promises; those that were learned keep their kind."""
    kinds: dict[str, Any] = {"number": "number", "flag": "key", "text": "key"}
    columns = [
        Column(each, "key", "feature", nullable=True, made_by=NOT_MADE)
        if isinstance(each, str)
        else Column(each.name, kinds[each.kind], "feature", nullable=True, made_by=NOT_MADE)
        for each in features
    ]
    unique = {column.name: column for column in (*others, *columns)}
    return Table(name=table, row="one customer", made_by=NOT_MADE, columns=tuple(unique.values()))


def require_features(names: object, *, never: Sequence[str] = ()) -> tuple[str, ...]:
    """Require names of columns to learn from, none of them what is to be learned."""
    listed = require_list(names, argument="features", example='["recency", "region"]')
    for name in listed:
        require_column_name(name, argument="features")
    if not listed:
        msg = "`features` is empty.\nName the columns to learn from."
        raise InvalidArgumentError(msg)
    leaked = [name for name in listed if name in never]
    if leaked:
        msg = (
            f"`features` has {frames.quoted(leaked)}, which is what is to be learned.\n"
            "Leave it out."
        )
        raise InvalidArgumentError(msg)
    return tuple(dict.fromkeys(listed))


def learned(frame: frames.Frame, data: Mapping[str, Any], names: Sequence[str]) -> Features:
    """Learn what each column holds, and the categories of text."""
    schema = frame.collect_schema()
    return Features(tuple(_learned(name, schema[name], data[name]) for name in names))


def collected(frame: frames.Frame, names: Sequence[str]) -> dict[str, Any]:
    """Collect columns as arrays: numbers as floats, flags as 0 and 1, text as it is."""
    return arrays(frame.select(*dict.fromkeys(names)).collect())


def arrays(data: nw.DataFrame[Any]) -> dict[str, Any]:
    """Give columns as arrays: numbers as floats, flags as 0 and 1, text as it is."""
    return {name: _array(data[name]) for name in data.columns}


def require_same(
    native: IntoFrame,
    features: Features,
    *,
    table: str,
    others: Sequence[Column],
    one_row_each: str | None = None,
) -> frames.Frame:
    """Read a table with the features that a learner was trained on, each of its kind."""
    promised = contract(table, features.columns, others=others)
    frame = frames.read(native, replace(promised, one_row_each=one_row_each))
    schema = frame.collect_schema()
    for each in features.columns:
        found = _kind(schema[each.name], each.name)
        if found != each.kind and not {found, each.kind} <= {"number", "flag"}:
            msg = (
                f"{table}: `{each.name}` holds {_HELD[found]}; the model was trained on "
                f"{_HELD[each.kind]}.\nGive the column as it was."
            )
            raise InvalidArgumentError(msg)
    return frame


_HELD: Final[Mapping[str, str]] = {"number": "numbers", "flag": "flags", "text": "text"}


def _learned(name: str, dtype: Any, values: Any) -> Feature:  # noqa: ANN401 - a type of narwhals, an array
    kind = _kind(dtype, name)
    if kind != "text":
        return Feature(name, kind)
    found = [str(value) for value in values if _is_known(value)]
    seen, counts = np.unique(np.array(found, dtype=str), return_counts=True)
    most = seen[np.lexsort((seen, -counts))][:MOST_CATEGORIES]
    return Feature(name, kind, tuple(sorted(map(str, most))))


def _kind(dtype: Any, name: str) -> FeatureKind:  # noqa: ANN401 - a type of narwhals
    if dtype == nw.Boolean:
        return "flag"
    if dtype.is_numeric():
        return "number"
    if dtype in (nw.String, nw.Categorical, nw.Enum) or dtype == nw.Object:
        return "text"
    msg = (
        f"features: `{name}` has type {dtype}; expected a number, a flag or text.\n"
        "Turn dates into days, or leave the column out."
    )
    raise InvalidArgumentError(msg)


def _array(series: nw.Series[Any]) -> Any:  # noqa: ANN401 - floats or objects
    if series.dtype == nw.Boolean:
        return np.array([np.nan if v is None else float(v) for v in series.to_list()])
    if series.dtype.is_numeric():
        return series.cast(nw.Float64).to_numpy().astype(float)
    return np.array(series.to_list(), dtype=object)


def _numbers(feature: Feature, values: Any) -> Floats:  # noqa: ANN401 - an array
    if feature.kind != "text":
        numbers: Floats = np.asarray(values, dtype=float)
        return numbers
    code = {category: float(i) for i, category in enumerate(feature.categories)}
    return np.array([code.get(str(v), np.nan) if _is_known(v) else np.nan for v in values])


def _is_known(value: Any) -> bool:  # noqa: ANN401 - a cell
    return value is not None and value == value  # noqa: PLR0124 - NaN is not itself
