"""What has moved between two tables of features: the shares of each column's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.stability import movement
from crmkit.tables import DRIFT_INPUT

Frame = nw.LazyFrame[Any]

_NOT_FEATURES: Final = ("customer_id", "date", "horizon_days")
_BINS: Final = 10
_UNKNOWN: Final = "unknown"


def drift(then: IntoFrameT, *, now: IntoFrame) -> IntoFrameT:
    """Population stability index (PSI) of each feature and score between two tables.

    A model learned from customers of a kind that has become rare deserves a new look. The PSI
    shows that customers have changed, not that the model has become wrong: features can move
    while the model holds, and the model can fail while nothing moves.

    Parameters
    ----------
    then
        Features, a panel or scores of the time when the model was fitted, one row per customer.
        A lazy table is run once for each column.
    now
        The same columns of today, on any engine. Columns of one table only are left out.

    Returns
    -------
    One row per column that both have, without ids and dates, by falling PSI:

    ==========  =====  =====================================================================
    ``column``  text   the feature or score
    ``psi``     float  population stability index; 0 where nothing has moved; null where a
                       table has no rows
    ``chance``  float  what two samples of these sizes would stay below in 95 of 100 cases, if
                       nothing had moved
    ``change``  text   ``"little"``, ``"moderate"`` from 0.1 on, ``"large"`` from 0.25 on;
                       ``"little"`` also where chance alone explains the PSI
    ==========  =====  =====================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract.
    InvalidArgumentError
        If the tables share no column, or one that is a number in one and not in the other.

    Notes
    -----
    ``psi = sum((actual - expected) ln(actual / expected))`` over classes: numbers fall into ten
    classes with about the same number of customers in `then`, fewer where values repeat; text
    and flags have a class for each value; what is unknown is a class of its own. An empty class
    counts as half a customer.

    References
    ----------
    Siddiqi, N. (2006). *Credit Risk Scorecards*. Wiley.

    Yurdakul, B. (2018). *Statistical Properties of Population Stability Index*. Dissertation,
    Western Michigan University.

    Examples
    --------
    >>> import pandas as pd
    >>> then = pd.DataFrame({"customer_id": range(400), "plan": [*"abcd"] * 100})
    >>> plans = ["a"] * 80 + ["b"] * 100 + ["c"] * 100 + ["d"] * 120
    >>> now = pd.DataFrame({"customer_id": range(400), "plan": plans})
    >>> print(drift(then, now=now).round(4).to_string(index=False))
    column    psi  chance change
      plan 0.0203  0.0391 little
    """
    before, after = (frames.read(table, DRIFT_INPUT) for table in (then, now))
    kinds, others = (dict(frame.collect_schema()) for frame in (before, after))
    names = [name for name in kinds if name in others and name not in _NOT_FEATURES]
    names = [name for name in names if _is_feature(kinds[name])]
    if not names:
        msg = "features: the two tables share no feature.\nGive two tables of the same columns."
        raise InvalidArgumentError(msg)
    rows = [_of_column(name, before, after, kinds, others) for name in names]
    rows.sort(key=lambda row: (-(row["psi"] or 0.0), row["column"]))
    columns = {name: [row[name] for row in rows] for name in ("column", "psi", "chance", "change")}
    table = frames.table_like(columns, like=frames.reopen(then))
    known = [nw.when(~nw.col(n).is_nan()).then(nw.col(n)).alias(n) for n in ("psi", "chance")]
    return frames.give_in_order(table.with_columns(*known), like=then)


def _of_column(
    name: str,
    before: Frame,
    after: Frame,
    kinds: Mapping[str, Any],
    others: Mapping[str, Any],
) -> dict[str, Any]:
    is_number = kinds[name].is_numeric()
    if is_number != others[name].is_numeric():
        msg = (
            f"features: `{name}` has type {kinds[name]} then and {others[name]} now.\n"
            "Cast one to the type of the other."
        )
        raise InvalidArgumentError(msg)
    tallies = [_tally(frame, name, is_number=is_number) for frame in (before, after)]
    if is_number:
        cuts = _cuts(tallies[0])
        tallies = [_in_classes(tally, cuts) for tally in tallies]
    classes = sorted({*tallies[0], *tallies[1]}, key=str)
    expected, actual = ([tally.get(each, 0) for each in classes] for tally in tallies)
    sizes = sum(expected), sum(actual)
    if not all(sizes):
        return {"column": name, "psi": np.nan, "chance": np.nan, "change": "little"}
    psi, chance, change = movement(expected, actual)
    return {"column": name, "psi": psi, "chance": chance, "change": change}


def _is_feature(kind: Any) -> bool:  # noqa: ANN401 - a type of narwhals
    is_text = kind in (nw.String, nw.Categorical, nw.Enum)
    return bool(kind.is_numeric() or is_text or kind == nw.Boolean)


def _tally(frame: Frame, name: str, *, is_number: bool) -> dict[Any, int]:
    """Count each distinct value, the unknown together."""
    value = frames.known(name) if is_number else nw.col(name).cast(nw.String).fill_null(_UNKNOWN)
    counted = frame.select(value=value).group_by("value").agg(nw.len().alias("n_rows"))
    columns = frames.collect(counted, "value", "n_rows")
    found: dict[Any, int] = {}
    for each, n in zip(columns["value"].tolist(), columns["n_rows"].tolist(), strict=True):
        is_known = not is_number or each == each  # noqa: PLR0124 - NaN differs from itself
        key = each if is_known else _UNKNOWN
        found[key] = found.get(key, 0) + int(n)
    return found


def _cuts(tally: Mapping[Any, int]) -> list[float]:
    """Divide the known values of the first table into classes of about one size."""
    known = sorted((value, n) for value, n in tally.items() if value != _UNKNOWN)
    values = np.array([value for value, _ in known], dtype=np.float64)
    reached = np.cumsum([n for _, n in known])
    if not len(values):
        return []
    wanted = reached[-1] * np.arange(1, _BINS) / _BINS
    at = np.unique(np.searchsorted(reached, wanted))
    return [float(value) for value in values[at] if value < values[-1]]


def _in_classes(tally: Mapping[Any, int], cuts: list[float]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for value, n in tally.items():
        key = value if value == _UNKNOWN else int(np.searchsorted(cuts, value, side="left"))
        found[key] = found.get(key, 0) + n
    return found
