"""Baseline rules: forecasts without a model, which a model must beat."""

from __future__ import annotations

from typing import Final

import numpy as np

from crmkit._clv.evaluation.holdout import HoldoutColumns, timed
from crmkit._clv.evaluation.metrics import Forecast
from crmkit._door.frames import Floats
from crmkit.models.predictive.log_score import poisson

SAME_RATE: Final = "same rate"
SAME_RATE_IF_RECENT: Final = "same rate if recent"


def baseline_rules(
    columns: HoldoutColumns, *, horizon_days: float, hiatus_days: float
) -> dict[str, Forecast]:
    """Forecast the same rate as before, for all customers and for recent ones only."""
    recent = columns.days_since_last <= hiatus_days
    return {
        SAME_RATE: _same_rate(columns, np.ones(len(columns.T)), horizon_days=horizon_days),
        SAME_RATE_IF_RECENT: _same_rate(columns, recent.astype(float), horizon_days=horizon_days),
    }


def _same_rate(columns: HoldoutColumns, active: Floats, *, horizon_days: float) -> Forecast:
    """Extend the rate of repeat days so far; it is 0 for a customer of the split day."""

    def ahead() -> Floats:
        T = columns.T
        rate = np.divide(columns.frequency, T, out=np.zeros_like(T), where=T > 0)
        forecast: Floats = rate * horizon_days * active
        return forecast

    purchases, seconds = timed(ahead)
    probabilities = poisson(purchases, columns.purchases)
    return Forecast(purchases, purchases * columns.mean_amount, probabilities, seconds)
