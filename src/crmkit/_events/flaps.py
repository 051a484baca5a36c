"""Customers who change back and forth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import narwhals as nw

from crmkit._door import frames
from crmkit._events.rules import EventRule

_FLAPS_FROM: Final = 4
_FLAPS_IN: Final = 20


def with_flaps(
    events: frames.Frame, earlier: frames.Frame, *, rules: Sequence[EventRule]
) -> frames.Frame:
    """Mark who has had several events of the same column in the last comparisons."""
    of_column = {rule.event: rule.column for rule in rules}
    dates = earlier.select("after_date").unique().collect()["after_date"].to_list()
    recent = sorted(day for day in dates if day is not None)[-(_FLAPS_IN - 1) :]
    kind = _kind(of_column)
    past = (
        earlier.filter(nw.col("after_date").is_in(recent))
        .with_columns(crmkit_kind=kind)
        .select("customer_id", "crmkit_kind", "after_date")
        .unique()
        .group_by("customer_id", "crmkit_kind")
        .agg(nw.len().alias("crmkit_n"))
    )
    joined = events.with_columns(crmkit_kind=kind).join(
        past, on=["customer_id", "crmkit_kind"], how="left"
    )
    n = nw.col("crmkit_n").fill_null(0)
    return joined.with_columns(flaps=n + 1 >= _FLAPS_FROM).drop("crmkit_kind", "crmkit_n")


def _kind(of_column: dict[str, str]) -> nw.Expr:
    kind = nw.col("event")
    for event, column in of_column.items():
        kind = nw.when(nw.col("event") == event).then(nw.lit(column or event)).otherwise(kind)
    return kind
