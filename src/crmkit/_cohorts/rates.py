"""Retention rates with denominators and intervals, and the pooled rate of all cohorts."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words.rates import require_level
from crmkit.errors import MissingColumnsError
from crmkit.tables import RETENTION

RATES: Final = ("n_eligible", "n_retained", "retention_rate", "lower", "upper")

_WINDOW_KEYS: Final = ("period", "from_day", "to_day")


def pooled(rates: IntoFrameT, *, level: float = 0.95) -> IntoFrameT:
    """Retention rate of all cohorts together, with intervals.

    Retained customers of all cohorts over eligible customers of all cohorts: each customer has
    the same weight, a cohort that is too young has none, and a cohort that lost everybody
    counts in full. None of this holds for the mean of the cohorts' rates.

    Parameters
    ----------
    rates
        One row per cohort and window or period, as made by `retention` or
        `calendar_retention`; leave rows out to pool some cohorts only.
    level
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    One row per window (`from_day`, `to_day`) or `period`, sorted by it (a lazy table is not
    sorted):

    ==================  =====  ============================================================
    ``n_customers``     int    customers of all cohorts, eligible or not
    ``n_eligible``      int    eligible customers of all cohorts
    ``n_retained``      int    those of them who came back; null if none is eligible
    ``retention_rate``  float  `n_retained` / `n_eligible`; null if none is eligible
    ``lower``           float  lower end of the interval for the rate
    ``upper``           float  upper end
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `rates` breaks its contract.
    InvalidArgumentError
        If `level` is not between 0 and 1.

    Notes
    -----
    Late windows are known for old cohorts only. If these were better or worse than young
    cohorts, the pooled curve moves for that reason alone.

    Examples
    --------
    >>> import pandas as pd
    >>> rates = pd.DataFrame(
    ...     {
    ...         "cohort": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]),
    ...         "period": [1, 1, 1],
    ...         "cohort_size": [90, 10, 50],
    ...         "n_eligible": [90, 10, 0],
    ...         "n_retained": [27, 9, None],
    ...     }
    ... )
    >>> print(pooled(rates).round(2).to_string(index=False))
     period  n_customers  n_eligible  n_retained  retention_rate  lower  upper
          1          150         100          36            0.36   0.27   0.46
    """
    z = normal_quantile(level)
    cells = frames.read(rates, RETENTION)
    keys = [name for name in _WINDOW_KEYS if frames.has(cells, name)]
    if not keys:
        msg = (
            f"{RETENTION.name}: no column {frames.quoted(_WINDOW_KEYS)} among "
            f"{frames.quoted(cells.collect_schema().names())}.\n"
            f"Build this table with {RETENTION.made_by}()."
        )
        raise MissingColumnsError(msg)
    summed = (
        cells.group_by(*keys)
        .agg(
            nw.col("cohort_size").sum().alias("n_customers"),
            nw.col("n_eligible").sum(),
            nw.col("n_retained").sum(),
        )
        .with_columns(nw.col("n_customers", "n_eligible", "n_retained").cast(nw.Int64))
    )
    result = with_rates(summed, z=z).select(*keys, "n_customers", *RATES)
    return frames.give(result, like=rates, order_by=keys)


def with_rates(counted: frames.Frame, *, z: float) -> frames.Frame:
    """Divide retained by eligible customers, with Wilson's interval; null if none is eligible."""
    known = nw.col("n_eligible") > 0
    counted = frames.with_columns(counted, n_retained=nw.when(known).then(nw.col("n_retained")))
    n = nw.when(known).then(nw.col("n_eligible")).cast(nw.Float64)
    k = nw.col("n_retained").cast(nw.Float64)
    middle = (k + z * z / 2) / (n + z * z)
    half_width = (k * (n - k) / n + z * z / 4).sqrt() * z / (n + z * z)
    return frames.with_columns(
        counted,
        retention_rate=k / n,
        # At 0 and at n retained an end is 0 or 1 up to rounding, which may exceed the range.
        lower=(middle - half_width).clip(0.0, 1.0),
        upper=(middle + half_width).clip(0.0, 1.0),
    )


def normal_quantile(level: float) -> float:
    """Convert a level to the half-width of the interval in standard errors."""
    require_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)
