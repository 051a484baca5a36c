"""What a history must look like before a model reads it."""

from __future__ import annotations

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit import _frames
from crmkit.tables import SUMMARY


def require_silent_newcomers(customers: IntoFrame, frame: _frames.Frame) -> None:
    """Refuse a recency that is no time between purchases, the usual sign of another table."""
    if _frames.is_lazy(customers):
        return
    complaint = "`frequency` is 0 and `recency` above 0, yet one purchase day spans no time,"
    alone = (nw.col("frequency") == 0) & (nw.col("recency") > 0)
    advice = (
        "`recency` is days from the first purchase to the last, not days since the last.\n"
        f"Build this table with {SUMMARY.made_by}()."
    )
    _frames.require(frame.collect(), SUMMARY, {complaint: alone}, advice=advice)
