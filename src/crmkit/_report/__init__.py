"""The HTML report, behind `crmkit.report`."""

from __future__ import annotations
