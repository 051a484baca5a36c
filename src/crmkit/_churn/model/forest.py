"""Boosted trees of a classifier as plain numbers: log odds, and what each feature adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit._clv.trees.boosted import TREE, Tree
from crmkit._door.frames import Floats
from crmkit._words import kept
from crmkit.errors import InvalidArgumentError

MOST_LEAVES: Final = 64
"""Leaves of a tree are the bits of one number."""

_ROWS_AT_ONCE: Final = 2**15

_LARGEST: Final = 1e9
"""Log odds beyond it are none that a model learned."""


def log_odds(value: Any, place: str) -> float:  # noqa: ANN401 - anything that JSON can hold
    """Read log odds, or what they are multiplied by, of a size that can be added up."""
    found = kept.number(value, place)
    if abs(found) > _LARGEST:
        msg = f"`{place}` must lie within {_LARGEST:g} of 0, got {found:g}."
        raise InvalidArgumentError(msg)
    return found


_FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    **TREE,
    "value": kept.list_of(log_odds),
    "is_category": kept.list_of(kept.flag),
    "categories_left": kept.list_of(kept.list_of(kept.whole)),
}
FOREST: Final[Mapping[str, kept.Reader[Any]]] = {
    "start": log_odds,
    "trees": kept.list_of(kept.record(_FIELDS)),
}


@dataclass(frozen=True, slots=True)
class CategoryTree(Tree):
    """A tree whose nodes may also send some categories left, and all others right.

    `value` is a leaf's log odds; in the other nodes it is the mean of those below, weighted by the
    customers that it was trained on.
    """

    is_category: tuple[bool, ...]
    categories_left: tuple[tuple[int, ...], ...]

    def complaint(self, n_features: int) -> str | None:
        """Say what makes it impossible to walk through, if anything does."""
        if len({len(self.feature), len(self.is_category), len(self.categories_left)}) > 1:
            return "its lists differ in length"
        if why := Tree.complaint(self, n_features):
            return why
        children = [
            child
            for node, is_leaf in enumerate(self.is_leaf)
            if not is_leaf
            for child in (self.left[node], self.right[node])
        ]
        if sorted(children) != list(range(1, len(self.feature))):
            return "a node is the child of two others, or of none"
        if sum(self.is_leaf) > MOST_LEAVES:
            return f"there are {sum(self.is_leaf)} leaves, the most are {MOST_LEAVES}"
        return None


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees that together give log odds: ``start`` and the value of a leaf of each."""

    start: float
    trees: tuple[CategoryTree, ...]

    def complaint(self, n_features: int, n_categories: Sequence[int]) -> str | None:
        """Say which tree cannot be walked through, and why."""
        for i, tree in enumerate(self.trees):
            if why := tree.complaint(n_features) or _odd_categories(tree, n_categories):
                return f"in tree {i} {why}"
        return None

    def log_odds(self, matrix: Floats) -> Floats:
        """Log odds of each row."""
        total = np.full(len(matrix), self.start)
        for tree, nodes in ((each, _walked(each)) for each in self.trees):
            values = np.array(tree.value)[nodes.leaves]
            for part in _parts(len(matrix)):
                total[part] += values[_leaf_of(nodes, matrix[part])]
        return total

    def contributions(self, matrix: Floats) -> tuple[Floats, float]:
        """What each feature adds to the log odds of each row, and the log odds without any.

        On the way down a tree, each step from a node to its child changes the mean value; the
        change counts for the feature that the node asks for (Saabas). All add up exactly.
        """
        added, base = np.zeros(matrix.shape), self.start
        for tree in self.trees:
            nodes = _walked(tree)
            base += tree.value[0]
            asked, by_leaf = _by_leaf(tree, nodes)
            for part in _parts(len(matrix)):
                leaf = _leaf_of(nodes, matrix[part])
                for place, feature in enumerate(asked):
                    added[part, feature] += by_leaf[leaf, place]
        return added, base

    def as_fields(self) -> dict[str, Any]:
        """Give the trees as JSON has them."""
        return {
            "start": self.start,
            "trees": [{name: getattr(tree, name) for name in _FIELDS} for tree in self.trees],
        }

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Forest:
        """Make trees of fields that were read."""
        return cls(fields["start"], tuple(CategoryTree(**each) for each in fields["trees"]))


