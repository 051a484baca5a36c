"""Choose a purchase model by its log score on held-out days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.choice import DEFAULT_MODEL, Choice
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._summary.holdout import holdout
from crmkit._words.arguments import require_choice, require_list
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import PURCHASE_MODELS
from crmkit.models.inference.diagnostics import STOPPED
from crmkit.models.predictive.log_score import of_model
from crmkit.tables import HOLDOUT, LEDGER

MODELS: Final = (DEFAULT_MODEL, "mbg_nbd")
"""Both let one-time buyers leave."""

_PARTS: Final = 3
_SHORTEST_DAYS: Final = 28
_FEWEST: Final = 10
MARGIN: Final = 0.005
"""Mean log score a customer by which another model must be better than the first one. Differences
of a few thousandths change sign from split to split (on CDNOW within a year), and Pareto/NBD is the
safer of the two: where MBG/NBD made the purchases it loses .002, the other way round .01 to .02."""

_COLUMNS: Final = HOLDOUT.only("frequency", "recency", "T", "frequency_holdout")


def choose(
    orders: IntoFrame,
    *,
    as_of: date | str,
    models: Sequence[str] = MODELS,
    split: date | str | None = None,
) -> Choice:
    """Choose the purchase model with the best log score on held-out days.

    Each model is fitted to the days up to `split` and gives the purchases after it a probability.
    That assumes that what forecasts best there does so from `as_of` on. Models within a few
    thousandths of each other change places from split to split, so a small lead decides nothing.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`.
    as_of
        Last day that is looked at, as a date or ISO text.
    models
        Purchase models to try. The first one is taken unless another is better by more than .005 a
        customer. Both of the default let customers leave after their first purchase.
    split
        Last day that the models are fitted on, as a date or ISO text. By default the last third
        of the history is held out.

    Returns
    -------
    A frozen `Choice`, for `fit(customers, model=choice)`. Only the distinct histories and their
    counts come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `models` is empty, a model is unknown, or `split` is not before `as_of`.

    Notes
    -----
    The first model is chosen without comparison, and `Choice.reason` says why, where the history
    has fewer than 28 days, fewer than 10 customers bought again by the split, or fewer than 10
    purchase days are held out. A model that cannot be fitted is left out.

    AIC and BIC compare how models fit the days seen, which is another question: what fits better
    need not forecast better.

    References
    ----------
    Gneiting, T. & Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and
    estimation. *Journal of the American Statistical Association* 102(477), 359-378.
    https://doi.org/10.1198/016214506000001437.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit.datasets import load_cdnow
    >>> chosen = choose(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> chosen.best, chosen.split
    ('pareto_nbd', datetime.date(1997, 12, 31))
    >>> print(chosen.reason)
    pareto_nbd: log score -0.7327 a customer on the days after 1997-12-31, against mbg_nbd -0.7331.
    """
    last = time.as_day(as_of, argument="as_of")
    names = require_list(models, argument="models")
    if not names:
        msg = f"`models` is empty.\nName purchase models, such as {MODELS!r}."
        raise InvalidArgumentError(msg)
    for each in names:
        require_choice(each, PURCHASE_MODELS, argument="models")
    if split is None:
        first = first_day(orders, as_of=last)
        n_days = 0 if first is None else (last - first).days
        if n_days < _SHORTEST_DAYS:
            why = f"The history of {n_days} days is shorter than {_SHORTEST_DAYS}."
            return Choice(names[0], left_out=(why,))
        split = last - timedelta(days=n_days // _PARTS)
    day = time.as_day(split, argument="split")
    seen = _held_out(orders, split=day, as_of=last)
    few = _too_few(seen, split=day)
    if few is not None:
        return Choice(names[0], left_out=(few,))
    return _compared(names, seen, split=day, as_of=last)


class _HeldOut(NamedTuple):
    """Distinct histories at the split with the purchases after it, and customers with each."""

    history: tuple[Floats, Floats, Floats]
    purchases: Floats
    n: Floats


def _compared(names: Sequence[str], seen: _HeldOut, *, split: date, as_of: date) -> Choice:
    """Fit and score each model; the first one named is best unless another is clearly better."""
    scores: dict[str, float] = {}
    left_out: list[str] = []
    for name in dict.fromkeys(names):
        try:
            scores[name] = _log_score(name, seen, horizon_days=float((as_of - split).days))
        except FitError as error:
            left_out.append(f"{name} could not be fitted: {' '.join(str(error).split())}")
    if not scores:
        return Choice(names[0], left_out=tuple(left_out))
    first = next(iter(scores))
    best = max(scores, key=lambda name: scores[name] + MARGIN * (name == first))
    ranked = sorted(scores.items(), key=lambda each: (each[0] != best, -each[1]))
    return Choice(
        best=best,
        split=split,
        as_of=as_of,
        n_customers=round(float(seen.n.sum())),
        n_purchases=round(float(seen.n @ seen.purchases)),
        log_scores=tuple(ranked),
        left_out=tuple(left_out),
    )


def _log_score(name: str, seen: _HeldOut, *, horizon_days: float) -> float:
    """Mean log probability that the model, fitted before, gives to the purchases."""
    found = PURCHASE_MODELS[name].fit(*seen.history, weights=seen.n)
    if STOPPED in found.diagnostics:
        raise FitError(STOPPED)
    chances = of_model(found.model, seen.history, seen.purchases, horizon_days=horizon_days)
    logs = np.log(np.maximum(chances.of_outcome, np.finfo(float).tiny))
    return float(seen.n @ logs / seen.n.sum())


def _held_out(orders: IntoFrame, *, split: date, as_of: date) -> _HeldOut:
    halves = frames.read(holdout(orders, split=split, as_of=as_of), _COLUMNS)
    rows = frames.counted(halves, _COLUMNS)
    of: Mapping[str, Floats] = {
        name: rows[name].to_numpy().astype(np.float64) for name in rows.columns
    }
    x, t_x, T, purchases = (of[name] for name in _COLUMNS.column_names)
    return _HeldOut((x, t_x, T), purchases, of["n_rows"])


def _too_few(seen: _HeldOut, *, split: date) -> str | None:
    """Say that too little was held out to compare by, if it was."""
    again = round(float(seen.n @ (seen.history[0] > 0)))
    later = round(float(seen.n @ seen.purchases))
    if again < _FEWEST:
        return f"Only {again} customers bought again by {split}, too few to fit models on."
    if later < _FEWEST:
        return f"Only {later} purchase days came after {split}, too few to compare models by."
    return None


def first_day(orders: IntoFrame, *, as_of: date) -> date | None:
    """Day of the first row; None in an empty table."""
    ledger = frames.read(orders, LEDGER)
    days = ledger.filter(time.until(ledger, as_of)).select(
        first=time.day_number(ledger, "date").min()
    )
    (row,) = frames.rows(days)
    return None if row["first"] is None else time.day_of(int(row["first"]))
