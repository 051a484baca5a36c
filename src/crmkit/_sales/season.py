"""The season of sales, found from whole months or quarters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, get_args

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._sales import ledger, periods
from crmkit._sales.season_value import (
    SEASONS,
    GroupIndex,
    Season,
    SeasonalIndex,
    SeasonMethod,
    as_group,
    count_working_days,
)
from crmkit._words.arguments import require_choice, require_flag, require_whole
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.models.numerics import seasonal


class _Found(NamedTuple):
    """An index with what it was found from: ratios around it, and their standard deviation."""

    figure: frames.Floats
    noise: float
    n_ratios: int


class _How(NamedTuple):
    method: SeasonMethod
    period: int


def seasonal_index(
    orders: IntoFrame,
    *,
    as_of: date | str,
    every: Season = "month",
    years: int = 3,
    within: str | Sequence[str] | None = None,
    method: SeasonMethod = "moving average",
    working_days: bool = False,
) -> SeasonalIndex:
    """Seasonal index of sales by month or quarter, as a value to keep.

    An index of 1.2 for December: a fifth more than in a mean month. The assumption that most often
    fails is that the season stays: three years show each month three times, and one campaign in
    one March is a third of it.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`. A lazy table is
        run twice, with `within` once more.
    as_of
        The last day that is seen, as a date or ISO text. A period that is not over never enters.
    every
        "month" or "quarter".
    years
        Years up to the last whole period that are used, from 1 to 30.
    within
        Columns whose groups get an index each, such as the product; it is pulled to that of the
        whole as far as its own is uncertain.
    method
        "moving average" divides each period by the mean of the year around it, which takes a trend
        out; it needs two years and loses half a year at both ends. "means" divides the sum of each
        month over the years by the mean of these sums; "yearly ratios" averages the shares of each
        year. Both carry a trend within the year, so that growth makes December look high.
    working_days
        Whether to take money per working day, Monday to Friday, so that an index does not depend
        on how the weekends fall.

    Returns
    -------
    A `crmkit.sales.SeasonalIndex`, which `to_json` and `from_json` keep.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or lacks a column of `within`.
    InvalidArgumentError
        If an argument is outside its range, the data has less than one whole year (two for
        "moving average"), or a year in which nothing was sold.

    Warns
    -----
    CrmkitWarning
        If the data has fewer whole periods than `years` asks for, some without sales, or a month
        whose returns exceed its sales; `findings` of the value holds the same.

    Notes
    -----
    The first period of the data counts where no more than a tenth of it lies before the first row;
    that of a group which begins later never does. The index of a group is ``w`` times its own and
    ``1 - w`` times that of the whole, ``w = t / (t + e)``: ``e`` is the squared standard error of
    its own, and ``t`` how much the groups differ beyond such errors, by the method of moments. A
    group with less data than its own index needs has that of the whole.

    References
    ----------
    Anderson, D. R., Sweeney, D. J. & Williams, T. A. (2014). *Statistics for Business and
    Economics*, 12th edition, section 17.6, for ratios to a centred moving average.

    Examples
    --------
    Two years, with 30 in each December and 10 in every other month.

    >>> import pandas as pd
    >>> days = pd.date_range("2022-01-15", periods=24, freq="MS")
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": "ann",
    ...         "date": days,
    ...         "amount": [30.0 if day.month == 12 else 10.0 for day in days],
    ...     }
    ... )
    >>> found = seasonal_index(orders, as_of="2024-01-31", years=2, method="means")
    >>> [round(each, 3) for each in found.index[-2:]]
    [0.857, 2.571]
    """
    today = time.as_last_day(as_of, argument="as_of")
    require_choice(every, tuple(SEASONS), argument="every")
    require_choice(method, get_args(SeasonMethod), argument="method")
    require_whole(years, argument="years", least=1, most=30, advice="Write 3.")
    require_flag(working_days, argument="working_days")
    names = () if within is None else ledger.require_by(within, made=(), argument="within")
    frame = ledger.read(orders, names)
    first = ledger.first_day(frame, today=today)
    how = _How(method, SEASONS[every])
    start, last = _window(first, today=today, every=every, years=int(years), how=how)
    rows = ledger.numbered(frame, today=today, every=every)
    divisor = count_working_days(range(start, last + 1), every=every) if working_days else 1.0
    values = _series(ledger.cells(rows, ()), start=start, last=last).get((), None)
    values = (np.zeros(last - start + 1) if values is None else values) / divisor
    findings = _findings(values, years=int(years), every=every, start=start, last=last)
    whole = _found(values, start=start, how=how)
    if not np.isfinite(whole.figure).all():
        msg = (
            f"transactions: no seasonal index, for lack of sales in {every}s of the "
            f"{last - start + 1} up to {today}.\nGive more years, or other data."
        )
        raise InvalidArgumentError(msg)
    groups: tuple[GroupIndex, ...] = ()
    if names:
        found = ledger.cells(rows, names)
        ledger.require_known(found.keys, names, table="transactions")
        series = _series(found, start=start, last=last)
        begins = _begins(found)
        groups = _groups(series, begins, whole=whole.figure, start=start, divisor=divisor, how=how)
    for text in findings:
        warnings.warn(f"Seasonal index: {text}.", CrmkitWarning, stacklevel=2)
    return SeasonalIndex(
        every=every,
        method=method,
        index=tuple(whole.figure.tolist()),
        noise=whole.noise if np.isfinite(whole.noise) else None,
        years=int(years),
        n_periods=last - start + 1,
        starts=periods.span(start, every=every).starts,
        ends=periods.span(last, every=every).ends,
        working_days=bool(working_days),
        within=names,
        groups=groups,
        findings=tuple(findings),
    )


def _window(
    first: date | None, *, today: date, every: Season, years: int, how: _How
) -> tuple[int, int]:
    """Give the numbers of the first and the last whole period that are used."""
    least = how.period * (2 if how.method == "moving average" else 1)
    wanted = years * how.period
    if wanted < least:
        msg = f"`years` is {years}; {how.method!r} needs 2 or more.\nWrite 3."
        raise InvalidArgumentError(msg)
    last = time.last_complete(today, every=every)
    start = last + 1
    if first is not None:
        start = time.period_of(first, every=every)
        start += int(periods.begins_late(periods.span(start, every=every), first=first))
    n = max(last - start + 1, 0)
    if n < least:
        advice = "Give more data" + (' or `method="means"`.' if n >= how.period else ".")
        msg = (
            f"transactions: {n} whole {every}s up to {today}; {how.method!r} needs {least}.\n"
            + advice
        )
        raise InvalidArgumentError(msg)
    n = min(n, wanted)
    if how.method != "moving average":
        n -= n % how.period  # each month as often as the others
    return last - n + 1, last


def _series(found: ledger.Cells, *, start: int, last: int) -> dict[ledger.Key, frames.Floats]:
    """Lay out the money of each group, period by period; 0 where there is none."""
    series: dict[ledger.Key, frames.Floats] = {}
    for key, number, amount in zip(found.keys, found.number, found.amount, strict=True):
        if start <= number <= last:
            values = series.setdefault(key, np.zeros(last - start + 1))
            values[number - start] += amount
    return series


def _begins(found: ledger.Cells) -> dict[ledger.Key, int]:
    begins: dict[ledger.Key, int] = {}
    for key, number in zip(found.keys, found.number.tolist(), strict=True):
        begins[key] = min(number, begins.get(key, number))
    return begins


def _found(values: frames.Floats, *, start: int, how: _How) -> _Found:
    seasons = (start + np.arange(len(values))) % how.period
    by_average = how.method == "moving average"
    ratios = (seasonal.ratios_to_average if by_average else seasonal.ratios_to_year)(
        values, period=how.period
    )
    if how.method == "means":
        index = seasonal.index_of_totals(values, seasons, period=how.period)
    else:
        index = seasonal.index_of(ratios, seasons, period=how.period)
    if np.isfinite(index).all() and (index < 0).any():
        index = seasonal.scaled(np.maximum(index, 0.0))
    known = np.isfinite(ratios)
    free = int(known.sum()) - how.period
    around = index[seasons]
    rest = np.where(known & (around > 0), ratios / np.where(around > 0, around, 1.0) - 1, 0.0)
    noise = float(np.sqrt((rest**2).sum() / free)) if free > 0 else float("nan")
    return _Found(index, noise, int(known.sum()))


def _groups(
    series: dict[ledger.Key, frames.Floats],
    begins: dict[ledger.Key, int],
    *,
    whole: frames.Floats,
    start: int,
    divisor: Any,  # noqa: ANN401 - a number or an array
    how: _How,
) -> tuple[GroupIndex, ...]:
    """Find the index of each group, pulled to that of the whole."""
    keys = sorted(series, key=ledger.sort_key)
    n_periods, own = [], []
    for key in keys:
        late = begins[key] - start + 1 if begins[key] > start else 0
        values = (series[key] / divisor)[late:]
        n_periods.append(len(values))
        own.append(_own(values, start=start + late, how=how))
    usable = [i for i, each in enumerate(own) if each is not None]
    pulled = dict.fromkeys(range(len(keys)), (whole, 0.0))
    if usable:
        kept = [each for each in own if each is not None]
        errors = np.array([e.noise / np.sqrt(e.n_ratios / how.period) for e in kept])
        index, weight = seasonal.shrunk(np.stack([e.figure for e in kept]), errors, whole)
        pulled |= {i: (index[j], float(weight[j])) for j, i in enumerate(usable)}
    return tuple(
        GroupIndex(as_group(key), tuple(pulled[i][0].tolist()), pulled[i][1], n_periods[i])
        for i, key in enumerate(keys)
    )


def _own(values: frames.Floats, *, start: int, how: _How) -> _Found | None:
    """Find a group's own index, or None where it cannot be found or said how sure it is."""
    least = 2 * how.period
    if how.method != "moving average":
        late = len(values) % how.period  # whole years only
        values, start = values[late:], start + late
    if len(values) < least:
        return None
    found = _found(values, start=start, how=how)
    return found if np.isfinite(found.figure).all() and np.isfinite(found.noise) else None


def _findings(
    values: frames.Floats, *, years: int, every: Season, start: int, last: int
) -> list[str]:
    wanted, n = years * SEASONS[every], last - start + 1
    found = []
    if n < wanted:
        found.append(f"{n} whole {every}s of the {wanted} in {years} years")
    n_empty = int((values == 0).sum())
    if n_empty:
        found.append(f"{n_empty} {every}s without sales")
    n_below = int((values < 0).sum())
    if n_below:
        found.append(f"{n_below} {every}s with more returns than sales")
    return found
