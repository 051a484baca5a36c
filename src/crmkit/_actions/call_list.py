"""The customers to contact first, and what is at stake with each action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_column_name, require_list, require_whole
from crmkit.errors import MissingColumnsError
from crmkit.tables import RECOMMENDED

STOP: Final = ("stop paid contact",)
"""Actions of `crmkit.actions.plan` that mean no contact."""

LATE: Final = ("at risk", "lapsing")
"""The stages of those who are late by their own rhythm, and not yet lost."""

AWAY: Final = (
    "Frequent, least recent",
    "Medium frequency, least recent",
    "Infrequent, least recent",
    *("Cannot Lose Them", "At Risk", "cant_lose", "at_risk"),
)
"""The segments, of each map, of those who bought longest ago."""

_SUMMED: Final = replace(
    RECOMMENDED,
    columns=tuple(
        replace(column, required=column.name in ("customer_id", "action"))
        for column in RECOMMENDED.columns
        if column.name in ("customer_id", "action", "clv", "value_at_risk")
    ),
)

_WORTH: Final = ("expected_purchases", "total_amount", "orders", "days_since_last")
"""What ranks customers whose value at risk is unknown: the first of these that is known."""


def call_list(
    customers: IntoFrameT,
    *,
    most: int = 100,
    keep: Sequence[str] = (),
    no_contact: Sequence[str] = STOP,
) -> IntoFrameT:
    """List the customers to contact first: those with most value at risk.

    Value at risk ranks customers; it does not say that a call helps. Hold back a control group
    to find out.

    Parameters
    ----------
    customers
        One row per customer with `customer_id`, `value_at_risk` from
        `crmkit.churn.value_at_risk` and `action`, as in the customers of `crmkit.pipeline.run`.
    most
        Length of the list.
    keep
        Columns of your own to show right after `customer_id`, such as name and phone.
    no_contact
        Actions that mean no contact: customers with one of them are not listed.

    Returns
    -------
    The first `most` customers whose value at risk is known, highest first and of equals the
    lower `customer_id`, with these columns where the table has them: ``customer_id, action,
    action_reason, value_at_risk, past_amount, clv, churn_risk, risk_reason, stage, stage_reason,
    tier, segment, last_date, orders, total_amount``.

    Without a column `value_at_risk`, it is those in the stages "at risk" and "lapsing", or without
    stages those in segments who bought longest ago, or else all; ranked by the first of
    ``expected_purchases, total_amount, orders, days_since_last`` that the table has, which then
    stand before the other columns.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or lacks a column of `keep`.
    InvalidArgumentError
        If `most` is not a whole number of 1 or more, `keep` is not a list of names, or
        `no_contact` not one of actions.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "action": ["call now", "send a reminder", "call now"],
    ...         "value_at_risk": [20.0, 5.0, 80.0],
    ...     }
    ... )
    >>> print(call_list(customers, most=2).to_string(index=False))
    customer_id   action  value_at_risk
            cid call now           80.0
            ann call now           20.0
    """
    require_whole(most, argument="most", least=1, advice="Write 100.")
    frame = frames.read(customers, RECOMMENDED)
    _require_kept(frame, keep)
    stop = require_list(no_contact, argument="no_contact", example='("stop paid contact",)')
    has = set(frame.collect_schema().names())
    _, *shown = RECOMMENDED.column_names
    if "value_at_risk" in has:
        by = "value_at_risk"
        listed = frame.filter(~frames.known(by).is_null())
    else:
        by = _require_worth(has)
        shown = list(dict.fromkeys(("days_since_last", *_WORTH[:-1], *shown)))
        listed = _away(frame, has)
    listed = _contacted(listed, no_contact=stop if "action" in has else ())
    present = [name for name in shown if name in has and name not in keep]
    ranked = listed.select("customer_id", *keep, *present).sort(
        by, "customer_id", descending=[True, False], nulls_last=True
    )
    return frames.give_in_order(ranked.head(most), like=customers)


def _away(frame: frames.Frame, has: set[str]) -> frames.Frame:
    """Keep customers who are late, by the best sign that is known."""
    if "days_since_last" in has:
        frame = frame.filter(~frames.known("days_since_last").is_null())
    if "stage" in has:
        return frame.filter(nw.col("stage").is_in(LATE))
    if "segment" in has:
        return frame.filter(nw.col("segment").is_in(AWAY))
    return frame


def _require_worth(has: set[str]) -> str:
    """Require a column to rank by in place of the value at risk."""
    found = next((name for name in _WORTH if name in has), None)
    if found is None:
        msg = (
            f"{RECOMMENDED.name}: no column `value_at_risk`, and none of "
            f"{frames.quoted(_WORTH)} to rank by in its place.\n"
            "Add `value_at_risk` with crmkit.churn.value_at_risk()."
        )
        raise MissingColumnsError(msg)
    return found


def _contacted(frame: frames.Frame, *, no_contact: Sequence[str]) -> frames.Frame:
    """Leave out customers whose action means no contact."""
    if not no_contact:
        return frame
    is_stopped = nw.col("action").cast(nw.String).is_in([str(each) for each in no_contact])
    return frame.filter(nw.col("action").is_null() | ~is_stopped)


def summary(customers: IntoFrameT) -> IntoFrameT:
    """Summarize recommended actions: customers, value and value at risk of each.

    Parameters
    ----------
    customers
        One row per customer with `customer_id` and `action`, and where known `clv` and
        `value_at_risk`, as in the customers of `crmkit.pipeline.run`.

    Returns
    -------
    One row per action, the highest value at risk first; without `value_at_risk` the action of most
    customers first, and only their number:

    =================  =====  ========================================================
    ``action``         text   what to do
    ``n_customers``    int    customers with this action
    ``n_unknown``      int    those of them whose value at risk is unknown
    ``clv``            float  sum of their expected value; null where nobody's is known;
                              left out where the table does not have it
    ``value_at_risk``  float  sum of their value at risk; null likewise
    =================  =====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "action": ["call now", "send a reminder", "call now"],
    ...         "clv": [60.0, 30.0, 90.0],
    ...         "value_at_risk": [20.0, 5.0, 80.0],
    ...     }
    ... )
    >>> print(summary(customers).to_string(index=False))
             action  n_customers  n_unknown   clv  value_at_risk
           call now            2          0 150.0          100.0
    send a reminder            1          0  30.0            5.0
    """
    frame = frames.read(customers, _SUMMED)
    if not frames.has(frame, "value_at_risk"):
        counted = frame.group_by("action").agg(nw.len().alias("n_customers"))
        whole = counted.with_columns(nw.col("n_customers").cast(nw.Int64))
        by_size = whole.sort("n_customers", "action", descending=[True, False], nulls_last=True)
        return frames.give_in_order(by_size, like=customers)
    values = [name for name in ("clv", "value_at_risk") if frames.has(frame, name)]
    known = frame.select("action", *(frames.known(name).alias(name) for name in values))
    sums = known.group_by("action").agg(
        nw.len().alias("n_customers"),
        *(nw.col(name).sum() for name in values),
        *(nw.col(name).count().alias(f"{name}_known") for name in values),
    )
    counts = ("n_customers", *(f"{name}_known" for name in values))
    sums = sums.with_columns(nw.col(*counts).cast(nw.Int64))
    grouped = sums.select(
        "action",
        "n_customers",
        (nw.col("n_customers") - nw.col("value_at_risk_known")).alias("n_unknown"),
        *(nw.when(nw.col(f"{n}_known") > 0).then(nw.col(n)).alias(n) for n in values),
    )
    ranked = grouped.sort("value_at_risk", "action", descending=[True, False], nulls_last=True)
    return frames.give_in_order(ranked, like=customers)


def _require_kept(frame: frames.Frame, keep: Sequence[str]) -> None:
    """Require the columns to keep, of any type."""
    require_list(keep, argument="keep", example='("name", "phone")')
    for name in keep:
        require_column_name(name, argument="keep")
    missing = [name for name in keep if not frames.has(frame, name)]
    if missing:
        msg = (
            f"{RECOMMENDED.name}: no column {frames.quoted(missing)}, and `keep` names it.\n"
            "Add it to the table, or leave it out of `keep`."
        )
        raise MissingColumnsError(msg)
