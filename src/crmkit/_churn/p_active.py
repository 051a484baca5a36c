"""P(active), the rule of thumb that needs no model."""

from __future__ import annotations

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit.tables import SUMMARY


def p_active(customers: IntoFrameT) -> IntoFrameT:
    """P(active): rule of thumb by Schmittlein and Morrison, without a model.

    How probable is a time without purchases as long as this one, for a customer who still buys
    at the same rate? A small value means that something has changed. It is not the probability
    of being active: it ignores how often customers drop out, and assumes one constant purchase
    rate for each customer.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.

    Returns
    -------
    The same rows in the same order, with one more column:

    ============  =====  ===============================================================
    ``p_active``  float  0 … 1; 1 for customers without a repeat purchase
    ============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.

    Notes
    -----
    The repeat purchases of a customer who buys at random at a constant rate are uniform between
    the first purchase and `as_of`, so the probability that all of them fall by the last one is
    ``(recency / T) ** frequency``.

    References
    ----------
    Schmittlein, D. C. & Morrison, D. G. (1985). Is the customer still active? *The American
    Statistician* 39(4), 291-295.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["often", "seldom"],
    ...         "frequency": [10, 1],
    ...         "recency": [24, 24],
    ...         "T": [36, 36],
    ...     }
    ... )
    >>> print(p_active(customers).round(3).to_string(index=False))
    customer_id  frequency  recency  T  p_active
          often         10       24 36     0.017
         seldom          1       24 36     0.667
    """
    frame = frames.read(customers, SUMMARY.only("customer_id", "frequency", "recency", "T"))
    repeated = nw.col("frequency") > 0
    evenly = (nw.col("recency") / nw.col("T")) ** nw.col("frequency").cast(nw.Float64)
    judged = nw.when(repeated).then(evenly).otherwise(nw.lit(1.0))
    return frames.give(frames.with_columns(frame, p_active=judged), like=customers)
