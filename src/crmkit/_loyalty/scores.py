"""Emotional, behavioural and intentional loyalty, from answers on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._loyalty.given import require_free
from crmkit._words.arguments import (
    require_column_name,
    require_list,
    require_numbers,
    shown,
)
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

_BOUNDS: Final = 2


def scores(
    customers: IntoFrameT,
    *,
    emotional: Sequence[str] = (),
    behavioural: Sequence[str] = (),
    intentional: Sequence[str] = (),
    reversed_items: Sequence[str] = (),
    scale: tuple[float, float] = (1, 5),
) -> IntoFrameT:
    """Emotional, behavioural and intentional loyalty, from answers on a scale.

    Each score is the mean of the answers that are known, null where none is. The assumption that
    most often fails is that the questions of one score measure one thing; look at how their answers
    correlate before the mean.

    Parameters
    ----------
    customers
        One row per customer, with a column of numbers for each question.
    emotional
        Columns on what customers feel, such as "I like them".
    behavioural
        Columns on what they do, such as "I buy there most of the time".
    intentional
        Columns on what they mean to do, such as "I would recommend them".
    reversed_items
        Columns among these in which a high answer is a bad one.
    scale
        The lowest and the highest answer that there is.

    Returns
    -------
    The same rows in the same order, with a column for each score that has questions:

    =====================  =====  ================================================
    ``emotional_score``    float  0 where all answers are the worst, 1 for the best
    ``behavioural_score``  float  likewise
    ``intentional_score``  float  likewise
    =====================  =====  ================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, a customer is there twice, or an answer is outside `scale`.
    InvalidArgumentError
        If no question is named, `scale` is not two rising numbers, `reversed_items` has others, or
        the table already has one of the new columns.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben"], "like": [5, 2], "miss": [4, None], "leave": [1, 4]}
    ... )
    >>> found = scores(
    ...     answers, emotional=["like", "miss"], intentional=["leave"], reversed_items=["leave"]
    ... )
    >>> print(found[["emotional_score", "intentional_score"]].to_string(index=False))
     emotional_score  intentional_score
               0.875               1.00
               0.250               0.25
    """
    low, high = _scale(scale)
    given = {"emotional": emotional, "behavioural": behavioural, "intentional": intentional}
    asked = {name: _columns(columns, argument=name) for name, columns in given.items()}
    every = [column for columns in asked.values() for column in columns]
    turned = _columns(reversed_items, argument="reversed_items")
    if not every:
        msg = 'No question is named.\nWrite emotional=["like", "trust"].'
        raise InvalidArgumentError(msg)
    strange = [name for name in turned if name not in every]
    if strange:
        msg = f"`reversed_items` has {frames.quoted(strange)}, which no score is made of."
        raise InvalidArgumentError(msg)
    columns = [Column("customer_id", "key", "who", made_by=NOT_MADE)]
    columns += [
        Column(name, "number", "answer", low, high, nullable=True, made_by=NOT_MADE)
        for name in dict.fromkeys(every)
    ]
    table = Table(
        name="answers",
        row="one customer",
        made_by=NOT_MADE,
        columns=tuple(columns),
        one_row_each="customer_id",
    )
    frame = frames.read(customers, table)
    made = {
        f"{name}_score": _mean([_answer(each, turned, low, high) for each in columns_])
        for name, columns_ in asked.items()
        if columns_
    }
    require_free(frame, tuple(made))
    return frames.give(frames.with_columns(frame, **made), like=customers)


def _scale(scale: tuple[float, float]) -> tuple[float, float]:
    numbers = require_numbers(scale, argument="scale", example="(1, 5)")
    rises = len(numbers) == _BOUNDS and numbers[0] < numbers[1] < float("inf")
    if not rises or numbers[0] == -float("inf"):
        msg = f"`scale` must be two rising numbers, got {shown(scale)}.\nWrite (1, 5)."
        raise InvalidArgumentError(msg)
    return numbers[0], numbers[1]


def _columns(given: Sequence[str], *, argument: str) -> tuple[str, ...]:
    listed = require_list(given, argument=argument, example='["like", "trust"]')
    for name in listed:
        require_column_name(name, argument=argument)
    return tuple(dict.fromkeys(listed))


def _answer(name: str, turned: Sequence[str], low: float, high: float) -> nw.Expr:
    """Bring an answer to the range from 0 to 1, the best being 1."""
    value = frames.known(name)
    return (high - value if name in turned else value - low) / (high - low)


def _mean(answers: Sequence[nw.Expr]) -> nw.Expr:
    """Average the known answers; null where none is."""
    n = nw.sum_horizontal(*((~each.is_null()).cast(nw.Float64) for each in answers))
    total = nw.sum_horizontal(*(each.fill_null(0.0) for each in answers))
    return nw.when(n > 0).then(total / n)
