"""Compute once per distinct value, then look up.

A million customers have a few hundred distinct purchase counts and ages in days; whatever is
costly is computed for those.
"""

from __future__ import annotations

import numpy as np

from crmkit.models.arrays import Codes, Floats

_LARGEST_TABLE = 2**22


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
