"""Reasons that customers gave, counted, beside those of the model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_column_name
from crmkit._words.rates import require_level
from crmkit.models.numerics.proportions import wilson
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

NOT_GIVEN = "not given"


def stated_reasons(
    answers: IntoFrameT,
    *,
    reason: str,
    modelled: IntoFrame | None = None,
    level: float = 0.9,
) -> IntoFrameT:
    """Count the reasons that customers gave for leaving, beside those of the model.

    What customers say and what a model looks at are two things: people say "price" readily. They
    answer as they like, so those without an answer are counted, too.

    Parameters
    ----------
    answers
        One row per customer and reason given, with `customer_id`; null where none was given.
    reason
        The column of reasons.
    modelled
        The table of `crmkit.churn.reasons`, to set the model's strongest reason beside each.
    level
        Coverage of the interval of the share (Wilson's).

    Returns
    -------
    One row per reason, the most frequent first, "not given" for null:

    ====================  =====  =============================================================
    ``reason``            text   as the customers gave it
    ``n_customers``       int    customers who gave it
    ``share``             float  of all customers in `answers`
    ``low``               float  lower end of its interval
    ``high``              float  upper end
    ``modelled``          text   feature that is most often the model's first reason for them,
                                 where `modelled` was given
    ``modelled_share``    float  share of those customers with a first reason for whom it is that
    ====================  =====  =============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing.
    InvalidArgumentError
        If `reason` is not the name of a column, or `level` is not between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan"],
    ...         "why": ["price", "moved", "price", None],
    ...     }
    ... )
    >>> table = stated_reasons(answers, reason="why")
    >>> print(table[["reason", "n_customers", "share"]].to_string(index=False))
       reason  n_customers  share
        price            2   0.50
        moved            1   0.25
    not given            1   0.25
    """
    require_column_name(reason, argument="reason")
    require_level(level)
    id_ = Column("customer_id", "key", "who")
    given = Column(reason, "key", "reason given", nullable=True, made_by=NOT_MADE)
    frame = frames.read(answers, Table("answers", "one reason", NOT_MADE, (id_, given)))
    rows = frames.rows(frame.select("customer_id", reason))
    customers: dict[str, set[Any]] = {}
    for row in rows:
        said = NOT_GIVEN if row[reason] is None else str(row[reason])
        customers.setdefault(said, set()).add(row["customer_id"])
    everybody = {row["customer_id"] for row in rows}
    order = sorted(customers, key=lambda said: (-len(customers[said]), said))
    k = np.array([len(customers[said]) for said in order], dtype=float)
    n = float(len(everybody))
    low, high = wilson(k, n, level=level) if len(k) else (k, k)
    columns: dict[str, Any] = {
        "reason": order,
        "n_customers": k.astype(np.int64),
        "share": k / n if len(k) else k,
        "low": low,
        "high": high,
    }
    if modelled is not None:
        columns |= _beside(modelled, [customers[said] for said in order])
    return frames.give(frames.table_like(columns, like=frame), like=answers)


def _beside(modelled: IntoFrame, groups: list[set[Any]]) -> dict[str, Any]:
    """The feature that is most often the first reason for each group."""
    table = Table(
        "modelled reasons",
        "one customer",
        "crmkit.churn.reasons",
        (
            Column("customer_id", "key", "who"),
            Column("reason_1_feature", "text", "first reason", nullable=True),
        ),
    )
    frame = frames.read(modelled, table).select("customer_id", "reason_1_feature")
    first = {row["customer_id"]: row["reason_1_feature"] for row in frames.rows(frame)}
    names: list[str | None] = []
    shares = []
    for group in groups:
        counts = Counter(first[each] for each in group if first.get(each) is not None)
        name, n = min(counts.items(), key=lambda item: (-item[1], item[0])) if counts else (None, 0)
        names.append(name)
        shares.append(n / counts.total() if counts else np.nan)
    return {"modelled": names, "modelled_share": np.array(shares, dtype=float)}
