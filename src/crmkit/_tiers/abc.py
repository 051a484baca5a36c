"""ABC analysis: classes by the part in the cumulative total, in the whole or within groups."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.assign import require_free
from crmkit._tiers.given import checked_cuts, checked_within
from crmkit._tiers.rule import Floats, distribution, share_cuts, total_above_zero
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._tiers.within import fit_within, with_groups
from crmkit._words.arguments import require_column_name
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import customers_with

_MADE: Final = ("abc_class", "abc_rank", "value_share", "cumulative_share")
_STEP: Final = "crmkit_abc_step"
_DIGITS: Final = 12
_UNKNOWN: Final = 2 * 10**_DIGITS
"""A step beyond all others."""
_APART: Final = 4 * 10**_DIGITS
"""From a step of one group to the same of the next; 2 million groups fit into an Int64."""


def abc(
    customers: IntoFrameT,
    *,
    by: str = "total_amount",
    cuts: Sequence[float] = (0.75, 0.95),
    within: str | Sequence[str] | None = None,
) -> IntoFrameT:
    """ABC analysis: class customers by their part in the cumulative total.

    Sort by value, add up, and cut where the sum reaches a share of the total. Also for products
    or regions, with one row each. By revenue it shows sales, not profit.

    Parameters
    ----------
    customers
        One row per customer, such as `crmkit.rfm.summarize` makes. A lazy table is run, to
        collect its distinct values.
    by
        The measure of value.
    cuts
        Cumulative shares of the total in rising order; two give A, B, C, three A, B, C, D.

    within
        Columns to class within, such as region or type: each group as if the others were not there.
        A group whose total is not above 0 has null classes; `abc_summary` shows it. Null is a group
        too.

    Returns
    -------
    The same rows in the same order (DuckDB, Dask and Spark may give them in another order), with
    four more columns:

    ====================  =====  ============================================================
    ``abc_class``         text   A is the best; null where `by` is null or NaN
    ``abc_rank``          int    1 for the highest value, equal values share the best rank; null
                                 where `by` is (a float in pandas, which has no whole numbers
                                 beside nulls)
    ``value_share``       float  the customer's own share of the total
    ``cumulative_share``  float  share of the total that customers of this value or above it
                                 make up; null where `by` is
    ====================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    InvalidArgumentError
        If `cuts` are not in rising order between 0 and 1, or the table already has one of the
        new columns.
    FitError
        If no value is known, or the total is not above 0, in the whole table (or, with `within`, in
        every group).

    Notes
    -----
    The customer who crosses a share is in the better class, with all of equal value: A holds at
    least its share, and without its lowest value it holds less. So the `cumulative_share` of
    the last customer in A is the first at or above the cut.

    Values below 0 are in the last class and lower the total; the cumulative share then rises
    above 1 before it falls back to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "total_amount": [40.0, 500.0, 300.0, 160.0],
    ...     }
    ... )
    >>> print(abc(customers).round(3).to_string(index=False))
    customer_id  total_amount abc_class  abc_rank  value_share  cumulative_share
            ann          40.0         C       4.0         0.04              1.00
            ben         500.0         A       1.0         0.50              0.50
            cid         300.0         A       2.0         0.30              0.80
            dee         160.0         B       3.0         0.16              0.96
    """
    require_column_name(by, argument="by")
    shares = checked_cuts(cuts, method="value_share")
    names = _letters(len(shares) + 1)
    columns = () if within is None else checked_within(within)
    frame = frames.read(customers, with_groups(customers_with(by), columns))
    require_free(frame, _MADE)
    curves: list[_Curve] = []

    def fit(part: nw.LazyFrame[Any]) -> TierRule:
        curve = _Curve.of(part, by=by)
        curves.append(curve)
        found = share_cuts(curve.values, curve.amounts, shares)
        return TierRule(names, found, (by,), (1.0,), (1.0,), "value_share")

    if columns:
        rules = fit_within(frame, columns, (by,), fit=fit)
        if not curves:
            msg = f"customers: no group has a total of `{by}` above 0.\n{rules.findings[0]}"
            raise FitError(msg)
        classes = rules.of_group(reach.tier_of, otherwise=reach.NO_TIER)
        step = _step_in_group(rules, curves, by=by)
    else:
        classes = reach.tier_of(fit(frame))
        step = curves[0].step(by)
    classed = frames.with_columns(frame, classes.alias("abc_class"))
    shared = _with_shares(classed, step, curves, by=by, like=customers)
    return frames.give(shared, like=customers)


class _Curve(NamedTuple):
    """Distinct values of a group in order, what they add up to, and the digits that count."""

    values: Floats
    counts: npt.NDArray[np.int64]
    amounts: Floats
    total: float
    per_unit: float

    @classmethod
    def of(cls, frame: nw.LazyFrame[Any], *, by: str) -> _Curve:
        """Collect the values of a group; a total that is not above 0 is refused."""
        values, counts = distribution(frame, frames.known(by), name=by)
        total = total_above_zero(values, counts, name=by)
        per_unit = 10.0 ** (_DIGITS - math.ceil(math.log10(np.abs(values).max())))
        return cls(values, counts, values * counts, total, per_unit)

    def step(self, by: str) -> nw.Expr:
        """Write each value as a whole number of a small unit, finer than any sum of cents.

        A sum of money may differ in its last digit each time it is computed.
        """
        return (frames.known(by) * self.per_unit).round(0).fill_null(_UNKNOWN).cast(nw.Int64)

    def found(self) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
        """List the steps, and the rank and shares of a customer of each."""
        steps, first = np.unique(np.rint(self.values * self.per_unit), return_index=True)
        ends = np.append(first[1:], self.values.size) - 1
        up_to = np.cumsum(self.counts)
        each = {
            "abc_rank": 1.0 + up_to[-1] - up_to[ends],
            "value_share": self.values[first] / self.total,
            "cumulative_share": (np.cumsum(self.amounts[::-1])[::-1] / self.total)[first],
        }
        known = {name: np.append(values, np.nan) for name, values in each.items()}
        return np.append(steps, _UNKNOWN).astype(np.int64), known


def _step_in_group(rules: TierRules, curves: Sequence[_Curve], *, by: str) -> nw.Expr:
    """Put the groups behind each other on one scale; what has no rule is unknown."""
    place = {id(rule): i for i, rule in enumerate(rule for rule in rules.rules if rule)}

    def step(rule: TierRule) -> nw.Expr:
        i = place[id(rule)]
        return curves[i].step(by) + nw.lit(i * _APART, nw.Int64)

    found = rules.of_group(step, otherwise=nw.lit(None).cast(nw.Float64))
    return found.fill_null(_UNKNOWN).cast(nw.Int64)


def _with_shares(
    frame: nw.LazyFrame[Any],
    step: nw.Expr,
    curves: Sequence[_Curve],
    *,
    by: str,
    like: IntoFrame,
) -> nw.LazyFrame[Any]:
    """Append each customer's rank and share, and the share of all of at least this value."""
    listed = [curve.found() for curve in curves]
    steps = np.concatenate([each + i * _APART for i, (each, _) in enumerate(listed)])
    found = {name: np.concatenate([each[name] for _, each in listed]) for name in _MADE[1:]}
    stepped = frames.with_columns(frame, step.alias(_STEP))

    def of_steps(step: npt.NDArray[Any]) -> dict[str, Floats]:
        place = np.searchsorted(steps, step)
        return {name: np.asarray(values[place]) for name, values in found.items()}

    engine = frame.implementation
    if frames.is_lazy(like) and engine.is_polars():
        made = _with_looked_up(stepped, of_steps)
    else:
        made = frames.with_computed(
            stepped,
            like=like,
            table=customers_with(by),
            inputs=[_STEP],
            compute=lambda **column: of_steps(column[_STEP]),
        )
    if not (engine.is_pandas_like() or engine.is_dask()):  # these have none beside nulls
        made = made.with_columns(nw.col("abc_rank").cast(nw.Int64))
    return made.drop(_STEP)


def _with_looked_up(
    frame: nw.LazyFrame[Any], of_steps: Callable[[npt.NDArray[Any]], dict[str, Floats]]
) -> nw.LazyFrame[Any]:
    """Append the values of each step row by row: a lazy join of Polars loses the order of rows."""
    steps, _ = frames.distribution(frame, _STEP)
    made = {
        name: nw.col(_STEP).replace_strict(
            steps.tolist(), values.tolist(), default=None, return_dtype=nw.Float64
        )
        for name, values in of_steps(steps).items()
    }
    return frame.with_columns(**made).with_columns(nw.col(*made).fill_nan(None))


def _letters(n: int) -> tuple[str, ...]:
    if n > len(string.ascii_uppercase):
        msg = f"`cuts` make {n} classes, more than the 26 letters.\nGive fewer cuts."
        raise InvalidArgumentError(msg)
    return tuple(string.ascii_uppercase[:n])
