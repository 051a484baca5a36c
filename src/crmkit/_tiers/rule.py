"""Where one tier ends and the next begins: a rule that is fitted once and kept."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self, TypeAlias, get_args

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics import class_breaks
from crmkit.tables import customers_with

Method: TypeAlias = Literal[
    "thresholds", "customer_share", "value_share", "quantile", "natural", "head_tail"
]
Floats: TypeAlias = npt.NDArray[np.float64]

_CUTS_BY_HAND: Final = ("thresholds", "customer_share", "value_share")
_FEWEST_TIERS: Final = 2
_SHARE_TOLERANCE: Final = 1e-9
"""Sums of floats miss a round share such as 0.75 by a hair; this is well above the hair."""


@dataclass(frozen=True, slots=True)
class TierRule:
    """What a customer must reach to be in a tier; made by `rule`, used by `assign`.

    Attributes
    ----------
    names
        The tiers, best first.
    cuts
        The least value of each tier but the last, best first.
    measures
        The columns that the value is made of.
    weights
        The weight of each measure, above zero.
    scales
        What each measure is divided by: 1 for a single measure, else its mean when fitted.
    method
        How the cuts were found.
    """

    names: tuple[str, ...]
    cuts: tuple[float, ...]
    measures: tuple[str, ...]
    weights: tuple[float, ...]
    scales: tuple[float, ...]
    method: Method

    def __post_init__(self) -> None:
        """Refuse a rule that cannot be applied."""
        falling = all(a >= b for a, b in itertools.pairwise(self.cuts))
        positive = all(0 < number < math.inf for number in (*self.weights, *self.scales))
        lengths = {len(self.measures), len(self.weights), len(self.scales)}
        sound = (
            len(set(self.names)) == len(self.names) == len(self.cuts) + 1
            and len(lengths) == 1
            and all(map(math.isfinite, self.cuts))
        )
        if not (falling and positive and sound and self.measures):
            msg = (
                "A tier rule has distinct names, one falling cut fewer than names, and a positive "
                f"weight and scale for each measure; got {self}.\nMake it with crmkit.tiers.rule()."
            )
            raise InvalidArgumentError(msg)

    def to_json(self) -> str:
        """Write the rule as text, to be kept."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a rule that `to_json` wrote."""
        try:
            kept = json.loads(text)
            lists = {f.name: tuple(kept[f.name]) for f in fields(cls) if f.name != "method"}
            return cls(**lists, method=kept["method"])
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            msg = (
                f"This text is no tier rule: {error!r}.\nGive what TierRule.to_json() has written."
            )
            raise InvalidArgumentError(msg) from None


