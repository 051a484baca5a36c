"""Any file, or several, as one table: the door to the readers of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from crmkit._door.files.raw_file import RawFile
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError


def read_file(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    query: str | None = None,
) -> RawFile:
    """Read a file, several of one form, a folder of them, or a query of a database server.

    Parameters
    ----------
    source
        Path of a file or folder, a list of paths, or the URI of a database server.
    encoding, separator
        Of text files, where they are not to be found by their bytes.
    sheet
        Name of the sheet of a workbook.
    table, query
        Table of a database, or a query of it.

    Raises
    ------
    InvalidArgumentError
        If it cannot be read: one sentence with what it is and what to do.
    """
    from crmkit._door.files.sources import Options, read_source  # noqa: PLC0415 - loads Polars

    options = Options(encoding=encoding, separator=separator, sheet=sheet, table=table, query=query)
    if isinstance(source, str) and "://" in source:
        return read_source(source, options=options)
    if isinstance(source, (str, PathLike)):
        return read_source(Path(source), options=options)
    if isinstance(source, Iterable) and not isinstance(source, (bytes, Mapping)):
        paths = list(source)
        if all(isinstance(each, (str, PathLike)) for each in paths):
            return read_source([Path(each) for each in paths], options=options)
    msg = f"`path` must be a path or a list of paths, got {shown(source)}."
    raise InvalidArgumentError(msg)
