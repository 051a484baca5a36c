"""What the user says of a tier rule: names, cuts, weights and groups."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args

from crmkit._tiers.tier_rule import Method
from crmkit._words.arguments import (
    is_number,
    require_choice,
    require_column_name,
    require_list,
    require_numbers,
    shown,
)
from crmkit.errors import InvalidArgumentError

_EXAMPLES: Final = {
    "thresholds": "(500, 100)",
    "customer_share": "(0.05, 0.20)",
    "value_share": "(0.75, 0.95)",
}
"""How to write the cuts of the methods that take them."""
_FEWEST_TIERS: Final = 2
_USUAL: Final = "total_amount"
"""The measure where none is named."""
SHARE_TOLERANCE: Final = 1e-9
"""Sums of floats miss a round share such as 0.75 by a hair; this is well above the hair."""


def checked_cuts(
    cuts: Sequence[float] | Mapping[str, Sequence[float]] | None,
    *,
    method: str,
    n_tiers: int | None = None,
) -> tuple[float, ...]:
    """Require cuts that suit the method and the number of tiers, if one is given."""
    require_choice(method, get_args(Method), argument="method")
    if method not in _EXAMPLES:
        if cuts is not None:
            msg = f"Method {method!r} finds the cuts; got `cuts` {shown(cuts)}.\nLeave `cuts` out."
            raise InvalidArgumentError(msg)
        return ()
    example = _EXAMPLES[method]
    left_out = cuts is None and n_tiers is not None
    given = () if left_out else require_numbers(cuts, argument="cuts", example=example)
    if n_tiers is not None and len(given) != n_tiers - 1:
        msg = (
            f"{n_tiers} tiers need {n_tiers - 1} `cuts` with method {method!r}, "
            f"got {shown(cuts)}.\n"
            "Give the cut below each tier but the last, best tier first."
        )
        raise InvalidArgumentError(msg)
    ordered = given if method == "thresholds" else given[::-1]
    falling = all(a > b for a, b in itertools.pairwise(ordered))
    in_range = all(map(math.isfinite, given)) and (
        method == "thresholds" or all(SHARE_TOLERANCE < cut < 1 for cut in given)
    )
    if not (falling and in_range):
        kind = (
            "values in falling order"
            if method == "thresholds"
            else "shares between 0 and 1 in rising order"
        )
        msg = (
            f"`cuts` of method {method!r} must be {kind}, got {shown(cuts)}.\n"
            f"Begin with the best tier, as in {example}."
        )
        raise InvalidArgumentError(msg)
    return given


def checked_measure_cuts(cuts: object, *, by: object, n_tiers: int) -> dict[str, tuple[float, ...]]:
    """Require a list of cuts for each measure, from the best tier down, for "all_thresholds"."""
    example = '{"assets": (500, 100), "fees": (20, 5)}'
    if not isinstance(cuts, Mapping) or not cuts:
        msg = (
            "Method 'all_thresholds' needs `cuts` for each measure, "
            f"got {shown(cuts)}.\nWrite {example}."
        )
        raise InvalidArgumentError(msg)
    named = set(by) if isinstance(by, Mapping) else {by}
    if named - set(cuts) and by != _USUAL:
        msg = (
            f"Method 'all_thresholds' takes its measures from `cuts`, got `by` {shown(by)}.\n"
            "Leave `by` out."
        )
        raise InvalidArgumentError(msg)
    given = {}
    for name, each in cuts.items():
        require_column_name(name, argument="cuts")
        given[name] = require_numbers(each, argument="cuts", example=example)
    falling = all(a >= b for each in given.values() for a, b in itertools.pairwise(each))
    steps = (all(a == b for a, b in zip(*pair, strict=True)) for pair in _neighbours(given))
    finite = all(math.isfinite(cut) for each in given.values() for cut in each)
    fits = all(len(each) == n_tiers - 1 for each in given.values())
    if not (fits and finite and falling) or any(steps):
        msg = (
            f"`cuts` of method 'all_thresholds' must be {n_tiers - 1} for each measure, for "
            f"{n_tiers} tiers, in falling order, and each tier must differ from the next in one of "
            f"them; got {shown(cuts)}.\nBegin with the best tier, as in {example}."
        )
        raise InvalidArgumentError(msg)
    return given


def _neighbours(given: Mapping[str, tuple[float, ...]]) -> Iterable[tuple[Any, Any]]:
    """Pair the cuts of each tier, one for each measure, with those of the next."""
    return itertools.pairwise(zip(*given.values(), strict=False))


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """Require two or more different names."""
    require_list(names, argument="names", example='("diamond", "gold", "silver")')
    given = tuple(names)
    are_names = all(isinstance(name, str) and name for name in given)
    if not are_names or len(given) < _FEWEST_TIERS or len(set(given)) < len(given):
        msg = (
            f"`names` must be two or more different names as text, got {shown(names)}.\n"
            "Begin with the best tier."
        )
        raise InvalidArgumentError(msg)
    return given


def checked_weights(by: str | Mapping[str, float]) -> dict[str, float]:
    """Require a measure, or several with weights above 0."""
    if not isinstance(by, Mapping):
        require_column_name(by, argument="by")
        return {by: 1.0}
    if not by or not all(is_number(each) and 0 < each < math.inf for each in by.values()):
        msg = (
            f"`by` must give each measure a weight above 0, got {shown(by)}.\n"
            "Leave out measures that should not count."
        )
        raise InvalidArgumentError(msg)
    for name in by:
        require_column_name(name, argument="by")
    return {name: float(weight) for name, weight in by.items()}


def checked_within(within: str | Sequence[str]) -> tuple[str, ...]:
    """Require one or several different columns."""
    if isinstance(within, str):
        return (within,)
    names = require_list(within, argument="within", example='["region", "type"]')
    if not names or len(set(map(repr, names))) < len(names):
        msg = f"`within` must name one or several different columns, got {shown(within)}."
        raise InvalidArgumentError(msg)
    for name in names:
        require_column_name(name, argument="within")
    return names
