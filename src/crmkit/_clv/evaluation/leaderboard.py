"""Several ways of forecasting in one table, the best first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._clv.evaluation import log_score
from crmkit._clv.evaluation.baseline_rules import plain_rules
from crmkit._clv.evaluation.boosted_trees import BOOSTED_TREES, boosted_trees
from crmkit._clv.evaluation.holdout_trial import Halves, Trial, columns_of, timed
from crmkit._clv.evaluation.measures import Forecast, measures
from crmkit._clv.evaluation.pattern import pattern
from crmkit._clv.prediction.pattern_value import Pattern
from crmkit._clv.prediction.predict import predict
from crmkit._door import frames

_NOT_FIGURES: Final = ("split", "method", "n_customers")


def leaderboard(
    orders: IntoFrameT,
    trials: Iterable[Trial],
    *,
    hiatus_days: float,
    with_boosted_trees: bool,
    calibrated: bool,
) -> IntoFrameT:
    """Measure each method on each trial, and sort by split and log score."""
    lines: list[dict[str, Any]] = []
    for held in trials:
        half = columns_of(held)
        forecasts = _of_models(held, half, calibrated_on=orders if calibrated else None)
        if with_boosted_trees:
            forecasts[BOOSTED_TREES] = boosted_trees(orders, held, half)
        horizon = float(held.horizon_days)
        forecasts |= plain_rules(half, horizon_days=horizon, hiatus_days=hiatus_days)
        lines += [
            {"split": held.split, "method": method} | measures(half, forecast)
            for method, forecast in forecasts.items()
        ]
    lines.sort(key=lambda line: (line["split"], -line["log_score"]))
    columns: dict[str, Any] = {name: [line[name] for line in lines] for name in lines[0]}
    columns["split"] = np.array(columns["split"], dtype="datetime64[D]")
    figures = [name for name in columns if name not in _NOT_FIGURES]
    table = frames.table_like(columns, like=frames.reopen(orders))
    return frames.give(table.with_columns(nw.col(*figures).cast(nw.Float64)), like=orders)


def _of_models(
    held: Trial, half: Halves, *, calibrated_on: IntoFrame | None
) -> dict[str, Forecast]:
    forecasts = {}
    for name in held.fits:
        forecasts[name] = _forecast(held, half, name=name)
        if calibrated_on is not None:
            forecasts[f"{name}, calibrated"] = _calibrated(calibrated_on, held, half, name=name)
    return forecasts


def _calibrated(orders: IntoFrame, held: Trial, half: Halves, *, name: str) -> Forecast:
    """Scale a model by what the weeks before the split show."""
    horizon, fitted = held.horizon_days, held.fits[name].fit
    found, seconds = timed(
        lambda: pattern(orders, purchases=fitted, as_of=held.split, horizon_days=horizon)
    )
    return _forecast(held, half, name=name, calibrate=found, seconds=seconds)


def _forecast(
    held: Trial,
    half: Halves,
    *,
    name: str,
    calibrate: Pattern | None = None,
    seconds: float = 0.0,
) -> Forecast:
    purchases, spend = held.fits[name], held.spend
    ahead, took = timed(
        lambda: predict(
            held.halves,
            purchases=purchases.fit,
            spend=None if spend is None else spend.fit,
            horizon_days=held.horizon_days,
            calibrate=calibrate,
        )
    )
    columns = frames.collect(frames.reopen(ahead), "expected_purchases", "clv")
    seconds += took + purchases.seconds + (spend.seconds if spend is not None else 0.0)
    model, history = purchases.fit.model, (half.frequency, half.recency, half.T)
    horizon = float(held.horizon_days)
    if calibrate is not None and calibrate.factor != 1:
        horizon = log_score.horizon_for(
            model, history, horizon_days=horizon, factor=calibrate.factor
        )
    given = log_score.of_model(model, history, half.purchases, horizon_days=horizon)
    return Forecast(columns["expected_purchases"], columns["clv"], given, seconds)
