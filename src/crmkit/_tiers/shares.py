"""How unevenly value is spread: ABC classes, concentration, and the whale curve."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers.assign import class_of, require_free, small_table
from crmkit._tiers.rule import (
    Floats,
    TierRule,
    checked_cuts,
    distribution,
    share_cuts,
    total_above_zero,
)
from crmkit.errors import InvalidArgumentError
from crmkit.tables import customers_with

_ROUNDING: Final = 1e-9
_STEP: Final = "crmkit_abc_step"
_DIGITS: Final = 12


def abc(
    customers: IntoFrameT, *, by: str = "total_amount", cuts: Sequence[float] = (0.75, 0.95)
) -> IntoFrameT:
    """Class customers A, B, C by their part in the total, the largest first.

    Sort by value, add up, and cut where the sum reaches a share of the total. The same is done
    with products or regions: one row each. It tells what was bought, not what it earned.

    Parameters
    ----------
    customers
        One row per customer, such as `crmkit.rfm.summarize` makes. A lazy table is run, to
        collect its distinct values.
    by
        The measure of value.
    cuts
        Cumulative shares of the total, rising; two give A, B, C, three A, B, C, D.

    Returns
    -------
    The same rows in the same order, with two more columns:

    ====================  =====  ============================================================
    ``abc_class``         text   A is the best; null where `by` is null or NaN
    ``cumulative_share``  float  share of the total that this customer, all who are equal and
                                 all who are better make up; null where `by` is
    ====================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    InvalidArgumentError
        If `cuts` do not rise between 0 and 1, or there are columns of these names already.
    FitError
        If no value is or the total is not above zero.

    Notes
    -----
    The customer who crosses a share is in the better class, with all who are equal: A holds at
    least its share, and without its lowest value it holds less. So the `cumulative_share` of
    the last customer in A is the first at or above the cut.

    Values below zero are in the last class and lower the total; the cumulative share then rises
    above 1 before it comes back to it.

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
    customer_id  total_amount abc_class  cumulative_share
            ann          40.0         C              1.00
            ben         500.0         A              0.50
            cid         300.0         A              0.80
            dee         160.0         B              0.96
    """
    shares = checked_cuts(cuts, method="value_share", n_tiers=len(cuts) + 1)
    names = _letters(len(shares) + 1)
    frame = frames.read(customers, customers_with(by))
    require_free(frame, ["abc_class", "cumulative_share"])
    values, counts = distribution(frame, frames.known(by), name=by)
    total = total_above_zero(values, counts, name=by)
    amounts = values * counts
    rule = TierRule(
        names, share_cuts(values, amounts, shares), (by,), (1.0,), (1.0,), "value_share"
    )
    classed = frames.with_columns(frame, abc_class=class_of(frames.known(by), rule))
    shared = _with_cumulative_share(classed, values, amounts, by=by, total=total, like=customers)
    return frames.give(shared, like=customers)


def concentration(
    customers: IntoFrameT,
    *,
    by: str = "total_amount",
    shares: Sequence[float] = (0.01, 0.05, 0.10, 0.20, 0.50, 1.0),
) -> IntoFrameT:
    """Tell what part of the value the best 1 %, 5 %, 20 % of the customers bring.

    Customers are put in order of value, the best first, and added up (the Lorenz curve read
    from the top). Spending of one period overstates how uneven customers are in the long run:
    chance alone makes some of them look better than they are.

    Parameters
    ----------
    customers
        One row per customer. Those of unknown value are left out of all counts. A lazy table
        is run, to collect its distinct values.
    by
        The measure of value; amounts or profit, below zero too.
    shares
        Shares of the customers, rising, up to 1.

    Returns
    -------
    One row per share:

    ==================  =====  ==============================================================
    ``customer_share``  float  the share asked for
    ``n_customers``     int    the best customers: the least whole number that is this share
    ``value``           float  what they add up to
    ``value_share``     float  of the total; null where the total is not above zero
    ==================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    InvalidArgumentError
        If `shares` do not rise between 0 and 1.
    FitError
        If no value is known.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"total_amount": [700.0, 100.0, 100.0, 60.0, 40.0]})
    >>> print(concentration(customers, shares=(0.2, 0.5, 1.0)).to_string(index=False))
     customer_share  n_customers  value  value_share
                0.2            1  700.0          0.7
                0.5            3  900.0          0.9
                1.0            5 1000.0          1.0
    """
    _require_rising(shares)
    frame = frames.read(customers, customers_with(by))
    best, n_best = _best_first(frame, by)
    n = int(n_best[-1])
    # 0.07 x 100 is 7.000000000000001, and no reason to take an eighth customer.
    n_customers = [math.ceil(share * n - _ROUNDING) for share in shares]
    value = np.interp(n_customers, n_best, best)
    total = float(best[-1])
    columns: dict[str, Sequence[Any]] = {
        "customer_share": list(shares),
        "n_customers": n_customers,
        "value": value.tolist(),
        "value_share": (value / total).tolist() if total > 0 else [None] * len(shares),
    }
    return small_table(columns, frame=frame, like=customers)


def gini(customers: IntoFrame, *, by: str = "total_amount") -> float:
    """Measure in one number how unevenly value is spread: 0 if evenly, near 1 if one has all.

    Compare only like with like: a longer period or a wider customer base moves it too.

    Parameters
    ----------
    customers
        One row per customer. Those of unknown value are left out. A lazy table is run, to
        collect its distinct values.
    by
        The measure of value.

    Returns
    -------
    The Gini coefficient of the customers at hand, without correction for a sample. With values
    below zero it can exceed 1; `whale` is the better view then.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    FitError
        If no value is or the total is not above zero.

    Notes
    -----
    ``G = 2 sum(i x_i) / (n sum(x)) - (n + 1) / n``, with x in rising order and i its rank.

    References
    ----------
    Sen, A. (1973). *On Economic Inequality*. Oxford: Clarendon Press.

    Examples
    --------
    >>> import pandas as pd
    >>> round(gini(pd.DataFrame({"total_amount": [1, 1, 1, 7]})), 2)
    0.45
    """
    frame = frames.read(customers, customers_with(by))
    values, counts = distribution(frame, frames.known(by), name=by)
    total = total_above_zero(values, counts, name=by)
    n = int(counts.sum())
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float(2 * math.fsum(values * counts * mean_rank) / (n * total) - (n + 1) / n)


def whale(customers: IntoFrameT, *, by: str = "profit") -> IntoFrameT:
    """Tell how much profit the good customers make and the bad ones eat up.

    Adding up from the most profitable on, profit rises to a peak and falls with each customer
    who costs money: the whale's back. How costs are laid on customers decides its shape.

    Parameters
    ----------
    customers
        One row per customer. Those of unknown profit are left out. A lazy table is run, to
        collect its distinct values.
    by
        The measure of profit, below zero for a loss.

    Returns
    -------
    One row; `concentration` gives the curve itself:

    =================  =====  ===============================================================
    ``n_customers``    int    customers of known profit
    ``n_at_peak``      int    those with a profit above zero
    ``peak``           float  what these add up to
    ``total``          float  what all add up to
    ``eroded``         float  `peak` less `total`: what the others cost
    ``peak_multiple``  float  `peak` over `total`; null where the total is not above zero
    =================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    FitError
        If no profit is known.

    References
    ----------
    Kaplan, R. S. & Narayanan, V. G. (2001). Measuring and managing customer profitability.
    *Journal of Cost Management* 15(5), 5-15.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"profit": [500.0, -100.0, 300.0, -200.0]})
    >>> print(whale(customers).to_string(index=False))
     n_customers  n_at_peak  peak  total  eroded  peak_multiple
               4          2 800.0  500.0   300.0            1.6
    """
    frame = frames.read(customers, customers_with(by))
    values, counts = distribution(frame, frames.known(by), name=by)
    amounts = values * counts
    gainful = values > 0
    peak, total = math.fsum(amounts[gainful]), math.fsum(amounts)
    columns: dict[str, Sequence[Any]] = {
        "n_customers": [int(counts.sum())],
        "n_at_peak": [int(counts[gainful].sum())],
        "peak": [peak],
        "total": [total],
        "eroded": [peak - total],
        "peak_multiple": [peak / total if total > 0 else None],
    }
    return small_table(columns, frame=frame, like=customers)


def _with_cumulative_share(
    frame: nw.LazyFrame[Any],
    values: Floats,
    amounts: Floats,
    *,
    by: str,
    total: float,
    like: IntoFrame,
) -> nw.LazyFrame[Any]:
    """Append what each customer, all who are equal and all who are better make up.

    Values are told apart by whole numbers of a unit that no sum of cents falls between, for a
    sum of money may differ in its last digit each time it is made.
    """
    per_unit = 10.0 ** (_DIGITS - math.ceil(math.log10(np.abs(values).max())))
    steps, first = np.unique(np.rint(values * per_unit), return_index=True)
    shares = np.append((np.cumsum(amounts[::-1])[::-1] / total)[first], np.nan)
    unknown = steps[-1] + 1  # comes after the last step, where there is no share
    step = (frames.known(by) * per_unit).round(0).fill_null(unknown).cast(nw.Int64)
    return frames.with_computed(
        frames.with_columns(frame, step.alias(_STEP)),
        like=like,
        table=customers_with(by),
        inputs=[_STEP],
        compute=lambda **column: {
            "cumulative_share": shares[np.searchsorted(steps, column[_STEP])]
        },
    ).drop(_STEP)


def _best_first(frame: nw.LazyFrame[Any], by: str) -> tuple[Floats, Floats]:
    """Add up the best 0, 1, 2, ... customers at the numbers where the value changes."""
    values, counts = distribution(frame, frames.known(by), name=by)
    amounts = np.cumsum((values * counts)[::-1])
    return np.append(0.0, amounts), np.append(0.0, np.cumsum(counts[::-1]))


def _letters(n: int) -> tuple[str, ...]:
    if n > len(string.ascii_uppercase):
        msg = f"`cuts` make {n} classes, and there are 26 letters.\nGive fewer cuts."
        raise InvalidArgumentError(msg)
    return tuple(string.ascii_uppercase[:n])


def _require_rising(shares: Sequence[float]) -> None:
    rising = all(a < b for a, b in zip((0.0, *shares), shares, strict=False))
    if not (rising and shares and shares[-1] <= 1):
        msg = f"`shares` must rise from above 0 to 1 at most, got {shares!r}."
        raise InvalidArgumentError(msg)
