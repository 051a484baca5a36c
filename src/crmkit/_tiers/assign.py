"""The tier of each customer, the policy for each tier, and a summary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers.rule import value_of
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import require_backend, require_column_name, require_fitted
from crmkit.errors import InvalidArgumentError
from crmkit.tables import TIER, TIER_POLICY, Column, customers_with
from crmkit.tables.contracts import NOT_MADE
from crmkit.typing import Backend

_ROUNDING: Final = 1e-12
"""The part of a sum of money that may be rounding."""
_POLICY: Final = {
    "tier": ["diamond", "gold", "silver"],
    "goal": ["retain", "develop", "lift or let go"],
    "marketing": ["build loyalty", "cross-sell / up-sell", "targeted marketing"],
    "sales": ["strategic account management", "proactive outbound selling", "automated channels"],
    "service": ["priority / personal service", "personal service", "self-service"],
}


def assign(
    customers: IntoFrameT, *, rule: TierRule | TierRules, policy: IntoFrame | None = None
) -> IntoFrameT:
    """Assign each customer to a tier by value.

    By a rule that was fitted earlier, a tier means the same as it did then. The assumption that
    most often fails is that money is worth what it was: after inflation the same cut is a lower
    bar.

    Parameters
    ----------
    customers
        One row per customer, with the measures of the rule.
    rule
        As made by `crmkit.tiers.rule`. With rules within groups, a customer of a group without a
        rule has a null tier.
    policy
        What to do for each tier, one row per tier with a `tier` column, as made by
        `crmkit.tiers.policy`. Its other columns are added to each customer of the tier.

    Returns
    -------
    The same rows in the same order, with more columns:

    ================  =====  ================================================================
    ``tier_value``    float  weighted value, 1 for the average customer of the fit; only
                             where the rule has several measures
    ``tier``          text   name of the tier; null where a measure is null or NaN
    policy's columns  as in  what to do; null where the tier is null
    ================  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure, or it is not finite.
    InvalidArgumentError
        If `rule` is of another type, `customers` already has one of the new columns, or
        `policy` lacks a tier of the rule or has it twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben", "cid"], "total_amount": [40.0, 900.0, 300.0]}
    ... )
    >>> by_value = tiers.rule(customers, method="thresholds", cuts=(500, 100))
    >>> what_to_do = tiers.policy()[["tier", "goal"]]
    >>> tiered = tiers.assign(customers, rule=by_value, policy=what_to_do)
    >>> print(tiered.to_string(index=False))
    customer_id  total_amount    tier           goal
            ann          40.0  silver lift or let go
            ben         900.0 diamond         retain
            cid         300.0    gold        develop
    """
    require_fitted(rule, (TierRule, TierRules), argument="rule", made_by="crmkit.tiers.rule")
    table = customers_with(*rule.measures)
    if isinstance(rule, TierRules):
        keys = (
            Column(name, "key", "group", made_by=NOT_MADE, nullable=True) for name in rule.within
        )
        table = replace(table, columns=(*table.columns, *keys))
    frame = frames.read(customers, table)
    known: TierRule | None
    if isinstance(rule, TierRules):
        known = next((each for each in rule.rules if each is not None), None)
    else:
        known = rule
    added = {} if policy is None or known is None else _policy_columns(policy, known)
    several = len(rule.measures) > 1
    require_free(frame, [*(["tier_value"] if several else []), "tier", *added])
    if several:
        frame = frames.with_columns(frame, tier_value=_in_group(rule, _value, nw.Float64))
    frame = frames.with_columns(frame, tier=_in_group(rule, _tier, nw.String))
    if added:
        frame = frames.with_columns(frame, **added)
    return frames.give(frame, like=customers)


def policy(*, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Usual policy for diamond, gold and silver customers, as a table to edit.

    Parameters
    ----------
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per tier, best first:

    =============  ====  =================================
    ``tier``       text  name of the tier
    ``goal``       text  aim with its customers
    ``marketing``  text  what marketing does for them
    ``sales``      text  how they are sold to
    ``service``    text  how they are served
    =============  ====  =================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not among the choices.

    Examples
    --------
    >>> print(policy()[["tier", "goal", "service"]].to_string(index=False))
       tier           goal                     service
    diamond         retain priority / personal service
       gold        develop            personal service
     silver lift or let go                self-service
    """
    require_backend(backend)
    return frames.new_table(_POLICY, backend=backend)


