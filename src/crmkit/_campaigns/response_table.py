"""Response of a mailing by cell or by depth, and where it still pays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._campaigns.experiment import AMOUNT, ARM, OUTCOME, read
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name, require_whole, require_zero_or_more
from crmkit._words.rates import require_margin
from crmkit.errors import InvalidArgumentError, InvalidRowsError

_CELL: Final = "crmkit_cell"


def response_table(
    mailed: IntoFrameT,
    *,
    outcome: str,
    by: str | None = None,
    score: str | None = None,
    groups: int = 10,
    amount: str | None = None,
    profit_per_response: float | None = None,
    margin: float = 1.0,
    contact_cost: float = 0.0,
) -> IntoFrameT:
    """Response by cell or by depth of a score: what pays, and how deep to mail.

    It tells who responds, not who responds because of the mail: `crmkit.campaigns.result` needs a
    control group for that. Expect less in the roll-out, since the best cells of a test are partly
    lucky.

    Parameters
    ----------
    mailed
        One row per customer who was contacted.
    outcome
        The column that says who responded: a flag, or 0 and 1.
    by
        The column with the cells, such as an RFM code.
    score
        In place of cells, a column of numbers; the customers with the highest are the first
        group. Equal scores count in parts, so that the order of rows decides nothing.
    groups
        The number of groups of equal size that a score is cut into.
    amount
        The column with the money of each customer; times `margin` it is the profit of a
        response. Null is 0.
    profit_per_response
        In place of an amount, the profit of each response before the cost of contacts.
    margin
        Share of the amount that is profit.
    contact_cost
        Cost of contacting one customer.

    Returns
    -------
    One row per cell, the highest profit per contact first, or one per group of the score:

    ========================  =====  =========================================================
    ``cell``                  text   the cell under the name of `by`; with a score ``depth``,
                                     the share of customers down to this group
    ``contacts``              float  customers contacted
    ``responses``             float  of whom responded
    ``response_rate``         float  share of them
    ``index``                 float  response rate in percent of the average
    ``amount``                float  money; only with `amount`
    ``profit``                float  after the cost of contacts
    ``profit_per_contact``    float  profit of one contact
    ``pays``                  flag   whether the profit is 0 or more
    ``customers_share``       float  share of all customers, down to this row
    ``responses_share``       float  share of all responses, down to this row
    ``cumulative_profit``     float  profit down to this row
    ``best_depth``            flag   whether the cumulative profit is highest here
    ========================  =====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, or the outcome is not 0 or 1.
    InvalidArgumentError
        If not one of `by` and `score`, or not one of `amount` and `profit_per_response` is given.

    References
    ----------
    Berry, M. J. A. & Linoff, G. S. (2004). *Data Mining Techniques*, 2nd ed., chapter 4.

    Examples
    --------
    A contact costs 1, a response brings 20.

    >>> import pandas as pd
    >>> mailed = pd.DataFrame({"cell": ["555"] * 10 + ["111"] * 10, "responded": [1, 1] + [0] * 18})
    >>> table = response_table(
    ...     mailed, outcome="responded", by="cell", profit_per_response=20, contact_cost=1
    ... )
    >>> columns = ["cell", "response_rate", "index", "profit", "cumulative_profit", "best_depth"]
    >>> print(table[columns].to_string(index=False))
    cell  response_rate  index  profit  cumulative_profit  best_depth
     555            0.2  200.0    30.0               30.0        True
     111            0.0    0.0   -10.0               20.0       False
    """
    _require_one({"by": by, "score": score})
    _require_one({"amount": amount, "profit_per_response": profit_per_response})
    require_margin(margin)
    require_whole(groups, argument="groups", least=1, most=1_000, advice="Write 10.")
    _require_money(contact_cost, argument="contact_cost")
    if profit_per_response is not None:
        _require_money(profit_per_response, argument="profit_per_response")
    name = by if by is not None else score
    require_column_name(name, argument="by" if by is not None else "score")
    frame = read(
        mailed,
        treated=str(name),
        outcome=outcome,
        amount=amount,
        numbers=[] if score is None else [score],
    )
    cells = _cells(frame, by=by, score=score, has_amount=amount is not None)
    if score is not None:
        cells = _by_depth(cells, groups=int(groups))
    each = 0.0 if profit_per_response is None else float(profit_per_response)
    worth = cells["k"] * each if amount is None else cells["amount"] * margin
    profit = worth - contact_cost * cells["n"]
    order = (
        np.arange(len(profit))
        if score is not None
        else np.lexsort((cells["cell"].astype(str), -profit / cells["n"]))
    )
    columns = _columns(
        {key: values[order] for key, values in cells.items()},
        profit[order],
        name="depth" if score is not None else str(by),
        has_amount=amount is not None,
    )
    table = frames.table_like(columns, like=frame)
    unknown = (nw.col(name).fill_nan(None) for name in ("index", "responses_share"))
    return frames.give(frames.with_columns(table, *unknown), like=mailed)


def _cells(
    frame: frames.Frame, *, by: str | None, score: str | None, has_amount: bool
) -> Mapping[str, Any]:
    """Count and add up each cell, or each value of the score."""
    cell = nw.col(ARM) if by is not None else frames.known(str(score))
    marked = frames.with_columns(frame, **{_CELL: cell, "crmkit_square": nw.col(OUTCOME) ** 2})
    sums = {
        "n": nw.len(),
        "known": nw.col(OUTCOME).count(),
        "k": nw.col(OUTCOME).sum(),
        "square": nw.col("crmkit_square").sum(),
        "lowest": nw.col(OUTCOME).min(),
    }
    if has_amount:
        sums["amount"] = nw.col(AMOUNT).sum()
    data = marked.group_by(_CELL).agg(**sums).sort(_CELL).collect()
    found = {key: data[key].to_numpy().astype(float) for key in data.columns if key != _CELL}
    is_flag = np.isclose(found["k"], found["square"]) & (found["lowest"] >= 0)
    if not is_flag.all() or (found["known"] < found["n"]).any():
        msg = (
            "mailed customers: the outcome is not 0 or 1 everywhere.\n"
            "Give 1 for those who responded and 0 for the others; money goes into `amount`."
        )
        raise InvalidRowsError(msg, n_rows=int(found["n"][~is_flag].sum()), examples=())
    cells = data[_CELL].to_numpy()
    return {"cell": cells, **{key: found[key] for key in ("n", "k", "amount") if key in found}}


def _by_depth(cells: Mapping[str, Any], *, groups: int) -> Mapping[str, Any]:
    """Cut the values of the score into groups of equal size, equal scores in parts."""
    scores = cells["cell"].astype(float)
    if np.isnan(scores).any():
        n = int(cells["n"][np.isnan(scores)].sum())
        msg = f"mailed customers: the score is null in {n:,} rows.\nScore them, or leave them out."
        raise InvalidRowsError(msg, n_rows=n, examples=())
    order = np.argsort(-scores, kind="stable")
    total = {
        key: np.concatenate([[0.0], np.cumsum(cells[key][order])])
        for key in ("n", "k", "amount")
        if key in cells
    }
    depths = np.arange(groups + 1) / groups
    ends = depths * total["n"][-1]
    parts = {key: np.diff(np.interp(ends, total["n"], values)) for key, values in total.items()}
    return {"cell": depths[1:], **parts}


def _columns(
    cells: Mapping[str, Any], profit: Floats, *, name: str, has_amount: bool
) -> dict[str, Any]:
    n, k = cells["n"], cells["k"]
    average = k.sum() / n.sum()
    rate = k / n
    cumulative = np.cumsum(profit)
    index = 100 * rate / average if average else np.full(len(n), math.nan)
    responses = np.cumsum(k) / k.sum() if average else np.full(len(n), math.nan)
    return {
        name: cells["cell"],
        "contacts": n,
        "responses": k,
        "response_rate": rate,
        "index": index,
        **({"amount": cells["amount"]} if has_amount else {}),
        "profit": profit,
        "profit_per_contact": profit / n,
        "pays": profit >= 0,
        "customers_share": np.cumsum(n) / n.sum(),
        "responses_share": responses,
        "cumulative_profit": cumulative,
        "best_depth": np.arange(len(n)) == int(np.argmax(cumulative)),
    }


def _require_one(given: Mapping[str, object]) -> None:
    there = [name for name, value in given.items() if value is not None]
    if len(there) != 1:
        names: Sequence[str] = list(given)
        msg = f"Give one of `{names[0]}` and `{names[1]}`, got {len(there)} of them."
        raise InvalidArgumentError(msg)


def _require_money(value: float, *, argument: str) -> None:
    require_zero_or_more(value, argument=argument, advice="Give the money of one customer.")
