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
    phases: Phase of the relationship of each customer: exploration, formation, stability, decline.
    phase_map: Phase of the relationship for each life-cycle stage, as a table to edit.
    states: State of everybody known by name: potential, target, actual or lost customer.

History
    history: Life-cycle stage of each customer at many dates, in one pass over the ledger.
    transitions: Transition counts and probabilities between stages, from a history of stages.
    transition_table: Transition probabilities with intervals, one row for each pair of stages.
    Transitions: Counts of moves from stage to stage within a period, as a value to keep.
    durations: Spells: each stay of a customer in a stage, and whether it has ended.
    duration_summary: Time in each stage: median days, with spells that still run counted as such.
    funnel: Funnel from prospect to first and second purchase: counts, conversion and days between.
    second_purchases: Time to the second purchase by cohort, those who still wait counted as such.
    flow: Customers who moved from stage to stage between each date and the next: a Sankey's table.
    forecast: Forecast the customers of each stage, and their money, some periods ahead.
    markov_value: Lifetime value of a customer in each stage, by the Markov chain of the stages.
    growth_accounting: Growth accounting: new, retained, resurrected and churned of each period.
"""

from crmkit._lifecycle.calibrate import calibrate
from crmkit._lifecycle.fit_rules import fit_rules
from crmkit._lifecycle.forecast import forecast
from crmkit._lifecycle.funnel import funnel, second_purchases
from crmkit._lifecycle.growth import growth_accounting
from crmkit._lifecycle.history import history
from crmkit._lifecycle.markov_value import markov_value
from crmkit._lifecycle.moves import flow
from crmkit._lifecycle.phases import phase_map, phases, states
from crmkit._lifecycle.rules import StageRules, rules
from crmkit._lifecycle.spells import duration_summary, durations
from crmkit._lifecycle.stages import STAGES, assign, stage_summary
from crmkit._lifecycle.transitions import Transitions, transition_table, transitions
from crmkit._summary.rhythm import rhythm

__all__ = [
    "STAGES",
    "StageRules",
    "Transitions",
    "assign",
    "calibrate",
    "duration_summary",
    "durations",
    "fit_rules",
    "flow",
    "forecast",
    "funnel",
    "growth_accounting",
    "history",
    "markov_value",
    "phase_map",
    "phases",
    "rhythm",
    "rules",
    "second_purchases",
    "stage_summary",
    "states",
    "transition_table",
    "transitions",
]
