"""Spells: how long customers stay in a stage, from a history of stages."""

from __future__ import annotations

from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._lifecycle.stages import in_order
from crmkit._lifecycle.steps import at_steps, with_neighbours
from crmkit._lifecycle.waits import Wait, medians
from crmkit._words.rates import require_level
from crmkit.tables import HISTORY_OF_STAGES, SPELLS


def durations(history: IntoFrameT) -> IntoFrameT:
    """Spells: each stay of a customer in a stage, and whether it has ended.

    Who goes from active to at risk and back has two spells of active. A history knows stages on
    its dates only: a spell began and ended somewhere between two of them, and what happened in
    between is not seen. Take dates that lie close against the stays.

    Parameters
    ----------
    history
        One row per customer and date, as made by `crmkit.lifecycle.history`.

    Returns
    -------
    One row per customer and spell, sorted by both (a lazy table is not sorted):

    ===============  =====  ==================================================================
    ``customer_id``  as in  who
    ``spell``        int    1 for the customer's first, 2, ...
    ``stage``        text   the stage
    ``first_seen``   date   first date on which the customer was seen in it
    ``last_seen``    date   last date of this spell on which they were
    ``began_after``  date   the date before, on which they were not; null for a spell that was
                            running on the first date of the history
    ``ended_by``     date   the next date, on which they were seen elsewhere; null for a spell
                            that was running when the customer was last seen
    ``next_stage``   text   where they went; null likewise
    ``event``        int    1 for a spell that has ended, 0 for one that was running
    ``duration``     float  days in the stage, from the middle between the dates around its
                            beginning to the middle of those around its end, or to `last_seen`;
                            null where the beginning was not seen
    ``days_least``   int    days from `first_seen` to `last_seen`: it was no shorter
    ``days_most``    float  days from `began_after` to `ended_by`: it was no longer; null where
                            one of them is
    ===============  =====  ==================================================================

    A date of the history on which a customer has no row ends a spell, and whether they stayed is
    unknown: so its `event` is 0.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `history` breaks its contract, or holds a customer more than once at a date.
    InvalidArgumentError
        If it has fewer than two dates.

    See Also
    --------
    crmkit.lifecycle.duration_summary : the typical time in each stage.
    crmkit.churn.survival : curves of `duration` and `event`, by stage or by `next_stage`.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann"] * 4,
    ...         "date": pd.to_datetime(["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
    ...         "stage": ["new", "active", "active", "lost"],
    ...     }
    ... )
    >>> spells = durations(history)
    >>> columns = ["stage", "began_after", "first_seen", "last_seen", "ended_by", "duration"]
    >>> print(spells[columns].to_string(index=False))
     stage began_after first_seen  last_seen   ended_by  duration
       new         NaT 2024-01-31 2024-01-31 2024-02-29       NaN
    active  2024-01-31 2024-02-29 2024-03-31 2024-04-30      60.5
      lost  2024-03-31 2024-04-30 2024-04-30        NaT      15.0
    """
    placed, dates = at_steps(history, HISTORY_OF_STAGES)
    rows = with_neighbours(placed, dates)
    spells = frames.by_customer(rows, partial(_spells, n_dates=len(dates)))
    return frames.give(spells, like=history, order_by=["customer_id", "spell"])