def summary(tiered: IntoFrameT, *, rule: TierRule, by: str = "total_amount") -> IntoFrameT:
    """Summarize tiers: customers and value of each.

    Parameters
    ----------
    tiered
        One row per customer, as made by `crmkit.tiers.assign`. A lazy table is run, to collect
        the sums.
    rule
        The rule that assigned the tiers; it gives their order and cuts.
    by
        The measure of value to add up.

    Returns
    -------
    One row per tier, best first, also for tiers without customers; then a row with a null
    `tier` for customers of unknown value, if any:

    ==================  =====  ============================================================
    ``tier``            text   name of the tier
    ``cut``             float  least value of the tier, in the unit of the rule; null for the
                               last tier
    ``n_customers``     int    customers in the tier
    ``customer_share``  float  share of all customers
    ``value``           float  sum of `by`; null where it is unknown for all
    ``value_share``     float  share of the total of `by`; null where that is not above 0
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `tiered` lacks `tier` or `by`, or `by` is not finite.
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
    require_fitted(rule, TierRule, argument="rule", made_by="crmkit.tiers.rule")
    require_column_name(by, argument="by")
    frame, sums = tier_sums(tiered, rule=rule, by=by)
    tiers = [*rule.names, *([None] if None in sums else [])]
    counts = [sums[tier].n_customers if tier in sums else 0 for tier in tiers]
    values = [sums[tier].value if tier in sums else 0.0 for tier in tiers]
    columns: dict[str, Sequence[Any]] = {
        "tier": tiers,
        "cut": [*rule.cuts, *[None] * (len(tiers) - len(rule.cuts))],
        "n_customers": counts,
        "customer_share": _shares(counts),
        "value": values,
        "value_share": _shares(values),
    }
    return small_table(columns, frame=frame, like=tiered)


def _value(rule: TierRule) -> nw.Expr:
    return value_of(rule.measures, rule.weights, rule.scales)


def _tier(rule: TierRule) -> nw.Expr:
    return class_of(nw.col("tier_value") if len(rule.measures) > 1 else _value(rule), rule)


def _in_group(
    rule: TierRule | TierRules,
    make: Callable[[TierRule], nw.Expr],
    dtype: Any,  # noqa: ANN401
) -> nw.Expr:
    if isinstance(rule, TierRules):
        return rule.of_group(make, otherwise=nw.lit(None).cast(dtype))
    return make(rule)


def class_of(value: nw.Expr, rule: TierRule) -> nw.Expr:
    """Name the best tier whose cut the value reaches; null where the value is unknown."""
    name: nw.Expr = nw.when(~value.is_null()).then(nw.lit(rule.names[-1]))
    for cut, better in zip(rule.cuts[::-1], rule.names[-2::-1], strict=True):
        # 0.1 + 0.2 is as much money as 0.3, though its float is larger.
        least = cut - _ROUNDING * abs(cut)
        name = nw.when(value >= least).then(nw.lit(better)).otherwise(name)
    return name


def require_free(frame: nw.LazyFrame[Any], new: Sequence[str]) -> None:
    """Require that the table does not have the new columns yet."""
    present = frame.collect_schema().names()
    taken = [name for name in new if name in present]
    if taken:
        msg = (
            f"customers: column {frames.quoted(taken)} exists already.\n"
            "Drop or rename it; its values would be overwritten."
        )
        raise InvalidArgumentError(msg)


def small_table(
    columns: Mapping[str, Sequence[Any]], *, frame: nw.LazyFrame[Any], like: IntoFrameT
) -> IntoFrameT:
    """Make a table of a few computed rows, in the library of the customers."""
    made = frames.table_like(columns, like=frame)
    floats = [name for name in columns if not name.startswith("n_") and name != "tier"]
    return frames.give(made.with_columns(nw.col(*floats).cast(nw.Float64)), like=like)


class Sums(NamedTuple):
    """Customers of a tier, and their value; None where it is unknown for all."""

    n_customers: int
    value: float | None


def tier_sums(
    tiered: IntoFrame, *, rule: TierRule, by: str
) -> tuple[frames.Frame, dict[str | None, Sums]]:
    """Sum up each tier that has customers, and require that the rule knows it."""
    table = customers_with(by)
    table = replace(table, columns=(*table.columns, TIER), made_by="crmkit.tiers.assign")
    frame = frames.read(tiered, table)
    sums = _sums(frame, by)
    _require_tiers_of(rule, sums)
    return frame, sums


def _sums(frame: nw.LazyFrame[Any], by: str) -> dict[str | None, Sums]:
    grouped = (
        frame.select(nw.col("tier").cast(nw.String), value=frames.known(by))
        .group_by("tier")
        .agg(
            nw.len().alias("n_customers"),
            nw.col("value").count().alias("n_known"),
            nw.col("value").sum(),
        )
        .collect()
    )
    return {
        (row["tier"] if isinstance(row["tier"], str) else None): Sums(
            int(row["n_customers"]), float(row["value"]) if row["n_known"] else None
        )
        for row in grouped.iter_rows(named=True)
    }


def _shares(parts: Sequence[float | None]) -> list[float | None]:
    total = math.fsum(part for part in parts if part is not None)
    return [part / total if total > 0 and part is not None else None for part in parts]


def _require_tiers_of(rule: TierRule, found: Iterable[str | None]) -> None:
    foreign = sorted({name for name in found if name is not None} - set(rule.names))
    if foreign:
        msg = (
            f"customers: tier {frames.quoted(foreign)} is not in the rule, "
            f"which has {frames.quoted(rule.names)}.\n"
            "Give the rule that assigned these tiers."
        )
        raise InvalidArgumentError(msg)


def _policy_columns(policy: IntoFrame, rule: TierRule) -> dict[str, nw.Expr]:
    """Write each column of the policy as an expression of the tier.

    A join would lose the order of rows or their index on some engines.
    """
    data = frames.read(policy, TIER_POLICY).collect()
    tiers = data["tier"].to_list()
    missing = [name for name in rule.names if name not in tiers]
    twice = [name for name in rule.names if tiers.count(name) > 1]
    if missing or twice:
        complaint = "no row for tier" if missing else "more than one row for tier"
        msg = (
            f"tier policy: {complaint} {frames.quoted(missing or twice)}.\n"
            f"The rule has the tiers {frames.quoted(rule.names)}: give each of them one row."
        )
        raise InvalidArgumentError(msg)
    return {column: _by_tier(tiers, data[column]) for column in data.columns if column != "tier"}


def _by_tier(tiers: Sequence[str], values: nw.Series[Any]) -> nw.Expr:
    choice: nw.Expr | None = None
    for tier, value, unknown in zip(
        tiers, values.to_list(), values.is_null().to_list(), strict=True
    ):
        if not unknown:
            this = nw.when(nw.col("tier") == tier).then(nw.lit(value))
            choice = this if choice is None else this.otherwise(choice)
    if choice is None:  # pandas has nulls of these two types only
        return nw.lit(None).cast(nw.Float64 if values.dtype.is_numeric() else nw.String)
    return choice
