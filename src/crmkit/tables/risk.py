"""Churn risk: what it is made of, tested with, and what is at stake."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crmkit.tables.contracts import Column, Table
from crmkit.tables.customers import HISTORY, PREDICT, STAGED, SUMMARY

_RISK: Final = Column(
    "churn_risk", "number", "probability of no purchase within the horizon", 0, 1, nullable=True
)

RISK_SIGNALS: Final = Table(
    name="customer summary",
    row="one customer or prospect",
    made_by="crmkit.rfm.summarize",
    columns=(
        *SUMMARY.only("customer_id", *HISTORY).columns,
        Column(
            "overdue_ratio",
            "number",
            "days since the last purchase in expected gaps",
            0,
            nullable=True,
            required=False,
            made_by=STAGED.made_by,
        ),
    ),
    rules=SUMMARY.only("customer_id", *HISTORY).rules,
    null_together=HISTORY,
    one_row_each="customer_id",
)

HELD_OUT_RISK: Final = Table(
    name="risk and holdout",
    row="one customer seen by the split",
    made_by="crmkit.rfm.holdout",
    columns=(
        Column("customer_id", "key", "who"),
        replace(_RISK, made_by="crmkit.churn.risk"),
        Column("frequency_holdout", "count", "purchase days after the split", minimum=0),
        Column("duration_holdout", "count", "days from the split to as_of", minimum=1),
    ),
    one_row_each="customer_id",
)

PAST_AMOUNT: Final = Table(
    name="past amounts",
    row="one customer",
    made_by="crmkit.churn.past_amount",
    columns=(
        Column("customer_id", "key", "who"),
        Column("past_amount", "number", "money of the last horizon, less returns"),
    ),
    one_row_each="customer_id",
)

AT_STAKE: Final = Table(
    name="customers with risk",
    row="one customer or prospect",
    made_by="crmkit.churn.risk",
    columns=(
        Column("customer_id", "key", "who"),
        _RISK,
        Column(
            "expected_purchases",
            "number",
            "purchase days within the horizon",
            0,
            nullable=True,
            required=False,
            made_by=PREDICT,
        ),
        Column(
            "expected_spend",
            "number",
            "mean amount of a future purchase day",
            nullable=True,
            required=False,
            made_by=PREDICT,
        ),
    ),
    one_row_each="customer_id",
)
