"""Backtests: forecasts from the first part of a ledger, compared with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Generic, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._clv.evaluation.holdout import WITH_MONEY, HoldoutTest, holdout_test, warn_once
from crmkit._clv.evaluation.leaderboard import leaderboard
from crmkit._clv.prediction.predict import predict
from crmkit._door import frames
from crmkit._words.arguments import require_choice, require_flag, require_list, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS

_HIATUS_DAYS: Final = 56
_MOST: Final = 7


def backtest(
    orders: IntoFrameT,
    *,
    splits: Sequence[date | str],
    as_of: date | str,
    models: Sequence[str] = ("bg_nbd",),
    spend: str = "gamma_gamma",
    hiatus_days: int = _HIATUS_DAYS,
    boosted_trees: bool = False,
    calibrated: bool = False,
) -> IntoFrameT:
    """Compare forecasting methods on held-out data.

    The models compete with two baselines: all customers go on at the same rate as before, and only
    those who bought recently do while the others are lost. A model that does not beat both
    is not worth its cost. Customers who came after a split are left out (`crmkit.rfm.newcomers`
    counts them).

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with amounts.
    splits
        Last days of the calibration periods, as dates or ISO text; each is forecast from its day to
        `as_of`.
    as_of
        Last day of the holdout period, as a date or ISO text.
    models
        Purchase models to fit on each calibration period.
    spend
        The spend model that turns their purchases into money.
    hiatus_days
        Days since the last purchase above which the second baseline counts a customer as lost.
    boosted_trees
        Whether to add gradient-boosted trees, a general learner; it needs scikit-learn.
    calibrated
        Whether to add each model a second time, scaled by the season or trend that
        `crmkit.clv.pattern` finds before the split.

    Returns
    -------
    One row per split and method, sorted by split and `log_score`, the best first. The customers
    of a test come to this machine.

    =======================  =====  ==========================================================
    ``split``                date   last day of the calibration period
    ``method``               text   model, "same rate", "same rate if recent", "boosted
                                    trees", or a model's name and ", calibrated"
    ``n_customers``          int    customers seen by the split
    ``actual_purchases``     float  their purchase days in the holdout period
    ``predicted_purchases``  float  the forecast of it
    ``purchases_error``      float  predicted / actual - 1; null without actual purchases
    ``mae``                  float  mean absolute error of a customer's purchase days
    ``rmse``                 float  root mean squared error of them
    ``wmape``                float  sum of the absolute errors / purchase days of all; null
                                    without actual purchases
    ``spearman``             float  rank correlation of forecast and outcome; null where either
                                    does not vary
    ``calibration_error``    float  mean absolute error of groups by `frequency` (0, 1, ... 6, 7 and
                                    more), weighted by customers, as a share of the mean outcome;
                                    null without actual purchases
    ``coverage``             float  share of customers whose purchases were inside the 90 %
                                    interval; 0.9 is right
    ``log_score``            float  mean log of the probability given to each customer's outcome;
                                    the closer to 0 the better
    ``actual_amount``        float  money of the holdout period, less returns
    ``predicted_amount``     float  the forecast of it; null where a customer's is unknown, as
                                    are the three below
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
        If `splits` is empty, a split is not before `as_of`, a model is unknown, or
        `boosted_trees` is true without scikit-learn.
    FitError
        If no customer bought again by a split, or the history is too short for the trees.

    Warns
    -----
    CrmkitWarning
        Once, with a line for each thing to know of a fit: model, split and customers.

    Notes
    -----
    Most customers buy nothing, so the mean absolute error rewards low forecasts: 0 for everybody
    would beat some models. The log score rewards the probability given to the outcome, and is best
    on average for the true distribution.

    The distribution of a model is its own; the other methods, which have none, get a
    Poisson distribution with their forecast as mean, at least 0.001. For a scaled model it is the
    distribution over a horizon long enough for the scaled total. Counts are whole, so few
    intervals hold exactly 90 %: `coverage` counts outcomes on the edge in part, by their share of
    the distribution between 5 % and 95 %.

    The trees are scikit-learn's HistGradientBoostingRegressor for Poisson counts, once for
    purchases and once for money (below 0 as 0). They use the columns of `crmkit.rfm.summarize` but
    for `T`, which they would have to extrapolate; they are trained on the last days before the
    split: as many as the horizon has, but at most a third of the longest history. Their forecast
    is scaled to the horizon.

    The baselines value a purchase at the customer's mean amount of repeat days, and at 0 where
    that is unknown. Where customers tie for a place in the top tenth, they share it.

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
    splits = require_list(splits, argument="splits", example="[datetime.date(2024, 6, 30)]")
    models = require_list(models, argument="models")
    require_flag(boosted_trees, argument="boosted_trees")
    require_flag(calibrated, argument="calibrated")
    require_whole(hiatus_days, argument="hiatus_days", least=0, advice="Write 56 for eight weeks.")
    for each in models:
        require_choice(each, PURCHASE_MODELS, argument="models")
    require_choice(spend, SPEND_MODELS, argument="spend")
    if not splits:
        msg = "`splits` is empty.\nGive at least one day before `as_of`."
        raise InvalidArgumentError(msg)
    frames.read(orders, WITH_MONEY)
    notes: list[str] = []

    def tests() -> Iterator[HoldoutTest]:
        for each in splits:
            test = holdout_test(orders, split=each, as_of=as_of, models=models, spend=spend)
            notes.extend(test.notes)
            yield test

    ranked = leaderboard(
        orders,
        tests(),
        hiatus_days=hiatus_days,
        with_boosted_trees=boosted_trees,
        calibrated=calibrated,
    )
    warn_once(notes, stacklevel=2)
    return ranked


