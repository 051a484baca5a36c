"""Calibration of churn risk: a value to keep, and how it is applied."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, TypeAlias, get_args

import narwhals as nw
import numpy as np
import numpy.typing as npt

from crmkit._words import kept
from crmkit._words.arguments import require_choice
from crmkit.errors import InvalidArgumentError

CalibrationMethod: TypeAlias = Literal["identity", "platt", "isotonic"]
Floats: TypeAlias = npt.NDArray[np.float64]

_EDGE: Final = 1e-9
"""The log odds of a risk are cut off here, where no data could calibrate it."""


@dataclass(frozen=True, slots=True)
class RiskCalibration:
    """Map from the risk that a model states to the share that then bought nothing.

    `crmkit.churn.fit_calibration` makes it, `crmkit.churn.risk` applies it.

    Attributes
    ----------
    method
        "identity" where neither "platt" nor "isotonic" was worth it: the risk stays as it is.
    horizon_days
        Days of the held-out period that it was learned from.
    n_customers
        Customers that it was learned from.
    intercept, slope
        Of Platt's logistic curve on the log odds of the risk; 0 and 1 for the other methods.
    stated, observed
        Points of the isotonic curve, rising, from 0 to 1; between them it is linear. Empty for
        the other methods.
    log_score
        Mean log of the probability that the risk as stated gave to what happened.
    log_score_gain
        By how much calibration improves that on customers that it was not learned from; 0 for
        "identity".
    """

    method: CalibrationMethod
    horizon_days: float
    n_customers: int
    intercept: float = 0.0
    slope: float = 1.0
    stated: tuple[float, ...] = ()
    observed: tuple[float, ...] = ()
    log_score: float = math.nan
    log_score_gain: float = 0.0

    def __post_init__(self) -> None:
        """Require fields that fit together."""
        require_choice(self.method, get_args(CalibrationMethod), argument="method")
        rising = all(
            a < b and c <= d
            for (a, b), (c, d) in zip(
                itertools.pairwise(self.stated), itertools.pairwise(self.observed), strict=False
            )
        )
        inside = all(0 <= each <= 1 for each in (*self.stated, *self.observed))
        whole = (0.0, 1.0) if self.method == "isotonic" else ()
        ends = (*self.stated[:1], *self.stated[-1:]) == whole
        same = len(self.stated) == len(self.observed)
        positive = 0 < self.slope < math.inf and 0 < self.horizon_days < math.inf
        if not (rising and inside and ends and same and positive and math.isfinite(self.intercept)):
            msg = (
                "RiskCalibration: needs a horizon and a slope above 0, and for an isotonic curve "
                f"as many `observed` as `stated`, rising from 0 to 1; got {self}.\n"
                "Make it with crmkit.churn.fit_calibration()."
            )
            raise InvalidArgumentError(msg)

    def to_json(self) -> str:
        """Write the calibration as JSON text."""
        return kept.write("RiskCalibration", kept.nan_as_null(asdict(self)))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a calibration that `to_json` wrote."""
        fields: dict[str, kept.Reader[Any]] = {
            "method": kept.choice(*get_args(CalibrationMethod)),
            "horizon_days": kept.positive,
            "n_customers": kept.whole,
            "intercept": kept.number,
            "slope": kept.positive,
            "stated": kept.list_of(kept.number),
            "observed": kept.list_of(kept.number),
            "log_score": kept.number_or_nan,
            "log_score_gain": kept.number,
        }
        return cls(**kept.read(text, kind="RiskCalibration", fields=fields))


def applied(calibration: RiskCalibration, risk: nw.Expr) -> nw.Expr:
    """Calibrate a column of risks where the data lives."""
    if calibration.method == "identity":
        return risk
    if calibration.method == "isotonic":
        return _on_line(risk, calibration.stated, calibration.observed)
    inside = (
        nw.when(risk < _EDGE)
        .then(nw.lit(_EDGE))
        .when(risk > 1 - _EDGE)
        .then(nw.lit(1 - _EDGE))
        .otherwise(risk)
    )
    odds = inside.log() - (1 - inside).log()
    line = calibration.intercept + odds * calibration.slope
    return (1 + (line * -1).exp()) ** -1


def calibrated(calibration: RiskCalibration, risk: Floats) -> Floats:
    """Calibrate risks in memory, as `applied` does."""
    if calibration.method == "identity":
        return risk
    if calibration.method == "isotonic":
        return np.interp(risk, calibration.stated, calibration.observed)
    odds = log_odds(risk)
    return np.asarray(1 / (1 + np.exp(-(calibration.intercept + calibration.slope * odds))))


def log_odds(risk: Floats) -> Floats:
    """Log odds of risks, cut off where no data could calibrate them."""
    inside = np.clip(risk, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _on_line(value: nw.Expr, x: tuple[float, ...], y: tuple[float, ...]) -> nw.Expr:
    """Interpolate linearly between points, one piece at a time from the last."""
    pieces = list(zip(itertools.pairwise(x), itertools.pairwise(y), strict=True))
    lines = [
        low + (value - start) * ((high - low) / (end - start))
        for (start, end), (low, high) in pieces
    ]
    found = lines[-1]
    for ((_, end), _), line in zip(reversed(pieces[:-1]), reversed(lines[:-1]), strict=True):
        found = nw.when(value <= end).then(line).otherwise(found)
    return found
