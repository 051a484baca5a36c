"""Who is worth how much, in a few named tiers, and how unevenly value is spread."""

from crmkit._tiers.assign import assign, policy, summary
from crmkit._tiers.rule import TierRule, rule
from crmkit._tiers.shares import abc, concentration, gini, whale

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