def of_scikit_learn(
    fitted: Any,  # noqa: ANN401 - of scikit-learn
    n_categories: Sequence[int],
) -> Forest | None:
    """Copy a HistGradientBoostingClassifier as plain numbers; None if a tree has too many leaves.

    scikit-learn puts the categories first and numbers them anew; here they are as they were given.
    A category that it was not trained on goes where the unknown ones go.
    """
    columns = _columns_of(fitted)
    trees = [
        _copied(each.nodes, each.raw_left_cat_bitsets, columns, n_categories)
        for (each,) in fitted._predictors  # noqa: SLF001
    ]
    if any(sum(tree.is_leaf) > MOST_LEAVES for tree in trees):
        return None
    return Forest(float(np.ravel(fitted._baseline_prediction)[0]), tuple(trees))  # noqa: SLF001


def _odd_categories(tree: CategoryTree, n_categories: Sequence[int]) -> str | None:
    for node, codes in enumerate(tree.categories_left):
        if tree.is_leaf[node]:
            continue
        n = n_categories[tree.feature[node]]
        if tree.is_category[node] and not all(code < n for code in codes):
            return f"node {node} asks for a category beyond the {n} that there are"
    return None


# How a tree is walked: each node that sends a row right crosses out the leaves on its left. What
# remains begins with the row's leaf (Lucchese et al. 2015, QuickScorer).


class _Nodes(NamedTuple):
    leaves: npt.NDArray[np.int64]
    """Nodes that are leaves, from left to right."""
    asks: list[tuple[int, float, bool, npt.NDArray[np.int64] | None, np.uint64]]
    """Feature, threshold, whether unknown goes left, categories, and the leaves that remain."""


def _walked(tree: CategoryTree) -> _Nodes:
    leaves: list[int] = []
    spans: dict[int, tuple[int, int]] = {}
    stack = [(0, False)]
    while stack:
        node, is_done = stack.pop()
        if tree.is_leaf[node]:
            leaves.append(node)
            spans[node] = (len(leaves) - 1, len(leaves))
        elif is_done:
            spans[node] = (spans[tree.left[node]][0], spans[tree.right[node]][1])
        else:
            stack += [(node, True), (tree.right[node], False), (tree.left[node], False)]
    asks = []
    for node, is_leaf in enumerate(tree.is_leaf):
        if is_leaf:
            continue
        first, beyond = spans[tree.left[node]]
        crossed = ((1 << beyond) - 1) ^ ((1 << first) - 1)
        codes = np.array(tree.categories_left[node], dtype=np.int64)
        asks.append(
            (
                tree.feature[node],
                tree.threshold[node],
                tree.missing_go_left[node],
                codes if tree.is_category[node] else None,
                np.uint64(~crossed & (2**MOST_LEAVES - 1)),
            )
        )
    return _Nodes(np.array(leaves), asks)


def _leaf_of(nodes: _Nodes, rows: Floats) -> npt.NDArray[np.int64]:
    """Find the place of each row's leaf among the leaves."""
    remain = np.full(len(rows), 2**MOST_LEAVES - 1, dtype=np.uint64)
    everything = np.uint64(2**MOST_LEAVES - 1)
    for feature, threshold, missing_go_left, codes, mask in nodes.asks:
        value = rows[:, feature]
        if codes is None:
            # NaN is not above and not below any number.
            goes_right = value > threshold if missing_go_left else ~(value <= threshold)
        else:
            unknown = np.isnan(value)
            goes_right = np.where(unknown, not missing_go_left, ~np.isin(value, codes))
        remain &= np.where(goes_right, mask, everything)
    lowest = remain & (~remain + np.uint64(1))
    leaf: npt.NDArray[np.int64] = np.frexp(lowest.astype(float))[1].astype(np.int64) - 1
    return leaf


def _parts(n: int) -> list[slice]:
    return [slice(at, at + _ROWS_AT_ONCE) for at in range(0, n, _ROWS_AT_ONCE)]


