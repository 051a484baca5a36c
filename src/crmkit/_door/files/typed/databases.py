"""Databases in a file: one table or query of SQLite or DuckDB, opened to read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import polars as pl

from crmkit._door.files.grid.names import distinct_names
from crmkit._door.files.raw_file import RawFile
from crmkit._door.files.typed.columnar import of_table
from crmkit._door.files.typed.values import column
from crmkit._words.arguments import did_you_mean, listed, shown
from crmkit.errors import InvalidArgumentError

_BATCH: Final = 50_000
_SHOWN: Final = 12
_CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
}
"""A database in a file reaches for nothing beside it."""

_TABLES_OF_SQLITE: Final = (
    "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)
_TABLES_OF_DUCKDB: Final = (
    "SELECT table_name, CASE table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END "
    "FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1"
)


def read_sqlite(path: Path, *, name: str, table: str | None, query: str | None) -> RawFile:
    """Read a table of an SQLite database; each column gets the one type that holds its values."""
    mode = "mode=ro" if _has_open_writes(path) else "mode=ro&immutable=1"
    try:
        uri = f"{path.resolve().as_uri()}?{mode}"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.text_factory = _text
            chosen, note = _statement(
                lambda: connection.execute(_TABLES_OF_SQLITE).fetchall(), name, table, query
            )
            return of_table(_fetched(connection.execute(chosen)), name=name, notes=note)
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _unreadable(name, "an SQLite", error) from None


def read_duckdb(path: Path, *, name: str, table: str | None, query: str | None) -> RawFile:
    """Read a table of a DuckDB database."""
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        msg = f'{name} is a DuckDB database; to read it, pip install "crmkit[duckdb]".'
        raise InvalidArgumentError(msg) from None
    try:
        with duckdb.connect(str(path), read_only=True, config=dict(_CLOSED)) as connection:
            chosen, note = _statement(
                lambda: connection.execute(_TABLES_OF_DUCKDB).fetchall(), name, table, query
            )
            found = connection.sql(chosen)
            rows = pl.DataFrame(found.to_arrow_table() if found is not None else None)
            return of_table(rows, name=name, notes=note)
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise _unreadable(name, "a DuckDB", error) from None


def _statement(
    tables: Callable[[], Sequence[tuple[str, str]]], name: str, table: str | None, query: str | None
) -> tuple[str, tuple[str, ...]]:
    """Choose what to select: the query, the table named, or the only one."""
    if query is not None:
        return query, ("rows of the query",)
    found = tables()
    names = [each for each, _ in found]
    if table is None:
        proper = [each for each, kind in found if kind == "table"] or names
        if not proper:
            msg = f"{name} is a database without a table."
            raise InvalidArgumentError(msg)
        if len(proper) > 1:
            msg = f"{name} has {len(proper)} tables ({_some(proper)}); name one with table=."
            raise InvalidArgumentError(msg)
        table = proper[0]
    elif table not in names:
        msg = f"{name} has no table {shown(table)}, only {_some(names)}."
        raise InvalidArgumentError(msg + did_you_mean(table, names))
    quoted = table.replace('"', '""')
    return f'SELECT * FROM "{quoted}"', (f"table {table}",)  # noqa: S608 - a name from the database


def _fetched(cursor: sqlite3.Cursor) -> pl.DataFrame:
    names, _ = distinct_names([each[0] for each in cursor.description or ()])
    columns: list[list[Any]] = [[] for _ in names]
    while batch := cursor.fetchmany(_BATCH):
        for values, more in zip(columns, zip(*batch, strict=True), strict=True):
            values.extend(more)
    return pl.DataFrame([column(name, each) for name, each in zip(names, columns, strict=True)])


def _text(value: bytes) -> str:
    """Read text as UTF-8, which SQLite does not enforce."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def _has_open_writes(path: Path) -> bool:
    """Whether rows wait in a write-ahead log beside the file."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return listed(names[:_SHOWN]) + more


def _unreadable(name: str, what: str, error: Exception) -> InvalidArgumentError:
    reason = str(error).strip().partition("\n")[0][:200]
    msg = f"{name} does not read as {what} database ({reason}); look at the file and the query."
    return InvalidArgumentError(msg)
