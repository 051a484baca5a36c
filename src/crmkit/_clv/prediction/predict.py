"""Customer lifetime value within a horizon, from fitted purchase and spend models."""

from __future__ import annotations

import math
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.require_fit import require_purchases
from crmkit._clv.prediction.costs import cost_of
from crmkit._clv.prediction.intervals import (
    AMOUNT,
    CUSTOMER_MEAN,
    SPEND_DAYS,
    spend_days,
    with_bounds,
)
from crmkit._clv.prediction.pattern_value import Pattern, factor_of
from crmkit._clv.prediction.scoring import with_scores
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.rates import (
    require_discount_rate,
    require_horizon_with_rate,
    require_level,
    require_margin,
)
from crmkit.errors import InvalidArgumentError
from crmkit.models.protocol import PurchaseModel, SpendModel
from crmkit.tables import SUMMARY

_HISTORY: Final = SUMMARY.only("frequency", "recency", "T")
_HISTORY_AND_SPEND: Final = SUMMARY.only("frequency", "recency", "T", "monetary_value")
DISCOUNTED: Final = "crmkit_discounted_purchases"
_BOUNDS: Final = tuple(
    f"{column}_{bound}"
    for column in ("p_alive", "expected_purchases", "expected_spend", "clv")
    for bound in ("lower", "upper")
)
_LINE: Final = ("crmkit_spend_start", "crmkit_spend_rise")


