"""Between which bounds a prediction will come true: parameters and own chance both."""

from __future__ import annotations

import warnings
from typing import Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame
from scipy.special import expit, logit, ndtri

from crmkit import _frames
from crmkit._frames import Floats
from crmkit.clv.fits import Fit
from crmkit.clv.own_models import require_no_covariates
from crmkit.errors import CrmkitWarning
from crmkit.models.amounts_possible import PossibleAmounts
from crmkit.models.arrays import Codes
from crmkit.models.cubature import likely_models, n_directions, without_error
from crmkit.models.distinct import distinct_pairs
from crmkit.models.protocol import PurchaseModel, SpendModel
from crmkit.models.purchases_possible import possible_purchases

SPEND_DAYS: Final = "crmkit_spend_days"
OWN_MEAN: Final = ("crmkit_own_mean_lower", "crmkit_own_mean_upper")
AMOUNT: Final = ("crmkit_amount_lower", "crmkit_amount_upper")
"""In units of the customer's expected spend."""

_SURELY: Final = 1 - 1e-16
_HARDLY: Final = 1e-300


class Likely(NamedTuple):
    """The models that the data leave possible: equally likely, in pairs."""

    estimate: PurchaseModel
    purchases: list[PurchaseModel]
    spend: list[tuple[SpendModel, SpendModel]]


def likely(purchases: Fit, spend: Fit | None) -> Likely:
    """Take the fits apart into models that stand for their uncertainty."""
    fits = [purchases] if spend is None else [purchases, spend]
    for fitted, argument in zip(fits, ("purchases", "spend"), strict=False):
        require_no_covariates(fitted, argument=argument, where="bounds know")
        _warn_of_gaps(fitted)
    order = n_directions(*(fitted.likelihood for fitted in fits))
    of_purchases = likely_models(purchases.likelihood, order=order)
    of_spend = [] if spend is None else likely_models(spend.likelihood, order=order)
    return Likely(purchases.model, [model for pair in of_purchases for model in pair], of_spend)


def with_bounds(
    frame: _frames.Frame,
    *,
    like: IntoFrame,
    purchases: Fit,
    spend: Fit | None,
    horizon_days: float,
    interval: float,
) -> _frames.Frame:
    """Append the bounds of `p_alive` and `expected_purchases`, and those of money in units.

    With `spend`, the table must hold `SPEND_DAYS`.
    """
    models = likely(purchases, spend)
    amounts = PossibleAmounts(spend.model, models.spend) if spend is not None else None
    levels = (1 - interval) / 2, (1 + interval) / 2

    def bounds(**columns: Floats) -> dict[str, Floats]:
        x, t_x, T = (columns[name] for name in ("frequency", "recency", "T"))
        days = columns.get(SPEND_DAYS, x)
        history, of_row = _distinct_histories(x, t_x, T, days)
        found = _alive_bounds(models, history[:3], interval)
        found |= _chance_bounds(models, amounts, history, horizon_days, levels)
        return {name: values[of_row] for name, values in found.items()}

    inputs = ["frequency", "recency", "T", *([SPEND_DAYS] if spend is not None else [])]
    return _frames.with_computed(frame, like=like, inputs=inputs, compute=bounds)


def _warn_of_gaps(fitted: Fit) -> None:
    names = without_error(fitted.likelihood)
    if names:
        msg = (
            f"{fitted.name}: the data leave {_frames.quoted(names)} open, so the interval takes "
            "the estimate for the truth there and is too narrow.\nSee `Fit.diagnostics`."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=5)


def _distinct_histories(
    x: Floats, t_x: Floats, T: Floats, days: Floats
) -> tuple[tuple[Floats, Floats, Floats, Floats], Codes]:
    """Give the distinct rows, a column each, and for each row the position of its own."""
    coded, ages, of_pair = distinct_pairs(2 * x + (days > 0), T)
    pairs, lasts, of_row = distinct_pairs(of_pair.astype(np.float64), t_x)
    which = pairs.astype(np.int64)
    counts, known = np.divmod(coded[which], 2)
    return (counts, lasts, ages[which], counts * known), of_row


def _alive_bounds(
    models: Likely, history: tuple[Floats, Floats, Floats], interval: float
) -> dict[str, Floats]:
    """Bound the probability of being alive by the normal distribution of its log odds."""
    at_estimate = models.estimate.probability_alive(*history)
    centre = _log_odds(at_estimate)
    squares = np.zeros_like(centre)
    for model in models.purchases:
        squares += (_log_odds(model.probability_alive(*history)) - centre) ** 2
    reach = float(ndtri((1 + interval) / 2)) * np.sqrt(squares / len(models.purchases))
    certain = at_estimate >= _SURELY
    return {
        "p_alive_lower": np.where(certain, at_estimate, expit(centre - reach)),
        "p_alive_upper": np.where(certain, at_estimate, expit(centre + reach)),
    }


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _HARDLY, _SURELY))
    return odds


def _chance_bounds(
    models: Likely,
    amounts: PossibleAmounts | None,
    history: tuple[Floats, Floats, Floats, Floats],
    horizon_days: float,
    levels: tuple[float, float],
) -> dict[str, Floats]:
    """Bound what the customers will do: buy, and spend."""
    *seen, days = history
    names = ["expected_purchases_lower", "expected_purchases_upper"]
    names += [] if amounts is None else AMOUNT
    found = {name: np.empty(len(days)) for name in names}
    blocks = possible_purchases(
        models.purchases, *seen, days=days, horizon_days=horizon_days, tail=levels[0] / 20
    )
    for block in blocks:
        quantiles = [block.quantile(level) for level in levels]
        quantiles += [] if amounts is None else amounts.quantiles(block, levels)
        for name, values in zip(names, quantiles, strict=True):
            found[name][block.rows] = values
    if amounts is not None:
        counts = np.unique(days)
        for name, level in zip(OWN_MEAN, levels, strict=True):
            found[name] = amounts.mean_quantile(counts, level)[np.searchsorted(counts, days)]
    return found


def spend_days() -> nw.Expr:
    """Count the purchase days whose spend can be gone by; 0 for one without any."""
    usable = (nw.col("frequency") > 0) & (nw.col("monetary_value") > 0)
    return nw.when(usable).then(nw.col("frequency")).otherwise(nw.lit(0))
