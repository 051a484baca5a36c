"""Kept values as JSON: one form for all of them, checked field by field when it is read.

The text names its kind and the version of its form, then the fields of the value. Texts of
crmkit 0.1 before this form had neither and are read as version 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from crmkit._words.arguments import is_number, require_choice, shown
from crmkit.errors import InvalidArgumentError

T = TypeVar("T")
Reader: TypeAlias = Callable[[Any, str], T]
"""Takes a part of the text and the name of its place, and gives the part in its right type."""

FORMAT: Final = 1
_ADVICE: Final = "Give the text that to_json() wrote."


def write(kind: str, fields: Mapping[str, Any]) -> str:
    """Write the fields of a value as JSON text."""
    return json.dumps({"kind": kind, "format": FORMAT, **fields}, allow_nan=False)


def read(
    text: str,
    *,
    kind: str,
    fields: Mapping[str, Reader[Any]],
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read the fields of a value of this kind, each by its reader.

    Raises
    ------
    InvalidArgumentError
        If the text is not JSON, holds another kind or a later format, or a field is missing,
        unknown or of a wrong type. The message says which.
    """
    kept = _opened(text, kind)
    try:
        return record(fields, defaults=defaults)(kept, "")
    except InvalidArgumentError as error:
        msg = f"{kind}: {error}\n{_ADVICE}"
        raise InvalidArgumentError(msg) from None


def refuse_fields(kind: str, complaint: str) -> NoReturn:
    """Refuse a text whose fields are each right and do not go together."""
    msg = f"{kind}: {complaint}\n{_ADVICE}"
    raise InvalidArgumentError(msg)


def nan_as_null(value: Any) -> Any:  # noqa: ANN401 - anything that JSON can hold
    """Write null for numbers that are not finite, which JSON cannot hold; see `number_or_nan`."""
    if isinstance(value, Mapping):
        return {name: nan_as_null(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [nan_as_null(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _opened(text: str, kind: str) -> dict[str, Any]:
    try:
        kept = json.loads(text)
    except (TypeError, ValueError):
        msg = f"{kind}: this is not JSON text, got {shown(text)}.\n{_ADVICE}"
        raise InvalidArgumentError(msg) from None
    if not isinstance(kept, dict):
        msg = f"{kind}: this text holds {shown(kept)}, expected the fields of a {kind}.\n{_ADVICE}"
        raise InvalidArgumentError(msg)
    found, version = kept.pop("kind", kind), kept.pop("format", 0)
    if found != kind:
        msg = f"{kind}: this text holds a {found}.\nRead it with {found}.from_json()."
        raise InvalidArgumentError(msg)
    if not is_number(version) or version > FORMAT:
        msg = (
            f"{kind}: this text has format {shown(version)}, this crmkit reads up to {FORMAT}.\n"
            "Update crmkit, or make the value anew with this version."
        )
        raise InvalidArgumentError(msg)
    return kept


# Readers


def number(value: Any, place: str) -> float:  # noqa: ANN401 - anything that JSON can hold
    """Read a finite number."""
    if not (is_number(value) and math.isfinite(value)):
        _refuse(place, "a finite number", value)
    return float(value)


def number_or_nan(value: Any, place: str) -> float:  # noqa: ANN401 - as above
    """Read a number; null, or one that is not finite, as NaN."""
    if value is None or (is_number(value) and not math.isfinite(value)):
        return math.nan
    return number(value, place)


def positive(value: Any, place: str) -> float:  # noqa: ANN401 - as above
    """Read a finite number above 0."""
    if not number(value, place) > 0:
        _refuse(place, "above 0", value)
    return float(value)


def whole(value: Any, place: str) -> int:  # noqa: ANN401 - as above
    """Read a whole number of 0 or more."""
    if not (is_number(value) and math.isfinite(value) and value >= 0 and value % 1 == 0):
        _refuse(place, "a whole number of 0 or more", value)
    return int(value)


def text(value: Any, place: str) -> str:  # noqa: ANN401 - as above
    """Read text."""
    if not isinstance(value, str):
        _refuse(place, "text", value)
    return str(value)


def flag(value: Any, place: str) -> bool:  # noqa: ANN401 - as above
    """Read true or false."""
    if not isinstance(value, bool):
        _refuse(place, "true or false", value)
    return bool(value)


def choice(*choices: str) -> Reader[str]:
    """Read one of a few words."""

    def reader(value: Any, place: str) -> str:  # noqa: ANN401 - as above
        require_choice(value, choices, argument=place)
        return str(value)

    return reader


def optional(each: Reader[T]) -> Reader[T | None]:
    """Read what `each` reads, or null as None."""
    return lambda value, place: None if value is None else each(value, place)


def list_of(each: Reader[T]) -> Reader[tuple[T, ...]]:
    """Read a list as a tuple."""

    def reader(value: Any, place: str) -> tuple[T, ...]:  # noqa: ANN401 - as above
        if not isinstance(value, list):
            _refuse(place, "a list", value)
        return tuple(each(item, f"{place}[{i}]") for i, item in enumerate(value))

    return reader


def mapping_of(each: Reader[T]) -> Reader[dict[str, T]]:
    """Read an object whose values are all of one type."""

    def reader(value: Any, place: str) -> dict[str, T]:  # noqa: ANN401 - as above
        if not isinstance(value, dict):
            _refuse(place, "an object", value)
        return {name: each(item, f"{place}.{name}") for name, item in value.items()}

    return reader


def record(
    fields: Mapping[str, Reader[Any]], *, defaults: Mapping[str, Any] | None = None
) -> Reader[dict[str, Any]]:
    """Read an object with these fields; one with a default may be missing."""
    known = defaults or {}

    def reader(value: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 - as above
        if not isinstance(value, dict):
            _refuse(place, "an object", value)
        within = f"{place}." if place else ""
        for name in value:
            if name not in fields:
                msg = f"`{within}{name}` is unknown."
                raise InvalidArgumentError(msg)
        for name in fields:
            if name not in value and name not in known:
                msg = f"`{within}{name}` is missing."
                raise InvalidArgumentError(msg)
        return {
            name: each(value[name], f"{within}{name}") if name in value else known[name]
            for name, each in fields.items()
        }

    return reader


def _refuse(place: str, expected: str, value: object) -> NoReturn:
    msg = f"`{place}` must be {expected}, got {shown(value)}."
    raise InvalidArgumentError(msg)
