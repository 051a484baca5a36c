"""Diagnostics that need the data: too few repeat customers, or no sign of dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from crmkit._door.frames import Floats
from crmkit.models import NBD
from crmkit.models.inference.newton import MaximumLikelihood

_FEW: Final = 10
"""Fewer customers than this hardly identify how customers differ."""

_WIDE: Final = 1.0
"""A standard error of a log above this leaves a factor of 5 either way with 90 % confidence."""

_NO_GAIN: Final = 2.0
"""A model with dropout should gain at least this much log-likelihood over the NBD."""

_PARTS: Final = 4
_FAR: Final = 2.5
"""Real logs, growing and shrinking, had ratios of 0.8 to 1.4 with each of the models."""

_LEAST_BUYERS: Final = 30

_PURCHASE_PARAMETERS: Final = ("r", "alpha")
_SIMPLER: Final = "the NBD"


def with_purchase_diagnostics(
    found: MaximumLikelihood[Any], columns: Sequence[Floats], weights: Floats
) -> MaximumLikelihood[Any]:
    """Add to a purchase model's diagnostics what its likelihood alone does not show."""
    n_repeat = round(float(weights[columns[0] > 0].sum()))
    notes = []
    if n_repeat < _FEW:
        notes.append(_few(n_repeat, found.n_customers, "bought again"))
    if _dropout_is_vague(found) and not any(_SIMPLER in note for note in found.diagnostics):
        gain = found.log_likelihood - NBD.fit(*columns, weights=weights).log_likelihood
        if gain < _NO_GAIN:
            notes.append(
                f"The data show hardly any dropout: the model gains {max(gain, 0.0):.2f} in "
                f"log-likelihood over {_SIMPLER}, without dropout, which would do."
            )
    if (far := _far_from_recent(found, columns, weights)) is not None:
        notes.append(far)
    return replace(found, diagnostics=(*found.diagnostics, *notes))


def with_spend_diagnostics(found: MaximumLikelihood[Any]) -> MaximumLikelihood[Any]:
    """Add to a spend model's diagnostics that few customers have repeat spend."""
    if found.n_customers >= _FEW:
        return found
    note = _few(found.n_customers, None, "bought again")
    return replace(found, diagnostics=(*found.diagnostics, note))


def with_contract_diagnostics(
    found: MaximumLikelihood[Any], n_lost: float
) -> MaximumLikelihood[Any]:
    """Add to a retention model's diagnostics that few contracts ended."""
    if n_lost >= _FEW:
        return found
    note = _few(round(n_lost), found.n_customers, "left")
    return replace(found, diagnostics=(*found.diagnostics, note))


def _dropout_is_vague(found: MaximumLikelihood[Any]) -> bool:
    """Whether a dropout parameter is not identified, or only within a wide factor.

    Where a model differs from the NBD in more than dropout, that would prove nothing.
    """
    if found.coefficients or getattr(found.model, "k", 1) > 1:
        return False
    errors = zip(found.names, found.standard_errors_log, strict=True)
    dropout = (error for name, error in errors if name not in _PURCHASE_PARAMETERS)
    return any(error is None or error > _WIDE for error in dropout)


def _far_from_recent(
    found: MaximumLikelihood[Any], columns: Sequence[Floats], weights: Floats
) -> str | None:
    """Say that the forecast is far from the recent past, if it is.

    Customers who bought in the last quarter of the history are compared with those expected to
    buy in a stretch as long ahead. A log that shrinks or grows moves the two apart by a little;
    a fit that went astray by a lot.
    """
    x, t_x, T = columns
    days = int(T.max(initial=0.0)) // _PARTS
    if days < 1 or found.coefficients:  # with covariates each customer has a model of its own
        return None
    seen = days <= T
    bought = float(weights @ (seen & (x > 0) & (T - t_x < days)))
    if not seen.any():
        return None
    chances = found.model.purchase_distribution(
        x[seen], t_x[seen], T[seen], horizon_days=float(days), most=0
    )
    expected = float(weights[seen] @ (1 - chances[:, 0]))
    low, high = sorted((bought, expected))
    if high < _LEAST_BUYERS or low * _FAR >= high:
        return None
    return (
        f"The forecast is far from the recent past: {round(expected):,} customers expected to buy "
        f"in the next {days:,} days, where {round(bought):,} did in the last {days:,}. "
        "Test it on held-out days before use."
    )


def _few(n: int, of: int | None, did: str) -> str:
    share = "" if of is None else f" of {of:,}"
    return (
        f"Only {n}{share} customers {did}, too few to estimate how customers differ. "
        "Observe them for longer."
    )
