"""Scores from 1 to n for how lately, how often and for how much customers buy."""

from __future__ import annotations

import math
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._rfm.breakpoints import SCORES, Breakpoints, Cuts
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import MEASURES

_SAME_AMOUNT: Final = 1e-12  # the same amounts summed in another order differ by less


def score(customers: IntoFrameT, *, breakpoints: Breakpoints) -> IntoFrameT:
    """Score customers by kept cut points: how lately, how often and for how much they bought.

    The cuts may come from these customers or from last month's; a score means the same as long
    as the cuts are the same.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    breakpoints
        The cuts, as made by `crmkit.rfm.breakpoints`.

    Returns
    -------
    The same rows in the same order, with:

    ============  ====  =============================================================
    ``r_score``   int   how lately: 1 to n, n for the fewest days since the last order
    ``f_score``   int   how often: 1 to n, n for the most orders
    ``m_score``   int   how much: 1 to n, n for the highest total amount
    ``rfm_code``  text  the three scores side by side, such as "535"
    ``rfm_sum``   int   the three scores added up, 3 to 3n
    ============  ====  =============================================================

    Where the cut points know no amounts, `m_score`, `rfm_code` and `rfm_sum` are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or has no amounts where the cut points know them.
    InvalidArgumentError
        If `breakpoints` are no cut points.

    Notes
    -----
    Totals that agree to twelve digits are the same amount: sums of the same orders in another
    order can differ in the sixteenth.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "days_since_last": [3, 40, 200],
    ...         "orders": [9, 4, 1],
    ...         "total_amount": [900.0, 310.0, 20.0],
    ...     }
    ... )
    >>> kept = Breakpoints(n=3, days_since_last=(30, 180), orders=(2, 5), total_amount=(100, 500))
    >>> columns = ["customer_id", "r_score", "f_score", "m_score", "rfm_code", "rfm_sum"]
    >>> print(score(customers, breakpoints=kept)[columns].to_string(index=False))
    customer_id  r_score  f_score  m_score rfm_code  rfm_sum
            ann        3        3        3      333        9
            ben        2        2        2      222        6
            cid        1        1        1      111        3
    """
    if not isinstance(breakpoints, Breakpoints):
        msg = (
            f"`breakpoints` must be cut points, got {type(breakpoints).__name__}.\n"
            "Make them with crmkit.rfm.breakpoints(), or read kept ones with "
            "rfm.Breakpoints.from_json()."
        )
        raise InvalidArgumentError(msg)
    frame = frames.read(customers, MEASURES)
    scored = with_r_and_f(frame, breakpoints)
    if breakpoints.total_amount is None:
        return frames.give(scored, like=customers)
    if not frames.has(frame, "total_amount"):
        msg = (
            "customer summary: no column `total_amount`, which these cut points score.\n"
            "Summarize transactions with amounts, or find cut points without them."
        )
        raise MissingColumnsError(msg)
    scored = frames.with_columns(scored, m_score=_m_score(breakpoints, breakpoints.total_amount))
    scores = [nw.col(name) for name in SCORES.values()]
    return frames.give(
        frames.with_columns(
            scored,
            rfm_code=nw.concat_str([value.cast(nw.String) for value in scores]),
            rfm_sum=scores[0] + scores[1] + scores[2],
        ),
        like=customers,
    )


def with_r_and_f(frame: frames.Frame, breakpoints: Breakpoints) -> frames.Frame:
    """Score how lately and how often, the second within the first where cuts are nested."""
    days = _cuts_passed("days_since_last", breakpoints.days_since_last)
    with_r = frames.with_columns(frame, r_score=nw.lit(breakpoints.n).cast(nw.Int64) - days)
    if breakpoints.orders_within:
        orders = _cuts_passed_within("orders", breakpoints.orders_within, nw.col("r_score") - 1)
    else:
        orders = _cuts_passed("orders", breakpoints.orders)
    return frames.with_columns(with_r, f_score=orders + 1)


def f_cell(n: int) -> nw.Expr:
    """Tell the cell of r_score and f_score, numbered from 0."""
    return (nw.col("r_score") - 1) * n + nw.col("f_score") - 1


def _m_score(breakpoints: Breakpoints, cuts: Cuts) -> nw.Expr:
    if breakpoints.total_amount_within:
        cell = f_cell(breakpoints.n)
        return 1 + _cuts_passed_within("total_amount", breakpoints.total_amount_within, cell)
    return 1 + _cuts_passed("total_amount", cuts)


def _cuts_passed(measure: str, cuts: Cuts) -> nw.Expr:
    return _count(_passed(measure, cuts))


def _cuts_passed_within(measure: str, cells: tuple[Cuts, ...], cell: nw.Expr) -> nw.Expr:
    return _count(
        [
            (cell == number) & passed
            for number, cuts in enumerate(cells)
            for passed in _passed(measure, cuts)
        ]
    )


def _passed(measure: str, cuts: Cuts) -> list[nw.Expr]:
    if measure == "total_amount":
        cuts = tuple(cut - abs(cut) * _SAME_AMOUNT for cut in cuts)
    return [nw.col(measure) >= nw.lit(cut) for cut in cuts if math.isfinite(cut)]


def _count(conditions: list[nw.Expr]) -> nw.Expr:
    """Count the conditions that hold, as a shallow sum: engines limit how deep one may be."""
    terms = [condition.cast(nw.Int64) for condition in conditions] or [nw.lit(0).cast(nw.Int64)]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [a + b for a, b in pairs] + terms[len(terms) - len(terms) % 2 :]
    return terms[0]
