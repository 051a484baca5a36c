"""Predict from a fit who is still there, what each will buy, and what that is worth."""

from __future__ import annotations

from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import _frames
from crmkit._frames import Floats
from crmkit.clv.fits import Fit
from crmkit.clv.history import require_silent_newcomers
from crmkit.clv.rates import require_discount_rate, require_horizon, require_margin
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.protocol import PurchaseModel, SpendModel
from crmkit.tables import SUMMARY

_HISTORY: Final = SUMMARY.only("frequency", "recency", "T")
_HISTORY_AND_SPEND: Final = SUMMARY.only("frequency", "recency", "T", "monetary_value")
_DISCOUNTED: Final = "crmkit_discounted_purchases"
_SPEND_DAYS: Final = "crmkit_spend_days"
_LINE: Final = ("crmkit_spend_start", "crmkit_spend_rise")


def predict(
    customers: IntoFrameT,
    *,
    purchases: Fit,
    spend: Fit | None = None,
    horizon_days: float,
    margin: float = 1.0,
    annual_discount_rate: float = 0.0,
) -> IntoFrameT:
    """Predict who is still a customer, what each will buy, and what that is worth today.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    spend
        A fitted spend model; without it no money is predicted.
    horizon_days
        How far to look ahead, in days.
    margin
        Share of an amount that is profit, such as 0.3; 1 gives value as revenue.
    annual_discount_rate
        What money a year from now is worth less, as a fraction: 0.1 for 10 % a year.

    Returns
    -------
    The same rows with more columns:

    =======================  =====  ==========================================================
    ``p_alive``              float  probability that the customer has not left for good
    ``expected_purchases``   float  purchase days within the horizon
    ``expected_spend``       float  mean amount of a future purchase day (with `spend`)
    ``clv``                  float  margin of the purchases within the horizon, each
                                    discounted to today; past value is not in it (with `spend`)
    =======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If a rate or the horizon is outside its range, or the models are of the wrong kind.

    Notes
    -----
    ``clv = margin * expected_spend * sum of discount factors of the expected purchases``, with
    the continuous rate ``ln(1 + annual_discount_rate)`` a year.

    On a lazy table the distinct histories are collected, scored and joined back where the
    table lives.

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
    require_horizon(horizon_days)
    require_margin(margin)
    require_discount_rate(annual_discount_rate)
    check_kinds(purchases, spend)
    frame = _frames.read(customers, _HISTORY if spend is None else _HISTORY_AND_SPEND)
    require_silent_newcomers(customers, frame)
    scored = _with_purchases(
        frame,
        like=customers,
        model=purchases.model,
        horizon_days=float(horizon_days),
        annual_discount_rate=annual_discount_rate,
    )
    if spend is not None:
        scored = _with_spend(scored, like=customers, model=spend.model)
        worth = margin * nw.col("expected_spend") * nw.col(_DISCOUNTED)
        scored = scored.with_columns(clv=worth)
    return _frames.give(scored.drop(_DISCOUNTED), like=customers)


def check_kinds(purchases: Fit, spend: Fit | None = None) -> None:
    """Refuse a spend model where a purchase model is due, and the other way round."""
    for fitted, models, argument in (
        (purchases, PURCHASE_MODELS, "purchases"),
        (spend, SPEND_MODELS, "spend"),
    ):
        if fitted is not None and fitted.name not in models:
            msg = (
                f"`{argument}` is a fitted {fitted.name}.\n"
                f"Fit one of {', '.join(map(repr, models))} instead."
            )
            raise InvalidArgumentError(msg)


def _with_purchases(
    frame: _frames.Frame,
    *,
    like: IntoFrame,
    model: PurchaseModel,
    horizon_days: float,
    annual_discount_rate: float,
) -> _frames.Frame:
    def forecast(frequency: Floats, recency: Floats, T: Floats) -> dict[str, Floats]:
        history = (frequency, recency, T)
        expected = model.expected_purchases(*history, horizon_days=horizon_days)
        discounted = expected
        if annual_discount_rate:
            discounted = model.discounted_purchases(
                *history, horizon_days=horizon_days, annual_discount_rate=annual_discount_rate
            )
        return {
            "p_alive": model.probability_alive(*history),
            "expected_purchases": expected,
            _DISCOUNTED: discounted,
        }

    inputs = ("frequency", "recency", "T")
    return _frames.with_computed(frame, like=like, inputs=inputs, compute=forecast)


def _with_spend(frame: _frames.Frame, *, like: IntoFrame, model: SpendModel) -> _frames.Frame:
    """Append the expected spend; who has no repeat spend to go by gets the population's.

    The line that leads from a customer's own mean to the expected one depends on the number of
    days only, so a lazy table is joined on whole numbers.
    """
    usable = (nw.col("frequency") > 0) & (nw.col("monetary_value") > 0)
    days = nw.when(usable).then(nw.col("frequency")).otherwise(nw.lit(0))
    own = nw.when(usable).then(nw.col("monetary_value")).otherwise(nw.lit(0.0))

    def lines(**columns: Floats) -> dict[str, Floats]:
        return dict(zip(_LINE, model.spend_line(columns[_SPEND_DAYS]), strict=True))

    with_days = frame.with_columns(days.alias(_SPEND_DAYS))
    lined = _frames.with_computed(with_days, like=like, inputs=[_SPEND_DAYS], compute=lines)
    start, rise = (nw.col(name) for name in _LINE)
    return lined.with_columns(expected_spend=start + rise * own).drop(_SPEND_DAYS, *_LINE)
