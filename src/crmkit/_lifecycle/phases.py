"""Coarser words for where customers stand: phases of the relationship, and states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._summary.rhythm import require_same_keys
from crmkit._words.arguments import require_backend
from crmkit.tables import (
    HISTORY_OF_STAGES,
    PHASE_INPUT,
    PHASE_MAP,
    PROSPECTS,
    STAGED,
    TARGETS,
    Table,
)
from crmkit.typing import Backend

_SECOND: Final = "second purchase"
_PHASES: Final = (
    ("prospect", "exploration"),
    ("new", "exploration"),
    (_SECOND, "formation"),
    ("growing", "formation"),
    ("active", "stability"),
    ("returned", "stability"),
    ("at risk", "decline"),
    ("lapsing", "decline"),
    ("lost", "decline"),
)


def phase_map(*, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Phase of the relationship for each life-cycle stage, as a table to edit.

    Parameters
    ----------
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per stage, and one for the "second purchase":

    =========  ====  ====================================================================
    ``stage``  text  life-cycle stage; "second purchase" is a customer called new or active
                     who has bought on two days
    ``phase``  text  exploration, formation, stability or decline
    =========  ====  ====================================================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not among the choices.

    Examples
    --------
    >>> table = phase_map()
    >>> print(table[table["phase"] == "formation"].to_string(index=False))
              stage     phase
    second purchase formation
            growing formation
    """
    require_backend(backend)
    stages, phases = zip(*_PHASES, strict=True)
    return frames.new_table({"stage": list(stages), "phase": list(phases)}, backend=backend)


def phases(staged: IntoFrameT, *, phases: IntoFrame | None = None) -> IntoFrameT:
    """Phase of the relationship of each customer: exploration, formation, stability, decline.

    Phases are for plans and talks, stages for what to do today. They assume that a relationship
    forms by repeat purchases; whoever buys once in a lifetime never leaves exploration.

    Parameters
    ----------
    staged
        One row per customer, as made by `crmkit.lifecycle.assign`, or, with a `date`, the table of
        `crmkit.lifecycle.history`. With a `frequency` in it, the second purchase is seen.
    phases
        The phase of each stage in the form of `crmkit.lifecycle.phase_map`, stages of your own
        included. A table without a row "second purchase" goes by the stage alone.

    Returns
    -------
    The same rows in the same order, with one more column:

    =========  ====  =============================================
    ``phase``  text  the phase; null for a stage without a phase
    =========  ====  =============================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `staged` or `phases` breaks its contract, such as a stage with two phases.

    References
    ----------
    Dwyer, F. R., Schurr, P. H. & Oh, S. (1987). Developing buyer-seller relationships. *Journal
    of Marketing* 51(2), 11-27, after whom the phases are named.

    Examples
    --------
    >>> import pandas as pd
    >>> staged = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "stage": ["new", "active", "active", "lost"],
    ...         "frequency": [0, 1, 7, 3],
    ...     }
    ... )
    >>> print(phases(staged).to_string(index=False))
    customer_id  stage  frequency       phase
            ann    new          0 exploration
            ben active          1   formation
            cid active          7   stability
            dee   lost          3     decline
    """
    is_history = "date" in frames.open_table(staged, PHASE_INPUT).collect_schema()
    frame = frames.read(staged, HISTORY_OF_STAGES if is_history else PHASE_INPUT)
    named = dict(_PHASES)
    if phases is not None:
        rows = frames.read_rows(phases, PHASE_MAP)
        named = {str(row["stage"]): str(row["phase"]) for row in rows}
    stage: nw.Expr = nw.col("stage").cast(nw.String)
    if _SECOND in named and frames.has(frame, "frequency"):
        is_second = (frames.known("frequency") == 1) & stage.is_in(["new", "active"])
        stage = nw.when(is_second).then(nw.lit(_SECOND)).otherwise(stage)
    phase = nw.lit(None).cast(nw.String)
    for name, of_stage in reversed(named.items()):
        phase = nw.when(stage == name).then(nw.lit(of_stage)).otherwise(phase)
    return frames.give(frames.with_columns(frame, phase=phase), like=staged)


def states(
    customers: IntoFrameT,
    *,
    prospects: IntoFrameT | None = None,
    targets: IntoFrameT | None = None,
) -> IntoFrameT:
    """State of everybody known by name: potential, target, actual or lost customer.

    Whom you count as potential and whom as a target is for you to say: both are tables of yours.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.lifecycle.assign`.
    prospects
        People known by name who may not have bought yet, with a `customer_id`, on the same engine
        as `customers`.
    targets
        Those of them whom you set out to win, likewise. A target who has bought is a customer,
        and one who is lost stays lost until the next purchase.

    Returns
    -------
    One row per person of any of the tables, sorted by `customer_id` (a lazy table is not sorted):

    ===============  =====  ===============================================================
    ``customer_id``  as in  who
    ``stage``        text   life-cycle stage; null for one who is not in `customers`
    ``state``        text   "potential": has never bought; "target": likewise, and among
                            `targets`; "lost": a customer of the stage "lost"; "actual": any
                            other customer
    ===============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract.
    InvalidArgumentError
        If `prospects` or `targets` cannot be matched with `customers`.

    Examples
    --------
    >>> import pandas as pd
    >>> staged = pd.DataFrame({"customer_id": ["ann", "ben"], "stage": ["active", "lost"]})
    >>> known = pd.DataFrame({"customer_id": ["ann", "pia", "pit"]})
    >>> aims = pd.DataFrame({"customer_id": ["pit"]})
    >>> print(states(staged, prospects=known, targets=aims)[["customer_id", "state"]])
      customer_id      state
    0         ann     actual
    1         ben       lost
    2         pia  potential
    3         pit     target
    """
    frame = frames.read(customers, STAGED)
    everybody = [_named(frame, nw.col("stage").cast(nw.String))]
    everybody += _others(prospects, PROSPECTS, like=frame, is_target=0)
    everybody += _others(targets, TARGETS, like=frame, is_target=1)
    people = frames.by_customer(nw.concat(everybody, how="vertical"), _one_row_each)
    return frames.give(people, like=customers, order_by=["customer_id"])


def _others(
    people: IntoFrame | None, table: Table, *, like: frames.Frame, is_target: int
) -> Sequence[frames.Frame]:
    if people is None:
        return []
    frame = frames.read(people, table)
    require_same_keys(like, frame, tables=(table.name, STAGED.name))
    return [_named(frame, nw.lit(""), is_target=is_target)]


def _named(frame: frames.Frame, stage: nw.Expr, *, is_target: int = 0) -> frames.Frame:
    """Keep who it is, with the stage; empty text for one who is not a customer."""
    named = frames.with_columns(
        frame, named_stage=stage, is_target=nw.lit(is_target).cast(nw.Int64)
    )
    return named.select("customer_id", "named_stage", "is_target")


def _one_row_each(people: frames.Frame) -> frames.Frame:
    """Put the rows of one person together, and name the state."""
    rows = people.group_by("customer_id").agg(nw.col("named_stage", "is_target").max())
    stage = nw.col("named_stage")
    never = nw.when(nw.col("is_target") > 0).then(nw.lit("target")).otherwise(nw.lit("potential"))
    bought = nw.when(stage == "lost").then(nw.lit("lost")).otherwise(nw.lit("actual"))
    state = nw.when(stage.is_in(["", "prospect"])).then(never).otherwise(bought)
    return rows.select(
        "customer_id", nw.when(stage != "").then(stage).alias("stage"), state.alias("state")
    )
