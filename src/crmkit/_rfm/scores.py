"""RFM scores from 1 to n: recency, frequency and monetary value."""

from __future__ import annotations

import math
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._rfm.breakpoints import SCORES, Breakpoints, Cuts
from crmkit._words.arguments import require_fitted
from crmkit.errors import MissingColumnsError
from crmkit.tables import MEASURES

_SAME_AMOUNT: Final = 1e-12  # the same amounts summed in another sequence differ by less


def score(customers: IntoFrameT, *, breakpoints: Breakpoints) -> IntoFrameT:
    """Score customers by recency, frequency and monetary value.

    The cut points may come from these customers or from last month's; scores by the same cut
    points can be compared.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    breakpoints
        The cut points, as made by `crmkit.rfm.breakpoints`.

    Returns
    -------
    The same rows in the same order, with:

    ============  ====  ==============================================================
    ``r_score``   int   recency: 1 to n, n for the fewest days since the last order
    ``f_score``   int   frequency: 1 to n, n for the most orders
    ``m_score``   int   monetary value: 1 to n, n for the highest total amount
    ``rfm_code``  text  the three scores side by side, such as "535"
    ``rfm_sum``   int   the three scores added up, 3 to 3n
    ============  ====  ==============================================================

    Without cut points for amounts, `m_score`, `rfm_code` and `rfm_sum` are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or lacks the amounts that the cut points score.
    InvalidArgumentError
        If `breakpoints` is of another type.

    Notes
    -----
    Totals that agree to twelve digits count as the same amount: sums of the same orders in
    another sequence can differ in the sixteenth.

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
    require_fitted(
        breakpoints, Breakpoints, argument="breakpoints", made_by="crmkit.rfm.breakpoints"
    )
    frame = frames.read(customers, MEASURES)
    scored = with_r_and_f(frame, breakpoints)
    if breakpoints.total_amount is None:
        return frames.give(scored, like=customers)
    if not frames.has(frame, "total_amount"):
        msg = (
            "customer summary: no column `total_amount`, and the cut points score it.\n"
            "Summarize transactions with amounts, or find cut points without them."
        )
        raise MissingColumnsError(msg)
    scored = frames.with_columns(scored, m_score=_m_score(breakpoints, breakpoints.total_amount))
    scores = [nw.col(name) for name in SCORES.values()]
    return frames.give(
        frames.with_columns(
            scored,
            rfm_code=_code(100 * scores[0] + 10 * scores[1] + scores[2]),
            rfm_sum=scores[0] + scores[1] + scores[2],
        ),
        like=customers,
    )


def with_r_and_f(frame: frames.Frame, breakpoints: Breakpoints) -> frames.Frame:
    """Append r_score and f_score; nested cuts score frequency within each r_score."""
    days = _cuts_passed("days_since_last", breakpoints.days_since_last)
    with_r = frames.with_columns(frame, r_score=nw.lit(breakpoints.n).cast(nw.Int64) - days)
    if breakpoints.orders_within:
        orders = _cuts_passed_within("orders", breakpoints.orders_within, nw.col("r_score") - 1)
    else:
        orders = _cuts_passed("orders", breakpoints.orders)
    return frames.with_columns(with_r, f_score=orders + 1)


def f_cell(n: int) -> nw.Expr:
    """Give each cell of r_score and f_score a number from 0 on."""
    return (nw.col("r_score") - 1) * n + nw.col("f_score") - 1


def _m_score(breakpoints: Breakpoints, cuts: Cuts) -> nw.Expr:
    if breakpoints.total_amount_within:
        cell = f_cell(breakpoints.n)
        return 1 + _cuts_passed_within("total_amount", breakpoints.total_amount_within, cell)
    return 1 + _cuts_passed("total_amount", cuts)


def _code(digits: nw.Expr) -> nw.Expr:
    """Write the scores side by side; pandas has floats where prospects have no scores."""
    text = digits.fill_null(0).cast(nw.Int64).cast(nw.String)
    return nw.when(~digits.is_null()).then(text)


def _cuts_passed(measure: str, cuts: Cuts) -> nw.Expr:
    # A comparison with NaN is false rather than unknown.
    return nw.when(~frames.known(measure).is_null()).then(_count(_passed(measure, cuts)))


def _cuts_passed_within(measure: str, cells: tuple[Cuts, ...], cell: nw.Expr) -> nw.Expr:
    passed_within = _count(
        [
            (cell == number) & passed
            for number, cuts in enumerate(cells)
            for passed in _passed(measure, cuts)
        ]
    )
    return nw.when(~frames.known(measure).is_null()).then(passed_within)


def _passed(measure: str, cuts: Cuts) -> list[nw.Expr]:
    if measure == "total_amount":
        cuts = tuple(cut - abs(cut) * _SAME_AMOUNT for cut in cuts)
    return [nw.col(measure) >= nw.lit(cut) for cut in cuts if math.isfinite(cut)]


def _count(conditions: list[nw.Expr]) -> nw.Expr:
    """Count the conditions that hold, in a shallow sum: engines limit the depth of expressions."""
    terms = [condition.cast(nw.Int64) for condition in conditions] or [nw.lit(0).cast(nw.Int64)]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [a + b for a, b in pairs] + terms[len(terms) - len(terms) % 2 :]
    return terms[0]
