"""Break-even of campaigns, behind `crmkit.campaigns`."""

from __future__ import annotations
