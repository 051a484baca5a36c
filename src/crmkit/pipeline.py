"""The main job: from a ledger to every table, and one recommended action for each customer.

What the data do not allow is left out, and said.

Run
    run: Run the main job: segments, value, stages, risk and actions, from a ledger.
    run_summary: Run what one row per customer allows: RFM segments, tiers, concentration.
    Kept: The fitted values of the main job, to keep and apply again next month.
    About: What fitted values were fitted to, and when.
    Result: Every table of the main job that can be made, on the engine of the input.
Evaluate
    evaluate: Evaluate rankings and forecasts on held-out days, the defaults beside plain rules.
    Evaluation: Rankings and totals on held-out days, the defaults beside plain rules.
"""

from crmkit._pipeline.evaluate.evaluate import evaluate
from crmkit._pipeline.evaluate.evaluation import Evaluation
from crmkit._pipeline.kept import About, Kept
from crmkit._pipeline.result import Result
from crmkit._pipeline.run import run
from crmkit._pipeline.run_summary import run_summary

__all__ = ["About", "Evaluation", "Kept", "Result", "evaluate", "run", "run_summary"]
