"""What customers are worth through those whom they referred."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import found, frames
from crmkit._loyalty.given import require_free, require_same_ids
from crmkit._words.arguments import require_column_name, require_number, require_whole
from crmkit.errors import CrmkitWarning
from crmkit.tables import REFERRALS, Column, Table
from crmkit.tables.contracts import NOT_MADE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MADE: Final = ("n_referred", "n_tree", "direct_value", "tree_value", "referral_finding")
_NOBODY: Final = -1
_SELF: Final = "self-referral"
_TWO: Final = "two referrers"
_CYCLE: Final = "cycle"


def referrals(
    customers: IntoFrameT,
    referrals: IntoFrame,
    *,
    value: str,
    decay: float = 0.5,
    depth: int | None = None,
) -> IntoFrameT:
    """Referral value: what customers are worth through those whom they brought.

    The assumption that most often fails is that those referred would not have come by themselves:
    some would, and then a referral is worth the cost of winning them, not their value. Values of
    trees cannot be added up over customers, since one and the same customer stands in the tree of
    everybody above.

    Parameters
    ----------
    customers
        One row per customer, with the column `value`. A lazy table is run.
    referrals
        One row per customer who was referred, with `customer_id` and `referred_by`. A pair that is
        there several times counts once.
    value
        The column of what a customer is worth by own purchases, such as `clv`; unknown adds
        nothing.
    decay
        What the value of the next level counts, as a fraction of the level before: 1 counts all
        levels in full, 0 those only whom the customer referred in person.
    depth
        How many levels are counted; all by default.

    Returns
    -------
    The same rows in the same order, with more columns:

    ====================  =====  ===========================================================
    ``n_referred``        int    customers whom this one referred in person
    ``n_tree``            int    customers in the tree below, within `depth`
    ``direct_value``      float  value of those referred in person
    ``tree_value``        float  value of the tree below, each level times `decay`
    ``referral_finding``  text   "self-referral", "two referrers" or "cycle" where the link
                                 to the referrer counts for nobody; empty otherwise
    ====================  =====  ===========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract, or a customer is there twice.
    InvalidArgumentError
        If `decay` is not from 0 to 1, `depth` is not a whole number of 1 or more, ids are numbers
        in one table and text in the other, or the table already has one of the new columns.

    Warns
    -----
    CrmkitWarning
        If links count for nobody, or name people who are not among `customers`. These are links
        of the chain with a value of 0.

    Notes
    -----
    With v the value and c the customers whom p referred, ``tree(p) = sum over c of
    (v(c) + decay tree(c))``. A customer has one referrer at most, so nobody is counted twice in
    one tree. Each level is added up at once.

    References
    ----------
    Kumar, V., Petersen, J. A. & Leone, R. P. (2007). How valuable is word of mouth? *Harvard
    Business Review* 85(10), 139-146, on who would have come by themselves.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay"],
    ...         "clv": [100.0, 400.0, 50.0, 300.0, 80.0, 1000.0],
    ...     }
    ... )
    >>> links = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ben", "cid", "dee", "eve", "fay"],
    ...         "referred_by": ["ann", "ann", "ben", "cid", "eve"],
    ...     }
    ... )
    >>> found = referrals(customers, links, value="clv")
    >>> columns = ["customer_id", "n_referred", "n_tree", "direct_value", "tree_value"]
    >>> print(found[columns].head(3).to_string(index=False))
    customer_id  n_referred  n_tree  direct_value  tree_value
            ann           2       5         450.0       890.0
            ben           1       1         300.0       300.0
            cid           1       2          80.0       580.0
    """
    require_column_name(value, argument="value")
    require_number(
        decay,
        argument="decay",
        must="be from 0 to 1",
        fits=lambda x: 0 <= x <= 1,
        advice="Write 0.5 to count each level half of the one before, or 1 to count all in full.",
    )
    if depth is not None:
        require_whole(depth, argument="depth", least=1, advice="Leave it out for all levels.")
    frame = frames.read(customers, _customers(value))
    require_free(frame, _MADE)
    links = frames.read(referrals, REFERRALS)
    require_same_ids(frame, links, ("customer_id", "referred_by"), table="referrals")
    data = frame.select("customer_id", nw.col(value).cast(nw.Float64)).collect()
    pairs = links.select("customer_id", "referred_by").unique().collect()
    network = _network(data, pairs)
    worth = np.zeros(len(network.parent))
    known = data[value].to_numpy().astype(float)
    worth[: len(data)] = np.where(np.isfinite(known), known, 0.0)
    one = np.ones(len(worth))
    one[len(data) :] = 0.0
    made = {
        "n_referred": _below(network.parent, one, decay=0.0, depth=1).astype(np.int64),
        "n_tree": _below(network.parent, one, decay=1.0, depth=depth).astype(np.int64),
        "direct_value": _below(network.parent, worth, decay=0.0, depth=1),
        "tree_value": _below(network.parent, worth, decay=float(decay), depth=depth),
    }
    columns: dict[str, Any] = {name: values[: len(data)] for name, values in made.items()}
    columns["referral_finding"] = network.findings[: len(data)]
    _warn(network, n_customers=len(data))
    return frames.give(
        found.with_found(frame, columns, ids=data["customer_id"], like=customers), like=customers
    )


class _Network(NamedTuple):
    """Who referred whom, by number; customers first, then others who are named."""

    names: Sequence[Any]
    parent: Ints
    findings: list[str]


def _customers(value: str) -> Table:
    return Table(
        name="customers",
        row="one customer",
        made_by=NOT_MADE,
        columns=(
            Column("customer_id", "key", "who", made_by=NOT_MADE),
            Column(value, "number", "value", nullable=True, made_by=NOT_MADE),
        ),
        one_row_each="customer_id",
    )


def _network(data: nw.DataFrame[Any], pairs: nw.DataFrame[Any]) -> _Network:
    """Number everybody, and keep the links that count: one referrer each, and no way round."""
    ids, referred, referrers = (
        table[name].to_list()
        for table, name in ((data, "customer_id"), (pairs, "customer_id"), (pairs, "referred_by"))
    )
    names = list(dict.fromkeys([*ids, *referred, *referrers]))
    number = {name: i for i, name in enumerate(names)}
    child = np.fromiter(map(number.__getitem__, referred), np.int64, len(referred))
    above = np.fromiter(map(number.__getitem__, referrers), np.int64, len(referrers))
    is_self = child == above
    n_above = np.bincount(child[~is_self], minlength=len(names))
    counts = ~is_self & (n_above[child] == 1)
    parent = np.full(len(names), _NOBODY, dtype=np.int64)
    parent[child[counts]] = above[counts]
    on_cycle = _cycles(parent)
    parent[on_cycle] = _NOBODY
    findings = np.full(len(names), "", dtype=object)
    findings[child[is_self]] = _SELF
    findings[n_above > 1] = _TWO
    findings[on_cycle] = _CYCLE
    return _Network(names, parent, findings.tolist())


def _cycles(parent: Ints) -> npt.NDArray[np.bool_]:
    """Flag who stands on a way round: what is left when those without anybody below are taken."""
    n_below = np.bincount(parent[parent >= 0], minlength=len(parent))
    last = np.flatnonzero(n_below == 0)
    left = np.ones(len(parent), dtype=bool)
    while len(last):
        left[last] = False
        above = parent[last]
        above, n = np.unique(above[above >= 0], return_counts=True)
        n_below[above] -= n
        last = above[n_below[above] == 0]
    return left


def _below(parent: Ints, worth: Floats, *, decay: float, depth: int | None) -> Floats:
    """Add up what stands below everybody; the links have no way round."""
    has = np.flatnonzero(parent >= 0)
    above: Ints = parent[has]
    total: Floats
    if depth is not None:
        total = np.zeros(len(parent))
        for _ in range(min(depth, len(has))):
            level = worth[has] + decay * total[has]
            now = np.bincount(above, weights=level, minlength=len(parent)).astype(np.float64)
            if np.array_equal(now, total):
                break
            total = now
        return total
    total = np.zeros(len(parent))
    n_below = np.bincount(above, minlength=len(parent))
    last = np.flatnonzero(n_below == 0)
    while len(last):
        last = last[parent[last] >= 0]
        above = parent[last]
        np.add.at(total, above, worth[last] + decay * total[last])
        above, n = np.unique(above, return_counts=True)
        n_below[above] -= n
        last = above[n_below[above] == 0]
    return total


def _warn(network: _Network, *, n_customers: int) -> None:
    flags = np.array(network.findings, dtype=object)
    texts = {
        _SELF: "referred themselves",
        _TWO: "have two referrers or more",
        _CYCLE: "stand on a cycle",
    }
    said = [
        f"{_listed(network, np.flatnonzero(flags == kind))} {text}"
        for kind, text in texts.items()
        if (flags == kind).any()
    ]
    complaints = [f"{'; '.join(said)}: their links count for nobody"] if said else []
    strangers = np.arange(n_customers, len(network.names))
    if len(strangers):
        complaints.append(
            f"{_listed(network, strangers)} are not among the customers and have a value of 0"
        )
    if complaints:
        warnings.warn(f"referrals: {'. '.join(complaints)}.", CrmkitWarning, stacklevel=3)


def _listed(network: _Network, who: Ints) -> str:
    first = sorted((network.names[i] for i in who.tolist()), key=str)[:3]
    return f"{len(who):,} ({', '.join(map(repr, first))})"
