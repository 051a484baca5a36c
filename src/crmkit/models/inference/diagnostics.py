"""What a reader of estimates must know of the search that found them, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from crmkit.models.numerics.arrays import Flags, Floats

FAR = 5.0
"""A parameter that nothing holds has run away if its log moved by more than this."""


class Limit(NamedTuple):
    """What it means when parameters run to the edge of a model's domain."""

    runs: AbstractSet[str]
    """Each a parameter and where it goes, such as "a up" or "b down"."""

    meaning: str
    """A sentence in the words of the business, and the simpler model to try."""


def diagnose(
    names: tuple[str, ...],
    *,
    stopped: bool,
    drift: Floats,
    untold: Flags,
    limits: Sequence[Limit],
) -> tuple[str, ...]:
    """Say what the estimates of a search are not; `drift` is how far each log parameter ran."""
    found = []
    grow = [name for name, far in zip(names, drift, strict=True) if far > FAR]
    shrink = [name for name, far in zip(names, drift, strict=True) if far < -FAR]
    if stopped and not (grow or shrink):
        found.append("The search stopped before it reached a maximum; trust no estimate.")
    if grow or shrink:
        runs = {f"{name} up" for name in grow} | {f"{name} down" for name in shrink}
        meanings = _meanings(runs, limits)
        found.append(
            " ".join([f"The likelihood has no maximum: {_path(grow, shrink)}.", *meanings])
        )
    elif untold.any():
        hidden = [name for name, out in zip(names, untold, strict=True) if out]
        found.append(
            f"The data hardly tell {_listed(hidden)}: values many times larger or smaller "
            "fit about as well."
        )
    return tuple(found)


def _path(grow: list[str], shrink: list[str]) -> str:
    """Say who grows and who shrinks."""
    up = f"{_listed(grow)} grow{'s' if len(grow) == 1 else ''} without end"
    down = f"{_listed(shrink)} shrink{'s' if len(shrink) == 1 else ''} to nothing"
    return " while ".join(part for part, names in ((up, grow), (down, shrink)) if names)


def _listed(names: list[str]) -> str:
    """Join names as a sentence does."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _meanings(runs: set[str], limits: Sequence[Limit]) -> list[str]:
    """Explain each parameter that runs once, by the first limit that covers it."""
    said = []
    for limit in limits:
        if limit.runs <= runs:
            said.append(limit.meaning)
            runs = runs - limit.runs
    return list(dict.fromkeys(said))
