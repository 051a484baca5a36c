"""T-learner and X-learner: two ways to learn what a treatment changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from crmkit._door.frames import Floats

Learner = Literal["t", "x"]

LEARNERS: Final[tuple[Learner, ...]] = ("x", "t")
"""Of equal ones the first: the X-learner shrinks less of the effect away in small groups."""

Regressor: TypeAlias = Callable[[list[bool], int], Any]


class Fitted(NamedTuple):
    """Outcomes of both groups, and effects learned in each; None for a T-learner."""

    without: Any
    with_: Any
    effect_of_treated: Any | None
    effect_of_control: Any | None
    chance: float

    def outcomes(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Forecast the outcome without and with the treatment."""
        return self.without.predict(matrix), self.with_.predict(matrix)

    def uplift(self, matrix: Floats) -> Floats:
        """Forecast what the treatment changes."""
        without, with_ = self.outcomes(matrix)
        if self.effect_of_treated is None or self.effect_of_control is None:
            return np.asarray(with_ - without)
        # Each group's effects lean on the other group's forecast: the larger one is surer.
        of_control = self.effect_of_control.predict(matrix)
        of_treated = self.effect_of_treated.predict(matrix)
        return np.asarray(self.chance * of_control + (1 - self.chance) * of_treated)


def fit(
    matrix: Floats,
    treated: npt.NDArray[np.bool_],
    outcome: Floats,
    *,
    is_category: list[bool],
    learner: Learner,
    seed: int,
) -> Fitted:
    """Fit a learner (Künzel et al. 2019, https://doi.org/10.1073/pnas.1804597116)."""
    make = regressor()

    def trained(rows: npt.NDArray[np.bool_], target: Floats) -> Any:  # noqa: ANN401 - of scikit-learn
        with importlib.import_module("threadpoolctl").threadpool_limits(1):
            return make(is_category, seed).fit(matrix[rows], target)

    without = trained(~treated, outcome[~treated])
    with_ = trained(treated, outcome[treated])
    chance = float(treated.mean())
    if learner == "t":
        return Fitted(without, with_, None, None, chance)
    of_treated = trained(treated, outcome[treated] - without.predict(matrix[treated]))
    of_control = trained(~treated, with_.predict(matrix[~treated]) - outcome[~treated])
    return Fitted(without, with_, of_treated, of_control, chance)


def regressor() -> Regressor:
    """Give the maker of a learner of numbers: shallow boosted trees, since effects are small."""
    trees = importlib.import_module("sklearn.ensemble").HistGradientBoostingRegressor

    def make(is_category: list[bool], seed: int) -> Any:  # noqa: ANN401 - of scikit-learn
        return trees(
            max_iter=80,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=100,
            l2_regularization=1.0,
            categorical_features=is_category,
            random_state=seed,
        )

    return make
