"""A folder of kept values: one JSON file each, and one on all of them with their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from crmkit._words import kept
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError

ABOUT: Final = "about.json"

_KIND: Final = "Kept"
_ANEW: Final = "Fit anew, or give the folder as Kept.save() wrote it."


def path_of(folder: object) -> Path:
    """Require the path of a folder."""
    if not isinstance(folder, str | PathLike) or not str(folder):
        msg = f"`folder` must be a path, got {shown(folder)}.\nWrite 'out/kept'."
        raise InvalidArgumentError(msg)
    return Path(folder)


def write(folder: Path, texts: Mapping[str, str], *, about: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write each text, and last the facts with a checksum of each, which makes them valid."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**about, "files": {name: _checksum(text) for name, text in texts.items()}}
    written = []
    for name, text in {**texts, Path(ABOUT).stem: kept.write(_KIND, facts)}.items():
        path = folder / f"{name}.json"
        path.write_bytes(text.encode())
        written.append(path)
    return tuple(written)


def read(
    folder: Path, *, about: Mapping[str, kept.Reader[Any]], values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the facts, and the values that they list, each with the `from_json` of its type."""
    path = folder / ABOUT
    fields = {**about, "files": kept.mapping_of(kept.text)}
    try:
        facts = kept.read(_text(path), kind=_KIND, fields=fields)
        for name in facts["files"]:
            if name not in values:
                kept.refuse_fields(_KIND, f"`files.{name}` is unknown.")
    except InvalidArgumentError as error:
        raise of_file(path, error) from None
    files = facts.pop("files")
    return facts, {
        name: _value(folder / f"{name}.json", values[name], files[name]) for name in files
    }


def _value(path: Path, type_: Any, checksum: str) -> Any:  # noqa: ANN401 - any fitted value
    """Read one value; its own reader says best what is wrong with a text."""
    try:
        text = _text(path)
        value = type_.from_json(text)
    except InvalidArgumentError as error:
        raise of_file(path, error) from None
    if _checksum(text) != checksum:
        msg = f"{path}: this is not the file that {ABOUT} was written with.\n{_ANEW}"
        raise InvalidArgumentError(msg)
    return value


def of_file(path: Path, error: ValueError) -> InvalidArgumentError:
    """Say in which file it is."""
    return InvalidArgumentError(f"{path}: {error}")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        msg = f"this file is missing.\n{_ANEW}"
    except UnicodeDecodeError:
        msg = f"this is not JSON text.\n{_ANEW}"
    except OSError as error:
        msg = f"it cannot be read ({error.strerror}).\n{_ANEW}"
    raise InvalidArgumentError(msg)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
