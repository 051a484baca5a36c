"""Where each customer stands in life, from prospect to lost, by their own rhythm."""

from crmkit._lifecycle.rhythm import rhythm
from crmkit._lifecycle.rules import StageRules, rules
from crmkit._lifecycle.stages import STAGES, assign, stage_summary

__all__ = ["STAGES", "StageRules", "assign", "rhythm", "rules", "stage_summary"]
