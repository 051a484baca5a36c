"""Rank customers by a model and by trees together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.prediction.predict import predict
from crmkit._clv.trees.predict_trees import AMOUNT, PURCHASES, with_trees
from crmkit._clv.trees.value import Trees
from crmkit._door import frames
from crmkit._words.arguments import require_fitted, require_share
from crmkit._words.rates import require_horizon
from crmkit.errors import InvalidArgumentError

_HALF: Final = 0.5
_MADE: Final = ("blended_purchases", "blended_amount")


def rank(
    customers: IntoFrameT,
    *,
    purchases: Fit,
    spend: Fit | None = None,
    trees: Trees,
    horizon_days: float,
    margin: float = 1.0,
    annual_discount_rate: float = 0.0,
    share: float = _HALF,
) -> IntoFrameT:
    """Rank customers by two views: half purchase model, half boosted trees.

    Each view sees what the other misses, so the mean of both ranks at least about as well as the
    better one on most logs. The level stays that of the model: the trees are scaled to its total.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    purchases, spend
        Fitted purchase and spend model; without `spend` the ranking is by purchases only.
    trees
        From `fit_trees`, for the same horizon.
    horizon_days, margin, annual_discount_rate
        As for `crmkit.clv.predict`; the last two change ``clv`` only.
    share
        Part of the trees in the mean, from 0 to 1.

    Returns
    -------
    The same rows with more columns, null for a prospect. Sort by ``blended_amount``, or without
    `spend` by ``blended_purchases``, the highest first:

    =======================  =====  ========================================================
    ``p_alive``              float  as of `crmkit.clv.predict`, as the next three
    ``expected_purchases``   float  purchase days within the horizon, by the model
    ``expected_spend``       float  mean amount of a future purchase day (with `spend`)
    ``clv``                  float  discounted margin within the horizon (with `spend`)
    ``blended_purchases``    float  purchase days within the horizon, by both views
    ``blended_amount``       float  revenue within the horizon, by both views (with `spend`)
    =======================  =====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite or not that of `trees`, `share` is not from 0 to
        1, `trees` has no amounts and `spend` is given, or a rate or a value is not of its kind.

    Notes
    -----
    ``blended = (1 - share) * model + share * trees * sum(model) / sum(trees)``, with
    ``expected_purchases * expected_spend`` as the model's amount. It is revenue, neither discounted
    nor multiplied by a margin. Where the trees forecast nothing at all, the model alone counts.

    References
    ----------
    Bates, J. M. & Granger, C. W. J. (1969). The combination of forecasts. *Operational Research
    Quarterly* 20(4), 451-468. https://doi.org/10.1057/jors.1969.103.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders, today = load_cdnow(sample=True, backend="pandas"), date(1997, 9, 30)
    >>> customers = rfm.summarize(orders, as_of=today)
    >>> ranked = rank(
    ...     customers,
    ...     purchases=clv.fit(customers, model="pareto_nbd"),
    ...     spend=clv.fit(customers, model="gamma_gamma"),
    ...     trees=clv.fit_trees(orders, as_of=today, horizon_days=60),
    ...     horizon_days=60,
    ... )
    >>> columns = ["customer_id", "frequency", "total_amount", "blended_amount"]
    >>> best = ranked.sort_values("blended_amount", ascending=False)[columns]
    >>> print(best.head(3).round(0).to_string(index=False))
    customer_id  frequency  total_amount  blended_amount
          05420         18        1465.0           199.0
          11288         11        1232.0           194.0
          15953          8        1361.0           164.0
    """
    require_horizon(horizon_days)
    require_share(share, argument="share", advice="Write 0.5 for half model, half trees.")
    require_fitted(trees, Trees, argument="trees", made_by="crmkit.clv.fit_trees")
    _require_together(trees, spend=spend, horizon_days=float(horizon_days))
    ahead = predict(
        customers,
        purchases=purchases,
        spend=spend,
        horizon_days=horizon_days,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
    )
    frame = with_trees(frames.reopen(ahead).drop(*_MADE, strict=False), trees, like=customers)
    views = {"purchases": (frames.known("expected_purchases"), nw.col(PURCHASES))}
    if spend is not None:
        model = frames.known("expected_purchases") * frames.known("expected_spend")
        views["amount"] = (model, nw.col(AMOUNT))
    blended = _blended(frame, views, share=share).drop(PURCHASES, AMOUNT, strict=False)
    return frames.give(blended, like=customers)


def _blended(
    frame: frames.Frame, views: Mapping[str, tuple[nw.Expr, nw.Expr]], *, share: float
) -> frames.Frame:
    """Append the mean of both views of each outcome, at the total of the model."""
    sums = {
        f"{name} {view}": each.sum()
        for name, both in views.items()
        for view, each in zip(("model", "trees"), both, strict=True)
    }
    total = {
        name: float(value or 0.0) for name, value in frames.rows(frame.select(**sums))[0].items()
    }
    columns = {}
    for name, (model, trees) in views.items():
        scale = total[f"{name} model"] / total[f"{name} trees"] if total[f"{name} trees"] else 0.0
        used = share if scale > 0 else 0.0
        columns[f"blended_{name}"] = model * (1 - used) + trees * (used * scale)
    return frames.with_columns(frame, **columns)


def _require_together(trees: Trees, *, spend: Fit | None, horizon_days: float) -> None:
    if trees.horizon_days != horizon_days:
        msg = (
            f"`trees` were trained for {trees.horizon_days:g} days, `horizon_days` is "
            f"{horizon_days:g}.\nCall fit_trees() with the same horizon."
        )
        raise InvalidArgumentError(msg)
    if spend is not None and trees.amount is None:
        msg = (
            "`trees` were trained on a log without amounts, and `spend` is given.\n"
            "Leave `spend` out, or train on a log with amounts."
        )
        raise InvalidArgumentError(msg)
