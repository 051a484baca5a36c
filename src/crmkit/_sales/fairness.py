"""Whether targets are equally hard for all who have them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._sales import ledger
from crmkit.tables import ATTAINMENT


def target_fairness(attainment: IntoFrameT) -> IntoFrameT:
    """Fairness of targets: how unequal the pace is, and whether size explains it.

    Targets are fair where being ahead depends on work and not on the target. The assumption that
    most often fails is that owners are alike: unequal pace may be unequal work.

    Parameters
    ----------
    attainment
        One row per owner, the table of `crmkit.sales.attainment`. A lazy table is run.

    Returns
    -------
    One row:

    ====================  =====  ============================================================
    ``n_groups``          int    owners with a target above 0 and a known pace
    ``pace_of_all``       float  all money / all that is expected by now
    ``pace_lowest``       float  lowest pace of an owner
    ``pace_median``       float  median pace
    ``pace_highest``      float  highest pace
    ``ahead_share``       float  share of owners with a pace of 1 or more
    ``pace_gini``         float  Gini coefficient of the pace: 0 where all have the same; null
                                 where one is below 0
    ``size_correlation``  float  rank correlation of target and pace: below 0 where large
                                 targets are met less; null for fewer than three owners or
                                 targets that are all alike
    ====================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table breaks its contract.

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things. *American
    Journal of Psychology* 15, 72-101.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "owner": ["eve", "max", "pia"],
    ...         "amount": [60.0, 90.0, 80.0],
    ...         "target_amount": [100.0, 200.0, 400.0],
    ...         "expected_amount": [50.0, 100.0, 200.0],
    ...         "attained_share": [0.6, 0.45, 0.2],
    ...         "pace": [1.2, 0.9, 0.4],
    ...         "projection": [120.0, 180.0, 160.0],
    ...         "projection_lower": [None] * 3,
    ...         "projection_upper": [None] * 3,
    ...     }
    ... ).astype({"projection_lower": float, "projection_upper": float})
    >>> found = target_fairness(table)
    >>> columns = ["n_groups", "pace_lowest", "pace_highest", "pace_gini", "size_correlation"]
    >>> print(found[columns].round(3).to_string(index=False))
     n_groups  pace_lowest  pace_highest  pace_gini  size_correlation
            3          0.4           1.2      0.213              -1.0
    """
    frame = frames.read(attainment, ATTAINMENT)
    names = ("amount", "target_amount", "expected_amount", "pace")
    data = frame.select(*names).collect()
    values = {name: ledger.number(data, name) for name in names}
    usable = np.isfinite(values["pace"]) & (values["target_amount"] > 0)
    amount, target, expected, pace = (values[name][usable] for name in names)
    n = len(pace)
    numbers = {
        "pace_of_all": amount.sum() / expected.sum() if n else math.nan,
        "pace_lowest": pace.min() if n else math.nan,
        "pace_median": np.median(pace) if n else math.nan,
        "pace_highest": pace.max() if n else math.nan,
        "ahead_share": (pace >= 1).mean() if n else math.nan,
        "pace_gini": _gini(pace),
        "size_correlation": _rank_correlation(target, pace),
    }
    columns: dict[str, Any] = {"n_groups": np.array([n], dtype=np.int64)}
    columns |= {name: np.array([value], dtype=float) for name, value in numbers.items()}
    return frames.give(ledger.laid_out(columns, like=frame), like=attainment)


def _gini(values: frames.Floats) -> float:
    """Give half the mean difference of all pairs over the mean."""
    total = float(values.sum())
    if not len(values) or values.min() < 0 or total <= 0:
        return math.nan
    ordered, n = np.sort(values), len(values)
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def _rank_correlation(a: frames.Floats, b: frames.Floats) -> float:
    first, second = _ranks(a), _ranks(b)
    if len(a) < 3 or first.std() == 0 or second.std() == 0:  # noqa: PLR2004 - two always agree
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: frames.Floats) -> frames.Floats:
    """Rank from the least on; equals have the mean of their ranks."""
    _, place, n = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(n)
    return (last - (n - 1) / 2)[place]
