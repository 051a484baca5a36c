"""How much customers move between tiers, as a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import is_number, shown
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import TIER_MOVES


@dataclass(frozen=True, slots=True)
class Mobility:
    """How much customers move between tiers, as a few numbers.

    `crmkit.tiers.mobility` makes it. Who entered, left or is unknown is not in it.

    Attributes
    ----------
    n_customers
        Customers in a tier on both days.
    n_stayed, n_up, n_down
        Those who stayed, rose and fell.
    stayed_share
        Share who stayed (immobility); None where nobody is there on both days.
    shorrocks
        Mobility index: 0 if everybody stays, 1 where the tier before says nothing, above it where
        most move. None where a tier was empty.
    value_moved
        Change of value if each customer were worth the average of the tier: the effect of the moves
        alone. None where an average that it needs is not known.
    value_change
        Change of these customers' own value: the moves, and more or less within a tier.
    stationary
        Share of each tier, best first, if customers went on to move as they did. None where a tier
        was empty, or no single answer exists.
    """

    n_customers: int
    n_stayed: int
    n_up: int
    n_down: int
    stayed_share: float | None
    shorrocks: float | None
    value_moved: float | None
    value_change: float
    stationary: tuple[float, ...] | None


def mobility(
    moves: IntoFrame, *, rule: TierRule | TierRules, values: Mapping[str, float] | None = None
) -> Mobility:
    """Mobility between tiers: who stayed, an index, value moved, and where it ends.

    The stationary shares assume that customers go on to move as in this one period, whatever their
    past, and that nobody enters or leaves.

    Parameters
    ----------
    moves
        As made by `crmkit.tiers.migrate`. A lazy table is run.
    rule
        The rule of these tiers; it gives their order.
    values
        Value of a customer in each tier, in money; by default the average of all who were in it on
        the first day.

    Returns
    -------
    A `Mobility`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `moves` breaks its contract, or has a tier that is not in the rule.
    InvalidArgumentError
        If `rule` is of another type, or `values` lacks a tier or a number.

    References
    ----------
    Shorrocks, A. F. (1978). The measurement of mobility. *Econometrica* 46(5), 1013-1024.
    https://doi.org/10.2307/1911433. With k tiers and shares P: (k - trace P) / (k - 1).

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> before = pd.DataFrame({"customer_id": [1, 2, 3, 4], "total_amount": [9.0, 8, 1, 2]})
    >>> after = pd.DataFrame({"customer_id": [1, 2, 3, 4], "total_amount": [9.0, 2, 1, 2]})
    >>> by_value = tiers.rule(before, method="thresholds", names=("A", "B"), cuts=[5])
    >>> moves = tiers.migrate(before, after, rule=by_value, by="total_amount")
    >>> found = mobility(moves, rule=by_value)
    >>> found.n_stayed, found.n_down, found.shorrocks, found.value_moved, found.value_change
    (3, 1, 0.5, -7.0, -6.0)
    """
    reach.require_rule(rule)
    rows = _read_moves(moves, rule)
    counts = np.zeros((len(rule.names), len(rule.names)))
    place = {name: i for i, name in enumerate(rule.names)}
    both = [row for row in rows if row["move"] in ("stayed", "up", "down")]
    for row in both:
        counts[place[row["tier_before"]], place[row["tier_after"]]] += row["n_customers"]
    worth = _averages(rows, rule.names) if values is None else _given(values, rule.names)
    own = [(row["value_after"] or 0.0) - (row["value_before"] or 0.0) for row in both]
    total, stayed = counts.sum(), np.trace(counts)
    chances = counts / counts.sum(axis=1, keepdims=True) if counts.sum(axis=1).all() else None
    k = len(rule.names)
    return Mobility(
        n_customers=int(total),
        n_stayed=int(stayed),
        n_up=int(np.tril(counts, -1).sum()),
        n_down=int(np.triu(counts, 1).sum()),
        stayed_share=float(stayed / total) if total else None,
        shorrocks=None if chances is None else float((k - np.trace(chances)) / (k - 1)),
        value_moved=_moved(counts, worth),
        value_change=math.fsum(own),
        stationary=None if chances is None else _stationary(chances),
    )


def _read_moves(moves: IntoFrame, rule: reach.AnyRule) -> list[dict[str, Any]]:
    rows = frames.read_rows(moves, TIER_MOVES)
    seen = {row[f"tier_{side}"] for row in rows for side in ("before", "after")} - {None}
    strange = sorted(seen - set(rule.names))
    if strange:
        msg = (
            f"tier moves: tier {frames.quoted(strange)} is not in the rule, which has "
            f"{frames.quoted(rule.names)}.\nGive the rule that made these moves."
        )
        raise InvalidRowsError(msg, n_rows=len(strange), examples=tuple(strange[:3]))
    return [dict(row) for row in rows]


def _averages(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[float | None]:
    """Average the value before of each tier; those of unknown value are few and weigh as 0."""
    found = []
    for name in names:
        mine = [row for row in rows if row["tier_before"] == name and row["n_customers"]]
        n = sum(row["n_customers"] for row in mine)
        is_known = n and all(row["value_before"] is not None for row in mine)
        found.append(math.fsum(row["value_before"] for row in mine) / n if is_known else None)
    return found


def _given(values: Mapping[str, float], names: Sequence[str]) -> list[float | None]:
    is_sound = isinstance(values, Mapping) and all(
        is_number(values.get(name)) and math.isfinite(values[name]) for name in names
    )
    if not is_sound:
        msg = (
            f"`values` must give each tier ({frames.quoted(names)}) a number, "
            f"got {shown(values)}.\n"
            f"Write {{{names[0]!r}: 1000.0, ...}}."
        )
        raise InvalidArgumentError(msg)
    return [float(values[name]) for name in names]


def _moved(counts: Any, worth: Sequence[float | None]) -> float | None:  # noqa: ANN401 - an array
    steps = []
    for i, j in zip(*np.nonzero(counts), strict=True):
        old, new = worth[i], worth[j]
        if i != j:
            if old is None or new is None:
                return None
            steps.append(counts[i, j] * (new - old))
    return math.fsum(steps)


def _stationary(chances: Any) -> tuple[float, ...] | None:  # noqa: ANN401 - an array
    """Solve p = pP with shares that add up to 1; None where several do."""
    k = len(chances)
    equations = np.vstack([chances.T - np.eye(k), np.ones(k)])
    solution, _, rank, _ = np.linalg.lstsq(equations, np.append(np.zeros(k), 1.0), rcond=None)
    return tuple(float(max(share, 0.0)) for share in solution) if rank == k else None
