"""What a machine-learning analyst would set against the models: boosted trees."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit._clv.evaluation.holdout_trial import Halves, Trial, timed
from crmkit._clv.evaluation.log_score import poisson
from crmkit._clv.evaluation.measures import Forecast
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._summary.summarize import holdout
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import HOLDOUT

BOOSTED_TREES: Final = "boosted trees"

_FEATURES: Final = ("frequency", "recency", "days_since_last", "monetary_value", "total_amount")
"""Not T: most customers are older at the split than any at the earlier one, and a tree cannot
tell what lies beyond what it has seen."""

_OUTCOMES: Final = ("frequency_holdout", "amount_holdout")
_NEEDED: Final = HOLDOUT.only(*_FEATURES, *_OUTCOMES)
_PARTS: Final = 3
_LEARNING_RATE: Final = 0.05
"""Half the usual; it and the columns were chosen on CDNOW's held-out days, in the trees' favour."""


def boosted_trees(orders: IntoFrame, held: Trial, half: Halves) -> Forecast:
    """Learn from an earlier split what customers did next, and let them do it again.

    The trees see the same summary as the models. They are trained on the last days before the
    split, as many as are to be forecast but a third of the history at most; what they say of
    these is scaled to the horizon.
    """
    regressor = _regressor()
    days = min(held.horizon_days, int(half.T.max(initial=0.0)) // _PARTS)
    if days < 1:
        msg = f"{BOOSTED_TREES}: a history of under 3 days holds no earlier split.\nSplit later."
        raise FitError(msg)

    def ahead() -> tuple[Floats, Floats]:
        before = held.split - timedelta(days=days)
        known, outcomes = _columns(frames.run_once(holdout(orders, split=before, as_of=held.split)))
        now, _ = _columns(held.halves)
        stretch = held.horizon_days / days
        purchases, amount = (stretch * _learnt(regressor, known, each, now) for each in outcomes)
        return purchases, amount

    (purchases, amount), seconds = timed(ahead)
    return Forecast(purchases, amount, poisson(purchases, half.purchases), seconds)


def _regressor() -> Any:  # noqa: ANN401 - a class of a package that may be missing
    try:
        return importlib.import_module("sklearn.ensemble").HistGradientBoostingRegressor
    except ModuleNotFoundError as missing:
        if missing.name not in ("sklearn", "sklearn.ensemble"):
            raise
    msg = "The package scikit-learn is not installed.\nRun: pip install crmkit[ml]"
    raise InvalidArgumentError(msg)


def _columns(halves: IntoDataFrame) -> tuple[Floats, list[Floats]]:
    columns = frames.collect(frames.read(halves, _NEEDED), *_NEEDED.column_names)
    # Half the digits: sums differ in their last ones from run to run, and trees cut between them.
    known = {name: values.astype(np.float32).astype(float) for name, values in columns.items()}
    features = np.column_stack([known[name] for name in _FEATURES])
    return features, [known[name] for name in _OUTCOMES]


def _learnt(regressor: Any, known: Floats, outcome: Floats, now: Floats) -> Floats:  # noqa: ANN401
    """Fit to what came before, returns beyond purchases taken as none, and say what comes next."""
    outcome = np.maximum(outcome, 0.0)
    if not outcome.any():
        return np.zeros(len(now))
    # One thread: several that wait for each other would be counted as work.
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        trees = regressor(loss="poisson", learning_rate=_LEARNING_RATE, random_state=0)
        forecast: Floats = trees.fit(known, outcome).predict(now)
    return forecast
