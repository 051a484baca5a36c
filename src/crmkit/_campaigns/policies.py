"""Which rule of contacting brings most, judged by one experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._campaigns.experiment import (
    AMOUNT,
    ARM,
    OUTCOME,
    as_number,
    one_treatment,
    read,
    require_names,
)
from crmkit._door import frames
from crmkit._words.arguments import require_number, require_zero_or_more
from crmkit._words.rates import require_level, require_margin

_EVERYBODY: Final = "everybody"
_NOBODY: Final = "nobody"


def compare_policies(
    experiment: IntoFrameT,
    *,
    treated: str,
    outcome: str,
    policies: Sequence[str],
    value: float = 1.0,
    amount: str | None = None,
    margin: float = 1.0,
    contact_cost: float = 0.0,
    control: str | float | bool | None = None,
    propensity: str | float | None = None,
    level: float = 0.95,
) -> IntoFrameT:
    """Which rule of contacting brings most, beside contacting everybody and nobody.

    One experiment, in which chance decided who was contacted, judges any rule: where the rule
    and chance agree, the outcome counts, weighted by how likely chance was to agree. A rule must
    not have been learned from the same outcomes.

    Parameters
    ----------
    experiment
        One row per customer of the experiment, treated or not, with one treatment.
    treated
        The column that says who was treated.
    outcome
        The column that says what happened: a flag, or 0 and 1.
    policies
        Columns of flags, or 0 and 1, one for each rule: whom it would contact.
    value
        Profit of an outcome, before the cost of contacts; without `amount`.
    amount
        The column with the money that the customer brought; times `margin` it is the profit.
    margin
        Share of the amount that is profit.
    contact_cost
        Cost of contacting one customer.
    control
        The value of `treated` that means no treatment; by default False or 0.
    propensity
        Probability of having been treated, a number or a column; by default the share of the
        treated.
    level
        Level of the intervals, such as 0.95.

    Returns
    -------
    One row per rule, with "everybody" and "nobody", the highest profit first:

    ====================  =====  ==============================================================
    ``policy``            text   name of the column, "everybody" or "nobody"
    ``n_contacts``        int    customers that it contacts
    ``profit``            float  profit per customer of the experiment
    ``lower``, ``upper``  float  its interval
    ``over_everybody``    float  profit per customer above that of contacting everybody
    ``over_everybody_lower``, ``over_everybody_upper``
                          float  its interval, of the paired difference
    ``over_nobody``       float  profit per customer above that of contacting nobody
    ``over_nobody_lower``, ``over_nobody_upper``
                          float  its interval
    ====================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing or null.
    InvalidArgumentError
        If nobody was treated or everybody was, or there are several treatments.

    Notes
    -----
    The profit of a rule is the mean of
    ``y 1(w = 1) c / e + y 1(w = 0) (1 - c) / (1 - e) - c * contact_cost``, for the outcome y,
    the treatment w with probability e, and the rule c (inverse propensity weights).

    References
    ----------
    Hitsch, G. J., Misra, S. & Zhang, W. W. (2024). Heterogeneous treatment effects and optimal
    targeting policy evaluation. *Quantitative Marketing and Economics* 22, 115-168.
    https://doi.org/10.1007/s11129-023-09278-5

    Examples
    --------
    >>> import pandas as pd
    >>> experiment = pd.DataFrame(
    ...     {
    ...         "treated": [1, 1, 1, 1, 0, 0, 0, 0],
    ...         "bought": [1, 1, 0, 0, 0, 0, 0, 0],
    ...         "young": [1, 1, 0, 0, 1, 1, 0, 0],
    ...     }
    ... )
    >>> table = compare_policies(
    ...     experiment,
    ...     treated="treated",
    ...     outcome="bought",
    ...     policies=["young"],
    ...     value=10,
    ...     contact_cost=1,
    ... )
    >>> print(table[["policy", "n_contacts", "profit", "over_everybody"]].to_string(index=False))
       policy  n_contacts  profit  over_everybody
        young           4     4.5             0.5
    everybody           8     4.0             0.0
       nobody           0     0.0            -4.0
    """
    names = require_names(policies, argument="policies")
    require_margin(margin)
    require_level(level)
    for argument, money in (("value", value), ("contact_cost", contact_cost)):
        require_zero_or_more(money, argument=argument, advice="Give the money of one customer.")
    numbers = [propensity] if isinstance(propensity, str) else []
    frame = read(
        experiment,
        treated=treated,
        outcome=outcome,
        amount=amount,
        numbers=numbers,
        others=names,
    )
    arm, share = _arms(frame, control, treated=treated)
    chance = _chance(propensity, share)
    worth = nw.col(AMOUNT) * margin if amount is not None else nw.col(OUTCOME) * float(value)
    is_treated = nw.when(nw.col(ARM) == arm).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    schema = frame.collect_schema()
    rules = {each: as_number(each, schema[each]) for each in names}
    rules |= {_EVERYBODY: nw.lit(1.0), _NOBODY: nw.lit(0.0)}
    with_, without = worth * is_treated / chance, worth * (1 - is_treated) / (1 - chance)
    columns: dict[str, nw.Expr] = {}
    for i, rule in enumerate(rules.values()):
        columns[f"crmkit_rule_{i}"] = rule
        columns[f"crmkit_profit_{i}"] = with_ * rule + without * (1 - rule) - rule * contact_cost
    priced = frames.with_columns(frame, **columns).select(*columns)
    rows = _rows(priced, list(rules), level=level)
    table = {key: [row[key] for row in rows] for key in rows[0]}
    return frames.give(frames.table_like(table, like=frame), like=experiment)


def _arms(frame: frames.Frame, control: object, *, treated: str) -> tuple[str, float]:
    """The treatment, and the share of the treated."""
    counts = frames.rows(frame.group_by(ARM).agg(nw.len().alias("n")))
    n = {row[ARM]: int(row["n"]) for row in counts}
    arm, _ = one_treatment(n, control, treated=treated)
    return arm, n[arm] / sum(n.values())


def _chance(propensity: str | float | None, share: float) -> nw.Expr:
    if isinstance(propensity, str):
        return frames.known(propensity)
    if propensity is None:
        return nw.lit(share)
    require_number(
        propensity,
        argument="propensity",
        must="be between 0 and 1",
        fits=lambda x: 0 < x < 1,
        advice="Write 0.5 where one in two was treated.",
    )
    return nw.lit(float(propensity))


def _rows(priced: frames.Frame, names: Sequence[str], *, level: float) -> list[dict[str, Any]]:
    """Mean profit of each rule, and of its difference to the two plain ones."""
    everybody, nobody = len(names) - 2, len(names) - 1
    squares: dict[str, nw.Expr] = {}
    for i in range(len(names)):
        mine = nw.col(f"crmkit_profit_{i}")
        squares[f"crmkit_square_{i}"] = mine**2
        for other in (everybody, nobody):
            apart = mine - nw.col(f"crmkit_profit_{other}")
            squares[f"crmkit_square_{i}_{other}"] = apart**2
    wide = frames.with_columns(priced, **squares)
    sums = wide.select(
        n=nw.len(),
        **{name: nw.col(name).sum() for name in (*_all(names, "rule"), *squares)},
        **{name: nw.col(name).sum() for name in _all(names, "profit")},
    )
    (total,) = frames.rows(sums)
    z = NormalDist().inv_cdf((1 + level) / 2)
    found = [_row(total, names, i, (everybody, nobody), z) for i in range(len(names))]
    return sorted(found, key=lambda row: (-row["profit"], row["policy"]))


def _all(names: Sequence[str], what: str) -> list[str]:
    return [f"crmkit_{what}_{i}" for i in range(len(names))]


def _row(
    total: Mapping[str, float], names: Sequence[str], i: int, plain: tuple[int, int], z: float
) -> dict[str, Any]:
    n = total["n"]
    profit = total[f"crmkit_profit_{i}"] / n
    half = z * _error(profit, total[f"crmkit_square_{i}"], n)
    row: dict[str, Any] = {
        "policy": names[i],
        "n_contacts": round(total[f"crmkit_rule_{i}"]),
        "profit": profit,
        "lower": profit - half,
        "upper": profit + half,
    }
    for column, other in zip(("over_everybody", "over_nobody"), plain, strict=True):
        over = profit - total[f"crmkit_profit_{other}"] / n
        half = z * _error(over, total[f"crmkit_square_{i}_{other}"], n)
        row |= {column: over, f"{column}_lower": over - half, f"{column}_upper": over + half}
    return row


def _error(mean: float, square: float, n: float) -> float:
    """Standard error of a mean."""
    return math.sqrt(max(square / n - mean * mean, 0.0) / max(n - 1, 1))
