"""Events: what counts as one, and what happened."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import Column, Table

EVENT_RULES: Final = Table(
    name="event rules",
    row="one rule",
    made_by="crmkit.events.rules",
    columns=(
        Column("event", "text", "name of the event"),
        Column("column", "text", "the column that is compared", nullable=True),
        Column("change", "text", "which change counts"),
        Column("compare_to", "text", "value, threshold or order", nullable=True),
        Column("priority", "count", "1 for what somebody should hear of today", 1),
        Column("reason", "text", "why it matters"),
    ),
)

EVENTS: Final = Table(
    name="events",
    row="one event of a customer",
    made_by="crmkit.events.compare",
    columns=(
        Column("customer_id", "key", "who"),
        Column("event", "text", "name of the event"),
        Column("priority", "count", "1 first", 1),
        Column("old_value", "text", "value before", nullable=True),
        Column("new_value", "text", "value after", nullable=True),
        Column("at_stake", "number", "money at stake", nullable=True),
        Column("reason", "text", "why it matters"),
        Column("after_date", "date", "day of the second snapshot", nullable=True, required=False),
    ),
)
