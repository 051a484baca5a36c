"""Customer life cycle: the stage of each customer, from prospect to lost, by their own rhythm.

Stages
    rhythm: Summarize each customer's history together with their own purchase rhythm.
    rules: Stage rules from the typical gap between purchases of a customer base.
    fit_rules: Stage rules with learned limits, so that few of those called lost come back.
    StageRules: Limits of the life-cycle stages, as a value to keep.
    assign: Assign each customer a life-cycle stage by their own purchase rhythm.
    calibrate: Count how many customers of each stage bought again, at past dates.
    stage_summary: Summarize life-cycle stages: customers and revenue of each.
    STAGES: Every stage, in the order of the life cycle.

History
    history: Life-cycle stage of each customer at many dates, in one pass over the ledger.
    transitions: Transition counts and probabilities between stages, from a history of stages.
    transition_table: Transition probabilities with intervals, one row for each pair of stages.
    Transitions: Counts of moves from stage to stage within a period, as a value to keep.
    flow: Customers who moved from stage to stage between each date and the next: a Sankey's table.
    forecast: Forecast the customers of each stage, and their money, some periods ahead.
    markov_value: Lifetime value of a customer in each stage, by the Markov chain of the stages.
    growth_accounting: Growth accounting: new, retained, resurrected and churned of each period.
"""

from crmkit._lifecycle.calibrate import calibrate
from crmkit._lifecycle.fit_rules import fit_rules
from crmkit._lifecycle.forecast import forecast
from crmkit._lifecycle.growth import growth_accounting
from crmkit._lifecycle.history import history
from crmkit._lifecycle.markov_value import markov_value
from crmkit._lifecycle.moves import flow
from crmkit._lifecycle.rules import StageRules, rules
from crmkit._lifecycle.stages import STAGES, assign, stage_summary
from crmkit._lifecycle.transitions import Transitions, transition_table, transitions
from crmkit._summary.rhythm import rhythm

__all__ = [
    "STAGES",
    "StageRules",
    "Transitions",
    "assign",
    "calibrate",
    "fit_rules",
    "flow",
    "forecast",
    "growth_accounting",
    "history",
    "markov_value",
    "rhythm",
    "rules",
    "stage_summary",
    "transition_table",
    "transitions",
]
