"""Log-rank tests: whether contracts of several groups last equally long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from itertools import combinations
from typing import NamedTuple

import numpy as np
from narwhals.typing import IntoFrameT
from scipy.special import chdtrc

from crmkit._churn.survival import durations, result_table
from crmkit._churn.survival.durations import Spells
from crmkit._churn.survival.product_limit import n_at_risk, product_limit
from crmkit._churn.survival.result_table import whole
from crmkit._door.frames import Floats, Frame
from crmkit._words.arguments import require_column_name, require_zero_or_more


class Test(NamedTuple):
    """Ends observed and expected in each group, and how far they are apart."""

    observed: Floats
    expected: Floats
    chi_square: float
    degrees: int

    @property
    def p_value(self) -> float:
        """Probability of a chi-square as large by chance."""
        return float(chdtrc(self.degrees, self.chi_square)) if self.degrees else math.nan


def log_rank(
    contracts: IntoFrameT,
    *,
    by: str,
    as_of: date | str | None = None,
    observed_from: date | str | None = None,
    strata: str | None = None,
    rho: float = 0.0,
) -> IntoFrameT:
    """Log-rank test: whether contracts of several groups last equally long.

    It has most power where one group ends at a constant multiple of the other's rate, and little
    where the curves cross: look at them with `crmkit.churn.survival`.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`.
    by
        The column with the groups.
    as_of
        As in `crmkit.churn.survival`.
    observed_from
        As in `crmkit.churn.survival`.
    strata
        A column within whose values the groups are compared, so that a difference between these
        does not count, such as the year of the start.
    rho
        Weight of early ends, from G-rho: 0 is the log-rank test, 1 weighs each end by the survival
        just before (Peto and Peto), so that early ones count most.

    Returns
    -------
    One row per group, in order:

    ===============  =====  ===============================================================
    group            text   the group, under the name of `by`
    ``n_contracts``  int    contracts that were seen
    ``observed``     float  contracts that ended, weighted as `rho` says
    ``expected``     float  expected, if all groups lasted equally long
    ``chi_square``   float  the statistic, of all groups together
    ``degrees``      int    its degrees of freedom: groups less one
    ``p_value``      float  probability of a statistic as large by chance; null where no
                            contract ended that could have ended in another group
    ===============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.survival`; if `by` has one value only, or `rho` is not 0 or more.

    References
    ----------
    Harrington, D. P. & Fleming, T. R. (1982). A class of rank test procedures for censored
    survival data. *Biometrika* 69(3), 553-566. https://doi.org/10.1093/biomet/69.3.553

    Examples
    --------
    >>> import pandas as pd
    >>> followed = pd.DataFrame(
    ...     {"duration": [1, 2, 3, 4], "event": [1, 1, 1, 1], "plan": ["a", "a", "b", "b"]}
    ... )
    >>> found = log_rank(followed, by="plan")
    >>> print(found[["plan", "observed", "expected", "degrees"]].round(2).to_string(index=False))
    plan  observed  expected  degrees
       a       2.0      0.83        1
       b       2.0      3.17        1
    """
    frame, spells = _read(contracts, as_of, observed_from, by=by, strata=strata, rho=rho)
    groups = spells.groups("by")
    test = _test(spells, list(groups), rho=rho)
    columns = {
        by: np.array(list(groups), dtype=object),
        "n_contracts": whole(np.array([part.n.sum() for part in groups.values()])),
        "observed": test.observed,
        "expected": test.expected,
        "chi_square": np.full(len(groups), test.chi_square),
        "degrees": np.full(len(groups), test.degrees),
        "p_value": np.full(len(groups), test.p_value),
    }
    rest = {name: values for name, values in columns.items() if name != by}
    parts = [
        (group, {name: values[i : i + 1] for name, values in rest.items()})
        for i, group in enumerate(groups)
    ]
    return result_table.give(parts, by=by, frame=frame, like=contracts)


def log_rank_pairs(
    contracts: IntoFrameT,
    *,
    by: str,
    as_of: date | str | None = None,
    observed_from: date | str | None = None,
    strata: str | None = None,
    rho: float = 0.0,
) -> IntoFrameT:
    """Log-rank test of each pair of groups, corrected for their number (Holm).

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`.
    by
        The column with the groups.
    as_of
        As in `crmkit.churn.survival`.
    observed_from
        As in `crmkit.churn.survival`.
    strata
        As in `crmkit.churn.log_rank`.
    rho
        As in `crmkit.churn.log_rank`.

    Returns
    -------
    One row per pair of groups, in order:

    ================  =====  ============================================================
    ``group``         text   one group
    ``other``         text   the other
    ``chi_square``    float  the statistic of the two alone, of one degree of freedom
    ``p_value``       float  probability of a statistic as large by chance
    ``p_value_holm``  float  the same, corrected for the number of pairs
    ================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.log_rank`.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian
    Journal of Statistics* 6(2), 65-70.

    Examples
    --------
    >>> import pandas as pd
    >>> followed = pd.DataFrame(
    ...     {"duration": range(1, 13), "event": 1, "plan": list("aaaabbbbcccc")}
    ... )
    >>> found = log_rank_pairs(followed, by="plan")
    >>> print(found[["group", "other", "p_value_holm"]].round(3).to_string(index=False))
    group other  p_value_holm
        a     b          0.02
        a     c          0.02
        b     c          0.02
    """
    frame, spells = _read(contracts, as_of, observed_from, by=by, strata=strata, rho=rho)
    pairs = list(combinations(spells.groups("by"), 2))
    tests = []
    for pair in pairs:
        two = spells.where(np.isin(spells.keys["by"].astype(str), pair))
        tests.append(_test(two, list(pair), rho=rho))
    p = np.array([test.p_value for test in tests])
    columns = {
        "group": np.array([one for one, _ in pairs], dtype=object),
        "other": np.array([other for _, other in pairs], dtype=object),
        "chi_square": np.array([test.chi_square for test in tests]),
        "p_value": p,
        "p_value_holm": holm(p),
    }
    return result_table.give([("", columns)], by=None, frame=frame, like=contracts)


def holm(p: Floats) -> Floats:
    """Correct p-values for their number; unknown ones stay and do not count."""
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected


def _read(
    contracts: IntoFrameT,
    as_of: date | str | None,
    observed_from: date | str | None,
    *,
    by: str,
    strata: str | None,
    rho: float,
) -> tuple[Frame, Spells]:
    require_column_name(by, argument="by")
    require_zero_or_more(
        rho, argument="rho", advice="Write 0 for the log-rank test, 1 for Peto and Peto."
    )
    keys: Mapping[str, str | None] = {"by": by, "strata": strata}
    frame, spells = durations.read(contracts, as_of=as_of, observed_from=observed_from, keys=keys)
    durations.require_groups(spells, by=by)
    return frame, spells


def _test(spells: Spells, groups: list[str], *, rho: float) -> Test:
    """Add up what each stratum observed and expected, and the variance of the difference."""
    k = len(groups)
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for stratum in spells.groups("strata").values():
        curve = product_limit(stratum)
        ends = curve.n_event > 0
        time, n, d = curve.time[ends], curve.n_risk[ends], curve.n_event[ends]
        weight = np.concatenate([[1.0], curve.survival[:-1]])[ends] ** rho
        at_risk, ended = np.zeros((k, len(time))), np.zeros((k, len(time)))
        for i, name in enumerate(groups):
            mine = stratum.where(stratum.keys["by"] == name)
            at_risk[i] = n_at_risk(mine, time)
            place = np.searchsorted(time, mine.duration[mine.event])
            ended[i] = np.bincount(place, weights=mine.n[mine.event], minlength=len(time))
        share = at_risk / n
        observed += ended @ weight
        expected += share @ (weight * d)
        spread = weight**2 * d * np.where(n > 1, (n - d) / np.maximum(n - 1, 1), 0.0)
        variance += np.diag(share @ spread) - (share * spread) @ share.T
    seen = np.flatnonzero(expected > 0)
    degrees = max(len(seen) - 1, 0)
    if not degrees:
        return Test(observed, expected, math.nan, 0)
    inner = seen[:-1]
    off = (observed - expected)[inner]
    inverse = np.linalg.pinv(variance[np.ix_(inner, inner)])
    return Test(observed, expected, float(off @ inverse @ off), degrees)
