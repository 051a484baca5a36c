"""Season and trend as a factor on a forecast: a value to keep and give to `predict`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias, get_args

from crmkit._words import kept
from crmkit._words.arguments import require_number
from crmkit.errors import InvalidArgumentError

Kind: TypeAlias = Literal["none", "season", "trend", "season and trend"]

_FIELDS: Final[dict[str, kept.Reader[object]]] = {
    "factor": kept.positive,
    "parts": kept.choice(*get_args(Kind)),
    "horizon_days": kept.positive,
    "season": kept.optional(kept.number),
    "season_error": kept.optional(kept.number),
    "trend": kept.optional(kept.number),
    "trend_error": kept.optional(kept.number),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Seasonal and trend factor of a forecast: a value to give to `predict`.

    Attributes
    ----------
    factor
        Factor to multiply the forecast by: season times trend, each shrunk towards 1 by its error.
    kind
        "none", "season", "trend" or "season and trend": which of them are visible, more than two
        standard errors from 1.
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

    def to_json(self) -> str:
        """Write the pattern as JSON text, to keep it."""
        fields = asdict(self)
        parts = fields.pop("kind")  # a word that the text has for itself
        return kept.write("Pattern", {"parts": parts, **fields})

    @classmethod
    def from_json(cls, text: str) -> Pattern:
        """Read a pattern from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        found = kept.read(text, kind="Pattern", fields=_FIELDS)
        return cls(kind=found.pop("parts"), **found)


def factor_of(calibrate: Pattern | float | None, *, horizon_days: float) -> float:
    """Give the factor of a forecast over this horizon.

    Raises
    ------
    InvalidArgumentError
        If it is not above 0, or is a pattern of another horizon.
    """
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
