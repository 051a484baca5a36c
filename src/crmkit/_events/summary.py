"""How many events there are of each kind."""

from __future__ import annotations

from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit.tables import EVENTS


def summary(events: IntoFrameT) -> IntoFrameT:
    """Count the events, and the money at stake with each.

    Parameters
    ----------
    events
        The table of `crmkit.events.compare`.

    Returns
    -------
    One row per event, the highest priority first:

    ===============  =====  ==========================================
    ``event``        text   name of the event
    ``priority``     int    of the rule
    ``n_customers``  int    customers
    ``at_stake``     float  money at stake; null where nobody's is known
    ===============  =====  ==========================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `events` breaks its contract.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit.events import compare
    >>> before = pd.DataFrame({"customer_id": ["ann", "ben"], "stage": ["lapsing", "lapsing"]})
    >>> after = pd.DataFrame({"customer_id": ["ann", "ben"], "stage": ["lost", "lost"]})
    >>> print(summary(compare(before, after)).to_string(index=False))
    event  priority  n_customers  at_stake
     lost         1            2       NaN
    """
    frame = frames.read(events, EVENTS)
    known = frame.with_columns(crmkit_stake=frames.known("at_stake"))
    counted = known.group_by("event", "priority").agg(
        nw.len().alias("n_customers"),
        nw.col("crmkit_stake").sum().alias("at_stake"),
        nw.col("crmkit_stake").count().alias("crmkit_known"),
    )
    whole = counted.select(
        "event",
        nw.col("priority").cast(nw.Int64),
        nw.col("n_customers").cast(nw.Int64),
        nw.when(nw.col("crmkit_known") > 0).then(nw.col("at_stake")).alias("at_stake"),
    )
    ranked: Any = whole.sort("priority", "n_customers", "event", descending=[False, True, False])
    return frames.give_in_order(ranked, like=events)
