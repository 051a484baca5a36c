"""Who moved from which stage to which between one date of a history and the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._lifecycle.stages import in_order
from crmkit._lifecycle.steps import at_steps
from crmkit._words.arguments import listed, require_list, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import HISTORY_OF_STAGES

APPEARED: Final = "appeared"
"""Stands before the stage of a customer who has no row at the date before."""
VANISHED: Final = "vanished"
"""Stands after the stage of a customer who has no row at the next date."""


@dataclass(frozen=True, slots=True)
class Moves:
    """How many customers moved from which stage to which, from each date to the next."""

    dates: tuple[date, ...]
    counts: dict[tuple[int, str, str], int]


def flow(history: IntoFrameT) -> IntoFrameT:
    """Customers who moved from stage to stage between each date and the next: a Sankey's table.

    Whoever is in one of the two dates only has "appeared" or "vanished" on the other side, so
    that all customers of each date are counted once.

    Parameters
    ----------
    history
        One row per customer and date, as made by `crmkit.lifecycle.history`.

    Returns
    -------
    One row per pair of dates and move that was made, in order (a lazy table is not sorted):

    ===============  =====  ================================================================
    ``date``         date   the earlier date
    ``next_date``    date   the later one
    ``from_stage``   text   the stage at the earlier date, or "appeared"
    ``to_stage``     text   the stage at the later one, or "vanished"
    ``n_customers``  int    customers who made this move
    ``share``        float  their share of the customers of `from_stage`; null for "appeared"
    ===============  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `history` breaks its contract, or holds a customer more than once at a date.
    InvalidArgumentError
        If it has fewer than two dates.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ben", "cid"],
    ...         "date": pd.to_datetime(["2024-01-31"] * 2 + ["2024-02-29"] * 3),
    ...         "stage": ["active", "active", "active", "lost", "new"],
    ...     }
    ... )
    >>> moved = flow(history)
    >>> columns = ["from_stage", "to_stage", "n_customers", "share"]
    >>> print(moved[columns].to_string(index=False))
    from_stage to_stage  n_customers  share
        active   active            1    0.5
        active     lost            1    0.5
      appeared      new            1    NaN
    """
    moves = count_moves(history)
    order = (*ordered_stages(moves), APPEARED, VANISHED)
    keys = sorted(moves.counts, key=lambda key: (key[0], order.index(key[1]), order.index(key[2])))
    n_from: dict[tuple[int, str], int] = {}
    for (step, before, _), n in moves.counts.items():
        n_from[step, before] = n_from.get((step, before), 0) + n
    shares = [
        np.nan if key[1] == APPEARED else moves.counts[key] / n_from[key[0], key[1]] for key in keys
    ]
    columns: dict[str, Any] = {
        "date": np.array([moves.dates[step] for step, _, _ in keys], dtype="datetime64[D]"),
        "next_date": np.array(
            [moves.dates[step + 1] for step, _, _ in keys], dtype="datetime64[D]"
        ),
        "from_stage": [before for _, before, _ in keys],
        "to_stage": [after for _, _, after in keys],
        "n_customers": np.array([moves.counts[key] for key in keys], dtype=np.int64),
        "share": np.array(shares, dtype=np.float64),
    }
    table = frames.table_like(columns, like=frames.read(history, HISTORY_OF_STAGES))
    return frames.give(table.with_columns(nw.col("share").fill_nan(None)), like=history)


def count_moves(history: IntoFrame) -> Moves:
    """Count the moves from each date to the next, by one join."""
    placed, dates = at_steps(history, HISTORY_OF_STAGES)
    none = nw.lit("")
    before = placed.select("customer_id", "step", from_stage=nw.col("stage"), to_stage=none)
    after = placed.select(
        "customer_id", (nw.col("step") - 1).alias("step"), from_stage=none, to_stage=nw.col("stage")
    )
    # Both sides are rows of one table: a full join would cost more, and Dask loses track of it.
    both = frames.by_customer(nw.concat([before, after], how="vertical"), _moved)
    counted = both.group_by("step", "from_stage", "to_stage").agg(nw.len().alias("n"))
    counts = {
        (int(row["step"]), str(row["from_stage"]), str(row["to_stage"])): int(row["n"])
        for row in frames.rows(counted)
        if 0 <= row["step"] < len(dates) - 1
    }
    return Moves(dates, counts)


def _moved(sides: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the two stages of a customer together; a side that is not there is named."""
    names = {"from_stage": APPEARED, "to_stage": VANISHED}
    pairs = sides.group_by("customer_id", "step").agg(nw.col(*names).max())
    return pairs.with_columns(
        **{
            name: nw.when(nw.col(name) == "").then(nw.lit(missing)).otherwise(nw.col(name))
            for name, missing in names.items()
        }
    )


def ordered_stages(moves: Moves, stages: Sequence[str] | None = None) -> tuple[str, ...]:
    """List the stages that occur: those of the life cycle in its order, then others by name.

    Where `stages` are given, those, and no other may occur.
    """
    seen = {name for _, *pair in moves.counts for name in pair} - {APPEARED, VANISHED}
    if stages is None:
        return in_order(seen)
    names = require_list(stages, argument="stages", example='["new", "active", "lost"]')
    for i, name in enumerate(names):
        if not isinstance(name, str) or name in names[:i] or name in (APPEARED, VANISHED):
            msg = (
                f"`stages` must hold each stage once, as text, got {shown(name)}.\n"
                "List the stages of the history in your order."
            )
            raise InvalidArgumentError(msg)
    if seen - set(names):
        msg = (
            f"history of stages: the stages {listed(sorted(seen - set(names)))} are not among "
            "`stages`.\nName every stage that occurs."
        )
        raise InvalidArgumentError(msg)
    return names
