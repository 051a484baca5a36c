"""Single quantities per customer: activity, purchases, their distribution, discounted purchases."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.require_fit import require_purchases
from crmkit._clv.prediction.scoring import Compute, with_scores
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_whole, require_zero_or_more
from crmkit._words.rates import require_horizon, require_horizon_with_rate
from crmkit.models.protocol import PurchaseModel
from crmkit.tables import SUMMARY

_MOST_COLUMNS: Final = 1000
_HISTORY: Final = SUMMARY.only("frequency", "recency", "T")


def probability_alive(customers: IntoFrameT, *, purchases: Fit, days: float = 0) -> IntoFrameT:
    """Probability that each customer is still active `days` days from now.

    It is seen from the end of observation, with the purchases in between unknown. Once they are
    known, summarize again.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    days
        Days from the end of observation, 0 or more; 0 is today.

    Returns
    -------
    The same rows with one more column, which replaces one of that name:

    =================  =====  ==============================================================
    ``p_alive_later``  float  probability that the customer is still active then
    =================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `days` is below 0 or not finite, or `purchases` is not a purchase model.

    Notes
    -----
    With `days` of 0 it is the `p_alive` of `crmkit.clv.predict`. Dropout is for good, so it only
    falls with `days`. In a model without dropout (NBD) it is 1.

    References
    ----------
    The head of each model's file in `crmkit.models` cites its paper.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> in_a_year = probability_alive(
    ...     customers, purchases=fit(customers, model="pareto_nbd"), days=365
    ... )
    >>> columns = ["customer_id", "frequency", "recency", "T", "p_alive_later"]
    >>> print(in_a_year[columns].head(3).round(2).to_string(index=False))
    customer_id  frequency  recency   T  p_alive_later
          00004          2      213 272           0.57
          00018          0        0 269           0.19
          00021          1       12 272           0.11
    """
    _require_days(days)
    require_purchases(purchases)

    def later(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        found = model.probability_alive_later(frequency, recency, T, days=float(days))
        return {"p_alive_later": found}

    return with_quantity(customers, purchases=purchases, compute=later)


def expected_purchases(customers: IntoFrameT, *, purchases: Fit, horizon_days: float) -> IntoFrameT:
    """Expected purchases of each customer within the horizon.

    The one column of `crmkit.clv.predict` for plans of stock and staff, without money. It is a
    mean: most customers buy less often, a few much more.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`. A new customer is a row with a
        `frequency`, `recency` and `T` of 0.
    purchases
        A fitted purchase model.
    horizon_days
        Length of the forecast, in days.

    Returns
    -------
    The same rows with one more column, which replaces one of that name:

    ======================  =====  ====================================
    ``expected_purchases``  float  purchase days within the horizon
    ======================  =====  ====================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite, or `purchases` is not a purchase model.

    Notes
    -----
    A new customer's first purchase is not counted: the horizon begins after it.

    References
    ----------
    The head of each model's file in `crmkit.models` cites its paper.

    Examples
    --------
    The customers of a shop, and what to expect of each new one in the first year.

    >>> from datetime import date
    >>> import pandas as pd
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> model = fit(customers, model="pareto_nbd")
    >>> ahead = expected_purchases(customers, purchases=model, horizon_days=365)
    >>> columns = ["customer_id", "frequency", "recency", "T", "expected_purchases"]
    >>> print(ahead[columns].head(3).round(2).to_string(index=False))
    customer_id  frequency  recency   T  expected_purchases
          00004          2      213 272                1.86
          00018          0        0 269                0.14
          00021          1       12 272                0.22
    >>> new = pd.DataFrame({"customer_id": ["new"], "frequency": [0], "recency": [0], "T": [0]})
    >>> ahead = expected_purchases(new, purchases=model, horizon_days=365)
    >>> print(ahead[columns].round(2).to_string(index=False))
    customer_id  frequency  recency  T  expected_purchases
            new          0        0  0                1.48
    """
    require_horizon(horizon_days)
    require_purchases(purchases)

    def ahead(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        found = model.expected_purchases(frequency, recency, T, horizon_days=float(horizon_days))
        return {"expected_purchases": found}

    return with_quantity(customers, purchases=purchases, compute=ahead)


def purchase_distribution(
    customers: IntoFrameT, *, purchases: Fit, horizon_days: float, most: int = 10
) -> IntoFrameT:
    """Probability of 0, 1, 2 ... purchases of each customer within the horizon.

    An expectation of half a purchase may be an even chance of one or a slim chance of many; the
    distribution shows which. It holds the estimates as exact; their uncertainty is not in it.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    horizon_days
        Length of the forecast, in days.
    most
        The largest number of purchases with a column of its own, 1 or more.

    Returns
    -------
    The same rows with `most` + 2 more columns, which replace those of their names:

    =====================  =====  ====================================================
    ``p_0`` to ``p_most``  float  probability of exactly this number of purchase days
                                  within the horizon; the last is ``p_10`` by default
    ``p_more``             float  probability of more than `most`
    =====================  =====  ====================================================

    In each row they sum to 1.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite, `most` is not a whole number from 1 to 1,000, or
        `purchases` is not a purchase model.

    References
    ----------
    The head of each model's file in `crmkit.models` cites its paper.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> chances = purchase_distribution(
    ...     customers, purchases=fit(customers, model="bg_nbd"), horizon_days=273, most=2
    ... )
    >>> columns = ["customer_id", "p_0", "p_1", "p_2", "p_more"]
    >>> print(chances[columns].head(3).round(2).to_string(index=False))
    customer_id  p_0  p_1  p_2  p_more
          00004 0.45 0.24 0.14    0.17
          00018 0.85 0.11 0.02    0.01
          00021 0.88 0.07 0.03    0.02
    """
    require_horizon(horizon_days)
    require_whole(
        most,
        argument="most",
        least=1,
        most=_MOST_COLUMNS,
        advice="Write 10 for columns p_0 to p_10.",
    )
    require_purchases(purchases)
    names = [f"p_{k}" for k in range(int(most) + 1)]

    def chances(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        found = model.purchase_distribution(
            frequency, recency, T, horizon_days=float(horizon_days), most=int(most)
        )
        # The last digit of a sum may pass 1.
        more = np.maximum(1 - found.sum(axis=1), 0.0)
        return {**dict(zip(names, np.ascontiguousarray(found.T), strict=True)), "p_more": more}

    return with_quantity(customers, purchases=purchases, compute=chances)


def discounted_purchases(
    customers: IntoFrameT,
    *,
    purchases: Fit,
    annual_discount_rate: float,
    horizon_days: float = math.inf,
) -> IntoFrameT:
    """Expected future purchases per customer, discounted to today (DERT).

    Times the profit of a purchase day it is the customer's residual lifetime value. An endless
    horizon goes beyond any record behind a fit: it assumes that customers go on buying and
    dropping out as they did. A horizon in days limits that.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    annual_discount_rate
        Yearly rate at which future purchases are discounted, as a fraction: 0.1 for 10 % a year.
    horizon_days
        Length of the forecast, in days; endless by default.

    Returns
    -------
    The same rows with one more column, which replaces one of that name:

    ========================  =====  ==========================================================
    ``discounted_purchases``  float  purchase days expected within the horizon, each discounted
                                     from its day to the end of observation
    ========================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the rate is not a fraction, or 0 without a horizon; if the horizon is not above 0, or
        `purchases` is not a purchase model.

    Notes
    -----
    A purchase s days ahead counts ``(1 + annual_discount_rate) ** -(s / 365.25)``. With an
    endless horizon the sum is the discounted expected residual transactions (DERT) of the
    literature.

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
    >>> worth = discounted_purchases(
    ...     customers,
    ...     purchases=fit(customers, model="pareto_nbd"),
    ...     annual_discount_rate=0.15,
    ... )
    >>> columns = ["customer_id", "frequency", "recency", "T", "discounted_purchases"]
    >>> print(worth[columns].head(3).round(2).to_string(index=False))
    customer_id  frequency  recency   T  discounted_purchases
          00004          2      213 272                  6.51
          00018          0        0 269                  0.49
          00021          1       12 272                  0.77
    """
    require_horizon_with_rate(horizon_days, annual_discount_rate=annual_discount_rate)
    require_purchases(purchases)

    def today(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        found = model.discounted_purchases(
            frequency,
            recency,
            T,
            horizon_days=float(horizon_days),
            annual_discount_rate=annual_discount_rate,
        )
        return {"discounted_purchases": found}

    return with_quantity(customers, purchases=purchases, compute=today)


def with_quantity(customers: IntoFrameT, *, purchases: Fit, compute: Compute) -> IntoFrameT:
    """Append what a model computes from the histories, in place of columns of the same names."""
    frame = frames.read(customers, _HISTORY)
    inputs = _HISTORY.column_names
    scored = with_scores(frame, like=customers, fit=purchases, inputs=inputs, compute=compute)
    return frames.give(scored, like=customers)


def _require_days(days: float) -> None:
    require_zero_or_more(days, argument="days", advice="Write 0 for today.")
