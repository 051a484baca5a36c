"""Boosted trees as plain numbers: what they forecast, and whether they can be walked through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crmkit._door.frames import Floats
from crmkit._words import kept

Codes = npt.NDArray[np.int64]

MISSING: Final = -1
"""Code of an unknown value."""

_ROWS_AT_ONCE: Final = 2**16
_LARGEST: Final = 700.0
"""The exponential of a larger number overflows."""

TREE: Final[Mapping[str, kept.Reader[Any]]] = {
    "feature": kept.list_of(kept.whole),
    "threshold": kept.list_of(kept.number),
    "missing_go_left": kept.list_of(kept.flag),
    "left": kept.list_of(kept.whole),
    "right": kept.list_of(kept.whole),
    "is_leaf": kept.list_of(kept.flag),
    "value": kept.list_of(kept.number),
}
FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "start": kept.number,
    "trees": kept.list_of(kept.record(TREE)),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, a place in each list for each node; the first node is the root.

    A node that is not a leaf sends a customer left where the feature is at most the threshold, or
    unknown and `missing_go_left`. Children come after their parent, so that each walk ends.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    missing_go_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    is_leaf: tuple[bool, ...]
    value: tuple[float, ...]

    def complaint(self, n_features: int) -> str | None:
        """Say what makes it impossible to walk through, if anything does."""
        sizes = {len(getattr(self, name)) for name in TREE}
        if len(sizes) > 1 or 0 in sizes:
            return "its lists are empty or differ in length"
        n = len(self.feature)
        for node, is_leaf in enumerate(self.is_leaf):
            if is_leaf:
                continue
            if not self.feature[node] < n_features:
                return f"node {node} asks for feature {self.feature[node]} of {n_features}"
            for child in (self.left[node], self.right[node]):
                if not node < child < n:
                    return f"node {node} of {n} leads to node {child}, which is not one after it"
        return None


@dataclass(frozen=True, slots=True)
class Boosted:
    """Trees that together forecast one number: ``start * exp(sum of the trees' values)``."""

    start: float
    trees: tuple[Tree, ...] = ()

    def complaint(self, n_features: int) -> str | None:
        """Say which tree cannot be walked through, and why."""
        if self.start < 0:
            return f"`start` must be 0 or more, got {self.start:g}"
        for i, tree in enumerate(self.trees):
            if why := tree.complaint(n_features):
                return f"in tree {i} {why}"
        return None


def of_fields(fields: Mapping[str, Any]) -> Boosted:
    """Make trees of fields that were read."""
    return Boosted(fields["start"], tuple(Tree(**each) for each in fields["trees"]))


def thresholds(forecasts: Sequence[Boosted], n_features: int) -> tuple[tuple[float, ...], ...]:
    """Give the limits that any tree asks for, rising, for each feature."""
    found: list[set[float]] = [set() for _ in range(n_features)]
    for forecast in forecasts:
        for tree in forecast.trees:
            for node, is_leaf in enumerate(tree.is_leaf):
                if not is_leaf:
                    found[tree.feature[node]].add(tree.threshold[node])
    return tuple(tuple(sorted(each)) for each in found)


def predicted(
    forecasts: Sequence[Boosted], codes: Codes, limits: Sequence[Sequence[float]]
) -> list[Floats]:
    """Forecast from codes, a column for each feature: the number of limits that it is above.

    Trees cannot tell customers with the same codes apart, so each set of codes is looked at once.
    """
    first, group = _distinct(codes, limits)
    rows = codes[first]
    found = []
    for forecast in forecasts:
        sums = np.zeros(len(rows))
        for tree in forecast.trees if forecast.start > 0 else ():
            nodes = _in_codes(tree, limits)
            for at in range(0, len(rows), _ROWS_AT_ONCE):
                some = slice(at, at + _ROWS_AT_ONCE)
                sums[some] += _values(nodes, rows[some])
        found.append((forecast.start * np.exp(np.minimum(sums, _LARGEST)))[group])
    return found


def _distinct(codes: Codes, limits: Sequence[Sequence[float]]) -> tuple[Codes, Codes]:
    """Find one row of each set of codes, and the set of each row."""
    key = np.zeros(len(codes), dtype=np.int64)
    for column, above in enumerate(limits):
        key = key * (len(above) + 2) + codes[:, column] - MISSING
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    return first, group


def _in_codes(tree: Tree, limits: Sequence[Sequence[float]]) -> dict[str, npt.NDArray[Any]]:
    """Write the thresholds as codes; a leaf leads to itself."""
    is_leaf, itself = np.array(tree.is_leaf), np.arange(len(tree.feature))
    at = [
        0 if leaf else int(np.searchsorted(limits[feature], threshold))
        for leaf, feature, threshold in zip(tree.is_leaf, tree.feature, tree.threshold, strict=True)
    ]
    return {
        "feature": np.where(is_leaf, 0, tree.feature),
        "at": np.array(at),
        "missing_go_left": np.array(tree.missing_go_left),
        "left": np.where(is_leaf, itself, tree.left),
        "right": np.where(is_leaf, itself, tree.right),
        "is_leaf": is_leaf,
        "value": np.array(tree.value),
    }


def _values(nodes: Mapping[str, npt.NDArray[Any]], codes: Codes) -> Floats:
    """Walk all rows down a tree at once, a level at a time."""
    rows, node = np.arange(len(codes)), np.zeros(len(codes), dtype=np.int64)
    while not nodes["is_leaf"][node].all():
        code = codes[rows, nodes["feature"][node]]
        goes_left = np.where(
            code == MISSING, nodes["missing_go_left"][node], code <= nodes["at"][node]
        )
        node = np.where(goes_left, nodes["left"][node], nodes["right"][node])
    found: Floats = nodes["value"][node]
    return found