def rule(
    customers: IntoFrame,
    *,
    method: Method,
    by: str | Mapping[str, float] = "total_amount",
    names: Sequence[str] = ("diamond", "gold", "silver"),
    cuts: Sequence[float] | None = None,
) -> TierRule:
    """Find the value at which each tier begins.

    Tiers are by value, not by number of orders, and the rule is kept, so that gold means the
    same next month. The assumption that most often fails is that the past value of a customer
    is the value to come; tier by predicted value where there is one.

    Parameters
    ----------
    customers
        One row per customer, such as `crmkit.rfm.summarize` makes. A lazy table is run, to
        collect its distinct values.
    method
        How to cut; "the best" are those with the highest value.

        ==================  =================================================================
        ``thresholds``      `cuts` are values, falling: (10000, 1000)
        ``customer_share``  `cuts` are shares of the customers, the best first, each with all
                            before it: (0.05, 0.20) is the best 5 %, the next 15 %, the rest
        ``value_share``     `cuts` are shares of the total value, likewise: (0.75, 0.95)
        ``quantile``        tiers of equally many customers, cut at type-7 quantiles; no `cuts`
        ``natural``         tiers that differ least within themselves (Fisher-Jenks); no `cuts`
        ``head_tail``       cut at the mean, and those above it at their mean; no `cuts`
        ==================  =================================================================
    by
        The measure of value, or several with their weights: ``{"total_amount": 0.7,
        "orders": 0.3}``. Several are each divided by their mean and averaged by weight, so the
        value has no unit and is 1 for the average customer.
    names
        The tiers, best first.
    cuts
        One fewer than `names`, best first.

    Returns
    -------
    A `TierRule`, for `assign`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure, or it is not finite.
    InvalidArgumentError
        If `cuts`, `names` or weights do not fit together or are out of range.
    FitError
        If no customer has a value, a total is not above zero where shares or scales are taken
        of it, or there are fewer distinct values than natural classes.

    Notes
    -----
    A value at a cut is in the better tier, and equal values are always in one tier; sums of
    money that differ by rounding only (a part in 10^12) count as equal to the cut. So the
    customer who crosses a share is in the better tier, with all who are equal: a tier and those
    above it hold at least their share. Where many are equal a tier may take them all.

    A null (or NaN) is unknown and counts nowhere. In tiers by share, values below zero are
    always in the last tier, and they lower the total of `value_share`.

    References
    ----------
    Fisher, W. D. (1958). On grouping for maximum homogeneity. *Journal of the American
    Statistical Association* 53(284), 789-798.

    Jiang, B. (2013). Head/tail breaks. *The Professional Geographer* 65(3), 482-494.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee", "eve"],
    ...         "total_amount": [900.0, 40.0, 300.0, 40.0, 20.0],
    ...     }
    ... )
    >>> tiers = rule(customers, method="customer_share", cuts=(0.20, 0.50))
    >>> tiers.names, tiers.cuts
    (('diamond', 'gold', 'silver'), (900.0, 40.0))
    >>> rule(customers, method="value_share", cuts=(0.75, 0.95)).cuts
    (300.0, 40.0)
    """
    names = _checked_names(names)
    weights = _checked_weights(by)
    given = checked_cuts(cuts, method=method, n_tiers=len(names))
    frame = frames.read(customers, customers_with(*weights))
    measures = tuple(weights)
    scales = _scales(frame, measures)
    if method != "thresholds":
        value = value_of(measures, tuple(weights.values()), scales)
        name = value_name(measures)
        given = _fitted(frame, value, name=name, method=method, shares=given, n_tiers=len(names))
    return TierRule(names, given, measures, tuple(weights.values()), scales, method)


def value_name(measures: Sequence[str]) -> str:
    """Name the value that is cut: the measure itself, or an index of several."""
    return measures[0] if len(measures) == 1 else "tier_value"


def value_of(measures: Sequence[str], weights: Sequence[float], scales: Sequence[float]) -> nw.Expr:
    """Weigh the measures into the value that is cut; null where one of them is unknown."""
    if len(measures) == 1:
        return frames.known(measures[0])
    whole = math.fsum(weights)
    first, *others = (
        frames.known(name) * (weight / (whole * scale))
        for name, weight, scale in zip(measures, weights, scales, strict=True)
    )
    return sum(others, first)


