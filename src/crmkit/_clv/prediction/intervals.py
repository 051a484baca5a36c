"""Prediction intervals per customer: parameter uncertainty and the customer's own chance."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame
from scipy.special import expit, logit, ndtri

from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.given import GivenParameters
from crmkit._clv.prediction.scoring import CustomerCovariates, blocks, with_covariates
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import CrmkitWarning
from crmkit.models.inference.covariates import groups
from crmkit.models.predictive.amounts import PredictiveAmounts
from crmkit.models.predictive.purchases import PredictivePurchases, predictive_purchases
from crmkit.models.predictive.sigma_points import (
    Point,
    n_directions,
    sigma_points,
    unidentified_parameters,
)
from crmkit.models.protocol import PurchaseModel, SpendModel

Model = TypeVar("Model")

SPEND_DAYS: Final = "crmkit_spend_days"
CUSTOMER_MEAN: Final = ("crmkit_customer_mean_lower", "crmkit_customer_mean_upper")
AMOUNT: Final = ("crmkit_amount_lower", "crmkit_amount_upper")
"""Bounds in units of the customer's expected spend."""

_CERTAIN: Final = 1 - 1e-16
_TINIEST: Final = 1e-300


Pairs: TypeAlias = list[tuple[Point[Model], Point[Model]]]


class ParameterPoints(NamedTuple):
    """Points that stand for the uncertainty of both fits: equally likely, in pairs."""

    purchases: Pairs[PurchaseModel]
    spend: Pairs[SpendModel]

    def models(self, covariates: CustomerCovariates) -> list[PurchaseModel]:
        """Give the purchase models of some customers, one for each point."""
        return [covariates.moved(*point) for pair in self.purchases for point in pair]

    def log_spend_shifts(self, covariates: CustomerCovariates) -> Floats:
        """Give the difference in log spend that other coefficients make.

        A row for each customer and a column for each spend model; one row where all are alike.
        """
        if not covariates.fit.covariates:
            return np.zeros((1, 2 * len(self.spend)))
        estimate = np.array(covariates.fit.likelihood.coefficients)
        points = [point for pair in self.spend for point in pair]
        shifts = [sum(covariates.effects(one.coefficients - estimate).values()) for one in points]
        return np.stack(shifts, axis=1)


def parameter_points(purchases: Fit, spend: Fit | None) -> ParameterPoints:
    """Give points that stand for the uncertainty of the fits, and warn of what they lack."""
    fits = [purchases] if spend is None else [purchases, spend]
    for fitted in fits:
        _warn_of_gaps(fitted)
    found = [each.likelihood for each in fits]
    estimated = [each for each in found if not isinstance(each, GivenParameters)]
    order = n_directions(*estimated) if estimated else 1
    of_spend = [] if spend is None else _points(spend, order=order)
    return ParameterPoints(_points(purchases, order=order), of_spend)


def _points(fitted: Fit, *, order: int) -> Pairs[Any]:
    if isinstance(fitted.likelihood, GivenParameters):
        point = Point(fitted.model, np.zeros(0))
        return [(point, point)] * order
    return sigma_points(fitted.likelihood, order=order)


def with_bounds(
    frame: frames.Frame,
    *,
    like: IntoFrame,
    purchases: Fit,
    spend: Fit | None,
    horizon_days: float,
    level: float,
) -> frames.Frame:
    """Append the bounds of `p_alive` and `expected_purchases`, and those of money in units.

    With `spend`, the table must hold `SPEND_DAYS`.
    """
    points = parameter_points(purchases, spend)
    fits = [purchases] if spend is None else [purchases, spend]
    amounts = possible_amounts(points, spend)
    tails = (1 - level) / 2, (1 + level) / 2

    def bounds(covariates: Sequence[CustomerCovariates], **columns: Floats) -> dict[str, Floats]:
        names = ("frequency", "recency", "T", SPEND_DAYS if spend is not None else "frequency")
        history = np.stack([columns[name] for name in names], axis=1)
        rows_of = [each.rows for each in covariates]
        first, of_row = groups(np.concatenate([history, *rows_of], axis=1))
        found: dict[str, Floats] = {}
        for rows in blocks(history[first, 0]):
            here = _bounds(
                points,
                amounts,
                [each.at(first[rows]) for each in covariates],
                history=history[first[rows]].T,
                horizon_days=horizon_days,
                tails=tails,
            )
            for name, values in here.items():
                found.setdefault(name, np.empty(len(first)))[rows] = values
        return {name: values[of_row] for name, values in found.items()}

    inputs = ["frequency", "recency", "T", *([SPEND_DAYS] if spend is not None else [])]
    return with_covariates(frame, like=like, fits=fits, inputs=inputs, compute=bounds)


