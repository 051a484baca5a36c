"""Behind `crmkit.loyalty`."""

from __future__ import annotations
