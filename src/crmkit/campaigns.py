"""Campaigns: whom to contact within a budget, and whether it paid.

Whom to contact
    plan:
    plan_summary:
    save_list:
    win_back:
    reactivate:

Break-even
    break_even_rate: Break-even response rate of a campaign.
    break_even_index: Break-even index: response rate relative to break-even, in percent.
"""

from crmkit._campaigns.break_even import break_even_index, break_even_rate
from crmkit._campaigns.contact_list import plan
from crmkit._campaigns.lists import reactivate, save_list, win_back
from crmkit._campaigns.plan_summary import plan_summary

__all__ = [
    "break_even_index",
    "break_even_rate",
    "plan",
    "plan_summary",
    "reactivate",
    "save_list",
    "win_back",
]