def _by_leaf(tree: CategoryTree, nodes: _Nodes) -> tuple[list[int], Floats]:
    """What each feature adds on the way to each leaf."""
    asked = sorted({ask[0] for ask in nodes.asks})
    place = {feature: i for i, feature in enumerate(asked)}
    on_the_way = np.zeros((len(tree.feature), len(asked)))
    for node, is_leaf in enumerate(tree.is_leaf):  # children come after their parent
        for child in () if is_leaf else (tree.left[node], tree.right[node]):
            on_the_way[child] = on_the_way[node]
            on_the_way[child, place[tree.feature[node]]] += tree.value[child] - tree.value[node]
    return asked, on_the_way[nodes.leaves]


# What scikit-learn holds


class _Columns(NamedTuple):
    """The user's column of each of scikit-learn's, and the categories behind its numbers."""

    order: list[int]
    codes: Mapping[int, list[float]]
    known: Mapping[int, set[int]]


def _columns_of(
    fitted: Any,  # noqa: ANN401 - of scikit-learn
) -> _Columns:
    """The user's column of each of scikit-learn's, and the categories behind its numbers."""
    is_category = fitted.is_categorical_
    n = fitted.n_features_in_
    if is_category is None:
        return _Columns(list(range(n)), {}, {})
    chosen = fitted._preprocessor.transformers_[0][2]  # noqa: SLF001
    first = [int(i) for i in np.flatnonzero(chosen)]
    order = first + [i for i in range(n) if i not in first]
    encoder = fitted._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    codes = {i: list(found) for i, found in zip(first, encoder.categories_, strict=True)}
    known_bits, places = fitted._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    known = {
        column: _bits(known_bits[places[i]]) for i, column in enumerate(order) if column in codes
    }
    return _Columns(order, codes, known)


def _bits(words: Any) -> set[int]:  # noqa: ANN401 - an array of scikit-learn
    return {
        32 * i + bit for i, word in enumerate(words) for bit in range(32) if int(word) >> bit & 1
    }


def _copied(
    nodes: Any,  # noqa: ANN401 - arrays of scikit-learn
    bitsets: Any,  # noqa: ANN401
    columns: _Columns,
    n_categories: Sequence[int],
) -> CategoryTree:
    order, codes, known = columns
    is_leaf = nodes["is_leaf"].astype(bool)
    is_category = nodes["is_categorical"].astype(bool) & ~is_leaf
    feature = [
        0 if leaf else order[i] for leaf, i in zip(is_leaf, nodes["feature_idx"], strict=True)
    ]
    left: list[tuple[int, ...]] = []
    for node, asks in enumerate(is_category):
        if not asks:
            left.append(())
            continue
        column = feature[node]
        goes = _bits(bitsets[nodes["bitset_idx"][node]])
        seen = {int(code): i for i, code in enumerate(codes[column]) if not np.isnan(code)}
        unseen_goes = bool(nodes["missing_go_to_left"][node])
        left.append(
            tuple(
                code
                for code in range(n_categories[column])
                if (seen[code] in goes if seen.get(code) in known[column] else unseen_goes)
            )
        )
    largest = np.finfo(float).max  # splits known from unknown values, in place of infinity
    return CategoryTree(
        feature=tuple(feature),
        threshold=tuple(np.clip(nodes["num_threshold"], -largest, largest).tolist()),
        missing_go_left=tuple(nodes["missing_go_to_left"].astype(bool).tolist()),
        left=tuple(nodes["left"].tolist()),
        right=tuple(nodes["right"].tolist()),
        is_leaf=tuple(is_leaf.tolist()),
        value=tuple(_means(nodes, is_leaf)),
        is_category=tuple(is_category.tolist()),
        categories_left=tuple(left),
    )


def _means(nodes: Any, is_leaf: npt.NDArray[np.bool_]) -> list[float]:  # noqa: ANN401
    """Values of leaves, and of the other nodes the mean of those below."""
    value = np.where(is_leaf, nodes["value"], 0.0).astype(float)
    count = nodes["count"].astype(float)
    for node in range(len(value) - 1, -1, -1):
        if not is_leaf[node]:
            below = [nodes["left"][node], nodes["right"][node]]
            value[node] = np.average(value[below], weights=np.maximum(count[below], 1e-9))
    found: list[float] = value.tolist()
    return found
