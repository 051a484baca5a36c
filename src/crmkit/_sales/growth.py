"""Growth by any dimensions: each group in each period against an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger, periods
from crmkit._sales.periods import Compare
from crmkit._words.arguments import require_flag
from crmkit.tables import SALES_GROWTH
from crmkit.typing import Period

_BELOW_ZERO: Final = "compared with less than zero"
_NO_PERIOD: Final = "nothing known of the period compared with"
_CUT: Final = "the data begins within the period compared with"


class _Wanted(NamedTuple):
    """What is asked for: how far back to compare, and the periods that can be."""

    lag: int
    every: Period
    today: date
    first: date


def growth(
    orders: IntoFrameT,
    *,
    by: str | Sequence[str],
    every: Period,
    as_of: date | str,
    compare: Compare = "previous",
    subtotals: bool = False,
) -> IntoFrameT:
    """Growth of sales by any dimensions: each group and period against an earlier one.

    The assumption that most often fails is that both periods are alike: a month has more or fewer
    Saturdays than the last, and Christmas comes once a year. `compare="year"` takes the season out.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with the columns
        of `by`. A lazy table is run twice, with subtotals once more for each of them.
    by
        A column, or several: region, product, agent, channel, `customer_id`.
    every
        The calendar period: "day", "week" (ISO, from Monday), "month", "quarter" or "year".
    as_of
        The last day that is seen, as a date or ISO text. A period that ends on this day is over.
    compare
        "previous" compares with the period before, "year" with the same one a year before; for
        days and weeks that is 52 weeks.
    subtotals
        Whether to add rows with fewer dimensions: with `by=["region", "product"]` those of each
        region and of all. Dimensions that are added up are null there, and `dimensions` says how
        many are not.

    Returns
    -------
    One row per period and group with money in it or in the period compared with, by period,
    `dimensions` and group (a lazy table is not sorted):

    =======================  =====  =========================================================
    the columns of `by`      as in  the group; null where it is unknown, or added up
    ``dimensions``           int    dimensions that are held apart
    ``starts``               date   first day of the period
    ``ends``                 date   last day of it
    ``is_complete``          bool   whether it is over by the end of `as_of`
    ``amount``               float  money, less returns
    ``base_amount``          float  that of the period compared with; null before the data
    ``amount_change``        float  the difference
    ``growth``               float  the difference as a share of `base_amount`; null where that
                                    is 0 or below
    ``growth_contribution``  float  what the group adds to the growth of all: the difference as
                                    a share of all money of the period compared with
    ``amount_share``         float  share of all money of the period; null where that is not
                                    above 0
    ``share_change``         float  that share less the one of the period compared with
    ``customers``            int    customers with a purchase
    ``orders``               int    orders with a purchase in the group
    ``growth_finding``       text   why `growth` is null or easily misread; empty otherwise
    =======================  =====  =========================================================

    Of a period that is not over, all that compares is null.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, lacks a column of `by`, or one of them is null throughout.
    InvalidArgumentError
        If an argument is outside its range.

    Notes
    -----
    Without `order_id` each row is an order. An order of two products counts once in each of them
    and once in their subtotal, so that orders and customers do not add up; money does. Growth from
    a base below zero would have the wrong sign, so it is a finding. In the first period of the
    data, more than a tenth of it may lie before the first row; then what is compared with it has a
    finding, too.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ben", "cid"],
    ...         "date": pd.to_datetime(["2024-01-02", "2024-01-20"] + ["2024-02-10"] * 3),
    ...         "amount": [100.0, 50.0, 120.0, 40.0, 30.0],
    ...         "region": ["north", "south", "north", "south", "west"],
    ...     }
    ... )
    >>> found = growth(orders, by="region", every="month", as_of="2024-02-29")
    >>> columns = ["region", "amount", "base_amount", "growth", "growth_contribution"]
    >>> print(found[columns].tail(3).round(3).to_string(index=False))
    region  amount  base_amount  growth  growth_contribution
     north   120.0        100.0     0.2                0.133
     south    40.0         50.0    -0.2               -0.067
      west    30.0          0.0     NaN                0.200
    """
    names = ledger.require_by(by, made=SALES_GROWTH.column_names)
    today = time.as_last_day(as_of, argument="as_of")
    lag = periods.require_compare(every, compare)
    require_flag(subtotals, argument="subtotals")
    frame = ledger.read(orders, names)
    rows = ledger.numbered(frame, today=today, every=every)
    first = ledger.first_day(frame, today=today)
    wanted = _Wanted(lag, every, today, today if first is None else first)
    parts: list[tuple[list[ledger.Key], dict[str, Any]]] = []
    total = None
    for depth in range(len(names), -1 if subtotals else len(names) - 1, -1):
        found = ledger.cells(rows, names[:depth])
        if total is None:
            ledger.require_known(found.keys, names, table="transactions")
            total = _by_period(found)
        parts.insert(0, _of_depth(found, depth=depth, width=len(names), total=total, of=wanted))
    keys = [key for part, _ in parts for key in part]
    values = {n: np.concatenate([part[n] for _, part in parts]) for n in parts[0][1]}
    order = sorted(
        range(len(keys)),
        key=lambda i: (values["number"][i], values["dimensions"][i], ledger.sort_key(keys[i])),
    )
    columns: dict[str, Any] = {
        name: [keys[i][place] for i in order] for place, name in enumerate(names)
    }
    number = values.pop("number")[order]
    days = _days(number, every=every)
    columns["dimensions"] = values.pop("dimensions")[order]
    columns |= days | {"is_complete": number <= time.last_complete(today, every=every)}
    text = values.pop("growth_finding")[order].tolist()
    columns |= {name: array[order] for name, array in values.items()}
    columns["growth_finding"] = text
    return frames.give(ledger.laid_out(columns, like=frame, keys=names), like=orders)


def _by_period(found: ledger.Cells) -> dict[int, float]:
    """Add up the money of each period."""
    numbers, place = np.unique(found.number, return_inverse=True)
    sums = np.bincount(place, weights=found.amount, minlength=len(numbers))
    return dict(zip(numbers.tolist(), sums.tolist(), strict=True))


def _of_depth(
    found: ledger.Cells, *, depth: int, width: int, total: dict[int, float], of: _Wanted
) -> tuple[list[ledger.Key], dict[str, Any]]:
    """Put each cell beside the one that it is compared with; either may be missing."""
    groups = {key: code for code, key in enumerate(dict.fromkeys(found.keys))}
    code = np.array([groups[key] for key in found.keys], dtype=np.int64)
    last = time.period_of(of.today, every=of.every)
    step = last + of.lag + 2  # more periods than there are, so that cells do not meet
    cell = code * step + found.number
    ahead = found.number + of.lag <= last
    both = np.union1d(cell, cell[ahead] + of.lag)
    number = both % step
    amount, orders, customers = (
        _look_up(both, cell, each) for each in (found.amount, found.orders, found.customers)
    )
    base = _look_up(both, cell + of.lag, found.amount)
    first = time.period_of(of.first, every=of.every)
    base[number - of.lag < first] = np.nan
    over = number <= time.last_complete(of.today, every=of.every)
    compared = np.where(over, base, np.nan)
    all_now = np.array([total.get(int(n), 0.0) for n in number])
    all_base = np.array([total.get(int(n) - of.lag, 0.0) for n in number])
    change = amount - compared
    share, base_share = _ratio(amount, all_now), _ratio(compared, all_base)
    names = list(groups)
    keys = [names[c] + (None,) * (width - depth) for c in (both // step).tolist()]
    return keys, {
        "number": number,
        "dimensions": np.full(len(both), depth, dtype=np.int64),
        "amount": amount,
        "base_amount": base,
        "amount_change": change,
        "growth": _ratio(change, compared),
        "growth_contribution": _ratio(change, all_base),
        "amount_share": share,
        "share_change": share - base_share,
        "customers": customers.astype(np.int64),
        "orders": orders.astype(np.int64),
        "growth_finding": _findings(base, number, first=first, of=of),
    }


def _look_up(wanted: Any, cells: Any, values: Any) -> Any:  # noqa: ANN401 - arrays
    """Take the value of each wanted cell, 0 for one that is not there."""
    if not len(cells):
        return np.zeros(len(wanted))
    order = np.argsort(cells, kind="stable")
    place = np.minimum(np.searchsorted(cells[order], wanted), len(cells) - 1)
    there = cells[order][place] == wanted
    return np.where(there, values[order][place].astype(float), 0.0)


def _findings(base: Any, number: Any, *, first: int, of: _Wanted) -> Any:  # noqa: ANN401 - arrays
    texts = np.full(len(base), "", dtype=object)
    if periods.begins_late(periods.span(first, every=of.every), first=of.first):
        texts[number - of.lag == first] = _CUT
    texts[base < 0] = _BELOW_ZERO
    texts[np.isnan(base)] = _NO_PERIOD
    return texts


def _ratio(above: Any, below: Any) -> Any:  # noqa: ANN401 - arrays
    """Divide, NaN where nothing or less stands below."""
    fits = below > 0
    return np.where(fits, above / np.where(fits, below, 1.0), np.nan)


def _days(number: Any, *, every: Period) -> dict[str, Any]:  # noqa: ANN401 - an array
    last = int(number.max()) if len(number) else 0
    calendar = time.calendar(every=every, last=last)
    return {"starts": calendar["starts"][number], "ends": calendar["ends"][number]}
