"""Find the cut points of the RFM scores."""

from __future__ import annotations

import math
import warnings
from collections.abc import ItemsView, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._rfm.breakpoints import SCORES, Breakpoints, Cuts, Measure, numbers, require_n
from crmkit._rfm.scores import f_cell, with_r_and_f
from crmkit._words.arguments import require_choice, require_flag, require_numbers, shown
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
    """Cut points of the RFM scores from 1 to n, to keep and reuse.

    Scores by quantiles are relative: some customers are always the best, even where all are
    poor. With cut points that are kept, or that you give, a 5 of this month means what a 5 of
    last month meant.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`. Only the distinct values of
        each measure and their counts are collected.
    n
        The best score, from 2 to 9.
    method
        How to cut: one method for all measures, or a mapping from measure to method
        (`quantile` for measures that it leaves out). `quantile`: classes of about equal size.
        `natural`: classes with the least variance within them (Fisher-Jenks natural breaks).
        `r_package`: the rule of the R package rfm, see Notes.
    ties
        The percent rank that equal values share: the middle of the ranks that they take up
        (`average`), the lowest (`min`) or the highest (`max`), counted from the worst.
    cuts
        Cuts of your own by measure, such as ``{"orders": (2, 3, 5, 10)}``: the lowest value of
        each class but the first. With ``{"days_since_last": (30, 90, 180, 365)}``, 29 days score
        5 and 30 days score 4.
    nested
        Cut orders within each r_score, and amounts within each r_score and f_score, so that
        all codes hold about the same number of customers. An f_score then compares customers of
        one r_score only. A cell without customers takes the cuts of all customers.

    Returns
    -------
    The cuts of each measure. Without a `total_amount` in the table there are none for it, and
    customers get an r_score and an f_score only.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `n`, `method`, `ties` or `cuts` is outside its range.
    FitError
        If the table is empty, or has fewer distinct values than natural classes.

    Warns
    -----
    CrmkitWarning
        If more than 1/n of the customers share one value of a measure that is cut by quantiles.

    Notes
    -----
    ``score = ceil(n * rank / customers)``, with ranks from the worst customer up. Equal values
    get equal scores, whatever the order of rows, and multiplying all amounts by a constant
    changes no score. Where many customers share one value the groups are uneven.

    `r_package` cuts at ``quantile + 1``, with quantiles by linear interpolation. The added 1 is
    a quirk of that package and only right for whole numbers: amounts below 1 all score 1, and
    scores change with the currency. Choose it to reproduce that package's tables.

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
    require_flag(nested, argument="nested")
    rules = _rules(n=n, method=method, ties=ties, cuts={} if cuts is None else cuts)
    frame = frames.without_prospects(frames.read(customers, MEASURES), MEASURES)
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
        """Describe a value that is too common for scores of about equal size, if one is."""
        most = int(np.argmax(counts))
        share = counts[most] / counts.sum()
        if self.method == "natural" or counts[most] == 1 or share <= 1 / self.n:
            return None
        number = int(class_breaks.classes(values[most], cuts))
        given = self.n + 1 - number if self.measure == "days_since_last" else number
        return (
            f"customer summary: `{self.measure}` is {values[most]:.10g} for {share:.1%} of the "
            f"customers, while each of {self.n} scores is meant for {1 / self.n:.1%}.\n"
            f"Equal values get equal scores: all of them get {SCORES[self.measure]} {given}, "
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
    n = int(n)
    methods: dict[Measure, Method] = (
        dict(method) if isinstance(method, Mapping) else dict.fromkeys(SCORES, method)
    )
    for measure, each in methods.items():
        require_choice(measure, SCORES, argument="method")
        require_choice(each, get_args(Method), argument="method")
    require_choice(ties, get_args(class_breaks.Ties), argument="ties")
    fixed = {measure: _fixed(measure, values, n=n) for measure, values in _by_measure(cuts)}
    return {
        measure: _Rule(measure, n, methods.get(measure, "quantile"), ties, fixed.get(measure))
        for measure in SCORES
    }


def _by_measure(
    cuts: Mapping[Measure, Sequence[float]],
) -> ItemsView[Measure, Sequence[float]]:
    if not isinstance(cuts, Mapping):
        msg = (
            f"`cuts` must give the cuts of each measure, got {shown(cuts)}.\n"
            'Write {"orders": (2, 3, 5, 10)}.'
        )
        raise InvalidArgumentError(msg)
    for measure in cuts:
        require_choice(measure, SCORES, argument="cuts")
    return cuts.items()


def _fixed(measure: str, values: Sequence[float], *, n: int) -> Cuts:
    cuts = require_numbers(values, argument=f"cuts[{measure!r}]", example="(2, 3, 5, 10)")
    rise = all(low < high for low, high in pairwise(cuts))
    if len(cuts) != n - 1 or not rise or not all(map(math.isfinite, cuts)):
        msg = (
            f"`cuts[{measure!r}]` must be {n - 1} finite numbers in rising order for {n} scores, "
            f"got {numbers(cuts)}.\n"
            "Give the lowest value of each class but the first."
        )
        raise InvalidArgumentError(msg)
    return cuts


# Distributions of all customers and of each cell


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
            "Check whether all transactions are after `as_of`."
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
    """Cut a measure in each cell; an empty cell takes the cuts of all customers."""
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
