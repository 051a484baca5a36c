"""The day that a summary of customers describes."""

from __future__ import annotations

from datetime import date

from crmkit._door import frames, time


def described_day(customers: frames.Frame) -> date | None:
    """Find the day from `last_date` and `days_since_last`; None where nobody has bought.

    The latest purchase was the fewest days ago.
    """
    latest = {
        "last": time.day_number(customers, "last_date").max(),
        "ago": frames.known("days_since_last").min(),
    }
    (row,) = frames.rows(customers.select(**latest))
    return None if row["last"] is None else time.day_of(int(row["last"] + row["ago"]))
