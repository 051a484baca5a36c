"""Ranking by the model or by model and trees, as asked or as held-out days say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Generic, Literal, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import clv, rfm
from crmkit._clv.fitting.choose import first_day
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._pipeline import known
from crmkit._pipeline.forecast import Models, fit_or_why, predicted, terms
from crmkit._pipeline.result import Settings
from crmkit._words import formats
from crmkit.errors import FitError

Ranking = Literal["model", "blend", "best"]
RANKINGS: Final[tuple[Ranking, ...]] = ("model", "blend", "best")

_MOST: Final = 20_000
"""Customers to train trees on: on CDNOW as good as all."""

_PARTS: Final = 3
_TENTH: Final = 10
_LEAST_GAIN: Final = 0.01
_STANDARD_ERRORS: Final = 2.0


class Ranked(NamedTuple, Generic[IntoFrameT]):
    """Customers with what is predicted, the trees where they count, and what to say of it."""

    customers: IntoFrameT
    trees: clv.Trees | None = None
    note: str = ""


def ranked(
    customers: IntoFrameT,
    *,
    days: IntoFrame,
    models: Models,
    settings: Settings,
    ranking: Ranking,
    kept: clv.Trees | None = None,
) -> Ranked[IntoFrameT]:
    """Append what the models predict, with trees where they are asked for or found to pay.

    Kept trees were asked for or paid when they were trained: they count where they can be applied.
    """
    if ranking == "model" or models.purchases is None or settings.horizon_days is None:
        return Ranked(predicted(customers, models, settings))
    try:
        trees, note = _applicable(kept, models, settings), ""
        if trees is None and ranking == "best":
            use, note = _pays(days, models, settings)
            if not use:
                return Ranked(predicted(customers, models, settings), None, note)
        trees = trees or _trained(days, settings)
    except FitError as error:
        why = f"Ranking with trees: {known.on_one_line(error)}"
        return Ranked(predicted(customers, models, settings), None, why)
    with_trees = clv.rank(
        customers,
        purchases=models.purchases,
        spend=models.spend,
        trees=trees,
        horizon_days=settings.horizon_days,
        **terms(settings),
    )
    return Ranked(frames.keep(with_trees), trees, note)


def _applicable(kept: clv.Trees | None, models: Models, settings: Settings) -> clv.Trees | None:
    """Take kept trees of the same horizon, with amounts where these are forecast."""
    if kept is None or kept.horizon_days != settings.horizon_days:
        return None
    return None if models.spend is not None and kept.amount is None else kept


def _trained(days: IntoFrame, settings: Settings) -> clv.Trees:
    horizon = settings.horizon_days or 1.0
    return clv.fit_trees(days, as_of=settings.as_of, horizon_days=horizon, most=_MOST)


def _pays(days: IntoFrame, models: Models, settings: Settings) -> tuple[bool, str]:
    """Compare both rankings on held-out days, by what their top tenths then brought."""
    first = first_day(days, as_of=settings.as_of)
    history = 0 if first is None else (settings.as_of - first).days
    length = min(int(settings.horizon_days or 0), history // _PARTS)
    if length < 1:
        return False, "Ranking with trees: the history is too short to test it."
    split = settings.as_of - timedelta(days=length)
    held_out = frames.keep(rfm.holdout(days, split=split, as_of=settings.as_of))
    fits: dict[str, Any] = {}
    for argument, fit in (("purchases", models.purchases), ("spend", models.spend)):
        if fit is None:
            continue
        fits[argument], why = fit_or_why(held_out, fit.name)
        if fits[argument] is None:
            return False, f"Ranking with trees: not tested. {why}"
    trees = clv.fit_trees(days, as_of=split, horizon_days=length, most=_MOST)
    both = frames.reopen(clv.rank(held_out, **fits, trees=trees, horizon_days=length))
    by = ["expected_purchases", "blended_purchases", "frequency_holdout"]
    if models.spend is not None:
        by += ["expected_spend", "blended_amount", "amount_holdout"]
    found = frames.collect(both, *by)
    if models.spend is None:
        model, blend, outcome = (found[name].astype(float) for name in by)
    else:
        model = found["expected_purchases"] * found["expected_spend"]
        blend, outcome = found["blended_amount"], np.maximum(found["amount_holdout"], 0.0)
    return _compared(model, blend, outcome, since=str(split), of_money=models.spend is not None)


def _compared(
    model: Floats, blend: Floats, outcome: Floats, *, since: str, of_money: bool
) -> tuple[bool, str]:
    """Whether the blend's top tenth brought more, by more than chance and enough to be worth it.

    Only customers who are in one list and not in the other count.
    """
    total = outcome.sum()
    if not total > 0:
        return False, f"Ranking with trees: nothing was bought after {since} to test it by."
    by_model, by_blend = (_in_top_tenth(each) for each in (model, blend))
    gain = float(outcome[by_blend].sum() - outcome[by_model].sum()) / total
    noise = float(np.sqrt((outcome[by_blend ^ by_model] ** 2).sum())) / total
    pays = gain > max(_STANDARD_ERRORS * noise, _LEAST_GAIN)
    shares = [formats.percent(float(outcome[each].sum() / total)) for each in (by_blend, by_model)]
    note = (
        f"Ranking: on the days after {since} the top tenth by model and trees held {shares[0]} of "
        f"the {'money' if of_money else 'purchases'}, that by the model alone {shares[1]}; "
        f"{'both views are used' if pays else 'the model alone is used'}."
    )
    return pays, note


def _in_top_tenth(score: Floats) -> Any:  # noqa: ANN401 - a mask
    """Mark the tenth of customers with the highest score."""
    marked = np.zeros(len(score), dtype=bool)
    marked[np.argsort(-np.nan_to_num(score), kind="stable")[: max(len(score) // _TENTH, 1)]] = True
    return marked
