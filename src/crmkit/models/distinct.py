"""Compute once per distinct value, then look up.

A million customers have a few hundred distinct purchase counts and ages in days; whatever is
costly is computed for those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crmkit.models.arrays import Codes, Floats

_LARGEST_TABLE = 2**22
_LARGEST_KEY = 2**62


def distinct_rows(*columns: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """Return the distinct rows of some columns, sorted, and how often each occurs."""
    if not len(columns[0]):
        return columns, np.zeros(0)
    packed = _packed(columns)
    if packed is None:
        order = np.lexsort(columns[::-1])
        ordered = [column[order] for column in columns]
        differs = [np.diff(column, prepend=math.nan) != 0 for column in ordered]
        first = np.flatnonzero(np.any(differs, axis=0))
        rows = tuple(column[first] for column in ordered)
    else:
        packed.sort()
        first = np.flatnonzero(np.diff(packed, prepend=-1))
        rows = _unpacked(packed[first], columns)
    return rows, np.diff(first, append=len(columns[0])).astype(np.float64)


def distinct(values: Floats | Codes) -> tuple[Floats, Codes]:
    """Return the distinct values, sorted, and for each row the position of its own."""
    whole = values.astype(np.int64)
    in_table = whole.size > 0 and whole.min() >= 0 and whole.max() < _LARGEST_TABLE
    if not in_table or (whole != values).any():
        found, codes = np.unique(values, return_inverse=True)
        return found.astype(np.float64), codes
    # Whole numbers need no sorting, which is what takes the time on a million rows.
    seen = np.zeros(whole.max() + 1, dtype=np.bool_)
    seen[whole] = True
    return np.flatnonzero(seen).astype(np.float64), (np.cumsum(seen) - 1)[whole]


def distinct_pairs(first: Floats, second: Floats) -> tuple[Floats, Floats, Codes]:
    """Return the distinct pairs, one column each, and for each row the position of its own."""
    firsts, first_code = distinct(first)
    seconds, second_code = distinct(second)
    pairs, codes = distinct(first_code * len(seconds) + second_code)
    rows, columns = np.divmod(pairs.astype(np.int64), max(len(seconds), 1))
    return firsts[rows], seconds[columns], codes


def _packed(columns: Sequence[Floats]) -> Codes | None:
    """Write each row as one whole number in the same order; None if it has no room for them.

    One such column is sorted in a tenth of the time that three take.
    """
    room, key = 1, np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        low, high = column.min(), column.max()
        room *= int(high) + 1 if 0 <= low <= high < _LARGEST_KEY else _LARGEST_KEY
        if room >= _LARGEST_KEY:
            return None
        whole = column.astype(np.int64)
        if (whole != column).any():
            return None
        key = key * (int(high) + 1) + whole
    return key


def _unpacked(keys: Codes, columns: Sequence[Floats]) -> tuple[Floats, ...]:
    """Turn the whole numbers back into rows."""
    found = []
    for column in reversed(columns):
        keys, value = np.divmod(keys, int(column.max()) + 1)
        found.append(value.astype(np.float64))
    return tuple(reversed(found))
