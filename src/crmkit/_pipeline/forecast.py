"""The forecast of the main job: models, predictions, and the test on held-out days."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import clv
from crmkit._clv.evaluation.misses import past_totals
from crmkit._clv.fitting.choose import first_day
from crmkit._door import frames, time
from crmkit._pipeline import known
from crmkit._pipeline.kept import Kept
from crmkit._pipeline.known import Known
from crmkit._pipeline.result import Settings
from crmkit._words import formats
from crmkit.errors import CrmkitWarning, FitError
from crmkit.models.inference.diagnostics import STOPPED

_OTHERWISE: Final = ("mbg_nbd", "bg_nbd")
"""Purchase models that are tried where the chosen one cannot be fitted."""

LEVEL: Final = 0.9
"""Coverage of the bounds of totals."""

_ORIGINS: Final = 2
"""Earlier days to forecast from; on two logs the bounds hold as often as with four."""

_FEWEST_PURCHASES: Final = 30
"""A total of fewer says little of the next."""

_CLEARLY: Final = 0.75
"""A plain rule is better where it misses by at most this part of what the model misses by."""

_SHOWN_TOTALS: Final = ("expected_purchases", "clv")
_FEWEST: Final = 10
_PARTS: Final = 8
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


class Totals(NamedTuple):
    """Bounds of the totals by the name of their column, and what earlier forecasts showed."""

    bounds: Mapping[str, tuple[float, float]] = MappingProxyType({})
    misses: clv.Misses | None = None
    notes: tuple[str, ...] = ()


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


def terms(settings: Settings) -> dict[str, float]:
    """Margin and discount rate of a forecast, as arguments; revenue where none was asked for."""
    return {
        "margin": 1.0 if settings.margin is None else settings.margin,
        "annual_discount_rate": settings.annual_discount_rate or 0.0,
    }


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
            **terms(settings),
        )
    )


def totals(
    customers: IntoFrame,
    *,
    days: IntoFrame,
    models: Models,
    held_out: HeldOut[Any],
    settings: Settings,
) -> Totals:
    """Find bounds of the totals that hold the misses of forecasts from earlier days.

    One of these forecasts is the test on held-out days, which costs nothing more.
    """
    if models.purchases is None or settings.horizon_days is None:
        return Totals()
    tested = _as_miss(held_out, days=days, models=models, settings=settings)
    misses = clv.fit_misses(
        days,
        as_of=settings.as_of,
        horizon_days=settings.horizon_days,
        model=models.purchases.name,
        spend=None if models.spend is None else models.spend.name,
        origins=_ORIGINS - len(tested),
    )
    misses = replace(misses, tests=(*tested, *misses.tests))
    total = clv.predict_total(
        customers,
        purchases=models.purchases,
        spend=models.spend,
        horizon_days=settings.horizon_days,
        **terms(settings),
        misses=misses,
        level=LEVEL,
    )
    (row,) = frames.rows(frames.reopen(total))
    ends = {name: (row.get(f"{name}_lower"), row.get(f"{name}_upper")) for name in _SHOWN_TOTALS}
    bounds = {
        name: (lower, upper)
        for name, (lower, upper) in ends.items()
        if lower is not None and upper is not None
    }
    return Totals(bounds, misses, tuple(_better_rule(misses)))


def _as_miss(
    held_out: HeldOut[Any], *, days: IntoFrame, models: Models, settings: Settings
) -> tuple[clv.MissTest, ...]:
    """Take the forecast on held-out days as a test of totals, where it was large enough."""
    if held_out.backtest is None or models.purchases is None or settings.split is None:
        return ()
    table = frames.reopen(held_out.backtest)
    (row,) = frames.rows(table.filter(nw.col("method") == models.purchases.name))
    if min(row["actual_purchases"], row["predicted_purchases"]) < _FEWEST_PURCHASES:
        return ()
    length = (settings.as_of - settings.split).days
    past: Mapping[str, float] = {}
    first = first_day(days, as_of=settings.as_of)
    if first is not None and (settings.split - first).days + 1 >= length:
        past = past_totals(days, split=settings.split, length=length)
    has_money = row["predicted_amount"] is not None
    return (
        clv.MissTest(
            split=settings.split,
            as_of=settings.as_of,
            actual_purchases=row["actual_purchases"],
            predicted_purchases=row["predicted_purchases"],
            actual_amount=row["actual_amount"] if has_money else None,
            predicted_amount=row["predicted_amount"],
            past_purchases=past.get("purchases"),
            past_amount=past.get("amount") if has_money else None,
        ),
    )


def _better_rule(misses: clv.Misses) -> Iterator[str]:
    """Say where repeating the past would have forecast a total better than the model."""
    for outcome, word in (("amount", "money"), ("purchases", "purchases")):
        model = misses.typical_error(outcome)
        rule = misses.typical_error(outcome, "past")
        if model is not None and rule is not None and rule < _CLEARLY * model:
            yield (
                f"Total of {word}: on {formats.counted(len(misses.tests), 'earlier day')} a plain "
                f"rule, the same {word} as in as many days before, missed by "
                f"{formats.percent(rule)} on average, the model by {formats.percent(model)}. Plan "
                "with the rule, or with the bounds."
            )


def test_split(days: IntoFrame, *, first: date, as_of: date) -> date:
    """Choose the day that the forecast is tested from: the middle of the time, if it can be.

    Where too few customers had come back by then, or too little came after it, it is the middle
    of the purchase days or a later day; where no day serves, it is the middle all the same.
    """
    middle = first + (as_of - first) // 2
    if _serves(days, middle):
        return middle
    frame = frames.reopen(days)
    bought = frame.filter(nw.col("n_orders_of_day") > 0)
    number, n = frames.distribution(
        bought.select(time.day_number(bought, "date").alias("number")), "number"
    )
    half = time.day_of(int(number[np.searchsorted(n.cumsum(), n.sum() / 2)])) if len(n) else middle
    later = [first + (as_of - first) * part // _PARTS for part in range(_PARTS // 2 + 1, _PARTS)]
    others = (day for day in (half, *later) if first < day < as_of)
    return next((day for day in others if _serves(days, day)), middle)


def _serves(days: IntoFrame, split: date) -> bool:
    """Whether enough customers came back by a day, and enough purchases came after it."""
    frame = frames.reopen(days)
    is_purchase = nw.col("n_orders_of_day") > 0
    early = is_purchase & time.until(frame, split)
    marked = frame.select(
        "customer_id",
        early=early.cast(nw.Int64),
        later=(is_purchase & ~early).cast(nw.Int64),
    )
    seen = marked.group_by("customer_id").agg(nw.col("early", "later").sum())
    known = seen.filter(nw.col("early") > 0)
    (row,) = frames.rows(
        known.select(again=(nw.col("early") > 1).cast(nw.Int64).sum(), later=nw.col("later").sum())
    )
    return min(row["again"] or 0, row["later"] or 0) >= _FEWEST


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
