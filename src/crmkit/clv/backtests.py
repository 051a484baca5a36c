"""Which forecast to believe: forecasts from one half of the ledger, held against the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrameT

from crmkit import _frames
from crmkit._frames import Floats
from crmkit.clv.dependence import mid_ranks
from crmkit.clv.fits import Fit, fit
from crmkit.clv.forecast import predict
from crmkit.errors import InvalidArgumentError
from crmkit.summary import holdout
from crmkit.tables import HOLDOUT, LEDGER

_NEEDED: Final = HOLDOUT.only(
    "frequency",
    "T",
    "days_since_last",
    "monetary_value",
    "frequency_holdout",
    "amount_holdout",
    "duration_holdout",
)
_WITH_MONEY: Final = LEDGER.only("customer_id", "date", "amount")
_LEAST_FOR_A_TENTH: Final = 10


@dataclass(frozen=True, slots=True)
class _Half:
    """What was known of each customer at the split, and what each did after it."""

    frequency: Floats
    T: Floats
    days_since_last: Floats
    mean_amount: Floats
    duration: Floats
    purchases: Floats
    amount: Floats


def backtest(
    orders: IntoFrameT,
    *,
    splits: Sequence[date],
    as_of: date,
    models: Sequence[str] = ("bg_nbd",),
    spend: str = "gamma_gamma",
    hiatus_days: int = 56,
) -> IntoFrameT:
    """Forecast days that have already been, and see how far off each way of forecasting is.

    Beside the models stand two that need none: everybody goes on at the same rate as before,
    and the same for those who bought lately while the others are taken to be lost. A model
    that does not beat both is not worth its trouble. Customers who came after a split are left
    out (`crmkit.rfm.newcomers` counts them).

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with amounts.
    splits
        Last days of the calibration periods; each is forecast from its day to `as_of`.
    as_of
        Last day of the holdout period.
    models
        Purchase models to fit on each calibration period.
    spend
        The spend model that turns their purchases into money.
    hiatus_days
        The second plain rule takes customers whose last purchase is longer ago as lost, in days.

    Returns
    -------
    One row per split and method, the models first. The customers of a test come to this machine.

    =======================  =====  ==========================================================
    ``split``                date   last day of the calibration period
    ``method``               text   model, "same rate" or "same rate if recent"
    ``n_customers``          int    customers seen by the split
    ``actual_purchases``     float  purchase days of theirs in the holdout period
    ``predicted_purchases``  float  the forecast of it
    ``purchases_error``      float  predicted / actual - 1; null where nobody bought
    ``mae``                  float  mean absolute error of a customer's purchase days
    ``rmse``                 float  root mean squared error of them
    ``spearman``             float  rank correlation of forecast and outcome; null where all are
                                    forecast alike or did alike
    ``actual_amount``        float  money of the holdout period, less returns
    ``predicted_amount``     float  the forecast of it
    ``amount_error``         float  predicted / actual - 1; null where actual is not above 0
    ``top_tenth_share``      float  share of the money that came from the tenth of customers
                                    forecast to bring most; null below ten customers
    =======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    InvalidArgumentError
        If there is no split, one is not before `as_of`, or a model is unknown.
    FitError
        If no customer came back by a split.

    Notes
    -----
    The mean absolute error rewards forecasting low, since most customers buy nothing: judge by
    the total and the squared error. The plain rules value a purchase at the customer's own mean
    amount of repeat days, and at nothing where there is none. Where customers tie for a place in
    the top tenth, they share it.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(backend="pandas")
    >>> found = backtest(orders, splits=[date(1997, 9, 30)], as_of=date(1998, 6, 30))
    >>> columns = ["method", "purchases_error", "rmse", "amount_error", "top_tenth_share"]
    >>> print(found[columns].round(3).to_string(index=False))
                 method  purchases_error  rmse  amount_error  top_tenth_share
                 bg_nbd           -0.143 1.733        -0.173            0.516
              same rate            0.474 2.158         0.441            0.504
    same rate if recent           -0.290 2.035        -0.277            0.466
    """
    if not splits:
        msg = "`splits` is empty.\nGive at least one day before `as_of`."
        raise InvalidArgumentError(msg)
    frame = _frames.read(orders, _WITH_MONEY)
    lines: list[dict[str, Any]] = []
    for split in splits:
        halves = _frames.run_once(holdout(orders, split=split, as_of=as_of))
        half = _half(halves)
        plain = {
            "same rate": _same_rate(half),
            "same rate if recent": _same_rate(half) * (half.days_since_last <= hiatus_days),
        }
        horizon = float((as_of - split).days)
        fits = {model: fit(halves, model=model) for model in models}
        spending = fit(halves, model=spend)
        forecasts = {
            model: _forecast(halves, purchases=each, spend=spending, horizon_days=horizon)
            for model, each in fits.items()
        }
        forecasts |= {name: (days, days * half.mean_amount) for name, days in plain.items()}
        for method, (purchases, amount) in forecasts.items():
            lines.append({"split": split, "method": method} | _measures(half, purchases, amount))
    columns: dict[str, Any] = {name: [line[name] for line in lines] for name in lines[0]}
    columns["split"] = np.array(columns["split"], dtype="datetime64[D]")
    figures = [name for name in columns if name not in ("split", "method", "n_customers")]
    table = _frames.table_like(columns, like=frame)
    return _frames.give(table.with_columns(nw.col(*figures).cast(nw.Float64)), like=orders)


def calibration(
    orders: IntoFrameT, *, split: date, as_of: date, model: str = "bg_nbd", most: int = 7
) -> IntoFrameT:
    """Compare forecast and outcome by how often customers had bought before.

    A good total can hide two errors that cancel: too little for the regular customers and too
    much for the others.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period.
    as_of
        Last day of the holdout period.
    model
        The purchase model.
    most
        Customers with so many repeat days or more are taken together.

    Returns
    -------
    One row per number of repeat days that occurs, rising:

    =======================  =====  ======================================================
    ``frequency``            int    purchase days after the first, by the split; the last
                                    row holds `most` and more
    ``n_customers``          int    customers with so many
    ``actual_purchases``     float  their mean purchase days in the holdout period
    ``predicted_purchases``  float  the mean forecast of it
    =======================  =====  ======================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If `split` is not before `as_of`, or the model is unknown.
    FitError
        If no customer came back by the split.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
    *Marketing Science* 24(2), 275-284. https://doi.org/10.1287/mksc.1040.0098. Figure 4.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> found = calibration(orders, split=date(1997, 9, 30), as_of=date(1998, 6, 30), most=3)
    >>> print(found.round(2).to_string(index=False))
     frequency  n_customers  actual_purchases  predicted_purchases
             0         1411              0.24                 0.23
             1          439              0.70                 0.52
             2          214              1.39                 1.04
             3          293              3.22                 3.01
    """
    halves = _frames.run_once(holdout(orders, split=split, as_of=as_of))
    fitted = fit(halves, model=model)
    ahead = predict(halves, purchases=fitted, horizon_days=(as_of - split).days)
    capped = nw.when(nw.col("frequency") < most).then(nw.col("frequency")).otherwise(nw.lit(most))
    grouped = (
        _frames.reopen(ahead)
        .select(capped.cast(nw.Int64).alias("frequency"), "frequency_holdout", "expected_purchases")
        .group_by("frequency")
        .agg(
            nw.len().alias("n_customers"),
            nw.col("frequency_holdout").mean().alias("actual_purchases"),
            nw.col("expected_purchases").mean().alias("predicted_purchases"),
        )
        .sort("frequency")
        .collect()
    )
    columns = {name: grouped[name].to_numpy() for name in grouped.columns}
    columns["n_customers"] = columns["n_customers"].astype(np.int64)
    table = _frames.table_like(columns, like=_frames.reopen(orders))
    return _frames.give(table, like=orders)


def _half(halves: IntoDataFrame) -> _Half:
    frame = _frames.read(halves, _NEEDED)
    columns = _frames.collect(frame, *_NEEDED.column_names)
    arrays = [columns[name].astype(float) for name in _NEEDED.column_names]
    frequency, T, days_since_last, mean_amount, purchases, amount, duration = arrays
    return _Half(
        frequency, T, days_since_last, np.nan_to_num(mean_amount), duration, purchases, amount
    )


def _same_rate(half: _Half) -> Floats:
    """Go on at the rate of the repeat days so far; who came on the split day has none yet."""
    rate = np.divide(half.frequency, half.T, out=np.zeros_like(half.T), where=half.T > 0)
    return rate * half.duration


def _forecast(
    halves: IntoDataFrame, *, purchases: Fit, spend: Fit, horizon_days: float
) -> tuple[Floats, Floats]:
    ahead = predict(
        halves,
        purchases=purchases,
        spend=spend,
        horizon_days=horizon_days,
    )
    columns = _frames.collect(_frames.reopen(ahead), "expected_purchases", "clv")
    return columns["expected_purchases"], columns["clv"]


def _measures(half: _Half, purchases: Floats, amount: Floats) -> dict[str, Any]:
    error = purchases - half.purchases
    return {
        "n_customers": len(purchases),
        "actual_purchases": float(half.purchases.sum()),
        "predicted_purchases": float(purchases.sum()),
        "purchases_error": _relative(purchases.sum(), half.purchases.sum()),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "spearman": _spearman(purchases, half.purchases),
        "actual_amount": float(half.amount.sum()),
        "predicted_amount": float(amount.sum()),
        "amount_error": _relative(amount.sum(), half.amount.sum()),
        "top_tenth_share": _top_tenth_share(amount, half.amount),
    }


def _relative(predicted: float, actual: float) -> float | None:
    return float(predicted / actual - 1) if actual > 0 else None


def _spearman(first: Floats, second: Floats) -> float | None:
    each = np.ones(len(first))
    forecast, outcome = mid_ranks(first, each), mid_ranks(second, each)
    if np.ptp(forecast) == 0 or np.ptp(outcome) == 0:
        return None
    return float(np.corrcoef(forecast, outcome)[0, 1])


def _top_tenth_share(forecast: Floats, outcome: Floats) -> float | None:
    n_top = len(forecast) // _LEAST_FOR_A_TENTH
    if not n_top or outcome.sum() <= 0:
        return None
    least = np.partition(forecast, -n_top)[-n_top]
    above, tied = forecast > least, forecast == least
    places_left = n_top - above.sum()
    caught = outcome[above].sum() + outcome[tied].mean() * places_left
    return float(caught / outcome.sum())
