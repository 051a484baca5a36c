"""Tiers: customers classed by value, and how concentrated value is.

Tiers
    rule: Cut points of customer tiers by value, to keep and reuse.
    TierRule: Tiers and the value at which each begins, as a value to keep.
    TierRules: Tiers within groups: a rule for each group, as a value to keep.
    assign: Assign each customer to a tier by value.
    summary: Summarize tiers: customers and value of each.
    policy: Usual policy for diamond, gold and silver customers, as a table to edit.
Tiers that were assigned
    audit: Audit assigned tiers: who holds a tier that the value does not earn, and by how much.
    audit_summary: Summarize an audit of tiers: who over-grades how often, and against all others.
Review of tiers
    review: Review tiers: who rises, falls or is kept, by which clause, and what each needs to stay.
    review_summary: Summarize a review of tiers: who is in each tier, how they came, who will fall.
Value now and to come
    value_matrix: Value matrix: four fields by current value and potential, with what to do in each.
Moves between tiers
    migrate: Tier migration: who moved from which tier to which, and the value that moved.
    mobility: Mobility between tiers: who stayed, an index, value moved, and where it ends.
    Mobility: How much customers move between tiers, as a few numbers.
    migration_value: What moving a share of the customers one tier up is worth, step by step.
Concentration of value
    abc: ABC analysis: class customers by their part in the cumulative total.
    abc_summary: Summarize ABC classes: customers and value of each, in the whole or within groups.
    concentration: Share of the total value that the best customers bring.
    gini: Gini coefficient of value among customers.
    whale: Whale curve: peak of cumulative profit, and the losses beyond it.
"""

from crmkit._tiers.abc import abc
from crmkit._tiers.abc_summary import abc_summary
from crmkit._tiers.assign import assign, policy
from crmkit._tiers.audit import audit, audit_summary
from crmkit._tiers.ladder import migration_value
from crmkit._tiers.migrate import migrate
from crmkit._tiers.mobility import Mobility, mobility
from crmkit._tiers.review import review
from crmkit._tiers.review_summary import review_summary
from crmkit._tiers.rule import rule
from crmkit._tiers.shares import concentration, gini, whale
from crmkit._tiers.summary import summary
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._tiers.value_matrix import value_matrix

__all__ = [
    "Mobility",
    "TierRule",
    "TierRules",
    "abc",
    "abc_summary",
    "assign",
    "audit",
    "audit_summary",
    "concentration",
    "gini",
    "migrate",
    "migration_value",
    "mobility",
    "policy",
    "review",
    "review_summary",
    "rule",
    "summary",
    "value_matrix",
    "whale",
]
