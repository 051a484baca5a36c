"""The main job: from a ledger to every table, and one recommended action for each customer.

Run
    run: Run the main job: segments, value, stages, risk and actions, from a ledger.
    Result: Every table of the main job, on the engine of the ledger.
"""

from crmkit._pipeline.result import Result
from crmkit._pipeline.run import run

__all__ = ["Result", "run"]
