"""What a forecast is scaled by where the weeks to come are not like those seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crmkit._words.arguments import require_number
from crmkit.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a season and a trend make of a forecast: a value to give to `predict`.

    Attributes
    ----------
    factor
        What the forecast is to be multiplied by; 1 where nothing is to be seen.
    kind
        "none", "season", "trend" or "season and trend": what is in the factor.
    horizon_days
        The horizon that it holds for.
    season, season_error
        Actual over expected purchases in the weeks of the horizon a year ago and before, against
        the whole years, and its standard error; None where the history has no such weeks.
    trend, trend_error
        Actual over expected purchases in the last weeks, a visible season of these weeks taken
        out, and its standard error; None where the history is too short.
    """

    factor: float
    kind: str
    horizon_days: float
    season: float | None = None
    season_error: float | None = None
    trend: float | None = None
    trend_error: float | None = None


def factor_of(calibrate: Pattern | float | None, *, horizon_days: float) -> float:
    """Take the factor, or refuse one that scales nothing or was found for another horizon."""
    if calibrate is None:
        return 1.0
    if isinstance(calibrate, Pattern) and calibrate.horizon_days != horizon_days:
        msg = (
            f"`calibrate` was found for {calibrate.horizon_days:g} days, "
            f"`horizon_days` is {horizon_days:g}.\nCall pattern() with the same horizon."
        )
        raise InvalidArgumentError(msg)
    factor = calibrate.factor if isinstance(calibrate, Pattern) else calibrate
    require_number(
        factor,
        argument="calibrate",
        must="be above 0",
        fits=lambda times: 0 < times < math.inf,
        advice="Write 1.1 for 10 % more.",
    )
    return float(factor)
