"""Forecast of the trees for each customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._clv.trees.boosted import MISSING, predicted, thresholds
from crmkit._clv.trees.value import Trees
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_fitted
from crmkit.tables import SUMMARY

PURCHASES: Final = "trees_purchases"
AMOUNT: Final = "trees_amount"
_CODE: Final = "crmkit_code_"


def predict_trees(customers: IntoFrameT, *, trees: Trees) -> IntoFrameT:
    """Forecast each customer's purchases and money with boosted trees.

    Customers whom trees cannot tell apart have the same forecast. As a total it is cruder than that
    of a model: trees know no aging, and repeat the level of the days they were trained on.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    trees
        From `fit_trees`, which fixes the horizon.

    Returns
    -------
    The same rows with more columns, null for a prospect:

    ===================  =====  ==========================================================
    ``trees_purchases``  float  purchase days within the horizon
    ``trees_amount``     float  money within the horizon, where the log had amounts
    ===================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `trees` is not a value of `fit_trees`.

    Notes
    -----
    The forecast is ``start * exp(v_1 + ... + v_60)``, with v the value of the leaf that the
    customer falls in. A column that the table does not have is unknown, for which the trees have
    a way, too.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit_trees
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> trees = fit_trees(orders, as_of=date(1997, 9, 30), horizon_days=60)
    >>> found = predict_trees(rfm.summarize(orders, as_of=date(1997, 9, 30)), trees=trees)
    >>> columns = ["customer_id", "frequency", "days_since_last", "trees_purchases"]
    >>> print(found[columns].head(3).round(1).to_string(index=False))
    customer_id  frequency  days_since_last  trees_purchases
          00004          2               59              0.3
          00018          0              269              0.0
          00021          1              260              0.2
    """
    require_fitted(trees, Trees, argument="trees", made_by="crmkit.clv.fit_trees")
    frame = frames.read(customers, SUMMARY)
    return frames.give(with_trees(frame, trees, like=customers), like=customers)


def with_trees(frame: frames.Frame, trees: Trees, *, like: IntoFrame) -> frames.Frame:
    """Append the forecast of the trees.

    The table is coded where it lives: how many of the trees' limits each feature is above. Only
    distinct codes come to this machine from a lazy table, as whole numbers, so that they can be
    joined back.
    """
    limits = thresholds(trees.forecasts, len(trees.features))
    names = [f"{_CODE}{feature}" for feature in trees.features]
    is_customer = ~frames.known("frequency").is_null()
    coded = frames.with_columns(
        frame,
        **{
            name: nw.when(is_customer).then(_code(frame, feature, above))
            for name, feature, above in zip(names, trees.features, limits, strict=True)
        },
    )

    def compute(**columns: Floats) -> dict[str, Floats]:
        codes = np.column_stack([columns[name] for name in names]).astype(np.int64)
        found = predicted(trees.forecasts, codes, limits)
        return dict(zip((PURCHASES, AMOUNT), found, strict=False))

    scored = frames.with_computed(coded, like=like, table=SUMMARY, inputs=names, compute=compute)
    return scored.drop(*names)


def _code(frame: frames.Frame, feature: str, above: Sequence[float]) -> nw.Expr:
    """Count the limits that a feature is above."""
    unknown = nw.lit(MISSING).cast(nw.Int64)
    if not frames.has(frame, feature):
        return unknown
    value = frames.known(feature)
    count = nw.lit(0).cast(nw.Int64)
    if above:
        count = nw.sum_horizontal(*((value > each).cast(nw.Int64) for each in above))
    return nw.when(value.is_null()).then(unknown).otherwise(count)
