"""Cohorts: which customers come back, by the period of their first purchase.

Calendar periods
    table: Cohort table: customers, orders or revenue of each cohort by calendar period.
    calendar_retention: Retention rate of each cohort by calendar period, with intervals.
Days since the first purchase
    retention: Retention rate of each cohort in windows of days, with intervals.
    n_day: N-day retention: windows of exactly the n-th day after the first purchase.
    bracket: Bracket retention: windows of given ranges of days.
    rolling: Unbounded (rolling) retention: windows from the n-th day on.
    Window: A window of days after the first purchase.
All customers
    rates: Acquisition, retention, churn and win-back rate of each calendar period.
    rescale_churn: Churn rate of another period, such as a yearly one from a monthly one.
All cohorts
    pooled: Retention rate of all cohorts together, with intervals.
"""

from crmkit._cohorts.period_rates import rates, rescale_churn
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
    "rates",
    "rescale_churn",
    "retention",
    "rolling",
    "table",
]
