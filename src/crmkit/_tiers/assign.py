"""The tier of each customer, and the policy for each tier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import require_backend
from crmkit.errors import InvalidArgumentError
from crmkit.tables import TIER_POLICY
from crmkit.typing import Backend

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
                             where the rule weighs several measures
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
    reach.require_rule(rule, with_tiers=False)
    frame = frames.read(customers, reach.contract(rule))
    added = {} if policy is None or not rule.names else _policy_columns(policy, rule.names)
    weighs = len(rule.measures) > 1 and not reach.is_by_measure(rule)
    require_free(frame, [*(["tier_value"] if weighs else []), "tier", *added])
    column = "tier_value" if weighs else None
    if weighs:
        frame = frames.with_columns(frame, tier_value=reach.by_group(rule, reach.value))
    tier = partial(reach.tier_of, column=column)
    frame = frames.with_columns(frame, tier=reach.by_group(rule, tier, otherwise=reach.NO_TIER))
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


def _policy_columns(policy: IntoFrame, names: Sequence[str]) -> dict[str, nw.Expr]:
    """Write each column of the policy as an expression of the tier.

    A join would lose the order of rows or their index on some engines.
    """
    data = frames.read(policy, TIER_POLICY).collect()
    tiers = data["tier"].to_list()
    missing = [name for name in names if name not in tiers]
    twice = [name for name in names if tiers.count(name) > 1]
    if missing or twice:
        complaint = "no row for tier" if missing else "more than one row for tier"
        msg = (
            f"tier policy: {complaint} {frames.quoted(missing or twice)}.\n"
            f"The rule has the tiers {frames.quoted(names)}: give each of them one row."
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
