"""Purchases and value of all customers together, with prediction intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT
from scipy.special import ndtri

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.prediction.costs import cost_of
from crmkit._clv.prediction.intervals import SPEND_DAYS, ParameterPoints, parameter_points
from crmkit._clv.prediction.misses_value import Miss, Misses, require_misses
from crmkit._clv.prediction.pattern_value import Pattern, factor_of
from crmkit._clv.prediction.predict import DISCOUNTED, score
from crmkit._clv.prediction.scoring import CustomerCovariates, read_covariates, with_codes
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.rates import require_horizon, require_level
from crmkit.errors import CrmkitWarning
from crmkit.models.inference.covariates import groups
from crmkit.models.predictive.purchases import predictive_purchases
from crmkit.models.predictive.sigma_points import Point
from crmkit.models.protocol import PurchaseModel, SpendModel

_HISTORY: Final = ("frequency", "recency", "T")
_COST: Final = "crmkit_cost"
_NEGLIGIBLE: Final = 1e-6
"""Probability of the counts that the variance leaves out."""

_NO_VARIANCE: Final = (
    "spend has no variance for customers with few purchase days, so the total has no bounds.\n"
    "A few very large amounts are the usual cause; see `Fit.estimates`."
)


_NO_SPEND: Final = (
    "{:,} of {:,} customers have no expected spend, so the total has none either.\n"
    "A few very large amounts are the usual cause; see `Fit.diagnostics`."
)


def predict_total(
    customers: IntoFrameT,
    *,
    purchases: Fit,
    spend: Fit | None = None,
    horizon_days: float,
    margin: float = 1.0,
    annual_discount_rate: float = 0.0,
    cost: float | str | None = None,
    calibrate: Pattern | float | None = None,
    misses: Misses | None = None,
    level: float = 0.9,
) -> IntoFrameT:
    """Predict the total of purchases and value, with an interval.

    The chances of many customers average out, so the interval of a total is much narrower than the
    sum of theirs; the uncertainty of the parameters is the same for all and does not. A future
    unlike the past (a season, a trend, a campaign) is in no interval of a model: with `misses` of
    earlier forecasts the interval holds about as often as it says.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`, of all or of a part of them, such
        as a segment.
    purchases, spend, horizon_days, margin, annual_discount_rate, cost, calibrate
        As for `crmkit.clv.predict`.
    misses
        How far earlier forecasts missed, as `crmkit.clv.fit_misses` finds it for the same horizon:
        purchases and value are multiplied by the usual miss, and their bounds hold its scatter.
        Those of a part of the customers may be wider still.
    level
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    One row:

    ======================  =====  ==========================================================
    ``n_customers``         int    rows of `customers`
    ``expected_alive``      float  customers who are still active
    ``expected_purchases``  float  their purchase days within the horizon
    ``clv``                 float  their margin, discounted and less cost (with `spend`)
    ======================  =====  ==========================================================

    Each but the first has a ``_lower`` and an ``_upper`` column. The values are the sums of the
    columns of `predict`, times the factor of `misses`. ``clv`` is null where that of any customer
    is.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.clv.predict` does; if `misses` were found for another horizon, or with season
        and trend where `calibrate` is without, or the reverse.

    Warns
    -----
    CrmkitWarning
        If a parameter has no standard error, so that its part is missing; if spend has no
        variance, and its total no bounds; if customers have no expected spend, and all no total.

    Notes
    -----
    A total is lognormal. Its log has two variances: that over the uncertainty of the parameters,
    and ``log(1 + V / total ** 2)`` with V the sum of the customers' variances. For a handful of
    purchases that is rough.

    On a lazy table the distinct histories are collected, with the number of customers and the
    spend of each.

    Where a fit has covariates, each customer has parameters of its own, and the uncertainty of the
    coefficients is the same for all. It takes up to a third of a millisecond for each different
    customer.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> total = predict_total(
    ...     customers,
    ...     purchases=fit(customers, model="bg_nbd"),
    ...     spend=fit(customers, model="gamma_gamma"),
    ...     horizon_days=273,
    ... )
    >>> columns = ["expected_purchases", "expected_purchases_lower", "expected_purchases_upper"]
    >>> print(total[["n_customers", *columns]].round(0).to_string(index=False))
     n_customers  expected_purchases  expected_purchases_lower  expected_purchases_upper
            2357              1653.0                    1493.0                    1828.0
    """
    require_level(level)
    require_horizon(horizon_days)
    factor = factor_of(calibrate, horizon_days=horizon_days)
    is_calibrated = isinstance(calibrate, Pattern)
    require_misses(misses, horizon_days=float(horizon_days), is_calibrated=is_calibrated)
    scored = score(
        customers,
        purchases=purchases,
        spend=spend,
        horizon_days=horizon_days,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
        factor=1.0,
    )
    less = cost_of(scored, like=customers, cost=cost, spend=spend)
    fits = [purchases] if spend is None else [purchases, spend]
    coded = scored.with_columns(less.alias(_COST))
    distinct = _collected(coded, like=customers, fits=fits)
    points = parameter_points(purchases, spend)
    seconds = _second_moments(distinct, horizon_days=float(horizon_days))
    models = points.models(distinct.covariates[0])
    bought = _expected(distinct, models, horizon_days=float(horizon_days))
    found = _of_purchases(distinct, models, bought, seconds, horizon_days=float(horizon_days))
    if distinct.n_without_spend:
        msg = _NO_SPEND.format(distinct.n_without_spend, round(float(distinct.n.sum())))
        warnings.warn(msg, CrmkitWarning, stacklevel=2)
        found["clv"] = _Total(math.nan, math.nan, math.nan)
    elif spend is not None:
        found["clv"] = _of_money(
            distinct, points, bought, seconds, horizon_days=float(horizon_days)
        )
    row: dict[str, list[float]] = {"n_customers": [round(float(distinct.n.sum()))]}
    for name, total in found.items():
        scale = {"expected_alive": 1.0, "clv": margin * factor}.get(name, factor)
        cut = distinct.cost if name == "clv" else 0.0
        miss = _miss_of(name, misses)
        bounds = total.bounds(level, miss)
        for column, value in zip((name, f"{name}_lower", f"{name}_upper"), bounds, strict=True):
            row[column] = [scale * value - cut]
    table = frames.table_like(row, like=scored)
    table = table.with_columns(nw.col(name).fill_nan(None) for name in row if name != "n_customers")
    return frames.give(table, like=customers)


@dataclass(frozen=True, slots=True)
class _Total:
    """A sum over customers, and its uncertainty."""

    expected: float
    log_variance: float
    """Variance of its log over the uncertainty of the parameters."""

    chance_variance: float
    """Sum of the customers' variances at the estimates."""

    def bounds(self, level: float, miss: Miss) -> tuple[float, float, float]:
        """Give the expected total and the bounds of a lognormal one."""
        expected = self.expected * miss.factor
        if not expected > 0 or math.isinf(self.chance_variance):
            bound = 0.0 if expected == 0 else math.nan
            return expected, bound, bound
        by_chance = math.log1p(self.chance_variance / self.expected**2)
        own = float(ndtri((1 + level) / 2)) * math.sqrt(self.log_variance + by_chance)
        reach = math.hypot(own, miss.reach(level))
        middle = math.log(expected) - by_chance / 2
        return expected, math.exp(middle - reach), math.exp(middle + reach)


