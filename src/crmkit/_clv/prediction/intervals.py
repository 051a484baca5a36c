"""Between which bounds a prediction will come true: parameters and own chance both."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame
from scipy.special import expit, logit, ndtri

from crmkit._clv.fitting.fit import Fit
from crmkit._clv.prediction.scoring import Known, blocks, with_known
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import CrmkitWarning
from crmkit.models.inference.covariates import groups
from crmkit.models.predictive.amounts import PossibleAmounts
from crmkit.models.predictive.purchases import PossiblePurchases, possible_purchases
from crmkit.models.predictive.sigma_points import Point, likely_points, n_directions, without_error
from crmkit.models.protocol import PurchaseModel, SpendModel

SPEND_DAYS: Final = "crmkit_spend_days"
OWN_MEAN: Final = ("crmkit_own_mean_lower", "crmkit_own_mean_upper")
AMOUNT: Final = ("crmkit_amount_lower", "crmkit_amount_upper")
"""In units of the customer's expected spend."""

_SURELY: Final = 1 - 1e-16
_HARDLY: Final = 1e-300


class Likely(NamedTuple):
    """What the data leave possible of both fits: equally likely, in pairs."""

    purchases: list[tuple[Point[PurchaseModel], Point[PurchaseModel]]]
    spend: list[tuple[Point[SpendModel], Point[SpendModel]]]

    def models(self, known: Known) -> list[PurchaseModel]:
        """Give the purchase models of some customers."""
        return [known.own(*point) for pair in self.purchases for point in pair]

    def lifts(self, known: Known) -> Floats:
        """Tell by how much the log of what one spends is higher than at the estimates.

        A row for each customer and a column for each spend model; one row where all are alike.
        """
        if not known.fit.covariates:
            return np.zeros((1, 2 * len(self.spend)))
        estimate = np.array(known.fit.likelihood.coefficients)
        points = [point for pair in self.spend for point in pair]
        moves = [sum(known.effects(one.coefficients - estimate).values()) for one in points]
        return np.stack(moves, axis=1)


def likely(purchases: Fit, spend: Fit | None) -> Likely:
    """Take the fits apart into points that stand for their uncertainty."""
    fits = [purchases] if spend is None else [purchases, spend]
    for fitted in fits:
        _warn_of_gaps(fitted)
    order = n_directions(*(fitted.likelihood for fitted in fits))
    of_spend = [] if spend is None else likely_points(spend.likelihood, order=order)
    return Likely(likely_points(purchases.likelihood, order=order), of_spend)


def with_bounds(
    frame: frames.Frame,
    *,
    like: IntoFrame,
    purchases: Fit,
    spend: Fit | None,
    horizon_days: float,
    interval: float,
) -> frames.Frame:
    """Append the bounds of `p_alive` and `expected_purchases`, and those of money in units.

    With `spend`, the table must hold `SPEND_DAYS`.
    """
    points = likely(purchases, spend)
    fits = [purchases] if spend is None else [purchases, spend]
    amounts = possible_amounts(points, spend)
    levels = (1 - interval) / 2, (1 + interval) / 2

    def bounds(known: Sequence[Known], **columns: Floats) -> dict[str, Floats]:
        names = ("frequency", "recency", "T", SPEND_DAYS if spend is not None else "frequency")
        history = np.stack([columns[name] for name in names], axis=1)
        first, of_row = groups(np.concatenate([history, *(each.rows for each in known)], axis=1))
        found: dict[str, Floats] = {}
        for rows in blocks(history[first, 0]):
            here = _bounds(
                points,
                amounts,
                [each.at(first[rows]) for each in known],
                history=history[first[rows]].T,
                horizon_days=horizon_days,
                levels=levels,
            )
            for name, values in here.items():
                found.setdefault(name, np.empty(len(first)))[rows] = values
        return {name: values[of_row] for name, values in found.items()}

    inputs = ["frequency", "recency", "T", *([SPEND_DAYS] if spend is not None else [])]
    return with_known(frame, like=like, fits=fits, inputs=inputs, compute=bounds)


