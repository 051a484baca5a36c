"""Value tiers and concentration, behind `crmkit.tiers`."""

from __future__ import annotations
