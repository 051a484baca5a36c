"""Raw tables, checked and turned into ledgers, behind `crmkit.intake`."""

from __future__ import annotations
