"""Customers by when they came: who comes back, and how much of what they do."""

from crmkit._cohorts.rates import pooled
from crmkit._cohorts.retention import retention
from crmkit._cohorts.table import calendar_retention, table
from crmkit._cohorts.windows import Window, bracket, n_day, rolling

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