_NO_MISS: Final = Miss(1.0, 0.0, math.inf)


def _miss_of(name: str, misses: Misses | None) -> Miss:
    """Give what the tests say of a column; nobody sees how many are still active."""
    if misses is None or name == "expected_alive":
        return _NO_MISS
    return misses.amount if name == "clv" else misses.purchases


class _Distinct(NamedTuple):
    """The distinct histories, the number of customers with each, and sums over these."""

    covariates: list[CustomerCovariates]
    """Their covariates, for each fit."""

    history: tuple[Floats, Floats, Floats]
    n: Floats
    discount: Floats
    """Discounted over expected purchases."""

    days: Floats
    spend: Floats
    spend_squared: Floats
    observed_spend: Floats
    """Sums of the expected spend, of its square, and of the observed mean spend above 0."""

    cost: float
    n_without_spend: int
    """Customers whose expected spend is unknown."""


def _collected(scored: frames.Frame, *, like: IntoFrame, fits: Sequence[Fit]) -> _Distinct:
    """Collect one row for each distinct history and set of covariates."""
    with_spend = len(fits) > 1
    scored, codes = with_codes(scored, like=like, fits=fits)
    keys = [*_HISTORY, *([SPEND_DAYS] if with_spend else [])]
    keys += [code for of_fit in codes for code in of_fit.values()]
    sums = [nw.len().alias("n"), nw.col("expected_purchases", DISCOUNTED).mean()]
    if with_spend:
        spend, own = nw.col("expected_spend"), nw.col("monetary_value")
        unknown = nw.col(_COST).is_null().cast(nw.Int64)
        no_spend = spend.is_null().cast(nw.Int64)
        scored = scored.with_columns(
            spend=spend,
            spend_squared=spend**2,
            observed_spend=nw.when(own > 0).then(own).otherwise(nw.lit(0.0)),
            unknown=unknown,
            no_spend=no_spend,
        )
        sums.append(
            nw.col("spend", "spend_squared", "observed_spend", _COST, "unknown", "no_spend").sum()
        )
    customers = scored.filter(~frames.known("frequency").is_null())  # without prospects
    rows = customers.group_by(*keys).agg(*sums).sort(*keys).collect()
    of = {name: rows[name].to_numpy().astype(np.float64) for name in rows.columns}
    bought = of["expected_purchases"]
    nothing = np.zeros(len(bought))
    cost = float(of.get(_COST, nothing).sum())
    return _Distinct(
        covariates=read_covariates(fits, codes, of, n_rows=len(bought)),
        history=(of["frequency"], of["recency"], of["T"]),
        n=of["n"],
        discount=np.where(bought > 0, of[DISCOUNTED] / np.where(bought > 0, bought, 1.0), 1.0),
        days=of.get(SPEND_DAYS, of["frequency"]),
        spend=of.get("spend", nothing),
        spend_squared=of.get("spend_squared", nothing),
        observed_spend=of.get("observed_spend", nothing),
        cost=math.nan if of.get("unknown", nothing).any() else cost,
        n_without_spend=round(float(of.get("no_spend", nothing).sum())),
    )


