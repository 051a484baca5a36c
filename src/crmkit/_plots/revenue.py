"""Plot of revenue by period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit.typing import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST: Final[tuple[tuple[int, Period], ...]] = ((31, "month"), (92, "quarter"))


def revenue(trend: IntoFrame, *, ax: Axes | None = None, currency: str = "") -> Axes:
    r"""Bar chart of revenue by month, quarter or year.

    Parameters
    ----------
    trend
        One row per period: `trend` of the result of `crmkit.pipeline.run`; without amounts,
        orders are drawn.
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: a bar for each period, with the highest and the last one in figures; a
    period that is not over is hatched.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "starts": pd.to_datetime(["2024-01-01", "2024-02-01"]),
    ...         "ends": pd.to_datetime(["2024-01-31", "2024-02-29"]),
    ...         "is_complete": [True, False],
    ...         "orders": [120, 90],
    ...         "amount": [2400.0, 1980.0],
    ...     }
    ... )
    >>> axes = revenue(table, currency="$")
    >>> axes.get_title()
    'Revenue by month'
    >>> [text.get_text() for text in axes.texts]
    ['$2,400', '$1,980\nso far']
    """
    rows = sorted(frames.read_rows(trend, tables.TREND), key=lambda row: row["starts"])
    by = "amount" if not rows or "amount" in rows[0] else "orders"
    every = _every(rows)
    what = "Revenue" if by == "amount" else "Orders"
    ax = canvas.start(ax, title=f"{what} by {every}", height=2.6)
    if not rows:
        return canvas.say_empty(ax)
    values = [float(row[by]) for row in rows]
    hatches = ["" if row["is_complete"] else canvas.HATCH for row in rows]
    ax.bar(
        range(len(rows)),
        values,
        color=canvas.BLUE,
        hatch=hatches,
        edgecolor=canvas.WHITE,
        linewidth=0,
        width=0.75,
    )
    last, highest = len(rows) - 1, values.index(max(values))
    texts = [_text(value, by, currency) for value in values]
    if highest != last:
        top = (highest, max(values[highest], 0))
        canvas.write(ax, top, texts[highest], shift=(0, 3), ha="center", va="bottom")
    canvas.write(
        ax,
        (last + 0.4, values[last]),
        texts[last] + ("" if rows[last]["is_complete"] else "\nso far"),
        va="top" if values[last] > 0 else "bottom",
    )
    canvas.name_columns(ax, [canvas.period_name(row["starts"], every) for row in rows], top=False)
    ax.set_ylim(min(0.0, *values), max(*values, 0.0) * 1.15 or 1)
    ax.locator_params(axis="y", nbins=5)
    ax.yaxis.set_major_formatter(lambda value, _: formats.whole(value))
    ax.grid(axis="y", color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def _text(value: float, by: str, currency: str) -> str:
    if by == "orders":
        return formats.whole(value)
    return formats.money(value, currency=currency, digits=0)


def _every(rows: Sequence[Row]) -> Period:
    """Name the calendar period of a row by its length."""
    if not rows:
        return "month"
    length = _length(rows[0]["starts"], rows[0]["ends"])
    return next((every for longest, every in _LONGEST if length <= longest), "year")


def _length(first: date, last: date) -> int:
    return (last - first).days + 1
