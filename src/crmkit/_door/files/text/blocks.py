"""Blocks of a text file seen as a whole: where rows begin, and which lines need a closer look."""

from __future__ import annotations

from mmap import mmap
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

_Positions: TypeAlias = npt.NDArray[np.int64]

_BLOCK: Final = 1 << 22
_TRIED: Final = 64
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


class Shape(NamedTuple):
    """Rows of a block: where each starts (and the last ends), its separators, its line."""

    starts: _Positions
    n_marks: _Positions
    lines: _Positions
    n_lines: int


def cut_block(data: mmap, at: int) -> bytes:
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


def shape_of(block: bytes, separator: int) -> Shape:
    """Find the rows of a block whose quotes are well formed."""
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
    return Shape(starts, n_marks, np.searchsorted(newlines, starts[:-1]), len(newlines))


def suspect_lines(block: bytes, separator: int, *, is_last: bool) -> list[int]:
    """List where lines start that a count of separators would not tell the truth of.

    They have a quote that neither opens a cell nor closes one, a return that is not before a
    newline, a NUL, or bytes that are not UTF-8. Where none is found, a cell in quotes may go over
    several lines; where one is, each line must be well formed by itself.
    """
    bytes_ = np.frombuffer(block, dtype=np.uint8)
    after = np.append(bytes_[1:], _NEWLINE)
    newlines = np.flatnonzero(bytes_ == _NEWLINE)
    quotes = np.flatnonzero(bytes_ == _QUOTE)
    found = [np.flatnonzero(bytes_ == 0), _not_utf_8(block)]
    if b"\r" in block:
        found.append(np.flatnonzero((bytes_ == _RETURN) & (after != _NEWLINE)))
    if not is_last and not block.endswith(b"\n"):
        found.append(np.array([len(block) - 1]))
    before = np.where(quotes > 0, bytes_[quotes - 1], _NEWLINE)
    bounds = (separator, _NEWLINE, _QUOTE)
    opens, closes = np.isin(before, bounds), np.isin(after[quotes], (*bounds, _RETURN))
    is_whole = len(quotes) % 2 == 0 and _alternate(np.arange(len(quotes)), opens, closes).all()
    if not is_whole or any(map(len, found)):
        line = np.searchsorted(newlines, quotes)
        number = np.arange(len(quotes)) - np.searchsorted(line, line)  # within the line
        last = np.append(line[1:] != line[:-1], True)
        is_right = _alternate(number, opens, closes) & ~(last & (number % 2 == 0))
        found.append(quotes[~is_right])
    lines = np.unique(np.searchsorted(newlines, np.concatenate(found)))
    starts = np.insert(newlines + 1, 0, 0)[lines]
    return [int(start) for start in starts]


def is_utf_8(text: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _alternate(
    number: _Positions, opens: npt.NDArray[np.bool_], closes: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Whether each quote of even number opens a cell, and each other closes one.

    A doubled quote in a cell closes and opens it again.
    """
    return np.where(number % 2 == 0, opens, closes)


def _not_utf_8(block: bytes) -> _Positions:
    """Find the lines that are not UTF-8."""
    found: list[int] = []
    if not is_utf_8(block):
        at = 0
        for line in block.split(b"\n"):
            if not line.isascii() and not is_utf_8(line):
                found.append(at)
            at += len(line) + 1
    return np.array(found, dtype=np.int64)
