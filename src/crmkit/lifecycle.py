"""Customer life cycle: the stage of each customer, from prospect to lost, by their own rhythm.

Stages
    rhythm: Summarize each customer's history together with their own purchase rhythm.
    rules: Stage rules from the typical gap between purchases of a customer base.
    fit_rules: Stage rules with learned limits, so that few of those called lost come back.
    StageRules: Limits of the life-cycle stages, as a value to keep.
    assign: Assign each customer a life-cycle stage by their own purchase rhythm.
    calibrate: Count how many customers of each stage bought again, at past dates.
    stage_summary: Summarize life-cycle stages: customers and revenue of each.
    history:
    STAGES: Every stage, in the order of the life cycle.
"""

from crmkit._lifecycle.calibrate import calibrate
from crmkit._lifecycle.fit_rules import fit_rules
from crmkit._lifecycle.history import history
from crmkit._lifecycle.rules import StageRules, rules
from crmkit._lifecycle.stages import STAGES, assign, stage_summary
from crmkit._summary.rhythm import rhythm

__all__ = [
    "STAGES",
    "StageRules",
    "assign",
    "calibrate",
    "fit_rules",
    "history",
    "rhythm",
    "rules",
    "stage_summary",
]
