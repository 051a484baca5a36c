"""What each table promises, column by column.

A table is declared here once. Functions hold their input to it (see `crmkit._frames.read`),
and the reference pages are made from it.
"""

from __future__ import annotations

from crmkit.tables.contracts import Column, Kind, Rule, Table
from crmkit.tables.customers import (
    HOLDOUT,
    MEASURES,
    RHYTHM,
    RISK_SIGNALS,
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
    TIER_POLICY,
)
from crmkit.tables.records import COSTS, FINDINGS, LEDGER, PROSPECTS

__all__ = [
    "ACTION_INPUTS",
    "ACTION_PLAN",
    "COHORTS",
    "COSTS",
    "FINDINGS",
    "HOLDOUT",
    "LEDGER",
    "MEASURES",
    "PROSPECTS",
    "RETENTION",
    "RHYTHM",
    "RISK_SIGNALS",
    "SCORED",
    "SEGMENTED",
    "SEGMENT_CODES",
    "SEGMENT_RANGES",
    "STAGED",
    "SUMMARY",
    "TIER",
    "TIER_POLICY",
    "Column",
    "Kind",
    "Rule",
    "Table",
    "customers_with",
]
