"""Where all begins: a company's own records, and what is wrong with them."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import Column, Rule, Table

LEDGER: Final = Table(
    name="transactions",
    row="one order, order line or return",
    made_by="crmkit.transactions",
    is_summed_up=True,
    columns=(
        Column("customer_id", "key", "who bought"),
        Column("date", "date", "day, or time without a zone, of the purchase"),
        Column(
            "amount", "number", "money in one currency; below zero for a return", required=False
        ),
        Column("order_id", "key", "which order the line belongs to", required=False),
        Column("product", "key", "what was bought", nullable=True, required=False),
        Column("quantity", "number", "units bought", nullable=True, required=False),
        Column("cost", "number", "what the row cost the company", nullable=True, required=False),
        Column(
            "is_purchase",
            "flag",
            "whether the row is a purchase; where the column is absent, rows with an amount of "
            "zero or more are, and rows below zero change money but never timing",
            required=False,
        ),
        Column(
            "n_orders_of_day",
            "count",
            "orders of the customer on the day; only in a table of crmkit.rfm.purchase_days, "
            "which has one row per customer and day",
            minimum=0,
            required=False,
        ),
    ),
)

PROSPECTS: Final = Table(
    name="prospects",
    row="one person known by name, whether or not they have bought",
    made_by="one customer_id per person, as in pandas.DataFrame",
    columns=(Column("customer_id", "key", "who"),),
)

PEOPLE: Final = Table(
    name="people",
    row="one record of a person, whichever department keeps it",
    made_by="one row per record, as in pandas.DataFrame",
    columns=(Column("customer_id", "key", "who, in that department"),),
)

COSTS: Final = Table(
    name="costs",
    row="one item of a cost-benefit statement",
    made_by="crmkit.costs",
    columns=(
        Column("item", "text", "what the money went to or came from"),
        Column("kind", "text", '"cost" or "revenue"'),
        Column("amount", "number", "money in one currency; the kind gives the direction"),
        Column("group", "text", "what the item belongs to", nullable=True, required=False),
    ),
)

FINDINGS: Final = Table(
    name="findings",
    row="one rule that a raw table was held against",
    made_by="crmkit.intake.check",
    columns=(
        Column("rule", "text", "what was looked for"),
        Column(
            "severity",
            "text",
            "error: crmkit.transactions refuses such rows; warning: read this before going on; "
            "info: fine, but good to know",
        ),
        Column("rows", "count", "rows found, 0 for none", minimum=0),
        Column("share", "number", "part of all rows; null for an empty table", 0, 1, nullable=True),
        Column("money", "number", "sum of their known amounts", nullable=True),
        Column("example", "text", "the first few, with row and customer; empty for none"),
    ),
)

CONTRACTS: Final = Table(
    name="contracts",
    row="one contract, from its first day to its end, renewals included",
    made_by="crmkit.contracts",
    columns=(
        Column("customer_id", "key", "whose contract it is"),
        Column("start", "date", "first day"),
        Column(
            "end",
            "date",
            "last day, or the day after; null for a contract that still runs",
            nullable=True,
        ),
        Column("cancelled", "date", "day on which it was cancelled", nullable=True, required=False),
        Column("amount", "number", "money of the contract", nullable=True, required=False),
        Column("agent", "key", "who looks after it", nullable=True, required=False),
    ),
    rules=(Rule("start", "end", because="a contract begins before it ends"),),
)
