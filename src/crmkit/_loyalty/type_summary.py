"""How many customers and how much profit each type holds, and whether the types say more."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_column_name
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

_LEVEL: Final = 0.05
_GROUP: Final = "crmkit_type"


def type_summary(
    typed: IntoFrameT,
    *,
    by: str = "loyalty_class",
    profit: str | None = None,
    scores: tuple[str, str] | None = None,
    outcome: str | None = None,
) -> IntoFrameT:
    """Share of customers and profit in each type, and whether types add to scores.

    Types cut two scores in halves. With `scores` and `outcome`, a test says whether the types
    foretell the outcome beyond the scores themselves; where they do not, rank by the scores.

    Parameters
    ----------
    typed
        One row per customer, as made by `crmkit.loyalty.types` or `profit_types`. A lazy table is
        run.
    by
        The column of the types.
    profit
        A column of profit, or of money.
    scores
        The two columns that the types were made of, for the test.
    outcome
        A column of what happened afterwards, such as the spend of the next year, for the test.

    Returns
    -------
    One row per type, the largest first:

    ==================  =====  ============================================================
    *by*                text   type; null where it is unknown
    ``n_customers``     int    customers
    ``customer_share``  float  share of all customers
    ``type_profit``     float  with `profit`: their profit; null where nobody's is known
    ``profit_share``    float  share of all profit; null where that is not above 0
    ``mean_outcome``    float  with `outcome`: mean of the known outcomes
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `typed` lacks a column, or a customer is there twice.
    InvalidArgumentError
        If only one of `scores` and `outcome` is given, or too few customers are known to test.

    Warns
    -----
    CrmkitWarning
        If the types add nothing to the two scores: the F-test of the dummies of the types, beside
        both scores in a linear regression of the outcome, has a p value of 5 % or more.

    References
    ----------
    Garland, R. & Gendall, P. (2004). Testing Dick and Basu's customer loyalty model. *Australasian
    Marketing Journal* 12(3), 81-87: two main effects predicted as well as the four types.

    Examples
    --------
    >>> import pandas as pd
    >>> typed = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "loyalty_class": ["premium", "latent", "premium", "inertia"],
    ...         "margin": [60.0, 10.0, 20.0, 10.0],
    ...     }
    ... )
    >>> found = type_summary(typed, profit="margin")
    >>> print(found.to_string(index=False))
    loyalty_class  n_customers  customer_share  type_profit  profit_share
          premium            2            0.50         80.0           0.8
          inertia            1            0.25         10.0           0.1
           latent            1            0.25         10.0           0.1
    """
    require_column_name(by, argument="by")
    if (scores is None) != (outcome is None):
        msg = "`scores` and `outcome` go together.\nGive both for the test, or none."
        raise InvalidArgumentError(msg)
    pair = _pair(scores)
    numbers = [(profit, "profit"), (outcome, "outcome"), *((name, "scores") for name in pair)]
    columns = [Column("customer_id", "key", "who"), Column(by, "key", "type", nullable=True)]
    for name, argument in numbers:
        if name is not None:
            require_column_name(name, argument=argument)
            columns.append(Column(name, "number", argument, nullable=True, made_by=NOT_MADE))
    table = Table(
        name="typed customers",
        row="one customer",
        made_by="crmkit.loyalty.types",
        columns=tuple({column.name: column for column in columns}.values()),
        one_row_each="customer_id",
    )
    frame = frames.read(typed, table)
    named = [name for name, _ in numbers if name is not None]
    data = frame.select(
        nw.col(by).cast(nw.String).alias(_GROUP),
        *(frames.known(name).alias(f"crmkit_{name}") for name in dict.fromkeys(named)),
    ).collect()
    groups = np.array([x if isinstance(x, str) else "" for x in data[_GROUP].to_list()], dtype=str)
    values = {name: data[f"crmkit_{name}"].to_numpy().astype(float) for name in named}
    made = _summed(groups, values, profit=profit, outcome=outcome)
    if outcome is not None:
        _test(groups, np.column_stack([values[name] for name in pair]), values[outcome])
    result = frames.table_like({by: made.pop(_GROUP), **made}, like=frame)
    floats = [nw.col(name).cast(nw.Float64) for name in made if name != "n_customers"]
    return frames.give(result.with_columns(*floats), like=typed)


def _pair(scores: object) -> tuple[str, ...]:
    if scores is None:
        return ()
    is_pair = isinstance(scores, tuple | list) and len(scores) == len(("attitude", "repeat"))
    if not is_pair or not all(isinstance(each, str) for each in scores):  # type: ignore[attr-defined] # a pair
        msg = '`scores` must name two columns.\nWrite ("liking", "repeat_share").'
        raise InvalidArgumentError(msg)
    return tuple(scores)  # type: ignore[arg-type] # a pair


def _summed(
    groups: npt.NDArray[Any],
    values: dict[str, npt.NDArray[np.float64]],
    *,
    profit: str | None,
    outcome: str | None,
) -> dict[str, list[Any]]:
    names, place, n = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.lexsort((names, -n))

    def ordered(numbers: npt.NDArray[np.float64]) -> list[float | None]:
        return [x if np.isfinite(x) else None for x in numbers[order].tolist()]

    made: dict[str, list[Any]] = {
        _GROUP: [name or None for name in names[order].tolist()],
        "n_customers": n[order].tolist(),
        "customer_share": ordered(n / max(1, len(groups))),
    }
    for column, name in ((profit, "type_profit"), (outcome, "mean_outcome")):
        if column is None:
            continue
        known = np.isfinite(values[column])
        sums = np.bincount(place[known], weights=values[column][known], minlength=len(names))
        counts = np.bincount(place[known], minlength=len(names))
        if name == "mean_outcome":
            made[name] = ordered(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
            continue
        total = sums.sum()
        made[name] = ordered(np.where(counts > 0, sums, np.nan))
        made["profit_share"] = ordered(sums / total if total > 0 else np.full(len(sums), np.nan))
    return made


def _test(
    groups: npt.NDArray[Any], scores: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]
) -> None:
    """Warn where types beside both scores do not lower the squared errors beyond chance."""
    known = np.isfinite(outcome) & np.isfinite(scores).all(axis=1) & (groups != "")
    names, place = np.unique(groups[known], return_inverse=True)
    y = outcome[known]
    base = np.column_stack([np.ones(len(y)), scores[known]])
    full = np.column_stack([base, np.eye(len(names))[place][:, 1:]])
    ranks = np.linalg.matrix_rank(base), np.linalg.matrix_rank(full)
    added, left = int(ranks[1] - ranks[0]), len(y) - int(ranks[1])
    if left < 1:
        msg = (
            f"typed customers: {len(y):,} have known scores and outcome, too few to test "
            f"{len(names)} types.\nLeave out `scores` and `outcome`."
        )
        raise InvalidArgumentError(msg)
    errors = [_squared_errors(matrix, y) for matrix in (base, full)]
    p_value = 1.0
    if added and errors[1] > 0:
        ratio = (errors[0] - errors[1]) / added / (errors[1] / left)
        p_value = float(importlib.import_module("scipy.special").fdtrc(added, left, max(ratio, 0)))
    elif added and errors[0] > 0:
        p_value = 0.0
    if p_value >= _LEVEL:
        msg = (
            f"The types add nothing to the two scores (F-test of {added} and {left} degrees, "
            f"p = {p_value:.2f}).\nRank by the scores."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=3)


def _squared_errors(matrix: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    fitted = matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0]
    return float(((y - fitted) ** 2).sum())
