"""Recommended actions, behind `crmkit.actions`."""

from __future__ import annotations
