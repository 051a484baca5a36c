"""What a planned campaign is expected to bring, and what limits it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._campaigns.given import require_limit
from crmkit._door import frames
from crmkit._words.rates import require_level
from crmkit.tables import PLANNED


def plan_summary(
    planned: IntoFrameT,
    *,
    budget: float | None = None,
    capacity: int | None = None,
    level: float = 0.9,
) -> IntoFrameT:
    """Sum up a contact list: expected profit with its interval, and what limits it.

    Parameters
    ----------
    planned
        The table of `crmkit.campaigns.plan`.
    budget, capacity
        The limits that the list was made with, to say what is left of them. With limits for each
        group (`within`), leave them out.
    level
        Level of the interval, such as 0.9.

    Returns
    -------
    One row:

    ==========================  =====  ========================================================
    ``n_customers``             int    customers with known figures
    ``n_contacts``              int    of whom are contacted
    ``expected_cost``           float  of all contacts and offers
    ``expected_profit``         float  of all contacts
    ``lower``, ``upper``        float  interval of the profit: the luck of who buys, if the
                                       probabilities are right
    ``share_of_budget``         float  part of the budget that is used; null without one
    ``share_of_capacity``       float  likewise
    ``n_left_out``              int    who would pay but are not contacted
    ``profit_left_out``         float  their expected profit
    ``next_profit_per_unit``    float  profit of the next unit of budget: the best left out, by
                                       profit per unit of cost; 0 where nobody is left out
    ``most_possible``           float  no list within the budget brings more than this
    ==========================  =====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `planned` breaks its contract.
    InvalidArgumentError
        If a limit is below 0, or `level` not between 0 and 1.

    Notes
    -----
    ``most_possible`` is the profit plus what is left of the budget at the rate of the next
    contact. Several offers for one customer can make it too low by the profit of a better offer.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit.campaigns import plan
    >>> customers = pd.DataFrame({"customer_id": ["ann", "ben", "cid"], "value": [400, 300, 90]})
    >>> planned = plan(
    ...     customers, value="value", p_without=0.1, p_with=0.2, contact_cost=5, capacity=1
    ... )
    >>> summary = plan_summary(planned, capacity=1)
    >>> columns = ["n_contacts", "expected_cost", "expected_profit", "profit_left_out"]
    >>> print(summary[columns].to_string(index=False))
     n_contacts  expected_cost  expected_profit  profit_left_out
              1            5.0             35.0             29.0
    """
    require_limit(budget, argument="budget")
    require_limit(capacity, argument="capacity", whole=True)
    require_level(level)
    frame = frames.read(planned, PLANNED)
    profit, cost = frames.known("expected_profit"), frames.known("expected_cost")
    is_contacted = nw.col("contact") & ~profit.is_null()
    is_left_out = ~nw.col("contact") & (profit > 0)
    figures: dict[str, nw.Expr] = {
        "n_customers": profit.count(),
        "n_contacts": _sum(1.0, where=is_contacted),
        "cost": _sum(cost, where=is_contacted),
        "profit": _sum(profit, where=is_contacted),
        "variance": _sum(frames.known("profit_sd") ** 2, where=is_contacted),
        "n_left_out": _sum(1.0, where=is_left_out),
        "left_out": _sum(profit, where=is_left_out),
        "rate": nw.when(is_left_out & (cost > 0)).then(profit / cost).max(),
    }
    (found,) = frames.rows(frame.select(**figures))
    row = _row(
        {name: float(value or 0.0) for name, value in found.items()}, budget, capacity, level
    )
    columns = {name: [value] for name, value in row.items()}
    table = frames.table_like(columns, like=frame)
    unknown = (nw.col(name).fill_nan(None) for name in ("share_of_budget", "share_of_capacity"))
    return frames.give(frames.with_columns(table, *unknown), like=planned)


def _sum(value: nw.Expr | float, *, where: nw.Expr) -> nw.Expr:
    counted = nw.lit(value) if isinstance(value, float) else value
    return nw.when(where).then(counted).otherwise(nw.lit(0.0)).sum()


def _row(
    found: dict[str, float], budget: float | None, capacity: int | None, level: float
) -> dict[str, Any]:
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(found["variance"])
    left = 0.0 if budget is None else max(budget - found["cost"], 0.0)
    return {
        "n_customers": int(found["n_customers"]),
        "n_contacts": int(found["n_contacts"]),
        "expected_cost": found["cost"],
        "expected_profit": found["profit"],
        "lower": found["profit"] - half,
        "upper": found["profit"] + half,
        "share_of_budget": found["cost"] / budget if budget else math.nan,
        "share_of_capacity": found["n_contacts"] / capacity if capacity else math.nan,
        "n_left_out": int(found["n_left_out"]),
        "profit_left_out": found["left_out"],
        "next_profit_per_unit": found["rate"],
        "most_possible": found["profit"] + left * found["rate"],
    }
