"""Predict what all customers together will bring, and between which bounds."""

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

from crmkit._clv.fitting.fit import Fit
from crmkit._clv.prediction.costs import cost_of
from crmkit._clv.prediction.intervals import SPEND_DAYS, Likely, likely
from crmkit._clv.prediction.pattern_value import Pattern, factor_of
from crmkit._clv.prediction.predict import DISCOUNTED, score
from crmkit._clv.prediction.scoring import Known, known_of, with_codes
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitWarning
from crmkit.models.inference.covariates import groups
from crmkit.models.predictive.purchases import possible_purchases
from crmkit.models.protocol import PurchaseModel

_HISTORY: Final = ("frequency", "recency", "T")
_COST: Final = "crmkit_cost"
_FORGOTTEN: Final = 1e-6
"""So rare are the counts that the variance leaves out."""

_NO_VARIANCE: Final = (
    "spend has no variance where customers have so few purchase days known, so that the total "
    "has no bounds.\nA few very large amounts are the usual cause; see `Fit.estimates`."
)


_NO_SPEND: Final = (
    "{:,} of {:,} customers have no expected spend, so that the total has none either.\n"
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
    interval: float = 0.9,
) -> IntoFrameT:
    """Predict what all customers together will buy and be worth, and how far off that may be.

    The chances of many customers even out, so a total is far surer than the sum of their bounds
    would say; what does not even out is the doubt about the parameters, which is the same for all.
    That the future may be unlike the past is in no bound: a season, a trend, a campaign.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`; part of them, such as a segment,
        will do.
    purchases, spend, horizon_days, margin, annual_discount_rate, cost, calibrate
        As for `crmkit.clv.predict`.
    interval
        How surely the bounds are to hold, between 0 and 1.

    Returns
    -------
    One row:

    ======================  =====  ==========================================================
    ``n_customers``         int    rows of `customers`
    ``expected_alive``      float  customers who have not left for good
    ``expected_purchases``  float  their purchase days within the horizon
    ``clv``                 float  their margin, discounted and less cost (with `spend`)
    ======================  =====  ==========================================================

    Each but the first has a ``_lower`` and an ``_upper`` column. The values are the sums of the
    columns of `predict`. ``clv`` is null where that of any customer is.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.clv.predict` does.

    Warns
    -----
    CrmkitWarning
        If the data leave a parameter open, whose part the bounds then lack; if spend has no
        variance, and its total no bounds; if customers have no expected spend, and all no total.

    Notes
    -----
    A total is taken as lognormal. Its log has two variances: that over parameters which the data
    leave possible, and ``log(1 + V / total ** 2)`` with V the sum of the customers' own
    variances. For a handful of purchases that is rough.

    On a lazy table the distinct histories are collected, with how many customers have each and
    what they spend.

    Where a fit has covariates, each customer has own parameters, and the doubt about coefficients
    is the same for all too. It takes up to a third of a millisecond for each who differs.

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
    require_level(interval, argument="interval")
    factor = factor_of(calibrate, horizon_days=horizon_days)
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
    known = _collected(coded, like=customers, fits=fits)
    points = likely(purchases, spend)
    seconds = _second_moments(known, horizon_days=float(horizon_days))
    found = _of_purchases(known, points, seconds, horizon_days=float(horizon_days))
    if known.n_without_spend:
        msg = _NO_SPEND.format(known.n_without_spend, round(float(known.n.sum())))
        warnings.warn(msg, CrmkitWarning, stacklevel=2)
        found["clv"] = _Total(math.nan, math.nan, math.nan)
    elif spend is not None:
        found["clv"] = _of_money(known, points, seconds, horizon_days=float(horizon_days))
    row: dict[str, list[float]] = {"n_customers": [round(float(known.n.sum()))]}
    for name, total in found.items():
        scale = {"expected_alive": 1.0, "clv": margin * factor}.get(name, factor)
        cut = known.cost if name == "clv" else 0.0
        bounds = total.bounds(interval)
        for column, value in zip((name, f"{name}_lower", f"{name}_upper"), bounds, strict=True):
            row[column] = [scale * value - cut]
    table = frames.table_like(row, like=scored)
    table = table.with_columns(nw.col(name).fill_nan(None) for name in row if name != "n_customers")
    return frames.give(table, like=customers)


@dataclass(frozen=True, slots=True)
class _Total:
    """A sum over customers, and what is in doubt of it."""

    expected: float
    log_variance: float
    """Over the parameters that the data leave possible."""

    own_variance: float
    """The sum of the customers' own variances."""

    def bounds(self, interval: float) -> tuple[float, float, float]:
        """Give the expected total and the bounds of a lognormal one."""
        if not self.expected > 0 or math.isinf(self.own_variance):
            bound = 0.0 if self.expected == 0 else math.nan
            return self.expected, bound, bound
        by_chance = math.log1p(self.own_variance / self.expected**2)
        reach = float(ndtri((1 + interval) / 2)) * math.sqrt(self.log_variance + by_chance)
        middle = math.log(self.expected) - by_chance / 2
        return self.expected, math.exp(middle - reach), math.exp(middle + reach)


class _Distinct(NamedTuple):
    """The distinct histories, how many have each, and sums over these."""

    known: list[Known]
    """What is known of them beside their histories, for each fit."""

    history: tuple[Floats, Floats, Floats]
    n: Floats
    lasting: Floats
    """What discounting leaves of the expected purchases, as a share."""

    days: Floats
    spend: Floats
    spend_squared: Floats
    own_spend: Floats
    """Sums of the expected spend, of its square, and of one's own mean spend."""

    cost: float
    n_without_spend: int
    """Customers whose expected spend is unknown."""


