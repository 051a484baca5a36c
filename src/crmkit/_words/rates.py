"""The horizons, rates and levels that every look ahead takes, and what they cannot be."""

from __future__ import annotations

import math
from typing import Final

from crmkit._words.arguments import require_number
from crmkit.typing import Period

_WHOLE: Final = 1.0

_PERIODS_A_YEAR: Final[dict[Period, float]] = {
    "day": 365.25,
    "week": 365.25 / 7,
    "month": 12.0,
    "quarter": 4.0,
    "year": 1.0,
}


def require_horizon(horizon_days: float) -> None:
    """Refuse a horizon that holds no day, or never ends."""
    require_number(
        horizon_days,
        argument="horizon_days",
        must="be above 0",
        fits=lambda days: 0 < days < math.inf,
        advice="Write 365 for a year.",
    )


def require_margin(margin: float) -> None:
    """Refuse a margin that is no share, such as one in percent."""
    require_number(
        margin,
        argument="margin",
        must="be above 0 and at most 1",
        fits=lambda share: 0 < share <= _WHOLE,
        advice="Write 0.3 for 30 %.",
    )


def require_discount_rate(annual_discount_rate: float) -> None:
    """Refuse a rate that is no fraction, such as one in percent."""
    require_number(
        annual_discount_rate,
        argument="annual_discount_rate",
        must="be at least 0 and below 1",
        fits=lambda rate: 0 <= rate < _WHOLE,
        advice="Write 0.1 for 10 % a year.",
    )


def rate_per_period(annual_discount_rate: float, *, every: Period) -> float:
    """Turn a rate a year into one a period; compounded over a year they are the same."""
    require_discount_rate(annual_discount_rate)
    return math.expm1(math.log1p(annual_discount_rate) / _PERIODS_A_YEAR[every])


def require_level(level: float, *, argument: str = "level") -> None:
    """Refuse a probability that an interval cannot have, such as one in percent."""
    require_number(
        level,
        argument=argument,
        must="lie between 0 and 1",
        fits=lambda share: 0 < share < _WHOLE,
        advice="Write 0.9 for 90 %.",
    )
