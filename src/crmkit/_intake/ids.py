"""Ids: text and whole numbers stay what they are."""

from __future__ import annotations

import numbers
from collections import Counter
from typing import Any, Final, NamedTuple

import narwhals as nw

from crmkit._intake.sheet import TEXT_TYPES, WHITE_SPACE, RowRule, Sheet, as_text, from_list, word

_EXACT: Final = 2.0**53  # above it, a float no longer tells one whole number from the next
_DUE: Final = "an id in text or whole numbers"
_NO_IDS: Final = (bytes, list, tuple, dict, set)
"""What Python objects may be that other engines have types for, and that are ids on none."""


class _Ids(NamedTuple):
    value: nw.Expr
    missing: nw.Expr
    unparsable: nw.Expr | None = None
    spaced: nw.Expr | None = None


def read_ids(sheet: Sheet, role: str, name: str, *, required: bool) -> Sheet:
    """Read ids; whole numbers that nulls have turned into floats are whole numbers again."""
    source, mixed = name, None
    values = sheet.values(name)
    if values is not None and values.dtype == nw.Object:
        if any(isinstance(value, _NO_IDS) for value in values.to_list()):
            return sheet.refusing(role, name, due=_DUE, like="")
        sheet, source, mixed = _unboxed(sheet, role, values)
    dtype = sheet.dtype(source)
    # UUIDs and their like are unknown to narwhals, and good ids as text.
    if dtype in TEXT_TYPES or dtype == nw.Unknown:
        ids = _text_ids(sheet, source)
    elif dtype.is_integer() or (sheet.manner.strict and dtype.is_numeric()):
        ids = _Ids(nw.col(source), missing=nw.col(source).is_null())
    elif dtype.is_numeric():
        ids = _number_ids(source, is_float=dtype.is_float())
    else:
        return sheet.refusing(role, name, due=_DUE, like="")
    rules = _rules(role, name, ids, mixed)
    return sheet.reading(role, ids.value, rules if required else rules[1:])


def _rules(role: str, name: str, ids: _Ids, mixed: nw.Expr | None) -> list[RowRule]:
    return [
        RowRule(f"missing {word(role)}", "error", f"`{name}` is missing", ids.missing),
        RowRule(
            f"{word(role)} ids of mixed type",
            "error",
            f"`{name}` holds ids of another type than the others",
            mixed,
            shows=name,
            advice="Cast the column to text, or call crmkit.intake.clean, which does.",
            mended=True,
        ),
        RowRule(
            f"unparsable {word(role)}",
            "error",
            f"`{name}` is not a whole number that a float holds exactly",
            ids.unparsable,
            shows=name,
        ),
        RowRule(
            f"white space in {word(role)} ids",
            "warning",
            f"`{name}` has white space around it",
            ids.spaced,
            shows=name,
            mended=True,
        ),
    ]


def _text_ids(sheet: Sheet, source: str) -> _Ids:
    text = as_text(sheet, source)
    if sheet.manner.strict:
        return _Ids(text, missing=text.is_null())
    stripped = text.str.strip_chars(WHITE_SPACE)
    missing = text.is_null() | (stripped == "")
    value = nw.when(~missing).then(stripped if sheet.manner.mend else text)
    return _Ids(value, missing, spaced=(text != stripped) & ~missing)


def _number_ids(source: str, *, is_float: bool) -> _Ids:
    number = nw.col(source)
    missing = number.is_null() | number.is_nan() if is_float else number.is_null()
    whole = (number == number.floor()) & (number.abs() < _EXACT)
    return _Ids(nw.when(whole).then(number), missing, unparsable=~missing & ~whole)


def _unboxed(sheet: Sheet, role: str, values: nw.Series[Any]) -> tuple[Sheet, str, nw.Expr | None]:
    """Take Python objects as numbers where all are, else as text; tell those of a rarer type."""
    objects = [
        None if is_null else value
        for value, is_null in zip(values.to_list(), values.is_null().to_list(), strict=True)
    ]
    types = Counter(type(value).__name__ for value in objects if value is not None)
    are_numbers = all(
        isinstance(value, numbers.Real) and not isinstance(value, bool)
        for value in objects
        if value is not None
    )
    source, mixed = f"_crmkit_{role}_plain", f"_crmkit_{role}_mixed"
    if are_numbers:
        are_whole = all(isinstance(value, numbers.Integral) for value in objects)
        plain = from_list(objects, nw.Int64() if are_whole else nw.Float64(), like=values)
        return sheet.appending(source, plain), source, None
    commonest = types.most_common(1)[0][0]
    rarer = [value is not None and type(value).__name__ != commonest for value in objects]
    plain = from_list([id_text(value) for value in objects], nw.String(), like=values)
    sheet = sheet.appending(source, plain)
    if not any(rarer):
        return sheet, source, None
    rarer_rows = from_list(rarer, nw.Boolean(), like=values)
    return sheet.appending(mixed, rarer_rows), source, nw.col(mixed)


def id_text(value: object) -> str | None:
    """Write an id as text: 17850.0 as "17850", since that is what it was before it met a null."""
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
