"""What people write into contact fields: a normal form, and whether it is known and valid.

Each rule is an expression, so that all engines read a field alike. Only what is surely the same is
made the same: upper and lower case, white space, the ways to write one phone number. The mailbox
ann+shop@x.org is not ann@x.org, nor is a.nn@x.org: only some providers deliver them to one person.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import narwhals as nw

from crmkit._door import frames, time
from crmkit._words.arguments import (
    did_you_mean,
    require_choice,
    require_column_name,
    require_list,
    shown,
)
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import Table

FieldKind: TypeAlias = Literal["text", "email", "phone", "birth_date"]

NORMAL: Final = "crmkit_normal_{}"
VALID: Final = "crmkit_valid_{}"
_DIGITS: Final = "crmkit_digits"
_SPACE: Final = "[\\s\u00a0\u2007\u200b\u202f\u3000\ufeff]+"
_PLACEHOLDER: Final = (
    "^(?:[-\u2013\u2014_.,;:?*/#x]*|"
    r"0{2,}|n/?a|n\.\s?a\.?|#n/a|\(?null\)?|nan|nil|none|"
    r"not (?:known|available|given)|no (?:e-?mail|phone|name)|unknown|unbekannt|inconnu|"
    r"desconocido|keine?|keine angabe|k\. ?a\.?|sin datos|tbd|无|無|不明|なし|未知)$"
)
_EMAIL: Final = r"^[^@\s,;<>()\[\]]{1,64}@(?:[^@\s.,;<>()\[\]]{1,63}\.)+[^@\s.,;<>()\[\]0-9]{2,}$"
_NOBODYS_EMAIL: Final = (
    r"^(?:-+|x+|n\.?a\.?|none|no|no[-_.]?(?:e?mail|reply)|keine|unbekannt|unknown|null|nobody)@|"
    r"[.@]invalid$"
)
_EXTENSION: Final = r"(;ext=|ext\.?|extension|durchwahl|x|#).*$"
_NOBODYS_PHONE: Final = (
    r"^\+?(?:0+|1+|2+|3+|4+|5+|6+|7+|8+|9+|0?123456789?0?|0?987654321?0?|12345678)$"
)
_LONG: Final = 11
"""A number as long as this that begins with the country's code holds it, without a plus."""

_PHONE: Final = r"^\+?[0-9]{7,15}$"
_KEEPS_ITS_ZERO: Final = ("39", "378")
"""Italy and San Marino: the 0 of a number at home is dialled from abroad too."""

_FIRST_BIRTH: Final = date(1900, 1, 2)
"""The first of January 1900 is what systems write for nothing."""

_ISO: Final = r"^(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$"


Rules: TypeAlias = tuple[nw.Expr, ...]


class Field(NamedTuple):
    """A column of contact data, and what it holds."""

    column: str
    kind: FieldKind


def fields_of(
    fields: Sequence[str] | Mapping[str, str], *, argument: str, frame: frames.Frame, table: Table
) -> tuple[Field, ...]:
    """Take the fields as the user names them: with their kinds, or by names that say them."""
    if not isinstance(fields, Mapping):
        names = require_list(fields, argument=argument, example='["email", "phone"]')
        for name in names:
            require_column_name(name, argument=argument)
        fields = {
            name: name.lower() if name.lower() in get_args(FieldKind) else "text" for name in names
        }
    if not fields:
        msg = f'`{argument}` is empty.\nName at least one column, such as "email".'
        raise InvalidArgumentError(msg)
    for name, kind in fields.items():
        require_column_name(name, argument=argument)
        require_choice(kind, get_args(FieldKind), argument=f"{argument}[{name!r}]")
    present = frame.collect_schema().names()
    missing = [name for name in fields if name not in present]
    if missing:
        msg = (
            f"{table.name}: no column {frames.quoted(missing)} among {frames.quoted(present)}.\n"
            f"Name columns of the table.{did_you_mean(missing[0], present)}"
        )
        raise MissingColumnsError(msg)
    return tuple(Field(name, kind) for name, kind in fields.items())  # type: ignore[arg-type] # a kind, as required


def require_country_code(country_code: object) -> None:
    """Require a calling code without the signs before it."""
    if country_code is None:
        return
    is_code = isinstance(country_code, str) and country_code.isascii() and country_code.isdigit()
    if not (is_code and not str(country_code).startswith("0") and len(str(country_code)) <= 3):  # noqa: PLR2004 - the longest codes
        msg = (
            f"`country_code` must be the digits of a calling code, got {shown(country_code)}.\n"
            'Write "49" for +49.'
        )
        raise InvalidArgumentError(msg)


