"""A text file that is not in common form: each row is looked at, and none is lost.

Rows between suspect lines are seen as a whole, with numpy; a row that begins in a suspect line is
read by itself. Good rows go to a second file in common form, the others aside.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl

from crmkit._door.files.grid.empty import without_empty_text
from crmkit._door.files.grid.footer import is_total
from crmkit._door.files.raw_file import BELOW, TOTAL, Aside
from crmkit._door.files.text.blocks import cut_block, is_utf_8, shape_of, suspect_lines
from crmkit._door.files.text.cells import Record, records, written
from crmkit._door.files.text.layout import Layout, content
from crmkit._door.files.text.plain import Rows, scan

_OTHER_CELLS: Final = " where the header has"


def read_rows(
    path: Path, layout: Layout, *, encoding: str, scratch: Path
) -> tuple[Rows, list[Aside]]:
    """Read the rows that have a cell for each column; set the others aside with the reason."""
    target = scratch / "rows.csv"
    sorter = _Sorter(layout, encoding)
    with (
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as data,
        target.open("wb") as out,
    ):
        sorter.sort(data, out)
    lines = sorter.lines()
    if not len(lines):
        empty = pl.DataFrame(schema=dict.fromkeys(layout.names, pl.String))
        return Rows(empty, lines), sorter.aside
    table = without_empty_text(scan(target, layout, skip_lines=0, quote='"'))
    if table.height != len(lines):
        msg = f"its rows are {table.height:,} or {len(lines):,}, by how one looks at its quotes"
        raise ValueError(msg)
    return Rows(table, lines), _with_footer(sorter, int(lines[-1]), layout.separator)


class _Sorter:
    """Good rows and others, as one pass over a file meets them."""

    def __init__(self, layout: Layout, encoding: str) -> None:
        self._lines: list[pl.Series] = []
        self._single: list[int] = []
        self.aside: list[Aside] = []
        self.blank: set[int] = set()
        self._layout = layout
        self._unread = f"not readable as {encoding}"

    def lines(self) -> pl.Series:
        """Give the lines of the good rows."""
        self._end_singles()
        return pl.concat(self._lines)

    def sort(self, data: mmap, out: BinaryIO) -> None:
        """Write the good rows, and remember their lines and the others."""
        at, line = self._layout.start, self._layout.line
        while at < len(data):
            block = cut_block(data, at)
            is_last = at + len(block) == len(data)
            suspects = suspect_lines(block, self._layout.separator[0], is_last=is_last)
            behind = 0
            for start in suspects:
                if start < behind:  # in a record that began above
                    continue
                line = self._sort_regular(block[behind:start], line, out)
                behind, line = self._sort_each(data, at + start, line, out)
                behind -= at
            line = self._sort_regular(block[behind:], line, out)
            at += max(behind, len(block))

    def _sort_each(self, data: mmap, start: int, line: int, out: BinaryIO) -> tuple[int, int]:
        """Sort records one by one, until a newline ends one."""
        for record in records(data, self._layout.separator, start=start, line=line):
            text = data[record.start : record.end]
            start, line = record.end, record.line + record.n_lines
            row = self._judged(record, text)
            if row is not None:
                out.write(row)
                self._single.append(record.line)
            if text.endswith(b"\n"):
                break
        return start, line

    def _sort_regular(self, block: bytes, line: int, out: BinaryIO) -> int:
        """Sort well-formed rows by the number of their separators."""
        if not block:
            return line
        shape = shape_of(block, self._layout.separator[0])
        kept = shape.n_marks == len(self._layout.names) - 1
        at = 0
        for bad in np.flatnonzero(~kept):
            start, end = int(shape.starts[bad]), int(shape.starts[bad + 1])
            out.write(block[at:start])
            at, text = end, block[start:end]
            (record,) = records(text, self._layout.separator, line=line + int(shape.lines[bad]))
            row = self._judged(record, text)
            if row is not None:
                out.write(row)
                kept[bad] = True
        out.write(block[at:])
        if at < len(block) and not block.endswith(b"\n"):
            out.write(b"\n")
        self._end_singles()
        self._lines.append(pl.Series("line", (shape.lines[kept] + line).astype(np.uint32)))
        return line + shape.n_lines

    def _end_singles(self) -> None:
        """Put the lines of rows that were read one by one behind those before them."""
        self._lines.append(pl.Series("line", self._single, dtype=pl.UInt32))
        self._single = []

    def _judged(self, record: Record, text: bytes) -> bytes | None:
        """Give a good row as it is to be written; set another aside."""
        if record.is_blank:
            self.blank.add(record.line)
            return None
        cells, n_columns = record.cells, len(self._layout.names)
        if len(cells) > n_columns and not any(cells[n_columns:]):
            cells = cells[:n_columns]  # nothing is in those beyond
        complaint = record.complaint
        if b"\0" in text:
            complaint = "holds NUL bytes"
        elif not is_utf_8(text):
            complaint = self._unread
        if not complaint and len(cells) != n_columns:
            complaint = f"{len(cells)} cell{'s' * (len(cells) > 1)}{_OTHER_CELLS} {n_columns}"
        if complaint:
            self.aside.append(Aside(record.line, complaint, content(text)))
            return None
        return written(cells, self._layout.separator)


def _with_footer(sorter: _Sorter, last: int, separator: bytes) -> list[Aside]:
    """Say which rows with too few or too many cells stand below the table: a total, a remark.

    A row that breaks off is none of them: it follows the last row at once.
    """
    told = []
    below = False
    for each in sorted(sorter.aside):
        row = each
        if each.line > last and _OTHER_CELLS in each.reason:
            cells = [cell.strip('" ') for cell in each.content.split(separator.decode())]
            total = is_total(cells)
            below = below or total or each.line - 1 in sorter.blank
            row = each._replace(reason=TOTAL if total else BELOW) if below else each
        told.append(row)
    return told
