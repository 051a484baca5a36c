"""Events: what changed for whom between two snapshots of the customers.

Compare
    compare: What changed for whom between two snapshots: one row per customer and event.
    summary: Count the events, and the money at stake with each.
    rules: What counts as an event, as a table to edit.
Care
    care_gaps: Contacts due by the policy of each tier, against those made.
    care_policy: How often customers of each tier should be contacted, as a table to edit.
    exposed: Who is touched by a change of a price, product or fund, how much, and by which channel.
"""

from crmkit._events.care import care_gaps, care_policy
from crmkit._events.compare import compare
from crmkit._events.exposed import exposed
from crmkit._events.rules import rules
from crmkit._events.summary import summary

__all__ = ["care_gaps", "care_policy", "compare", "exposed", "rules", "summary"]
