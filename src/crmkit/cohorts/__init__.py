"""Customers by when they came: who comes back, and how much of what they do."""

from __future__ import annotations

from crmkit.cohorts.grid import calendar_retention, table
from crmkit.cohorts.rates import pooled
from crmkit.cohorts.returning import retention
from crmkit.cohorts.windows import Window, bracket, n_day, rolling

__all__ = [
    "Window",
    "bracket",
    "calendar_retention",
    "n_day",
    "pooled",
    "retention",
    "rolling",
    "table",
]