def _collected(scored: frames.Frame, *, like: IntoFrame, fits: Sequence[Fit]) -> _Distinct:
    """Collect one row for each distinct history, with what is known beside it."""
    with_spend = len(fits) > 1
    scored, codes = with_codes(scored, like=like, fits=fits)
    keys = [*_HISTORY, *([SPEND_DAYS] if with_spend else [])]
    keys += [code for of_fit in codes for code in of_fit.values()]
    sums = [nw.len().alias("n"), nw.col("expected_purchases", DISCOUNTED).mean()]
    if with_spend:
        spend = nw.col("expected_spend")
        unknown = nw.col(_COST).is_null().cast(nw.Int64)
        no_spend = spend.is_null().cast(nw.Int64)
        scored = scored.with_columns(
            spend=spend,
            spend_squared=spend**2,
            own_spend=nw.col("monetary_value"),
            unknown=unknown,
            no_spend=no_spend,
        )
        sums.append(
            nw.col("spend", "spend_squared", "own_spend", _COST, "unknown", "no_spend").sum()
        )
    rows = scored.group_by(*keys).agg(*sums).sort(*keys).collect()
    of = {name: rows[name].to_numpy().astype(np.float64) for name in rows.columns}
    bought = of["expected_purchases"]
    nothing = np.zeros(len(bought))
    cost = float(of.get(_COST, nothing).sum())
    return _Distinct(
        known=known_of(fits, codes, of, n_rows=len(bought)),
        history=(of["frequency"], of["recency"], of["T"]),
        n=of["n"],
        lasting=np.where(bought > 0, of[DISCOUNTED] / np.where(bought > 0, bought, 1.0), 1.0),
        days=of.get(SPEND_DAYS, of["frequency"]),
        spend=of.get("spend", nothing),
        spend_squared=of.get("spend_squared", nothing),
        own_spend=of.get("own_spend", nothing),
        cost=math.nan if of.get("unknown", nothing).any() else cost,
        n_without_spend=round(float(of.get("no_spend", nothing).sum())),
    )


def _second_moments(known: _Distinct, *, horizon_days: float) -> Floats:
    """Mean square of the purchases of each history, at the estimates."""
    found = np.empty(len(known.n))
    of_purchases = known.known[0]
    possible = possible_purchases(
        [of_purchases.model],
        *known.history,
        days=known.days,
        kind=groups(of_purchases.rows)[1],
        horizon_days=horizon_days,
        tail=_FORGOTTEN,
    )
    for block in possible:
        squares = np.arange(block.chances.shape[1])[np.newaxis, :, np.newaxis] ** 2
        means = (block.chances * squares).sum(axis=1, keepdims=True)
        found[block.rows] = block.of_rows(means, np.zeros(len(block.rows), np.int64))
    return found


def _of_purchases(
    known: _Distinct, points: Likely, seconds: Floats, *, horizon_days: float
) -> dict[str, _Total]:
    """Add up who is there and what they buy."""
    estimate, models = known.known[0].model, points.models(known.known[0])
    alive = estimate.probability_alive(*known.history)
    bought = estimate.expected_purchases(*known.history, horizon_days=horizon_days)
    there = [known.n @ model.probability_alive(*known.history) for model in models]
    buying = [known.n @ one for one in _expected(known, models, horizon_days=horizon_days)]
    return {
        "expected_alive": _total(known.n @ alive, there, known.n @ (alive * (1 - alive))),
        "expected_purchases": _total(
            known.n @ bought, buying, known.n @ np.maximum(seconds - bought**2, 0.0)
        ),
    }


def _of_money(known: _Distinct, points: Likely, seconds: Floats, *, horizon_days: float) -> _Total:
    """Add up what they spend, each discounted by what the expected purchases lose."""
    of_purchases, of_spend = known.known
    bought = of_purchases.model.expected_purchases(*known.history, horizon_days=horizon_days)
    first, alike = groups(np.concatenate([known.days[:, np.newaxis], of_spend.rows], axis=1))
    days, there = known.days[first], of_spend.at(first)
    n_alike = np.bincount(alike, known.n)
    own = np.where(days > 0, np.bincount(alike, known.own_spend) / n_alike, 1.0)
    expected = there.model.expected_spend(days, own)
    changes = [
        [(there.own(*point).expected_spend(days, own) / expected)[alike] for point in pair]
        for pair in points.spend
    ]
    unit = known.spend * known.lasting
    models = points.models(of_purchases)
    totals = [
        (one * unit) @ change
        for position, one in enumerate(_expected(known, models, horizon_days=horizon_days))
        for change in changes[position // 2]
    ]
    of_mean, of_day = (squares[alike] for squares in there.model.second_moments(days))
    # n days bring n different amounts about one mean, which is in doubt itself.
    spread = bought * of_day + np.maximum(seconds - bought, 0.0) * of_mean - bought**2
    variance = (known.spend_squared * known.lasting**2) @ np.maximum(spread, 0.0)
    if math.isinf(variance):
        warnings.warn(_NO_VARIANCE, CrmkitWarning, stacklevel=3)
    return _total(bought @ unit, totals, variance)


def _expected(
    known: _Distinct, models: Sequence[PurchaseModel], *, horizon_days: float
) -> list[Floats]:
    return [model.expected_purchases(*known.history, horizon_days=horizon_days) for model in models]


def _total(
    expected: np.float64 | Floats,
    possible: Sequence[np.float64 | Floats],
    own_variance: np.float64 | Floats,
) -> _Total:
    """Put a total together: as expected, as other parameters have it, and the chance in it."""
    away = np.log(np.array(possible) / expected) if expected > 0 else np.zeros(1)
    return _Total(float(expected), float(np.mean(away**2)), float(own_variance))
