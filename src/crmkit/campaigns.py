"""Campaigns: what a contact must bring to pay.

Break-even
    break_even_rate: Break-even response rate of a campaign.
    break_even_index: Break-even index: response rate relative to break-even, in percent.
"""

from crmkit._campaigns.break_even import break_even_index, break_even_rate

__all__ = ["break_even_index", "break_even_rate"]
