"""Plots of a churn score by the share of customers contacted: gains and profit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._plots import canvas
from crmkit._words import formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP: Final = 0.2


def gains(gains: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Cumulative gains chart: share of those who left among the highest scores.

    Parameters
    ----------
    gains
        One row per share of customers, as made by `crmkit.churn.gains`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: the share of those who left over the share of customers contacted, with the lines of
    the best ranking there could be and of chance.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a share is outside 0 ... 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"share": [0.2, 1.0], "captured": [0.5, 1.0], "perfect": [0.8, 1.0]})
    >>> axes = gains(table)
    >>> axes.get_title()
    'Share of all who left, by share contacted'
    >>> axes.texts[0].get_text()
    'first 20%: 50%'
    """
    rows = sorted(frames.read_rows(gains, tables.GAINS), key=lambda row: row["share"])
    ax = canvas.start(ax, title="Share of all who left, by share contacted", height=3.2)
    if not rows:
        return canvas.say_empty(ax)
    x = [0.0, *(row["share"] for row in rows)]
    y = [0.0, *(row["captured"] for row in rows)]
    best = [0.0, *(row["perfect"] for row in rows)]
    ax.fill_between(x, y, x, color=canvas.BLUE, alpha=0.10, linewidth=0)
    ax.plot(x, best, color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.plot(x, y, color=canvas.BLUE, linewidth=1.8)
    ax.plot([0, 1], [0, 1], color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
    near = min(range(1, len(x)), key=lambda i: abs(x[i] - _TOP))
    ax.plot([x[near]], [y[near]], color=canvas.BLUE, marker="o", markersize=4)
    text = f"first {formats.percent(x[near], digits=0)}: {formats.percent(y[near])}"
    canvas.write_on_line(ax, (x[near], y[near]), text)
    canvas.write(ax, (0.62, 0.62), "by chance", color=canvas.FAINT, shift=(8, -6), va="top")
    all_of_them = next(i for i, share in enumerate(best) if share == max(best))
    is_right = x[all_of_them] > 0.5  # noqa: PLR2004 - text needs room
    canvas.write(
        ax,
        (x[all_of_them], best[all_of_them]),
        "best there could be",
        color=canvas.FAINT,
        shift=(-4 if is_right else 4, 4),
        ha="right" if is_right else "left",
        va="bottom",
    )
    _shares(ax)
    ax.set_ylim(-0.02, 1.1)
    ax.set_yticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    return ax


def profit_curve(profit_curve: IntoFrame, *, ax: Axes | None = None, currency: str = "") -> Axes:
    """Profit curve of a campaign by the share of customers contacted.

    Parameters
    ----------
    profit_curve
        One row per share of customers, as made by `crmkit.churn.profit_curve`.
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: the profit over the share of customers contacted, with the best share marked.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"share": [0.0, 0.5, 1.0], "profit": [0.0, 56.0, 45.0], "is_best": [False, True, False]}
    ... )
    >>> axes = profit_curve(table, currency="$")
    >>> axes.texts[0].get_text()
    'best: $56.00 at 50%'
    """
    rows = frames.read_rows(profit_curve, tables.PROFIT_CURVE)
    rows = sorted((row for row in rows if row["profit"] is not None), key=lambda row: row["share"])
    ax = canvas.start(ax, title="Profit by share of customers contacted", height=3.2)
    if not rows:
        return canvas.say_empty(ax)
    x, y = [row["share"] for row in rows], [row["profit"] for row in rows]
    ax.axhline(0, color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.plot(x, y, color=canvas.BLUE, linewidth=1.8)
    room = (max(*y, 0.0) - min(*y, 0.0)) or 1.0
    for row in (each for each in rows if each["is_best"]):
        ax.plot([row["share"]], [row["profit"]], color=canvas.VERMILLION, marker="o", markersize=5)
        money = formats.money(row["profit"], currency=currency)
        text = f"best: {money} at {formats.percent(row['share'], digits=0)}"
        is_right = row["share"] > 0.6  # noqa: PLR2004 - text needs room
        canvas.write(
            ax,
            (row["share"], row["profit"]),
            text,
            shift=(-6 if is_right else 6, 8),
            ha="right" if is_right else "left",
            va="bottom",
        )
    _shares(ax)
    ax.set_ylim(min(*y, 0.0) - 0.08 * room, max(*y, 0.0) + 0.2 * room)
    ends = sorted({min(*y, 0.0), 0.0, max(*y, 0.0)})
    ax.set_yticks(ends, labels=[formats.money(each, currency=currency) for each in ends])
    for label in ax.get_yticklabels():
        label.set(parse_math=False)
    return ax


def _shares(ax: Axes) -> None:
    ax.set_xlim(-0.02, 1.04)
    ax.set_xticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    ax.set_xlabel("customers contacted, the highest scores first")
