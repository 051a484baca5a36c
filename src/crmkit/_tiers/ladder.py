"""What moving customers up the ladder of tiers is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.summary import Sums, tier_sums
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import (
    require_column_name,
    require_number,
    require_share,
    require_zero_or_more,
)


def migration_value(
    tiered: IntoFrameT,
    *,
    rule: TierRule | TierRules,
    by: str,
    share: float = 0.02,
    net_margin: float | None = None,
    cost_per_customer: float = 0.0,
) -> IntoFrameT:
    """What moving a share of the customers one tier up is worth, step by step.

    It assumes that who moves up becomes as good as the average of the higher tier. That is the most
    one can hope for: who is moved by effort is likely to stay near the cut.

    Parameters
    ----------
    tiered
        One row per customer, as made by `crmkit.tiers.assign`. A lazy table is run, to sum up.
    rule
        The rule that assigned the tiers. Tiers of one name are one step of the ladder, in whichever
        group.
    by
        The measure of value, such as revenue of a year.
    share
        Customers moved at each step, as a fraction of all customers in a tier: 0.02 for 2 %. At
        most all of the lower tier.
    net_margin
        Profit as a fraction of the value now, 0.2 for 20 %, to say what part of it is added.
    cost_per_customer
        What it costs to move one customer, and to serve the extra value, in money.

    Returns
    -------
    One row per step, the lowest first, then the whole ladder:

    =======================  =====  ==========================================================
    ``step``                 text   "silver to gold", or "all"
    ``customers_moved``      float  customers moved, not rounded
    ``value_from``           float  average of the lower tier; null for the whole ladder
    ``value_to``             float  average of the higher tier
    ``value_change``         float  value added; null where an average is unknown
    ``value_change_share``   float  as a fraction of the total; null where that is not above 0
    ``cost``                 float  cost of it
    ``profit_change``        float  value added less its cost
    ``profit_change_share``  float  as a fraction of the profit now; null without `net_margin`
    =======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `tiered` lacks `tier` or `by`, or `by` is not finite.
    InvalidArgumentError
        If `rule` is of another type, `tiered` has tiers that are not in it, or a number is out of
        range.

    Notes
    -----
    All value added is taken for profit, less the cost given. So 10 % more value is 50 % more profit
    where the net margin is 20 % and the extra sales cost nothing, and less in any other case. Give
    the cost.

    References
    ----------
    Curry, J. & Curry, A. (2000). *The Customer Marketing Method*. Free Press: customers who move up
    the pyramid.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame({"total_amount": [600.0] + [100.0] * 4})
    >>> by_value = tiers.rule(customers, method="thresholds", names=("A", "B"), cuts=[500])
    >>> tiered = tiers.assign(customers, rule=by_value)
    >>> worth = migration_value(
    ...     tiered, rule=by_value, by="total_amount", share=0.04, net_margin=0.2
    ... )
    >>> columns = ["step", "customers_moved", "value_change"]
    >>> shares = ["value_change_share", "profit_change_share"]
    >>> print(worth[columns + shares].round(3).to_string(index=False))
      step  customers_moved  value_change  value_change_share  profit_change_share
    B to A              0.2         100.0                 0.1                  0.5
       all              0.2         100.0                 0.1                  0.5
    """
    reach.require_rule(rule)
    require_column_name(by, argument="by")
    require_share(share, argument="share")
    if net_margin is not None:
        require_number(
            net_margin,
            argument="net_margin",
            must="be above 0 and at most 1",
            fits=lambda x: 0 < x <= 1,
            advice="Write 0.2 for 20 %.",
        )
    require_zero_or_more(
        cost_per_customer, argument="cost_per_customer", advice="Write 25.0 for 25 a customer."
    )
    frame, sums = tier_sums(tiered, rule=rule, by=by)
    found = [sums.get(((), name), Sums(0, 0.0)) for name in rule.names]
    counts, values = [each.n_customers for each in found], [each.value for each in found]
    moved = [float(min(share * sum(counts), n)) for n in counts[1:]]
    means = [
        value / n if n and value is not None else None
        for value, n in zip(values, counts, strict=True)
    ]
    changes = [
        None if low is None or high is None else (high - low) * n
        for high, low, n in zip(means, means[1:], moved, strict=False)
    ]
    steps = [f"{low} to {high}" for high, low in zip(rule.names, rule.names[1:], strict=False)]
    total = math.fsum(value for value in values if value is not None)
    changed = [*changes[::-1], _sum(changes)]
    customers = [*moved[::-1], math.fsum(moved)]
    costs = [float(cost_per_customer) * n for n in customers]
    profits = [
        None if change is None else change - cost
        for change, cost in zip(changed, costs, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        "step": [*steps[::-1], "all"],
        "customers_moved": customers,
        "value_from": [*means[:0:-1], None],
        "value_to": [*means[-2::-1], None],
        "value_change": changed,
        "value_change_share": _shares(changed, total),
        "cost": costs,
        "profit_change": profits,
        "profit_change_share": _shares(profits, total * float(net_margin or 0.0)),
    }
    made = frames.table_like(columns, like=frame)
    floats = [name for name in columns if name != "step"]
    return frames.give(made.with_columns(nw.col(*floats).cast(nw.Float64)), like=tiered)


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return math.fsum(known) if len(known) == len(parts) else None


def _shares(parts: Sequence[float | None], total: float) -> list[float | None]:
    return [part / total if total > 0 and part is not None else None for part in parts]
