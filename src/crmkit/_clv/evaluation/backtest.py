"""Which forecast to believe: forecasts from one half of the ledger, held against the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._clv.evaluation.holdout_trial import WITH_MONEY, Trial, trial
from crmkit._clv.evaluation.leaderboard import leaderboard
from crmkit._clv.prediction.predict import predict
from crmkit._door import frames
from crmkit._words.arguments import require_list, require_whole
from crmkit.errors import InvalidArgumentError

_HIATUS_DAYS: Final = 56
_MOST: Final = 7


def backtest(
    orders: IntoFrameT,
    *,
    splits: Sequence[date],
    as_of: date,
    models: Sequence[str] = ("bg_nbd",),
    spend: str = "gamma_gamma",
    hiatus_days: int = _HIATUS_DAYS,
    boosted_trees: bool = False,
    calibrated: bool = False,
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
    boosted_trees
        Whether to set gradient-boosted trees beside them, a learner that knows nothing of
        customers; it needs ``pip install crmkit[ml]``.
    calibrated
        Whether to show each model a second time, scaled by the season or trend that
        `crmkit.clv.pattern` sees before the split.

    Returns
    -------
    One row per split and method, sorted by split and `log_score`, the best first. The customers
    of a test come to this machine.

    =======================  =====  ==========================================================
    ``split``                date   last day of the calibration period
    ``method``               text   model, "same rate", "same rate if recent", "boosted
                                    trees", or a model's name and ", calibrated"
    ``n_customers``          int    customers seen by the split
    ``actual_purchases``     float  purchase days of theirs in the holdout period
    ``predicted_purchases``  float  the forecast of it
    ``purchases_error``      float  predicted / actual - 1; null where nobody bought
    ``mae``                  float  mean absolute error of a customer's purchase days
    ``rmse``                 float  root mean squared error of them
    ``wmape``                float  sum of the absolute errors / purchase days of all; null where
                                    nobody bought
    ``spearman``             float  rank correlation of forecast and outcome; null where all are
                                    forecast alike or did alike
    ``calibration_error``    float  how far groups by `frequency` (0, 1, ... 6, 7 and more) are off
                                    in their mean, on average over customers, as a share of the
                                    mean outcome; null where nobody bought
    ``coverage``             float  share of customers whose purchases fell inside the 90 %
                                    interval; 0.9 is right
    ``log_score``            float  mean log of the probability given to what each customer did;
                                    the closer to 0 the better
    ``actual_amount``        float  money of the holdout period, less returns
    ``predicted_amount``     float  the forecast of it
    ``amount_error``         float  predicted / actual - 1; null where actual is not above 0
    ``top_tenth_share``      float  share of the money that came from the tenth of customers
                                    forecast to bring most; null below ten customers
    ``top_tenth_found``      float  share of the tenth who brought most that is in the tenth
                                    forecast to; null below ten customers
    ``seconds``              float  CPU seconds of fitting and forecasting
    =======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    InvalidArgumentError
        If there is no split, one is not before `as_of`, a model is unknown, or the trees are
        asked for without scikit-learn.
    FitError
        If no customer came back by a split, or the trees have no days to learn from.

    Notes
    -----
    Most customers buy nothing, so the mean absolute error rewards forecasting low: nothing for
    everybody would beat some models. The log score asks what chance each method gave to what came,
    and is best on average for who tells the chances as they are.

    The chances of a model are its own distribution of purchases; those of the other methods,
    which have none, are a Poisson distribution about the forecast, and a forecast below 0.001
    counts as that. Of a model that is scaled they are those over a horizon long enough for the
    scaled total. Counts are whole, so few intervals hold 90 %: `coverage` takes those on the edge
    in part, as far as the outcome's share of the distribution lies between 5 % and 95 %.

    The trees are scikit-learn's HistGradientBoostingRegressor for Poisson counts, once for
    purchases and once for money (below 0 taken as 0). They see the columns of
    `crmkit.rfm.summarize` but for `T`, which they would have to extrapolate; they are trained on
    the last days before the split: as many as are to be forecast, but at most a third of the
    longest history. What they then forecast is scaled to the horizon.

    The plain rules value a purchase at the customer's own mean amount of repeat days, and at
    nothing where there is none. Where customers tie for a place in the top tenth, they share it.

    References
    ----------
    Gneiting, T. & Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and
    estimation. *Journal of the American Statistical Association* 102(477), 359-378.
    https://doi.org/10.1198/016214506000001437. Czado, C., Gneiting, T. & Held, L. (2009).
    Predictive model assessment for count data. *Biometrics* 65(4), 1254-1261.
    https://doi.org/10.1111/j.1541-0420.2009.01191.x.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(backend="pandas")
    >>> found = backtest(orders, splits=[date(1997, 9, 30)], as_of=date(1998, 6, 30))
    >>> columns = ["method", "log_score", "purchases_error", "rmse", "amount_error", "coverage"]
    >>> print(found[columns].round(3).to_string(index=False))
                 method  log_score  purchases_error  rmse  amount_error  coverage
                 bg_nbd     -1.016           -0.143 1.733        -0.173     0.884
              same rate     -2.033            0.474 2.158         0.441     0.738
    same rate if recent     -3.749           -0.290 2.035        -0.277     0.678
    """
    require_list(splits, argument="splits", example="[datetime.date(2024, 6, 30)]")
    require_list(models, argument="models")
    require_whole(hiatus_days, argument="hiatus_days", least=0, advice="Write 56 for eight weeks.")
    if spend is None:
        msg = "`spend` is None, and forecasts of money need one.\nWrite 'gamma_gamma' if in doubt."
        raise InvalidArgumentError(msg)
    if not splits:
        msg = "`splits` is empty.\nGive at least one day before `as_of`."
        raise InvalidArgumentError(msg)
    frames.read(orders, WITH_MONEY)
    return leaderboard(
        orders,
        (trial(orders, split=each, as_of=as_of, models=models, spend=spend) for each in splits),
        hiatus_days=hiatus_days,
        with_boosted_trees=boosted_trees,
        calibrated=calibrated,
    )


def calibration(
    orders: IntoFrameT, *, split: date, as_of: date, model: str = "bg_nbd", most: int = _MOST
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
    require_whole(most, argument="most", least=1, advice="Write 7.")
    held = trial(orders, split=split, as_of=as_of, models=[model])
    return calibration_of(held, like=orders, model=model, most=most)


def backtest_and_calibration(
    orders: IntoFrameT, *, split: date, as_of: date, model: str
) -> tuple[IntoFrameT, IntoFrameT]:
    """Make the tables of `backtest` and `calibration` from one split and one fit.

    The seconds are left out, so that two runs give the same.
    """
    frames.read(orders, WITH_MONEY)
    held = trial(orders, split=split, as_of=as_of, models=[model], spend="gamma_gamma")
    ranked = leaderboard(
        orders, [held], hiatus_days=_HIATUS_DAYS, with_boosted_trees=False, calibrated=False
    )
    told = frames.give(frames.reopen(ranked).drop("seconds"), like=orders)
    return told, calibration_of(held, like=orders, model=model, most=_MOST)


def calibration_of(held: Trial, *, like: IntoFrameT, model: str, most: int) -> IntoFrameT:
    """Group the customers of a trial by how often they had bought before."""
    ahead = predict(held.halves, purchases=held.fits[model].fit, horizon_days=held.horizon_days)
    capped = nw.when(nw.col("frequency") < most).then(nw.col("frequency")).otherwise(nw.lit(most))
    grouped = (
        frames.reopen(ahead)
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
    table = frames.table_like(columns, like=frames.reopen(like))
    return frames.give(table, like=like)
