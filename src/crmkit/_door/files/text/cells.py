"""Records of delimited text, one at a time: quotes, line ends inside them, and where it breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from mmap import mmap
from typing import Final, NamedTuple

LINE_END: Final = re.compile(rb"\r\n|\n|\r")
LONGEST: Final = 1 << 16
"""Bytes of the longest cell in quotes; beyond it, a quote was not closed."""

BROKEN: Final = "broken quotes"


class Record(NamedTuple):
    """Cells of one record, none where it does not read, and where it stands."""

    cells: list[bytes]
    start: int
    end: int
    line: int
    n_lines: int
    complaint: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether the line is blank: it has no separator either."""
        return len(self.cells) == 1 and not self.cells[0].strip()


def records(
    data: bytes | mmap, separator: bytes, *, start: int = 0, line: int = 1
) -> Iterator[Record]:
    """Read records from `start`, which is the beginning of line number `line`.

    A quote inside a cell that does not begin with one is an ordinary character, as spreadsheets
    have it (a pipe of 5"). A cell that begins with a quote ends at the quote before a separator
    or a line end; if none is there, the line is broken, and the next one is read afresh.
    """
    while start < len(data):
        found = _record(data, start, line, separator)
        yield found
        start, line = found.end, found.line + found.n_lines


def _record(data: bytes | mmap, start: int, line: int, separator: bytes) -> Record:
    end, behind = _line_end(data, start)
    text = data[start:end]
    if b'"' not in text:
        return Record(text.split(separator), start, behind, line, 1)
    found = _cells(text, separator)
    if found is None and end - start < LONGEST:  # a cell may go on in the lines below
        text = data[start : start + LONGEST]
        found = _cells(text, separator)
        if found is not None:
            behind = _line_end(data, start + found[1])[1]
    if found is None:
        return Record([data[start:end]], start, behind, line, 1, BROKEN)
    cells, length = found
    n_lines = 1 + len(LINE_END.findall(text, 0, length))
    return Record(cells, start, behind, line, n_lines)


def _cells(text: bytes, separator: bytes) -> tuple[list[bytes], int] | None:
    """Read the cells of one record and its length; none where a quote does not close."""
    quoted, plain = _patterns(separator)
    cells, at = [], 0
    while True:
        is_quoted = text[at : at + 1] == b'"'
        match = (quoted if is_quoted else plain).match(text, at)
        if match is None:
            return None
        cells.append(match[1].replace(b'""', b'"') if is_quoted else match[0])
        at = match.end()
        if text[at : at + 1] != separator:
            return cells, at
        at += 1


def _line_end(data: bytes | mmap, start: int) -> tuple[int, int]:
    """Find where a line ends, and where the next begins."""
    match = LINE_END.search(data, start)
    return match.span() if match else (len(data), len(data))


@cache
def _patterns(separator: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    mark = re.escape(separator)
    quoted = re.compile(rb'"((?:[^"]|"")*+)"(?=' + mark + rb"|[\r\n]|\Z)")
    return quoted, re.compile(rb"[^" + mark + rb"\r\n]*")


def written(cells: list[bytes], separator: bytes) -> bytes:
    """Write cells as one record, in quotes where they need them."""
    special = _special(separator)
    quoted = (
        b'"' + cell.replace(b'"', b'""') + b'"' if special.search(cell) else cell for cell in cells
    )
    return separator.join(quoted) + b"\n"


@cache
def _special(separator: bytes) -> re.Pattern[bytes]:
    return re.compile(rb'["\r\n' + re.escape(separator) + rb"]")
