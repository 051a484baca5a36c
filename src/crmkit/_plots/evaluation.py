"""Plots of an evaluation: each method at each origin, and totals with their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit._words.arguments import require_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Question(NamedTuple):
    """How a question is drawn: its title, the column, what chance gives, and the axis in words."""

    title: str
    column: str
    chance: float
    axis: str


_QUESTIONS: Final = {
    "who buys nothing": _Question(
        "Who buys nothing: how well each method ranks",
        "auc",
        0.5,
        "AUC: 0.5 is chance, 1 is perfect; a dot for each origin",
    ),
    "money lost": _Question(
        "Money lost: found in the tenth ranked first",
        "captured_share",
        0.1,
        "share of the money lost: 10% is chance; a dot for each origin",
    ),
    "money to come": _Question(
        "Money to come: found in the tenth ranked first",
        "captured_share",
        0.1,
        "share of the money to come: 10% is chance; a dot for each origin",
    ),
}
_QUANTITIES: Final = ("purchases", "money")
_ABOVE: Final = 0.36


def rankings(
    rankings: IntoFrame, *, question: str = "who buys nothing", ax: Axes | None = None
) -> Axes:
    """Dot plot of how well each method ranks at each origin.

    Parameters
    ----------
    rankings
        One row per origin, question and method: `rankings` of `crmkit.pipeline.evaluate`.
    question
        "who buys nothing", "money lost" or "money to come".
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a row for each method, the best first, with a dot for each origin and a bar from
    chance to the mean; the default of the main job is highlighted.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `question` is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "origin": pd.to_datetime(["1997-09-30", "1997-09-30"]),
    ...         "question": ["money lost"] * 2,
    ...         "method": ["past money", "value at risk"],
    ...         "is_default": [False, True],
    ...         "n_customers": [4227, 4227],
    ...         "auc": [None, None],
    ...         "brier": [None, None],
    ...         "risk_error": [None, None],
    ...         "captured_share": [0.26, 0.31],
    ...     }
    ... ).astype({name: float for name in ("auc", "brier", "risk_error")})
    >>> axes = rankings(table, question="money lost")
    >>> axes.get_title()
    'Money lost: found in the tenth ranked first'
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['value at risk (crmkit)', 'past money']
    """
    require_choice(question, _QUESTIONS, argument="question")
    asked = _QUESTIONS[question]
    rows = [
        row
        for row in frames.read_rows(rankings, tables.RANKINGS)
        if row["question"] == question and row[asked.column] is not None
    ]
    methods = _by_mean(rows, asked.column)
    ax = canvas.start(ax, title=asked.title, height=0.9 + 0.4 * max(len(methods), 1))
    if not methods:
        return canvas.say_empty(ax)
    is_auc = asked.column == "auc"
    for i, of_method in enumerate(methods):
        values = [row[asked.column] for row in of_method]
        color = canvas.BLUE if of_method[0]["is_default"] else canvas.GREY
        mean = fmean(values)
        ax.barh(i, mean - asked.chance, left=asked.chance, height=0.1, color=color, alpha=0.45)
        ax.plot(values, [i] * len(values), color=color, marker="o", markersize=5, linestyle="none")
        ax.vlines(mean, i - 0.16, i + 0.16, color=color, linewidth=2)
        ax.vlines(asked.chance, i - 0.1, i + 0.1, color=canvas.INK, linewidth=0.8)
        text = formats.decimal(mean, digits=3) if is_auc else formats.percent(mean, digits=0)
        of = "mean " if i == 0 else ""
        canvas.write(ax, (max(*values, asked.chance), i), of + text, shift=(7, 0))
    names = [
        f"{each[0]['method']} (crmkit)" if each[0]["is_default"] else each[0]["method"]
        for each in methods
    ]
    canvas.name_rows(ax, names, above=_ABOVE)
    drawn = [row[asked.column] for row in rows]
    low, high = min(*drawn, asked.chance), max(drawn)
    ax.set_xlim(low - 0.04 * (high - low), high + 0.24 * (high - low))
    ax.xaxis.set_major_formatter(
        lambda x, _: formats.decimal(x) if is_auc else formats.percent(x, digits=0)
    )
    ax.set_xlabel(asked.axis)
    return ax


def totals(
    totals: IntoFrame, *, quantity: str = "money", ax: Axes | None = None, currency: str = ""
) -> Axes:
    """Plot of the total forecast at each origin with its bounds, and what came.

    Parameters
    ----------
    totals
        One row per origin, quantity and method: `totals` of `crmkit.pipeline.evaluate`.
    quantity
        "purchases" or "money".
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: for each origin the bounds of the default forecast as a bar, the forecast as a line
    across it, and what came as a point, which is highlighted where it is outside.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `quantity` is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "origin": pd.to_datetime(["1997-09-30"]),
    ...         "quantity": ["purchases"],
    ...         "method": ["model with misses"],
    ...         "is_default": [True],
    ...         "actual": [7364.0],
    ...         "predicted": [6411.8],
    ...         "lower": [4354.6],
    ...         "upper": [9438.5],
    ...         "error": [-0.13],
    ...         "held": [1.0],
    ...     }
    ... )
    >>> axes = totals(table, quantity="purchases")
    >>> axes.get_title()
    'Total purchases: forecast and what came'
    >>> [text.get_text() for text in axes.texts]
    ['7,364 came; forecast 13% too low']
    """
    require_choice(quantity, _QUANTITIES, argument="quantity")
    rows = [
        row
        for row in frames.read_rows(totals, tables.TOTALS)
        if row["quantity"] == quantity and row["is_default"] and row["lower"] is not None
    ]
    rows.sort(key=lambda row: row["origin"])
    title = f"Total {quantity}: forecast and what came"
    ax = canvas.start(ax, title=title, height=0.9 + 0.5 * max(len(rows), 1))
    if not rows:
        return canvas.say_empty(ax)
    for i, row in enumerate(rows):
        width = row["upper"] - row["lower"]
        ax.barh(i, width, left=row["lower"], height=0.3, color=canvas.PALE)
        ax.vlines(row["predicted"], i - 0.15, i + 0.15, color=canvas.FAINT, linewidth=1.6)
        color = canvas.BLUE if row["held"] else canvas.VERMILLION
        ax.plot(row["actual"], i, color=color, marker="o", markersize=6)
        end = max(row["upper"], row["actual"])
        canvas.write(ax, (end, i), _of_total(row, quantity, currency=currency), shift=(7, 0))
    canvas.name_rows(ax, [f"from {row['origin']}" for row in rows], above=0.42)
    reach = max(max(row["upper"], row["actual"]) for row in rows)
    ax.set_xlim(0, 1.75 * reach)
    ax.set_xticks([])
    ax.set_xlabel("bar: bounds of the forecast; line: forecast; point: what came")
    return ax


def _by_mean(rows: Sequence[Row], column: str) -> list[list[Row]]:
    """Group rows by method, the best mean first."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row["method"], []).append(row)
    return sorted(
        methods.values(),
        key=lambda of_method: (-fmean(row[column] for row in of_method), of_method[0]["method"]),
    )


def _of_total(row: Row, quantity: str, *, currency: str) -> str:
    came = row["actual"]
    text = (
        formats.money(came, currency=currency, digits=0)
        if quantity == "money"
        else formats.whole(came)
    )
    if row["error"] is None:
        return f"{text} came"
    side = "high" if row["error"] > 0 else "low"
    return f"{text} came; forecast {formats.percent(abs(row['error']))} too {side}"
