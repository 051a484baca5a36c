"""How many customers each tier has, and their value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import Cell, TierRule, TierRules
from crmkit._tiers.within import with_groups
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError
from crmkit.tables import TIER, customers_with

Group: TypeAlias = tuple[Cell, ...]

_SUMMED: Final = ("n_customers", "customer_share", "value", "value_share")
_GROUP: Final = "crmkit_group_"


def summary(
    tiered: IntoFrameT, *, rule: TierRule | TierRules, by: str = "total_amount"
) -> IntoFrameT:
    """Summarize tiers: customers and value of each.

    Parameters
    ----------
    tiered
        One row per customer, as made by `crmkit.tiers.assign`. A lazy table is run, to collect
        the sums.
    rule
        The rule that assigned the tiers; it gives their order and cuts. With rules within groups,
        each group is summed up by itself.
    by
        The measure of value to add up.

    Returns
    -------
    One row per tier, best first, also for tiers without customers; then a row with a null
    `tier` for customers of unknown value, if any. Within groups, so for each group in turn, with
    the columns of the groups first and shares of the group; one without a rule has a row with a
    null `tier` only:

    ==================  =====  ============================================================
    ``tier``            text   name of the tier
    ``cut``             float  least value of the tier, in the unit of the rule; null for the
                               last tier, and where each measure has cuts of its own: these
                               stand in ``cut_`` and the name of the measure
    ``n_customers``     int    customers in the tier
    ``customer_share``  float  share of all customers
    ``value``           float  sum of `by`; null where it is unknown for all
    ``value_share``     float  share of the total of `by`; null where that is not above 0
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `tiered` lacks `tier`, `by` or a column of the groups, or `by` is not finite.
    InvalidArgumentError
        If `rule` is of another type, or `tiered` has tiers that are not in it.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben", "cid"], "total_amount": [40.0, 900.0, 60.0]}
    ... )
    >>> by_value = tiers.rule(customers, method="thresholds", cuts=(500, 100))
    >>> tiered = tiers.assign(customers, rule=by_value)
    >>> print(summary(tiered, rule=by_value).round(3).to_string(index=False))
       tier   cut  n_customers  customer_share  value  value_share
    diamond 500.0            1           0.333  900.0          0.9
       gold 100.0            0           0.000    0.0          0.0
     silver   NaN            2           0.667  100.0          0.1
    """
    reach.require_rule(rule)
    require_column_name(by, argument="by")
    within = rule.within if isinstance(rule, TierRules) else ()
    frame, sums = tier_sums(tiered, rule=rule, by=by, within=within)
    rules: dict[Group, TierRule | None] = {(): rule} if isinstance(rule, TierRule) else {}
    if isinstance(rule, TierRules):
        rules = dict(zip(rule.groups, rule.rules, strict=True))
    rules |= dict.fromkeys(sorted({group for group, _ in sums} - rules.keys(), key=str))
    rows: list[dict[str, Any]] = []
    for group, own in rules.items():
        cells = dict(zip(within, group, strict=True))
        rows += [cells | row for row in _of_group(own, group, sums)]
    cuts = [f"cut_{name}" for name in rule.measures] if reach.is_by_measure(rule) else []
    columns = {name: [row.get(name) for row in rows] for name in (*within, "tier", "cut", *cuts)}
    columns |= {name: [row[name] for row in rows] for name in _SUMMED}
    return small_table(columns, floats=("cut", *cuts, *_SUMMED[1:]), frame=frame, like=tiered)


def _of_group(
    rule: TierRule | None, group: Group, sums: Mapping[tuple[Group, str | None], Sums]
) -> list[dict[str, Any]]:
    names: list[str | None] = [*(rule.names if rule else ()), *([None] * ((group, None) in sums))]
    mine = [sums.get((group, name), Sums(0, 0.0)) for name in names]
    rows: list[dict[str, Any]] = [
        {"tier": name, "n_customers": each.n_customers, "value": each.value}
        for name, each in zip(names, mine, strict=True)
    ]
    for name, shares in (
        ("customer_share", _shares([each.n_customers for each in mine])),
        ("value_share", _shares([each.value for each in mine])),
    ):
        for row, share in zip(rows, shares, strict=True):
            row[name] = share
    if rule is not None:
        by_measure = zip(rule.measures, rule.measure_cuts, strict=False)
        for name, cuts in (("cut", rule.cuts), *((f"cut_{m}", cuts) for m, cuts in by_measure)):
            for row, cut in zip(rows, cuts, strict=False):
                row[name] = cut
    return rows


def small_table(
    columns: Mapping[str, Sequence[Any]],
    *,
    floats: Sequence[str],
    frame: nw.LazyFrame[Any],
    like: IntoFrameT,
) -> IntoFrameT:
    """Make a table of a few computed rows, in the library of the customers."""
    made = frames.table_like(columns, like=frame)
    texts = [nw.col(name).cast(nw.String) for name in ("tier",) if name in columns]
    return frames.give(made.with_columns(*texts, nw.col(*floats).cast(nw.Float64)), like=like)


class Sums(NamedTuple):
    """Customers of a tier, and their value; None where it is unknown for all."""

    n_customers: int
    value: float | None


def tier_sums(
    tiered: IntoFrame, *, rule: reach.AnyRule, by: str, within: Sequence[str] = ()
) -> tuple[frames.Frame, dict[tuple[Group, str | None], Sums]]:
    """Sum up each tier that has customers, and require that the rule knows it."""
    table = with_groups(customers_with(by), within)
    table = replace(table, columns=(*table.columns, TIER), made_by="crmkit.tiers.assign")
    frame = frames.read(tiered, table)
    sums = _sums(frame, by, within)
    _require_tiers_of(rule, (name for _, name in sums))
    return frame, sums


def _sums(
    frame: nw.LazyFrame[Any], by: str, within: Sequence[str]
) -> dict[tuple[Group, str | None], Sums]:
    keys = [f"{_GROUP}{i}" for i in range(len(within))]
    grouped = (
        frame.select(
            *(nw.col(name).alias(key) for name, key in zip(within, keys, strict=True)),
            nw.col("tier").cast(nw.String),
            value=frames.known(by),
        )
        .group_by(*keys, "tier")
        .agg(
            nw.len().alias("n_customers"),
            nw.col("value").count().alias("n_known"),
            nw.col("value").sum(),
        )
    )
    return {
        (tuple(row[key] for key in keys), row["tier"]): Sums(
            int(row["n_customers"]), float(row["value"]) if row["n_known"] else None
        )
        for row in frames.rows(grouped)
    }


def _shares(parts: Sequence[float | None]) -> list[float | None]:
    total = math.fsum(part for part in parts if part is not None)
    return [part / total if total > 0 and part is not None else None for part in parts]


def _require_tiers_of(rule: reach.AnyRule, found: Iterable[str | None]) -> None:
    foreign = sorted({name for name in found if name is not None} - set(rule.names))
    if foreign:
        msg = (
            f"customers: tier {frames.quoted(foreign)} is not in the rule, "
            f"which has {frames.quoted(rule.names)}.\n"
            "Give the rule that assigned these tiers."
        )
        raise InvalidArgumentError(msg)
