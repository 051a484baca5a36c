"""Learners, and log odds blended of them: all that a churn model computes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from crmkit._churn.model import forest, linear
from crmkit._churn.model.forest import Forest
from crmkit._churn.model.linear import Linear, Term
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit._words import kept
from crmkit.errors import InvalidArgumentError

_LEAST: Final = 1e-6
"""Probabilities are held this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A probability that stands in a column, such as that of a purchase model."""

    feature: int
    mean: float
    """Mean log odds of the customers, which stand in for an unknown one."""

    def complaint(self, n_features: int) -> str | None:
        """Say what makes it impossible to compute, if anything does."""
        return None if self.feature < n_features else f"no feature {self.feature} of {n_features}"

    def log_odds(self, matrix: Floats) -> Floats:
        """Log odds of each row."""
        stated = logit(matrix[:, self.feature])
        return np.where(np.isnan(stated), self.mean, stated)

    def contributions(self, matrix: Floats) -> tuple[Floats, float]:
        """The difference from the mean, which is all its column's."""
        added = np.zeros(matrix.shape)
        added[:, self.feature] = self.log_odds(matrix) - self.mean
        return added, self.mean


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """Any other classifier of scikit-learn, which cannot be kept as numbers."""

    estimator: Any
    terms: tuple[Term, ...] | None
    """What it reads: the terms of a regression, or the features as they are."""

    def log_odds(self, matrix: Floats) -> Floats:
        """Log odds of each row."""
        rows = matrix if self.terms is None else linear.design(matrix, self.terms)
        return logit(np.asarray(self.estimator.predict_proba(rows))[:, 1])


Learner: TypeAlias = Forest | Linear | Stated | Other

_STATED: Final[Mapping[str, kept.Reader[Any]]] = {"feature": kept.whole, "mean": forest.log_odds}
_KINDS: Final[Mapping[str, Mapping[str, kept.Reader[Any]]]] = {
    "trees": forest.FOREST,
    "logistic": linear.LINEAR,
    "stated": _STATED,
}


@dataclass(frozen=True, slots=True)
class Blend:
    """Log odds: ``intercept + sum(weight * log odds of the learner)``."""

    intercept: float
    weights: tuple[float, ...]
    learners: tuple[Learner, ...]

    def complaint(self, features: Features) -> str | None:
        """Say what makes it impossible to compute, if anything does."""
        if len(self.weights) != len(self.learners):
            return "there are not as many weights as learners"
        n = len(features.columns)
        n_categories = [len(each.categories) for each in features.columns]
        for learner in self.learners:
            if isinstance(learner, Forest):
                why = learner.complaint(n, n_categories)
            elif isinstance(learner, Linear | Stated):
                why = learner.complaint(n)
            else:
                why = None
            if why:
                return why
        return None

    def log_odds(self, matrix: Floats) -> Floats:
        """Log odds of each row."""
        total = np.full(len(matrix), self.intercept)
        for weight, learner in zip(self.weights, self.learners, strict=True):
            total += weight * learner.log_odds(matrix)
        return total

    def probability(self, matrix: Floats) -> Floats:
        """Probability of each row."""
        return expit(self.log_odds(matrix))

    def contributions(self, matrix: Floats) -> tuple[Floats, float]:
        """What each feature adds to the log odds of each row, and the log odds without any."""
        added, base = np.zeros(matrix.shape), self.intercept
        for weight, learner in zip(self.weights, self.learners, strict=True):
            if isinstance(learner, Other):
                msg = (
                    f"the parts of a {type(learner.estimator).__name__} are not known.\n"
                    "Fit the model without `estimator`, or with a LogisticRegression."
                )
                raise InvalidArgumentError(msg)
            part, start = learner.contributions(matrix)
            added += weight * part
            base += weight * start
        return added, base

    def as_fields(self) -> dict[str, Any]:
        """Give the blend as JSON has it."""
        return {
            "intercept": self.intercept,
            "weights": self.weights,
            "learners": [_written(each) for each in self.learners],
        }


def calibrated(blend: Blend, slope: float, intercept: float) -> Blend:
    """Bend log odds by a line (Platt)."""
    weights = tuple(slope * weight for weight in blend.weights)
    return Blend(intercept + slope * blend.intercept, weights, blend.learners)


def logit(probability: Floats) -> Floats:
    """Log odds of a probability."""
    held = np.clip(probability, _LEAST, 1 - _LEAST)
    odds: Floats = np.log(held / (1 - held))
    return odds


def expit(log_odds: Floats) -> Floats:
    """Probability of log odds."""
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, dtype=float)))
    return found


def _written(learner: Learner) -> dict[str, Any]:
    if isinstance(learner, Forest):
        return {"kind": "trees", **learner.as_fields()}
    if isinstance(learner, Linear):
        return {"kind": "logistic", **learner.as_fields()}
    if isinstance(learner, Stated):
        return {"kind": "stated", "feature": learner.feature, "mean": learner.mean}
    msg = (
        f"churn model: a {type(learner.estimator).__name__} cannot be kept without running its "
        "code when it is loaded.\nFit without `estimator`, with a HistGradientBoostingClassifier "
        f"of at most {forest.MOST_LEAVES} leaves a tree, or with a LogisticRegression."
    )
    raise InvalidArgumentError(msg)


def _learner(value: Any, place: str) -> Learner:  # noqa: ANN401 - anything that JSON can hold
    """Read a learner by its kind."""
    kind = value.get("kind") if isinstance(value, dict) else None
    readers = {
        "kind": kept.choice(*_KINDS),
        **_KINDS.get(kind if isinstance(kind, str) else "", {}),
    }
    fields = kept.record(readers)(value, place)
    del fields["kind"]
    if kind == "trees":
        return Forest.of_fields(fields)
    return Linear.of_fields(fields) if kind == "logistic" else Stated(**fields)


BLEND: Final[Mapping[str, kept.Reader[Any]]] = {
    "intercept": forest.log_odds,
    "weights": kept.list_of(forest.log_odds),
    "learners": kept.list_of(_learner),
}


def of_fields(fields: Mapping[str, Any]) -> Blend:
    """Make a blend of fields that were read."""
    return Blend(**fields)


def platt(
    log_odds: Sequence[Floats], churned: Floats, *, ridge: float = 1.0
) -> tuple[float, Floats]:
    """Learn an intercept and weights of 0 or more of the log odds, by maximum likelihood.

    The ridge holds the weights at the same for all, of 1 in total.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - heavy, so not loaded with crmkit

    columns = np.column_stack(log_odds)
    n, k = columns.shape
    usual = np.full(k, 1.0 / k)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] + columns @ parameters[1:]
        away = parameters[1:] - usual
        error = (expit(z) - churned) / n
        value = float(np.mean(np.logaddexp(0.0, z) - churned * z)) + ridge / n * float(away @ away)
        slope = columns.T @ error + 2 * ridge / n * away
        return value, np.concatenate([[error.sum()], slope])

    found = minimize(
        loss,
        np.concatenate([[0.0], usual]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *[(0.0, None)] * k],
    )
    return float(found.x[0]), found.x[1:]
