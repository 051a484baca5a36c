"""Risks stated at a split beside what happened on the held-out days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._churn.calibration import Floats
from crmkit._door import draw, frames
from crmkit.errors import InvalidArgumentError
from crmkit.tables import HELD_OUT_RISK


@dataclass(frozen=True, slots=True)
class HeldOutRisk:
    """Customers at a split: stated risk, and 1 for those who then bought nothing, else 0."""

    risk: Floats
    inactive: Floats
    numbers: npt.NDArray[np.int64]
    horizon_days: float

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.risk)

    def at(self, rows: npt.NDArray[np.bool_]) -> HeldOutRisk:
        """Select some of the customers."""
        return HeldOutRisk(
            self.risk[rows], self.inactive[rows], self.numbers[rows], self.horizon_days
        )


def held_out_risk(customers: IntoFrame) -> HeldOutRisk:
    """Collect customers with a known risk, at most about 200,000 of them."""
    frame = frames.read(customers, HELD_OUT_RISK)
    known = frame.filter(~frames.known("churn_risk").is_null())
    found = draw.collect_draw(known, "churn_risk", "frequency_holdout", "duration_holdout")
    days = np.unique(found["duration_holdout"].astype(float))
    if len(days) > 1:
        msg = (
            f"{HELD_OUT_RISK.name}: `duration_holdout` must be the same in all rows, got "
            f"{days[0]:g} and {days[1]:g}.\nBuild this table with {HELD_OUT_RISK.made_by}()."
        )
        raise InvalidArgumentError(msg)
    return HeldOutRisk(
        risk=np.clip(found["churn_risk"].astype(float), 0.0, 1.0),
        inactive=(found["frequency_holdout"].astype(float) == 0).astype(float),
        numbers=found["numbers"],
        horizon_days=float(days[0]) if len(days) else 1.0,
    )