def possible_amounts(points: Likely, spend: Fit | None) -> PossibleAmounts | None:
    """Say what money is possible, for the customer whose covariates are 0."""
    if spend is None:
        return None
    return PossibleAmounts(spend.model, [(a.model, b.model) for a, b in points.spend])


def _bounds(
    points: Likely,
    amounts: PossibleAmounts | None,
    known: Sequence[Known],
    *,
    history: Floats,
    horizon_days: float,
    levels: tuple[float, float],
) -> dict[str, Floats]:
    """Bound what is to be told of some customers, no two of whom are alike."""
    x, t_x, T, days = history
    models = points.models(known[0])
    found = _alive_bounds(known[0].model, models, (x, t_x, T), levels)
    _, kind = groups(np.concatenate([each.rows for each in known], axis=1))
    lifts = points.lifts(known[-1]) if amounts is not None else np.zeros((1, 0))
    return found | _chance_bounds(
        possible_purchases(
            models,
            x,
            t_x,
            T,
            days=days,
            kind=kind,
            horizon_days=horizon_days,
            tail=levels[0] / 20,
        ),
        amounts,
        days,
        np.broadcast_to(lifts, (len(days), lifts.shape[1])),
        levels,
    )


def _warn_of_gaps(fitted: Fit) -> None:
    names = without_error(fitted.likelihood)
    if names:
        msg = (
            f"{fitted.name}: the data leave {frames.quoted(names)} open, so the interval takes "
            "the estimate for the truth there and is too narrow.\nSee `Fit.diagnostics`."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=5)


def _alive_bounds(
    estimate: PurchaseModel,
    models: Sequence[PurchaseModel],
    history: tuple[Floats, Floats, Floats],
    levels: tuple[float, float],
) -> dict[str, Floats]:
    """Bound the probability of being alive by the normal distribution of its log odds."""
    at_estimate = estimate.probability_alive(*history)
    centre = _log_odds(at_estimate)
    squares = np.zeros_like(centre)
    for model in models:
        squares += (_log_odds(model.probability_alive(*history)) - centre) ** 2
    reach = float(ndtri(levels[1])) * np.sqrt(squares / len(models))
    certain = at_estimate >= _SURELY
    return {
        "p_alive_lower": np.where(certain, at_estimate, expit(centre - reach)),
        "p_alive_upper": np.where(certain, at_estimate, expit(centre + reach)),
    }


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _HARDLY, _SURELY))
    return odds


def _chance_bounds(
    possible: Iterable[PossiblePurchases],
    amounts: PossibleAmounts | None,
    days: Floats,
    lifts: Floats,
    levels: tuple[float, float],
) -> dict[str, Floats]:
    """Bound what the customers will do: buy, and spend."""
    names = ["expected_purchases_lower", "expected_purchases_upper"]
    names += [] if amounts is None else AMOUNT
    found = {name: np.empty(len(days)) for name in names}
    for block in possible:
        quantiles = [block.quantile(level) for level in levels]
        if amounts is not None:
            quantiles += amounts.quantiles(block, levels, lifts=lifts[block.first])
        for name, values in zip(names, quantiles, strict=True):
            found[name][block.rows] = values
    if amounts is not None:
        alike, of_row = groups(np.concatenate([days[:, np.newaxis], lifts], axis=1))
        for name, level in zip(OWN_MEAN, levels, strict=True):
            bound = amounts.mean_quantile(days[alike], level, lifts=lifts[alike])
            found[name] = bound[of_row]
    return found


def spend_days() -> nw.Expr:
    """Count the purchase days whose spend can be gone by; 0 for one without any."""
    usable = (nw.col("frequency") > 0) & (nw.col("monetary_value") > 0)
    return nw.when(usable).then(nw.col("frequency")).otherwise(nw.lit(0))
