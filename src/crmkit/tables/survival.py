"""Survival: how long contracts have run, and the curves that are made of it."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Rule, Table

DURATIONS: Final = Table(
    name="durations",
    row="one contract that was followed for a while",
    made_by="one row per contract, as in pandas.DataFrame",
    columns=(
        Column("duration", "number", "how long it was followed, in any one unit", 0),
        Column("event", "key", "1 if it ended then, 0 if it still ran"),
        Column(
            "entry",
            "number",
            "how long it had run when it was first seen; null or absent: seen from its start",
            0,
            nullable=True,
            required=False,
        ),
    ),
)

SURVIVAL_CURVE: Final = Table(
    name="survival curve",
    row="one duration at which a contract ended or was last seen",
    made_by="crmkit.churn.survival",
    columns=(
        Column("duration", "number", "days from the start of the contract", 0),
        Column("n_risk", "count", "contracts at risk just before", 0),
        Column("n_event", "count", "contracts that ended", 0),
        Column("n_censored", "count", "contracts that still ran when last seen", 0),
        Column("survival", "number", "share of contracts that run on after it", 0, 1),
        Column("lower", "number", "lower bound of the interval", 0, 1, nullable=True),
        Column("upper", "number", "upper bound of the interval", 0, 1, nullable=True),
    ),
    rules=(Rule("n_event", "n_risk", because="only contracts at risk end"),),
)

SOURCE_COSTS: Final = Table(
    name="costs of sources",
    row="one source of customers",
    made_by=NOT_MADE,
    columns=(
        Column("source", "key", "where the leads come from", made_by=NOT_MADE),
        Column("cost", "number", "what the source cost in all", 0, made_by=NOT_MADE),
    ),
    one_row_each="source",
)
