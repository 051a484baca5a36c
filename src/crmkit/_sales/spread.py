"""A yearly target spread over months by a seasonal index, to the cent."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._sales import ledger
from crmkit._sales.season_value import SEASONS, SeasonalIndex, as_group, require_index, require_year
from crmkit._words.arguments import is_number, require_backend, require_zero_or_more
from crmkit.errors import CrmkitWarning
from crmkit.tables import SALES_TARGETS
from crmkit.typing import Backend

_CENTS: Final = 100
_FINEST: Final = 2**53
"""What a weight of 1 is in whole numbers."""
_MADE: Final = ("season", "starts", "ends", "seasonal_index", "period_target")


def spread(
    target: float | IntoFrame,
    *,
    index: SeasonalIndex,
    year: int | None = None,
    backend: Backend = "pandas",
) -> Any:  # noqa: ANN401 - a table of the library that the target came in
    """Spread yearly targets over months or quarters by the season, to the cent.

    Parameters
    ----------
    target
        The target of the year, as a number of 0 or more; or a table of them, one row per customer,
        product or owner, with ``target_amount``. A lazy table is run.
    index
        The seasonal index of `crmkit.sales.seasonal_index`. Where it has groups and the table
        their columns, each row is spread by the index of its group.
    year
        The calendar year of the target, for first and last days; an index by working day needs it.
    backend
        The library that makes the table where `target` is a number.

    Returns
    -------
    One row per row of `target` and month or quarter, in this order (a lazy table is not sorted),
    with the columns of `target` and:

    ==================  =====  ==============================================================
    ``season``          int    month from 1 to 12, or quarter from 1 to 4
    ``starts``          date   with `year`: first day of the period
    ``ends``            date   last day of it
    ``seasonal_index``  float  index of the period, with a mean of 1
    ``target_amount``   float  target of the year
    ``period_target``   float  target of the period, in whole cents
    ==================  =====  ==============================================================

    The targets of the periods sum to that of the year, rounded to the cent.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table has no ``target_amount``, or one that is null or below 0.
    InvalidArgumentError
        If an argument is outside its range, or the index needs a `year`.

    Warns
    -----
    CrmkitWarning
        If the index has groups, and none for a row of the table: it is spread by the whole.

    Notes
    -----
    Each period gets its share rounded down to the cent; the cents that are left go to the periods
    that lost most by it, the earlier one of equals (method of the largest remainder).

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import sales
    >>> index = sales.SeasonalIndex(
    ...     every="quarter",
    ...     method="means",
    ...     index=(0.8, 1.0, 0.9, 1.3),
    ...     noise=0.05,
    ...     years=3,
    ...     n_periods=12,
    ...     starts=date(2021, 1, 1),
    ...     ends=date(2023, 12, 31),
    ... )
    >>> print(spread(1000.01, index=index)[["season", "period_target"]].to_string(index=False))
     season  period_target
          1         200.00
          2         250.00
          3         225.00
          4         325.01
    """
    require_index(index, argument="index")
    calendar_year = None if year is None else require_year(year)
    require_backend(backend)
    if is_number(target):
        require_zero_or_more(target, argument="target", advice="Write 120000.")  # type: ignore[arg-type]
        columns = _columns({}, [()], [float(target)], index=index, year=calendar_year)  # type: ignore[arg-type]
        return frames.new_table(columns, backend=backend)
    frame = frames.read(target, SALES_TARGETS)  # type: ignore[type-var]
    data = frame.collect()
    carried = [name for name in data.columns if name not in {*_MADE, "target_amount"}]
    keys = ledger.keys_of(data, carried)
    targets = ledger.number(data, "target_amount").tolist()
    places = [carried.index(name) for name in index.within if name in carried]
    usable = len(places) == len(index.within) and bool(places)
    groups: list[Sequence[Any]] = [[key[i] for i in places] if usable else () for key in keys]
    if usable:
        _warn_of_unknown(groups, index)
    values = {name: [key[i] for key in keys] for i, name in enumerate(carried)}
    columns = _columns(values, groups, targets, index=index, year=calendar_year)
    return frames.give(ledger.laid_out(columns, like=frame, keys=carried), like=target)  # type: ignore[type-var]


def to_cents(target: float, weights: Sequence[float]) -> list[float]:
    """Split an amount by weights that sum to 1, in whole cents that sum to it."""
    total = round(target * _CENTS)
    parts = [round(weight * _FINEST) for weight in weights]  # whole numbers, so that none is lost
    split = [divmod(total * part, sum(parts)) for part in parts]
    cents = [whole for whole, _ in split]
    by_loss = sorted(range(len(split)), key=lambda i: (-split[i][1], i))
    for i in by_loss[: total - sum(cents)]:
        cents[i] += 1
    return [each / _CENTS for each in cents]


def _columns(
    values: dict[str, list[Any]],
    groups: Sequence[Sequence[Any]],
    targets: Sequence[float],
    *,
    index: SeasonalIndex,
    year: int | None,
) -> dict[str, Any]:
    n = SEASONS[index.every]
    weights = [index.weights(year=year, group=group or None) for group in groups]
    if not groups:
        index.weights(year=year)
    columns: dict[str, Any] = {
        name: [value for value in column for _ in range(n)] for name, column in values.items()
    }
    columns["season"] = np.tile(np.arange(1, n + 1), len(groups))
    if year is not None:
        numbers = np.arange((year - 1) * n, year * n)
        calendar = time.calendar(every=index.every, last=year * n - 1)
        for name in ("starts", "ends"):
            columns[name] = np.tile(calendar[name][numbers], len(groups))
    columns["seasonal_index"] = np.array([w * n for each in weights for w in each])
    columns["target_amount"] = np.repeat(np.asarray(targets, dtype=float), n)
    columns["period_target"] = np.array(
        [
            cent
            for target, each in zip(targets, weights, strict=True)
            for cent in to_cents(target, each)
        ]
    )
    return columns


def _warn_of_unknown(groups: Sequence[Sequence[Any]], index: SeasonalIndex) -> None:
    known = {each.group for each in index.groups}
    unknown = [group for group in dict.fromkeys(map(as_group, groups)) if group not in known]
    if unknown:
        msg = (
            f"The index has no group {ledger.shown(unknown)} ({len(unknown)} in all): such "
            "targets are spread by the whole."
        )
        warnings.warn(msg, CrmkitWarning, stacklevel=3)
