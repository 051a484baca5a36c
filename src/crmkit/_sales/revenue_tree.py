"""The change of revenue as a product of factors: customers, orders, basket and price."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger, periods
from crmkit._sales.periods import Compare
from crmkit.models.numerics import log_mean
from crmkit.typing import Period


def revenue_tree(
    orders: IntoFrameT, *, every: Period, as_of: date | str, compare: Compare = "previous"
) -> IntoFrameT:
    """Revenue tree: what customers, orders, basket and price add to the change.

    The assumption that most often fails is that one factor could move alone: a lower price brings
    more units into a basket. The parts say how much went with each factor, not what caused it.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`. A lazy table is
        run twice, with `quantity` three times.
    every
        The calendar period: "day", "week", "month", "quarter" or "year". The last one that is over
        is compared.
    as_of
        The last day that is seen, as a date or ISO text.
    compare
        "previous" compares with the period before, "year" with the same one a year before.

    Returns
    -------
    "revenue", then its factors: "customers", "orders per customer", and with `quantity` "units per
    order" and "price per unit", else "revenue per order" (a lazy table is not sorted):

    =======================  =====  =========================================================
    ``figure``               text   what is measured
    ``value``                float  in the period; null where it cannot be divided
    ``value_before``         float  in the period compared with
    ``growth``               float  value / value_before - 1; null where value_before is not
                                    above 0
    ``contribution``         float  money that the factor adds to the change of revenue; null
                                    where a factor is not above 0
    ``growth_contribution``  float  that as a share of the revenue before
    ``starts``               date   first day of the period
    ``ends``                 date   last day of it
    ``starts_before``        date   first day of the period compared with
    ``ends_before``          date   last day of that
    =======================  =====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If an argument is outside its range, or the data begins after the period compared with.

    Warns
    -----
    CrmkitWarning
        If the data begins within the period compared with.

    Notes
    -----
    The part of a factor is the logarithmic mean of both revenues times the logarithm of the
    factor's growth. The parts add up without a rest, whatever the order of the factors. Returns
    lower the units and the money, never orders or customers; a null `quantity` counts as none.

    References
    ----------
    Ang, B. W. (2004). Decomposition analysis for policymaking in energy. *Energy Policy* 32,
    1131-1139, the additive LMDI-I method.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ann", "ben"],
    ...         "date": pd.to_datetime(["2024-01-02", "2024-02-05", "2024-02-07", "2024-02-20"]),
    ...         "amount": [50.0, 50.0, 50.0, 100.0],
    ...     }
    ... )
    >>> found = revenue_tree(orders, every="month", as_of="2024-02-29")
    >>> columns = ["figure", "value", "value_before", "contribution"]
    >>> print(found[columns].round(1).to_string(index=False))
                 figure  value  value_before  contribution
                revenue  200.0          50.0         150.0
              customers    2.0           1.0          75.0
    orders per customer    1.5           1.0          43.9
      revenue per order   66.7          50.0          31.1
    """
    today = time.as_last_day(as_of, argument="as_of")
    periods.require_compare(every, compare)
    frame = ledger.read(orders, ())
    first = ledger.first_day(frame, today=today)
    now, before = periods.pair(every=every, compare=compare, today=today, first=first)
    rows = ledger.numbered(frame, today=today, every=every)
    number = nw.col(ledger.NUMBER)
    rows = rows.filter((number == now.number) | (number == before.number))
    found = ledger.cells(rows, ())
    units = _units(rows) if frames.has(frame, "quantity") else None
    sides = [_figures(found, period.number, units=units) for period in (now, before)]
    columns = _laid_out(*sides)
    n = len(columns["figure"])
    for ends, period in (("", now), ("_before", before)):
        for name, day in (("starts", period.starts), ("ends", period.ends)):
            columns[name + ends] = np.full(n, day, dtype="datetime64[D]")
    return frames.give(ledger.laid_out(columns, like=frame), like=orders)


def _units(rows: nw.LazyFrame[Any]) -> dict[int, float]:
    """Add up the units of each period."""
    known = rows.select(ledger.NUMBER, units=frames.known("quantity"))
    data = known.group_by(ledger.NUMBER).agg(nw.col("units").sum()).collect()
    number, units = ledger.whole(data, ledger.NUMBER), ledger.number(data, "units")
    return dict(zip(number.tolist(), np.nan_to_num(units).tolist(), strict=True))


def _figures(
    found: ledger.Cells, number: int, *, units: dict[int, float] | None
) -> dict[str, float]:
    """Give revenue and its factors in one period, NaN where one cannot be divided."""
    here = found.number == number
    amount = float(found.amount[here].sum())
    customers, orders = float(found.customers[here].sum()), float(found.orders[here].sum())
    figures = {
        "revenue": amount,
        "customers": customers,
        "orders per customer": _ratio(orders, customers),
    }
    if units is None:
        return figures | {"revenue per order": _ratio(amount, orders)}
    sold = units.get(number, 0.0)
    return figures | {
        "units per order": _ratio(sold, orders),
        "price per unit": _ratio(amount, sold),
    }


def _laid_out(now: dict[str, float], before: dict[str, float]) -> dict[str, Any]:
    names = list(now)
    value, old = np.array(list(now.values())), np.array(list(before.values()))
    usable = np.isfinite(value).all() and np.isfinite(old).all()
    parts = log_mean.contributions(value[1:].tolist(), old[1:].tolist()) if usable else None
    change = now["revenue"] - before["revenue"]
    contribution = np.array([change, *(parts or [np.nan] * (len(names) - 1))])
    fits = old > 0
    base = before["revenue"] if before["revenue"] > 0 else np.nan
    return {
        "figure": names,
        "value": value,
        "value_before": old,
        "growth": np.where(fits, value / np.where(fits, old, 1.0) - 1, np.nan),
        "contribution": contribution,
        "growth_contribution": contribution / base,
    }


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")
