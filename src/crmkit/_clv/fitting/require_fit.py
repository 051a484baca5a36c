"""Whether a fit is one, and of a kind that answers what is asked."""

from __future__ import annotations

from collections.abc import Collection

from crmkit._clv.fitting.fit import Fit
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS


def check_kinds(purchases: Fit, spend: Fit | None = None) -> None:
    """Refuse a spend model where a purchase model is due, and the other way round."""
    check_kind(purchases, argument="purchases", models=PURCHASE_MODELS)
    if spend is not None:
        check_kind(spend, argument="spend", models=SPEND_MODELS)


def check_kind(fitted: Fit, *, argument: str, models: Collection[str]) -> None:
    """Refuse what is no fit, and a fit of none of the models."""
    require_fit(fitted, argument=argument)
    if fitted.name not in models:
        msg = (
            f"`{argument}` is a fitted {fitted.name}.\n"
            f"Fit one of {', '.join(map(repr, models))} instead."
        )
        raise InvalidArgumentError(msg)


def require_fit(fitted: object, *, argument: str, made_by: str = "crmkit.clv.fit") -> None:
    """Refuse what is no fit: a model's name, the bare model, a table."""
    if not isinstance(fitted, Fit):
        msg = f"`{argument}` must be a fit, got {shown(fitted)}.\nMake one with {made_by}()."
        raise InvalidArgumentError(msg)
