"""Tiers: customers classed by value, and how concentrated value is.

Tiers
    rule: Cut points of customer tiers by value, to keep and reuse.
    TierRule: Tiers and the value at which each begins, as a value to keep.
    assign: Assign each customer to a tier by value.
    summary: Summarize tiers: customers and value of each.
    policy: Usual policy for diamond, gold and silver customers, as a table to edit.
Tiers that were assigned
    audit: Audit assigned tiers: who holds a tier that the value does not earn, and by how much.
    audit_summary: Summarize an audit of tiers: who over-grades how often, and against all others.
Concentration of value
    abc: ABC analysis: class customers by their part in the cumulative total.
    concentration: Share of the total value that the best customers bring.
    gini: Gini coefficient of value among customers.
    whale: Whale curve: peak of cumulative profit, and the losses beyond it.
"""

from crmkit._tiers.assign import assign, policy, summary
from crmkit._tiers.audit import audit, audit_summary
from crmkit._tiers.rule import TierRule, rule
from crmkit._tiers.shares import abc, concentration, gini, whale

__all__ = [
    "TierRule",
    "abc",
    "assign",
    "audit",
    "audit_summary",
    "concentration",
    "gini",
    "policy",
    "rule",
    "summary",
    "whale",
]
