"""Packed files, unpacked to the disk as a stream: nothing grows beyond what a log can be."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Final

from crmkit.errors import InvalidArgumentError

MOST: Final = 2 << 30
"""Bytes that a packed file may hold."""

_BLOCK: Final = 1 << 20
_RATIO: Final = 200
_SMALL: Final = 64 << 20
_SHOWN: Final = 5
_NO_TABLES: Final = (".md", ".html", ".htm", ".pdf", ".docx", ".png", ".jpg", ".log", ".ini")
_BROKEN: Final = (
    *(EOFError, OSError, RuntimeError, NotImplementedError, ValueError),
    *(zlib.error, zipfile.BadZipFile),
)


def unpack_gzip(path: Path, *, name: str, scratch: Path) -> Path:
    """Unpack a gzip file."""
    target = scratch / "unpacked"
    try:
        with gzip.open(path, "rb") as packed:
            _copy(packed, target, name=name, n_packed=path.stat().st_size)
    except InvalidArgumentError:
        raise
    except _BROKEN:
        raise _damaged(name) from None
    return target


def unpack_zip(path: Path, *, name: str, scratch: Path) -> list[tuple[str, Path]]:
    """Unpack the table of a zip archive, or several of one form; give their names and places."""
    found = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = _tables(archive.infolist(), name=name)
            if sum(member.file_size for member in members) > MOST:
                raise _too_large(name)
            for at, member in enumerate(members):
                target = scratch / f"member {at}"
                with archive.open(member) as packed:
                    _copy(packed, target, name=name, n_packed=member.compress_size)
                found.append((PurePosixPath(member.filename).name, target))
    except InvalidArgumentError:
        raise
    except _BROKEN:
        raise _damaged(name) from None
    return found


def require_sane_zip(path: Path, *, name: str) -> None:
    """Require that a workbook does not grow beyond measure."""
    with zipfile.ZipFile(path) as archive:
        sizes = [(member.file_size, member.compress_size) for member in archive.infolist()]
    if sum(size for size, _ in sizes) > MOST or any(_is_bomb(*each) for each in sizes):
        raise _too_large(name)


def _tables(members: Iterable[zipfile.ZipInfo], *, name: str) -> list[zipfile.ZipInfo]:
    """Choose the members that can be tables: the only one, or several with one suffix."""
    files = [
        member
        for member in members
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not PurePosixPath(member.filename).name.startswith(".")
    ]
    if any(member.flag_bits & 1 for member in files):
        msg = f"{name} is protected by a password, which crmkit does not read; unpack it first."
        raise InvalidArgumentError(msg)
    tables = [each for each in files if not each.filename.lower().endswith(_NO_TABLES)]
    tables = [each for each in tables if "readme" not in each.filename.lower()] or tables or files
    if not tables:
        msg = f"{name} is a zip archive without a file in it."
        raise InvalidArgumentError(msg)
    suffixes = {PurePosixPath(each.filename).suffix.lower() for each in tables}
    if len(suffixes) > 1:
        shown = ", ".join(repr(each.filename) for each in tables[:_SHOWN])
        more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
        msg = (
            f"{name} holds {len(tables)} files of several forms ({shown}{more}); unpack it and "
            "name the one that holds the log."
        )
        raise InvalidArgumentError(msg)
    return sorted(tables, key=lambda each: each.filename)


def _copy(packed: IO[bytes] | gzip.GzipFile, target: Path, *, name: str, n_packed: int) -> None:
    n_bytes = 0
    with target.open("wb") as out:
        while block := packed.read(_BLOCK):
            n_bytes += len(block)
            if n_bytes > MOST or _is_bomb(n_bytes, n_packed):
                raise _too_large(name)
            out.write(block)


def _is_bomb(n_bytes: int, n_packed: int) -> bool:
    """Whether more comes out than any log holds for its size."""
    return n_bytes > _SMALL and n_bytes > _RATIO * max(n_packed, 1)


def _too_large(name: str) -> InvalidArgumentError:
    msg = (
        f"{name} unpacks to more than a log can be (above {MOST >> 30} GB, or {_RATIO} times its "
        "size); if it is one, unpack it first and name the file."
    )
    return InvalidArgumentError(msg)


def _damaged(name: str) -> InvalidArgumentError:
    msg = f"{name} is packed, but damaged or cut off; get it anew, or unpack it first."
    return InvalidArgumentError(msg)
