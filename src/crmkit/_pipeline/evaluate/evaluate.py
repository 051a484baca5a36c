"""Evaluate the defaults of the main job on a log's own held-out days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._pipeline.evaluate import measures, said
from crmkit._pipeline.evaluate.drawn import draw_of
from crmkit._pipeline.evaluate.evaluation import Evaluation
from crmkit._pipeline.evaluate.origins import origins_of, span_of
from crmkit._pipeline.evaluate.rankings import PROBABILITIES, QUESTIONS, Ranking, rankings_of
from crmkit._pipeline.evaluate.seen import seen_from
from crmkit._pipeline.evaluate.summary import summed_up
from crmkit._pipeline.evaluate.totals import DEFAULT, Total, totals_of
from crmkit._pipeline.run import collecting
from crmkit._words.arguments import require_whole
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError

_NUMBERS: Final = {
    "rankings": ("auc", "brier", "risk_error", "captured_share"),
    "totals": ("actual", "predicted", "lower", "upper", "error", "held"),
    "summary": ("mean", "better_share", "lead", "lower", "upper", "held_share"),
}
_COUNTS: Final = ("n_customers", "n_origins")


def evaluate(
    orders: IntoFrameT,
    *,
    horizon_days: int,
    origins: int | Sequence[date | str] = 4,
    as_of: date | str | None = None,
    level: float = 0.9,
    on_step: Callable[[str], None] | None = None,
) -> Evaluation[IntoFrameT]:
    """Evaluate rankings and forecasts on held-out days, the defaults beside plain rules.

    At each origin the main job runs on what was known then, and the days after it show what
    happened. A rule that does better here is the better one for this log, if the days to come are
    like these.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    horizon_days
        How far to look ahead from each origin, in whole days.
    origins
        The days to forecast from: their number, spread evenly over the second half of the log as
        far as a whole horizon follows, or a list of dates. Each costs a run of the main job.
    as_of
        Last day that is looked at, as a date or ISO text; by default the last day in `orders`.
    level
        Coverage of the bounds and intervals, between 0 and 1.
    on_step
        Called with the name of each step as it begins, to show progress.

    Returns
    -------
    A frozen `Evaluation` of the tables `rankings`, `totals` and `summary`, native like `orders`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If the log is not longer than the horizon, an origin is outside the log or without a whole
        horizon after it, nobody has bought by any of them, or an argument is outside its range.

    Notes
    -----
    Three questions are ranked: who buys nothing (by `churn_risk`, against days since the last
    purchase), which money is lost (by `value_at_risk`, against the money of the last horizon), and
    which money comes (by `clv`, against the same). AUC is the probability that one who buys nothing
    ranks above one who buys, ties count by half. Money below zero, of more returns than purchases,
    counts as 0; customers of unknown money are left out of questions of money.

    The plain forecast of a total is the total of the last horizon, of the customers known when it
    began. Bounds with misses are those of `crmkit.clv.predict_total` with `crmkit.clv.fit_misses`.

    Warnings of the steps are not raised but kept in `Evaluation.notes`.

    The interval of a lead is a jackknife that leaves out a twentieth of the customers at all
    origins at once, by Student's t: it holds the chance of customers, not that of the times.

    The purchase days of at most about 200,000 customers, drawn by a hash of `customer_id`, come to
    this machine, where all is computed on them. The totals are of these customers then.

    References
    ----------
    Fawcett, T. (2006). An introduction to ROC analysis. *Pattern Recognition Letters* 27(8),
    861-874. https://doi.org/10.1016/j.patrec.2005.10.010. Brier, G. W. (1950). Verification of
    forecasts expressed in terms of probability. *Monthly Weather Review* 78(1), 1-3. Tukey, J. W.
    (1958). Bias and confidence in not quite large samples. *Annals of Mathematical Statistics*
    29(2), 614.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> found = evaluate(load_cdnow(sample=True), horizon_days=91, origins=[date(1997, 9, 30)])
    >>> columns = ["method", "n_customers", "auc", "brier"]
    >>> print(found.rankings[columns].head(3).round(2).to_string(index=False))
              method  n_customers  auc  brier
          churn risk         2357 0.79   0.11
    Pareto/NBD alone         2357 0.79   0.11
             recency         2357 0.78    NaN
    """
    require_whole(horizon_days, argument="horizon_days", least=1, advice="Write 91 for a quarter.")
    require_level(level)
    last = None if as_of is None else time.as_day(as_of, argument="as_of")
    step = on_step or (lambda _: None)
    step("reading the ledger")
    span = span_of(orders, as_of=last)
    drawn = draw_of(orders, as_of=span.last)
    horizon = int(horizon_days)
    rankings: dict[date, list[Ranking]] = {}
    totals: dict[date, list[Total]] = {}
    left_out: list[str] = []
    warned: list[str] = []
    for origin in origins_of(origins, span, horizon_days=horizon):
        step(f"forecasting from {origin}")
        with collecting(warned):
            seen = seen_from(drawn.days, origin=origin, horizon_days=horizon)
            if not seen.n_customers:
                left_out.append(f"As of {origin}: nobody has bought yet.")
                continue
            rankings[origin] = [each for asked in QUESTIONS for each in rankings_of(asked, seen)]
            totals[origin] = totals_of(seen, first=span.first, level=level)
            left_out += said.missing(seen)
    if not rankings:
        msg = f"Nobody has bought by {origin}, the last of the origins.\nGive later origins."
        raise InvalidArgumentError(msg)
    step("adding up")
    lines = summed_up(rankings, totals, level=level)
    of_totals = _of_totals(totals)
    return Evaluation(
        rankings=_as_table(_of_rankings(rankings), "rankings", like=orders),
        totals=_as_table(of_totals, "totals", like=orders) if of_totals else None,
        summary=_as_table(lines, "summary", like=orders) if lines else None,
        origins=tuple(rankings),
        horizon_days=horizon,
        as_of=span.last,
        level=level,
        notes=(
            *said.verdicts(lines, rankings, level=level),
            *said.overlap(list(rankings), horizon_days=horizon),
            *said.drawn(drawn),
            *dict.fromkeys(" ".join(each.split()) for each in warned),
        ),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _of_rankings(rankings: Mapping[date, Sequence[Ranking]]) -> list[dict[str, Any]]:
    return [
        {
            "origin": origin,
            "question": each.question.name,
            "method": each.method,
            "is_default": each.method == each.question.default,
            "n_customers": len(each.outcome),
        }
        | dict.fromkeys(_NUMBERS["rankings"], np.nan)
        | {each.question.measure: each.measured()}
        | _of_probability(each)
        for origin, of_origin in rankings.items()
        for each in of_origin
    ]


def _of_probability(ranking: Ranking) -> dict[str, float]:
    if ranking.method not in PROBABILITIES or np.isnan(ranking.score).any():
        return {}
    return {
        "brier": measures.brier(ranking.score, ranking.outcome),
        "risk_error": measures.risk_error(ranking.score, ranking.outcome),
    }


def _of_totals(totals: Mapping[date, Sequence[Total]]) -> list[dict[str, Any]]:
    return [
        {
            "origin": origin,
            "quantity": each.quantity,
            "method": each.method,
            "is_default": each.method == DEFAULT,
        }
        | {name: getattr(each, name) for name in _NUMBERS["totals"]}
        for origin, of_origin in totals.items()
        for each in of_origin
    ]


def _as_table(lines: Sequence[Mapping[str, Any]], name: str, *, like: IntoFrameT) -> IntoFrameT:
    """Make a table of lines on the engine of another."""
    columns: dict[str, Any] = {each: [line[each] for line in lines] for each in lines[0]}
    if "origin" in columns:
        columns["origin"] = np.array(columns["origin"], dtype="datetime64[D]")
    table = frames.table_like(columns, like=frames.reopen(like))
    counts = [each for each in _COUNTS if each in columns]
    table = table.with_columns(
        *(nw.col(each).cast(nw.Float64).fill_nan(None) for each in _NUMBERS[name]),
        *(nw.col(each).cast(nw.Int64) for each in counts),
    )
    return frames.give(table, like=like)
