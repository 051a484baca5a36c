"""Who is worth how much, in a few named tiers, and how unevenly value is spread."""

from __future__ import annotations

from crmkit.tiers.assignment import assign, policy, summary
from crmkit.tiers.rules import TierRule, rule
from crmkit.tiers.shares import abc, concentration, gini, whale

__all__ = [
    "TierRule",
    "abc",
    "assign",
    "concentration",
    "gini",
    "policy",
    "rule",
    "summary",
    "whale",
]
