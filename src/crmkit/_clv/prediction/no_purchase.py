"""Probability of no purchase within the horizon: what churn risk is made of."""

from __future__ import annotations

from narwhals.typing import IntoFrameT

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.require_fit import require_purchases
from crmkit._clv.prediction.quantities import with_quantity
from crmkit._door.frames import Floats
from crmkit._words.rates import require_horizon
from crmkit.models.protocol import PurchaseModel


def no_purchase(customers: IntoFrameT, *, purchases: Fit, horizon_days: float) -> IntoFrameT:
    """Probability that each customer makes no purchase within the horizon.

    It holds both reasons for buying nothing: the customer has dropped out, or is active and
    buys later than that. Unlike P(alive) it can be checked once the horizon is over. It holds
    the estimates as exact.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases
        A fitted purchase model.
    horizon_days
        Length of the forecast, in days.

    Returns
    -------
    The same rows with one more column, which replaces one of that name:

    =================  =====  ==============================================================
    ``p_no_purchase``  float  probability of no purchase day within the horizon; null for a
                              prospect
    =================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite, or `purchases` is not a purchase model.

    Notes
    -----
    It is the column ``p_0`` of `crmkit.clv.purchase_distribution`.

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
    >>> found = no_purchase(
    ...     customers, purchases=fit(customers, model="pareto_nbd"), horizon_days=91
    ... )
    >>> columns = ["customer_id", "frequency", "recency", "T", "p_no_purchase"]
    >>> print(found[columns].head(3).round(2).to_string(index=False))
    customer_id  frequency  recency   T  p_no_purchase
          00004          2      213 272           0.63
          00018          0        0 269           0.97
          00021          1       12 272           0.95
    """
    require_horizon(horizon_days)
    require_purchases(purchases)

    def none(
        model: PurchaseModel, frequency: Floats, recency: Floats, T: Floats
    ) -> dict[str, Floats]:
        found = model.purchase_distribution(
            frequency, recency, T, horizon_days=float(horizon_days), most=0
        )
        return {"p_no_purchase": found[:, 0]}

    return with_quantity(customers, purchases=purchases, compute=none)
