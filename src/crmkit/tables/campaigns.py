"""Campaigns: what can be offered, who was contacted, and what happened."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Table

CAMPAIGN_OFFERS: Final = Table(
    name="campaign offers",
    row="one offer",
    made_by=NOT_MADE,
    columns=(
        Column("offer", "text", "what is offered", made_by=NOT_MADE),
        Column("cost", "number", "what it costs if it is taken", 0, made_by=NOT_MADE),
        Column(
            "p_with_column",
            "text",
            "the column with the probability to buy with it",
            made_by=NOT_MADE,
        ),
        Column("contact_cost", "number", "cost of one contact", 0, required=False),
    ),
)

PLANNED: Final = Table(
    name="planned contacts",
    row="one customer",
    made_by="crmkit.campaigns.plan",
    columns=(
        Column("customer_id", "key", "who"),
        Column("expected_cost", "number", "expected cost of contact and offer", 0, nullable=True),
        Column("expected_profit", "number", "expected profit of a contact", nullable=True),
        Column("profit_sd", "number", "standard deviation of the profit", 0, nullable=True),
        Column("breakeven_uplift", "number", "uplift that pays the cost", 0, nullable=True),
        Column("contact", "flag", "whether to contact", nullable=True),
        Column("contact_rank", "count", "order of contact", 1, nullable=True),
        Column("offer", "text", "which offer", nullable=True, required=False),
    ),
    one_row_each="customer_id",
)

TREATED: Final = Table(
    name="treated customers",
    row="one customer",
    made_by="crmkit.campaigns.split",
    columns=(
        Column("customer_id", "key", "who"),
        Column("treated", "key", "whether contacted, or which treatment"),
    ),
    one_row_each="customer_id",
)

CAMPAIGN_OUTCOMES: Final = Table(
    name="campaign outcomes",
    row="one customer",
    made_by=NOT_MADE,
    columns=(
        Column("customer_id", "key", "who", made_by=NOT_MADE),
        Column("outcome", "key", "1 for those who did, 0 for others", made_by=NOT_MADE),
        Column("amount", "number", "money of the time of the test", nullable=True, required=False),
    ),
    one_row_each="customer_id",
)
