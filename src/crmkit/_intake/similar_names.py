"""Pairs of customers with similar names, found without comparing all with all.

Only names are compared that share a start: the first three letters of two words, or a whole word
and the first letter of another. So a slip in one word is found, and one in the first letters of
two is not.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, Final, NamedTuple

import numpy as np

from crmkit.errors import InvalidArgumentError

_MOST_WORDS: Final = 4
_LARGEST_BLOCK: Final = 3000
_START: Final = 3
_FEW: Final = 12
"""Names in a block that are compared one by one, without a matrix."""


class Alike(NamedTuple):
    """Two names, or twice one, and the customers who have them as they write them."""

    score: float
    ones: Sequence[tuple[Any, str]]
    others: Sequence[tuple[Any, str]] | None

    @property
    def n_pairs(self) -> int:
        """Number of pairs of customers."""
        if self.others is None:
            return len(self.ones) * (len(self.ones) - 1) // 2
        return len(self.ones) * len(self.others)

    def pairs(self) -> Iterator[tuple[Any, Any, str, str]]:
        """Yield each pair of customers, with their names."""
        both = (
            combinations(self.ones, 2) if self.others is None else product(self.ones, self.others)
        )
        for (one, name), (other, other_name) in both:
            yield one, other, name, other_name


def similar_names(names: Mapping[Any, Sequence[str]], *, least: float) -> list[Alike]:
    """Find names with a similarity of `least` (0 to 1) or more, the most similar first.

    `names` holds the different names of each customer. The similarity is that of the words in
    alphabetical order, so that "Zoë Meier" is "MEIER, Zoe". Of equally similar names the rarer come
    first: that two customers have a rare name says more.
    """
    holders: dict[str, list[tuple[Any, str]]] = defaultdict(list)
    for customer, written in sorted(names.items()):
        for name in written:
            holders[_plain(name)].append((customer, name))
    holders.pop("", None)
    found = [(Alike(1.0, same, None), plain) for plain, same in holders.items() if len(same) > 1]
    for plain, other_plain, score in _similar(sorted(holders), least=least):
        found.append((Alike(score, holders[plain], holders[other_plain]), plain))
    found.sort(key=lambda each: (-each[0].score, each[0].n_pairs, each[1]))
    return [alike for alike, _ in found]


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
        if len(block) <= _FEW:
            for pair in combinations(block, 2):
                if pair not in seen:
                    score = fuzz.ratio(names[pair[0]], names[pair[1]], score_cutoff=100 * least)
                    if score:
                        seen.add(pair)
                        yield names[pair[0]], names[pair[1]], round(score / 100, 4)
            continue
        words = [names[i] for i in block]
        scores = process.cdist(
            words, words, scorer=fuzz.ratio, score_cutoff=100 * least, dtype=np.float64
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
        for start in range(0, len(block), _LARGEST_BLOCK):  # neighbours, where many start alike
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
