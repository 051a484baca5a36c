"""What an analyst would forecast without a model: the rules that a model has to beat."""

from __future__ import annotations

from typing import Final

import numpy as np

from crmkit._clv.evaluation.holdout_trial import Halves, timed
from crmkit._clv.evaluation.log_score import poisson
from crmkit._clv.evaluation.measures import Forecast
from crmkit._door.frames import Floats

SAME_RATE: Final = "same rate"
SAME_RATE_IF_RECENT: Final = "same rate if recent"


def plain_rules(half: Halves, *, horizon_days: float, hiatus_days: float) -> dict[str, Forecast]:
    """Let all go on as before; and only those who bought lately, the others taken to be lost."""
    recent = half.days_since_last <= hiatus_days
    return {
        SAME_RATE: _same_rate(half, np.ones(len(half.T)), horizon_days=horizon_days),
        SAME_RATE_IF_RECENT: _same_rate(half, recent.astype(float), horizon_days=horizon_days),
    }


def _same_rate(half: Halves, stays: Floats, *, horizon_days: float) -> Forecast:
    """Go on at the rate of the repeat days so far; who came on the split day has none yet."""

    def ahead() -> Floats:
        rate = np.divide(half.frequency, half.T, out=np.zeros_like(half.T), where=half.T > 0)
        forecast: Floats = rate * horizon_days * stays
        return forecast

    purchases, seconds = timed(ahead)
    chances = poisson(purchases, half.purchases)
    return Forecast(purchases, purchases * half.mean_amount, chances, seconds)
