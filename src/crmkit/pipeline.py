"""The main job: from a ledger to every table, and one recommended action for each customer."""

from crmkit._pipeline.result import Result
from crmkit._pipeline.run import run

__all__ = ["Result", "run"]
