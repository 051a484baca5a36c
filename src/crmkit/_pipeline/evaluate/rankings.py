"""The questions that a ranking answers, and the ways to rank: a new way is one more entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from crmkit import churn, clv
from crmkit._pipeline.evaluate import measures
from crmkit._pipeline.evaluate.measures import Floats
from crmkit._pipeline.evaluate.seen import Seen
from crmkit.errors import FitError

PARETO_NBD: Final = "Pareto/NBD alone"
Method: TypeAlias = Callable[[Seen[Any]], Floats | None]
"""Score of each customer, the highest first in line; None where the log does not allow it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, who is ranked, what then happened, and the ways to rank.

    Attributes
    ----------
    name
        The question.
    measure
        What compares its rankings: "auc" or "captured_share".
    default, plain
        The method of the main job, and the rule that it should beat.
    methods
        Each method by name.
    of
        Whom the question is about, as a mask over the customers; None where amounts are unknown.
    outcome
        What is to be found: 1 for those asked for, or their money.
    """

    name: str
    measure: Literal["auc", "captured_share"]
    default: str
    plain: str
    methods: Mapping[str, Method]
    of: Callable[[Seen[Any]], Any]
    outcome: Callable[[Seen[Any]], Floats]


@dataclass(frozen=True, slots=True)
class Ranking:
    """One method at one origin: the customers by place, and what is to be found."""

    question: Question
    method: str
    ranked: measures.Ranked
    score: Floats
    outcome: Floats
    numbers: Any

    def measured(self, weight: Floats | None = None) -> float:
        """Give the measure of the question, of all customers or of some."""
        weights = np.ones(len(self.outcome)) if weight is None else weight
        of = measures.auc if self.question.measure == "auc" else measures.captured
        return of(self.ranked, self.outcome, weights)


def rankings_of(question: Question, seen: Seen[Any]) -> list[Ranking]:
    """Rank by each method that the log allows."""
    of = question.of(seen)
    if of is None:
        return []
    outcome, numbers = question.outcome(seen)[of], seen.numbers[of]
    found = ((name, method(seen)) for name, method in question.methods.items())
    return [
        Ranking(question, name, measures.ranked(score[of]), score[of], outcome, numbers)
        for name, score in found
        if score is not None
    ]


def by_model_alone(seen: Seen[Any]) -> Floats | None:
    """Rank by the risk of Pareto/NBD, neither chosen on held-out days nor calibrated there.

    Where it does better than the default, the choice or the calibration did not pay.
    """
    customers = seen.job.customers
    if seen.get("churn_risk") is None:
        return None
    try:
        fit = clv.fit(customers, model="pareto_nbd")
    except FitError:
        return None
    rated = churn.risk(customers, purchases=fit, horizon_days=seen.horizon_days)
    return seen.column_of(rated, "churn_risk")


def _by(name: str, *, sign: float = 1.0) -> Method:
    """Rank by a column of the main job; with a sign of -1 the lowest come first."""

    def score(seen: Seen[Any]) -> Floats | None:
        column = seen.get(name)
        return None if column is None else sign * column

    return score


def _by_code(*, sign: float = 1.0) -> Method:
    """Rank by the RFM code as a number: recency first, then frequency, then money."""

    def score(seen: Seen[Any]) -> Floats | None:
        digits = [seen.get(name) for name in ("r_score", "f_score", "m_score")]
        known = [digit for digit in digits if digit is not None]
        if len(known) < 2:  # noqa: PLR2004 - one score alone makes none
            return None
        code = np.zeros(seen.n_customers)
        for digit in known:
            code = 10 * code + digit
        return sign * code

    return score


def _past_money_by_silence(seen: Seen[Any]) -> Floats | None:
    past, silent = seen.get("past_amount"), seen.get("days_since_last")
    return None if past is None or silent is None else past * silent


def _all(seen: Seen[Any]) -> Any:  # noqa: ANN401 - a mask
    return np.ones(seen.n_customers, dtype=bool)


def _of_known_money(seen: Seen[Any]) -> Any:  # noqa: ANN401 - a mask or None
    """Leave out customers of unknown money; None where that of all is."""
    after, past = seen.get("amount_holdout"), seen.get("past_amount")
    if after is None or past is None:
        return None
    known = ~(np.isnan(after) | np.isnan(past))
    return known if known.any() else None


def _recent_of_known_money(seen: Seen[Any]) -> Any:  # noqa: ANN401 - a mask or None
    known = _of_known_money(seen)
    recent = seen.columns["days_since_last"] < seen.horizon_days
    return None if known is None else known & recent


def _money_lost(seen: Seen[Any]) -> Floats:
    """Money of the last horizon of those who then bought nothing."""
    lost: Floats = np.maximum(seen.columns["past_amount"], 0.0) * seen.inactive
    return lost


def _money_to_come(seen: Seen[Any]) -> Floats:
    """Money of the horizon; returns that exceed it are of earlier purchases."""
    came: Floats = np.maximum(seen.columns["amount_holdout"], 0.0)
    return came


_OF_VALUE: Final[Mapping[str, Method]] = {
    "past money": _by("past_amount"),
    "total amount": _by("total_amount"),
    "RFM code": _by_code(),
    "RFM sum": _by("rfm_sum"),
    "frequency": _by("frequency"),
}
"""Rules for money: the best customers first."""

QUESTIONS: Final[tuple[Question, ...]] = (
    Question(
        name="who buys nothing",
        measure="auc",
        default="churn risk",
        plain="recency",
        methods={
            "churn risk": _by("churn_risk"),
            PARETO_NBD: by_model_alone,
            "recency": _by("days_since_last"),
            "RFM code": _by_code(sign=-1),
            "RFM sum": _by("rfm_sum", sign=-1),
            "frequency": _by("frequency", sign=-1),
            "past money": _by("past_amount", sign=-1),
            "total amount": _by("total_amount", sign=-1),
        },
        of=_all,
        outcome=lambda seen: seen.inactive,
    ),
    Question(
        name="money lost",
        measure="captured_share",
        default="value at risk",
        plain="past money",
        methods={
            "value at risk": _by("value_at_risk"),
            "past money x recency": _past_money_by_silence,
            **_OF_VALUE,
            "recency": _by("days_since_last"),
        },
        of=_recent_of_known_money,
        outcome=_money_lost,
    ),
    Question(
        name="money to come",
        measure="captured_share",
        default="expected value",
        plain="past money",
        methods={
            "expected value": _by("clv"),
            **_OF_VALUE,
            "recency": _by("days_since_last", sign=-1),
        },
        of=_of_known_money,
        outcome=_money_to_come,
    ),
)
PROBABILITIES: Final = ("churn risk", PARETO_NBD)
"""Methods whose score is a probability of the outcome, so that it can be calibrated or not."""
