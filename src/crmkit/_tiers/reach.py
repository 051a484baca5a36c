"""Which tiers a customer's value reaches, and what lacks to a cut, by any rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Final, NamedTuple, NoReturn, TypeAlias

import narwhals as nw

from crmkit._door import frames
from crmkit._tiers.rule import value_name, value_of
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._tiers.within import with_groups
from crmkit._words.arguments import require_fitted
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import customers_with
from crmkit.tables.contracts import Table

AnyRule: TypeAlias = TierRule | TierRules

ROUNDING: Final = 1e-12
"""The part of a sum of money that may be rounding."""
_TIER: Final = "crmkit_tier"
NO_TIER: Final = nw.lit(None).cast(nw.String)
NO_NUMBER: Final = nw.lit(None).cast(nw.Float64)


class Part(NamedTuple):
    """One value that a rule looks at, and its cuts, best first."""

    name: str
    value: nw.Expr
    cuts: tuple[float, ...]


def require_rule(rule: object, *, with_tiers: bool = True) -> None:
    """Require a rule, or rules within groups; `with_tiers` those that have tiers at all."""
    require_fitted(rule, (TierRule, TierRules), argument="rule", made_by="crmkit.tiers.rule")
    if with_tiers and isinstance(rule, TierRules) and not rule.names:
        why = f": {rule.findings[0]}" if rule.findings else "."
        msg = f"`rule` has no tiers, as no group could be cut{why}"
        raise InvalidArgumentError(msg)


def contract(rule: AnyRule, *more: str) -> Table:
    """Promise the measures of a rule, the columns of its groups, and more measures."""
    table = customers_with(*dict.fromkeys((*more, *rule.measures)))
    return with_groups(table, rule.within) if isinstance(rule, TierRules) else table


def by_group(
    rule: AnyRule, make: Callable[[TierRule], nw.Expr], *, otherwise: nw.Expr = NO_NUMBER
) -> nw.Expr:
    """Make an expression of the rule, or of that of each customer's group."""
    return rule.of_group(make, otherwise=otherwise) if isinstance(rule, TierRules) else make(rule)


def is_by_measure(rule: AnyRule) -> bool:
    """Whether each measure has cuts of its own, so that no single value decides."""
    rules = rule.rules if isinstance(rule, TierRules) else (rule,)
    return any(each is not None and each.method == "all_thresholds" for each in rules)


def parts(rule: TierRule, value: str | None = None) -> tuple[Part, ...]:
    """List what a rule looks at: one value, which a column may hold already, or each measure."""
    if rule.method == "all_thresholds":
        listed = zip(rule.measures, rule.measure_cuts, strict=True)
        return tuple(Part(name, frames.known(name), cuts) for name, cuts in listed)
    expression = nw.col(value) if value else value_of(rule.measures, rule.weights, rule.scales)
    return (Part(value_name(rule.measures), expression, rule.cuts),)


def value(rule: TierRule) -> nw.Expr:
    """Give the value that a rule looks at; null where each measure has cuts of its own."""
    if rule.method == "all_thresholds":
        return NO_NUMBER
    return value_of(rule.measures, rule.weights, rule.scales)


def is_known(rule: TierRule, column: str | None = None) -> nw.Expr:
    """Whether all that the rule looks at is known."""
    return reduce(and_, (~part.value.is_null() for part in parts(rule, column)))


def reaches(rule: TierRule, i: int, *, moved: float = 0.0, column: str | None = None) -> nw.Expr:
    """Whether the value reaches the cut of a tier, which is moved by a fraction of its size."""

    def is_reached(part: Part) -> nw.Expr:
        # 0.1 + 0.2 is as much money as 0.3, though its float is larger.
        return part.value >= least(part.cuts[i], moved=moved) - ROUNDING * abs(part.cuts[i])

    return reduce(and_, map(is_reached, parts(rule, column)))


def least(cut: float, *, moved: float) -> float:
    """Move a cut up or down by a fraction of its size."""
    return cut + moved * abs(cut)