def predict(
    customers: IntoFrameT,
    *,
    purchases: Fit,
    spend: Fit | None = None,
    horizon_days: float,
    margin: float = 1.0,
    annual_discount_rate: float = 0.0,
    cost: float | str | None = None,
    calibrate: Pattern | float | None = None,
    level: float | None = None,
) -> IntoFrameT:
    """Predict purchases, spend and lifetime value per customer.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    spend
        A fitted spend model; without it no money is predicted.
    horizon_days
        Length of the forecast, in days. `math.inf`, with a discount rate above 0, gives the
        residual lifetime value: the number of purchases may then have no bound and is null.
    margin
        Share of an amount that is profit, such as 0.3; 1 gives value as revenue.
    annual_discount_rate
        Yearly rate at which future money is discounted, as a fraction: 0.1 for 10 % a year.
    cost
        Cost of a customer within the horizon, as a number for all or as the name of a column of
        `customers`, such as the mailings planned for each. It is subtracted from `clv` and its
        bounds; where it is null, so are they.
    calibrate
        Factor on `expected_purchases` and `clv`: a `Pattern` that `crmkit.clv.pattern` found for
        the same horizon, or a number, such as 1.1 for a campaign that brings 10 % more.
    level
        Coverage of the prediction intervals, such as 0.9; without it there are none.

    Returns
    -------
    The same rows with more columns:

    =======================  =====  ==========================================================
    ``p_alive``              float  probability that the customer is still active
    ``expected_purchases``   float  purchase days within the horizon
    ``expected_spend``       float  mean amount of a future purchase day (with `spend`)
    ``clv``                  float  margin of the purchases within the horizon, each
                                    discounted to today; past value is not in it (with `spend`)
    =======================  =====  ==========================================================

    With `level` each of them has a ``_lower`` and an ``_upper`` column. With 0.9, 5 % of the
    cases are expected below the one and 5 % above the other. The interval is about

    - ``p_alive``: the probability itself, of which only the parameters are uncertain;
    - ``expected_purchases``: the actual number of purchase days, a whole number where
      `calibrate` is not given;
    - ``expected_spend``: the customer's mean spend in the long run;
    - ``clv``: the actual margin, less `cost`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or `cost` names no column or one with numbers below 0.
    InvalidArgumentError
        If a rate, `cost`, `level` or the horizon is outside its range, the models are of the
        wrong kind, `cost` comes without `spend`, or `calibrate` is not above 0 or was found for
        another horizon. If the horizon is endless, and the discount rate 0 or `level` given.

    Warns
    -----
    CrmkitWarning
        If `level` is given and a parameter has no standard error: its part is missing.

    Notes
    -----
    ``clv = margin * expected_spend * sum of discount factors of the expected purchases``, with
    the continuous rate ``ln(1 + annual_discount_rate)`` a year.

    Without repeat spend the expected spend is the population's mean. At a mean of zero or below, as
    returns make it, the model's own line goes on: Gamma-Gamma's
    ``p (v + x z) / (p x + q - 1)`` passes through zero and falls below it, and so does `clv`. The
    lognormal model gives 0, the limit of ``exp(a + b log z)`` as z falls to 0. No model has
    amounts below zero: bounds are those of the same distribution, turned round where its mean is
    negative.

    An interval covers the uncertainty of the parameters and the chance in the customer's own
    behaviour. Parameters are lognormal about their estimates, coefficients normal, with the
    covariance of the fit, and a few points stand for them. Most customers buy rarely, so 0 is a
    common lower bound and the upper one is more informative. Bounds of customers do not add up;
    those of their total are in `crmkit.clv.predict_total`.

    Two approximations: each amount is discounted by the average discount of the customer's
    expected purchases, and the uncertainty of the spend parameters is that of a customer who
    spends as the median customer does.

    On a lazy table the distinct histories are collected, scored and joined back where the
    table lives.

    Where a fit has covariates, each customer is scored with parameters of its own: a million
    different customers take a few seconds. Intervals take one or two milliseconds for each
    different customer. A lazy table must hold covariates as whole numbers, text, or true and
    false.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for
    customer base analysis. *Journal of Marketing Research* 42(4), 415-430.
    https://doi.org/10.1509/jmkr.2005.42.4.415

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> ahead = predict(
    ...     customers,
    ...     purchases=fit(customers, model="bg_nbd"),
    ...     spend=fit(customers, model="gamma_gamma"),
    ...     horizon_days=273,
    ...     annual_discount_rate=0.1,
    ... )
    >>> columns = ["customer_id", "p_alive", "expected_purchases", "expected_spend", "clv"]
    >>> print(ahead[columns].head(3).round(2).to_string(index=False))
    customer_id  p_alive  expected_purchases  expected_spend   clv
          00004     0.73                1.23           24.65 29.23
          00018     1.00                0.20           35.17  6.68
          00021     0.21                0.20           18.91  3.72
    """
    require_horizon_with_rate(horizon_days, annual_discount_rate=annual_discount_rate)
    if level is not None:
        require_level(level)
        _require_bounded(horizon_days)
    factor = factor_of(calibrate, horizon_days=horizon_days)
    scored = score(
        customers,
        purchases=purchases,
        spend=spend,
        horizon_days=horizon_days,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
        factor=factor,
    )
    less = cost_of(scored, like=customers, cost=cost, spend=spend)
    if level is not None:
        scored = with_bounds(
            scored,
            like=customers,
            purchases=purchases,
            spend=spend,
            horizon_days=float(horizon_days),
            level=level,
        )
        scored = _with_money_bounds(scored, spend=spend, margin=margin, factor=factor, less=less)
    if spend is not None:
        scored = frames.with_columns(scored, clv=nw.col("clv") - less).drop(SPEND_DAYS)
    return frames.give(scored.drop(DISCOUNTED), like=customers)


def score(
    customers: IntoFrame,
    *,
    purchases: Fit,
    spend: Fit | None,
    horizon_days: float,
    margin: float,
    annual_discount_rate: float,
    factor: float,
) -> frames.Frame:
    """Append the predictions before costs, and what the intervals need.

    That is `DISCOUNTED` and, with `spend`, `SPEND_DAYS`. Bounds of an earlier prediction go. The
    caller has looked at the horizon.
    """
    require_margin(margin)
    require_discount_rate(annual_discount_rate)
    require_purchases(purchases, spend)
    frame = frames.read(customers, _HISTORY if spend is None else _HISTORY_AND_SPEND)
    scored = _with_purchases(
        frame.drop(*_BOUNDS, strict=False),
        like=customers,
        fit=purchases,
        horizon_days=float(horizon_days),
        annual_discount_rate=annual_discount_rate,
    )
    if factor != 1:
        scored = frames.with_columns(scored, nw.col("expected_purchases", DISCOUNTED) * factor)
    if spend is not None:
        scored = _with_spend(scored, like=customers, fit=spend)
        worth = margin * nw.col("expected_spend") * nw.col(DISCOUNTED)
        scored = frames.with_columns(scored, clv=worth)
    return scored


