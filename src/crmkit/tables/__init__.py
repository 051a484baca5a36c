"""What each table promises, column by column.

A table is declared here once. Functions hold their input to it (see `crmkit._door.frames.read`),
and the reference pages are made from it.
"""

from __future__ import annotations

from crmkit.tables.contracts import Column, Kind, Rule, Table
from crmkit.tables.customers import (
    CUSTOMER_TOTALS,
    HOLDOUT,
    MEASURES,
    OPPORTUNITIES,
    RECOMMENDED,
    RHYTHM,
    SCORED,
    SEGMENTED,
    STAGED,
    SUMMARY,
    TIER,
    customers_with,
)
from crmkit.tables.groups import (
    ACTION_INPUTS,
    ACTION_PLAN,
    COHORTS,
    RETENTION,
    SEGMENT_CODES,
    SEGMENT_RANGES,
    SURVIVORS,
    TIER_POLICY,
)
from crmkit.tables.records import CONTRACTS, COSTS, FINDINGS, LEDGER, PROSPECTS
from crmkit.tables.risk import AT_STAKE, HELD_OUT_RISK, PAST_AMOUNT, RISK_SIGNALS
from crmkit.tables.summaries import (
    ACTION_SUMMARY,
    BACKTEST,
    CALIBRATION,
    CALL_LIST,
    CONCENTRATION,
    COST_GROUPS,
    POOLED_RATES,
    RELIABILITY,
    RETENTION_RATES,
    SCORES,
    SEGMENT_SUMMARY,
    STAGE_SUMMARY,
    TIER_SUMMARY,
)

__all__ = [
    "ACTION_INPUTS",
    "ACTION_PLAN",
    "ACTION_SUMMARY",
    "AT_STAKE",
    "BACKTEST",
    "CALIBRATION",
    "CALL_LIST",
    "COHORTS",
    "CONCENTRATION",
    "CONTRACTS",
    "COSTS",
    "COST_GROUPS",
    "CUSTOMER_TOTALS",
    "FINDINGS",
    "HELD_OUT_RISK",
    "HOLDOUT",
    "LEDGER",
    "MEASURES",
    "OPPORTUNITIES",
    "PAST_AMOUNT",
    "POOLED_RATES",
    "PROSPECTS",
    "RECOMMENDED",
    "RELIABILITY",
    "RETENTION",
    "RETENTION_RATES",
    "RHYTHM",
    "RISK_SIGNALS",
    "SCORED",
    "SCORES",
    "SEGMENTED",
    "SEGMENT_CODES",
    "SEGMENT_RANGES",
    "SEGMENT_SUMMARY",
    "STAGED",
    "STAGE_SUMMARY",
    "SUMMARY",
    "SURVIVORS",
    "TIER",
    "TIER_POLICY",
    "TIER_SUMMARY",
    "Column",
    "Kind",
    "Rule",
    "Table",
    "customers_with",
]
