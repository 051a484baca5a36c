"""Each customer's tier, and what the company does for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers.rule import TierRule, value_of
from crmkit.errors import InvalidArgumentError
from crmkit.tables import TIER, TIER_POLICY, customers_with
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


def assign(customers: IntoFrameT, *, rule: TierRule, policy: IntoFrame | None = None) -> IntoFrameT:
    """Put each customer in the tier that the value reaches.

    The rule may be of an earlier day: a tier then means the same as it did. Values in a
    currency that has lost worth since are the usual trap.

    Parameters
    ----------
    customers
        One row per customer, with the measures of the rule.
    rule
        As made by `rule`.
    policy
        What to do for each tier, one row per tier with a `tier` column, as made by `policy`.
        Its other columns are added to each customer of the tier.

    Returns
    -------
    The same rows in the same order, with more columns:

    ================  =====  ================================================================
    ``tier_value``    float  the value that was cut, 1 for the average customer of the fit;
                             only where the rule has several measures
    ``tier``          text   name of the tier; null where a measure is null or NaN
    policy's columns  as in  what to do; null where the tier is null
    ================  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure, or it is not finite.
    InvalidArgumentError
        If `customers` has one of the new columns already, or `policy` lacks a tier of the rule
        or has it twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben", "cid"], "total_amount": [40.0, 900.0, 300.0]}
    ... )
    >>> by_value = tiers.rule(customers, method="thresholds", cuts=(500, 100))
    >>> what_to_do = tiers.policy(backend="pandas")[["tier", "goal"]]
    >>> tiered = tiers.assign(customers, rule=by_value, policy=what_to_do)
    >>> print(tiered.to_string(index=False))
    customer_id  total_amount    tier           goal
            ann          40.0  silver lift or let go
            ben         900.0 diamond         retain
            cid         300.0    gold        develop
    """
    frame = frames.read(customers, customers_with(*rule.measures))
    duties = {} if policy is None else _duties(policy, rule)
    several = len(rule.measures) > 1
    require_free(frame, [*(["tier_value"] if several else []), "tier", *duties])
    value = value_of(rule.measures, rule.weights, rule.scales)
    if several:
        frame = frames.with_columns(frame, tier_value=value)
        value = nw.col("tier_value")
    frame = frames.with_columns(frame, tier=class_of(value, rule))
    if duties:
        frame = frames.with_columns(frame, **duties)
    return frames.give(frame, like=customers)


def policy(*, backend: Backend = "polars") -> Any:  # noqa: ANN401 - native to `backend`
    """Give the usual policy for diamond, gold and silver, to be edited.

    Parameters
    ----------
    backend
        The kind of table.

    Returns
    -------
    One row per tier, best first:

    =============  ====  =================================
    ``tier``       text  name of the tier
    ``goal``       text  what is wanted of its customers
    ``marketing``  text  what marketing does for them
    ``sales``      text  how they are sold to
    ``service``    text  how they are served
    =============  ====  =================================

    Examples
    --------
    >>> print(policy(backend="pandas")[["tier", "goal", "service"]].to_string(index=False))
       tier           goal                     service
    diamond         retain priority / personal service
       gold        develop            personal service
     silver lift or let go                self-service
    """
    return frames.new_table(_POLICY, backend=backend)


def summary(tiered: IntoFrameT, *, rule: TierRule, by: str = "total_amount") -> IntoFrameT:
    """Tell how many customers and how much of the value each tier holds.

    Parameters
    ----------
    tiered
        One row per customer, as made by `assign`. A lazy table is run, to collect the sums.
    rule
        The rule that the tiers were assigned by; it gives their order and cuts.
    by
        The measure that is added up.

    Returns
    -------
    One row per tier, best first, those without customers too; then a row with a null `tier`
    for customers of unknown value, where there are any:

    ==================  =====  ============================================================
    ``tier``            text   name of the tier
    ``cut``             float  least value of the tier, in the unit of the rule's value; null
                               for the last tier
    ``n_customers``     int    customers in the tier
    ``customer_share``  float  of all customers
    ``value``           float  sum of `by`; null where no customer's is known
    ``value_share``     float  of the total of `by`; null where that is not above zero
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `tiered` lacks `tier` or `by`, or `by` is not finite.
    InvalidArgumentError
        If `tiered` has tiers that the rule has not.

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
    table = customers_with(by)
    table = replace(table, columns=(*table.columns, TIER), made_by="crmkit.tiers.assign")
    frame = frames.read(tiered, table)
    sums = _sums(frame, by)
    _require_tiers_of(rule, sums)
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


def class_of(value: nw.Expr, rule: TierRule) -> nw.Expr:
    """Name the best tier whose cut the value reaches; null where the value is unknown."""
    name: nw.Expr = nw.when(~value.is_null()).then(nw.lit(rule.names[-1]))
    for cut, better in zip(rule.cuts[::-1], rule.names[-2::-1], strict=True):
        # 0.1 + 0.2 spends as much as 0.3, though its float is larger.
        least = cut - _ROUNDING * abs(cut)
        name = nw.when(value >= least).then(nw.lit(better)).otherwise(name)
    return name


def require_free(frame: nw.LazyFrame[Any], new: Sequence[str]) -> None:
    """Refuse to write over columns that are there."""
    present = frame.collect_schema().names()
    taken = [name for name in new if name in present]
    if taken:
        msg = (
            f"customers: there is a column {frames.quoted(taken)} already.\n"
            "Drop or rename it; what is there would be lost."
        )
        raise InvalidArgumentError(msg)


def small_table(
    columns: Mapping[str, Sequence[Any]], *, frame: nw.LazyFrame[Any], like: IntoFrameT
) -> IntoFrameT:
    """Hand out a few computed rows in the form in which the customers came."""
    made = frames.table_like(columns, like=frame)
    floats = [name for name in columns if not name.startswith("n_") and name != "tier"]
    return frames.give(made.with_columns(nw.col(*floats).cast(nw.Float64)), like=like)


class _Sums(NamedTuple):
    n_customers: int
    value: float | None


def _sums(frame: nw.LazyFrame[Any], by: str) -> dict[str | None, _Sums]:
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
        (row["tier"] if isinstance(row["tier"], str) else None): _Sums(
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
            f"customers: the rule has no tier {frames.quoted(foreign)}, "
            f"it has {frames.quoted(rule.names)}.\n"
            "Give the rule that these tiers were assigned by."
        )
        raise InvalidArgumentError(msg)


def _duties(policy: IntoFrame, rule: TierRule) -> dict[str, nw.Expr]:
    """Write each column of the policy as a choice by tier.

    A join would do too, but loses the order of rows or their index on some engines.
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
    return {column: _choice(tiers, data[column]) for column in data.columns if column != "tier"}


def _choice(tiers: Sequence[str], duties: nw.Series[Any]) -> nw.Expr:
    choice: nw.Expr | None = None
    for tier, duty, unknown in zip(
        tiers, duties.to_list(), duties.is_null().to_list(), strict=True
    ):
        if not unknown:
            this = nw.when(nw.col("tier") == tier).then(nw.lit(duty))
            choice = this if choice is None else this.otherwise(choice)
    if choice is None:  # pandas has nulls of these two types only
        return nw.lit(None).cast(nw.Float64 if duties.dtype.is_numeric() else nw.String)
    return choice
