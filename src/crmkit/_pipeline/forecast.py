"""The forecast of the main job: models, predictions, and the test on held-out days."""

from __future__ import annotations

from typing import Final, Generic, NamedTuple

from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import clv
from crmkit._door import frames
from crmkit._pipeline import known
from crmkit._pipeline.known import Known
from crmkit._pipeline.result import Settings
from crmkit.errors import FitError
from crmkit.models.inference.diagnostics import STOPPED

MODEL: Final = "bg_nbd"
_SPEND: Final = "gamma_gamma"
_NO_BASELINES: Final = (
    "Comparison of the forecast with baselines: it needs the amounts of repeat purchases."
)


class Models(NamedTuple):
    """The fitted models; None, and why, for one that cannot be fitted."""

    purchases: clv.Fit | None = None
    spend: clv.Fit | None = None
    left_out: tuple[str, ...] = ()


class HeldOut(NamedTuple, Generic[IntoFrameT]):
    """The forecast beside what happened on held-out days; None, and why, where there is none."""

    backtest: IntoFrameT | None = None
    calibration: IntoFrameT | None = None
    left_out: tuple[str, ...] = ()


def fitted(customers: IntoFrame, found: Known) -> Models:
    """Fit the models that the customers allow."""
    if why := known.no_model(found):
        return Models(left_out=(why,))
    purchases, why = fit_or_why(customers, MODEL)
    if purchases is None:
        return Models(left_out=(f"{known.forecast_of(found)}: {why}",))
    if not found.has_money:
        return Models(purchases)
    spend, why = fit_or_why(customers, _SPEND)
    if spend is None:
        return Models(purchases, left_out=(f"Expected value: {why}",))
    return Models(purchases, spend)


def fit_or_why(customers: IntoFrame, model: str) -> tuple[clv.Fit | None, str]:
    """Fit a model that can be trusted, or say why not."""
    try:
        fit = clv.fit(customers, model=model)
    except FitError as error:
        return None, known.on_one_line(error)
    return (None, STOPPED) if STOPPED in fit.diagnostics else (fit, "")


def predicted(customers: IntoFrameT, models: Models, settings: Settings) -> IntoFrameT:
    """Append what the models predict, once and for all steps that follow."""
    if models.purchases is None or settings.horizon_days is None:
        return customers
    return frames.keep(
        clv.predict(
            customers,
            purchases=models.purchases,
            spend=models.spend,
            horizon_days=settings.horizon_days,
            margin=1.0 if settings.margin is None else settings.margin,
            annual_discount_rate=settings.annual_discount_rate or 0.0,
        )
    )


def tested(days: IntoFrameT, models: Models, settings: Settings) -> HeldOut[IntoFrameT]:
    """Test the forecast on held-out days, or say why that cannot be done."""
    split, as_of = settings.split, settings.as_of
    if models.purchases is None or split is None:
        return HeldOut()
    try:
        if models.spend is None:
            calibration = clv.calibration(days, split=split, as_of=as_of, model=MODEL)
            return HeldOut(None, calibration, (_NO_BASELINES,))
        found = clv.validate(days, split=split, as_of=as_of, model=MODEL)
    except FitError as error:
        why = f"The forecast could not be tested on held-out days. {known.on_one_line(error)}"
        return HeldOut(left_out=(why,))
    return HeldOut(found.backtest, found.calibration)
