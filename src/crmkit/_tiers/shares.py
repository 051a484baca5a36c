"""Concentration of value: ABC classes, shares of the best, Gini and whale curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._tiers.rule import Floats, distribution, total_above_zero
from crmkit._tiers.summary import small_table
from crmkit._words.arguments import require_column_name, require_numbers, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import customers_with

_ROUNDING: Final = 1e-9
_STEP: Final = "crmkit_abc_step"
_DIGITS: Final = 12


def concentration(
    customers: IntoFrameT,
    *,
    by: str = "total_amount",
    shares: Sequence[float] = (0.01, 0.05, 0.10, 0.20, 0.50, 1.0),
) -> IntoFrameT:
    """Share of the total value that the best customers bring.

    Customers are sorted by value, the best first, and added up (the Lorenz curve, read from the
    top). Spending of a single period overstates concentration in the long run: chance alone
    makes some customers look better than they are.

    Parameters
    ----------
    customers
        One row per customer. Customers of unknown value are left out of all counts. A lazy
        table is run, to collect its distinct values.
    by
        The measure of value, such as amount or profit; it may be below 0.
    shares
        Shares of the customers in rising order, up to 1.

    Returns
    -------
    One row per share:

    ==================  =====  ==============================================================
    ``customer_share``  float  share of the customers, as in `shares`
    ``n_customers``     int    number of best customers, the share rounded up
    ``value``           float  total value of these customers
    ``value_share``     float  share of the total; null where the total is not above 0
    ==================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    InvalidArgumentError
        If `shares` are not in rising order between 0 and 1.
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
    require_column_name(by, argument="by")
    shares = _checked_shares(shares)
    frame = frames.read(customers, customers_with(by))
    best, n_best = _best_first(frame, by)
    n = int(n_best[-1])
    # 0.07 x 100 is 7.000000000000001, which must not round up to 8.
    n_customers = [math.ceil(share * n - _ROUNDING) for share in shares]
    value = np.interp(n_customers, n_best, best)
    total = float(best[-1])
    columns: dict[str, Sequence[Any]] = {
        "customer_share": list(shares),
        "n_customers": n_customers,
        "value": value.tolist(),
        "value_share": (value / total).tolist() if total > 0 else [None] * len(shares),
    }
    floats = [name for name in columns if not name.startswith("n_")]
    return small_table(columns, floats=floats, frame=frame, like=customers)


def gini(customers: IntoFrame, *, by: str = "total_amount") -> float:
    """Gini coefficient of value among customers.

    0 where all customers have the same value, near 1 where one customer has everything. Compare
    like with like: a longer period or a wider customer base changes it too.

    Parameters
    ----------
    customers
        One row per customer. Customers of unknown value are left out. A lazy table is run, to
        collect its distinct values.
    by
        The measure of value.

    Returns
    -------
    The Gini coefficient of these customers, without correction for a sample. With values below
    0 it can exceed 1; use `crmkit.tiers.whale` then.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks `by`, or it is not finite.
    FitError
        If no value is known, or the total is not above 0.

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
    require_column_name(by, argument="by")
    frame = frames.read(customers, customers_with(by))
    values, counts = distribution(frame, frames.known(by), name=by)
    total = total_above_zero(values, counts, name=by)
    n = int(counts.sum())
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float(2 * math.fsum(values * counts * mean_rank) / (n * total) - (n + 1) / n)


def whale(customers: IntoFrameT, *, by: str = "profit") -> IntoFrameT:
    """Whale curve: peak of cumulative profit, and the losses beyond it.

    Added up from the most profitable customer on, profit rises to a peak and then falls with
    each customer who makes a loss. How costs are allocated to customers decides its shape.

    Parameters
    ----------
    customers
        One row per customer. Customers of unknown profit are left out. A lazy table is run, to
        collect its distinct values.
    by
        The measure of profit, below 0 for a loss.

    Returns
    -------
    One row; `crmkit.tiers.concentration` gives the curve itself:

    =================  =====  ===============================================================
    ``n_customers``    int    customers of known profit
    ``n_at_peak``      int    customers with a profit above 0
    ``peak``           float  cumulative profit at the peak: the sum of all profits above 0
    ``total``          float  total profit
    ``eroded``         float  `peak` less `total`: the losses of the other customers
    ``peak_multiple``  float  `peak` over `total`; null where the total is not above 0
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
    require_column_name(by, argument="by")
    frame = frames.read(customers, customers_with(by))
    values, counts = distribution(frame, frames.known(by), name=by)
    amounts = values * counts
    profitable = values > 0
    peak, total = math.fsum(amounts[profitable]), math.fsum(amounts)
    columns: dict[str, Sequence[Any]] = {
        "n_customers": [int(counts.sum())],
        "n_at_peak": [int(counts[profitable].sum())],
        "peak": [peak],
        "total": [total],
        "eroded": [peak - total],
        "peak_multiple": [peak / total if total > 0 else None],
    }
    floats = [name for name in columns if not name.startswith("n_")]
    return small_table(columns, floats=floats, frame=frame, like=customers)


def _best_first(frame: nw.LazyFrame[Any], by: str) -> tuple[Floats, Floats]:
    """Add up the best 0, 1, 2, ... customers, at each count where the value changes."""
    values, counts = distribution(frame, frames.known(by), name=by)
    amounts = np.cumsum((values * counts)[::-1])
    return np.append(0.0, amounts), np.append(0.0, np.cumsum(counts[::-1]))


def _checked_shares(shares: Sequence[float]) -> tuple[float, ...]:
    example = "(0.01, 0.05, 0.20, 1)"
    given = require_numbers(shares, argument="shares", example=example)
    rising = all(a < b for a, b in zip((0.0, *given), given, strict=False))
    if not (rising and given and given[-1] <= 1):
        msg = (
            "`shares` must be in rising order, above 0 and at most 1, "
            f"got {shown(shares)}.\nWrite {example}."
        )
        raise InvalidArgumentError(msg)
    return given
