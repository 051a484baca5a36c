"""Who bought lately, who buys often, who spends most."""

from crmkit._rfm.breakpoints import Breakpoints
from crmkit._rfm.cuts import breakpoints
from crmkit._rfm.maps import check_map, segment_map
from crmkit._rfm.scores import score
from crmkit._rfm.segments import segment, segment_summary
from crmkit._summary.summarize import holdout, newcomers, summarize

__all__ = [
    "Breakpoints",
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
