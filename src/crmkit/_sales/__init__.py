"""Behind `crmkit.sales`."""

from __future__ import annotations
