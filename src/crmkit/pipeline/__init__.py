"""The main job: from a ledger to every table, and one recommended action for each customer."""

from __future__ import annotations

from crmkit.pipeline.job import run
from crmkit.pipeline.result import Result

__all__ = ["Result", "run"]
