"""A churn model: learned from a panel, judged on later dates, kept in one file."""

from __future__ import annotations
