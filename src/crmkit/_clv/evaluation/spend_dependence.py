"""Correlation of purchase frequency with spend per purchase, which spend models rule out."""

from __future__ import annotations

import math
import warnings
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._clv.fitting.histories import spend_histories
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import CrmkitWarning

_STRONG: Final = 0.3
_DIGITS: Final = 10


def spend_dependence(customers: IntoFrameT) -> IntoFrameT:
    """Correlate purchase frequency with spend per purchase.

    Spend models assume that the two are independent. If they are not, the value of frequent
    customers comes out too low, or too high if they spend less each time. One customer with a
    huge mean spend can make or hide Pearson's correlation; Spearman's uses ranks only.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.

    Returns
    -------
    One row. The distinct pairs of the two columns and their counts come to this machine.

    ===============  =====  ================================================================
    ``n_customers``  int    customers with a repeat purchase and repeat spend above 0, on
                            whom a spend model is fitted
    ``pearson``      float  correlation of `frequency` and `monetary_value` among them; null
                            where either does not vary
    ``spearman``     float  rank correlation of the two, ties at their middle rank; null
                            where either does not vary
    ===============  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or has no `monetary_value`.

    Warns
    -----
    CrmkitWarning
        If either correlation is above 0.3 or below -0.3.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for
    customer base analysis. *Journal of Marketing Research* 42(4), 415-430.
    https://doi.org/10.1509/jmkr.2005.42.4.415. Reports 0.11 for the sample below.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> print(spend_dependence(customers).round(2).to_string(index=False))
     n_customers  pearson  spearman
             946     0.11      0.21
    """
    (x, z), weights, _ = spend_histories(customers)
    z = _without_rounding(z, weights)
    pearson = _correlation(x, z, weights)
    spearman = _correlation(mid_ranks(x, weights), mid_ranks(z, weights), weights)
    strongest = max(pearson, spearman, key=abs)
    if abs(strongest) > _STRONG:
        more = "more" if strongest > 0 else "less"
        msg = (
            f"Customers who buy more often spend {more} each time (Pearson {pearson:.2f}, "
            f"Spearman {spearman:.2f}); a spend model assumes independence.\n"
            "Fit groups of customers apart, or take their value as rough."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=2)
    columns = {
        "n_customers": np.array([round(float(weights.sum()))], dtype=np.int64),
        "pearson": np.array([pearson]),
        "spearman": np.array([spearman]),
    }
    found = frames.table_like(columns, like=frames.reopen(customers))
    unknown_as_null = nw.col("pearson", "spearman").fill_nan(None)
    return frames.give(found.with_columns(unknown_as_null), like=customers)


def _without_rounding(amounts: Floats, weights: Floats) -> Floats:
    """Make values equal that differ in their last digits only, by the order of a sum."""
    _, place = np.unique(np.round(np.log(amounts), _DIGITS), return_inverse=True)
    means = np.bincount(place, weights * amounts) / np.bincount(place, weights)
    return means[place]


def _correlation(first: Floats, second: Floats, weights: Floats) -> float:
    """Pearson's correlation of rows that stand for several customers; NaN is unknown."""
    if not weights.size or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    first, second = (_centred(values, weights) for values in (first, second))
    spread = math.sqrt((weights @ first**2) * (weights @ second**2))
    return min(max(float(weights @ (first * second)) / spread, -1.0), 1.0)


def _centred(values: Floats, weights: Floats) -> Floats:
    """Subtract the mean, and scale so that no square overflows."""
    apart: Floats = values - np.average(values, weights=weights)
    apart /= np.abs(apart).max()
    return apart


def mid_ranks(values: Floats, weights: Floats) -> Floats:
    """Rank each value among all customers; ties get their middle rank."""
    _, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place, weights)
    ranks: Floats = np.cumsum(counts) - (counts - 1) / 2
    return ranks[place]
