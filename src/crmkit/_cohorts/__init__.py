"""Cohorts and retention, behind `crmkit.cohorts`."""

from __future__ import annotations