def tier_of(rule: TierRule, *, moved: float = 0.0, column: str | None = None) -> nw.Expr:
    """Name the best tier whose cut the value reaches; null where the value is unknown."""
    name: nw.Expr = nw.when(is_known(rule, column)).then(nw.lit(rule.names[-1]))
    for i in range(len(rule.names) - 2, -1, -1):
        reached = reaches(rule, i, moved=moved, column=column)
        name = nw.when(reached).then(nw.lit(rule.names[i])).otherwise(name)
    return name


def place_of(rule: TierRule, *, moved: float = 0.0) -> nw.Expr:
    """Number that tier from the best, which is 0; null where the value is unknown."""
    last = len(rule.names) - 1
    place: nw.Expr = nw.when(is_known(rule)).then(nw.lit(float(last)))
    for i in range(last - 1, -1, -1):
        place = nw.when(reaches(rule, i, moved=moved)).then(nw.lit(float(i))).otherwise(place)
    return place


def gap_share(rule: TierRule, i: int, column: str | None = None) -> nw.Expr:
    """Give the gap to the cut of a tier as a fraction of it, in the measure that lacks most."""
    gaps = [
        (part.value - part.cuts[i]) / abs(part.cuts[i])
        for part in parts(rule, column)
        if part.cuts[i]
    ]
    if not gaps:
        return NO_NUMBER
    found = gaps[0] if len(gaps) == 1 else nw.min_horizontal(*gaps)
    return nw.when(is_known(rule, column)).then(found)


def of_tier(
    column: str, choices: Mapping[str, nw.Expr], *, otherwise: nw.Expr | None = None
) -> nw.Expr:
    """Choose by the tier in a column; null, or `otherwise`, for tiers without a choice."""
    # pandas has no whole numbers beside nulls: a cast of them would fail there.
    found = otherwise
    for name, choice in choices.items():
        this = nw.when(nw.col(column).cast(nw.String) == name).then(choice)
        found = this if found is None else this.otherwise(found)
    return NO_NUMBER if found is None else found


def rank_of(column: str, names: Sequence[str]) -> nw.Expr:
    """Number the tiers from the best, which is 0; null where the tier is unknown."""
    return of_tier(column, {name: nw.lit(i, nw.Int64) for i, name in enumerate(names)})


def require_tiers_known(
    frame: frames.Frame, column: str, *, names: Sequence[str], table: str = "customers"
) -> None:
    """Require that a column of tiers holds those of the rule only."""
    tier = nw.col(column).cast(nw.String)
    rows = frames.rows(frame.select(tier.alias(_TIER)).group_by(_TIER).agg(n=nw.len()))
    strange = {
        row[_TIER]: int(row["n"])
        for row in rows
        if row[_TIER] is not None and row[_TIER] not in names
    }
    if strange:
        total = sum(int(row["n"]) for row in rows)
        refuse_tiers(column, strange, names=names, total=total, table=table)


def refuse_tiers(
    column: str, counts: Mapping[str, int], *, names: Sequence[str], total: int, table: str
) -> NoReturn:
    """Refuse tiers that the rule does not know: which, and in how many rows."""
    examples, n_rows = tuple(sorted(counts)[:3]), sum(counts.values())
    msg = (
        f"{table}: `{column}` is not a tier of the rule in {n_rows:,} of {total:,} rows "
        f"({', '.join(map(repr, examples))}).\n"
        f"The rule has {frames.quoted(names)}: give the rule that these tiers belong to, "
        "or make null what is unknown."
    )
    raise InvalidRowsError(msg, n_rows=n_rows, examples=examples)


def require_same_tiers(frame: frames.Frame, rule: AnyRule, *, table: str, advice: str) -> None:
    """Require that tiers which are there already are those of the rule."""
    held = by_group(rule, tier_of, otherwise=NO_TIER)
    there = nw.col("tier").cast(nw.String)
    differs = (there != held) | (there.is_null() != held.is_null())
    odd = nw.when(differs).then(nw.lit(1)).otherwise(nw.lit(0))
    (row,) = frames.rows(frame.select(odd=odd).select(n=nw.col("odd").sum(), rows=nw.len()))
    if row["n"]:
        n_rows = int(row["n"])
        msg = (
            f"{table}: `tier` is not what the rule gives in {n_rows:,} of "
            f"{int(row['rows']):,} rows; another rule made it.\n{advice}"
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=())
