"""Customers who moved between tiers from one day to another, and the value that moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import require_column_name
from crmkit.tables import Column, customers_with
from crmkit.tables.contracts import NOT_MADE

_SIDES: Final = ("before", "after")
_ONE_RULE: Final = (
    'Drop the column, so that one rule cuts both days, or say tier="tier" to take the tiers '
    "as they were held."
)


def migrate(
    before: IntoFrameT,
    after: IntoFrame,
    *,
    rule: TierRule | TierRules,
    by: str,
    tier: str | None = None,
) -> IntoFrameT:
    """Tier migration: who moved from which tier to which, and the value that moved.

    Both days are cut by one rule, so that a move is a change of the customer and not of the cuts.
    Some moves are chance alone: who had an unusually good period falls back in the next.

    Parameters
    ----------
    before, after
        One row per customer on an earlier and a later day, with the measures of the rule. Lazy
        tables are run, to count.
    rule
        As made by `crmkit.tiers.rule`, from the first day as a rule. With rules within groups, each
        customer is cut by the rule of the group of the day; one of a group without a rule is
        unknown.
    by
        The measure of value to add up.
    tier
        A column of both tables with tiers as they were held, after a review or by hand, to take in
        place of those that the rule gives.

    Returns
    -------
    One row for each pair of tiers, also where nobody moved, from the best; then those who left, who
    entered, and whose tier is unknown on a day, if any:

    ================  =====  ===================================================================
    ``tier_before``   text   tier on the first day; null for those who entered
    ``tier_after``    text   tier on the second day; null for those who left
    ``move``          text   stayed, up, down, entered, left, or unknown: there on both days, or
                             on one, with a tier that is not known
    ``n_customers``   int    customers
    ``before_share``  float  share of the customers in `tier_before`
    ``value_before``  float  their sum of `by` on the first day, 0 for those who entered; null
                             where nobody's is known
    ``value_after``   float  the same on the second day, 0 for those who left
    ``value_change``  float  value after less value before
    ================  =====  ===================================================================

    The changes add up to the total of `by` after, less that before.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table lacks `customer_id`, `by`, `tier` or a column of the rule, a customer is there
        twice, a tier is not in the rule, or a column `tier` is not what the rule gives.
    InvalidArgumentError
        If `rule` is of another type.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> before = pd.DataFrame({"customer_id": ["ann", "ben"], "total_amount": [900.0, 40.0]})
    >>> after = pd.DataFrame({"customer_id": ["ben", "cid"], "total_amount": [700.0, 20.0]})
    >>> by_value = tiers.rule(before, method="thresholds", names=("A", "B"), cuts=[500])
    >>> moves = migrate(before, after, rule=by_value, by="total_amount")
    >>> columns = ["tier_before", "tier_after", "move", "n_customers", "value_change"]
    >>> print(moves[columns].to_string(index=False, na_rep=""))
    tier_before tier_after    move  n_customers  value_change
              A          A  stayed            0           0.0
              A          B    down            0           0.0
              B          A      up            1         660.0
              B          B  stayed            0           0.0
              A               left            1        -900.0
              B               left            0           0.0
                         A entered            0           0.0
                         B entered            1          20.0
    """
    reach.require_rule(rule)
    require_column_name(by, argument="by")
    if tier is not None:
        require_column_name(tier, argument="tier")
    sides = [
        _side(native, name, rule=rule, by=by, tier=tier)
        for native, name in zip((before, after), _SIDES, strict=True)
    ]
    found = _counted(*sides)
    rows = list(_rows(found, rule.names))
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    made = frames.table_like(columns, like=sides[0])
    texts = ("tier_before", "tier_after")
    floats = [name for name in columns if name.startswith("value") or name.endswith("share")]
    typed = made.with_columns(nw.col(*texts).cast(nw.String), nw.col(*floats).cast(nw.Float64))
    return frames.give(typed, like=before)


class _Cell(NamedTuple):
    n_customers: int
    value_before: float | None
    value_after: float | None


_Cells = dict[tuple[Any, Any, bool, bool], _Cell]


def _side(
    native: IntoFrame, name: str, *, rule: reach.AnyRule, by: str, tier: str | None
) -> frames.Frame:
    """Reduce a snapshot to who, which tier, and how much."""
    table = reach.contract(rule, by) if tier is None else customers_with(by)
    columns = [Column("customer_id", "key", "who"), *table.columns]
    if tier is not None:
        columns.append(Column(tier, "text", "tier as held", nullable=True, made_by=NOT_MADE))
    frame = frames.read(native, replace(table, name=f"customers {name}", columns=tuple(columns)))
    if tier is not None:
        reach.require_tiers_known(frame, tier, names=rule.names)
        held = nw.col(tier).cast(nw.String)
    else:
        held = reach.by_group(rule, reach.tier_of, otherwise=reach.NO_TIER)
        if frames.has(frame, "tier"):
            reach.require_same_tiers(frame, rule, table=f"customers {name}", advice=_ONE_RULE)
    return frame.select(
        "customer_id",
        nw.lit(1).alias(f"is_{name}"),
        held.alias(f"tier_{name}"),
        frames.known(by).alias(f"value_{name}"),
    )


def _counted(before: frames.Frame, after: frames.Frame) -> _Cells:
    joined = frames.join_full(before, after, on="customer_id")
    keys = [f"{kind}_{side}" for kind in ("tier", "is") for side in _SIDES]
    grouped = joined.group_by(*keys).agg(
        nw.len().alias("n"),
        *(nw.col(f"value_{side}").sum().alias(f"sum_{side}") for side in _SIDES),
        *(nw.col(f"value_{side}").count().alias(f"known_{side}") for side in _SIDES),
    )
    found: _Cells = {}
    for row in frames.rows(grouped):
        there = [row[f"is_{side}"] is not None for side in _SIDES]
        sums = [
            float(row[f"sum_{side}"]) if row[f"known_{side}"] else (None if is_there else 0.0)
            for side, is_there in zip(_SIDES, there, strict=True)
        ]
        key = (row["tier_before"], row["tier_after"], *there)
        found[key] = _Cell(int(row["n"]), sums[0], sums[1])
    return found


def _rows(found: _Cells, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Write every pair of tiers in order, then those who left and entered, and the unknown."""
    pairs = [(a, b, True, True) for a in names for b in names]
    ends = [(a, None, True, False) for a in names] + [(None, b, False, True) for b in names]
    listed = [*pairs, *ends]
    unknown = sorted(set(found) - set(listed), key=lambda key: tuple(map(str, key)))
    totals: dict[Any, int] = {}
    for key, cell in found.items():
        if key[2] and key[0] is not None:
            totals[key[0]] = totals.get(key[0], 0) + cell.n_customers
    for key in [*listed, *unknown]:
        cell = found.get(key, _Cell(0, 0.0, 0.0))
        n, old, new = cell
        move = _move(key, names)
        of = totals.get(key[0]) if key[2] else None
        yield {
            "tier_before": key[0],
            "tier_after": key[1],
            "move": move,
            "n_customers": n,
            "before_share": n / of if of else None,
            "value_before": old,
            "value_after": new,
            "value_change": None if old is None or new is None else new - old,
        }


def _move(key: tuple[Any, Any, bool, bool], names: Sequence[str]) -> str:
    old, new, was, is_ = key
    if (was and old is None) or (is_ and new is None):
        return "unknown"
    if not (was and is_):
        return "left" if was else "entered"
    step = names.index(new) - names.index(old)
    return "stayed" if step == 0 else "up" if step < 0 else "down"