def _second_moments(distinct: _Distinct, *, horizon_days: float) -> Floats:
    """Mean square of the purchases of each history, at the estimates."""
    found = np.empty(len(distinct.n))
    of_purchases = distinct.covariates[0]
    possible = predictive_purchases(
        [of_purchases.model],
        *distinct.history,
        days=distinct.days,
        kind=groups(of_purchases.rows)[1],
        horizon_days=horizon_days,
        tail=_NEGLIGIBLE,
    )
    for block in possible:
        squares = np.arange(block.chances.shape[1])[np.newaxis, :, np.newaxis] ** 2
        means = (block.chances * squares).sum(axis=1, keepdims=True)
        found[block.rows] = block.of_rows(means, np.zeros(len(block.rows), np.int64))
    return found


def _of_purchases(
    distinct: _Distinct,
    models: Sequence[PurchaseModel],
    at_points: Sequence[Floats],
    seconds: Floats,
    *,
    horizon_days: float,
) -> dict[str, _Total]:
    """Total of active customers and of purchases."""
    estimate = distinct.covariates[0].model
    alive = estimate.probability_alive(*distinct.history)
    bought = estimate.expected_purchases(*distinct.history, horizon_days=horizon_days)
    active = [distinct.n @ model.probability_alive(*distinct.history) for model in models]
    buying = [distinct.n @ one for one in at_points]
    return {
        "expected_alive": _total(distinct.n @ alive, active, distinct.n @ (alive * (1 - alive))),
        "expected_purchases": _total(
            distinct.n @ bought, buying, distinct.n @ np.maximum(seconds - bought**2, 0.0)
        ),
    }


def _of_money(
    distinct: _Distinct,
    points: ParameterPoints,
    at_points: Sequence[Floats],
    seconds: Floats,
    *,
    horizon_days: float,
) -> _Total:
    """Total of spend, each discounted as the expected purchases are."""
    of_purchases, of_spend = distinct.covariates
    bought = of_purchases.model.expected_purchases(*distinct.history, horizon_days=horizon_days)
    first, group = groups(np.concatenate([distinct.days[:, np.newaxis], of_spend.rows], axis=1))
    days, spenders = distinct.days[first], of_spend.at(first)
    n_group = np.bincount(group, distinct.n)
    observed = np.where(days > 0, np.bincount(group, distinct.observed_spend) / n_group, 1.0)
    expected = spenders.model.expected_spend(days, observed)

    def changed(point: Point[SpendModel]) -> Floats:
        there: Floats = spenders.moved(*point).expected_spend(days, observed)
        some = expected != 0  # a lognormal group without spend expects none under any parameters
        change: Floats = np.divide(there, expected, out=np.ones_like(there), where=some)
        return change[group]

    changes = [[changed(point) for point in pair] for pair in points.spend]
    unit = distinct.spend * distinct.discount
    totals = [
        (one * unit) @ change
        for position, one in enumerate(at_points)
        for change in changes[position // 2]
    ]
    of_mean, of_day = (squares[group] for squares in spenders.model.second_moments(days))
    # n days have n different amounts about one mean, which is uncertain itself.
    spread = bought * of_day + np.maximum(seconds - bought, 0.0) * of_mean - bought**2
    variance = (distinct.spend_squared * distinct.discount**2) @ np.maximum(spread, 0.0)
    if math.isinf(variance):
        warnings.warn(_NO_VARIANCE, CrmkitWarning, stacklevel=3)
    return _total(bought @ unit, totals, variance)


def _expected(
    distinct: _Distinct, models: Sequence[PurchaseModel], *, horizon_days: float
) -> list[Floats]:
    return [
        model.expected_purchases(*distinct.history, horizon_days=horizon_days) for model in models
    ]


def _total(
    expected: np.float64 | Floats,
    at_points: Sequence[np.float64 | Floats],
    chance_variance: np.float64 | Floats,
) -> _Total:
    """Make a total of its expectation, those at other parameters, and its variance by chance."""
    away = np.zeros(1)
    if expected > 0:
        ratios = np.array(at_points) / expected
        # Next to customers who return as much as others buy, a total may change its sign.
        away = np.log(np.where(ratios > 0, ratios, np.nan))
    return _Total(float(expected), float(np.mean(away**2)), float(chance_variance))