def calibration(
    orders: IntoFrameT,
    *,
    split: date | str,
    as_of: date | str,
    model: str = "bg_nbd",
    most: int = _MOST,
) -> IntoFrameT:
    """Compare forecast and actual purchases by past frequency.

    A good total can hide two errors that cancel: too little for the regular customers and too
    much for the others.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    split
        Last day of the calibration period, as a date or ISO text.
    as_of
        Last day of the holdout period, as a date or ISO text.
    model
        The purchase model.
    most
        Customers with this number of repeat days or more form one group.

    Returns
    -------
    One row per number of repeat days that occurs, rising:

    =======================  =====  ======================================================
    ``frequency``            int    purchase days after the first, by the split; the last
                                    row holds `most` and more
    ``n_customers``          int    customers with this frequency
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
        If no customer bought again by the split.

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
    require_choice(model, PURCHASE_MODELS, argument="model")
    test = holdout_test(orders, split=split, as_of=as_of, models=[model])
    warn_once(test.notes, stacklevel=2)
    return calibration_of(test, like=orders, model=model, most=most)


class Validation(NamedTuple, Generic[IntoFrameT]):
    """Backtest and calibration of one model.

    Attributes
    ----------
    backtest
        The table of `backtest`, without `seconds`, so that two runs give the same.
    calibration
        The table of `calibration`.
    """

    backtest: IntoFrameT
    calibration: IntoFrameT


def validate(
    orders: IntoFrameT, *, split: date | str, as_of: date | str, model: str = "bg_nbd"
) -> Validation[IntoFrameT]:
    """Backtest and calibration of one model from a single split and fit.

    The tables are those of `backtest` and `calibration`, for half of the work.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with amounts.
    split
        Last day of the calibration period, as a date or ISO text.
    as_of
        Last day of the holdout period, as a date or ISO text.
    model
        The purchase model; the spend model is Gamma-Gamma.

    Returns
    -------
    The two tables, as `backtest` and `calibration` of a named tuple.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    InvalidArgumentError
        If `split` is not before `as_of`, or the model is unknown.
    FitError
        If no customer came back by the split.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True)
    >>> tested = validate(orders, split=date(1997, 9, 30), as_of=date(1998, 6, 30))
    >>> print(tested.backtest[["method", "purchases_error"]].round(2).to_string(index=False))
                 method  purchases_error
                 bg_nbd            -0.12
              same rate             0.56
    same rate if recent            -0.25
    """
    require_choice(model, PURCHASE_MODELS, argument="model")
    frames.read(orders, WITH_MONEY)
    test = holdout_test(orders, split=split, as_of=as_of, models=[model], spend="gamma_gamma")
    warn_once(test.notes, stacklevel=2)
    ranked = leaderboard(
        orders, [test], hiatus_days=_HIATUS_DAYS, with_boosted_trees=False, calibrated=False
    )
    tested = frames.give(frames.reopen(ranked).drop("seconds"), like=orders)
    return Validation(tested, calibration_of(test, like=orders, model=model, most=_MOST))


def calibration_of(test: HoldoutTest, *, like: IntoFrameT, model: str, most: int) -> IntoFrameT:
    """Mean forecast and outcome of a test, by frequency at the split."""
    ahead = predict(test.customers, purchases=test.fits[model].fit, horizon_days=test.horizon_days)
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
