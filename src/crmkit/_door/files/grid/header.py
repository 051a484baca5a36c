"""Where the table begins: the header among the first rows of a grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median_low
from typing import Final

SEARCHED: Final = 60
"""Rows among which the header is looked for."""

_FULL: Final = 0.75
_PAIR: Final = 2
_VALUE: Final = re.compile(r"^[\W\d_]*\d[\W\d_]*$")


def find_header(rows: Sequence[Sequence[str]]) -> int:
    """Find the first row that is filled as the rows of the table are.

    Titles fill one or two cells; so does a row of a name and its value ("From", "2024-01-01"),
    which a table of two columns could take for its header.

    Examples
    --------
    >>> find_header(
    ...     [["Sales report", "", ""], ["", "", ""], ["id", "day", "sales"], ["1", "2", "3"]]
    ... )
    2
    """
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    counts = [count for count in filled if count]
    if not counts:
        return 0
    usual = max(median_low(counts[len(counts) // 2 :]), _PAIR)
    full = [at for at, count in enumerate(filled[:SEARCHED]) if count >= _FULL * usual]
    for at in full:
        if _is_above_a_gap(filled, at) or (usual == _PAIR and _is_a_setting(rows, at)):
            continue
        return at - 1 if at and _is_short_header(rows[at - 1], rows[at]) else at
    return full[0] if full else max(range(len(filled[:SEARCHED])), key=filled.__getitem__)


def looks_like_values(row: Sequence[str]) -> bool:
    """Whether any cell is a number or a date, which a name of a column seldom is."""
    return any(_VALUE.match(cell) for cell in row)


def _is_short_header(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether it holds names, and fewer than the values below, as where commas are decimal."""
    are_names = len(row) >= _PAIR and all(cell.strip() for cell in row)
    return are_names and not looks_like_values(row) and looks_like_values(below)


def _is_above_a_gap(filled: Sequence[int], at: int) -> bool:
    """Whether an empty row follows and then a row as full."""
    below = filled[at + 1 : at + 2]
    return below == [0] and any(count >= filled[at] for count in filled[at + 2 : SEARCHED])


def _is_a_setting(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether the row holds a value while one of names only comes below, with values under it."""
    if not looks_like_values(rows[at]):
        return False
    below = list(rows[at + 1 : at + 9])
    return any(
        all(cell.strip() for cell in row)
        and not looks_like_values(row)
        and looks_like_values(after)
        for row, after in pairwise(below)
    )
