"""Sankey diagram of the moves of customers between life-cycle stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._plots import canvas
from crmkit._words import formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WELL: Final = ("growing", "active", "returned", "new", "prospect")
_DECLINE: Final = ("at risk", "lapsing", "lost")
_BESIDE: Final = {"appeared": "not there yet", "vanished": "not there any more"}
_MOST_DATES: Final = 4
_NODE: Final = 0.035
_GAP: Final = 0.025
_LINE: Final = 0.052
"""Height of a line of text, as a share of the height of the picture."""

_Key = tuple[int, str]
_Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Move:
    column: int
    before: str
    after: str
    n: int


def flow(flow: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Sankey diagram of the customers who moved from stage to stage between dates.

    Parameters
    ----------
    flow
        One row per pair of dates and move, as made by `crmkit.lifecycle.flow`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: a column for each date, the last four of them if there are more, with a block for
    each stage as high as it has customers, and a band for each move. Bands into at risk, lapsing
    or lost from another stage are orange, bands out of these are blue, all others are grey.
    Customers who had no row at a date come from, or go to, a pale block below the others.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import lifecycle
    >>> history = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"] * 2,
    ...         "date": pd.to_datetime(["2024-01-31"] * 3 + ["2024-02-29"] * 3),
    ...         "stage": ["active", "active", "lost", "active", "lost", "returned"],
    ...     }
    ... )
    >>> axes = flow(lifecycle.flow(history))
    >>> axes.get_title()
    'Moves between stages: 1 down, 1 back'
    >>> [text.get_text() for text in axes.texts][:4]
    ['active 2', 'lost 1', 'active 1', 'returned 1']
    """
    rows = frames.read_rows(flow, tables.FLOW)
    dates = sorted({row[name] for row in rows for name in ("date", "next_date")})
    shown = dates[-_MOST_DATES:]
    moves = [_move(row, shown) for row in rows if row["date"] in shown and row["n_customers"]]
    ax = canvas.start(ax, title=_title(moves), height=4.2)
    if not moves:
        return canvas.say_empty(ax)
    blocks, unit = _blocks(moves, n_columns=len(shown))
    _draw_bands(ax, moves, blocks, unit=unit)
    _draw_blocks(ax, blocks)
    _name_blocks(ax, blocks, moves, column=0)
    _name_blocks(ax, blocks, moves, column=len(shown) - 1)
    _name_dates(ax, shown, n_left_out=len(dates) - len(shown))
    return ax


def _move(row: Row, shown: Sequence[date]) -> _Move:
    column = shown.index(row["date"])
    return _Move(column, str(row["from_stage"]), str(row["to_stage"]), int(row["n_customers"]))


def _is_fall(move: _Move) -> bool:
    return move.after in _DECLINE and move.before in _WELL


def _is_return(move: _Move) -> bool:
    return move.before in _DECLINE and move.after in _WELL


def _title(moves: Sequence[_Move]) -> str:
    fell = sum(move.n for move in moves if _is_fall(move))
    back = sum(move.n for move in moves if _is_return(move))
    return f"Moves between stages: {formats.whole(fell)} down, {formats.whole(back)} back"


def _rank(stage: str) -> tuple[int, str]:
    """Put who is well above, then stages of one's own, then decline, and who is not there last."""
    if stage in _WELL:
        return _WELL.index(stage), ""
    if stage in _DECLINE:
        return 20 + _DECLINE.index(stage), ""
    return (30 if stage in _BESIDE else 10), stage


def _blocks(moves: Sequence[_Move], *, n_columns: int) -> tuple[dict[_Key, _Span], float]:
    """Give the top and the bottom of each block, and the height of a customer.

    The picture is 1 high, and 0 is its top.
    """
    leaving: dict[_Key, int] = defaultdict(int)
    coming: dict[_Key, int] = defaultdict(int)
    for move in moves:
        leaving[move.column, move.before] += move.n
        coming[move.column + 1, move.after] += move.n
    sizes = {key: max(leaving[key], coming[key]) for key in {*leaving, *coming}}
    columns = [
        sorted((key for key in sizes if key[0] == i), key=lambda key: _rank(key[1]))
        for i in range(n_columns)
    ]
    most = max(sum(sizes[key] for key in column) for column in columns)
    room = 1 - _GAP * max(len(column) - 1 for column in columns)
    unit = room / most
    spans: dict[_Key, _Span] = {}
    for column in columns:
        top = 0.0
        for key in column:
            height = unit * sizes[key]
            spans[key] = (top, top + height)
            top += height + _GAP
    return spans, unit


