"""Survival curves with intervals, and the numbers at risk below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS: Final = (canvas.BLUE, canvas.VERMILLION, "#009E73", "#8A5A83", canvas.INK)
_DASHES: Final = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1)))
_MOST_TICKS: Final = 6
_HEIGHT: Final = 3.4
_POINTS_PER_INCH: Final = 72
_ROW: Final = 15
"""Points of type between two rows of numbers at risk."""
_BELOW: Final = 40
"""Points from the axis to the first of them, below the name of the axis."""


def survival(curve: IntoFrame, *, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Survival curves of contracts with intervals, and the numbers at risk below.

    Parameters
    ----------
    curve
        One row per group and duration, as made by `crmkit.churn.survival`.
    by
        The column with the groups, as it was given there; at most five are drawn.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: the share of contracts that run on, over their duration, with the interval of each
    curve as a band; below it how many contracts are at risk.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a share is outside 0 ... 1.
    InvalidArgumentError
        If there are more than five groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import churn
    >>> followed = pd.DataFrame({"duration": [10, 20, 30, 40], "event": [1, 1, 0, 0]})
    >>> axes = survival(churn.survival(followed))
    >>> axes.get_title()
    'Contracts that run on'
    >>> [text.get_text() for text in axes.texts]
    ['at risk', '4', '3', '2', '1']
    """
    rows = frames.read_rows(curve, _with(by))
    groups: dict[str, list[frames.Row]] = {}
    for row in sorted(rows, key=lambda row: (str(row[by]) if by else "", row["duration"])):
        groups.setdefault(str(row[by]) if by else "", []).append(row)
    if len(groups) > len(_COLORS):
        msg = (
            f"survival curve: `{by}` has {len(groups)} values; at most {len(_COLORS)} curves "
            "can be told apart.\nLeave some out."
        )
        raise InvalidArgumentError(msg)
    height = _HEIGHT + len(groups) * _ROW / _POINTS_PER_INCH
    ax = canvas.start(ax, title="Contracts that run on", height=height)
    if not rows:
        return canvas.say_empty(ax)
    last = max(row["duration"] for row in rows)
    for place, (name, points) in enumerate(groups.items()):
        _draw(ax, points, place=place, label=formats.name(name))
    ax.set_xlim(0, last * 1.02 or 1)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(lambda share, _: formats.percent(share, digits=0))
    ax.set_xticks(_ticks(last))
    ax.grid(axis="y", color=canvas.PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    if by is not None:
        legend = ax.legend(
            frameon=False, fontsize=canvas.SMALL, labelcolor=canvas.INK, handlelength=2.4
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    _write_at_risk(ax, groups)
    return ax


def _with(by: str | None) -> Table:
    if by is None:
        return tables.SURVIVAL_CURVE
    require_column_name(by, argument="by")
    contract = tables.SURVIVAL_CURVE
    return Table(
        name=contract.name,
        row=contract.row,
        made_by=contract.made_by,
        columns=(Column(by, "key", "group", made_by=NOT_MADE), *contract.columns),
        rules=contract.rules,
    )


def _draw(ax: Axes, points: Sequence[frames.Row], *, place: int, label: str) -> None:
    """Draw steps; the band ends where the interval is not known."""
    x = [0.0, *(row["duration"] for row in points)]
    color, dash = _COLORS[place], _DASHES[place]
    known = [row for row in points if row["lower"] is not None and row["upper"] is not None]
    ax.fill_between(
        [0.0, *(row["duration"] for row in known)],
        [1.0, *(row["lower"] for row in known)],
        [1.0, *(row["upper"] for row in known)],
        step="post",
        color=color,
        alpha=0.13,
        linewidth=0,
    )
    y = [1.0, *(row["survival"] for row in points)]
    ax.step(x, y, where="post", color=color, linestyle=dash, linewidth=1.8, label=label)


def _ticks(last: float) -> list[float]:
    """Place a few ticks: half years and years of days, or years of months."""
    steps = [1, 2, 3, 6, 12, 24, 30, 60, 91, 182, 365, 730, 1461, 3652]
    fitting = next((step for step in steps if last / step <= _MOST_TICKS), None)
    step = fitting if fitting is not None and last >= 1 else last / _MOST_TICKS
    return [step * i for i in range(int(last / step) + 1)] if step else [0.0]


def _write_at_risk(ax: Axes, groups: Mapping[str, Sequence[frames.Row]]) -> None:
    """Write how many contracts are at risk at each tick, a row for each group."""
    ax.set_xlabel("duration")
    canvas.write(ax, (0, 0), "at risk", color=canvas.FAINT, shift=(-14, -_BELOW))
    for line, points in enumerate(groups.values()):
        for tick in map(float, ax.get_xticks()):
            canvas.write(
                ax,
                (tick, 0.0),
                formats.whole(_at_risk(points, tick)),
                color=_COLORS[line],
                shift=(0.0, -_BELOW - _ROW * (line + 1)),
                ha="center",
            )


def _at_risk(points: Sequence[frames.Row], tick: float) -> int:
    """Count those at risk at the first duration from the tick on."""
    return next((int(row["n_risk"]) for row in points if row["duration"] >= tick), 0)
