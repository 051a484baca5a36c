"""One row per customer: history, pace, scores, stage, tier, risk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Rule, Table

_IN_DAYS: Final = "Durations are in days: multiply weeks by 7."
PREDICT: Final = "crmkit.clv.predict"
_ALL_SEEN: Final = Rule("recency", "T", because="nobody buys after the end of observation")
_NOT_RFM: Final = (
    "`recency` is days from the first purchase to the last, not days since the last; `frequency` "
    "leaves the first purchase out."
)

HISTORY: Final = ("days_since_last", "frequency", "recency", "T")

SUMMARY: Final = Table(
    name="customer summary",
    row="one customer, or one prospect with nulls",
    made_by="crmkit.rfm.summarize",
    columns=(
        Column("customer_id", "key", "who"),
        Column("first_date", "date", "day of the first purchase", nullable=True, required=False),
        Column("last_date", "date", "day of the last purchase", nullable=True, required=False),
        Column(
            "orders", "count", "orders, the first one counted", 1, nullable=True, required=False
        ),
        Column(
            "total_amount",
            "number",
            "money of all orders less returns",
            nullable=True,
            required=False,
        ),
        Column(
            "days_since_last", "count", "days from the last purchase to as_of", 0, nullable=True
        ),
        Column("frequency", "count", "x: purchase days after the first", 0, nullable=True),
        Column(
            "recency",
            "count",
            "t_x: days from the first purchase to the last",
            0,
            nullable=True,
            if_fractional=_IN_DAYS,
        ),
        Column(
            "T",
            "count",
            "days from the first purchase to as_of",
            0,
            nullable=True,
            if_fractional=_IN_DAYS,
        ),
        Column(
            "monetary_value",
            "number",
            "mean amount of the purchase days after the first; null where there is none",
            nullable=True,
            required=False,
        ),
        Column(
            "sum_log_gaps",
            "number",
            "sum of the natural logs of the days between purchase days; 0 where there is none",
            0,
            nullable=True,
            required=False,
            made_by="crmkit.rfm.summarize(..., log_gaps=True)",
        ),
    ),
    rules=(
        _ALL_SEEN,
        Rule(
            "recency",
            "frequency",
            because="one purchase day spans no time",
            only_at_zero=True,
            advice=_NOT_RFM,
        ),
        Rule(
            "frequency",
            "recency",
            because="each repeat purchase is on another day",
            advice=_NOT_RFM,
        ),
    ),
    null_together=HISTORY,
    one_row_each="customer_id",
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
    one_row_each="customer_id",
)

RHYTHM: Final = Table(
    name="rhythm",
    row="one customer or prospect",
    made_by="crmkit.lifecycle.rhythm",
    columns=(
        *SUMMARY.columns,
        Column(
            "mean_gap_days",
            "number",
            "mean days between purchase days; null where nobody came back",
            0,
            nullable=True,
        ),
        Column(
            "last_gap_days",
            "number",
            "days between the last two purchase days; null where nobody came back",
            0,
            nullable=True,
        ),
        Column("purchases_recent", "count", "purchase days in the recent window", 0, nullable=True),
        Column(
            "purchases_before",
            "number",
            "purchase days in the window of equal length before; null for one who came later",
            0,
            nullable=True,
        ),
        Column(
            "amount_recent",
            "number",
            "money in the recent window, less returns",
            nullable=True,
            required=False,
        ),
        Column(
            "amount_before",
            "number",
            "money in the window before, less returns; null for one who came later",
            nullable=True,
            required=False,
        ),
    ),
    rules=(_ALL_SEEN,),
    null_together=HISTORY,
    one_row_each="customer_id",
)

_SCORED_CUSTOMER: Final = (
    Column("customer_id", "key", "who"),
    Column("days_since_last", "count", "days from the last purchase to as_of", 0, nullable=True),
    Column("orders", "count", "orders, the first one counted", 1, nullable=True),
    Column(
        "total_amount", "number", "money of all orders less returns", nullable=True, required=False
    ),
)

MEASURES: Final = Table(
    name="customer summary",
    row="one customer",
    made_by="crmkit.rfm.summarize",
    columns=_SCORED_CUSTOMER,
    null_together=("days_since_last", "orders"),
    one_row_each="customer_id",
)

CUSTOMER_TOTALS: Final = Table(
    name="customer totals",
    row="one customer, or one prospect with nulls",
    made_by="one row per customer, as in pandas.DataFrame",
    columns=(
        Column("customer_id", "key", "who"),
        Column("last_date", "date", "day of the last purchase", nullable=True, required=False),
        Column(
            "days_since_last",
            "count",
            "days from the last purchase to as_of; counted from `last_date` where it is absent",
            0,
            nullable=True,
            required=False,
        ),
        Column(
            "orders", "count", "orders, the first one counted", 1, nullable=True, required=False
        ),
        Column(
            "total_amount",
            "number",
            "money of all orders less returns",
            nullable=True,
            required=False,
        ),
    ),
    null_together=("days_since_last", "orders"),
    one_row_each="customer_id",
)

SCORED: Final = Table(
    name="scored customers",
    row="one customer",
    made_by="crmkit.rfm.score",
    columns=(
        Column("customer_id", "key", "who"),
        Column("r_score", "count", "score of recency; n is best", 1, 9, nullable=True),
        Column("f_score", "count", "score of frequency; n is best", 1, 9, nullable=True),
        Column(
            "m_score", "count", "score of money; n is best", 1, 9, nullable=True, required=False
        ),
    ),
    null_together=("r_score", "f_score"),
    one_row_each="customer_id",
)

SEGMENTED: Final = Table(
    name="segmented customers",
    row="one customer",
    made_by="crmkit.rfm.segment",
    columns=(
        *_SCORED_CUSTOMER,
        Column("segment", "text", "the segment's name; null for a prospect", nullable=True),
    ),
    null_together=("days_since_last", "orders"),
    one_row_each="customer_id",
)

STAGED: Final = Table(
    name="staged customers",
    row="one customer or prospect",
    made_by="crmkit.lifecycle.assign",
    columns=(
        Column("customer_id", "key", "who"),
        Column("stage", "text", "stage of life"),
        Column(
            "total_amount",
            "number",
            "money of all orders less returns; null for a prospect",
            nullable=True,
            required=False,
        ),
    ),
    one_row_each="customer_id",
)

HISTORY_OF_STAGES: Final = Table(
    name="history of stages",
    row="one date of a customer",
    made_by="crmkit.lifecycle.history",
    columns=(
        Column("customer_id", "key", "who"),
        Column("date", "date", "the day of the stage"),
        Column("stage", "text", "stage of life on that day"),
        Column(
            "frequency",
            "count",
            "x: purchase days until then after the first; null for a prospect",
            0,
            nullable=True,
            required=False,
        ),
        Column(
            "total_amount",
            "number",
            "money of all orders until then, less returns; null for a prospect",
            nullable=True,
            required=False,
        ),
    ),
    is_summed_up=True,
)

RECOMMENDED: Final = Table(
    name="customers with actions",
    row="one customer or prospect",
    made_by="crmkit.actions.recommend",
    columns=(
        Column("customer_id", "key", "who"),
        Column("action", "text", "what to do", nullable=True, required=False),
        Column("action_reason", "text", "why", nullable=True, required=False),
        Column(
            "value_at_risk",
            "number",
            "money of the last horizon that silence puts in doubt; null where it is unknown",
            nullable=True,
            required=False,
            made_by="crmkit.churn.value_at_risk",
        ),
        Column(
            "past_amount",
            "number",
            "money of the last horizon, less returns",
            nullable=True,
            required=False,
            made_by="crmkit.churn.past_amount",
        ),
        Column("clv", "number", "expected value", nullable=True, required=False, made_by=PREDICT),
        Column(
            "churn_risk",
            "number",
            "probability of no purchase within the horizon",
            0,
            1,
            nullable=True,
            required=False,
        ),
        Column("risk_reason", "text", "the risk in words", nullable=True, required=False),
        Column("stage", "text", "life-cycle stage", nullable=True, required=False),
        Column("stage_reason", "text", "why", nullable=True, required=False),
        Column("tier", "text", "tier by value", nullable=True, required=False),
        Column("segment", "text", "segment by behaviour", nullable=True, required=False),
        Column("last_date", "date", "day of the last purchase", nullable=True, required=False),
        Column("orders", "number", "orders", nullable=True, required=False),
        Column(
            "total_amount",
            "number",
            "money of all orders less returns",
            nullable=True,
            required=False,
        ),
    ),
    one_row_each="customer_id",
)

_MADE_BY: Final[Mapping[str, str]] = {
    **{column.name: "" for column in SUMMARY.columns},
    **dict.fromkeys(("p_alive", "expected_purchases", "expected_spend", "clv"), PREDICT),
    **dict.fromkeys(("mean_gap_days", "amount_recent", "amount_before"), RHYTHM.made_by),
    **dict.fromkeys(("expected_gap_days", "overdue_ratio"), STAGED.made_by),
    "churn_risk": "crmkit.churn.risk",
    **dict.fromkeys(("past_amount", "value_at_risk"), "crmkit.churn.value_at_risk"),
    "p_no_purchase": "crmkit.clv.no_purchase",
}
"""Which function adds a measure to a table of customers; that of the summary, where it is empty."""


def customers_with(*measures: str) -> Table:
    """Promise the named measures of value, whatever else there is."""
    meaning = "a measure of value, such as total_amount; null where it is unknown"
    made_by = {name: _MADE_BY.get(name, NOT_MADE) for name in measures}
    return Table(
        name="customers",
        row="one customer",
        made_by="crmkit.rfm.summarize",
        columns=tuple(
            Column(name, "number", meaning, nullable=True, made_by=made_by[name])
            for name in measures
        ),
        one_row_each="customer_id",
    )


TIER: Final = Column("tier", "text", "name; null where the value is unknown", nullable=True)

OPPORTUNITIES: Final = Table(
    name="opportunities",
    row="one customer",
    made_by="crmkit.clv.opportunities",
    columns=(
        Column("customer_id", "key", "who"),
        Column("frequency", "count", "x: periods after the first with a purchase", minimum=0),
        Column("recency", "count", "t_x: the last of them, counted from 1; 0 for none", minimum=0),
        Column("n_opportunities", "count", "n: complete periods after the first", minimum=0),
    ),
    rules=(
        Rule(
            "recency",
            "frequency",
            because="who took none took none last",
            only_at_zero=True,
        ),
        Rule("frequency", "recency", because="a period is one opportunity to buy"),
        Rule("recency", "n_opportunities", because="nobody buys after the end of observation"),
    ),
    one_row_each="customer_id",
)
