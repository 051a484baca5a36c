"""Logistic regression of columns made even: log odds, and what each feature adds to them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from crmkit._churn.model.forest import log_odds
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit._words import kept

_FARTHEST: Final = 6.0
"""Standard deviations from the mean at which a value counts no further."""

_TERM: Final[Mapping[str, kept.Reader[Any]]] = {
    "feature": kept.whole,
    "form": kept.choice("plain", "log", "unknown", "category"),
    "category": kept.whole,
    "fill": kept.number,
    "mean": kept.number,
    "scale": kept.positive,
}
LINEAR: Final[Mapping[str, kept.Reader[Any]]] = {
    "terms": kept.list_of(kept.record(_TERM)),
    "coefficients": kept.list_of(log_odds),
    "intercept": log_odds,
}


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the regression: a feature in some form, less its mean, over its scale.

    "plain" is the number itself, "log" the sign times log(1 + |number|), "unknown" whether it is
    unknown, "category" whether it is the category of that number. Unknown numbers are filled.
    """

    feature: int
    form: str
    category: int
    fill: float
    mean: float
    scale: float

    def of(self, matrix: Floats) -> Floats:
        """Give the column, made even."""
        with np.errstate(over="ignore"):
            away = (self.raw(matrix) - self.mean) / self.scale
        even: Floats = np.clip(away, -_FARTHEST, _FARTHEST)
        return even

    def raw(self, matrix: Floats) -> Floats:
        """Give the column as it is."""
        value: Floats = matrix[:, self.feature]
        if self.form == "unknown":
            value = np.isnan(value).astype(float)
        elif self.form == "category":
            value = (value == self.category).astype(float)
        value = np.where(np.isnan(value), self.fill, value)
        if self.form == "log":
            value = np.sign(value) * np.log1p(np.abs(value))
        found: Floats = value
        return found


@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic regression: its terms, and the coefficient of each."""

    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def complaint(self, n_features: int) -> str | None:
        """Say what makes it impossible to compute, if anything does."""
        if len(self.terms) != len(self.coefficients):
            return "there are not as many coefficients as terms"
        if any(not term.feature < n_features for term in self.terms):
            return f"a term asks for a feature beyond the {n_features} that there are"
        return None

    def log_odds(self, matrix: Floats) -> Floats:
        """Log odds of each row."""
        total = np.full(len(matrix), self.intercept)
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            total += coefficient * term.of(matrix)
        return total

    def contributions(self, matrix: Floats) -> tuple[Floats, float]:
        """What each feature adds to the log odds of each row, against the mean customer."""
        added = np.zeros(matrix.shape)
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            added[:, term.feature] += coefficient * term.of(matrix)
        return added, self.intercept

    def as_fields(self) -> dict[str, Any]:
        """Give the regression as JSON has it."""
        return {
            "terms": [{name: getattr(term, name) for name in _TERM} for term in self.terms],
            "coefficients": self.coefficients,
            "intercept": self.intercept,
        }

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Linear:
        """Make a regression of fields that were read."""
        terms = tuple(Term(**each) for each in fields["terms"])
        return cls(terms, fields["coefficients"], fields["intercept"])


def terms_of(
    matrix: Floats, features: Features, *, only: Sequence[int] | None = None
) -> list[Term]:
    """Learn the terms of each feature from the customers; those that are constant are left out."""
    found = []
    for i, feature in enumerate(features.columns):
        if only is not None and i not in only:
            continue
        column = matrix[:, i]
        known = column[~np.isnan(column)]
        if feature.kind == "text":
            forms = [("category", code) for code in range(len(feature.categories))]
        elif feature.kind == "flag":
            forms = [("plain", 0)]
        else:
            forms = [("plain", 0), ("log", 0)]
        fill = float(np.median(known)) if len(known) else 0.0
        for form, code in [*forms, ("unknown", 0)]:
            raw = Term(i, form, code, fill, 0.0, 1.0).raw(matrix)
            spread = float(raw.std())
            if spread > 1e-9 * max(1.0, float(np.abs(raw).max(initial=0.0))):
                found.append(Term(i, form, code, fill, float(raw.mean()), spread))
    return found


def design(matrix: Floats, terms: Sequence[Term]) -> Floats:
    """Give the columns of the regression."""
    return np.column_stack([term.of(matrix) for term in terms]) if terms else matrix[:, :0]


def fit(
    matrix: Floats, churned: Floats, features: Features, *, only: Sequence[int] | None = None
) -> Linear:
    """Fit a logistic regression with a slight ridge penalty."""
    terms = terms_of(matrix, features, only=only)
    if not terms:
        rate = float(churned.mean())
        return Linear((), (), float(np.log(rate / (1 - rate))))
    found = importlib.import_module("sklearn.linear_model").LogisticRegression(C=1.0, max_iter=1000)
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        found.fit(design(matrix, terms), churned > 0)
    return of_scikit_learn(found, terms)


def of_scikit_learn(fitted: Any, terms: Sequence[Term]) -> Linear:  # noqa: ANN401 - of scikit-learn
    """Copy a fitted LogisticRegression as plain numbers."""
    return Linear(
        tuple(terms),
        tuple(float(each) for each in fitted.coef_[0]),
        float(np.ravel(fitted.intercept_)[0]),
    )
