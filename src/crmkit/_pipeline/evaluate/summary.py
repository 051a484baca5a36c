"""Each method over all origins: mean, how often it beats the plain rule, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeAlias

import numpy as np
from scipy.special import stdtrit

from crmkit._pipeline.evaluate.rankings import QUESTIONS, Question, Ranking
from crmkit._pipeline.evaluate.totals import DEFAULT, PLAIN, QUANTITIES, Total

Line: TypeAlias = dict[str, Any]
Rankings: TypeAlias = Mapping[date, Sequence[Ranking]]
Totals: TypeAlias = Mapping[date, Sequence[Total]]

ERROR: Final = "absolute_error"
_GROUPS: Final = 20
_NAN: Final = math.nan


def summed_up(rankings: Rankings, totals: Totals, *, level: float) -> list[Line]:
    """Sum up rankings and totals, the default of each question first, then the best."""
    lines = [_in_order(_of_question(question, rankings, level=level)) for question in QUESTIONS] + [
        _in_order(_of_quantity(quantity, totals)) for quantity in QUANTITIES
    ]
    return [line for of_question in lines for line in of_question]


def _of_question(question: Question, rankings: Rankings, *, level: float) -> list[Line]:
    found: dict[str, dict[date, Ranking]] = {}
    for origin, of_origin in rankings.items():
        for ranking in of_origin:
            if ranking.question is question and not math.isnan(ranking.measured()):
                found.setdefault(ranking.method, {})[origin] = ranking
    plain = found.get(question.plain, {})
    return [
        _of_method(question, method, of_method, plain, level=level)
        for method, of_method in found.items()
    ]


def _of_method(
    question: Question,
    method: str,
    found: Mapping[date, Ranking],
    plain: Mapping[date, Ranking],
    *,
    level: float,
) -> Line:
    own = {origin: ranking.measured() for origin, ranking in found.items()}
    pairs = [
        (ranking, plain[origin])
        for origin, ranking in found.items()
        if origin in plain and method != question.plain
    ]
    leads = [ours.measured() - theirs.measured() for ours, theirs in pairs]
    lower, upper = interval(pairs, level=level)
    return {
        "question": question.name,
        "method": method,
        "is_default": method == question.default,
        "measure": question.measure,
        "n_origins": len(own),
        "mean": float(np.mean(list(own.values()))),
        "better_share": float(np.mean([lead > 0 for lead in leads])) if leads else _NAN,
        "lead": float(np.mean(leads)) if leads else _NAN,
        "lower": lower,
        "upper": upper,
        "held_share": _NAN,
    }


def interval(pairs: Sequence[tuple[Ranking, Ranking]], *, level: float) -> tuple[float, float]:
    """Jackknife the mean lead: leave out a twentieth of the customers, at all origins at once."""
    if not pairs:
        return _NAN, _NAN
    left = np.array([_lead(pairs, without=group) for group in range(_GROUPS)])
    if np.isnan(left).any():
        return _NAN, _NAN
    lead = _lead(pairs)
    error = math.sqrt((_GROUPS - 1) / _GROUPS * float(((left - left.mean()) ** 2).sum()))
    reach = float(stdtrit(_GROUPS - 1, (1 + level) / 2)) * error
    return lead - reach, lead + reach


def _lead(pairs: Sequence[tuple[Ranking, Ranking]], *, without: int | None = None) -> float:
    """Mean of one measure less the other, of all customers or without a group of them."""

    def measured(ranking: Ranking) -> float:
        if without is None:
            return ranking.measured()
        return ranking.measured((ranking.numbers % _GROUPS != without).astype(float))

    return float(np.mean([measured(ours) - measured(theirs) for ours, theirs in pairs]))


def _of_quantity(quantity: str, totals: Totals) -> list[Line]:
    found: dict[str, dict[date, Total]] = {}
    for origin, of_origin in totals.items():
        for total in of_origin:
            if total.quantity == quantity and not math.isnan(total.error):
                found.setdefault(total.method, {})[origin] = total
    plain = found.get(PLAIN, {})
    return [_of_forecast(quantity, name, each, plain) for name, each in found.items()]


def _of_forecast(
    quantity: str, method: str, found: Mapping[date, Total], plain: Mapping[date, Total]
) -> Line:
    errors = [abs(total.error) for total in found.values()]
    leads = [
        abs(plain[origin].error) - abs(total.error)
        for origin, total in found.items()
        if origin in plain and method != PLAIN
    ]
    held = [total.held for total in found.values() if not math.isnan(total.held)]
    return {
        "question": f"total {quantity}",
        "method": method,
        "is_default": method == DEFAULT,
        "measure": ERROR,
        "n_origins": len(errors),
        "mean": float(np.mean(errors)),
        "better_share": float(np.mean([lead > 0 for lead in leads])) if leads else _NAN,
        "lead": float(np.mean(leads)) if leads else _NAN,
        "lower": _NAN,
        "upper": _NAN,
        "held_share": float(np.mean(held)) if held else _NAN,
    }


def _in_order(lines: list[Line]) -> list[Line]:
    """Put the default first, then the best mean; of an error the smallest is the best."""
    return sorted(
        lines,
        key=lambda line: (
            not line["is_default"],
            line["mean"] if line["measure"] == ERROR else -line["mean"],
            line["method"],
        ),
    )
