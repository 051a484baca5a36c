"""Transition probabilities between stages, as a value to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._lifecycle.moves import APPEARED, VANISHED, count_moves, ordered_stages
from crmkit._words import kept
from crmkit._words.arguments import is_number, require_fitted, shown
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.proportions import wilson
from crmkit.typing import Backend

_UNEQUAL: Final = 1.25
"""Calendar months and quarters differ less than this in length."""

Counts = tuple[tuple[int, ...], ...]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Transitions:
    """Counts of moves from stage to stage within a period, as a value to keep.

    Made by `crmkit.lifecycle.transitions`, used by `crmkit.lifecycle.forecast` and
    `crmkit.lifecycle.markov_value`.

    Attributes
    ----------
    stages
        The stages, in the order of rows and columns.
    counts
        Customers by the stage at one date (row) and at the next (column), all periods together.
    period_days
        Mean days from one date to the next.
    n_periods
        Pairs of dates that were counted.
    appeared
        Customers by their first stage, who had no row at the date before.
    vanished
        Customers by their last stage, who had no row at the next date. They are in no
        probability: a history from orders has none of them.
    """

    stages: tuple[str, ...]
    counts: Counts
    period_days: float
    n_periods: int
    appeared: tuple[int, ...]
    vanished: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse counts that make no sense together."""
        size = len(self.stages)
        if not size or len(set(self.stages)) < size:
            msg = (
                "`stages` must hold one stage or more, each once.\n"
                "See crmkit.lifecycle.transitions."
            )
            raise InvalidArgumentError(msg)
        columns = (self.appeared, self.vanished, *self.counts)
        if len(self.counts) != size or any(len(each) != size for each in columns):
            msg = (
                f"`counts`, `appeared` and `vanished` must have a place for each of the {size} "
                "stages.\nSee crmkit.lifecycle.transitions."
            )
            raise InvalidArgumentError(msg)
        for n in (n for column in columns for n in column):
            if not (is_number(n) and n >= 0 and n % 1 == 0):
                msg = f"`counts` must be whole numbers of 0 or more, got {shown(n)}."
                raise InvalidArgumentError(msg)
        if not (is_number(self.period_days) and 0 < self.period_days < np.inf):
            msg = f"`period_days` must be above 0, got {shown(self.period_days)}."
            raise InvalidArgumentError(msg)

    @property
    def probabilities(self) -> tuple[tuple[float | None, ...], ...]:
        """Share of each row's customers who moved to each stage; None where the row is empty."""
        matrix = probabilities_of(self)
        return tuple(
            tuple(None if np.isnan(p) else float(p) for p in row) for row in matrix.tolist()
        )

    def to_json(self) -> str:
        """Write the counts as JSON text, to keep and apply again next month."""
        return kept.write(type(self).__name__, asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Transitions:
        """Read them back.

        Raises
        ------
        InvalidArgumentError
            If the text is not what `to_json` writes.
        """
        row = kept.list_of(kept.whole)
        readers: dict[str, kept.Reader[Any]] = {
            "stages": kept.list_of(kept.text),
            "counts": kept.list_of(row),
            "period_days": kept.positive,
            "n_periods": kept.whole,
            "appeared": row,
            "vanished": row,
        }
        return cls(**kept.read(text, kind=cls.__name__, fields=readers))


def transitions(history: IntoFrame, *, stages: Sequence[str] | None = None) -> Transitions:
    """Transition counts and probabilities between stages, from a history of stages.

    The moves from each date to the next are added up. Used for what comes next, they assume that
    the next period is like these and that the stage says all that matters of a customer (a Markov
    chain); a season breaks the first, and longer memories the second.

    Parameters
    ----------
    history
        One row per customer and date, as made by `crmkit.lifecycle.history`, or of stages of your
        own. The dates lie about equally far apart, as months and quarters do.
    stages
        All stages in your order. By default those that occur: the stages of the life cycle in
        its order, then others by name.

    Returns
    -------
    The counts, to be given to `crmkit.lifecycle.forecast` and `crmkit.lifecycle.markov_value`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `history` breaks its contract, or holds a customer more than once at a date.
    InvalidArgumentError
        If it has fewer than two dates, they are not about equally far apart, or a stage is not
        among `stages`.

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
    >>> moved = transitions(history)
    >>> moved.stages, moved.counts[1], moved.appeared
    (('new', 'active', 'lost'), (0, 1, 1), (1, 0, 0))
    >>> moved.probabilities[1], moved.probabilities[0]  # nobody has been seen after "new"
    ((0.0, 0.5, 0.5), (None, None, None))
    >>> Transitions.from_json(moved.to_json()) == moved
    True
    """
    moves = count_moves(history)
    lengths = [(later - earlier).days for earlier, later in pairwise(moves.dates)]
    if max(lengths) > _UNEQUAL * min(lengths):
        msg = (
            f"history of stages: its dates lie {min(lengths)} to {max(lengths)} days apart, and "
            "moves of different periods cannot be added up.\n"
            "Give dates that lie about equally far apart."
        )
        raise InvalidArgumentError(msg)
    names = ordered_stages(moves, stages)
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    appeared, vanished = (np.zeros(len(names), dtype=np.int64) for _ in range(2))
    for (_, before, after), n in moves.counts.items():
        if before == APPEARED:
            appeared[place[after]] += n
        elif after == VANISHED:
            vanished[place[before]] += n
        else:
            counts[place[before], place[after]] += n
    return Transitions(
        stages=names,
        counts=tuple(tuple(row) for row in counts.tolist()),
        period_days=sum(lengths) / len(lengths),
        n_periods=len(lengths),
        appeared=tuple(appeared.tolist()),
        vanished=tuple(vanished.tolist()),
    )


def transition_table(
    transitions: Transitions, *, level: float = 0.9, backend: Backend = "pandas"
) -> Any:  # noqa: ANN401 - the library decides
    """Transition probabilities with intervals, one row for each pair of stages.

    Parameters
    ----------
    transitions
        The counts, as made by `crmkit.lifecycle.transitions`.
    level
        Coverage of each interval by itself, between 0 and 1.
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per pair of stages in their order:

    ====================  =====  =============================================================
    ``from_stage``        text   stage at one date
    ``to_stage``          text   stage at the next
    ``n_from``            int    customers of `from_stage`
    ``n_customers``       int    those of them who moved to `to_stage`
    ``probability``       float  their share; null where nobody was in `from_stage`
    ``lower``, ``upper``  float  Wilson's interval for it; from 0 to 1 where nobody was there
    ``seen``              bool   whether anybody made this move: an estimate of 0 is not a proof
                                 that nobody will, and the upper end says how many might
    ====================  =====  =============================================================

    Raises
    ------
    InvalidArgumentError
        If `transitions` is not such a value, or another argument is outside its range.

    Examples
    --------
    >>> moved = Transitions(("active", "lost"), ((3, 1), (0, 0)), 30, 1, (0, 0), (0, 0))
    >>> print(transition_table(moved).round(2).to_string(index=False))
    from_stage to_stage  n_from  n_customers  probability  lower  upper  seen
        active   active       4            3         0.75   0.36   0.94  True
        active     lost       4            1         0.25   0.06   0.64  True
          lost   active       0            0          NaN   0.00   1.00 False
          lost     lost       0            0          NaN   0.00   1.00 False
    """
    require_transitions(transitions)
    require_level(level)
    size = len(transitions.stages)
    counts = np.array(transitions.counts, dtype=np.float64)
    n_from = np.repeat(counts.sum(axis=1), size)
    k = counts.ravel()
    lower, upper = wilson(k, n_from, level=level)
    p = probabilities_of(transitions).ravel().tolist()
    columns = {
        "from_stage": [name for name in transitions.stages for _ in range(size)],
        "to_stage": list(transitions.stages) * size,
        "n_from": n_from.astype(np.int64).tolist(),
        "n_customers": k.astype(np.int64).tolist(),
        "probability": [None if np.isnan(each) else each for each in p],
        "lower": lower.tolist(),
        "upper": upper.tolist(),
        "seen": (k > 0).tolist(),
    }
    return frames.new_table(columns, backend=backend)


def probabilities_of(transitions: Transitions) -> Matrix:
    """Divide counts by their rows' sums; NaN in a row of nobody."""
    counts = np.array(transitions.counts, dtype=np.float64)
    sums = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(sums > 0, counts / np.where(sums > 0, sums, np.nan), np.nan)


def drawn(transitions: Transitions, *, n_draws: int, seed: int) -> Matrix:
    """Draw matrices from the posterior of each row: a Dirichlet over the moves that were seen.

    A move that nobody made stays at 0, and a row of nobody is NaN.
    """
    dice = np.random.default_rng(seed)
    counts = np.array(transitions.counts, dtype=np.float64)
    weights = dice.standard_gamma(np.broadcast_to(counts, (n_draws, *counts.shape)))
    sums = weights.sum(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(sums > 0, weights / np.where(sums > 0, sums, np.nan), np.nan)


def require_transitions(value: object) -> None:
    """Require what `transitions` makes."""
    require_fitted(
        value, Transitions, argument="transitions", made_by="crmkit.lifecycle.transitions"
    )
