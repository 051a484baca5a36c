"""Diagnostics of a maximum-likelihood search, as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from crmkit.models.numerics.arrays import Flags, Floats

FAR = 5.0
"""An unidentified parameter has diverged if its log moved by more than this."""


STOPPED = "The search stopped before it reached a maximum; do not trust the estimates."
"""The one diagnostic that speaks against a fit as such."""


class Limit(NamedTuple):
    """Meaning of parameters that diverge to the edge of a model's domain."""

    directions: AbstractSet[str]
    """Each a parameter and its direction, such as "a up" or "b down"."""

    meaning: str
    """A sentence in business terms, with the simpler model to try."""


def diagnose(
    names: tuple[str, ...],
    *,
    stopped: bool,
    drift: Floats,
    unidentified: Flags,
    limits: Sequence[Limit],
) -> tuple[str, ...]:
    """List the problems of a search; `drift` is how far each log parameter moved."""
    found = []
    grow = [name for name, far in zip(names, drift, strict=True) if far > FAR]
    shrink = [name for name, far in zip(names, drift, strict=True) if far < -FAR]
    if stopped and not (grow or shrink):
        found.append(STOPPED)
    if grow or shrink:
        directions = {f"{name} up" for name in grow} | {f"{name} down" for name in shrink}
        meanings = _meanings(directions, limits)
        found.append(
            " ".join([f"The likelihood has no maximum: {_path(grow, shrink)}.", *meanings])
        )
    elif unidentified.any():
        hidden = [name for name, out in zip(names, unidentified, strict=True) if out]
        found.append(
            f"The data do not identify {_listed(hidden)}: values many times larger or smaller "
            "fit about as well."
        )
    return tuple(found)


def _path(grow: list[str], shrink: list[str]) -> str:
    """Describe which parameters grow and which shrink."""
    up = f"{_listed(grow)} grow{'s' if len(grow) == 1 else ''} without bound"
    down = f"{_listed(shrink)} shrink{'s' if len(shrink) == 1 else ''} to 0"
    return " while ".join(part for part, names in ((up, grow), (down, shrink)) if names)


def _listed(names: list[str]) -> str:
    """Join names with commas and "and"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _meanings(directions: set[str], limits: Sequence[Limit]) -> list[str]:
    """Explain each diverging parameter once, by the first limit that covers it."""
    said = []
    for limit in limits:
        if limit.directions <= directions:
            said.append(limit.meaning)
            directions = directions - limit.directions
    return list(dict.fromkeys(said))
