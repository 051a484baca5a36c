"""Plots of cohorts: retention heatmap and curve, new and returning customers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit._words.rates import require_period
from crmkit.errors import MissingColumnsError
from crmkit.tables import COHORTS
from crmkit.typing import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURES: Final = ("customers", "orders", "amount")

_Window = tuple[int, float]


class _Cell(NamedTuple):
    x: int
    y: int
    rate: float
    is_final: bool


def retention_heatmap(
    retention: IntoFrame, *, every: Period = "month", ax: Axes | None = None
) -> Axes:
    """Retention heatmap: retention rate of each cohort by period or window.

    Parameters
    ----------
    retention
        One row per cohort and period or window, as made by `crmkit.cohorts.calendar_retention`
        or `crmkit.cohorts.retention`.
    every
        The calendar period of the table, as in the call that made it.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a cell for each known rate, darker for higher rates; a rate that may still change
    is hatched, an unknown rate stays blank. Period 0, in which all customers bought, is not
    drawn.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `every` is not among the choices.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import date
    >>> from crmkit import cohorts
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-20", "2024-02-01"]),
    ...     }
    ... )
    >>> axes = retention_heatmap(cohorts.calendar_retention(orders, as_of=date(2024, 2, 29)))
    >>> axes.get_title()
    'Percent of each cohort that bought again'
    >>> [label.get_text() for label in axes.get_yticklabels()], len(axes.patches)
    (['2024-01 (2 customers)', '2024-02 (1 customer)'], 1)
    """
    require_period(every)
    rows = frames.read_rows(retention, tables.RETENTION_RATES)
    by_period = _is_by_period(rows, made_by=tables.RETENTION_RATES.made_by)
    rows = [row for row in rows if not by_period or row["period"] > 0]
    rows.sort(key=lambda row: (row["cohort"], _window(row)))
    windows = sorted({_window(row) for row in rows})
    sizes = {row["cohort"]: row["cohort_size"] for row in rows}
    cohorts = sorted(sizes)
    ax = canvas.start(
        ax,
        title="Percent of each cohort that bought again",
        height=1.3 + max(min(0.3 * len(cohorts), 9.0), 0.6),
        width=max(5.5, 1.9 + 0.4 * min(len(windows), canvas.MOST_NUMBERED)),
    )
    if not rows:
        return canvas.say_empty(ax)
    cells = [
        _Cell(
            windows.index(_window(row)), cohorts.index(row["cohort"]), row["retention_rate"], final
        )
        for row in rows
        if row["retention_rate"] is not None
        for final in [row["is_complete"]]
    ]
    _draw_cells(ax, cells, numbered=len(windows) <= canvas.MOST_NUMBERED)
    canvas.name_columns(ax, [_column_name(window, by_period=by_period) for window in windows])
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(f"{every if by_period else 'day'}s since the first purchase")
    named = [
        f"{canvas.period_name(each, every)} ({formats.counted(sizes[each], 'customer')})"
        for each in cohorts
    ]
    ax.set_yticks(range(len(cohorts)), labels=named)
    ax.set_ylim(len(cohorts) - 0.5, -0.5)
    return ax


def retention_curve(
    retention_by_period: IntoFrame, *, every: Period = "month", ax: Axes | None = None
) -> Axes:
    """Retention curve: retention rate of all cohorts together, with intervals.

    Parameters
    ----------
    retention_by_period
        One row per period or window, as made by `crmkit.cohorts.pooled`.
    every
        The calendar period of the table, as in the call that made it.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a line with a point for each known rate, and a band for the interval. Period 0, in
    which all customers bought, is not drawn.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `every` is not among the choices.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "period": [0, 1, 2],
    ...         "retention_rate": [1.0, 0.30, 0.20],
    ...         "lower": [0.96, 0.22, 0.13],
    ...         "upper": [1.0, 0.40, 0.29],
    ...     }
    ... )
    >>> axes = retention_curve(table)
    >>> axes.get_title()
    'Share of customers who bought again'
    >>> axes.get_xlabel()
    'months since the first purchase; the band is the interval'
    """
    require_period(every)
    rows = frames.read_rows(retention_by_period, tables.POOLED_RATES)
    by_period = _is_by_period(rows, made_by=tables.POOLED_RATES.made_by)
    rows = [row for row in rows if not by_period or row["period"] > 0]
    rows = sorted((row for row in rows if row["retention_rate"] is not None), key=_window)
    ax = canvas.start(ax, title="Share of customers who bought again", height=3.0)
    if not rows:
        return canvas.say_empty(ax)
    rates = [row["retention_rate"] for row in rows]
    lower, upper = ([row[end] for row in rows] for end in ("lower", "upper"))
    places = range(len(rows))
    ax.fill_between(places, lower, upper, color=canvas.BLUE, alpha=0.18, linewidth=0)
    ax.plot(places, rates, color=canvas.BLUE, marker="o", markersize=3.5, linewidth=1.5)
    for i in sorted({0, len(rows) - 1}):
        canvas.write(
            ax, (i, upper[i]), formats.percent(rates[i]), shift=(0, 4), ha="center", va="bottom"
        )
    canvas.name_columns(
        ax, [_column_name(_window(row), by_period=by_period) for row in rows], top=False
    )
    unit = f"{every}s" if by_period else "days"
    ax.set_xlabel(f"{unit} since the first purchase; the band is the interval")
    ax.set_ylim(0, max(upper) * 1.15 or 1)
    ax.yaxis.set_major_formatter(lambda rate, _: formats.percent(rate, digits=0))
    ax.grid(axis="y", color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def new_and_returning(
    cohort_table: IntoFrame, *, every: Period = "month", ax: Axes | None = None
) -> Axes:
    """Stacked bar chart of new and returning customers by period.

    Parameters
    ----------
    cohort_table
        One row per cohort and period, as made by `crmkit.cohorts.table` with any measure.
    every
        The calendar period of the table, as in the call that made it.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a bar for each period that has begun, returning customers below, new customers
    above; a period that is not over is hatched.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `every` is not among the choices.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import date
    >>> from crmkit import cohorts
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-20", "2024-02-01"]),
    ...     }
    ... )
    >>> axes = new_and_returning(cohorts.table(orders, as_of=date(2024, 2, 25)))
    >>> axes.get_title()
    'New and returning customers, by month'
    >>> [float(patch.get_height()) for patch in axes.patches]
    [0.0, 1.0, 2.0, 1.0]
    """
    require_period(every)
    rows = frames.read_rows(cohort_table, COHORTS)
    measure = next((name for name in _MEASURES if rows and name in rows[0]), "customers")
    what = "customers" if measure == "customers" else f"customers' {measure}"
    ax = canvas.start(ax, title=f"New and returning {what}, by {every}", height=3.0)
    sums: dict[date, list[float]] = defaultdict(lambda: [0.0, 0.0])
    is_over: dict[date, bool] = {}
    for row in rows:
        if row.get(measure) is not None:
            sums[row["starts"]][row["period"] == 0] += row[measure]
            is_over[row["starts"]] = row["is_complete"]
    if not sums:
        return canvas.say_empty(ax)
    days = sorted(sums)
    old, new = ([sums[day][place] for day in days] for place in (0, 1))
    hatches = ["" if is_over[day] else canvas.HATCH for day in days]
    places = range(len(days))
    ax.bar(places, old, color=canvas.BLUE, hatch=hatches, edgecolor=canvas.WHITE, linewidth=0)
    ax.bar(
        places,
        new,
        bottom=old,
        color=canvas.GREY,
        hatch=hatches,
        edgecolor=canvas.WHITE,
        linewidth=0,
    )
    ax.set_ylim(top=1.25 * ax.get_ylim()[1])  # room for the two words above the bars
    for y, text, color in ((0.98, "new", canvas.FAINT), (0.90, "returning", canvas.BLUE)):
        ax.text(
            1,
            y,
            text,
            transform=ax.transAxes,
            ha="right",
            va="top",
            color=color,
            fontsize=canvas.MEDIUM,
        )
    canvas.name_columns(ax, [canvas.period_name(day, every) for day in days], top=False)
    ax.locator_params(axis="y", integer=True, nbins=6)
    ax.yaxis.set_major_formatter(lambda value, _: formats.whole(value))
    ax.grid(axis="y", color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def _is_by_period(rows: Sequence[Row], *, made_by: str) -> bool:
    if rows and "period" not in rows[0] and "from_day" not in rows[0]:
        msg = f"retention: no column `period` or `from_day`.\nBuild this table with {made_by}()."
        raise MissingColumnsError(msg)
    return not rows or "period" in rows[0]


def _window(row: Row) -> _Window:
    """Sort key of a row: its period, or the days of its window."""
    if "period" in row:
        return int(row["period"]), 0
    to_day = row.get("to_day")
    return int(row["from_day"]), float("inf") if to_day is None else to_day


def _column_name(window: _Window, *, by_period: bool) -> str:
    first, after = window
    if by_period:
        return f"{first}"
    if after == float("inf"):
        return f"{first}+"
    last = int(after) - 1
    return f"{first}" if last == first else f"{first}\N{EN DASH}{last}"


def _draw_cells(ax: Axes, cells: Sequence[_Cell], *, numbered: bool) -> None:
    highest = max((cell.rate for cell in cells), default=0.0) or 1.0
    digits = 0 if highest >= 0.1 else 1  # noqa: PLR2004 - two figures are enough to compare
    for cell in cells:
        place = (cell.x, cell.y)
        hatch = "" if cell.is_final else canvas.HATCH
        color = canvas.draw_cell(ax, place, depth=cell.rate / highest, hatch=hatch)
        if numbered:
            text = formats.decimal(100 * cell.rate, digits=digits)
            canvas.write(ax, place, text, color=color, shift=(0, 0), ha="center")
