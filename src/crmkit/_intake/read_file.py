"""The table of any file that a company has."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from crmkit._door import files
from crmkit._door.files.give import as_backend
from crmkit._words.arguments import require_backend
from crmkit.typing import Backend


def read_file(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    query: str | None = None,
    backend: Backend = "pandas",
) -> Any:  # noqa: ANN401 - native to `backend`
    r"""Read the table of a file as it is: CSV, Excel, JSON, Parquet, SQLite and others.

    What the file is follows from its content, not from its name. Encoding, separator and header
    are found; titles above the header, totals below the rows, and rows with more or fewer cells
    than the header are left out of the table.

    Parameters
    ----------
    path
        A file, a folder or list of files of one form (read as one log), or the URI of a
        PostgreSQL database. Files: text with commas, semicolons, tabs or pipes; packed as `.gz`
        or `.zip`; `.xlsx`, `.xls` and `.ods` (``crmkit[excel]``); JSON and JSON lines; Parquet,
        Arrow and Feather; SQLite and DuckDB (``crmkit[duckdb]``) databases.
    encoding
        Of a text file, such as "cp1252" or "gb18030"; found by its bytes where it is not given.
    separator
        Of a text file, such as ";"; found by its first lines where it is not given.
    sheet
        Name of a sheet of a workbook; the only one with a table, or the longest, if not given.
    table
        Name of a table of a database; needed where it has several.
    query
        SQL to run instead, on a connection that only reads; needed with a URI
        (``crmkit[database]``).
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    All columns, with their names as written; a name that is missing or used twice gets a number.
    The cells of a text file are text, null where they are empty, so that "007" stays what it is.
    Columns of other files keep their types.

    Raises
    ------
    InvalidArgumentError
        If the file cannot be read: one sentence that says what it is and what to do. Likewise if
        an option is not for this kind of file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.csv")
    ...     _ = log.write_text("Verkäufe 2024\n\nKunde;Betrag\n007;12,50\nMüller;8,00\n", "cp1252")
    ...     print(read_file(log).to_string(index=False))
     Kunde Betrag
       007  12,50
    Müller   8,00
    """
    require_backend(backend)
    raw = files.read_file(
        path, encoding=encoding, separator=separator, sheet=sheet, table=table, query=query
    )
    return as_backend(raw.table, backend)
