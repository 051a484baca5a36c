"""Gradient-boosted trees as a machine-learning benchmark for the models."""

from __future__ import annotations

from typing import Final

from narwhals.typing import IntoFrame

from crmkit._clv.evaluation.holdout import HoldoutColumns, HoldoutTest, timed
from crmkit._clv.evaluation.metrics import Forecast
from crmkit._clv.trees.fit_trees import fit_trees
from crmkit._clv.trees.predict_trees import AMOUNT, PURCHASES, predict_trees
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.models.predictive.log_score import poisson

BOOSTED_TREES: Final = "boosted trees"


def boosted_trees(orders: IntoFrame, test: HoldoutTest, columns: HoldoutColumns) -> Forecast:
    """Train on an earlier split, and forecast from the split of the test.

    The trees have the same summary as the models.
    """

    def ahead() -> tuple[Floats, Floats]:
        trees = fit_trees(orders, as_of=test.split, horizon_days=test.horizon_days)
        found = frames.reopen(predict_trees(test.customers, trees=trees))
        both = frames.collect(found, PURCHASES, AMOUNT)
        return both[PURCHASES], both[AMOUNT]

    (purchases, amount), seconds = timed(ahead)
    return Forecast(purchases, amount, poisson(purchases, columns.purchases), seconds)
