"""Whether an argument is a fit, and of a model that can answer the question."""

from __future__ import annotations

from collections.abc import Collection

from crmkit._clv.fitting.fitted import Fit
from crmkit._words.arguments import listed, require_fitted
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS


def require_purchases(purchases: Fit, spend: Fit | None = None) -> None:
    """Require a fitted purchase model, and a fitted spend model where there is one."""
    require_fit_of(purchases, argument="purchases", models=PURCHASE_MODELS)
    if spend is not None:
        require_fit_of(spend, argument="spend", models=SPEND_MODELS)


def require_fit_of(fitted: Fit, *, argument: str, models: Collection[str]) -> None:
    """Require a fit of one of these models."""
    require_fitted(fitted, Fit, argument=argument, made_by="crmkit.clv.fit")
    if fitted.name not in models:
        msg = f"`{argument}` is a fitted {fitted.name}.\nFit one of {listed(models)} instead."
        raise InvalidArgumentError(msg)
