"""JSON: a list of objects, a list within an object, or an object in each line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import polars as pl

from crmkit._door.files.grid.names import distinct_names
from crmkit._door.files.raw_file import Aside, RawFile, set_aside_table
from crmkit._door.files.text import encodings
from crmkit._door.files.typed.values import column
from crmkit.errors import InvalidArgumentError

_LARGEST: Final = 128 << 20
_SHOWN: Final = 200
_IN: Final = ("data", "records", "rows", "items", "results", "orders", "value")
_NO_JSON: Final = "not JSON"
_NO_OBJECT: Final = "not an object"


def read_json(path: Path, *, name: str, encoding: str | None) -> RawFile:
    """Read records from JSON or JSON lines; nested objects become columns with dots."""
    with path.open("rb") as file:
        head = file.read(encodings.HEAD)
    chosen = encodings.of_name(encoding) if encoding is not None else encodings.of_head(head)
    notes = [] if chosen == encodings.UTF_8 else [f"encoding {chosen}"]
    if _are_lines(head, chosen):
        records, aside = _records_in_lines(path, chosen)
        notes.append("JSON lines")
    else:
        records, aside, said = _records_in_list(path, chosen, name=name)
        notes += said
    if not records:
        found = f"; line {aside[0].line} is {aside[0].reason}" if aside else ""
        msg = f"{name} holds no records{found}; save a list of objects, or one object in each line."
        raise InvalidArgumentError(msg)
    lines = pl.Series("line", [line for line, _ in records], dtype=pl.UInt32)
    table, said = _table([record for _, record in records])
    return RawFile(
        table=table,
        lines=lines,
        set_aside=set_aside_table(aside),
        notes=(*notes, *said),
        source=name,
    )


def _are_lines(head: bytes, encoding: str) -> bool:
    """Whether the first line that is not blank is an object by itself."""
    text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return False
    first, end, _ = text.partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return bool(end) or not any(isinstance(v, list) for v in json.loads(first).values())


def _records_in_lines(
    path: Path, encoding: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Aside]]:
    records: list[tuple[int, dict[str, Any]]] = []
    aside: list[Aside] = []
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        for line, text in enumerate(file, start=1):
            stripped = text.strip("\ufeff \t\r\n")
            if not stripped:
                continue
            reason, value = "", None
            if "\ufffd" in stripped:
                reason = f"not readable as {encoding}"
            else:
                try:
                    value = json.loads(stripped)
                except (ValueError, RecursionError):
                    reason = _NO_JSON
            if isinstance(value, dict) and value:
                records.append((line, _flat(value)))
            else:
                aside.append(Aside(line, reason or _NO_OBJECT, stripped[:_SHOWN]))
    return records, aside


def _records_in_list(
    path: Path, encoding: str, *, name: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Aside], list[str]]:
    if path.stat().st_size > _LARGEST:
        msg = (
            f"{name} is one JSON list of more than {_LARGEST >> 20} MB, which would not fit into "
            "memory; save it as JSON lines or CSV."
        )
        raise InvalidArgumentError(msg)
    try:
        value = json.loads(path.read_bytes().decode(encoding).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        msg = f"{name} is damaged JSON{where}; save it anew, or as CSV."
        raise InvalidArgumentError(msg) from None
    found, notes = _list_in(value, name=name)
    records = [
        (number, _flat(each))
        for number, each in enumerate(found, start=1)
        if isinstance(each, dict) and each
    ]
    aside = [
        Aside(number, _NO_OBJECT, json.dumps(each, ensure_ascii=False)[:_SHOWN])
        for number, each in enumerate(found, start=1)
        if not isinstance(each, dict) or not each
    ]
    return records, aside, notes


def _list_in(value: Any, *, name: str) -> tuple[list[Any], list[str]]:  # noqa: ANN401 - any JSON
    """Find the list of records: the value itself, or the only list in an object."""
    if isinstance(value, list):
        return value, []
    if isinstance(value, dict):
        lists = {key: each for key, each in value.items() if isinstance(each, list)}
        of_objects = {k: v for k, v in lists.items() if v and isinstance(v[0], dict)}
        key = next((k for k in _IN if k in of_objects), None)
        if key is None and len(of_objects) == 1:
            key = next(iter(of_objects))
        if key is not None:
            return of_objects[key], [f"records in {key!r}"]
    msg = (
        f"{name} is JSON without a list of records; save a list of objects, such as "
        '[{"customer": "007", "amount": 12.5}], or one object in each line.'
    )
    raise InvalidArgumentError(msg)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Put the fields of objects in a record beside its own, named with a dot."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": each for inner, each in value.items()})
        else:
            flat[key] = value
    return flat


def _table(records: list[dict[str, Any]]) -> tuple[pl.DataFrame, list[str]]:
    keys = list(dict.fromkeys(key for record in records for key in record))
    names, notes = distinct_names(keys)
    nested: Counter[str] = Counter()
    columns = []
    for key, own in zip(keys, names, strict=True):
        values = [record.get(key) for record in records]
        nested[own] += sum(isinstance(value, (dict, list)) for value in values)
        columns.append(column(own, values))
    return pl.DataFrame(columns), [
        *notes,
        *(f"{name!r} holds lists or objects, kept as text" for name, n in nested.items() if n),
    ]
