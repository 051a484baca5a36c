"""The candidates for a churn model: boosted trees, regression, recency, a stated probability."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from crmkit._churn.model import forest, linear
from crmkit._churn.model.blend import Learner, Other, Stated, logit
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit.errors import FitError, InvalidArgumentError

STATED: Final = ("p_no_purchase", "p_silent", "churn_risk")
"""Columns in which a purchase model may have stated the probability; the first counts."""

RECENCY: Final = "days_since_last"
STACK: Final = "stack"
TREES: Final = "boosted trees"
LOGISTIC: Final = "logistic regression"
BY_RECENCY: Final = "recency alone"

Trainer: TypeAlias = Callable[[Floats, Floats], Learner]
"""Takes features and outcomes, and gives a learner."""

_HOW: Final[dict[str, Any]] = {
    "learning_rate": 0.08,
    "max_iter": 60,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "l2_regularization": 10.0,
    "max_features": 0.5,
    "early_stopping": False,
}
"""Small trees: customers differ smoothly, and outcomes are mostly chance."""


class Candidates(NamedTuple):
    """How each candidate is trained, and which of them is the default or the user's own."""

    trainers: Mapping[str, Trainer]
    main: str


def candidates(features: Features, *, estimator: Any, seed: int) -> Candidates:  # noqa: ANN401
    """Name the candidates that the features allow."""
    names = list(features.names)
    trainers: dict[str, Trainer] = {}
    main = TREES if estimator is None else type(estimator).__name__
    trainers[main] = _trainer(features, estimator, seed)
    trainers[LOGISTIC] = lambda matrix, churned: linear.fit(matrix, churned, features)
    stated = next((name for name in STATED if name in names), None)
    if stated is not None:
        at = names.index(stated)
        trainers[stated] = lambda matrix, _: Stated(at, _mean_log_odds(matrix[:, at]))
    if RECENCY in names:
        only = [names.index(RECENCY)]
        trainers[BY_RECENCY] = lambda matrix, churned: linear.fit(
            matrix, churned, features, only=only
        )
    return Candidates(trainers, main)


def require_classifier(estimator: object) -> None:
    """Require a classifier of scikit-learn that gives probabilities."""
    if estimator is None:
        return
    has_methods = all(hasattr(estimator, name) for name in ("fit", "predict_proba", "get_params"))
    if isinstance(estimator, type) or not has_methods:
        msg = (
            f"`estimator` must be a classifier of scikit-learn with predict_proba, got "
            f"{type(estimator).__name__ if not isinstance(estimator, type) else 'a class'}.\n"
            "Write HistGradientBoostingClassifier(), or leave it out."
        )
        raise InvalidArgumentError(msg)


def _mean_log_odds(stated: Floats) -> float:
    known = stated[~np.isnan(stated)]
    return float(logit(known).mean()) if len(known) else 0.0


def _trainer(features: Features, estimator: Any, seed: int) -> Trainer:  # noqa: ANN401
    """Train the default, or a copy of the user's estimator."""
    base = importlib.import_module("sklearn.base")
    ensemble = importlib.import_module("sklearn.ensemble")
    linear_model = importlib.import_module("sklearn.linear_model")

    def train(matrix: Floats, churned: Floats) -> Learner:
        if estimator is None:
            made = ensemble.HistGradientBoostingClassifier(**_HOW, random_state=seed)
        else:
            made = base.clone(estimator)
            if made.get_params().get("random_state", 0) is None:
                made.set_params(random_state=seed)
        is_trees = isinstance(made, ensemble.HistGradientBoostingClassifier)
        if is_trees:
            # A column that is unknown throughout, or constant, is left as it is.
            made.set_params(categorical_features=features.is_category)
        terms = None if is_trees or _takes_unknown(made) else linear.terms_of(matrix, features)
        rows = matrix if terms is None else linear.design(matrix, terms)
        try:
            # One thread: threads that wait for each other cost more than they bring.
            with importlib.import_module("threadpoolctl").threadpool_limits(1):
                made.fit(rows, (churned > 0).astype(int))
        except ValueError as error:
            msg = f"{type(made).__name__}: {str(error).splitlines()[0]}"
            raise FitError(msg) from error
        n_categories = [len(each.categories) for each in features.columns]
        if is_trees and (copied := forest.of_scikit_learn(made, n_categories)) is not None:
            return copied
        if terms is not None and isinstance(made, linear_model.LogisticRegression):
            return linear.of_scikit_learn(made, terms)
        return Other(made, None if terms is None else tuple(terms))

    return train


def _takes_unknown(estimator: Any) -> bool:  # noqa: ANN401 - of scikit-learn
    tags = importlib.import_module("sklearn.utils").get_tags(estimator)
    return bool(tags.input_tags.allow_nan)
