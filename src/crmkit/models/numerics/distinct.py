"""Distinct values, pairs and rows, with the index of each.

A million customers have a few hundred distinct purchase counts and ages in days; costly functions
are computed for those and looked up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crmkit.models.numerics.arrays import Codes, Floats

_LARGEST_TABLE = 2**22
_ROOM = 62
"""Bits of an integer that several are packed into."""

_LARGEST_KEY = 2**_ROOM


def distinct_rows(*columns: Floats | Codes) -> tuple[tuple[Floats, ...], Floats]:
    """Distinct rows of some columns, sorted, and the count of each."""
    n_rows = len(columns[0])
    if not n_rows:
        return tuple(column.astype(np.float64) for column in columns), np.zeros(0)
    packed = _packed(columns)
    if packed is None:
        order = np.lexsort(columns[::-1])
        ordered = [column[order].astype(np.float64) for column in columns]
        first = _starts(np.any([column[1:] != column[:-1] for column in ordered], axis=0))
        rows = tuple(column[first] for column in ordered)
    else:
        keys, widths = packed
        keys.sort()
        first = _starts(keys[1:] != keys[:-1])
        rows = _unpacked(keys[first], widths)
    return rows, np.diff(first, append=n_rows).astype(np.float64)


def distinct(values: Floats | Codes) -> tuple[Floats, Codes]:
    """Sorted distinct values, and the index of each row's value among them."""
    whole = values.astype(np.int64)
    in_table = whole.size > 0 and whole.min() >= 0 and whole.max() < _LARGEST_TABLE
    if not in_table or (whole != values).any():
        found, codes = np.unique(values, return_inverse=True)
        return found.astype(np.float64), codes
    # Integers do not need a sort, the costly step on a million rows.
    seen = np.zeros(whole.max() + 1, dtype=np.bool_)
    seen[whole] = True
    return np.flatnonzero(seen).astype(np.float64), (np.cumsum(seen) - 1)[whole]


def distinct_pairs(first: Floats, second: Floats) -> tuple[Floats, Floats, Codes]:
    """Sorted distinct pairs, one column each, and the index of each row's pair among them."""
    firsts, first_code = distinct(first)
    seconds, second_code = distinct(second)
    pairs, codes = distinct(first_code * len(seconds) + second_code)
    rows, columns = np.divmod(pairs.astype(np.int64), max(len(seconds), 1))
    return firsts[rows], seconds[columns], codes


def _starts(differs: npt.NDArray[np.bool_]) -> Codes:
    """Positions of rows that differ from the row before."""
    return np.append(0, np.flatnonzero(differs) + 1)


def _packed(columns: Sequence[Floats | Codes]) -> tuple[Codes, list[int]] | None:
    """Pack each row into one integer in the same order; None if it has too many bits.

    One such column sorts in a tenth of the time of three. Also returns the bits per column.
    """
    wholes: list[Codes] = []
    widths: list[int] = []
    for column in columns:
        low, high = column.min(), column.max()
        if not 0 <= low <= high < _LARGEST_KEY:
            return None
        whole = column.astype(np.int64, copy=False)
        if whole is not column and (whole != column).any():
            return None
        wholes.append(whole)
        widths.append(int(high).bit_length())
    if sum(widths) > _ROOM:
        return None
    keys = wholes[0].copy()
    for whole, width in zip(wholes[1:], widths[1:], strict=True):
        keys <<= width
        keys |= whole
    return keys, widths


def _unpacked(keys: Codes, widths: Sequence[int]) -> tuple[Floats, ...]:
    """Unpack the integers into columns."""
    found = []
    for width in reversed(widths):
        found.append((keys & ((1 << width) - 1)).astype(np.float64))
        keys = keys >> width
    return tuple(reversed(found))
