"""How far a forecast was off: the figures of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from crmkit._clv.evaluation.holdout_trial import Halves
from crmkit._clv.evaluation.log_score import Chances, coverage, log_score
from crmkit._clv.evaluation.spend_dependence import mid_ranks
from crmkit._door.frames import Floats

_LEAST_FOR_A_TENTH: Final = 10
_OFTEN: Final = 7


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a method made of each customer, and the CPU seconds that it took."""

    purchases: Floats
    amount: Floats
    chances: Chances
    seconds: float


def measures(half: Halves, forecast: Forecast) -> dict[str, Any]:
    """Hold a forecast against what came; what cannot be told is None."""
    purchases, amount = forecast.purchases, forecast.amount
    error = purchases - half.purchases
    total = half.purchases.sum()
    return {
        "n_customers": len(purchases),
        "actual_purchases": float(total),
        "predicted_purchases": float(purchases.sum()),
        "purchases_error": _relative(purchases.sum(), total),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "wmape": float(np.abs(error).sum() / total) if total > 0 else None,
        "spearman": _spearman(purchases, half.purchases),
        "calibration_error": _calibration_error(half, purchases),
        "coverage": coverage(forecast.chances),
        "log_score": log_score(forecast.chances),
        "actual_amount": float(half.amount.sum()),
        "predicted_amount": float(amount.sum()),
        "amount_error": _relative(amount.sum(), half.amount.sum()),
        "top_tenth_share": _top_tenth_share(amount, half.amount),
        "top_tenth_found": _top_tenth_found(amount, half.amount),
        "seconds": forecast.seconds,
    }


def _relative(predicted: float, actual: float) -> float | None:
    return float(predicted / actual - 1) if actual > 0 else None


def _spearman(first: Floats, second: Floats) -> float | None:
    each = np.ones(len(first))
    forecast, outcome = mid_ranks(first, each), mid_ranks(second, each)
    if np.ptp(forecast) == 0 or np.ptp(outcome) == 0:
        return None
    return float(np.corrcoef(forecast, outcome)[0, 1])


def _calibration_error(half: Halves, purchases: Floats) -> float | None:
    """Add up how far the groups by frequency are off, too many and too few not set off."""
    if half.purchases.sum() <= 0:
        return None
    group = np.minimum(half.frequency, _OFTEN).astype(np.int64)
    off = np.bincount(group, purchases - half.purchases)
    return float(np.abs(off).sum() / half.purchases.sum())


def _top_tenth_share(forecast: Floats, outcome: Floats) -> float | None:
    if len(forecast) < _LEAST_FOR_A_TENTH or outcome.sum() <= 0:
        return None
    return float((_in_top_tenth(forecast) * outcome).sum() / outcome.sum())


def _top_tenth_found(forecast: Floats, outcome: Floats) -> float | None:
    if len(forecast) < _LEAST_FOR_A_TENTH or outcome.sum() <= 0:
        return None
    best = _in_top_tenth(outcome)
    return float((_in_top_tenth(forecast) * best).sum() / best.sum())


def _in_top_tenth(values: Floats) -> Floats:
    """Tell who is in the top tenth: 1 or 0, or a share of a place where customers tie for it."""
    n_top = len(values) // _LEAST_FOR_A_TENTH
    least = np.partition(values, -n_top)[-n_top]
    above, tied = values > least, values == least
    places: Floats = above + tied * ((n_top - above.sum()) / tied.sum())
    return places