def duration_summary(durations: IntoFrameT, *, level: float = 0.9) -> IntoFrameT:
    """Time in each stage: median days, with spells that still run counted as such.

    Spells that were running on the first date of the history are counted, and left out of the
    median: how long they had run is unknown.

    Parameters
    ----------
    durations
        One row per spell, as made by `crmkit.lifecycle.durations`. A lazy table is run, to count.
    level
        Level of the interval of each median, between 0 and 1.

    Returns
    -------
    One row per stage that occurs, in the order of the life cycle:

    ===================  =====  ==============================================================
    ``stage``            text   the stage
    ``n_spells``         int    stays in it
    ``n_running_first``  int    of which were running on the first date
    ``n_events``         int    of which ended, the others left out
    ``median``           float  days after which half of the stays have ended (Kaplan-Meier);
                                null where fewer have
    ``median_lower``     float  lower bound of the median
    ``median_upper``     float  upper bound; null where it is beyond the data
    ===================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `durations` breaks its contract.
    InvalidArgumentError
        If `level` is not between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> spells = pd.DataFrame(
    ...     {
    ...         "stage": ["active", "active", "active", "lost"],
    ...         "event": [1, 1, 0, 0],
    ...         "duration": [30.0, 61.0, 90.0, None],
    ...     }
    ... )
    >>> print(duration_summary(spells).iloc[:, :5].to_string(index=False))
     stage  n_spells  n_running_first  n_events  median
    active         3                0         2    61.0
      lost         1                1         0     NaN
    """
    require_level(level)
    frame = frames.read(durations, SPELLS)
    named = frame.select(nw.col("stage").cast(nw.String), "event", frames.known("duration"))
    counted = named.group_by("stage", "event", "duration").agg(nw.len().alias("n"))
    waits: dict[str, list[Wait]] = {}
    for row in frames.rows(counted):
        days = np.nan if row["duration"] is None else float(row["duration"])
        waits.setdefault(str(row["stage"]), []).append(Wait(days, int(row["event"]), int(row["n"])))
    stages = in_order(waits)
    seen = {name: [each for each in waits[name] if each.days >= 0] for name in stages}
    n_seen = {name: sum(each.n for each in seen[name]) for name in stages}
    n_spells = [sum(each.n for each in waits[name]) for name in stages]
    columns: dict[str, Any] = {
        "stage": list(stages),
        "n_spells": np.array(n_spells, dtype=np.int64),
        "n_running_first": np.array(n_spells, dtype=np.int64)
        - np.array(list(n_seen.values()), dtype=np.int64),
        "n_events": np.array(
            [sum(each.n for each in seen[name] if each.event) for name in stages], dtype=np.int64
        ),
        **medians([seen[name] for name in stages], level=level),
    }
    table = frames.table_like(columns, like=frame)
    floats = ("median", "median_lower", "median_upper")
    return frames.give(table.with_columns(nw.col(*floats).fill_nan(None)), like=durations)


def _spells(rows: nw.LazyFrame[Any], *, n_dates: int) -> nw.LazyFrame[Any]:
    """Collapse the rows of each customer to runs of one stage on consecutive dates."""
    step, stage = nw.col("step"), nw.col("stage")
    rows = rows.with_columns(
        step_before=step.shift(1).over("customer_id", order_by="step"),
        stage_before=stage.shift(1).over("customer_id", order_by="step"),
    )
    goes_on = (nw.col("step_before") == step - 1) & (nw.col("stage_before") == stage)
    begins = nw.when(goes_on).then(nw.lit(0)).otherwise(nw.lit(1)).cast(nw.Int64)
    numbered = rows.with_columns(begins=begins)
    spell = nw.col("begins").cum_sum().over("customer_id", order_by="step").cast(nw.Int64)
    runs = (
        numbered.with_columns(spell=spell)
        .group_by("customer_id", "spell")
        .agg(
            stage.max(),
            step.min().alias("first"),
            step.max().alias("last"),
            nw.col("seen").min().alias("first_seen"),
            nw.col("seen").max().alias("last_seen"),
            nw.col("since").min().alias("began_after"),
            nw.col("until").max().alias("ended_by"),
            nw.col("seen_day").min().alias("first_day"),
            nw.col("seen_day").max().alias("last_day"),
            nw.col("since_day").min().alias("after_day"),
            nw.col("until_day").max().alias("by_day"),
        )
    )
    runs = runs.with_columns(
        next_stage=stage.shift(-1).over("customer_id", order_by="spell"),
        next_step=nw.col("first").shift(-1).over("customer_id", order_by="spell"),
    )
    ended = (nw.col("next_step") == nw.col("last") + 1) & (nw.col("last") < n_dates - 1)
    runs = runs.with_columns(event=nw.when(ended).then(nw.lit(1)).otherwise(nw.lit(0)))
    is_seen, has_ended = nw.col("first") > 0, nw.col("event") > 0
    first, last = nw.col("first_day"), nw.col("last_day")
    begin = (nw.col("after_day") + first) / 2
    end = nw.when(has_ended).then((last + nw.col("by_day")) / 2).otherwise(last.cast(nw.Float64))
    longest = (nw.col("by_day") - nw.col("after_day")).cast(nw.Float64)
    return runs.select(
        "customer_id",
        "spell",
        "stage",
        "first_seen",
        "last_seen",
        nw.when(is_seen).then(nw.col("began_after")).alias("began_after"),
        nw.when(has_ended).then(nw.col("ended_by")).alias("ended_by"),
        nw.when(has_ended).then(nw.col("next_stage")).alias("next_stage"),
        nw.col("event").cast(nw.Int64),
        nw.when(is_seen).then(end - begin).alias("duration"),
        (last - first).alias("days_least"),
        nw.when(is_seen & has_ended).then(longest).alias("days_most"),
    )
