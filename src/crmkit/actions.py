"""What to do about each customer: one recommended action, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError
from crmkit.tables import ACTION_INPUTS, ACTION_PLAN
from crmkit.typing import Backend

__all__ = ["plan", "recommend"]

Rule: TypeAlias = Mapping[str, Any]

_ANY: Final = "any"

# Stage, tier, action, reason. The first row that fits a customer is the one that counts.
_PLAN: Final = (
    ("prospect", _ANY, "invite to a first order", "known by name, has never bought"),
    ("new", "diamond", "welcome in person", "a first purchase this large deserves a face"),
    ("new", _ANY, "welcome and show what comes next", "the second purchase decides"),
    ("growing", "diamond", "plan the year together", "among the most valuable, and buying more"),
    ("growing", _ANY, "offer the next product", "buying more than before"),
    ("active", "diamond", "look after in person", "among the most valuable, and on time"),
    ("active", "gold", "offer the next product", "valuable, on time, with room to grow"),
    ("active", _ANY, "serve by automatic channels", "on time; needs no more than good service"),
    ("returned", "diamond", "thank in person for coming back", "valuable, and easily lost again"),
    ("returned", _ANY, "thank for coming back", "came back after a silence long for them"),
    ("at risk", "diamond", "call now", "among the most valuable, and late by their own rhythm"),
    ("at risk", "gold", "write with a personal offer", "valuable, and late by their own rhythm"),
    ("at risk", _ANY, "send a reminder", "late by their own rhythm"),
    ("lapsing", "diamond", "call with a win-back offer", "among the most valuable, nearly gone"),
    ("lapsing", "gold", "send a win-back offer", "valuable, nearly gone"),
    ("lapsing", _ANY, "send a last reminder", "nearly gone; worth a message, not a call"),
    ("lost", "diamond", "ask why they left", "was among the most valuable; the reason is worth it"),
    ("lost", "gold", "try one win-back offer", "was valuable; one try is cheap"),
    ("lost", _ANY, "stop paid contact", "gone, and brought little"),
    (_ANY, _ANY, "serve by automatic channels", "no rule speaks for this customer"),
)


def plan(*, backend: Backend = "polars") -> Any:  # noqa: ANN401 - native to `backend`
    """List what `recommend` advises for each stage and tier, as a table to read and edit.

    Parameters
    ----------
    backend
        The kind of table.

    Returns
    -------
    One row per rule, in the order in which they are asked:

    ==========  ====  =========================================================
    ``stage``   text  stage of life that the rule is for, or "any"
    ``tier``    text  tier that it is for, or "any"
    ``action``  text  what to do
    ``reason``  text  why
    ==========  ====  =========================================================

    Examples
    --------
    >>> rules = plan(backend="pandas")
    >>> print(rules[rules["stage"] == "at risk"][["tier", "action"]].to_string(index=False))
       tier                      action
    diamond                    call now
       gold write with a personal offer
        any             send a reminder
    """
    names = ("stage", "tier", "action", "reason")
    columns = dict(zip(names, map(list, zip(*_PLAN, strict=True)), strict=True))
    return frames.new_table(columns, backend=backend)


def recommend(customers: IntoFrameT, *, plan: IntoFrame | None = None) -> IntoFrameT:
    """Give each customer one action, by their stage of life and their tier.

    The stage says what is happening, the tier how much effort it is worth. The plan is advice
    from practice, not learned from your data: a test against a control group tells whether an
    action pays.

    Parameters
    ----------
    customers
        One row per customer, with `stage` from `crmkit.lifecycle.assign` and `tier` from
        `crmkit.tiers.assign`; a null tier, as of a prospect, fits "any" only.
    plan
        Rules as made by `plan`, yours in place of ours; the first that fits counts.

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
    rows = frames.read(plan() if given is None else given, ACTION_PLAN).collect()
    if rows.is_empty():
        msg = "action plan: no rows.\nStart from crmkit.actions.plan() and edit it."
        raise InvalidArgumentError(msg)
    return list(rows.iter_rows(named=True))


def _first_fit(
    rules: Sequence[Rule], text: str, columns: Sequence[str] = ("stage", "tier")
) -> nw.Expr:
    """Take a text from the first rule that fits, asking for one column at a time."""
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
