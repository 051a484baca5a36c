"""The groups that moved most, with new and gone ones apart."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger
from crmkit._words.arguments import require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import SALES_GROWTH

_LEFT_OUT: Final = ("dimensions", "is_complete", "amount_share", "share_change", "growth_finding")


def movers(table: IntoFrameT, *, most: int = 10, day: date | str | None = None) -> IntoFrameT:
    """Groups that moved most in a period: up and down, with new and gone ones apart.

    The assumption that most often fails is that a large change means something: of many groups
    some always move most. `crmkit.sales.trend` looks at more than two periods.

    Parameters
    ----------
    table
        The table of `crmkit.sales.growth`. A lazy one is run.
    most
        The largest number of rows of each kind.
    day
        A day within the period, as a date or ISO text; by default the last period that is over.

    Returns
    -------
    The groups of all dimensions, by kind in the order up, down, new, gone, the largest change of
    money first; the columns of `by`, ``starts``, ``ends``, ``amount``, ``base_amount``,
    ``amount_change``, ``growth``, ``growth_contribution``, ``customers`` and ``orders`` of that
    table, and:

    ==============  ====  ====================================================================
    ``mover``       text  "up" or "down"; "new" without money in the period compared with,
                          "gone" without any in this one
    ``mover_rank``  int   1 for the largest change of its kind
    ==============  ====  ====================================================================

    Groups that did not change are left out, and so are those of which the period compared with is
    unknown. "new" says no more than that nothing was sold in that period.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `table` breaks its contract.
    InvalidArgumentError
        If `most` is not a whole number of 1 or more, or no period with a comparison holds `day`.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import sales
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "ann", "ben", "dee"],
    ...         "date": pd.to_datetime(["2024-01-02"] * 3 + ["2024-02-10"] * 3),
    ...         "amount": [100.0, 50.0, 20.0, 120.0, 45.0, 30.0],
    ...     }
    ... )
    >>> table = sales.growth(orders, by="customer_id", every="month", as_of="2024-02-29")
    >>> found = movers(table)
    >>> print(found[["mover", "mover_rank", "customer_id", "amount_change"]].to_string(index=False))
    mover  mover_rank customer_id  amount_change
       up           1         ann           20.0
     down           1         ben           -5.0
      new           1         dee           30.0
     gone           1         cid          -20.0
    """
    require_whole(most, argument="most", least=1, advice="Write 10.")
    given = None if day is None else time.as_day(day, argument="day")
    frame = frames.read(table, SALES_GROWTH)
    data = frame.select(
        *(n for n in frame.collect_schema().names() if n not in {"mover", "mover_rank"})
    ).collect()
    starts, ends = (
        np.array([frames.plain(each) for each in data[name].to_list()], dtype=object)
        for name in ("starts", "ends")
    )
    change, base = ledger.number(data, "amount_change"), ledger.number(data, "base_amount")
    usable = np.isfinite(change) & _is_deepest(data)
    inside = usable & _of_period(starts, ends, usable=usable, day=given)
    amount = ledger.number(data, "amount")
    names = [name for name in data.columns if name not in _LEFT_OUT]
    dimensions = [name for name in names if name not in SALES_GROWTH.column_names]
    keys = ledger.keys_of(data, dimensions)
    both, moved = (base != 0) & (amount != 0), inside & (change != 0)
    kinds = {
        "up": moved & both & (change > 0),
        "down": moved & both & (change < 0),
        "new": moved & (base == 0),
        "gone": moved & (amount == 0),
    }
    chosen: list[tuple[str, int, int]] = []
    for kind, which in kinds.items():
        found = sorted(
            np.flatnonzero(which).tolist(),
            key=lambda i: (-abs(change[i]), ledger.sort_key(keys[i])),
        )
        chosen += [(kind, rank + 1, i) for rank, i in enumerate(found[: int(most)])]
    picked = np.array([i for _, _, i in chosen], dtype=np.int64)
    columns: dict[str, Any] = {
        "mover": [kind for kind, _, _ in chosen],
        "mover_rank": np.array([rank for _, rank, _ in chosen], dtype=np.int64),
    }
    for place, name in enumerate(dimensions):
        columns[name] = [keys[i][place] for i in picked]
    for name in names:
        if name not in dimensions:
            columns[name] = _column(data, name, picked)
    return frames.give(ledger.laid_out(columns, like=frame, keys=dimensions), like=table)


def _is_deepest(data: Any) -> Any:  # noqa: ANN401 - a frame of any library
    """Mark the rows that are not subtotals."""
    depth = ledger.whole(data, "dimensions")
    return depth == (depth.max() if len(depth) else 0)


def _of_period(starts: Any, ends: Any, *, usable: Any, day: date | None) -> Any:  # noqa: ANN401 - arrays
    """Mark the rows of the period that holds the day, by default of the last one."""
    if day is None:
        if not usable.any():
            return usable
        latest = max(starts[usable].tolist())
        return np.array([each == latest for each in starts], dtype=bool)
    inside = np.array(
        [first <= day <= last for first, last in zip(starts, ends, strict=True)], dtype=bool
    )
    if not (inside & usable).any():
        msg = f"sales growth: no period that is over and compared holds {day}.\nGive another `day`."
        raise InvalidArgumentError(msg)
    return inside


def _column(data: Any, name: str, picked: Any) -> Any:  # noqa: ANN401 - a frame of any library
    if name in {"starts", "ends"}:
        days = [frames.plain(each) for each in data[name].to_list()]
        return np.array(days, dtype="datetime64[D]")[picked]
    if name in {"customers", "orders"}:
        return ledger.whole(data, name)[picked]
    return ledger.number(data, name)[picked]