def distribution(
    frame: nw.LazyFrame[Any], value: nw.Expr, *, name: str
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Collect the known values, in order, and how many customers have each."""
    known_values = frame.select(value.alias(name)).filter(~nw.col(name).is_null())
    values, counts = frames.distribution(known_values, name)
    endless = ~np.isfinite(values)
    if endless.any():
        n_rows = int(counts[endless].sum())
        examples = tuple(values[endless].tolist())
        msg = (
            f"customers: `{name}` is not finite in {n_rows:,} of {counts.sum():,} rows "
            f"({name} {', '.join(map(repr, examples))}).\n"
            "Build this table with crmkit.rfm.summarize()."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=examples)
    if not values.size:
        msg = f"customers: no customer has a known `{name}`.\nGive at least one."
        raise FitError(msg)
    return values, counts


def total_above_zero(values: Floats, counts: npt.NDArray[np.int64], *, name: str) -> float:
    """Add up a measure of which shares are to be taken."""
    amounts = values * counts
    total = math.fsum(amounts)
    # What is left of a sum that cancels is rounding, not money.
    if total <= 1e-12 * math.fsum(np.abs(amounts)):
        msg = (
            f"customers: `{name}` adds up to {total:g}, and shares of that mean nothing.\n"
            "Take a measure with a total above zero, or cut by thresholds or customer_share."
        )
        raise FitError(msg)
    return total


def share_cuts(
    values: Floats, amounts: npt.NDArray[Any], shares: Sequence[float]
) -> tuple[float, ...]:
    """Find the least value of those who come before each share is full, best first."""
    best_first = amounts[::-1]
    before = (np.cumsum(best_first) - best_first) / amounts.sum()
    n_above = [int(np.count_nonzero(before < share - _SHARE_TOLERANCE)) for share in shares]
    return tuple(max(float(values[-n]), 0.0) for n in n_above)


def checked_cuts(cuts: Sequence[float] | None, *, method: str, n_tiers: int) -> tuple[float, ...]:
    """Hold the cuts that a user gave against the method and the number of tiers."""
    if method not in get_args(Method):
        msg = f"`method` must be one of {', '.join(get_args(Method))}; got {method!r}."
        raise InvalidArgumentError(msg)
    if method not in _CUTS_BY_HAND:
        if cuts is not None:
            msg = f"`cuts` are found by method {method!r}, got {cuts!r}.\nLeave them out."
            raise InvalidArgumentError(msg)
        return ()
    given = tuple(float(cut) for cut in cuts or ())
    if len(given) != n_tiers - 1:
        msg = (
            f"{n_tiers} tiers need {n_tiers - 1} `cuts` with method {method!r}, got {cuts!r}.\n"
            "Give the cut below each tier but the last, best tier first."
        )
        raise InvalidArgumentError(msg)
    ordered = given if method == "thresholds" else given[::-1]
    falling = all(a > b for a, b in itertools.pairwise(ordered))
    in_range = all(map(math.isfinite, given)) and (
        method == "thresholds" or all(_SHARE_TOLERANCE < cut < 1 for cut in given)
    )
    if not (falling and in_range):
        kind = "values that fall" if method == "thresholds" else "shares between 0 and 1 that rise"
        msg = f"`cuts` of method {method!r} must be {kind} from the best tier on, got {cuts!r}."
        raise InvalidArgumentError(msg)
    return given


def _fitted(
    frame: nw.LazyFrame[Any],
    value: nw.Expr,
    *,
    name: str,
    method: Method,
    shares: Sequence[float],
    n_tiers: int,
) -> tuple[float, ...]:
    values, counts = distribution(frame, value, name=name)
    if method == "customer_share":
        return share_cuts(values, counts, shares)
    if method == "value_share":
        total_above_zero(values, counts, name=name)
        return share_cuts(values, values * counts, shares)
    if method == "quantile":
        found = class_breaks.quantile_type7(values, counts, np.arange(1, n_tiers) / n_tiers)
    elif method == "natural":
        found = class_breaks.natural_cuts(values, counts, n=n_tiers)
    else:
        found = _head_tail_cuts(values, counts, n_tiers=n_tiers)
    return tuple(found[::-1].tolist())


def _head_tail_cuts(values: Floats, counts: npt.NDArray[np.int64], *, n_tiers: int) -> Floats:
    found = class_breaks.head_tail_cuts(values, counts)
    if found.size < n_tiers - 1:
        msg = (
            f"customers: head/tail breaks find {found.size + 1} tiers, {n_tiers} are named.\n"
            "Name fewer tiers, or cut in another way: the values have no such heavy tail."
        )
        raise FitError(msg)
    heads = found[: n_tiers - 1]
    return np.asarray(values[np.searchsorted(values, heads)])


def _scales(frame: nw.LazyFrame[Any], measures: Sequence[str]) -> tuple[float, ...]:
    """Find the mean of each measure; a single measure keeps its unit."""
    if len(measures) == 1:
        return (1.0,)
    scales = []
    for name in measures:
        values, counts = distribution(frame, frames.known(name), name=name)
        scales.append(total_above_zero(values, counts, name=name) / int(counts.sum()))
    return tuple(scales)


def _checked_names(names: Sequence[str]) -> tuple[str, ...]:
    if (
        isinstance(names, str)
        or len(names) < _FEWEST_TIERS
        or len(set(names)) < len(names)
        or not all(isinstance(name, str) and name for name in names)
    ):
        msg = f"`names` must be two or more different names, best tier first; got {names!r}."
        raise InvalidArgumentError(msg)
    return tuple(names)


def _checked_weights(by: str | Mapping[str, float]) -> dict[str, float]:
    if isinstance(by, str):
        return {by: 1.0}
    weights = {name: float(weight) for name, weight in by.items()}
    if not weights or not all(0 < weight < math.inf for weight in weights.values()):
        msg = (
            f"`by` must give each measure a weight above zero, got {by!r}.\n"
            "Leave out what should not count."
        )
        raise InvalidArgumentError(msg)
    return weights
