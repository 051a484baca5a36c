"""Error, ranking and calibration metrics of a forecast: the columns of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from crmkit._clv.evaluation.holdout import HoldoutColumns
from crmkit._clv.evaluation.spend_dependence import mid_ranks
from crmkit._door.frames import Floats
from crmkit.models.predictive.log_score import OutcomeProbability, coverage, log_score

_LEAST_FOR_A_TENTH: Final = 10
_OFTEN: Final = 7


@dataclass(frozen=True, slots=True)
class Forecast:
    """A method's forecast for each customer, and the CPU seconds that it took."""

    purchases: Floats
    amount: Floats
    probabilities: OutcomeProbability
    seconds: float


def metrics(columns: HoldoutColumns, forecast: Forecast) -> dict[str, Any]:
    """Compute the metrics of a forecast; an undefined one is None."""
    purchases, amount = forecast.purchases, forecast.amount
    error = purchases - columns.purchases
    total = columns.purchases.sum()
    return {
        "n_customers": len(purchases),
        "actual_purchases": float(total),
        "predicted_purchases": float(purchases.sum()),
        "purchases_error": _relative(purchases.sum(), total),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "wmape": float(np.abs(error).sum() / total) if total > 0 else None,
        "spearman": _spearman(purchases, columns.purchases),
        "calibration_error": _calibration_error(columns, purchases),
        "coverage": coverage(forecast.probabilities),
        "log_score": log_score(forecast.probabilities),
        "actual_amount": float(columns.amount.sum()),
        "predicted_amount": None if np.isnan(amount).any() else float(amount.sum()),
        "amount_error": _relative(amount.sum(), columns.amount.sum()),
        "top_tenth_share": _top_tenth_share(amount, columns.amount),
        "top_tenth_found": _top_tenth_found(amount, columns.amount),
        "seconds": forecast.seconds,
    }


def _relative(predicted: float, actual: float) -> float | None:
    return float(predicted / actual - 1) if actual > 0 and not np.isnan(predicted) else None


def _spearman(first: Floats, second: Floats) -> float | None:
    each = np.ones(len(first))
    forecast, outcome = mid_ranks(first, each), mid_ranks(second, each)
    if np.ptp(forecast) == 0 or np.ptp(outcome) == 0:
        return None
    return float(np.corrcoef(forecast, outcome)[0, 1])


def _calibration_error(columns: HoldoutColumns, purchases: Floats) -> float | None:
    """Sum of absolute errors of groups by frequency, over actual purchases."""
    if columns.purchases.sum() <= 0:
        return None
    group = np.minimum(columns.frequency, _OFTEN).astype(np.int64)
    error = np.bincount(group, purchases - columns.purchases)
    return float(np.abs(error).sum() / columns.purchases.sum())


def _top_tenth_share(forecast: Floats, outcome: Floats) -> float | None:
    if not _has_a_tenth(forecast, outcome):
        return None
    return float((_in_top_tenth(forecast) * outcome).sum() / outcome.sum())


def _top_tenth_found(forecast: Floats, outcome: Floats) -> float | None:
    if not _has_a_tenth(forecast, outcome):
        return None
    best = _in_top_tenth(outcome)
    return float((_in_top_tenth(forecast) * best).sum() / best.sum())


def _has_a_tenth(forecast: Floats, outcome: Floats) -> bool:
    """Whether there are ten customers, money, and a forecast for everybody."""
    is_known = not np.isnan(forecast).any()
    return len(forecast) >= _LEAST_FOR_A_TENTH and outcome.sum() > 0 and is_known


def _in_top_tenth(values: Floats) -> Floats:
    """Membership in the top tenth: 1 or 0, or a share where customers tie for a place."""
    n_top = len(values) // _LEAST_FOR_A_TENTH
    least = np.partition(values, -n_top)[-n_top]
    above, tied = values > least, values == least
    places: Floats = above + tied * ((n_top - above.sum()) / tied.sum())
    return places
