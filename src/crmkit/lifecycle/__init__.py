"""Where each customer stands in life, from prospect to lost, by their own rhythm."""

from __future__ import annotations

from crmkit.lifecycle.rhythms import rhythm
from crmkit.lifecycle.stage_rules import StageRules, rules
from crmkit.lifecycle.stages import STAGES, assign, stage_summary

__all__ = ["STAGES", "StageRules", "assign", "rhythm", "rules", "stage_summary"]
