"""Forecast totals from earlier days, and see how far they missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.evaluation.pattern import pattern
from crmkit._clv.fitting.best import BEST
from crmkit._clv.fitting.choice import Choice
from crmkit._clv.fitting.choose import choose, first_day
from crmkit._clv.fitting.fit import fitted_to
from crmkit._clv.prediction.misses_value import Misses, MissTest
from crmkit._clv.prediction.predict import predict
from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._summary.holdout import holdout
from crmkit._words.arguments import require_choice, require_flag, require_whole
from crmkit._words.rates import require_horizon
from crmkit.errors import FitError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.inference.diagnostics import STOPPED
from crmkit.tables import LEDGER

_PARTS: Final = 4
_FEWEST_DAYS: Final = 7
_FEWEST_PURCHASES: Final = 30
_ORIGINS: Final = 4


def fit_misses(
    orders: IntoFrame,
    *,
    as_of: date | str,
    horizon_days: float,
    model: str | Choice = BEST,
    spend: str | None = "gamma_gamma",
    origins: int = _ORIGINS,
    calibrated: bool = False,
) -> Misses:
    """Measure how far forecasts of totals missed on held-out days, for `predict_total`.

    A model's own interval assumes that the model is true and that the days ahead are like those
    seen. Real totals miss by several times its width: the misses of earlier days show by how much.
    What the history has not shown once, such as a first Christmas, is not in them either.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table
        of `crmkit.rfm.purchase_days`.
    as_of
        The day that the forecast starts from, as a date or ISO text; rows after it are not seen.
    horizon_days
        Length of the forecast, in days.
    model
        The purchase model: its name, a `Choice`, or "best", which `choose` finds.
    spend
        The spend model; None where money is not forecast, or the ledger has no amounts.
    origins
        The number of earlier days to forecast from, each at the cost of a fit.
    calibrated
        Whether to scale the forecasts by season and trend, as `pattern` finds them at each of
        these days. Give `predict_total(..., calibrate=)` the `Pattern` of today then.

    Returns
    -------
    A frozen `Misses`, for `predict_total(..., misses=misses)`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite, a model is unknown, or `origins` is not a whole
        number of 1 or more.

    Notes
    -----
    The origins lie evenly in the second half of the history. Each forecasts as many days as the
    horizon has, at most a quarter of the history. One with fewer than 30 purchases to come or
    expected is left out; where none is left, the prior alone makes the bounds.

    Misses are logs of actual over predicted totals. Their mean and their variance are shrunk
    towards a prior that counts as four tests: a mean of 0, and a standard deviation of .2 for
    purchases and .25 for money. Of n tests that overlap only the days that they hold together
    count. The interval of the log of a total has the half width
    ``sqrt(z ** 2 v + t ** 2 s ** 2)``: v is the model's own variance, s the deviation of
    misses, and t the quantile of Student's t with n + 4 degrees of freedom.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders, today = load_cdnow(sample=True), date(1997, 9, 30)
    >>> misses = clv.fit_misses(orders, as_of=today, horizon_days=91, model="pareto_nbd")
    >>> customers = rfm.summarize(orders, as_of=today)
    >>> total = clv.predict_total(
    ...     customers,
    ...     purchases=clv.fit(customers, model="pareto_nbd"),
    ...     horizon_days=91,
    ...     misses=misses,
    ... )
    >>> columns = ["expected_purchases", "expected_purchases_lower", "expected_purchases_upper"]
    >>> print(total[columns].round(0).to_string(index=False))
     expected_purchases  expected_purchases_lower  expected_purchases_upper
                  689.0                     450.0                    1053.0
    """
    today = time.as_day(as_of, argument="as_of")
    require_horizon(horizon_days)
    require_whole(origins, argument="origins", least=1, advice="Write 4.")
    require_flag(calibrated, argument="calibrated")
    if spend is not None:
        require_choice(spend, SPEND_MODELS, argument="spend")
    if isinstance(model, Choice):
        name = model.best
    else:
        require_choice(model, (BEST, *PURCHASE_MODELS), argument="model")
        name = choose(orders, as_of=today).best if model == BEST else model
    has_money = frames.has(frames.read(orders, LEDGER), "amount")
    spend = spend if has_money else None
    first = first_day(orders, as_of=today)
    n_days = 0 if first is None else (today - first).days
    length = min(int(horizon_days), n_days // _PARTS)
    if length < _FEWEST_DAYS:
        why = f"The history of {n_days} days is too short for a test."
        return Misses(name, float(horizon_days), calibrated=calibrated, left_out=(why,))
    tests: list[MissTest] = []
    left_out: list[str] = []
    for split in _origins(today, n_days=n_days, length=length, n=origins):
        found = _tested(orders, name, spend, split=split, length=length, calibrated=calibrated)
        (left_out if isinstance(found, str) else tests).append(found)  # type: ignore[arg-type]
    return Misses(name, float(horizon_days), tuple(tests), calibrated, tuple(left_out))


def _origins(today: date, *, n_days: int, length: int, n: int) -> list[date]:
    """Days to forecast from, the earliest first: evenly from half of the history on."""
    ago = np.linspace(n_days // 2, length, n) if n > 1 else np.array([length])
    return [today - timedelta(days=each) for each in sorted({round(a) for a in ago}, reverse=True)]


def _tested(
    orders: IntoFrame, name: str, spend: str | None, *, split: date, length: int, calibrated: bool
) -> MissTest | str:
    """Forecast the total from an earlier day, or say why not."""
    end = split + timedelta(days=length)
    customers = frames.run_once(holdout(orders, split=split, as_of=end))
    try:
        fits: dict[str, Any] = {"purchases": fitted_to(customers, model=name)}
        if spend is not None:
            fits["spend"] = fitted_to(customers, model=spend)
    except FitError as error:
        return f"From {split}: {' '.join(str(error).split())}"
    if STOPPED in fits["purchases"].diagnostics:
        return f"From {split}: {STOPPED}"
    scale = None
    if calibrated:
        scale = pattern(orders, purchases=fits["purchases"], as_of=split, horizon_days=length)
    ahead = predict(customers, horizon_days=length, calibrate=scale, **fits)
    money = ["amount_holdout", "clv"] if spend is not None else []
    columns = frames.collect(
        frames.reopen(ahead), "frequency_holdout", "expected_purchases", *money
    )
    sums = {column: float(values.sum()) for column, values in columns.items()}
    actual, predicted = sums["frequency_holdout"], sums["expected_purchases"]
    if min(actual, predicted) < _FEWEST_PURCHASES:
        few = round(min(actual, predicted))
        return f"From {split}: {few} purchases in {length} days are too few to judge by."
    test = MissTest(split, end, actual, predicted)
    past = past_totals(orders, split=split, length=length)
    test = replace(test, past_purchases=past["purchases"])
    if not money or not np.isfinite(sums["clv"]):
        return test
    return replace(
        test,
        actual_amount=sums["amount_holdout"],
        predicted_amount=sums["clv"],
        past_amount=past["amount"],
    )


def past_totals(orders: IntoFrame, *, split: date, length: int) -> dict[str, float]:
    """Count purchases and add up money of the days up to a split."""
    days = purchase_days.days(frames.read(orders, LEDGER), as_of=split)
    ago = nw.lit(time.number_of(split)) - time.day_number(days, "day")
    sums = {"purchases": (nw.col("n_orders") > 0).cast(nw.Float64).sum()}
    if frames.has(days, "amount"):
        sums["amount"] = nw.col("amount").sum()
    (row,) = frames.rows(days.filter(ago < length).select(**sums))
    return {name: float(value or 0.0) for name, value in row.items()}
