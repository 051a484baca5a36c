"""Plots of how customers are distributed: by value, and by recency and frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._plots import canvas
from crmkit._words import formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM_FOR_TEXT: Final = 0.07


def concentration(concentration: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Concentration curve: share of the value from the best customers.

    Parameters
    ----------
    concentration
        One row per share of the customers, as made by `crmkit.tiers.concentration`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: the cumulative share of value over the share of customers, the best first, with
    the line of equal customers.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a share of the customers is outside 0 ... 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_share": [0.2, 1.0], "value_share": [0.7, 1.0]})
    >>> axes = concentration(table)
    >>> axes.get_title()
    'Share of the value from the best customers'
    >>> axes.texts[0].get_text()
    'best 20%: 70%'
    """
    rows = frames.read_rows(concentration, tables.CONCENTRATION)
    rows = sorted(
        (row for row in rows if row["value_share"] is not None),
        key=lambda row: row["customer_share"],
    )
    ax = canvas.start(ax, title="Share of the value from the best customers", height=3.2)
    if not rows:
        return canvas.say_empty(ax)
    x = [0.0, *(row["customer_share"] for row in rows)]
    y = [0.0, *(row["value_share"] for row in rows)]
    ax.fill_between(x, y, x, color=canvas.BLUE, alpha=0.10, linewidth=0)
    ax.plot(x, y, color=canvas.BLUE, marker="o", markersize=4, linewidth=1.8)
    ax.plot([0, 1], [0, 1], color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
    last = 1.0
    for share, value in zip(reversed(x[1:]), reversed(y[1:]), strict=True):
        if abs(last - value) > _ROOM_FOR_TEXT and share < 1:
            last = value
            text = f"best {formats.percent(share, digits=0)}: {formats.percent(value)}"
            canvas.write_on_line(ax, (share, value), text)
    canvas.write(ax, (0.62, 0.62), "equal customers", color=canvas.FAINT, shift=(8, -6), va="top")
    ax.set_xlabel("share of the customers, the best first")
    ax.set_ylabel("share of the value")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda share, _: formats.percent(share, digits=0))
    ax.set_xlim(0, 1.02)
    return ax


def rfm_grid(scored: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Heatmap of the number of customers by recency and frequency score.

    Parameters
    ----------
    scored
        One row per customer, as made by `crmkit.rfm.score`. Customers without scores are left
        out. A lazy table is run, to count the customers.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a cell for each pair of scores that occurs, darker for more customers; the best
    customers are at the top right.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a score, or one is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"r_score": [5, 5, 1], "f_score": [5, 5, 2]})
    >>> axes = rfm_grid(table)
    >>> axes.get_title()
    'Customers by recency and frequency score'
    >>> [text.get_text() for text in axes.texts]
    ['1', '2']
    """
    frame = frames.read(scored, tables.SCORES).filter(~nw.col("r_score").is_null())
    counted = frame.group_by("r_score", "f_score").agg(nw.len().alias("n_customers"))
    cells = frames.rows(counted.sort("r_score", "f_score"))
    ax = canvas.start(ax, title="Customers by recency and frequency score", height=3.2)
    if not cells:
        return canvas.say_empty(ax)
    most = max(cell["n_customers"] for cell in cells)
    best = max(max(cell["r_score"], cell["f_score"]) for cell in cells)
    for cell in cells:
        place = (cell["f_score"], cell["r_score"])
        color = canvas.draw_cell(ax, place, depth=cell["n_customers"] / most)
        text = formats.whole(cell["n_customers"])
        canvas.write(ax, place, text, color=color, shift=(0, 0), ha="center")
    scores = range(1, int(best) + 1)
    ax.set_xticks(scores)
    ax.set_yticks(scores)
    ax.set_xlim(0.5, best + 0.5)
    ax.set_ylim(0.5, best + 0.5)
    ax.set_xlabel("frequency score: most orders at the right")
    ax.set_ylabel("recency score: most recent at the top")
    return ax
