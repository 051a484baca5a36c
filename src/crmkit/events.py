"""Events: what changed for whom between two snapshots of the customers.

Compare
    compare: What changed for whom between two snapshots: one row per customer and event.
    summary: Count the events, and the money at stake with each.
    rules: What counts as an event, as a table to edit.
"""

from crmkit._events.compare import compare
from crmkit._events.rules import rules
from crmkit._events.summary import summary

__all__ = ["compare", "rules", "summary"]
