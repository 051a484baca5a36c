"""Actions: what to do about each customer, why, and whom to contact first.

Recommended actions
    plan: Plan of actions by life-cycle stage and tier, as a table to edit.
    recommend: Recommend one action for each customer, by stage and tier.
    call_list: List the customers to contact first: those with most value at risk.
    summary: Summarize recommended actions: customers, value and value at risk of each.
"""

from crmkit._actions.call_list import call_list, summary
from crmkit._actions.plan import plan, recommend

__all__ = ["call_list", "plan", "recommend", "summary"]
