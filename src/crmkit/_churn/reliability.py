"""Reliability of churn risk: what was said beside what happened."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.calibration import CalibrationMethod
from crmkit._churn.fit_calibration import cross_fitted
from crmkit._churn.held_out import held_out_risk
from crmkit._door import frames
from crmkit._words.arguments import require_choice, require_whole
from crmkit._words.rates import require_level
from crmkit.models.numerics.proportions import wilson

_MOST_BINS: Final = 1000


def reliability(
    customers: IntoFrameT,
    *,
    method: CalibrationMethod = "identity",
    bins: int = 10,
    level: float = 0.9,
) -> IntoFrameT:
    """Compare stated churn risk with the share who bought nothing, by groups of risk.

    Where `said` lies between `low` and `high` in most rows, the risk can be taken at its word.

    Parameters
    ----------
    customers
        One row per customer of `crmkit.rfm.holdout`, with `churn_risk` from
        `crmkit.churn.risk`: of a model fitted up to the split, over the days of the holdout
        period.
    method
        How the risk is calibrated before, the `method` of a `RiskCalibration`: each fifth of
        the customers by a curve learned from the others. "identity" takes it as it is.
    bins
        Number of groups, of as many customers each.
    level
        Coverage of the interval of the share.

    Returns
    -------
    One row per group, rising by risk; customers of equal risk may fall in two groups:

    ===============  =====  ===============================================================
    ``bin``          int    1, 2, ...
    ``n_customers``  int    customers in the group
    ``said``         float  their mean stated risk
    ``happened``     float  share of them who made no purchase in the holdout period
    ``low``          float  lower end of the interval of that share
    ``high``         float  upper end
    ===============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `bins` is not a whole number from 1 to 1,000, `level` is not between 0 and 1, or
        `method` is unknown.

    Notes
    -----
    The interval is Wilson's. At most about 200,000 customers come to this machine, drawn by a
    hash of `customer_id`.

    References
    ----------
    Murphy, A. H. & Winkler, R. L. (1977). Reliability of subjective probability forecasts of
    precipitation and temperature. *Applied Statistics* 26(1), 41-47.
    https://doi.org/10.2307/2346866. Wilson, E. B. (1927). Probable inference, the law of
    succession, and statistical inference. *Journal of the American Statistical Association*
    22(158), 209-212. https://doi.org/10.1080/01621459.1927.10502953

    Examples
    --------
    Of four with a low risk one bought nothing, of four with a high risk three.

    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": list("abcdefgh"),
    ...         "churn_risk": [0.2] * 4 + [0.7] * 4,
    ...         "frequency_holdout": [1, 2, 1, 0, 0, 0, 0, 5],
    ...         "duration_holdout": [91] * 8,
    ...     }
    ... )
    >>> print(reliability(customers, bins=2).round(2).to_string(index=False))
     bin  n_customers  said  happened  low  high
       1            4   0.2      0.25 0.06  0.64
       2            4   0.7      0.75 0.36  0.94
    """
    require_choice(method, ("identity", "platt", "isotonic"), argument="method")
    require_whole(bins, argument="bins", least=1, most=_MOST_BINS, advice="Write 10.")
    require_level(level)
    held_out = held_out_risk(customers)
    said = cross_fitted(held_out, method)
    order = np.argsort(said, kind="stable")
    groups = [each for each in np.array_split(order, int(bins)) if len(each)]
    columns = _columns([(said[each], held_out.inactive[each]) for each in groups], level=level)
    return frames.give(frames.table_like(columns, like=frames.reopen(customers)), like=customers)


def _columns(groups: list[tuple[Any, Any]], *, level: float) -> dict[str, Any]:
    n = np.array([len(said) for said, _ in groups], dtype=float)
    k = np.array([inactive.sum() for _, inactive in groups], dtype=float)
    low, high = wilson(k, n, level=level)
    return {
        "bin": np.arange(1, len(groups) + 1, dtype=np.int64),
        "n_customers": n.astype(np.int64),
        "said": np.array([said.mean() for said, _ in groups], dtype=float),
        "happened": k / n,
        "low": low,
        "high": high,
    }
