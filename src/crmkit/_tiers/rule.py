"""Cut points of the tiers: a rule that is fitted once and kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args, overload

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._tiers.given import (
    SHARE_TOLERANCE,
    checked_cuts,
    checked_measure_cuts,
    checked_names,
    checked_weights,
    checked_within,
)
from crmkit._tiers.tier_rule import Method, TierRule, TierRules
from crmkit._tiers.within import fit_within
from crmkit._words.arguments import require_choice
from crmkit.errors import FitError, InvalidRowsError
from crmkit.models.numerics import class_breaks
from crmkit.tables import Column, customers_with
from crmkit.tables.contracts import NOT_MADE

Floats: TypeAlias = npt.NDArray[np.float64]


@overload
def rule(
    customers: IntoFrame,
    *,
    method: Method,
    by: str | Mapping[str, float] = ...,
    names: Sequence[str] = ...,
    cuts: Sequence[float] | Mapping[str, Sequence[float]] | None = ...,
    within: None = None,
) -> TierRule: ...


@overload
def rule(
    customers: IntoFrame,
    *,
    method: Method,
    by: str | Mapping[str, float] = ...,
    names: Sequence[str] = ...,
    cuts: Sequence[float] | Mapping[str, Sequence[float]] | None = ...,
    within: str | Sequence[str],
) -> TierRules: ...


def rule(
    customers: IntoFrame,
    *,
    method: Method,
    by: str | Mapping[str, float] = "total_amount",
    names: Sequence[str] = ("diamond", "gold", "silver"),
    cuts: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    within: str | Sequence[str] | None = None,
) -> TierRule | TierRules:
    """Cut points of customer tiers by value, to keep and reuse.

    Keep the rule, so that gold means the same next month. The assumption that most often fails
    is that a customer's past value predicts future value; use predicted lifetime value (`clv`)
    if you have it.

    Parameters
    ----------
    customers
        One row per customer, such as `crmkit.rfm.summarize` makes. A lazy table is run, to
        collect its distinct values.
    method
        How to cut; the best customers are those with the highest value.

        ==================  =================================================================
        ``thresholds``      `cuts` are values, falling: (10000, 1000)
        ``all_thresholds``  `cuts` are values for each measure: a tier is reached where every
                            measure reaches its cut
        ``customer_share``  `cuts` are cumulative shares of the customers, the best first:
                            (0.05, 0.20) is the best 5 %, the next 15 %, the rest
        ``value_share``     `cuts` are cumulative shares of the total value: (0.75, 0.95)
        ``quantile``        tiers of equal size, cut at type-7 quantiles; no `cuts`
        ``natural``         tiers with the least variance within them (Fisher-Jenks natural
                            breaks); no `cuts`
        ``head_tail``       head/tail breaks: cut at the mean, then at the mean of those above
                            it; no `cuts`
        ==================  =================================================================
    by
        The measure of value, or several with their weights: ``{"total_amount": 0.7,
        "orders": 0.3}``. Several measures are each divided by their mean, and the value is
        their weighted average, so it has no unit and is 1 for the average customer.
    names
        The tiers, best first.
    cuts
        One fewer than `names`, best first. For ``all_thresholds`` a list for each measure, in
        place of `by`: ``{"assets": (10000, 1000), "fees": (50, 5)}``; two tiers may have the same
        cut in one measure.
    within
        Columns to cut within, such as region or type: each group gets cuts of its own, as if the
        others were not there. Null is a group too.

    Returns
    -------
    A `TierRule`, for `assign`; with `within` a `TierRules`. A group that cannot be cut, such as one
    without a total above 0, has no rule and a finding that says why.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure, or it is not finite.
    InvalidArgumentError
        If `method` is not among the choices, or `cuts`, `names` or weights do not fit together
        or are out of range.
    FitError
        If no customer has a value, a total that is divided by is not above 0, or there are
        fewer distinct values than natural classes.

    Notes
    -----
    A value at a cut is in the better tier, and equal values are always in one tier; sums of
    money that differ by rounding only (a part in 10^12) count as equal to the cut. So the
    customer who crosses a share is in the better tier, with all of equal value: a tier and the
    tiers above it hold at least their share. A tier may be larger where many values are equal.

    A null (or NaN) is unknown and not counted; with ``all_thresholds`` a customer with an unknown
    measure has no tier. In tiers by share, values below 0 are always in the last tier, and they
    lower the total of `value_share`.

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

    Assets of 500 are not enough where fees must be 20 as well:

    >>> clients = pd.DataFrame({"assets": [900.0, 600.0], "fees": [30.0, 5.0]})
    >>> both = rule(
    ...     clients,
    ...     method="all_thresholds",
    ...     names=("A", "B"),
    ...     cuts={"assets": [500], "fees": [20]},
    ... )
    >>> from crmkit import tiers
    >>> tiers.assign(clients, rule=both)["tier"].tolist()
    ['A', 'B']
    """
    names = checked_names(names)
    by_measure = None
    given: tuple[float, ...] = ()
    require_choice(method, get_args(Method), argument="method")
    if method == "all_thresholds":
        by_measure = checked_measure_cuts(cuts, by=by, n_tiers=len(names))
        weights = dict.fromkeys(by_measure, 1.0)
    else:
        weights = checked_weights(by)
        given = checked_cuts(cuts, method=method, n_tiers=len(names))
    columns = () if within is None else checked_within(within)
    table = customers_with(*weights)
    keys = (Column(name, "key", "group", nullable=True, made_by=NOT_MADE) for name in columns)
    frame = frames.read(customers, replace(table, columns=(*table.columns, *keys)))

    def fit(part: nw.LazyFrame[Any]) -> TierRule:
        if by_measure is not None:
            ones = (1.0,) * len(by_measure)
            lists = tuple(by_measure.values())
            return TierRule(names, (), tuple(by_measure), ones, ones, "all_thresholds", lists)
        return _one(part, weights, names=names, method=method, given=given)

    return fit_within(frame, columns, tuple(weights), fit=fit) if columns else fit(frame)


def _one(
    frame: nw.LazyFrame[Any],
    weights: Mapping[str, float],
    *,
    names: tuple[str, ...],
    method: Method,
    given: tuple[float, ...],
) -> TierRule:
    measures = tuple(weights)
    scales = _scales(frame, measures)
    if method != "thresholds":
        value = value_of(measures, tuple(weights.values()), scales)
        name = value_name(measures)
        given = _fitted(frame, value, name=name, method=method, shares=given, n_tiers=len(names))
    return TierRule(names, given, measures, tuple(weights.values()), scales, method)


def value_name(measures: Sequence[str]) -> str:
    """Name the value to cut: the measure itself, or an index of several."""
    return measures[0] if len(measures) == 1 else "tier_value"


def value_of(measures: Sequence[str], weights: Sequence[float], scales: Sequence[float]) -> nw.Expr:
    """Combine the measures by weight into the value to cut; null where one is unknown."""
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
    """Collect the distinct known values in order, and the number of customers of each."""
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
    """Add up a measure, and require a total above 0, so that shares have a meaning."""
    amounts = values * counts
    total = math.fsum(amounts)
    # The remainder of a sum that cancels is rounding, not money.
    if total <= 1e-12 * math.fsum(np.abs(amounts)):
        msg = (
            f"customers: `{name}` adds up to {total:g}; shares need a total above 0.\n"
            "Take a measure with a total above 0, or cut by thresholds or customer_share."
        )
        raise FitError(msg)
    return total


def share_cuts(
    values: Floats, amounts: npt.NDArray[Any], shares: Sequence[float]
) -> tuple[float, ...]:
    """Find the least value that comes before each share is full, best first."""
    best_first = amounts[::-1]
    before = (np.cumsum(best_first) - best_first) / amounts.sum()
    n_above = [int(np.count_nonzero(before < share - SHARE_TOLERANCE)) for share in shares]
    return tuple(max(float(values[-n]), 0.0) for n in n_above)


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
            f"customers: head/tail breaks find {found.size + 1} tiers, `names` has {n_tiers}.\n"
            "Name fewer tiers, or use another method: the tail of the values is not heavy enough."
        )
        raise FitError(msg)
    heads = found[: n_tiers - 1]
    return np.asarray(values[np.searchsorted(values, heads)])


def _scales(frame: nw.LazyFrame[Any], measures: Sequence[str]) -> tuple[float, ...]:
    """Compute the mean of each measure; a single measure keeps its unit."""
    if len(measures) == 1:
        return (1.0,)
    scales = []
    for name in measures:
        values, counts = distribution(frame, frames.known(name), name=name)
        scales.append(total_above_zero(values, counts, name=name) / int(counts.sum()))
    return tuple(scales)
