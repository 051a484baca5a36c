"""Events, behind `crmkit.events`."""

from __future__ import annotations
