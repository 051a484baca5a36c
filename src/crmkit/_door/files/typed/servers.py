"""A database server, by its URI and a query, through ADBC."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import polars as pl

from crmkit._door.files.raw_file import RawFile
from crmkit._door.files.typed.columnar import of_table
from crmkit.errors import InvalidArgumentError

_SCHEMES: Final = ("postgresql", "postgres")
_DIGITS: Final = 15
_TIMEOUT: Final = "connect_timeout=10"


def read_server(uri: str, *, query: str | None) -> RawFile:
    """Read the rows of a query; the transaction is read-only."""
    parts = urlsplit(uri)
    if parts.scheme not in _SCHEMES:
        msg = (
            f"A database at {parts.scheme}:// is not one that crmkit reads; write "
            "postgresql://user@host/database, or export the table as CSV."
        )
        raise InvalidArgumentError(msg)
    source = f"{parts.hostname or 'localhost'}{parts.path}"
    if query is None:
        msg = f"{source} is a database server; name the query to read with query=."
        raise InvalidArgumentError(msg)
    try:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - an extra
    except ImportError:
        msg = f'{source} is a database server; to read it, pip install "crmkit[database]".'
        raise InvalidArgumentError(msg) from None
    mark = "&" if parts.query else "?"
    timed = uri if "connect_timeout" in parts.query else f"{uri}{mark}{_TIMEOUT}"
    try:
        with dbapi.connect(timed) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(query)
            table = _plain(cursor.fetch_arrow_table())
    except (dbapi.Error, pl.exceptions.PolarsError) as error:
        reason = re.sub(r"://\S*@", "://", " ".join(str(error).split()))[:300]
        msg = f"{source} does not answer the query ({reason})."
        raise InvalidArgumentError(msg) from None
    return of_table(table, name=source, notes=("rows of the query",))


def _plain(arrow: Any) -> pl.DataFrame:  # noqa: ANN401 - a table of Arrow
    """Take columns out of types that Arrow knows by name only; PostgreSQL's numeric is one."""
    columns = []
    for name, column in zip(arrow.column_names, arrow.columns, strict=True):
        own = getattr(column.type, "storage_type", None)
        values = pl.Series(name, column if own is None else column.cast(own))
        is_number = getattr(column.type, "type_name", "") == "numeric"
        columns.append(_number(values) if is_number else values)
    return pl.DataFrame(columns)


def _number(text: pl.Series) -> pl.Series:
    """Read exact decimals as numbers; longer ones than these hold stay text."""
    n_digits = text.str.count_matches(r"\d").max()
    return text if isinstance(n_digits, int) and n_digits > _DIGITS else text.cast(pl.Float64)
