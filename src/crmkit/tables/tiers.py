"""Tables about tiers: the audit of those assigned, and the moves between two days."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import Column, Table

AUDITED_TIERS: Final = Table(
    name="audited tiers",
    row="the audit of one customer",
    made_by="crmkit.tiers.audit",
    columns=(
        Column("audited_value", "number", "value that the rule looks at", nullable=True),
        Column("gap_to_cut", "number", "value less the cut of the assigned tier", nullable=True),
        Column("audit", "text", "right, over-graded, under-graded or unknown"),
    ),
)

TIER_MOVES: Final = Table(
    name="tier moves",
    row="one tier before and one after",
    made_by="crmkit.tiers.migrate",
    columns=(
        Column("tier_before", "text", "tier on the first day", nullable=True),
        Column("tier_after", "text", "tier on the second day", nullable=True),
        Column("move", "text", "stayed, up, down, entered, left or unknown"),
        Column("n_customers", "count", "customers", minimum=0),
        Column("value_before", "number", "their value on the first day", nullable=True),
        Column("value_after", "number", "their value on the second day", nullable=True),
    ),
)
