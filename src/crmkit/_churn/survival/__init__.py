"""Survival of contracts, behind `crmkit.churn`."""

from __future__ import annotations
