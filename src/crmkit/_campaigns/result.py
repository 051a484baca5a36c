"""Did the campaign work: treated customers beside a control group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final, Literal, get_args

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._campaigns import balance as balances
from crmkit._campaigns.experiment import (
    AMOUNT,
    ARM,
    OUTCOME,
    control_of,
    read,
    require_both,
    require_names,
)
from crmkit._door import frames
from crmkit._words.arguments import (
    require_choice,
    require_column_name,
    require_flag,
    require_zero_or_more,
)
from crmkit._words.rates import require_level, require_margin
from crmkit.errors import InvalidRowsError
from crmkit.models.numerics.proportions import newcombe

RateInterval = Literal["newcombe", "normal"]

_GROUP: Final = "crmkit_group"
_WHOLE: Final = "all"


def result(
    outcomes: IntoFrameT,
    *,
    treated: str,
    outcome: str,
    amount: str | None = None,
    margin: float = 1.0,
    contact_cost: float = 0.0,
    good: bool = True,
    control: str | float | bool | None = None,
    by: str | None = None,
    before: Sequence[str] = (),
    interval: RateInterval = "newcombe",
    level: float = 0.95,
) -> IntoFrameT:
    """Did the campaign work: lift over the control group, profit and break-even cost.

    What counts is the difference to a control group that was drawn by chance and was not
    contacted. The rate of those contacted alone says nothing: many would have bought anyway.

    Parameters
    ----------
    outcomes
        One row per customer of the experiment, treated or not, such as
        `crmkit.campaigns.record` makes.
    treated
        The column that says who was treated: a flag, 0 and 1, or the names of several
        treatments.
    outcome
        The column that says what happened: a flag, or 0 and 1. Each customer counts once.
    amount
        The column with the money that the customer brought in the time of the test; null is 0.
    margin
        Share of the amount that is profit.
    contact_cost
        Cost of treating one customer.
    good
        Whether the outcome is wanted, as a purchase; False for churn.
    control
        The value of `treated` that means no treatment; by default False or 0.
    by
        A column with segments, to compare within each of them too.
    before
        Columns of numbers known before the campaign: how far the groups differed in them.
    interval
        How the interval of the difference in rates is made: "newcombe", which holds for small
        groups and rates near 0, or "normal". That of amounts is normal, with unequal variances.
    level
        Level of the intervals, such as 0.95.

    Returns
    -------
    One row per treatment, over all customers first and then for each value of `by`:

    ==============================  =====  ===================================================
    ``by``                          text   "all", or the segment, under the name of `by`; only
                                           with `by`
    ``treatment``                   text   value of `treated`
    ``n_treated``, ``n_control``    int    customers
    ``rate_treated``                float  share of the treated with the outcome
    ``rate_control``                float  share of the control group with it
    ``lift``                        float  difference of the two rates
    ``lower``, ``upper``            float  its interval
    ``p_value``                     float  of the test that the rates are equal (z test)
    ``incremental_customers``       float  ``lift * n_treated``
    ``amount_lift``                 float  difference of mean amounts; null without `amount`,
                                           as all that follow but the cost
    ``amount_lower``,               float  its interval
    ``amount_upper``
    ``incremental_amount``          float  ``amount_lift * n_treated``
    ``cost``                        float  ``contact_cost * n_treated``
    ``cost_per_customer``           float  cost of each incremental customer; null where there
                                           are none
    ``profit``                      float  ``margin * incremental_amount - cost``
    ``profit_lower``,               float  its interval
    ``profit_upper``
    ``breakeven_cost``              float  the most that a contact may cost,
                                           ``margin * amount_lift``
    ``imbalance``                   float  largest standardized difference of the groups before
                                           the campaign; null without `before`
    ``imbalance_in``                text   the column of it
    ``verdict``                     text   what this says, in one sentence
    ==============================  =====  ===================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, the outcome is not 0 or 1, or a segment lacks one of the groups.
    InvalidArgumentError
        If nobody was treated, or everybody was: nothing can be told without a control group.

    Notes
    -----
    The groups must have been drawn by chance. A standardized difference above .1 means that they
    were not alike before; compare within segments then, or draw anew.

    With a flag, the published intervals of Hillstrom's e-mail test are those of "normal".

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent
    proportions. *Statistics in Medicine* 17, 873-890. A retention offer that raised churn:
    Ascarza, E., Iyengar, R. & Schleicher, M. (2016). The perils of proactive churn prevention
    using plan recommendations. *Journal of Marketing Research* 53(1), 46-60.
    https://doi.org/10.1509/jmr.13.0483

    Examples
    --------
    Of 1,000 treated customers 100 left, of 1,000 others 64: the offer did harm.

    >>> import pandas as pd
    >>> outcomes = pd.DataFrame(
    ...     {
    ...         "treated": [True] * 1000 + [False] * 1000,
    ...         "left": [1] * 100 + [0] * 900 + [1] * 64 + [0] * 936,
    ...     }
    ... )
    >>> found = result(outcomes, treated="treated", outcome="left", good=False)
    >>> print(found[["lift", "lower", "upper"]].round(3).to_string(index=False))
     lift  lower  upper
    0.036  0.012   0.06
    >>> print(found["verdict"][0])
    The campaign did harm: 10.0 % with it, 6.4 % without.
    """
    require_margin(margin)
    require_level(level)
    require_choice(interval, get_args(RateInterval), argument="interval")
    require_zero_or_more(
        contact_cost, argument="contact_cost", advice="Write 0.5 for 50 cents a contact."
    )
    earlier = require_names(before, argument="before")
    require_flag(good, argument="good")
    if by is not None:
        require_column_name(by, argument="by")
    frame = read(
        outcomes,
        treated=treated,
        outcome=outcome,
        amount=amount,
        numbers=earlier,
        others=[] if by is None else [by],
    )
    cells = _cells(frame, by=by, has_amount=amount is not None, before=earlier)
    _require_flags(cells, outcome)
    arms = sorted({cell[ARM] for cell in cells})
    name = control_of(arms, control, treated=treated)
    if by is not None:
        require_both(cells, _GROUP, by=by, control=name)
    groups = [_WHOLE] if by is None else [_WHOLE, *sorted({cell[_GROUP] for cell in cells})]
    options = {"margin": margin, "cost": contact_cost, "good": good, "level": level}
    rows = [
        {
            _GROUP: group,
            **_compared(arm, _of(cells, group, arm), _of(cells, group, name), interval, options),
            **balances.largest(_of(cells, group, arm), _of(cells, group, name), earlier),
        }
        for group in groups
        for arm in arms
        if arm != name and _of(cells, group, arm)["n"]
    ]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    if by is None:
        del columns[_GROUP]
    else:
        columns = {by: columns.pop(_GROUP), **columns}
    if amount is None:
        for key in _OF_AMOUNTS:
            columns[key] = [None] * len(rows)
    return frames.give(_with_nulls(columns, like=frame), like=outcomes)


_OF_AMOUNTS: Final = (
    *("amount_lift", "amount_lower", "amount_upper", "incremental_amount"),
    *("profit", "profit_lower", "profit_upper", "breakeven_cost"),
)
_MAYBE_NULL: Final = (*_OF_AMOUNTS, "cost_per_customer", "imbalance")


def _with_nulls(columns: Mapping[str, list[Any]], *, like: frames.Frame) -> frames.Frame:
    """Make the table; a figure that is not known is null."""
    filled = {
        name: [math.nan if value is None else value for value in values]
        if name in _MAYBE_NULL
        else values
        for name, values in columns.items()
    }
    table = frames.table_like(filled, like=like)
    unknown = (nw.col(name).cast(nw.Float64).fill_nan(None) for name in _MAYBE_NULL)
    return frames.with_columns(
        table, *unknown, imbalance_in=nw.col("imbalance_in").cast(nw.String)
    ).select(*columns)


def _cells(
    frame: frames.Frame, *, by: str | None, has_amount: bool, before: Sequence[str]
) -> list[dict[str, Any]]:
    """Count and add up each treatment, in each segment."""
    group = nw.lit(_WHOLE) if by is None else nw.col(by).cast(nw.String)
    values = {"k": nw.col(OUTCOME), "square": nw.col(OUTCOME) ** 2}
    if has_amount:
        values |= {"amount": nw.col(AMOUNT), "amount2": nw.col(AMOUNT) ** 2}
    for name in before:
        values |= {f"sum {name}": frames.known(name), f"sum2 {name}": frames.known(name) ** 2}
    marked = frames.with_columns(frame, **{_GROUP: group}).select(_GROUP, ARM, **values)
    sums = {
        "n": nw.len(),
        "known": nw.col("k").count(),
        "lowest": nw.col("k").min(),
        "highest": nw.col("k").max(),
        **{f"n {name}": nw.col(f"sum {name}").count() for name in before},
        **{name: nw.col(name).sum() for name in values},
    }
    return frames.rows(marked.group_by(_GROUP, ARM).agg(**sums))


def _require_flags(cells: Sequence[Mapping[str, Any]], outcome: str) -> None:
    n_all = sum(cell["n"] for cell in cells)
    unknown = n_all - sum(cell["known"] for cell in cells)
    is_flag = all(
        cell["lowest"] >= 0 and cell["highest"] <= 1 and math.isclose(cell["square"], cell["k"])
        for cell in cells
        if cell["known"]
    )
    if unknown or not is_flag:
        what = (
            f"is null in {unknown:,} of {n_all:,} rows" if unknown else "is not 0 or 1 everywhere"
        )
        msg = (
            f"experiment: `{outcome}` {what}.\n"
            "Give 1 for those who did and 0 for those who did not; money goes into `amount`."
        )
        raise InvalidRowsError(msg, n_rows=int(unknown), examples=())


def _of(cells: Sequence[Mapping[str, Any]], group: str, arm: str) -> dict[str, float]:
    """Add up the cells of one treatment in a segment, or in all."""
    mine = [c for c in cells if c[ARM] == arm and group in (_WHOLE, c[_GROUP])]
    names = [key for key in cells[0] if key not in (ARM, _GROUP, "lowest", "highest")]
    return {key: float(sum(cell[key] or 0.0 for cell in mine)) for key in names}


def _compared(
    arm: str,
    mine: Mapping[str, float],
    others: Mapping[str, float],
    interval: RateInterval,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    n, m = mine["n"], others["n"]
    p, q = mine["k"] / n, others["k"] / m
    z = NormalDist().inv_cdf((1 + options["level"]) / 2)
    if interval == "normal":
        half = z * math.sqrt(_variance(p, p, n) + _variance(q, q, m))
        lower, upper = p - q - half, p - q + half
    else:
        args = (np.array([x]) for x in (mine["k"], n, others["k"], m))
        lower, upper = (float(each[0]) for each in newcombe(*args, level=options["level"]))
    row: dict[str, Any] = {
        "treatment": arm,
        "n_treated": int(n),
        "n_control": int(m),
        "rate_treated": p,
        "rate_control": q,
        "lift": p - q,
        "lower": lower,
        "upper": upper,
        "p_value": _p_value(mine["k"], n, others["k"], m),
        "incremental_customers": (p - q) * n,
    }
    cost = options["cost"] * n
    mean, other = mine.get("amount", 0.0) / n, others.get("amount", 0.0) / m
    spread = math.sqrt(
        _variance(mean, mine.get("amount2", 0.0) / n, n)
        + _variance(other, others.get("amount2", 0.0) / m, m)
    )
    ends = [mean - other - z * spread, mean - other, mean - other + z * spread]
    profits = [options["margin"] * each * n - cost for each in ends]
    gained = row["incremental_customers"] if options["good"] else -row["incremental_customers"]
    row |= {
        "amount_lift": ends[1],
        "amount_lower": ends[0],
        "amount_upper": ends[2],
        "incremental_amount": ends[1] * n,
        "cost": cost,
        "cost_per_customer": cost / gained if gained > 0 else None,
        "profit": profits[1],
        "profit_lower": profits[0],
        "profit_upper": profits[2],
        "breakeven_cost": options["margin"] * ends[1],
    }
    profit = profits if "amount" in mine else None
    return row | {"verdict": _verdict(row, good=options["good"], profits=profit)}


def _variance(mean: float, square: float, n: float) -> float:
    """Variance of a mean, from the mean of values and of their squares."""
    return max(square - mean * mean, 0.0) / (n - 1) if n > 1 else 0.0


def _p_value(k: float, n: float, k_other: float, n_other: float) -> float:
    pooled = (k + k_other) / (n + n_other)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_other))
    if not spread:
        return 1.0
    return math.erfc(abs(k / n - k_other / n_other) / spread / math.sqrt(2))


def _verdict(row: Mapping[str, Any], *, good: bool, profits: Sequence[float] | None) -> str:
    sign = 1 if good else -1
    low, high = sorted((sign * row["lower"], sign * row["upper"]))
    rates = f"{_percent(row['rate_treated'])} with it, {_percent(row['rate_control'])} without"
    if high < 0:
        return f"The campaign did harm: {rates}."
    if low <= 0:
        return f"No effect is shown: {rates}; the difference could be chance."
    if profits is None:
        return f"The campaign worked: {rates}."
    if profits[0] > 0:
        return f"The campaign worked and paid: {rates}."
    if profits[2] < 0:
        return f"The campaign worked but did not pay: {rates}."
    return f"The campaign worked: {rates}; whether it paid is open."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
