"""What each table promises, column by column.

A table is declared here once. Functions hold their input to it (see `crmkit._frames.read`),
and the reference pages are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["key", "date", "count", "number", "text", "flag"]
"""What a column holds: `key` is any identifier, `count` a whole number, `number` a finite one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it means, and the values that it may hold."""

    name: str
    kind: Kind
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """One column never exceeds another, and the reason why."""

    lower: str
    upper: str
    because: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table's contract: what one row is, who makes it, its columns and rules."""

    name: str
    row: str
    made_by: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """All names, optional columns included."""
        return tuple(column.name for column in self.columns)

    def only(self, *names: str) -> Table:
        """Keep the named columns, each of them now required, and the rules between them."""
        kept = {column.name: replace(column, required=True) for column in self.columns}
        return replace(
            self,
            columns=tuple(kept[name] for name in names),
            rules=tuple(rule for rule in self.rules if {rule.lower, rule.upper} <= set(names)),
        )


LEDGER: Final = Table(
    name="transactions",
    row="one order, order line or return",
    made_by="crmkit.transactions",
    columns=(
        Column("customer_id", "key", "who bought"),
        Column("date", "date", "day, or time without a zone, of the purchase"),
        Column(
            "amount", "number", "money in one currency; below zero for a return", required=False
        ),
        Column("order_id", "key", "which order the line belongs to", required=False),
        Column("product", "key", "what was bought", nullable=True, required=False),
        Column("quantity", "number", "units bought", nullable=True, required=False),
        Column(
            "is_purchase",
            "flag",
            "whether the row is a purchase; where the column is absent, rows with an amount of "
            "zero or more are, and rows below zero change money but never timing",
            required=False,
        ),
    ),
)

SUMMARY: Final = Table(
    name="customer summary",
    row="one customer",
    made_by="crmkit.rfm.summarize",
    columns=(
        Column("customer_id", "key", "who"),
        Column("first_date", "date", "day of the first purchase", required=False),
        Column("last_date", "date", "day of the last purchase", required=False),
        Column("orders", "count", "orders, the first one counted", minimum=1, required=False),
        Column("total_amount", "number", "money of all orders less returns", required=False),
        Column("days_since_last", "count", "days from the last purchase to as_of", minimum=0),
        Column("frequency", "count", "x: purchase days after the first", minimum=0),
        Column("recency", "count", "t_x: days from the first purchase to the last", minimum=0),
        Column("T", "count", "days from the first purchase to as_of", minimum=0),
        Column(
            "monetary_value",
            "number",
            "mean amount of the purchase days after the first; null where there is none",
            nullable=True,
            required=False,
        ),
    ),
    rules=(Rule("recency", "T", because="nobody buys after the end of observation"),),
)

HOLDOUT: Final = Table(
    name="calibration and holdout summary",
    row="one customer seen by the split",
    made_by="crmkit.rfm.holdout",
    columns=(
        *SUMMARY.columns,
        Column("frequency_holdout", "count", "purchase days after the split", minimum=0),
        Column("amount_holdout", "number", "money after the split, less returns", required=False),
        Column("duration_holdout", "count", "days from the split to as_of", minimum=1),
    ),
    rules=SUMMARY.rules,
)
