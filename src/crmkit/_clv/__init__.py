"""Customer lifetime value, behind `crmkit.clv`."""

from __future__ import annotations
