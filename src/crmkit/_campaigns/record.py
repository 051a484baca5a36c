"""What came of a campaign, written beside who was treated."""

from __future__ import annotations

from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit.errors import InvalidRowsError
from crmkit.tables import CAMPAIGN_OUTCOMES, TREATED

_HERE: Final = "crmkit_here"


def record(treated: IntoFrameT, *, outcomes: IntoFrameT) -> IntoFrameT:
    """Write the outcomes of a campaign beside who was treated, for `crmkit.campaigns.result`.

    Everybody who was drawn keeps a row, whether reached or not: leaving out those whom nobody
    reached would compare other people than the control group has.

    Parameters
    ----------
    treated
        One row per customer with `customer_id` and `treated`, from `crmkit.campaigns.split`.
    outcomes
        One row per customer with `customer_id`, `outcome` (a flag, or 0 and 1) and where known
        `amount`, on the same engine. Those without a row did nothing. Other columns, such as the
        date or the reason, are kept.

    Returns
    -------
    The rows of `treated` with the columns of `outcomes`: ``outcome`` is 0 and ``amount`` 0 for
    those without a row, other columns are null.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract, or an outcome is of somebody who is not in `treated`.

    Examples
    --------
    >>> import pandas as pd
    >>> treated = pd.DataFrame({"customer_id": ["ann", "ben"], "treated": [True, False]})
    >>> outcomes = pd.DataFrame({"customer_id": ["ben"], "outcome": [1], "amount": [30.0]})
    >>> print(record(treated, outcomes=outcomes).to_string(index=False))
    customer_id  treated  outcome  amount
            ann     True        0     0.0
            ben    False        1    30.0
    """
    drawn = frames.read(treated, TREATED).drop("outcome", "amount", strict=False)
    found = frames.read(outcomes, CAMPAIGN_OUTCOMES)
    schema = found.collect_schema()
    value = nw.col("outcome")
    if schema["outcome"] == nw.Boolean:
        value = nw.when(value).then(nw.lit(1)).otherwise(nw.lit(0))
    _require_drawn(found, drawn)
    new = [name for name in schema.names() if name not in drawn.collect_schema().names()]
    found = frames.with_columns(found, outcome=value.cast(nw.Int64)).select("customer_id", *new)
    joined = frames.join_left(drawn, found, on="customer_id")
    filled = {"outcome": nw.col("outcome").fill_null(0).cast(nw.Int64)}
    if "amount" in schema:
        known = frames.known("amount")
        filled["amount"] = nw.when(known.is_null()).then(nw.lit(0.0)).otherwise(known)
    return frames.give(frames.with_columns(joined, **filled), like=treated)


def _require_drawn(found: frames.Frame, drawn: frames.Frame) -> None:
    """Require that each outcome is of somebody who was drawn."""
    strangers = found.join(drawn.select("customer_id"), on="customer_id", how="anti")
    ids = strangers.select("customer_id").collect()["customer_id"].to_list()
    if ids:
        first = ", ".join(map(repr, sorted(ids, key=str)[:3]))
        msg = (
            f"campaign outcomes: {len(ids):,} rows are of customers who are not in `treated` "
            f"(customer_id {first}).\nGive the outcomes of this campaign, or all who were drawn."
        )
        raise InvalidRowsError(msg, n_rows=len(ids), examples=tuple(ids[:3]))
