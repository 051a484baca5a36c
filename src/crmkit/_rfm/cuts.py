"""Find the cut points between scores."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._rfm.breakpoints import SCORES, Breakpoints, Cuts, Measure, require_n, shown
from crmkit._rfm.scores import f_cell, with_r_and_f
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics import class_breaks
from crmkit.tables import MEASURES

Method: TypeAlias = Literal["quantile", "natural", "r_package"]


def breakpoints(
    customers: IntoFrame,
    *,
    n: int = 5,
    method: Method | Mapping[Measure, Method] = "quantile",
    ties: class_breaks.Ties = "average",
    cuts: Mapping[Measure, Sequence[float]] | None = None,
    nested: bool = False,
) -> Breakpoints:
    """Find where the scores 1 to n begin, to keep and to apply month after month.

    Quantile scores are relative: there are always best customers, even where all are poor.
    Cuts that are kept, or given by you, make this month's 5 mean what last month's 5 meant.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`. Only the distinct values of
        each measure and their counts come to this machine.
    n
        The best score, from 2 to 9.
    method
        How to cut a measure, for all or by its name (`quantile` where not named).
        `quantile`: classes of about equal size. `natural`: classes that differ least within
        themselves (Fisher-Jenks). `r_package`: as the R package rfm cuts, see Notes.
    ties
        Which percent rank equal values share: the middle of the ranks that they take up
        (`average`), the lowest (`min`) or the highest (`max`), counted from the worst.
    cuts
        Cuts of your own by measure, such as ``{"orders": (2, 3, 5, 10)}``: the lowest value of
        each class but the first. With ``{"days_since_last": (30, 90, 180, 365)}``, 29 days score
        5 and 30 days score 4.
    nested
        Cut orders within each r_score, and amounts within each r_score and f_score, so that
        the codes are of about equal size. An f_score then compares customers of one r_score
        only. A cell without customers takes the cuts of all customers.

    Returns
    -------
    The cuts of each measure. Without a `total_amount` in the table there are none for it, and
    customers get an r_score and an f_score only.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `n`, `method`, `ties` or `cuts` is none of the above.
    FitError
        If there are no customers, or fewer distinct values than natural classes.

    Warns
    -----
    CrmkitWarning
        If a measure cut by quantiles has one value that more than 1/n of the customers share.

    Notes
    -----
    ``score = ceil(n * rank / customers)``, with ranks from the worst customer up. Equal values
    have equal scores, never decided by the order of rows, and multiplying all amounts by a
    constant changes no score. Where many customers share one value the groups are uneven.

    `r_package` cuts at ``quantile + 1``, by linear interpolation. The added 1 is a quirk of that
    package, right for whole numbers only: amounts below 1 all score 1, and scores change with
    the currency. Choose it to reproduce that package's tables.

    References
    ----------
    Hughes, A. M. (1994). *Strategic Database Marketing*. Probus. Quintile scores by recency,
    frequency and money, nested.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan", "eve"],
    ...         "days_since_last": [3, 40, 9, 200, 80],
    ...         "orders": [9, 1, 4, 2, 3],
    ...         "total_amount": [900.0, 20.0, 310.0, 55.0, 70.0],
    ...     }
    ... )
    >>> kept = breakpoints(customers, n=5)
    >>> kept.orders
    (2.0, 3.0, 4.0, 9.0)
    >>> Breakpoints.from_json(kept.to_json()) == kept
    True
    """
    rules = _rules(n=n, method=method, ties=ties, cuts=cuts or {})
    frame = frames.read(customers, MEASURES)
    learned: dict[Measure, Cuts] = {}
    for measure, rule in rules.items():
        if rule.fixed is not None:
            learned[measure] = rule.fixed
        elif frames.has(frame, measure):
            values, counts = _distribution(frame, measure)
            learned[measure] = rule.cut(values, counts)
            if complaint := rule.complaint(values, counts, learned[measure]):
                warnings.warn(complaint, CrmkitWarning, stacklevel=2)
    found = Breakpoints(
        n=n,
        days_since_last=learned["days_since_last"],
        orders=learned["orders"],
        total_amount=learned.get("total_amount"),
    )
    return _nested(frame, rules, found) if nested else found


@dataclass(frozen=True, slots=True)
class _Rule:
    """How to cut one measure."""

    measure: Measure
    n: int
    method: Method
    ties: class_breaks.Ties
    fixed: Cuts | None

    def cut(self, values: frames.Floats, counts: class_breaks.Integers) -> Cuts:
        if self.fixed is not None:
            return self.fixed
        if self.method == "natural":
            found = class_breaks.natural_cuts(values, counts, n=self.n)
        elif self.method == "r_package":
            found = class_breaks.quantile_type7(values, counts, np.arange(1, self.n) / self.n) + 1
        elif self.measure == "days_since_last":
            # The fewest days rank highest. A cut is one day after the last that is in time.
            in_time = -class_breaks.quantile_cuts(
                -values[::-1], counts[::-1], n=self.n, ties=self.ties
            )
            found = np.maximum(in_time[::-1] + 1, 0)
        else:
            found = class_breaks.quantile_cuts(values, counts, n=self.n, ties=self.ties)
        return tuple(found.tolist())

    def complaint(
        self, values: frames.Floats, counts: class_breaks.Integers, cuts: Cuts
    ) -> str | None:
        """Say if one value is too common for scores that hold equally many customers."""
        most = int(np.argmax(counts))
        share = counts[most] / counts.sum()
        if self.method == "natural" or counts[most] == 1 or share <= 1 / self.n:
            return None
        number = int(class_breaks.classes(values[most], cuts))
        given = self.n + 1 - number if self.measure == "days_since_last" else number
        return (
            f"customer summary: `{self.measure}` is {values[most]:.10g} for {share:.1%} of the "
            f"customers, while each of {self.n} scores is meant for {1 / self.n:.1%}.\n"
            f"Equal values get equal scores: all of these get {SCORES[self.measure]} {given}, "
            "and other scores hold fewer customers or none."
        )


def _rules(
    *,
    n: int,
    method: Method | Mapping[Measure, Method],
    ties: class_breaks.Ties,
    cuts: Mapping[Measure, Sequence[float]],
) -> dict[Measure, _Rule]:
    require_n(n)
    methods: dict[Measure, Method] = (
        dict(method) if isinstance(method, Mapping) else dict.fromkeys(SCORES, method)
    )
    _require_one_of("method", methods.values(), get_args(Method))
    _require_one_of("method", methods, tuple(SCORES))
    _require_one_of("cuts", cuts, tuple(SCORES))
    _require_one_of("ties", [ties], get_args(class_breaks.Ties))
    fixed = {measure: _fixed(measure, values, n=n) for measure, values in cuts.items()}
    return {
        measure: _Rule(measure, n, methods.get(measure, "quantile"), ties, fixed.get(measure))
        for measure in SCORES
    }


def _require_one_of(argument: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    unknown = [name for name in dict.fromkeys(given) if name not in allowed]
    if unknown:
        msg = (
            f"`{argument}` knows no {', '.join(map(repr, unknown))}.\n"
            f"Choose among {', '.join(map(repr, allowed))}."
        )
        raise InvalidArgumentError(msg)


def _fixed(measure: str, values: Sequence[float], *, n: int) -> Cuts:
    cuts = tuple(float(value) for value in values)
    rise = all(low < high for low, high in pairwise(cuts))
    if len(cuts) != n - 1 or not rise or not all(map(math.isfinite, cuts)):
        msg = (
            f"`cuts` of `{measure}` must be {n - 1} rising numbers for {n} scores, "
            f"got {shown(cuts)}.\n"
            "Give the lowest value of each class but the first."
        )
        raise InvalidArgumentError(msg)
    return cuts


# What all customers, and those of each cell, are like


def _distribution(frame: frames.Frame, measure: str) -> tuple[frames.Floats, class_breaks.Integers]:
    values, counts = frames.distribution(frame, measure)
    values = values.astype(float)
    n_rows = int(counts[~np.isfinite(values)].sum())
    if n_rows:
        msg = (
            f"customer summary: `{measure}` is null or not finite in {n_rows:,} of "
            f"{counts.sum():,} rows.\nBuild this table with crmkit.rfm.summarize()."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=())
    if not values.size:
        msg = (
            "customer summary: no customers to find cut points from.\n"
            "Look whether all transactions are after `as_of`."
        )
        raise FitError(msg)
    return values, counts


def _nested(frame: frames.Frame, rules: Mapping[Measure, _Rule], found: Breakpoints) -> Breakpoints:
    scored = with_r_and_f(frame, found)
    by_r = scored.with_columns(cell=nw.col("r_score") - 1)
    found = replace(found, orders_within=_within(by_r, rules["orders"], found.orders, found.n))
    if found.total_amount is None:
        return found
    by_r_and_f = with_r_and_f(frame, found).with_columns(cell=f_cell(found.n))
    within = _within(by_r_and_f, rules["total_amount"], found.total_amount, found.n**2)
    return replace(found, total_amount_within=within)


def _within(frame: frames.Frame, rule: _Rule, otherwise: Cuts, n_cells: int) -> tuple[Cuts, ...]:
    """Cut a measure in each cell; one that nobody is in is cut as all customers are."""
    counted = (
        frame.group_by("cell", rule.measure)
        .agg(nw.len().alias("n_rows"))
        .sort("cell", rule.measure)
        .collect()
    )
    cell = counted["cell"].to_numpy()
    values = counted[rule.measure].to_numpy().astype(float)
    counts = counted["n_rows"].to_numpy().astype(np.int64)
    within = []
    for number in range(n_cells):
        here = cell == number
        within.append(rule.cut(values[here], counts[here]) if here.any() else otherwise)
    return tuple(within)
