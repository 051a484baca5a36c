"""The entrance: raw tables become the canonical ones, checked, with nothing lost on the way."""

from crmkit._intake.check import check
from crmkit._intake.clean import Cleaned, clean
from crmkit._intake.costs import costs
from crmkit._intake.transactions import transactions

__all__ = ["Cleaned", "check", "clean", "costs", "transactions"]
