"""Columns from values whose types vary from row to row, as in JSON and SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

_LARGEST_INT: Final = 2**63 - 1
_EXACT: Final = 2**53


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """Make a column of one type: numbers stay numbers, a mixture becomes text.

    Examples
    --------
    >>> column("id", ["007", 7, None]).to_list(), column("amount", [1, 2.5]).to_list()
    (['007', '7', None], [1.0, 2.5])
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and _fit(values, _LARGEST_INT):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float} and float in kinds and _fit(values, _EXACT):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    if kinds <= {str}:
        return pl.Series(name, [v or None for v in values], dtype=pl.String)
    return pl.Series(name, [_as_text(value) for value in values], dtype=pl.String)


def _fit(values: Iterable[Any], largest: int) -> bool:
    """Whether whole numbers stay exact."""
    return all(-largest <= value <= largest for value in values if type(value) is int)


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - any value
    """Write a value as text that has all of it."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, (bool, dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
