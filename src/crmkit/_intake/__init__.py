"""Raw tables, checked and turned into canonical ones, behind `crmkit.intake`."""

from __future__ import annotations
