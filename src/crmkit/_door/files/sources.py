"""From a path to its table: one file by its kind, several files as one log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import polars as pl

from crmkit._door.files.kinds import Kind, kind_of
from crmkit._door.files.raw_file import RawFile
from crmkit._door.files.sheets.web_pages import table_of_web_page
from crmkit._door.files.sheets.workbooks import read_workbook
from crmkit._door.files.text.delimited import read_delimited
from crmkit._door.files.typed.columnar import read_arrow, read_parquet
from crmkit._door.files.typed.databases import read_duckdb, read_sqlite
from crmkit._door.files.typed.json_records import read_json
from crmkit._door.files.typed.servers import read_server
from crmkit._door.files.unpack import unpack_gzip, unpack_zip
from crmkit._words.arguments import listed, shown
from crmkit.errors import InvalidArgumentError

_DEEPEST: Final = 3
_SHOWN: Final = 5


class Options(NamedTuple):
    """What the user said about a file."""

    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    table: str | None = None
    query: str | None = None


_MEANT: Final[dict[str, tuple[Kind, ...]]] = {
    "encoding": ("text", "json", "web page"),
    "separator": ("text",),
    "sheet": ("workbook",),
    "table": ("sqlite", "duckdb"),
    "query": ("sqlite", "duckdb"),
}
"""Kinds of files that each option is for."""

_NAMES: Final[dict[Kind, str]] = {
    "text": "a text file",
    "json": "a JSON file",
    "workbook": "a workbook",
    "web page": "a web page",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "sqlite": "an SQLite database",
    "duckdb": "a DuckDB database",
}


def read_source(source: Path | str | Sequence[Path], *, options: Options) -> RawFile:
    """Read a file, a folder, several files, or a URI."""
    for option, value in options._asdict().items():
        if value is not None and not isinstance(value, str):
            msg = f"`{option}` must be text, got {shown(value)}."
            raise InvalidArgumentError(msg)
    if isinstance(source, str):
        return read_server(source, query=options.query)
    try:
        if not isinstance(source, Path):
            return _read_several([(path.name, path) for path in source], options)
        if source.is_dir():
            return _read_several(_files_in(source), options)
        return _read_one(source, options, name=source.name)
    except (OSError, MemoryError, ValueError, RecursionError, pl.exceptions.PolarsError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise InvalidArgumentError(_unexpected(error, source)) from None


def _read_one(path: Path, options: Options, *, name: str, depth: int = 0) -> RawFile:
    if not path.exists():
        msg = f"The file {path} does not exist."
        raise InvalidArgumentError(msg)
    if not path.is_file():
        msg = f"{name} is not a file."
        raise InvalidArgumentError(msg)
    kind = kind_of(path, name=name)
    with TemporaryDirectory(prefix="crmkit-", ignore_cleanup_errors=True) as folder:
        if kind not in ("gzip", "zip"):
            _require_meant(options, kind, name=name)
            return _read_kind(path, kind, options, name=name, scratch=Path(folder))
        if depth == _DEEPEST:
            msg = f"{name} is packed {_DEEPEST + 1} times over; unpack it first."
            raise InvalidArgumentError(msg)
        if kind == "gzip":
            unpacked = unpack_gzip(path, name=name, scratch=Path(folder))
            return _read_one(unpacked, options, name=name, depth=depth + 1)
        members = unpack_zip(path, name=name, scratch=Path(folder))
        if len(members) > 1:
            read = _read_several(members, options, depth=depth + 1)
            return replace(read, source=name)
        (member, unpacked) = members[0]
        read = _read_one(unpacked, options, name=f"{member} in {name}", depth=depth + 1)
        return replace(read, source=name)


def _read_kind(path: Path, kind: Kind, options: Options, *, name: str, scratch: Path) -> RawFile:
    encoding, separator, sheet, table, query = options
    readers: dict[Kind, Callable[[], RawFile]] = {
        "workbook": lambda: read_workbook(path, name=name, sheet=sheet),
        "parquet": lambda: read_parquet(path, name=name),
        "arrow": lambda: read_arrow(path, name=name),
        "sqlite": lambda: read_sqlite(path, name=name, table=table, query=query),
        "duckdb": lambda: read_duckdb(path, name=name, table=table, query=query),
        "json": lambda: read_json(path, name=name, encoding=encoding),
        "web page": lambda: _read_web_page(path, name=name, scratch=scratch, encoding=encoding),
        "text": lambda: read_delimited(
            path, name=name, scratch=scratch, encoding=encoding, separator=separator
        ),
    }
    return readers[kind]()


def _read_web_page(path: Path, *, name: str, scratch: Path, encoding: str | None) -> RawFile:
    page = table_of_web_page(path, name=name, scratch=scratch, encoding=encoding)
    read = read_delimited(page, name=name, scratch=scratch, encoding=None, separator=",")
    notes = (note for note in read.notes if not note.startswith(("encoding", "separator")))
    return replace(read, notes=("table of a web page", *notes))


def _require_meant(options: Options, kind: Kind, *, name: str) -> None:
    """Require that each option is for this kind of file."""
    for option, value in options._asdict().items():
        if value is not None and kind not in _MEANT[option]:
            meant = " or ".join(_NAMES[each] for each in _MEANT[option])
            msg = f"`{option}` is for {meant}, and {name} is {_NAMES[kind]}; leave it out."
            raise InvalidArgumentError(msg)


def _files_in(folder: Path) -> list[tuple[str, Path]]:
    """List the files of a folder, which must be of one form."""
    paths = [each for each in sorted(folder.iterdir()) if each.is_file() and each.name[0] != "."]
    if not paths:
        msg = f"The folder {folder} has no files."
        raise InvalidArgumentError(msg)
    suffixes = {each.suffix.lower() for each in paths}
    if len(suffixes) > 1:
        found = listed(each.name for each in paths[:_SHOWN])
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        msg = (
            f"The folder {folder} holds files of several forms ({found}{more}); leave those of one "
            "log in it, or name them."
        )
        raise InvalidArgumentError(msg)
    return [(each.name, each) for each in paths]


def _read_several(
    files: Sequence[tuple[str, Path]], options: Options, *, depth: int = 0
) -> RawFile:
    """Read files with the same columns as one log, in their order."""
    if not files:
        msg = "The list of files is empty; name one at least."
        raise InvalidArgumentError(msg)
    if len(files) == 1:
        return _read_one(files[0][1], options, name=files[0][0], depth=depth)
    read = [_read_one(path, options, name=name, depth=depth) for name, path in files]
    first = read[0].table.columns
    for (name, _), each in zip(files, read, strict=True):
        if set(each.table.columns) != set(first):
            msg = (
                f"{name} has other columns than {files[0][0]} ({_difference(each, first)}); files "
                "of one log need the same columns."
            )
            raise InvalidArgumentError(msg)
    tables = _of_one_type([each.table.select(first) for each in read])
    return RawFile(
        table=pl.concat(tables, how="vertical_relaxed"),
        lines=pl.concat([each.lines for each in read]),
        set_aside=pl.concat(
            each.set_aside.with_columns(pl.col("reason") + pl.lit(f", in {name}"))
            for (name, _), each in zip(files, read, strict=True)
        ),
        notes=_notes([name for name, _ in files], read),
        source=f"{files[0][0]} and {len(files) - 1} more",
    )


def _of_one_type(tables: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Make a column text that is text in one file and something else in another."""
    names = tables[0].columns
    kinds = {name: {table.schema[name] for table in tables} - {pl.Null()} for name in names}
    mixed = [name for name in names if len(kinds[name]) > 1 and pl.String() in kinds[name]]
    return [table.with_columns(pl.col(mixed).cast(pl.String)) for table in tables]


def _notes(names: list[str], read: list[RawFile]) -> tuple[str, ...]:
    """Say once what holds for all files, and for each what does not."""
    shared = [note for note in read[0].notes if all(note in each.notes for each in read)]
    own = [
        f"{note} in {name}"
        for name, each in zip(names, read, strict=True)
        for note in each.notes
        if note not in shared
    ]
    return (f"{len(read)} files", *shared, *own)


def _difference(read: RawFile, first: Sequence[str]) -> str:
    columns = read.table.columns
    lacking = [name for name in first if name not in columns]
    further = [name for name in columns if name not in first]
    parts = [f"without {listed(lacking[:_SHOWN])}"] if lacking else []
    parts += [f"with {listed(further[:_SHOWN])}"] if further else []
    return ", ".join(parts)


def _unexpected(error: Exception, source: object) -> str:
    """Say in a sentence what went wrong beside the file itself."""
    name = source.name if isinstance(source, Path) else "One of the files"
    if isinstance(error, MemoryError):
        return f"{name} does not fit into memory; split it."
    if isinstance(error, OSError):
        return f"{name} cannot be opened: {error.strerror or type(error).__name__}."
    reason = str(error).partition("\n")[0]
    return f"{name} does not read as a table: {reason}."
