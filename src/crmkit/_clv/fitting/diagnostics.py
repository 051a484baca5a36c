"""What a fit does not tell, though its search found a maximum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from crmkit._door.frames import Floats
from crmkit.models import NBD
from crmkit.models.inference.newton import MaximumLikelihood

_FEW: Final = 10
"""Fewer than so many customers say next to nothing of how customers differ."""

_WIDE: Final = 1.0
"""A standard error of a log above this leaves a factor of 5 either way with 90 % confidence."""

_NO_GAIN: Final = 2.0
"""By so much at least a model that lets customers leave should be likelier."""

_OF_BUYING: Final = ("r", "alpha")
_SIMPLER: Final = "the NBD, without leaving"


def of_purchases(
    found: MaximumLikelihood[Any], columns: Sequence[Floats], weights: Floats
) -> MaximumLikelihood[Any]:
    """Add to the diagnostics of a purchase model what its likelihood alone does not show."""
    again = round(float(weights[columns[0] > 0].sum()))
    notes = []
    if again < _FEW:
        notes.append(_few(again, found.n_customers, "bought again"))
    if _leaving_is_vague(found) and not any(_SIMPLER in note for note in found.diagnostics):
        gain = found.log_likelihood - NBD.fit(*columns, weights=weights).log_likelihood
        if gain < _NO_GAIN:
            notes.append(
                f"Hardly anybody seems to leave: {_SIMPLER}, is as likely up to "
                f"{max(gain, 0.0):.2f} in log-likelihood, and would do."
            )
    return replace(found, diagnostics=(*found.diagnostics, *notes))


def of_spend(found: MaximumLikelihood[Any]) -> MaximumLikelihood[Any]:
    """Add to the diagnostics of a spend model how few customers it has seen."""
    if found.n_customers >= _FEW:
        return found
    note = _few(found.n_customers, None, "bought again")
    return replace(found, diagnostics=(*found.diagnostics, note))


def of_contracts(found: MaximumLikelihood[Any], n_lost: float) -> MaximumLikelihood[Any]:
    """Add to the diagnostics of a retention model how few contracts ended."""
    if n_lost >= _FEW:
        return found
    note = _few(round(n_lost), found.n_customers, "left")
    return replace(found, diagnostics=(*found.diagnostics, note))


def _leaving_is_vague(found: MaximumLikelihood[Any]) -> bool:
    """Tell whether the data leave a parameter of leaving open, or within a wide factor only.

    Where more than leaving sets a model apart from the NBD, that would prove nothing.
    """
    if found.coefficients or getattr(found.model, "k", 1) > 1:
        return False
    errors = zip(found.names, found.standard_errors_log, strict=True)
    return any(error is None or error > _WIDE for name, error in errors if name not in _OF_BUYING)


def _few(n: int, of: int | None, did: str) -> str:
    share = "" if of is None else f" of {of:,}"
    return (
        f"Only {n}{share} customers {did}, which tells next to nothing of how customers differ. "
        "Observe them for longer."
    )
