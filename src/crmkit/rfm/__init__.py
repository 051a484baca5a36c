"""Who bought lately, who buys often, who spends most."""

from __future__ import annotations

from crmkit.rfm.break_even import break_even_index, break_even_rate
from crmkit.rfm.cuts import Breakpoints
from crmkit.rfm.cutting import breakpoints
from crmkit.rfm.maps import check_map, segment_map
from crmkit.rfm.scores import score
from crmkit.rfm.segments import segment, segment_summary
from crmkit.summary import holdout, newcomers, summarize

__all__ = [
    "Breakpoints",
    "break_even_index",
    "break_even_rate",
    "breakpoints",
    "check_map",
    "holdout",
    "newcomers",
    "score",
    "segment",
    "segment_map",
    "segment_summary",
    "summarize",
]
