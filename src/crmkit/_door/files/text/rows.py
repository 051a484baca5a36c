"""A text file that is not in common form: each row is looked at, and none is lost.

Blocks whose rows are all well formed are seen as a whole, with numpy; only in others is each row
read by itself. Good rows go to a second file in common form, the others aside.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import polars as pl

from crmkit._door.files.grid.empty import without_empty_text
from crmkit._door.files.grid.footer import is_total
from crmkit._door.files.raw_file import BELOW, TOTAL, Aside
from crmkit._door.files.text.cells import Record, records, written
from crmkit._door.files.text.layout import Layout, content
from crmkit._door.files.text.plain import Rows, scan

_BLOCK: Final = 1 << 22
_TRIED: Final = 64
_OTHER_CELLS: Final = " where the header has"
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


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
    lines = pl.concat([pl.Series("line", [], dtype=pl.UInt32), *sorter.lines])
    if not len(lines):
        empty = pl.DataFrame(schema=dict.fromkeys(layout.names, pl.String))
        return Rows(empty, lines), sorter.aside
    table = without_empty_text(scan(target, layout, skip_lines=0, quote='"'))
    return Rows(table, lines), _with_footer(sorter, int(lines[-1]), layout.separator)


class _Sorter:
    """Good rows and others, as one pass over a file meets them."""

    def __init__(self, layout: Layout, encoding: str) -> None:
        self.lines: list[pl.Series] = []
        self.aside: list[Aside] = []
        self.blank: set[int] = set()
        self._layout = layout
        self._unread = f"not readable as {encoding}"

    def sort(self, data: mmap, out: BinaryIO) -> None:
        """Write the good rows, and remember their lines and the others."""
        at, line = self._layout.start, self._layout.line
        while at < len(data):
            block = _block(data, at)
            is_last = at + len(block) == len(data)
            if _is_regular(block, self._layout.separator[0], is_last=is_last):
                line = self._sort_regular(block, line, out)
                at += len(block)
            else:
                at, line = self._sort_each(data, at, at + len(block), line, out)

    def _sort_each(
        self, data: mmap, start: int, end: int, line: int, out: BinaryIO
    ) -> tuple[int, int]:
        """Sort records one by one, until the block is over."""
        good = []
        for record in records(data, self._layout.separator, start=start, line=line):
            if record.start >= end:
                break
            start, line = record.end, record.line + record.n_lines
            row = self._judged(record, data[record.start : record.end])
            if row is not None:
                out.write(row)
                good.append(record.line)
        self.lines.append(pl.Series("line", good, dtype=pl.UInt32))
        return start, line

    def _sort_regular(self, block: bytes, line: int, out: BinaryIO) -> int:
        """Sort a block of well-formed rows: by the number of their separators."""
        shape = _shape(block, self._layout.separator[0])
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
        self.lines.append(pl.Series("line", (shape.lines[kept] + line).astype(np.uint32)))
        return line + shape.n_lines

    def _judged(self, record: Record, text: bytes) -> bytes | None:
        """Give a good row as it is to be written; set another aside."""
        if record.is_blank:
            self.blank.add(record.line)
            return None
        cells, n_columns = record.cells, len(self._layout.names)
        if len(cells) > n_columns and not any(cells[n_columns:]):
            cells = cells[:n_columns]  # nothing is in those beyond
        complaint = record.complaint or _unreadable(text, self._unread)
        if not complaint and len(cells) != n_columns:
            complaint = f"{len(cells)} cell{'s' * (len(cells) > 1)}{_OTHER_CELLS} {n_columns}"
        if complaint:
            self.aside.append(Aside(record.line, complaint, content(text)))
            return None
        return written(cells, self._layout.separator)


def _unreadable(text: bytes, complaint: str) -> str:
    if b"\0" in text:
        return "holds NUL bytes"
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return complaint
    return ""


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


class _Shape(NamedTuple):
    """Rows of a block: where each starts (and the last ends), its separators, its line."""

    starts: np.ndarray
    n_marks: np.ndarray
    lines: np.ndarray
    n_lines: int


def _shape(block: bytes, separator: int) -> _Shape:
    bytes_ = np.frombuffer(block, dtype=np.uint8)
    is_newline, is_mark = bytes_ == _NEWLINE, bytes_ == separator
    newlines = np.flatnonzero(is_newline)
    if b'"' in block:
        outside = ~np.logical_xor.accumulate(bytes_ == _QUOTE)
        is_newline &= outside
        is_mark &= outside
    starts = np.insert(np.flatnonzero(is_newline) + 1, 0, 0)
    if not is_newline[-1]:  # the last line does not end
        starts = np.append(starts, len(block))
    n_marks = np.add.reduceat(is_mark, starts[:-1], dtype=np.int64)
    return _Shape(starts, n_marks, np.searchsorted(newlines, starts[:-1]), len(newlines))


def _is_regular(block: bytes, separator: int, *, is_last: bool) -> bool:
    """Whether every quote of a block opens at the start of a cell or closes at its end.

    Quotes then open and close in turn, and a doubled one closes and opens again.
    """
    if not (is_last or block.endswith(b"\n")) or _unreadable(block, "not readable"):
        return False
    bytes_ = np.frombuffer(block, dtype=np.uint8)
    after = np.append(bytes_[1:], _NEWLINE)
    if b"\r" in block and np.any((bytes_ == _RETURN) & (after != _NEWLINE)):
        return False
    quotes = np.flatnonzero(bytes_ == _QUOTE)
    bounds = (separator, _NEWLINE, _QUOTE)
    opens = np.where(quotes > 0, bytes_[quotes - 1], _NEWLINE)[::2]
    return (
        len(quotes) % 2 == 0
        and bool(np.isin(opens, bounds).all())
        and bool(np.isin(after[quotes[1::2]], (*bounds, _RETURN)).all())
    )


def _block(data: mmap, at: int) -> bytes:
    """Cut a block at the last line end that is not in quotes."""
    block: bytes = data[at : at + _BLOCK]
    if at + len(block) == len(data):
        return block
    end = block.rfind(b"\n")
    for _ in range(_TRIED):
        if block.count(b'"', 0, end + 1) % 2 == 0:
            break
        end = block.rfind(b"\n", 0, max(end, 0))
    return block[: end + 1] or block
