"""Plots of forecasts on held-out data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit._words.arguments import require_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def calibration(calibration: IntoFrame, *, most: int = 7, ax: Axes | None = None) -> Axes:
    """Calibration plot: predicted and actual purchases by past frequency.

    Parameters
    ----------
    calibration
        One row per number of repeat purchase days, as made by `crmkit.clv.calibration`.
    most
        The same as in the call that made the table: its last row holds customers with this
        number of repeat purchase days or more.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a line for the forecast and points for the actual purchases, mean per customer.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "frequency": [0, 1, 2],
    ...         "actual_purchases": [0.24, 0.70, 1.39],
    ...         "predicted_purchases": [0.23, 0.52, 1.04],
    ...     }
    ... )
    >>> axes = calibration(table, most=2)
    >>> axes.get_title()
    'Purchases per customer on held-out days'
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['0', '1', '2+']
    """
    require_whole(most, argument="most", least=1, advice="Write 7, the default of both functions.")
    rows = frames.read_rows(calibration, tables.CALIBRATION)
    rows.sort(key=lambda row: row["frequency"])
    ax = canvas.start(ax, title="Purchases per customer on held-out days", height=3.2)
    if not rows:
        return canvas.say_empty(ax)
    x = [row["frequency"] for row in rows]
    forecast = [row["predicted_purchases"] for row in rows]
    actual = [row["actual_purchases"] for row in rows]
    ax.plot(x, forecast, color=canvas.BLUE, linewidth=1.8)
    ax.plot(x, actual, color=canvas.VERMILLION, marker="o", markersize=5, linestyle="none")
    high, low = ("bottom", "top") if actual[-1] >= forecast[-1] else ("top", "bottom")
    for text, value, color, va in (
        ("forecast", forecast[-1], canvas.BLUE, low),
        ("actual", actual[-1], canvas.VERMILLION, high),
    ):
        canvas.write(ax, (x[-1], value), text, color=color, shift=(7, 0), va=va)
    ax.set_xticks(x, labels=[f"{n}+" if n == most else f"{n}" for n in x])
    ax.set_xlabel("repeat purchase days before the split")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.05)
    ax.grid(axis="y", color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def reliability(reliability: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Reliability diagram: stated churn risk, and the share who then bought nothing.

    Parameters
    ----------
    reliability
        One row per group of like risk, as made by `crmkit.churn.reliability`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a point for each group with the interval of what happened, and the diagonal on which
    what was said is what happened.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a share is outside 0 ... 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "bin": [1, 2],
    ...         "n_customers": [400, 400],
    ...         "said": [0.2, 0.7],
    ...         "happened": [0.25, 0.58],
    ...         "low": [0.19, 0.54],
    ...         "high": [0.27, 0.62],
    ...     }
    ... )
    >>> axes = reliability(table)
    >>> axes.get_title()
    'Churn risk: said, and what happened'
    >>> [text.get_text() for text in axes.texts][:2]
    ['risk 20%: 25% bought nothing', 'risk 70%: 58% bought nothing']
    """
    rows = frames.read_rows(reliability, tables.RELIABILITY)
    rows.sort(key=lambda row: row["bin"])
    ax = canvas.start(ax, title="Churn risk: said, and what happened", height=3.6)
    if not rows:
        return canvas.say_empty(ax)
    ax.plot([0, 1], [0, 1], color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
    for row in rows:
        ax.vlines(row["said"], row["low"], row["high"], color=canvas.BLUE, linewidth=1.6)
        ax.plot(row["said"], row["happened"], color=canvas.BLUE, marker="o", markersize=5)
    for row, place in ((rows[0], -1), (rows[-1], 1)) if len(rows) > 1 else ((rows[0], 1),):
        happened, said = (formats.percent(row[name]) for name in ("happened", "said"))
        left = row["said"] < 0.5  # noqa: PLR2004 - the text goes to the wider side
        canvas.write(
            ax,
            (row["said"], row["happened"]),
            f"risk {said}: {happened} bought nothing",
            shift=(8 if left else -8, 9 * place),
            ha="left" if left else "right",
        )
    canvas.write(
        ax, (0.02, 0.97), "above the line: more bought nothing than was said", color=canvas.FAINT
    )
    canvas.write(ax, (1.0, 0.03), "below: fewer than was said", color=canvas.FAINT, ha="right")
    ax.set_xlabel("risk that was said")
    ax.set_ylabel("share who then bought nothing")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda share, _: formats.percent(share, digits=0))
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.grid(color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def forecast_error(backtest: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Bar chart of the forecast error of each model and baseline.

    Parameters
    ----------
    backtest
        One row per split and method, as made by `crmkit.clv.backtest`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a bar for each row, to the left for too few and to the right for too many; the
    smallest error of each split is first and is highlighted.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "split": pd.to_datetime(["1997-09-30", "1997-09-30"]),
    ...         "method": ["same rate", "bg_nbd"],
    ...         "purchases_error": [0.47, -0.14],
    ...     }
    ... )
    >>> axes = forecast_error(table)
    >>> axes.get_title()
    'Forecast error: number of purchases'
    >>> [text.get_text() for text in axes.texts]
    ['14% too few', '47% too many']
    """
    rows = [
        row
        for row in frames.read_rows(backtest, tables.BACKTEST)
        if row["purchases_error"] is not None
    ]
    rows.sort(key=lambda row: (row["split"], abs(row["purchases_error"]), row["method"]))
    title = "Forecast error: number of purchases"
    ax = canvas.start(ax, title=title, height=0.55 + 0.45 * max(len(rows), 1))
    if not rows:
        return canvas.say_empty(ax)
    splits = [row["split"] for row in rows]
    is_best = [i == splits.index(split) for i, split in enumerate(splits)]
    errors = [row["purchases_error"] for row in rows]
    colors = [canvas.BLUE if best else canvas.GREY for best in is_best]
    ax.barh(range(len(rows)), errors, height=0.34, color=colors)
    for i, error in enumerate(errors):
        side = -1 if error < 0 else 1
        text = f"{formats.percent(abs(error))} too {'few' if error < 0 else 'many'}"
        canvas.write(ax, (error, i), text, shift=(4 * side, 0), ha="right" if error < 0 else "left")
    several = len(set(splits)) > 1
    names = [f"{row['method']}, {row['split']}" if several else row["method"] for row in rows]
    canvas.name_rows(ax, names, above=0.42)
    reach = max(map(abs, errors)) or 1.0
    ax.set_xlim(-1.7 * reach, 1.7 * reach)
    ax.axvline(0, color=canvas.INK, linewidth=0.8)
    ax.set_xticks([])
    return ax
