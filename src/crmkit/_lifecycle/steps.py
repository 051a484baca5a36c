"""The rows of a history of stages, each with the place of its date among all dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import HISTORY_OF_STAGES, Table


def at_steps(
    history: IntoFrame, table: Table, *, also: Sequence[str] = ()
) -> tuple[frames.Frame, tuple[date, ...]]:
    """Give `customer_id`, `step` and `stage` of each row, and the dates that the steps are.

    A customer who has two rows at a date is refused, and so is a history of one date.
    """
    frame = frames.read(history, table)
    number = time.day_number(frame, "date")
    kept = [name for name in also if frames.has(frame, name)]
    rows = frame.select("customer_id", nw.col("stage").cast(nw.String), *kept, day=number)
    rows = frames.reopen(frames.keep(rows.to_native()))
    days = _days(rows)
    steps = {"day": days, "step": list(range(len(days)))}
    labels = frames.table_like(steps, like=rows).with_columns(nw.col("day", "step").cast(nw.Int64))
    placed = rows.join(labels, on="day").select("customer_id", "step", "stage", *kept)
    return placed, tuple(map(time.day_of, days))


def with_neighbours(placed: frames.Frame, dates: Sequence[date]) -> frames.Frame:
    """Append to each row its day and the days of the dates beside it, also as numbers.

    The first date stands before itself, and the last one after itself.
    """
    days = np.array(dates, dtype="datetime64[D]")
    beside = {"since": np.array([days[0], *days[:-1]]), "until": np.array([*days[1:], days[-1]])}
    columns = {"seen": days, **beside}
    numbers = {f"{name}_day": each.astype(np.int64) for name, each in columns.items()}
    steps = np.arange(len(days), dtype=np.int64)
    labels = frames.table_like({"step": steps, **columns, **numbers}, like=placed)
    whole = labels.with_columns(nw.col("step", *numbers).cast(nw.Int64))
    return placed.join(whole, on="step")


def _days(rows: frames.Frame) -> list[int]:
    """List the day numbers of a history, which has no customer twice on one of them."""
    each = rows.group_by("customer_id", "day").agg(nw.len().alias("n"))
    twice = (nw.col("n") > 1).cast(nw.Int64)
    counted = each.with_columns(twice=twice).group_by("day").agg(nw.col("twice").sum())
    found: list[dict[str, Any]] = sorted(frames.rows(counted), key=lambda row: int(row["day"]))
    n_twice = sum(int(row["twice"]) for row in found)
    if n_twice:
        first = next(time.day_of(int(row["day"])) for row in found if row["twice"])
        msg = (
            f"{HISTORY_OF_STAGES.name}: {n_twice} pairs of `customer_id` and `date` occur more "
            f"than once, first on {first}.\nKeep one row for each customer and date."
        )
        raise InvalidRowsError(msg, n_rows=n_twice, examples=(str(first),))
    if len(found) < 2:  # noqa: PLR2004 - a move is from one date to another
        msg = (
            f"{HISTORY_OF_STAGES.name}: {len(found)} dates, and a move is from one to the next.\n"
            "Give crmkit.lifecycle.history() two dates or more."
        )
        raise InvalidArgumentError(msg)
    return [int(row["day"]) for row in found]
