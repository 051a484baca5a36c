"""Leaderboard: the metrics of each forecasting method, the best first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._clv.evaluation.baseline_rules import baseline_rules
from crmkit._clv.evaluation.boosted_trees import BOOSTED_TREES, boosted_trees
from crmkit._clv.evaluation.holdout import HoldoutColumns, HoldoutTest, columns_of, timed
from crmkit._clv.evaluation.metrics import Forecast, metrics
from crmkit._clv.evaluation.pattern import pattern
from crmkit._clv.prediction.pattern_value import Pattern
from crmkit._clv.prediction.predict import predict
from crmkit._door import frames
from crmkit.models.predictive import log_score

_NOT_FIGURES: Final = ("split", "method", "n_customers")


def leaderboard(
    orders: IntoFrameT,
    tests: Iterable[HoldoutTest],
    *,
    hiatus_days: float,
    with_boosted_trees: bool,
    calibrated: bool,
) -> IntoFrameT:
    """Evaluate each method on each test, sorted by split and log score."""
    lines: list[dict[str, Any]] = []
    for test in tests:
        columns = columns_of(test)
        forecasts = _of_models(test, columns, calibrated_on=orders if calibrated else None)
        if with_boosted_trees:
            forecasts[BOOSTED_TREES] = boosted_trees(orders, test, columns)
        horizon = float(test.horizon_days)
        forecasts |= baseline_rules(columns, horizon_days=horizon, hiatus_days=hiatus_days)
        lines += [
            {"split": test.split, "method": method} | metrics(columns, forecast)
            for method, forecast in forecasts.items()
        ]
    lines.sort(key=lambda line: (line["split"], -line["log_score"]))
    by_name: dict[str, Any] = {name: [line[name] for line in lines] for name in lines[0]}
    by_name["split"] = np.array(by_name["split"], dtype="datetime64[D]")
    figures = [name for name in by_name if name not in _NOT_FIGURES]
    table = frames.table_like(by_name, like=frames.reopen(orders))
    return frames.give(table.with_columns(nw.col(*figures).cast(nw.Float64)), like=orders)


def _of_models(
    test: HoldoutTest, columns: HoldoutColumns, *, calibrated_on: IntoFrame | None
) -> dict[str, Forecast]:
    forecasts = {}
    for name in test.fits:
        forecasts[name] = _forecast(test, columns, name=name)
        if calibrated_on is not None:
            calibrated = _calibrated(calibrated_on, test, columns, name=name)
            forecasts[f"{name}, calibrated"] = calibrated
    return forecasts


def _calibrated(
    orders: IntoFrame, test: HoldoutTest, columns: HoldoutColumns, *, name: str
) -> Forecast:
    """Scale a model by the season and trend before the split."""
    horizon, fitted = test.horizon_days, test.fits[name].fit
    found, seconds = timed(
        lambda: pattern(orders, purchases=fitted, as_of=test.split, horizon_days=horizon)
    )
    return _forecast(test, columns, name=name, calibrate=found, seconds=seconds)


def _forecast(
    test: HoldoutTest,
    columns: HoldoutColumns,
    *,
    name: str,
    calibrate: Pattern | None = None,
    seconds: float = 0.0,
) -> Forecast:
    purchases, spend = test.fits[name], test.spend
    ahead, took = timed(
        lambda: predict(
            test.customers,
            purchases=purchases.fit,
            spend=None if spend is None else spend.fit,
            horizon_days=test.horizon_days,
            calibrate=calibrate,
        )
    )
    expected = frames.collect(frames.reopen(ahead), "expected_purchases", "clv")
    seconds += took + purchases.seconds + (spend.seconds if spend is not None else 0.0)
    model, history = purchases.fit.model, (columns.frequency, columns.recency, columns.T)
    horizon = float(test.horizon_days)
    if calibrate is not None and calibrate.factor != 1:
        horizon = log_score.horizon_for(
            model, history, horizon_days=horizon, factor=calibrate.factor
        )
    probabilities = log_score.of_model(model, history, columns.purchases, horizon_days=horizon)
    return Forecast(expected["expected_purchases"], expected["clv"], probabilities, seconds)
