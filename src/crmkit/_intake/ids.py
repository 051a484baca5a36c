"""Read ids: text and whole numbers keep their type."""

from __future__ import annotations

import numbers
from collections import Counter
from typing import Any, Final, NamedTuple

import narwhals as nw

from crmkit._intake.sheet import (
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    as_text,
    from_list,
    role_name,
)

_EXACT: Final = 2.0**53  # above it, floats do not distinguish consecutive whole numbers
_LARGEST: Final = 2**63 - 1  # wider whole numbers stay what they are as text
_EXPECTED: Final = "an id in text or whole numbers"
_NOT_IDS: Final = (bytes, list, tuple, dict, set)
"""Types of Python objects that cannot be ids."""


_NO_ID: Final = ("nan", "none", "null", "n/a", "na", "<na>", "#n/a", "nil", "unknown", "undefined")
_STAND_FOR_NONE: Final = (
    *(cased for word in _NO_ID for cased in (word, word.upper(), word.title())),
    *("NaN", "N/a", "Na", "-", "--", "---", "?", "??", "???"),
)
"""What other programs write for a missing id."""

_FULL_WIDTH_DIGITS: Final = {chr(0xFF10 + digit): str(digit) for digit in range(10)}


_WIDE: Final = "".join(_FULL_WIDTH_DIGITS)


class _Ids(NamedTuple):
    value: nw.Expr
    missing: nw.Expr
    unparsable: nw.Expr | None = None
    spaced: nw.Expr | None = None
    stands_for_none: nw.Expr | None = None


def read_ids(sheet: Sheet, role: str, name: str, *, required: bool) -> Sheet:
    """Read ids; whole numbers that nulls have turned into floats become whole numbers again."""
    source, mixed = name, None
    values = sheet.values(name)
    if values is not None and values.dtype == nw.Object:
        if any(isinstance(value, _NOT_IDS) for value in values.to_list()):
            return sheet.with_unreadable(role, name, expected=_EXPECTED, like="")
        sheet, source, mixed = _from_objects(sheet, role, values)
    dtype = sheet.dtype(source)
    # UUIDs and similar types are unknown to narwhals; as text they are valid ids.
    if dtype in TEXT_TYPES or dtype == nw.Unknown:
        ids = _text_ids(sheet, source)
    elif dtype.is_integer() or (sheet.options.strict and dtype.is_numeric()):
        ids = _Ids(nw.col(source), missing=nw.col(source).is_null())
    elif dtype.is_numeric():
        ids = _number_ids(source, is_float=dtype.is_float())
    else:
        return sheet.with_unreadable(role, name, expected=_EXPECTED, like="")
    rules = _rules(role, name, ids, mixed)
    return sheet.with_role(role, ids.value, rules if required else rules[2:])


def _rules(role: str, name: str, ids: _Ids, mixed: nw.Expr | None) -> list[RowRule]:
    is_customer = role == "customer_id"
    return [
        RowRule(
            f"missing {role_name(role)}",
            "warning" if is_customer else "error",  # a guest who buys is not a mistake
            f"`{name}` is missing",
            ids.missing,
            is_set_aside=True,
            is_refused=True,
        ),
        RowRule(
            f"{role_name(role)} ids that stand for none",
            "warning",
            f"`{name}` has text that stands for a missing id",
            ids.stands_for_none,
            shows=name,
            is_set_aside=is_customer,
        ),
        RowRule(
            f"{role_name(role)} ids of mixed type",
            "error",
            f"`{name}` has ids of a different type from the others",
            mixed,
            shows=name,
            advice="Cast the column to text, or call crmkit.intake.clean(), which does.",
            is_repaired=True,
        ),
        RowRule(
            f"unparsable {role_name(role)}",
            "error",
            f"`{name}` is not a whole number that a float represents exactly",
            ids.unparsable,
            shows=name,
        ),
        RowRule(
            f"white space in {role_name(role)} ids",
            "warning",
            f"`{name}` has white space around it",
            ids.spaced,
            shows=name,
            is_repaired=True,
        ),
    ]


def _text_ids(sheet: Sheet, source: str) -> _Ids:
    text = as_text(sheet, source)
    if sheet.options.strict:
        return _Ids(text, missing=text.is_null())
    if _is_clean(sheet, text):
        missing = text.is_null() | (text == "")
        return _Ids(
            nw.when(~missing).then(text), missing, stands_for_none=text.is_in(_STAND_FOR_NONE)
        )
    stripped = text.str.strip_chars(WHITE_SPACE)
    missing = text.is_null() | (stripped == "")
    value = nw.when(~missing).then(one_spelling(stripped) if sheet.options.repair else text)
    return _Ids(
        value,
        missing,
        spaced=(text != stripped) & ~missing,
        stands_for_none=stripped.is_in(_STAND_FOR_NONE),
    )


def _is_clean(sheet: Sheet, text: nw.Expr) -> bool:
    """Whether no id of a table that is not lazy has white space or digits to repair."""
    if not isinstance(sheet.frame, nw.DataFrame):
        return False
    odd = text.str.contains(f"[{WHITE_SPACE}{_WIDE}]|[.]0+$").fill_null(value=False).any()
    return not sheet.frame.lazy().select(odd=odd).collect().item()


def one_spelling(stripped: nw.Expr) -> nw.Expr:
    """Write digits in half width, and 14.0 as 14."""
    text = stripped
    for wide, narrow in _FULL_WIDTH_DIGITS.items():
        text = text.str.replace_all(wide, narrow, literal=True)
    is_float = text.str.contains("^[0-9]+[.]0+$")
    return nw.when(is_float).then(text.str.replace_all("[.]0+$", "")).otherwise(text)


def _number_ids(source: str, *, is_float: bool) -> _Ids:
    number = nw.col(source)
    missing = number.is_null() | number.is_nan() if is_float else number.is_null()
    whole = (number == number.floor()) & (number.abs() < _EXACT)
    return _Ids(nw.when(whole).then(number), missing, unparsable=~missing & ~whole)


def _from_objects(
    sheet: Sheet, role: str, values: nw.Series[Any]
) -> tuple[Sheet, str, nw.Expr | None]:
    """Convert Python objects to numbers if all are, else to text; flag those of a rarer type."""
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
        known = [value for value in objects if value is not None]
        most = _LARGEST if are_whole else _EXACT  # whole numbers beside nulls become floats
        if any(isinstance(value, numbers.Integral) and abs(int(value)) > most for value in known):
            texts = from_list([id_text(value) for value in objects], nw.String(), like=values)
            return sheet.with_column(source, texts), source, None
        plain = from_list(objects, nw.Int64() if are_whole else nw.Float64(), like=values)
        return sheet.with_column(source, plain), source, None
    commonest = types.most_common(1)[0][0]
    rarer = [value is not None and type(value).__name__ != commonest for value in objects]
    plain = from_list([id_text(value) for value in objects], nw.String(), like=values)
    sheet = sheet.with_column(source, plain)
    if not any(rarer):
        return sheet, source, None
    rarer_rows = from_list(rarer, nw.Boolean(), like=values)
    return sheet.with_column(mixed, rarer_rows), source, nw.col(mixed)


def id_text(value: object) -> str | None:
    """Write an id as text: 17850.0 as "17850", without the decimal point that nulls added."""
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
