"""Tables about tiers: those held and reviewed, audited, and moved between two days."""

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

HELD_TIERS: Final = Table(
    name="current tiers",
    row="one customer",
    made_by="crmkit.tiers.review",
    columns=(
        Column("customer_id", "key", "who"),
        Column("tier", "text", "the tier that is held; null where it is unknown", nullable=True),
        Column("tier_since", "date", "day of the tier", nullable=True, required=False),
        Column(
            "tier_expires",
            "date",
            "day until which the tier is kept",
            nullable=True,
            required=False,
        ),
        Column(
            "tier_basis",
            "text",
            '"rule", or why another has it, such as "by hand" and "invited"',
            nullable=True,
            required=False,
        ),
    ),
    one_row_each="customer_id",
)

REVIEWED_TIERS: Final = Table(
    name="reviewed tiers",
    row="one customer",
    made_by="crmkit.tiers.review",
    columns=(
        Column("customer_id", "key", "who"),
        Column("tier_before", "text", "tier on the first day", nullable=True),
        Column("tier", "text", "tier after the review", nullable=True),
        Column("move", "text", "stayed, up, down, entered or unknown"),
        Column("is_exempt", "flag", "whether the rule does not decide"),
        Column("falls_on", "date", "day on which the tier will fall", nullable=True),
    ),
    one_row_each="customer_id",
)
