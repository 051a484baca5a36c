"""Likeness to valued customers: two learners, and which of them knows anything."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit.models.numerics.roc import area_of_groups

Flags = npt.NDArray[np.bool_]
Model: TypeAlias = Callable[[Floats], Floats]

LEARNERS: Final = ("the mean of all", "logistic regression", "boosted trees")
"""Of equal ones the first."""

_FOLDS: Final = 5
_SAFE: Final = 1e-6


class Judged(NamedTuple):
    """The better learner, and what it says of customers it was not trained on."""

    learner: str
    p: Floats


def fit(learner: str, features: Features, matrix: Floats, valued: Flags, *, seed: int) -> Model:
    """Train a learner; it gives the probability for each row of a matrix."""
    if learner == LEARNERS[0]:
        mean = float(valued.mean())
        return lambda rows: np.full(len(rows), mean)
    if learner == LEARNERS[2]:
        return _trees(features, matrix, valued, seed=seed)
    return _logistic(features, matrix, valued)


def judge(features: Features, matrix: Floats, valued: Flags, *, seed: int) -> Judged:
    """Forecast each fifth of the customers from the others, and take the better learner."""
    folds = np.random.default_rng(seed).permutation(len(valued)) % _FOLDS
    said = {}
    for learner in LEARNERS:
        p = np.zeros(len(valued))
        for fold in range(_FOLDS):
            out = folds == fold
            model = fit(learner, features, matrix[~out], valued[~out], seed=seed)
            p[out] = model(matrix[out])
        said[learner] = p
    best = min(LEARNERS, key=lambda learner: _log_loss(said[learner], valued))
    return Judged(best, said[best])


def auc(p: Floats, valued: Flags) -> tuple[float, float]:
    """Area under the ROC curve, ties averaged, and its error where nothing is known."""
    _, group = np.unique(-p, return_inverse=True)
    yes, no = np.bincount(group, valued).astype(float), np.bincount(group, ~valued).astype(float)
    n_yes, n_no = yes.sum(), no.sum()
    return area_of_groups(yes, no), math.sqrt((n_yes + n_no + 1) / (12 * n_yes * n_no))


def _log_loss(p: Floats, valued: Flags) -> float:
    safe = np.clip(p, _SAFE, 1 - _SAFE)
    return float(-np.where(valued, np.log(safe), np.log1p(-safe)).mean())


def _trees(features: Features, matrix: Floats, valued: Flags, *, seed: int) -> Model:
    model = importlib.import_module("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=features.is_category,
        random_state=seed,
    )
    with _one_thread():
        model.fit(matrix, valued)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1])


def _logistic(features: Features, matrix: Floats, valued: Flags) -> Model:
    """Fit to numbers of mean 0 and deviation 1, unknown ones at the mean and marked."""
    numeric = [i for i, each in enumerate(features.is_category) if not each]
    known = [matrix[~np.isnan(matrix[:, i]), i] for i in numeric]
    mean = np.array([values.mean() if len(values) else 0.0 for values in known])
    spread = np.array([values.std() if len(values) else 0.0 for values in known])

    def laid_out(rows: Floats) -> Floats:
        numbers = (rows[:, numeric] - mean) / np.where(spread > 0, spread, 1.0)
        flags = [
            rows[:, i] == code
            for i, each in enumerate(features.columns)
            for code in range(len(each.categories))
        ]
        missing = np.isnan(numbers)
        return np.column_stack([np.where(missing, 0.0, numbers), missing, *flags]).astype(float)

    model = importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=1000)
    with _one_thread():
        model.fit(laid_out(matrix), valued)
    return lambda rows: np.asarray(model.predict_proba(laid_out(rows))[:, 1])


def _one_thread() -> Any:  # noqa: ANN401 - of threadpoolctl
    return importlib.import_module("threadpoolctl").threadpool_limits(1)
