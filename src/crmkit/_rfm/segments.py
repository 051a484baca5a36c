"""RFM segments of customers, and a summary of each."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._rfm.breakpoints import MOST_SCORES, SCORES, require_n
from crmkit._rfm.built_in_maps import BEST_SCORE
from crmkit._rfm.maps import OTHERS, MapName, Rules, matches, read_rules
from crmkit._words.formats import counted
from crmkit.errors import CrmkitWarning, InvalidArgumentError, MissingColumnsError
from crmkit.tables import SCORED, SEGMENTED

_FEWEST: Final = BEST_SCORE
"""With fewer customers than scores, the best score may well be missing."""


def segment(
    scored: IntoFrameT, *, segments: MapName | IntoFrame = "rf_ranks", n: int | None = None
) -> IntoFrameT:
    """Assign each customer to an RFM segment.

    Segments are ranks among one's own customers: how often and how recently they buy beside the
    others. Whether somebody is new, late or lost by their own rhythm is a life-cycle stage
    (`crmkit.lifecycle.assign`), and the default map has no names that sound like one.

    A segment map turns scores into segments. The built-in maps are for scores from 1 to 5, and are
    refused for others: on scores from 1 to 3 nobody could be among the most frequent. For another
    number of scores, or other names, edit a map and pass the table.

    Parameters
    ----------
    scored
        One row per customer, as made by `crmkit.rfm.score`.
    segments
        The name of a built-in map (see `crmkit.rfm.segment_map`; "codes_125" has the names of the
        trade), or a table of your own on any
        engine: either ``rfm_code, segment``, one row per code, or ``segment, r_min, r_max,
        f_min, f_max`` and, where amounts matter, ``m_min, m_max``, where the first row that
        fits decides. `crmkit.rfm.check_map` lists the gaps of a map.
    n
        The best score that customers can have, as in `crmkit.rfm.breakpoints`. Without it, a
        built-in map is held against the scores in the table, and a lazy table, which is not
        looked at, is taken to have five.

    Returns
    -------
    The same rows in the same order, with:

    ===========  ====  ========================================================
    ``segment``  text  the segment's name; "Others" where the map has no row for
                       the customer's scores
    ===========  ====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `scored` or the map breaks its contract, if the map uses amounts and customers have
        no m_score, or if a map of codes has a code twice.
    InvalidArgumentError
        If `segments` is not the name of a built-in map, `n` is not a whole number from 2 to 9, or a
        built-in map meets scores above 5, or another `n`.

    Warns
    -----
    CrmkitWarning
        If no score of five customers or more reaches the best one of a built-in map. Give `n` where
        the table is a part of all customers.

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "r_score": [5, 1, 5],
    ...         "f_score": [5, 4, 1],
    ...         "m_score": [5, 4, 2],
    ...     }
    ... )
    >>> print(segment(scored)[["customer_id", "segment"]].to_string(index=False))
    customer_id                 segment
            ann   Frequent, most recent
            ben  Frequent, least recent
            cid Infrequent, most recent
    """
    if n is not None:
        require_n(n)
    frame = frames.read(scored, SCORED)
    rules = read_rules(segments, each_code_once=True)
    n_scores = len(rules[0].ranges) if rules else len("rf")
    if n_scores == len("rfm") and not frames.has(frame, "m_score"):
        msg = (
            "scored customers: no column `m_score`, and this segment map uses it.\n"
            'Score customers by amount too, or use a map without amounts, such as "rf_25".'
        )
        raise MissingColumnsError(msg)
    if isinstance(segments, str):
        best = _best_score(frame, like=scored) if n is None else None
        _require_five_scores(segments, n=n, best=best)
    code = nw.col("r_score") * 10 + nw.col("f_score")
    if n_scores == len("rfm"):
        code = code * 10 + nw.col("m_score")
    name: nw.Expr = nw.when(~code.is_null()).then(nw.lit(OTHERS))
    for found, codes in _codes_by_segment(rules).items():
        name = nw.when(code.is_in(codes)).then(nw.lit(found)).otherwise(name)
    return frames.give(frames.with_columns(frame, segment=name), like=scored)


def segment_summary(segmented: IntoFrameT) -> IntoFrameT:
    """Summarize RFM segments: customers, orders and revenue of each.

    Parameters
    ----------
    segmented
        One row per customer, as made by `crmkit.rfm.segment`.

    Returns
    -------
    One row per segment that occurs, highest total amount first:

    ========================  =====  ======================================================
    ``segment``               text   the segment's name
    ``n_customers``           int    customers in the segment
    ``customer_share``        float  share of all customers
    ``orders``                int    their orders
    ``mean_days_since_last``  float  days since the last order, mean over customers
    ``mean_orders``           float  orders per customer
    ``total_amount``          float  their total amount
    ``amount_share``          float  share of the total of all; null where that is not above 0
    ``mean_amount``           float  amount per customer
    ``average_order_value``   float  amount per order
    ========================  =====  ======================================================

    Without a `total_amount`, the last four columns are left out and the segment with most
    customers comes first.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `segmented` breaks its contract.

    Notes
    -----
    Where returns exceed purchases in a segment, its share of the money is below 0 and another
    segment's may be above 1.

    Examples
    --------
    >>> import pandas as pd
    >>> segmented = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "days_since_last": [3, 200, 300],
    ...         "orders": [9, 1, 2],
    ...         "total_amount": [900.0, 20.0, 80.0],
    ...         "segment": ["often", "seldom", "seldom"],
    ...     }
    ... )
    >>> columns = ["segment", "n_customers", "orders", "total_amount", "amount_share"]
    >>> print(segment_summary(segmented)[columns].to_string(index=False))
    segment  n_customers  orders  total_amount  amount_share
      often            1       9         900.0           0.9
     seldom            2       3         100.0           0.1
    """
    frame = frames.read(segmented, SEGMENTED)
    money = ["total_amount"] if frames.has(frame, "total_amount") else []
    sums = frame.group_by("segment").agg(
        nw.len().alias("n_customers"),
        nw.col("days_since_last").sum(),
        nw.col("orders", *money).sum(),
    )
    whole = ("n_customers", "days_since_last", "orders")
    sums = sums.with_columns(nw.col(*whole).cast(nw.Int64))
    customers = nw.col("n_customers")
    summary = sums.select(
        "segment",
        "n_customers",
        (customers / customers.sum()).alias("customer_share"),
        "orders",
        (nw.col("days_since_last") / customers).alias("mean_days_since_last"),
        (nw.col("orders") / customers).alias("mean_orders"),
        *(_money_columns() if money else []),
    )
    first = "total_amount" if money else "n_customers"
    ranked = summary.sort(first, "segment", descending=[True, False])
    return frames.give_in_order(ranked, like=segmented)


def _best_score(frame: frames.Frame, *, like: IntoFrame) -> int | None:
    """Find the best score in a table; None where it is a plan, or holds a handful of customers."""
    if frames.is_lazy(like):
        return None
    names = [name for name in SCORES.values() if frames.has(frame, name)]
    scores = frame.filter(~frames.known("r_score").is_null()).select(
        *(nw.col(name).max() for name in names), n_customers=nw.len()
    )
    (row,) = frames.rows(scores)
    best = int(max((row[name] or 0) for name in names))
    is_few = row["n_customers"] < _FEWEST and best <= BEST_SCORE
    return None if is_few else best


def _require_five_scores(name: str, *, n: int | None, best: int | None) -> None:
    """Refuse a built-in map for more or other scores; warn where none reaches the best."""
    advice = (
        "Score customers with rfm.breakpoints(n=5), or edit rfm.segment_map() for your scores and "
        "pass the table."
    )
    if n is not None and n != BEST_SCORE:
        found = f"customers have {counted(n, 'score')}"
    elif best is not None and best > BEST_SCORE:
        found = f"customers have scores up to {best}"
    elif best is not None and best < BEST_SCORE:
        msg = (
            f"scored customers: no score is above {best}, and the map {name!r} is for scores from "
            f"1 to {BEST_SCORE}: its best segments stay empty.\n{advice} Write n=5 where these are "
            "a part of all customers."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=3)
        return
    else:
        return
    msg = (
        f"`segments`: the map {name!r} is for scores from 1 to {BEST_SCORE}, but {found}.\n{advice}"
    )
    raise InvalidArgumentError(msg)


def _codes_by_segment(rules: Rules) -> Mapping[str, list[int]]:
    codes: dict[str, list[int]] = {}
    for code, found in matches(rules, n=MOST_SCORES).items():
        if found:
            codes.setdefault(found[0], []).append(int(code))
    return codes


def _money_columns() -> list[nw.Expr]:
    amount = nw.col("total_amount")
    share = nw.when(amount.sum() > 0).then(amount / amount.sum())
    return [
        amount,
        share.alias("amount_share"),
        (amount / nw.col("n_customers")).alias("mean_amount"),
        (amount / nw.col("orders")).alias("average_order_value"),
    ]