def _with_purchases(
    frame: frames.Frame,
    *,
    like: IntoFrame,
    fit: Fit,
    horizon_days: float,
    annual_discount_rate: float,
) -> frames.Frame:
    def forecast(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        history = (frequency, recency, T)
        if horizon_days == math.inf:  # only discounted do they always add up
            expected = np.full(len(frequency), np.nan)
        else:
            expected = model.expected_purchases(*history, horizon_days=horizon_days)
        discounted = expected
        if annual_discount_rate:
            discounted = model.discounted_purchases(
                *history, horizon_days=horizon_days, annual_discount_rate=annual_discount_rate
            )
        return {
            "p_alive": model.probability_alive(*history),
            "expected_purchases": expected,
            DISCOUNTED: discounted,
        }

    inputs = ("frequency", "recency", "T")
    return with_scores(frame, like=like, fit=fit, inputs=inputs, compute=forecast)


def _require_bounded(horizon_days: float) -> None:
    if horizon_days == math.inf:
        msg = (
            "`level` is for a horizon in days, `horizon_days` is endless.\n"
            "Leave `level` out, or give a horizon, such as 3650."
        )
        raise InvalidArgumentError(msg)


def _with_spend(frame: frames.Frame, *, like: IntoFrame, fit: Fit) -> frames.Frame:
    """Append the expected spend; where no repeat spend is known it is the population's mean.

    Expected spend is a line in the customer's mean, which depends on the number of purchase days
    only, so a lazy table is joined on whole numbers. The line goes on at a mean of zero and below.
    """
    is_of_logs = fit.model.line_of_logs
    days, own = spend_days(), nw.col("monetary_value")
    unseen = 1.0 if is_of_logs else 0.0  # adds nothing to the line
    has_line = days > 0 if not is_of_logs else (days > 0) & (own > 0)  # no engine logs a zero
    mean = nw.when(has_line).then(own).otherwise(nw.lit(unseen))

    def lines(model: SpendModel, **columns: Floats) -> dict[str, Floats]:
        return dict(zip(_LINE, model.spend_line(columns[SPEND_DAYS]), strict=True))

    with_days = frames.with_columns(frame, days.alias(SPEND_DAYS))
    lined = with_scores(with_days, like=like, fit=fit, inputs=[SPEND_DAYS], compute=lines)
    start, rise = (nw.col(name) for name in _LINE)
    expected = start + rise * mean
    if is_of_logs:
        on_line = (start + rise * mean.log()).exp()
        expected = nw.when((days > 0) & (own <= 0)).then(start * 0).otherwise(on_line)
    of_customers = nw.when(~frames.known("frequency").is_null()).then(expected)
    return frames.with_columns(lined, expected_spend=of_customers).drop(*_LINE)


def _with_money_bounds(
    scored: frames.Frame, *, spend: Fit | None, margin: float, factor: float, less: nw.Expr
) -> frames.Frame:
    """Turn bounds in units of expected spend into money, and scale those of purchases."""
    purchases = nw.col("expected_purchases_lower", "expected_purchases_upper")
    if factor != 1:
        scored = frames.with_columns(scored, purchases * factor)
    if spend is None:
        return scored
    expected = nw.col("expected_purchases")
    discount = nw.when(expected > 0).then(nw.col(DISCOUNTED) / expected).otherwise(nw.lit(1.0))
    unit = nw.col("expected_spend")
    worth = margin * factor * unit * discount
    money = _scaled("expected_spend", CUSTOMER_MEAN, by=unit)
    money |= {name: bound - less for name, bound in _scaled("clv", AMOUNT, by=worth).items()}
    return frames.with_columns(scored, **money).drop(*CUSTOMER_MEAN, *AMOUNT)


def _scaled(column: str, bounds: tuple[str, str], *, by: nw.Expr) -> dict[str, nw.Expr]:
    """Scale bounds; below 0 the distribution is turned round, and its upper end is the lower."""
    lower, upper = (by * nw.col(name) for name in bounds)
    turned = by < 0
    return {
        f"{column}_lower": nw.when(turned).then(upper).otherwise(lower),
        f"{column}_upper": nw.when(turned).then(lower).otherwise(upper),
    }
