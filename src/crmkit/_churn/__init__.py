"""Churn risk, behind `crmkit.churn`."""

from __future__ import annotations
