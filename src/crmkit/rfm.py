"""RFM: how recently, how often and for how much money customers buy.

Customer summary
    summarize: Summarize each customer's purchase history as of a given day.
    purchase_days: Collapse a ledger to one row per customer and day.
    holdout: Split each customer's history into a calibration and a holdout period.
    newcomers: Count the customers first seen in the holdout period.
Scores
    breakpoints: Cut points of the RFM scores from 1 to n, to keep and reuse.
    Breakpoints: Cut points of the RFM scores, as a value to keep.
    score: Score customers by recency, frequency and monetary value.
Segments
    segment: Assign each customer to an RFM segment.
    segment_summary: Summarize RFM segments: customers, orders and revenue of each.
    segment_map: Built-in map of RFM scores to segments, as a table to edit.
    check_map: List the gaps and overlaps of a segment map.
"""

from crmkit._rfm.breakpoints import Breakpoints
from crmkit._rfm.cuts import breakpoints
from crmkit._rfm.maps import check_map, segment_map
from crmkit._rfm.scores import score
from crmkit._rfm.segments import segment, segment_summary
from crmkit._summary.holdout import holdout, newcomers
from crmkit._summary.purchase_days import purchase_days
from crmkit._summary.summarize import summarize

__all__ = [
    "Breakpoints",
    "breakpoints",
    "check_map",
    "holdout",
    "newcomers",
    "purchase_days",
    "score",
    "segment",
    "segment_map",
    "segment_summary",
    "summarize",
]
