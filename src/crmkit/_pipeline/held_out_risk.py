"""The test of churn risk on held-out days, and the calibration that it gives."""

from __future__ import annotations

import math
from datetime import date
from typing import Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit import churn, rfm
from crmkit._door import frames, time
from crmkit._pipeline.forecast import Models, fit_or_why
from crmkit._pipeline.result import Settings
from crmkit._words import formats
from crmkit.churn import RiskCalibration
from crmkit.errors import FitError

_FEWEST_IN_A_BIN: Final = 20
_BINS: Final = 10
_MOST_STRETCH: Final = 2.0


class RiskTest(NamedTuple, Generic[IntoFrameT]):
    """Said and happened on held-out days, and the calibration; None, and why, without."""

    reliability: IntoFrameT | None = None
    calibration: RiskCalibration | None = None
    left_out: tuple[str, ...] = ()


def split_of(settings: Settings) -> date | None:
    """Split for the test of the risk: one horizon before `as_of`, or that of the forecast.

    The days held out are as many as the horizon has, if the time before them is long enough.
    """
    if settings.split is None or settings.horizon_days is None:
        return None
    last = time.number_of(settings.as_of)
    one_horizon = last - min(math.ceil(settings.horizon_days), last)
    return time.day_of(max(time.number_of(settings.split), one_horizon))


def serves(calibration: RiskCalibration, horizon_days: float) -> bool:
    """Whether a calibration was learned from days enough, and not too many, for the horizon."""
    return _is_like(horizon_days, calibration.horizon_days)


def _is_like(horizon_days: float, n_days: float) -> bool:
    return 1 / _MOST_STRETCH <= horizon_days / n_days <= _MOST_STRETCH


def tested(
    days: IntoFrameT,
    models: Models,
    settings: Settings,
    *,
    kept: RiskCalibration | None,
) -> RiskTest[IntoFrameT]:
    """Test churn risk on held-out days and calibrate it, or say why that cannot be done.

    A calibration that was kept is not learned anew.
    """
    split = split_of(settings)
    if models.purchases is None or split is None or settings.horizon_days is None:
        return RiskTest(calibration=kept)
    held_out = frames.keep(rfm.holdout(days, split=split, as_of=settings.as_of))
    model, why = fit_or_why(held_out, models.purchases.name)
    if model is None:
        return RiskTest(None, kept, (f"Test of churn risk on held-out days: {why}",))
    n_days = (settings.as_of - split).days
    rated = frames.keep(churn.risk(held_out, purchases=model, horizon_days=n_days))
    left_out: tuple[str, ...] = ()
    calibration = kept
    if kept is None:
        calibration, left_out = _calibration(rated, settings.horizon_days, n_days)
    n = int(frames.reopen(rated).select(nw.len().alias("n")).collect().item())
    bins = max(min(n // _FEWEST_IN_A_BIN, _BINS), 1)
    method = "identity" if calibration is None else calibration.method
    return RiskTest(churn.reliability(rated, bins=bins, method=method), calibration, left_out)


def _calibration(
    rated: IntoFrameT, horizon_days: float, n_days: int
) -> tuple[RiskCalibration | None, tuple[str, ...]]:
    """Calibrate the risk, where the days held out say something about the horizon."""
    if not _is_like(horizon_days, n_days):
        held_out = formats.counted(n_days, "day")
        why = (
            f"Calibration of churn risk: {held_out} could be held out, which says little of a "
            f"horizon of {horizon_days:g}; the risk is the model's own."
        )
        return None, (why,)
    try:
        return churn.fit_calibration(rated), ()
    except FitError as error:
        why, _, _ = str(error).removeprefix("churn calibration: ").partition("\n")
        return None, (f"Calibration of churn risk: {why}",)
