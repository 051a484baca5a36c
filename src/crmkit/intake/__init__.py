"""The entrance: raw tables become the canonical ones, checked, with nothing lost on the way."""

from __future__ import annotations

from crmkit.intake.cleaning import Cleaned, clean
from crmkit.intake.cost_items import costs
from crmkit.intake.findings import check
from crmkit.intake.ledger import transactions

__all__ = ["Cleaned", "check", "clean", "costs", "transactions"]
