"""The style of all plots: figure, colours and type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from crmkit._words import formats
from crmkit.typing import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From the palette of Okabe and Ito, which is safe for all kinds of colour vision.
BLUE: Final = "#0072B2"
VERMILLION: Final = "#C04A00"
GREY: Final = "#8A94A0"
PALE: Final = "#D5DAE0"
INK: Final = "#1F2933"
FAINT: Final = "#5A6672"
WHITE: Final = "#FFFFFF"

WIDTH: Final = 4.8
"""Inches: narrow enough to be read on a phone."""
SMALL: Final = 8.5
MEDIUM: Final = 9.5

HATCH: Final = "////"
"""Marks what may still change."""
MOST_NUMBERED: Final = 24
"""Columns of a heatmap with a number each."""

_TICKS: Final = 12
_TITLE: Final = 10.5
_BLACK: Final = "#000000"
_LUMINANCE_OF_EQUAL_CONTRAST: Final = 0.179  # with black and with white


def start(ax: Axes | None, *, title: str, height: float, width: float = WIDTH) -> Axes:
    """Style the given Axes, or those of a new figure: no frame, no tick marks, pale labels.

    `matplotlib.pyplot` is not used, so nothing else holds the figure in memory.
    """
    if ax is None:
        from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, so not loaded with crmkit

        ax = Figure(figsize=(width, height), layout="constrained").subplots()
    ax.set_title(title, x=0, ha="left", fontsize=_TITLE, fontweight="bold", color=INK, pad=10)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=FAINT, labelsize=SMALL)
    ax.xaxis.label.set(color=FAINT, fontsize=SMALL)
    ax.yaxis.label.set(color=FAINT, fontsize=SMALL)
    return ax


def write(
    ax: Axes,
    xy: tuple[float, float],
    text: str,
    *,
    color: str = INK,
    shift: tuple[float, float] = (4, 0),
    ha: str = "left",
    va: str = "center",
) -> None:
    """Write text beside a data point, `shift` points of type away from it."""
    ax.annotate(
        text,
        xy,
        xytext=shift,
        textcoords="offset points",
        ha=ha,
        va=va,
        color=color,
        fontsize=SMALL,
        annotation_clip=False,
        parse_math=False,  # a dollar sign is a dollar sign
    )


def write_on_line(ax: Axes, xy: tuple[float, float], text: str) -> None:
    """Write text below a point of a line, on a background that keeps it legible."""
    write(ax, xy, text, shift=(6, -2), va="top")
    ax.texts[-1].set_bbox({"facecolor": WHITE, "alpha": 0.75, "linewidth": 0, "pad": 0.5})


def draw_cell(ax: Axes, place: tuple[float, float], *, depth: float, hatch: str = "") -> str:
    """Draw a cell, darker for higher values, and give the colour for text on it.

    Black or white, whichever has the better contrast (with the luminance of WCAG 2.2).
    """
    from matplotlib import colormaps  # noqa: PLC0415 - heavy, so not loaded with crmkit
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    color = colormaps["Blues"](0.06 + 0.84 * depth)
    corner = (place[0] - 0.5, place[1] - 0.5)
    ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor=WHITE, hatch=hatch))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]  # noqa: PLR2004 - sRGB
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return WHITE if luminance < _LUMINANCE_OF_EQUAL_CONTRAST else _BLACK


def name_rows(ax: Axes, names: Sequence[object], *, above: float) -> None:
    """Write the name of each row above its bars, so that long names do not shorten the bars."""
    ax.set_yticks([i - above for i in range(len(names))], labels=list(map(formats.name, names)))
    ax.tick_params(axis="y", pad=0)
    for label in ax.get_yticklabels():
        label.set(horizontalalignment="left", color=INK, fontsize=MEDIUM, parse_math=False)
    ax.set_ylim(len(names) - 0.45, -0.75)


def period_name(day: date, every: Period) -> str:
    """Write a calendar period by its first day, such as 2024-01 or 2024-Q1."""
    if every == "quarter":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return day.isoformat()[: {"month": 7, "year": 4}.get(every, 10)]


def name_columns(ax: Axes, names: Sequence[str], *, top: bool = True) -> None:
    """Label the columns, or every n-th column if there are too many to read."""
    longest = max(map(len, names), default=1)
    room = MOST_NUMBERED if top else max(_TICKS * 4 // (longest + 1), 2)
    step = -(-len(names) // room)
    ax.set_xticks(range(0, len(names), step), labels=names[::step])
    if top:
        ax.xaxis.tick_top()
        ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(names) - 0.5)


def say_empty(ax: Axes) -> Axes:
    """Mark an empty plot."""
    ax.set_axis_off()
    ax.text(0, 0.5, "no rows", transform=ax.transAxes, color=FAINT, fontsize=MEDIUM)
    return ax
