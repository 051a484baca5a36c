"""Pairs of customers with similar names, found without comparing all with all.

Only names are compared that share a start: the first three letters of two words, or a whole word
and the first letter of another. So a slip in one word is found, and one in the first letters of
two is not.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np

from crmkit.errors import InvalidArgumentError

_MOST_WORDS: Final = 4
_LARGEST_BLOCK: Final = 3000
_START: Final = 3


def similar_names(
    names: Mapping[Any, Sequence[str]], *, least: float
) -> Iterator[tuple[Any, Any, str, str, float]]:
    """Yield pairs of customers and their names, with a similarity of `least` (0 to 1) or more.

    `names` holds the different names of each customer. The similarity is that of the words in
    alphabetical order, so that "Zoë Meier" is "MEIER, Zoe".
    """
    holders: dict[str, list[tuple[Any, str]]] = defaultdict(list)
    for customer, written in names.items():
        for name in written:
            holders[_plain(name)].append((customer, name))
    holders.pop("", None)
    for same in holders.values():
        for (one, name), (other, other_name) in combinations(same, 2):
            yield one, other, name, other_name, 1.0
    for plain, other_plain, score in _similar(list(holders), least=least):
        for one, name in holders[plain]:
            for other, other_name in holders[other_plain]:
                yield one, other, name, other_name, score


def _plain(name: str) -> str:
    """Write without accents and signs, in lower case, the words in order."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c))
    return " ".join(sorted(kept.split()))


def _similar(names: Sequence[str], *, least: float) -> Iterator[tuple[str, str, float]]:
    try:
        from rapidfuzz import fuzz, process  # noqa: PLC0415 - an extra
    except ImportError:
        msg = (
            "`fuzzy` needs the package rapidfuzz, which is not installed.\n"
            'Install it with pip install "crmkit[match]".'
        )
        raise InvalidArgumentError(msg) from None
    seen: set[tuple[int, int]] = set()
    for block in _blocks(names):
        words = [names[i] for i in block]
        scores = process.cdist(
            words, words, scorer=fuzz.ratio, score_cutoff=100 * least, dtype=np.float32
        )
        for i, j in zip(*np.nonzero(np.triu(scores, k=1)), strict=True):
            pair = (block[int(i)], block[int(j)])
            if pair not in seen:
                seen.add(pair)
                yield names[pair[0]], names[pair[1]], round(float(scores[i, j]) / 100, 4)


def _blocks(names: Sequence[str]) -> Iterator[list[int]]:
    """Group the positions of names that share a start, in rising order."""
    blocks: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        for key in _starts(name):
            blocks[key].append(position)
    for key in sorted(blocks):
        block = blocks[key]
        for start in range(0, len(block), _LARGEST_BLOCK):  # neighbours, where so many start alike
            part = block[start : start + _LARGEST_BLOCK]
            if len(part) > 1:
                yield part


def _starts(name: str) -> set[tuple[str, ...]]:
    words = name.split()[:_MOST_WORDS]
    if len(words) == 1:
        return {(name[:_START],), ("", name[-_START:])}
    keys: set[tuple[str, ...]] = set()
    for one, other in combinations(words, 2):
        keys |= {(one[:_START], other[:_START]), (one, other[0], ""), ("", one[0], other)}
    return keys