def possible_amounts(points: ParameterPoints, spend: Fit | None) -> PredictiveAmounts | None:
    """Distribution of money, for the customer whose covariates are 0."""
    if spend is None:
        return None
    return PredictiveAmounts(spend.model, [(a.model, b.model) for a, b in points.spend])


def _bounds(
    points: ParameterPoints,
    amounts: PredictiveAmounts | None,
    covariates: Sequence[CustomerCovariates],
    *,
    history: Floats,
    horizon_days: float,
    tails: tuple[float, float],
) -> dict[str, Floats]:
    """Compute the bounds of some customers, no two of whom are alike."""
    x, t_x, T, days = history
    models = points.models(covariates[0])
    found = _alive_bounds(covariates[0].model, models, (x, t_x, T), tails)
    _, kind = groups(np.concatenate([each.rows for each in covariates], axis=1))
    shifts = np.zeros((1, 0))
    if amounts is not None:
        shifts = points.log_spend_shifts(covariates[-1])
    possible = predictive_purchases(
        models,
        x,
        t_x,
        T,
        days=days,
        kind=kind,
        horizon_days=horizon_days,
        tail=tails[0] / 20,
    )
    shifts = np.broadcast_to(shifts, (len(days), shifts.shape[1]))
    return found | _outcome_bounds(possible, amounts, days, shifts, tails)


def _warn_of_gaps(fitted: Fit) -> None:
    if isinstance(fitted.likelihood, GivenParameters):
        msg = (
            f"{fitted.name}: its parameters were given without standard errors, so the interval "
            "takes them as exact and is too narrow.\nFit the model with crmkit.clv.fit()."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=5)
        return
    names = unidentified_parameters(fitted.likelihood)
    if names:
        msg = (
            f"{fitted.name}: the data do not identify {frames.quoted(names)}, so the interval "
            "takes the estimate as exact there and is too narrow.\nSee `Fit.diagnostics`."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=5)


def _alive_bounds(
    estimate: PurchaseModel,
    models: Sequence[PurchaseModel],
    history: tuple[Floats, Floats, Floats],
    tails: tuple[float, float],
) -> dict[str, Floats]:
    """Bound the probability of being alive by the normal distribution of its log odds."""
    at_estimate = estimate.probability_alive(*history)
    centre = _log_odds(at_estimate)
    squares = np.zeros_like(centre)
    for model in models:
        squares += (_log_odds(model.probability_alive(*history)) - centre) ** 2
    reach = float(ndtri(tails[1])) * np.sqrt(squares / len(models))
    certain = at_estimate >= _CERTAIN
    return {
        "p_alive_lower": np.where(certain, at_estimate, expit(centre - reach)),
        "p_alive_upper": np.where(certain, at_estimate, expit(centre + reach)),
    }


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _TINIEST, _CERTAIN))
    return odds


def _outcome_bounds(
    possible: Iterable[PredictivePurchases],
    amounts: PredictiveAmounts | None,
    days: Floats,
    shifts: Floats,
    tails: tuple[float, float],
) -> dict[str, Floats]:
    """Bounds of purchases, and of money, by the quantiles of their distributions."""
    names = ["expected_purchases_lower", "expected_purchases_upper"]
    names += [] if amounts is None else AMOUNT
    found = {name: np.empty(len(days)) for name in names}
    for block in possible:
        quantiles = [block.quantile(tail) for tail in tails]
        if amounts is not None:
            quantiles += amounts.quantiles(block, tails, lifts=shifts[block.first])
        for name, values in zip(names, quantiles, strict=True):
            found[name][block.rows] = values
    if amounts is not None:
        alike, of_row = groups(np.concatenate([days[:, np.newaxis], shifts], axis=1))
        for name, tail in zip(CUSTOMER_MEAN, tails, strict=True):
            bound = amounts.mean_quantile(days[alike], tail, lifts=shifts[alike])
            found[name] = bound[of_row]
    return found


def spend_days() -> nw.Expr:
    """Count the repeat purchase days whose spend is known, whatever its sign."""
    has_spend = (nw.col("frequency") > 0) & ~frames.known("monetary_value").is_null()
    return nw.when(has_spend).then(nw.col("frequency")).otherwise(nw.lit(0))
