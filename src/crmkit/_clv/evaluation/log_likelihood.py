"""Log-likelihood of a fit on any customers, without fitting it anew."""

from __future__ import annotations

from typing import Final

import narwhals as nw
from narwhals.typing import IntoDataFrame

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.histories import purchase_histories, spend_histories
from crmkit._clv.fitting.regularity import log_gaps
from crmkit._clv.prediction.scoring import with_scores
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import FitError
from crmkit.models import PURCHASE_MODELS
from crmkit.models.protocol import PurchaseModel, SpendModel
from crmkit.tables import SUMMARY

_PURCHASES: Final = ("frequency", "recency", "T")
_SPEND: Final = ("frequency", "monetary_value")
_COLUMN: Final = "crmkit_log_likelihood"


def log_likelihood(customers: IntoDataFrame, fit: Fit) -> tuple[float, int]:
    """Give the total log-likelihood, ages in days, and the number of customers in it.

    Those that a fit could not use are not in it.
    """
    of_purchases = fit.name in PURCHASE_MODELS
    histories = purchase_histories(customers) if of_purchases else spend_histories(customers)
    n_customers = round(float(histories.weights.sum()))
    if not n_customers:
        msg = f"customer summary: no customer to evaluate {fit.name} on."
        raise FitError(msg)
    if fit.covariates:
        return _by_row(customers, fit), n_customers
    options = log_gaps(customers, histories.columns[0], name=fit.name)
    each = fit.model.log_likelihood(*histories.columns, **options)
    return float(histories.weights @ each), n_customers


def _by_row(customers: IntoDataFrame, fit: Fit) -> float:
    """Sum over customers, each with the parameters that the covariates give."""
    of_purchases = fit.name in PURCHASE_MODELS
    table = SUMMARY.only(*(_PURCHASES if of_purchases else _SPEND))
    frame = frames.without_prospects(frames.read(customers, table), table)
    if not of_purchases:
        frame = frame.filter((nw.col("frequency") > 0) & (frames.known("monetary_value") > 0))

    def compute(model: PurchaseModel | SpendModel, **columns: Floats) -> dict[str, Floats]:
        return {_COLUMN: model.log_likelihood(*columns.values())}

    inputs = table.column_names
    scored = with_scores(frame, like=customers, fit=fit, inputs=inputs, compute=compute)
    return float(frames.collect(scored, _COLUMN)[_COLUMN].sum())