def with_fields(
    frame: frames.Frame,
    fields: Sequence[Field],
    *,
    country_code: str | None = None,
    as_of: date | None = None,
) -> frames.Frame:
    """Append the normal form of each field, null where unknown, and 1 where that is valid, else 0.

    The columns are `NORMAL` and `VALID` with the field's number. Each step is a column of its own:
    pandas would compute an expression anew wherever it stands.
    """
    for i, field in enumerate(fields):
        normal, valid = NORMAL.format(i), VALID.format(i)
        dtype = frame.collect_schema()[field.column]
        is_day = field.kind == "birth_date" and dtype.is_temporal()
        is_number = field.kind == "text" and dtype.is_numeric()  # where 0 is known
        if is_day:
            rules = _birth_rules(frame, field.column, dtype, as_of=as_of)
            frame = frames.with_columns(frame, nw.col(field.column).alias(normal))
        else:
            frame = frames.with_columns(frame, _text(field.column, dtype).alias(normal))
            frame = frame if is_number else _with_known(frame, normal)
            frame = _READERS.get(field.kind, _as_it_is)(frame, normal, country_code)
            rules = _RULES[field.kind](nw.col(normal), as_of)
        # A product, since pandas cannot join flags of which one is null.
        ones = (nw.when(rule).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64) for rule in rules)
        is_valid = functools.reduce(operator.mul, ones)
        frame = frames.with_columns(frame, is_valid.alias(valid))
    return frame


def _text(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Read any column as text; a number that nulls have turned into a float has no point."""
    if not dtype.is_float():
        return nw.col(column).cast(nw.String)
    known = frames.known(column)
    whole = nw.when(known.is_finite()).then(nw.col(column)).otherwise(nw.lit(0.0)).cast(nw.Int64)
    return nw.when(known.is_finite()).then(whole.cast(nw.String))


def _with_known(frame: frames.Frame, name: str) -> frames.Frame:
    """Write in lower case with single spaces, null where nothing is said."""
    value = nw.col(name)
    plain = value.str.replace_all(_SPACE, " ").str.strip_chars(" ").str.to_lowercase()
    frame = frames.with_columns(frame, plain.alias(name))
    said = nw.when(~value.str.contains(_PLACEHOLDER)).then(value)
    return frames.with_columns(frame, said.alias(name))


def _as_it_is(frame: frames.Frame, _name: str, _country_code: str | None) -> frames.Frame:
    return frame


def _read_email(frame: frames.Frame, name: str, _country_code: str | None) -> frames.Frame:
    value = nw.col(name).str.replace_all(" ", "", literal=True).str.replace_all("^mailto:", "")
    return frames.with_columns(frame, value.alias(name))


def _read_phone(frame: frames.Frame, name: str, country_code: str | None) -> frames.Frame:
    """Keep the digits, with a plus where the country is among them."""
    value = nw.col(name)
    bare = value.str.replace_all(_EXTENSION, "").str.replace_all("(0)", "", literal=True)
    signs = bare.str.replace_all("[^0-9+]", "").str.replace_all(r"^(\+0*|00+)", "+")
    frame = frames.with_columns(frame, signs.alias(name))
    digits = value.str.replace_all("+", "", literal=True)
    frame = frames.with_columns(frame, digits.alias(_DIGITS))
    inside = nw.col(_DIGITS)
    at_home = inside if country_code is None else _with_country(inside, country_code)
    abroad = nw.concat_str(nw.lit("+"), inside)
    normal = nw.when(value.str.starts_with("+")).then(abroad).otherwise(at_home)
    written = nw.when(inside.str.len_chars() > 0).then(normal)
    return frames.with_columns(frame, written.alias(name)).drop(_DIGITS)


def _with_country(digits: nw.Expr, country_code: str) -> nw.Expr:
    """Write a number at home as from abroad: without the 0 that is dialled at home only."""
    keeps_zero = country_code in _KEEPS_ITS_ZERO
    at_home = digits if keeps_zero else digits.str.replace_all("^0", "")
    has_code = digits.str.starts_with(country_code) & (digits.str.len_chars() >= _LONG)
    return (
        nw.when(has_code)
        .then(nw.concat_str(nw.lit("+"), digits))
        .otherwise(nw.concat_str(nw.lit(f"+{country_code}"), at_home))
    )


def _birth_rules(
    frame: frames.Frame, column: str, dtype: nw.dtypes.DType, *, as_of: date | None
) -> Rules:
    first = _FIRST_BIRTH if dtype == nw.Date else datetime(_FIRST_BIRTH.year, 1, 2)  # noqa: DTZ001 - no zone
    known = ~nw.col(column).is_null()
    until = known if as_of is None else time.until(frame, as_of, column=column)
    return (known, nw.col(column) >= nw.lit(first), until)


def _birth_text_rules(value: nw.Expr, as_of: date | None) -> Rules:
    last = "2999-12-31" if as_of is None else as_of.isoformat()
    return (value.str.contains(_ISO), value >= _FIRST_BIRTH.isoformat(), value <= last)


_READERS: Final = {"email": _read_email, "phone": _read_phone}
_RULES: Final[Mapping[FieldKind, Callable[[nw.Expr, date | None], Rules]]] = {
    "text": lambda value, _: (~value.is_null(),),
    "email": lambda value, _: (value.str.contains(_EMAIL), ~value.str.contains(_NOBODYS_EMAIL)),
    "phone": lambda value, _: (value.str.contains(_PHONE), ~value.str.contains(_NOBODYS_PHONE)),
    "birth_date": _birth_text_rules,
}
"""What must hold of a value that is valid."""
