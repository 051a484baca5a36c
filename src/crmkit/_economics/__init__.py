"""Cost-benefit analysis, behind `crmkit.economics`."""

from __future__ import annotations
