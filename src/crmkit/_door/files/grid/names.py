"""Names of columns: each its own, so that none takes another's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def distinct_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give each column a name of its own; say what was named.

    Examples
    --------
    >>> names, notes = distinct_names(["customer", "", "amount", "amount"])
    >>> names
    ['customer', 'column 2', 'amount', 'amount (2)']
    >>> notes
    ['column 2 has no name', "2 columns 'amount', numbered"]
    """
    taken = {name for name in names if name.strip()}
    seen: Counter[str] = Counter()
    given, notes = [], []
    for position, name in enumerate(names, start=1):
        if name.strip():
            seen[name] += 1
            own = name if seen[name] == 1 else _free(name, seen[name], taken)
        else:
            own = f"column {position}"
            own = own if own not in taken else _free(own, 2, taken)
            notes.append(f"column {position} has no name")
        taken.add(own)
        given.append(own)
    notes += [f"{count} columns {name!r}, numbered" for name, count in seen.items() if count > 1]
    return given, notes


def _free(name: str, number: int, taken: set[str]) -> str:
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
