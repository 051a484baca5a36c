"""The forecast of the main job: models, predictions, and the test on held-out days."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Final, Generic, NamedTuple

from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import clv
from crmkit._door import frames
from crmkit._pipeline import known
from crmkit._pipeline.kept import Kept
from crmkit._pipeline.known import Known
from crmkit._pipeline.result import Settings
from crmkit.errors import CrmkitWarning, FitError
from crmkit.models.inference.diagnostics import STOPPED

_OTHERWISE: Final = ("mbg_nbd", "bg_nbd")
"""Purchase models that are tried where the chosen one cannot be fitted."""

_SPEND: Final = "gamma_gamma"
_NO_BASELINES: Final = (
    "Comparison of the forecast with baselines: it needs the amounts of repeat purchases."
)

_NOTHING: Final = Kept()


class Models(NamedTuple):
    """The fitted models; None, and why, for one that cannot be fitted; why that for purchases."""

    purchases: clv.Fit | None = None
    spend: clv.Fit | None = None
    chosen: str = ""
    left_out: tuple[str, ...] = ()


class HeldOut(NamedTuple, Generic[IntoFrameT]):
    """The forecast beside what happened on held-out days; None, and why, where there is none."""

    backtest: IntoFrameT | None = None
    calibration: IntoFrameT | None = None
    left_out: tuple[str, ...] = ()


def fitted(
    customers: IntoFrame,
    found: Known,
    *,
    days: IntoFrame,
    settings: Settings,
    kept: Kept = _NOTHING,
) -> Models:
    """Fit the models that the customers allow, for purchases the one that forecasts best.

    Models that were kept are not fitted anew.
    """
    why = known.no_model(found)
    purchases, chosen = _kept(kept.purchases), ""
    if purchases is None and why is not None:
        return Models(left_out=(why,))
    if purchases is None:
        choice = clv.choose(days, as_of=settings.as_of)
        purchases, unfitted = _best(customers, choice)
        chosen = choice.reason
        if purchases is None:
            return Models(left_out=(f"{known.forecast_of(found)}: {unfitted}",))
    elif purchases.choice is not None:
        chosen = purchases.choice.reason
    if not found.has_money:
        return Models(purchases, chosen=chosen)
    spend = _kept(kept.spend)
    if spend is None:
        spend, unfitted = (None, why) if why is not None else fit_or_why(customers, _SPEND)
        if spend is None:
            return Models(purchases, chosen=chosen, left_out=(f"Expected value: {unfitted}",))
    return Models(purchases, spend, chosen)


def _best(customers: IntoFrame, choice: clv.Choice) -> tuple[clv.Fit | None, str]:
    """Fit the model that was chosen, or another where it cannot be fitted."""
    found, why = fit_or_why(customers, choice.best)
    if found is not None:
        return replace(found, choice=choice), ""
    for other in _OTHERWISE:
        if found is None and other != choice.best:
            found, _ = fit_or_why(customers, other)
    return found, why


def _kept(fit: clv.Fit | None) -> clv.Fit | None:
    """Take a kept fit, and say again what there is to know of it."""
    for note in () if fit is None else fit.diagnostics:
        warnings.warn(f"{fit.name}: {note}", CrmkitWarning, stacklevel=2)  # type: ignore[union-attr]
    return fit


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
            calibration = clv.calibration(
                days, split=split, as_of=as_of, model=models.purchases.name
            )
            return HeldOut(None, calibration, (_NO_BASELINES,))
        found = clv.validate(days, split=split, as_of=as_of, model=models.purchases.name)
    except FitError as error:
        why = f"The forecast could not be tested on held-out days. {known.on_one_line(error)}"
        return HeldOut(left_out=(why,))
    return HeldOut(found.backtest, found.calibration)
