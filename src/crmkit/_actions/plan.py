"""The plan of actions, and the action that it recommends for each customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_backend
from crmkit.errors import InvalidArgumentError
from crmkit.tables import ACTION_INPUTS, ACTION_PLAN
from crmkit.typing import Backend

Rule: TypeAlias = Mapping[str, Any]

_ANY: Final = "any"

_COLUMNS: Final = ("stage", "tier", "action", "reason")

# The first row that fits a customer decides. Reasons say no more than the stage knows: whoever is
# active may be silent for longer than usual, and whoever is lapsing may well buy again.
_PLAN: Final = (
    ("prospect", _ANY, "invite to a first order", "known by name, has never bought"),
    ("new", "diamond", "welcome in person", "a first purchase this large deserves a face"),
    ("new", _ANY, "welcome and show what comes next", "the second purchase decides"),
    ("growing", "diamond", "plan the year together", "among the most valuable, and buying more"),
    ("growing", _ANY, "offer the next product", "buying more than before"),
    ("active", "diamond", "look after in person", "among the most valuable, and active"),
    ("active", "gold", "offer the next product", "valuable and active, with room to grow"),
    ("active", _ANY, "serve by automatic channels", "active; needs no more than good service"),
    ("returned", "diamond", "thank in person for coming back", "valuable, and easily lost again"),
    ("returned", _ANY, "thank for coming back", "came back after a silence long for them"),
    ("at risk", "diamond", "call now", "among the most valuable, and late by their own rhythm"),
    ("at risk", "gold", "write with a personal offer", "valuable, and late by their own rhythm"),
    ("at risk", _ANY, "send a reminder", "late by their own rhythm"),
    (
        "lapsing",
        "diamond",
        "call with a win-back offer",
        "among the most valuable, and silent for long",
    ),
    ("lapsing", "gold", "send a win-back offer", "valuable, and silent for long"),
    ("lapsing", _ANY, "send a last reminder", "silent for long; worth a message, not a call"),
    ("lost", "diamond", "ask why they left", "was among the most valuable; the reason is worth it"),
    ("lost", "gold", "try one win-back offer", "was valuable; one try is cheap"),
    ("lost", _ANY, "stop paid contact", "silent for very long, and brought little"),
    (_ANY, _ANY, "serve by automatic channels", "no other rule fits this customer"),
)


def plan(*, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Plan of actions by life-cycle stage and tier, as a table to edit.

    Parameters
    ----------
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per rule; the first rule that fits a customer decides:

    ==========  ====  =========================================================
    ``stage``   text  life-cycle stage of the rule, or "any"
    ``tier``    text  tier of the rule, or "any"
    ``action``  text  what to do
    ``reason``  text  why
    ==========  ====  =========================================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not among the choices.

    Examples
    --------
    >>> rules = plan()
    >>> print(rules[rules["stage"] == "at risk"][["tier", "action"]].to_string(index=False))
       tier                      action
    diamond                    call now
       gold write with a personal offer
        any             send a reminder
    """
    require_backend(backend)
    columns = dict(zip(_COLUMNS, map(list, zip(*_PLAN, strict=True)), strict=True))
    return frames.new_table(columns, backend=backend)


def recommend(customers: IntoFrameT, *, plan: IntoFrame | None = None) -> IntoFrameT:
    """Recommend one action for each customer, by stage and tier.

    The stage shows what is happening, the tier how much effort it is worth. The plan is advice
    from practice and is not learned from your data: test with a control group whether an action
    pays.

    Parameters
    ----------
    customers
        One row per customer, with `stage` from `crmkit.lifecycle.assign` and `tier` from
        `crmkit.tiers.assign`; a null tier, as of a prospect, matches "any" only.
    plan
        A plan of your own, in the form of `crmkit.actions.plan`; the first rule that fits
        decides. By default the plan of `crmkit.actions.plan`.

    Returns
    -------
    The same rows in the same order, with more columns, null where no rule fits:

    =================  ====  ==================
    ``action``         text  what to do
    ``action_reason``  text  why
    =================  ====  ==================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` or `plan` breaks its contract.
    InvalidArgumentError
        If `plan` has no rows.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"stage": ["at risk", "active"], "tier": ["diamond", "silver"]}, index=["ann", "ben"]
    ... )
    >>> print(recommend(customers)[["stage", "tier", "action"]])
           stage     tier                       action
    ann  at risk  diamond                     call now
    ben   active   silver  serve by automatic channels
    """
    frame = frames.read(customers, ACTION_INPUTS)
    rules = _read_plan(plan)
    advised = frames.with_columns(
        frame, action=_first_fit(rules, "action"), action_reason=_first_fit(rules, "reason")
    )
    return frames.give(advised, like=customers)


def _read_plan(given: IntoFrame | None) -> list[Rule]:
    if given is None:
        return [dict(zip(_COLUMNS, row, strict=True)) for row in _PLAN]
    rows = frames.read(given, ACTION_PLAN).collect()
    if rows.is_empty():
        msg = "action plan: the table is empty.\nStart from crmkit.actions.plan() and edit it."
        raise InvalidArgumentError(msg)
    return list(rows.iter_rows(named=True))


def _first_fit(
    rules: Sequence[Rule], text: str, columns: Sequence[str] = ("stage", "tier")
) -> nw.Expr:
    """Write the text of the first rule that fits as an expression, one column at a time."""
    if not columns:
        return nw.lit(rules[0][text] if rules else None).cast(nw.String)
    column, *others = columns
    found = _first_fit([rule for rule in rules if rule[column] == _ANY], text, others)
    for wanted in dict.fromkeys(rule[column] for rule in rules):
        if wanted != _ANY:
            fitting = [rule for rule in rules if rule[column] in (wanted, _ANY)]
            then = _first_fit(fitting, text, others)
            found = nw.when(nw.col(column) == wanted).then(then).otherwise(found)
    return found
