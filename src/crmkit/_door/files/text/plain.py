"""A text file in common form, read by Polars at once and then checked by counting bytes.

Polars fills up a short row in silence, and drops nothing else. So bytes are counted: line ends
against rows, separators against cells. Where they do not agree, or Polars refuses, the file goes
the slow way, which looks at each row.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from crmkit._door.files.grid.empty import without_empty_text
from crmkit._door.files.text.layout import Layout

_WINDOW: Final = 1 << 16
_TAIL: Final = 1 << 16
_TAB, _NEWLINE, _RETURN = b"\t\n\r"
_FIRST_PRINTED: Final = 32


class Rows(NamedTuple):
    """Rows as text, and the line of each."""

    table: pl.DataFrame
    lines: pl.Series


def read_plain(path: Path, layout: Layout) -> Rows | None:
    """Read the rows of a UTF-8 file; None where they are not in common form throughout."""
    if b"\r" in layout.line_ends or layout.start >= path.stat().st_size:
        return None
    with _Bytes(path, layout.start) as bytes_:
        has_quotes = bytes_.has(b'"')
        try:
            quote = '"' if has_quotes else None
            table = scan(path, layout, skip_lines=layout.line - 1, quote=quote)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return None
        table = table.head(max(table.height - bytes_.n_blank_lines_at_the_end(), 0))
        n_lines = bytes_.n_lines(likely=table.height)
        inside = _count_in_cells(table, "\n") if has_quotes and n_lines != table.height else None
        if n_lines != table.height + (int(inside.sum()) if inside is not None else 0):
            return None
        if table.to_series(-1).null_count():
            mark = layout.separator.decode()
            n_cells = int(_count_in_cells(table, mark).sum()) if has_quotes else 0
            if bytes_.count(ord(mark)) != table.height * (table.width - 1) + n_cells:
                return None
    if has_quotes:
        table = without_empty_text(table)
    return Rows(table, _lines(table.height, layout.line, inside))


def scan(path: Path, layout: Layout, *, skip_lines: int, quote: str | None) -> pl.DataFrame:
    """Read a file in common form, all cells as text."""
    plan = pl.scan_csv(
        path,
        glob=False,
        has_header=False,
        skip_lines=skip_lines,
        separator=layout.separator.decode(),
        quote_char=quote,
        schema=dict.fromkeys(layout.names, pl.String),
        encoding="utf8",
    )
    return plan.collect(engine="streaming")


def _count_in_cells(table: pl.DataFrame, mark: str) -> pl.Series:
    """Count a character in each row."""
    counts = [pl.col(name).str.count_matches(mark, literal=True) for name in table.columns]
    return table.select(pl.sum_horizontal(counts)).to_series()


def _lines(n_rows: int, first: int, newlines: pl.Series | None) -> pl.Series:
    lines = pl.int_range(first, first + n_rows, dtype=pl.UInt32, eager=True)
    if newlines is not None:
        lines += newlines.cum_sum().shift(1, fill_value=0).cast(pl.UInt32)
    return lines.rename("line")


class _Bytes:
    """The bytes of a file from where its rows begin; each question is one pass over them."""

    def __init__(self, path: Path, start: int) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._start = start
        self._all = np.frombuffer(self._map, dtype=np.uint8)[start:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._all
        self._map.close()

    def has(self, byte: bytes) -> bool:
        """Whether a byte occurs."""
        return self._map.find(byte, self._start) >= 0

    def count(self, byte: int) -> int:
        """Count a byte."""
        return sum(int(np.count_nonzero(window == byte)) for window in self._windows())

    def n_lines(self, *, likely: int) -> int:
        """Count the lines but for blank ones at the end; more, where other control characters are.

        One pass counts them all: they are newlines nearly always. Returns before newlines and
        tabs are taken off where there are any; a count that is still too high, for a NUL or a
        return by itself, sends the file the slow way.
        """
        n_ends = sum(int(np.count_nonzero(each < _FIRST_PRINTED)) for each in self._windows())
        n_ends += (self._map[-1:] != b"\n") - self.n_blank_lines_at_the_end()
        if n_ends != likely and self.has(b"\r"):
            n_ends -= self._n_pairs()
        if n_ends != likely and self.has(b"\t"):
            n_ends -= self.count(_TAB)
        return n_ends

    def n_blank_lines_at_the_end(self) -> int:
        """Count the blank lines below the last row."""
        tail = self._all[-_TAIL:].tobytes()
        return max(tail[len(tail.rstrip(b"\r\n")) :].count(b"\n") - 1, 0)

    def _n_pairs(self) -> int:
        """Count returns before newlines."""
        n_pairs = 0
        for at in range(0, len(self._all), _WINDOW):
            window = self._all[at : at + _WINDOW + 1]
            n_pairs += int(np.count_nonzero((window[:-1] == _RETURN) & (window[1:] == _NEWLINE)))
        return n_pairs

    def _windows(self) -> Iterator[npt.NDArray[np.uint8]]:
        for at in range(0, len(self._all), _WINDOW):
            yield self._all[at : at + _WINDOW]
