"""Costs and benefits, behind `crmkit.economics`."""

from __future__ import annotations
