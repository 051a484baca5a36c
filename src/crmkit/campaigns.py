"""Campaigns."""

from crmkit._campaigns.break_even import break_even_index, break_even_rate

__all__ = ["break_even_index", "break_even_rate"]
