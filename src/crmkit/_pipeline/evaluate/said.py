"""What an evaluation shows, in sentences: who wins, where the default lost, what is missing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from crmkit._pipeline.evaluate.drawn import Drawn
from crmkit._pipeline.evaluate.rankings import PARETO_NBD, QUESTIONS
from crmkit._pipeline.evaluate.seen import Seen
from crmkit._pipeline.evaluate.summary import ERROR, Line, Rankings, interval
from crmkit._pipeline.evaluate.totals import ALONE, PLAIN, QUANTITIES
from crmkit._words import formats

_VARIANTS: Final = (PARETO_NBD, ALONE)
"""Other ways to use our own models, in contrast to rules."""

_CLOSE: Final = 0.0005
_HALF_A_POINT: Final = 0.005
"""Errors of totals that differ by less are level: a few origins give no interval."""

_MEASURES: Final = {
    "auc": "AUC",
    "captured_share": "share of the money in the top tenth",
    ERROR: "mean error",
}


def verdicts(lines: Sequence[Line], rankings: Rankings, *, level: float) -> Iterator[str]:
    """Say for each question whether the default beats the best rule and the plain one."""
    plain = {question.name: question.plain for question in QUESTIONS}
    plain |= {f"total {quantity}": PLAIN for quantity in QUANTITIES}
    for question, rule in plain.items():
        of_question = [line for line in lines if line["question"] == question]
        others = of_question[1:]  # in order: the default, then the best
        rules = [line for line in others if line["method"] not in _VARIANTS]
        if not rules or not of_question[0]["is_default"]:
            continue
        default = of_question[0]
        sentences = [_beside(default, rules[0], rankings, level=level)]
        sentences += _beside_plain(default, rules[0], rule=rule)
        sentences += _held(default, level=level)
        sentences += [_better_variant(line) for line in others if _leads(line, default)]
        yield " ".join(sentences)


def _beside(default: Line, best: Line, rankings: Rankings, *, level: float) -> str:
    """Compare the default with the best rule; they are level where the interval holds 0."""
    low, high = _between(default, best, rankings, level=level)
    result = "beats" if _is_ahead(default, best) else "loses to"
    few = default["measure"] == ERROR and abs(default["mean"] - best["mean"]) < _HALF_A_POINT
    if low <= 0 <= high or few:
        result = "is level with"
    return (
        f"{default['question'].capitalize()}: {default['method']} {result} {best['method']}, the "
        f"best rule ({_MEASURES[default['measure']]} {_figure(default)} against {_figure(best)})."
    )


def _beside_plain(default: Line, best: Line, *, rule: str) -> Iterator[str]:
    if not math.isnan(default["better_share"]):
        k = round(default["better_share"] * default["n_origins"])
        n = formats.counted(default["n_origins"], "origin")
        than = "" if best["method"] == rule else f" than {rule}"
        yield f"It is better{than} at {k} of {n}."


def _held(default: Line, *, level: float) -> Iterator[str]:
    if not math.isnan(default["held_share"]):
        k = round(default["held_share"] * default["n_origins"])
        n = formats.counted(default["n_origins"], "origin")
        yield f"Its {formats.percent(level)} bounds hold at {k} of {n}."


def _leads(line: Line, default: Line) -> bool:
    close = abs(line["mean"] - default["mean"]) < _CLOSE
    return line["method"] in _VARIANTS and not close and _is_ahead(line, default)


def _better_variant(line: Line) -> str:
    name = line["method"]
    return f"{name[0].upper()}{name[1:]} does better ({_figure(line)})."


def _is_ahead(one: Line, other: Line) -> bool:
    lead: float = one["mean"] - other["mean"]
    return lead < 0 if one["measure"] == ERROR else lead > 0


def _between(default: Line, best: Line, rankings: Rankings, *, level: float) -> tuple[float, float]:
    """Interval of the lead of one ranking over another; NaN for forecasts of a total."""
    pairs = []
    for of_origin in rankings.values():
        named = {each.method: each for each in of_origin if each.question.name == best["question"]}
        if {default["method"], best["method"]} <= set(named):
            pairs.append((named[default["method"]], named[best["method"]]))
    return interval(pairs, level=level)


def overlap(origins: Sequence[date], *, horizon_days: int) -> Iterator[str]:
    """Say that origins share held-out days, if they do."""
    if any((late - early).days < horizon_days for early, late in itertools.pairwise(origins)):
        yield (
            f"The {horizon_days} days after one origin are partly those after the next, so the "
            f"{len(origins)} origins are fewer independent tests."
        )


def drawn(found: Drawn) -> Iterator[str]:
    """Say that not all customers were looked at, if they were not."""
    if found.n_drawn < found.n_customers:
        yield (
            f"{formats.whole(found.n_drawn)} of {formats.whole(found.n_customers)} customers were "
            "drawn by a hash of their id, and totals are of these."
        )


def missing(seen: Seen[Any]) -> Iterator[str]:
    """Say what could not be ranked, forecast or compared as of an origin, and why."""
    day = f"As of {seen.origin}"
    if seen.get("churn_risk") is None:
        why = " ".join(seen.job.left_out)
        yield f"{day}, churn risk, value at risk and forecast of the totals: {why}"
    n, n_inactive = seen.n_customers, int(seen.inactive.sum())
    if n_inactive in {0, n}:
        what = "nothing" if n_inactive else "again"
        yield (
            f"{day}, AUC of who buys nothing: all {formats.counted(n, 'customer')} bought {what} "
            f"within {formats.counted(seen.horizon_days, 'day')}."
        )
    if seen.get("amount_holdout") is None:
        yield "Rankings and totals by money: the log has no amounts."
    elif seen.amount is None:
        yield f"{day}, totals of money, and customers of unknown money: some amounts are unknown."
    elif seen.get("churn_risk") is not None and seen.get("clv") is None:
        yield f"{day}, expected value: {' '.join(seen.job.left_out)}"


def _figure(line: Line) -> str:
    if line["measure"] == "auc":
        return formats.decimal(line["mean"], digits=3)
    return formats.percent(line["mean"])
