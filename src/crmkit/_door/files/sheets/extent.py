"""How far a workbook's sheets reach, seen before anything is loaded.

A sheet is held as a full grid: a single cell far down and far right would take all memory.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crmkit._door.files.unpack import require_sane_zip
from crmkit.errors import InvalidArgumentError

_MOST_CELLS: Final = 30_000_000
_BLOCK: Final = 1 << 20
_LETTERS: Final = 26
_KEPT: Final = 4096

_ROW: Final = re.compile(rb'<(?:\w+:)?row [^>]*?\br="(\d{1,9})"')
_FAR_COLUMN: Final = re.compile(rb'\br="([A-Z]{2,5})\d')
_ERROR: Final = b' t="e"'
_REPEATED: Final = re.compile(
    rb"<table:(table-row|table-cell|covered-table-cell|table)\b([^>]*)|</table:table-row"
)
_TIMES: Final = re.compile(rb'number-(?:rows|columns)-repeated="(\d{1,9})"')


def require_readable(path: Path, *, name: str) -> int:
    """Require a workbook that fits into memory; count the cells that hold an error (.xlsx)."""
    if not zipfile.is_zipfile(path):
        return 0
    n_errors = 0
    try:
        require_sane_zip(path, name=name)
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.startswith("xl/worksheets/") and member.endswith(".xml"):
                    n_cells, n_wrong = _extent_of_xml(archive, member)
                    n_errors += n_wrong
                elif member == "content.xml":
                    n_cells = _extent_of_open_document(archive, member)
                else:
                    continue
                if n_cells > _MOST_CELLS:
                    raise _too_large(name, n_cells)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        msg = f"{name} is a damaged workbook; get it anew, or save it as CSV."
        raise InvalidArgumentError(msg) from None
    return n_errors


def _extent_of_xml(archive: zipfile.ZipFile, member: str) -> tuple[int, int]:
    """Count the cells of the grid that a sheet spans, and those with an error."""
    rows, columns, n_errors = 0, _LETTERS, 0
    for text, new in _windows(archive, member):
        rows = max([rows, *map(int, _ROW.findall(text))])
        if _FAR_COLUMN.search(text):
            columns = max([columns, *map(_column, set(_FAR_COLUMN.findall(text)))])
        n_errors += text.count(_ERROR, new)
    return rows * columns, n_errors


def _extent_of_open_document(archive: zipfile.ZipFile, member: str) -> int:
    """Count the cells of the largest grid of an OpenDocument, whose rows and cells repeat."""
    most = rows = columns = row_times = width = filled = 0
    for text, new in _windows(archive, member, whole_tags=True):
        for match in _REPEATED.finditer(text, new):
            tag, attributes = match[1], match[2]
            times = _TIMES.search(attributes or b"")
            n_times = int(times[1]) if times else 1
            if tag == b"table":
                most, rows, columns = max(most, rows * columns), 0, 0
            elif tag == b"table-row":
                row_times, width, filled = n_times, 0, 0
            elif tag is not None:
                width += n_times
                filled = width if b"value" in attributes else filled
            elif filled:  # empty rows and cells at the end are not held
                rows, columns = rows + row_times, max(columns, filled)
    return max(most, rows * columns)


def _windows(
    archive: zipfile.ZipFile, member: str, *, whole_tags: bool = False
) -> Iterator[tuple[bytes, int]]:
    """Read a member in pieces that overlap, or that end where a tag does."""
    kept = b""
    with archive.open(member) as file:
        while block := file.read(_BLOCK):
            text = kept + block
            if whole_tags:
                cut = text.rfind(b">") + 1
                yield text[:cut], 0
                kept = text[cut:]
            else:
                yield text, max(len(kept) - len(_ERROR) + 1, 0)
                kept = text[-_KEPT:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * _LETTERS + letter - ord("A") + 1
    return number


def _too_large(name: str, n_cells: int) -> InvalidArgumentError:
    msg = (
        f"{name} has a sheet that spans {n_cells:,} cells, more than crmkit holds; delete what "
        "stands far from the table, or save the sheet as CSV."
    )
    return InvalidArgumentError(msg)
