"""Horizons, margins, discount rates and levels: ranges and conversions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, get_args

from crmkit._words.arguments import is_number, require_choice, require_number
from crmkit.errors import InvalidArgumentError
from crmkit.typing import Period

_WHOLE: Final = 1.0

_DAYS_A_YEAR: Final = 365.25

PERIOD_DAYS: Final[Mapping[Period, float]] = {
    "day": 1.0,
    "week": 7.0,
    "month": _DAYS_A_YEAR / 12,
    "quarter": _DAYS_A_YEAR / 4,
    "year": _DAYS_A_YEAR,
}
"""Mean length of each calendar period."""


def require_period(period: object, *, argument: str = "every") -> None:
    """Require the name of a calendar period."""
    require_choice(period, get_args(Period), argument=argument)


def require_horizon(horizon_days: float) -> None:
    """Require a horizon in days, above 0 and finite."""
    require_number(
        horizon_days,
        argument="horizon_days",
        must="be above 0",
        fits=lambda days: 0 < days < math.inf,
        advice="Write 365 for a year.",
    )


def require_horizon_with_rate(horizon_days: float, *, annual_discount_rate: float) -> None:
    """Require a horizon in days, endless only with a discount rate above 0."""
    is_endless = is_number(horizon_days) and horizon_days == math.inf
    if not is_endless:
        require_horizon(horizon_days)
    require_discount_rate(annual_discount_rate)
    if is_endless and annual_discount_rate == 0:
        msg = (
            "`annual_discount_rate` must be above 0 over an endless horizon, got 0.\n"
            "Give `horizon_days`, or write 0.1 for 10 % a year."
        )
        raise InvalidArgumentError(msg)


def require_margin(margin: float) -> None:
    """Require a margin as a fraction, not in percent."""
    require_number(
        margin,
        argument="margin",
        must="be above 0 and at most 1",
        fits=lambda share: 0 < share <= _WHOLE,
        advice="Write 0.3 for 30 %.",
    )


def require_discount_rate(annual_discount_rate: float) -> None:
    """Require a discount rate as a fraction a year, not in percent."""
    require_number(
        annual_discount_rate,
        argument="annual_discount_rate",
        must="be at least 0 and below 1",
        fits=lambda rate: 0 <= rate < _WHOLE,
        advice="Write 0.1 for 10 % a year.",
    )


def rate_per_period(annual_discount_rate: float, *, every: Period) -> float:
    """Convert an annual rate to the rate per period that compounds to it."""
    require_discount_rate(annual_discount_rate)
    return math.expm1(math.log1p(annual_discount_rate) * (PERIOD_DAYS[every] / _DAYS_A_YEAR))


def require_level(level: float, *, argument: str = "level") -> None:
    """Require the level of an interval as a fraction, not in percent."""
    require_number(
        level,
        argument=argument,
        must="lie between 0 and 1",
        fits=lambda share: 0 < share < _WHOLE,
        advice="Write 0.9 for 90 %.",
    )