def _draw_bands(
    ax: Axes, moves: Sequence[_Move], blocks: Mapping[_Key, _Span], *, unit: float
) -> None:
    """Draw the bands, grey ones first, each from its place in one block to that in the next."""
    starts = _stacked(moves, blocks, unit=unit, leaving=True)
    ends = _stacked(moves, blocks, unit=unit, leaving=False)
    for move in sorted(moves, key=lambda each: _is_fall(each) or _is_return(each)):
        _draw_band(ax, move, starts[move], ends[move], height=unit * move.n)


def _stacked(
    moves: Sequence[_Move], blocks: Mapping[_Key, _Span], *, unit: float, leaving: bool
) -> dict[_Move, float]:
    """Give the top of each band in the block that it leaves, or in the one to which it comes."""
    free = {key: span[0] for key, span in blocks.items()}
    tops = {}
    for move in sorted(moves, key=lambda each: _rank(each.after if leaving else each.before)):
        key = (move.column, move.before) if leaving else (move.column + 1, move.after)
        tops[move] = free[key]
        free[key] += unit * move.n
    return tops


def _draw_band(ax: Axes, move: _Move, start: float, end: float, *, height: float) -> None:
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - heavy, so not loaded with crmkit
    from matplotlib.path import Path  # noqa: PLC0415

    color, alpha = canvas.GREY, 0.25
    if _is_fall(move):
        color, alpha = canvas.VERMILLION, 0.6
    elif _is_return(move):
        color, alpha = canvas.BLUE, 0.6
    x0, x1 = move.column + _NODE, move.column + 1 - _NODE
    half = (x0 + x1) / 2
    points = [
        *((x0, start), (half, start), (half, end), (x1, end)),
        *((x1, end + height), (half, end + height), (half, start + height), (x0, start + height)),
        (x0, start),
    ]
    codes = [
        Path.MOVETO,
        *(Path.CURVE4,) * 3,
        Path.LINETO,
        *(Path.CURVE4,) * 3,
        Path.CLOSEPOLY,
    ]
    ax.add_patch(PathPatch(Path(points, codes), facecolor=color, alpha=alpha, linewidth=0))


def _draw_blocks(ax: Axes, blocks: Mapping[_Key, _Span]) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - heavy, so not loaded with crmkit

    for (column, stage), (top, low) in blocks.items():
        color = canvas.VERMILLION if stage in _DECLINE else canvas.BLUE
        if stage not in (*_WELL, *_DECLINE):
            color = canvas.PALE if stage in _BESIDE else canvas.GREY
        corner = (column - _NODE, top)
        ax.add_patch(Rectangle(corner, 2 * _NODE, max(low - top, 0.002), facecolor=color))


def _name_blocks(
    ax: Axes, blocks: Mapping[_Key, _Span], moves: Sequence[_Move], *, column: int
) -> None:
    """Write the names beside the blocks of the first or last column, none over another."""
    first = column == 0
    n: dict[str, int] = defaultdict(int)
    for move in moves:
        if move.column == column and first:
            n[move.before] += move.n
        elif move.column + 1 == column and not first:
            n[move.after] += move.n
    stages = sorted(n, key=_rank)
    middles = [sum(blocks[column, stage]) / 2 for stage in stages]
    for stage, y in zip(stages, _apart(middles), strict=True):
        text = f"{_BESIDE.get(stage, formats.name(stage))} {formats.whole(n[stage])}"
        color = canvas.FAINT if stage in _BESIDE else canvas.INK
        x, shift, ha = (column - _NODE, (-4, 0), "right")
        if not first:
            x, shift, ha = (column + _NODE, (4, 0), "left")
        canvas.write(ax, (x, y), text, color=color, shift=shift, ha=ha)


def _apart(middles: Sequence[float]) -> list[float]:
    """Move places down, and then up from the bottom, until each is a line from the next."""
    places: list[float] = []
    for y in middles:
        places.append(max(y, places[-1] + _LINE) if places else y)
    least = 1.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], least)
        least = places[i] - _LINE
    return places


def _name_dates(ax: Axes, shown: Sequence[date], *, n_left_out: int) -> None:
    ax.set_xticks(range(len(shown)), labels=[day.isoformat() for day in shown])
    ax.xaxis.tick_top()
    ax.tick_params(axis="x", length=0)
    ax.set_yticks([])
    side = 0.32 * max(len(shown) - 1, 1)
    ax.set_xlim(-side - _NODE, len(shown) - 1 + side + _NODE)
    ax.set_ylim(1.01, -0.01)
    left_out = f"; {formats.counted(n_left_out, 'earlier date')} left out" if n_left_out else ""
    ax.set_xlabel(f"orange: into at risk, lapsing or lost; blue: out of them{left_out}")
    ax.xaxis.set_label_position("bottom")
