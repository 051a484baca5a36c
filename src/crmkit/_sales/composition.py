"""What sales are made of, and how far that is from what was aimed at."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._sales import ledger
from crmkit._words.arguments import did_you_mean, is_number, require_column_name, shown
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError

_MADE: Final = ("amount", "amount_share", "cumulative_share", "target_share", "share_gap")
_EXAMPLE: Final = '{"tea": 0.6, "coffee": 0.4}'
_CLOSE: Final = 1e-6


def composition(
    table: IntoFrameT,
    *,
    by: str | Sequence[str],
    within: str | Sequence[str] | None = None,
    value: str = "amount",
    target: Mapping[Any, float] | IntoFrame | None = None,
) -> IntoFrameT:
    """Composition of sales: share of each group, cumulative, and against a target.

    The assumption that most often fails is that a share says how a group does: it falls where
    others grow faster. `crmkit.sales.growth` has both.

    Parameters
    ----------
    table
        Orders, or any table with the columns of `by` and `value`. A lazy table is run.
    by
        A column, or several, whose groups make up the whole.
    within
        Columns whose groups are a whole each, such as the region.
    value
        The column of numbers that is added up.
    target
        What the shares should be, as fractions: a mapping from the value of `by`, or a table with
        the columns of `within` and `by` and ``target_share``.

    Returns
    -------
    One row per group, by `within`, then the largest first (a lazy table is not sorted):

    ====================  =====  ============================================================
    columns of `within`   as in  the whole
    columns of `by`       as in  the group; null where it is unknown
    ``amount``            float  sum of `value`
    ``amount_share``      float  share of the whole; null where that is not above 0
    ``cumulative_share``  float  share of this group and all above it
    ``target_share``      float  with `target`: what the share should be; null without one
    ``share_gap``         float  share less target share
    ====================  =====  ============================================================

    A group with a target and no row has an amount of 0.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `table` lacks a column, a number is unknown, or a column of `by` is null throughout.
    InvalidArgumentError
        If an argument is outside its range, a target is below 0, or targets of one whole sum to
        more than 1, or to less though every group has one.

    Warns
    -----
    CrmkitWarning
        If a group with a target has no row, or the groups sum to 0 or below.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {"product": ["tea", "coffee", "tea", "cake"], "amount": [30.0, 50.0, 10.0, 10.0]}
    ... )
    >>> target = {"tea": 0.6, "coffee": 0.3, "cake": 0.1}
    >>> found = composition(orders, by="product", target=target)
    >>> print(found.round(3).to_string(index=False))
    product  amount  amount_share  cumulative_share  target_share  share_gap
     coffee    50.0           0.5               0.5           0.3        0.2
        tea    40.0           0.4               0.9           0.6       -0.2
       cake    10.0           0.1               1.0           0.1        0.0
    """
    require_column_name(value, argument="value")
    groups = ledger.require_by(by, made=_MADE)
    wholes = () if within is None else ledger.require_by(within, made=_MADE, argument="within")
    names = (*wholes, *groups)
    if len(set(names)) < len(names) or value in names:
        msg = "`by`, `within` and `value` must name different columns."
        raise InvalidArgumentError(msg)
    frame = ledger.read_groups(table, names, value=value, name="sales")
    numbers = frame.select(*names, crmkit_value=frames.known(value))
    data = numbers.group_by(*names).agg(nw.col("crmkit_value").sum()).collect()
    keys = ledger.keys_of(data, names)
    ledger.require_known(keys, names, table="sales")
    amounts = dict(zip(keys, ledger.number(data, "crmkit_value").tolist(), strict=True))
    targets = None if target is None else _targets(target, wholes=wholes, groups=groups)
    if targets is not None:
        _require_sums(targets, amounts, n=len(wholes))
        _warn_of_absent(targets, amounts)
        amounts |= dict.fromkeys((key for key in targets if key not in amounts), 0.0)
    columns = _laid_out(amounts, targets, names=names, n=len(wholes))
    return frames.give(ledger.laid_out(columns, like=frame, keys=names), like=table)


def _laid_out(
    amounts: Mapping[ledger.Key, float],
    targets: Mapping[ledger.Key, float] | None,
    *,
    names: Sequence[str],
    n: int,
) -> dict[str, Any]:
    rank = sorted(
        amounts,
        key=lambda key: (ledger.sort_key(key[:n]), -amounts[key], ledger.sort_key(key[n:])),
    )
    totals: dict[ledger.Key, float] = {}
    for key in rank:
        totals[key[:n]] = totals.get(key[:n], 0.0) + amounts[key]
    below = [total for total in totals.values() if total <= 0]
    if below:
        msg = f"{len(below)} of {len(totals)} sums are 0 or below; shares of them are null."
        warnings.warn(msg, CrmkitWarning, stacklevel=3)
    down: dict[ledger.Key, float] = {}
    share, cumulative = [], []
    for key in rank:
        whole = totals[key[:n]]
        down[key[:n]] = down.get(key[:n], 0.0) + amounts[key]
        share.append(amounts[key] / whole if whole > 0 else math.nan)
        cumulative.append(down[key[:n]] / whole if whole > 0 else math.nan)
    columns: dict[str, Any] = {name: [key[i] for key in rank] for i, name in enumerate(names)}
    columns |= {
        "amount": np.array([amounts[key] for key in rank], dtype=float),
        "amount_share": np.array(share, dtype=float),
        "cumulative_share": np.array(cumulative, dtype=float),
    }
    if targets is not None:
        aimed = np.array([targets.get(key, math.nan) for key in rank], dtype=float)
        columns |= {"target_share": aimed, "share_gap": columns["amount_share"] - aimed}
    return columns


def _targets(
    target: Any,  # noqa: ANN401 - a mapping or a table
    *,
    wholes: Sequence[str],
    groups: Sequence[str],
) -> dict[ledger.Key, float]:
    """Take the target share of each group, from a mapping or a table."""
    if isinstance(target, Mapping):
        if wholes or len(groups) > 1:
            msg = (
                "`target` must be a table where there is `within`, or `by` names several columns.\n"
                "Give their columns and `target_share`."
            )
            raise InvalidArgumentError(msg)
        wrong = [v for v in target.values() if not (is_number(v) and 0 <= v <= 1)]
        if wrong or not target:
            what = f"got {shown(wrong[0])}" if wrong else "got none"
            msg = f"`target` must give shares from 0 to 1, {what}.\nWrite {_EXAMPLE}."
            raise InvalidArgumentError(msg)
        return {(frames.plain(key),): float(share) for key, share in target.items()}
    names = (*wholes, *groups)
    frame = ledger.read_groups(target, names, value="target_share", name="targets", least=0)
    data = frame.select(*names, "target_share").collect()
    keys, shares = ledger.keys_of(data, names), ledger.number(data, "target_share")
    if len(set(keys)) < len(keys):
        twice = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
        msg = (
            f"targets: {ledger.shown(twice)} has more than one target.\nKeep one row of each group."
        )
        raise InvalidRowsError(msg, n_rows=len(keys) - len(set(keys)), examples=tuple(twice[:3]))
    return dict(zip(keys, shares.tolist(), strict=True))


def _require_sums(
    targets: Mapping[ledger.Key, float], amounts: Mapping[ledger.Key, float], *, n: int
) -> None:
    sums: dict[ledger.Key, float] = {}
    for key, share in targets.items():
        sums[key[:n]] = sums.get(key[:n], 0.0) + share
    whole = {key[:n] for key in amounts if key not in targets}
    for group, total in sums.items():
        is_short = total < 1 - _CLOSE and group not in whole
        if total > 1 + _CLOSE or is_short:
            of = f" of {ledger.shown([group])}" if group else ""
            msg = f"`target`: the shares{of} sum to {total:g}.\nShares of one whole sum to 1."
            raise InvalidArgumentError(msg)


def _warn_of_absent(
    targets: Mapping[ledger.Key, float], amounts: Mapping[ledger.Key, float]
) -> None:
    absent = [key for key in targets if key not in amounts]
    if absent:
        msg = absence(absent, [key for key in amounts if key not in targets])
        warnings.warn(msg, CrmkitWarning, stacklevel=3)


def absence(absent: Sequence[ledger.Key], others: Sequence[ledger.Key]) -> str:
    """Say which groups have a target and no row, and which name may have been meant."""
    near = did_you_mean(" / ".join(map(str, absent[0])), [" / ".join(map(str, k)) for k in others])
    return f"{len(absent)} groups with a target have no sales: {ledger.shown(absent)}.{near}"
