"""Gradient-boosted trees as a machine-learning benchmark for the models."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit._clv.evaluation.holdout import HoldoutColumns, HoldoutTest, timed
from crmkit._clv.evaluation.metrics import Forecast
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._summary.holdout import holdout
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.predictive.log_score import poisson
from crmkit.tables import HOLDOUT

BOOSTED_TREES: Final = "boosted trees"

_FEATURES: Final = ("frequency", "recency", "days_since_last", "monetary_value", "total_amount")
"""Not T: most customers are older at the split than any at the earlier one, and trees do not
extrapolate."""

_OUTCOMES: Final = ("frequency_holdout", "amount_holdout")
_NEEDED: Final = HOLDOUT.only(*_FEATURES, *_OUTCOMES)
_PARTS: Final = 3
_LEARNING_RATE: Final = 0.05
"""Half the default; tuned on CDNOW's held-out days, as the columns were, in the trees' favour."""


def boosted_trees(orders: IntoFrame, test: HoldoutTest, columns: HoldoutColumns) -> Forecast:
    """Train on an earlier split, and forecast from the split of the test.

    The trees have the same summary as the models. They are trained on the last days before the
    split, as many as the horizon has but a third of the history at most; their forecast is scaled
    to the horizon.
    """
    regressor = _regressor()
    days = min(test.horizon_days, int(columns.T.max(initial=0.0)) // _PARTS)
    if days < 1:
        msg = f"{BOOSTED_TREES}: a history under 3 days is too short to train on.\nSplit later."
        raise FitError(msg)

    def ahead() -> tuple[Floats, Floats]:
        before = test.split - timedelta(days=days)
        earlier = holdout(orders, split=before, as_of=test.split)
        features, outcomes = _features(frames.run_once(earlier))
        now, _ = _features(test.customers)
        stretch = test.horizon_days / days
        purchases, amount = (
            stretch * _trained(regressor, features, each, now) for each in outcomes
        )
        return purchases, amount

    (purchases, amount), seconds = timed(ahead)
    return Forecast(purchases, amount, poisson(purchases, columns.purchases), seconds)


def _regressor() -> Any:  # noqa: ANN401 - a class of a package that may be missing
    try:
        return importlib.import_module("sklearn.ensemble").HistGradientBoostingRegressor
    except ModuleNotFoundError as missing:
        if missing.name not in ("sklearn", "sklearn.ensemble"):
            raise
    msg = "The package scikit-learn is not installed.\nRun: pip install crmkit[ml]"
    raise InvalidArgumentError(msg)


def _features(customers: IntoDataFrame) -> tuple[Floats, list[Floats]]:
    columns = frames.collect(frames.read(customers, _NEEDED), *_NEEDED.column_names)
    # Half the digits: sums differ in their last ones from run to run, and trees split between them.
    known = {name: values.astype(np.float32).astype(float) for name, values in columns.items()}
    features = np.column_stack([known[name] for name in _FEATURES])
    return features, [known[name] for name in _OUTCOMES]


def _trained(regressor: Any, features: Floats, outcome: Floats, now: Floats) -> Floats:  # noqa: ANN401
    """Train on an earlier outcome, amounts below 0 as 0, and predict the next."""
    outcome = np.maximum(outcome, 0.0)
    if not outcome.any():
        return np.zeros(len(now))
    # One thread: threads that wait for each other would count as CPU time.
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        trees = regressor(loss="poisson", learning_rate=_LEARNING_RATE, random_state=0)
        forecast: Floats = trees.fit(features, outcome).predict(now)
    return forecast
