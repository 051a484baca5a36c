"""Stage counts of the periods to come, and the money that they bring, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._lifecycle.transitions import Transitions, drawn, probabilities_of, require_transitions
from crmkit._words.arguments import is_number, require_number, require_seed, require_whole, shown
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError
from crmkit.tables import STAGED

Matrix = npt.NDArray[np.float64]

_DRAWS: Final = 2_000
_MOST_PERIODS: Final = 1_000
_MOST_NEW: Final = 1e9


def forecast(
    staged: IntoFrameT,
    *,
    transitions: Transitions,
    periods: int,
    new_per_period: float | Mapping[str, float] = 0.0,
    amount_per_customer: Mapping[str, float] | None = None,
    level: float = 0.9,
    seed: int = 1,
) -> IntoFrameT:
    """Forecast the customers of each stage, and their money, some periods ahead.

    Customers move by the transition probabilities, each period anew. The intervals hold two kinds
    of doubt: the probabilities are estimates from a number of moves, and each customer moves
    by chance. They do not hold a third: that the next periods differ from those counted, as
    seasons do. Without `new_per_period` every forecast is of a base that nobody joins.

    Parameters
    ----------
    staged
        One row per customer, as made by `crmkit.lifecycle.assign`.
    transitions
        The counts of a history by the same rules, as made by `crmkit.lifecycle.transitions`.
    periods
        How many periods of `transitions.period_days` to look ahead.
    new_per_period
        Customers who join in each period, by the stage in which its end finds them; a single number
        is for the stage "new". Their mean so far is ``transitions.appeared`` divided by
        ``transitions.n_periods``.
    amount_per_customer
        Mean money that a customer of each stage brings in the period at whose end the stage is
        given; a stage that is not named brings none.
    level
        Coverage of each interval, between 0 and 1.
    seed
        Start of the random numbers of the intervals.

    Returns
    -------
    One row per period and stage, and per period a last row with a `stage` of null for all stages
    together, in order (a lazy table is not sorted):

    ================================  =====  ==================================================
    ``period``                        int    periods from now; 0 is now
    ``stage``                         text   the stage; null for all together
    ``stage_order``                   int    its place in `transitions`, from 1
    ``expected_customers``            float  customers to be expected, not rounded
    ``lower``, ``upper``              float  interval for their number
    ``amount``                        float  their money in the period
    ``amount_lower``,                 float  interval for it, from the doubt about numbers alone
    ``amount_upper``
    ================================  =====  ==================================================

    Without `amount_per_customer`, the columns of money are left out.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `staged` breaks its contract.
    InvalidArgumentError
        If customers are, or arrive, in a stage from which no move has been counted, or an argument
        is outside its range.

    Notes
    -----
    The expected numbers are ``n(t) = n(t - 1) P + new``. The intervals are quantiles of 2,000
    simulations, each with probabilities drawn from the posterior of every row (a Dirichlet over the
    moves that were seen), multinomial moves and Poisson arrivals.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import lifecycle
    >>> staged = pd.DataFrame({"customer_id": range(100), "stage": ["active"] * 80 + ["lost"] * 20})
    >>> moved = lifecycle.Transitions(
    ...     ("active", "lost"), ((75, 25), (10, 90)), 91, 1, (0, 0), (0, 0)
    ... )
    >>> ahead = forecast(staged, transitions=moved, periods=1, new_per_period={"active": 5})
    >>> print(ahead[["period", "stage", "expected_customers"]].to_string(index=False))
     period  stage  expected_customers
          0 active                80.0
          0   lost                20.0
          0    NaN               100.0
          1 active                67.0
          1   lost                38.0
          1    NaN               105.0
    """
    require_transitions(transitions)
    advice = "Write 4 for a year of quarters."
    require_whole(periods, argument="periods", least=1, most=_MOST_PERIODS, advice=advice)
    inflow = _inflow(new_per_period, transitions)
    given = {} if amount_per_customer is None else amount_per_customer
    worth = by_stage(given, transitions, argument="amount_per_customer")
    require_level(level)
    require_seed(seed)
    now = _counts(staged, transitions)
    require_moves(now + inflow, transitions)
    means = expected(now, transitions, periods=int(periods), inflow=inflow)
    draws = _simulated(now, transitions, periods=int(periods), inflow=inflow, seed=seed)
    ends = ((1 - level) / 2, (1 + level) / 2)
    whole = np.concatenate([draws, draws.sum(axis=2, keepdims=True)], axis=2)
    lower, upper = np.quantile(whole, ends, axis=0)
    size, n_rows = len(transitions.stages), int(periods) + 1
    columns = {
        "period": np.repeat(np.arange(n_rows), size + 1),
        "stage": [*transitions.stages, None] * n_rows,
        "stage_order": np.tile(np.arange(1, size + 2), n_rows),
        "expected_customers": np.column_stack([means, means.sum(axis=1)]).ravel(),
        "lower": lower.ravel(),
        "upper": upper.ravel(),
    }
    if amount_per_customer is not None:
        money = draws * worth
        money = np.concatenate([money, money.sum(axis=2, keepdims=True)], axis=2)
        amounts = means * worth
        low, high = np.quantile(money, ends, axis=0)
        columns["amount"] = np.column_stack([amounts, amounts.sum(axis=1)]).ravel()
        columns |= {"amount_lower": low.ravel(), "amount_upper": high.ravel()}
    table = frames.table_like(columns, like=frames.read(staged, STAGED))
    return frames.give(table, like=staged)


def expected(now: Matrix, transitions: Transitions, *, periods: int, inflow: Matrix) -> Matrix:
    """Expected numbers of each stage, now and at the end of each period."""
    matrix = np.nan_to_num(probabilities_of(transitions))
    numbers = [now]
    for _ in range(periods):
        numbers.append(numbers[-1] @ matrix + inflow)
    return np.array(numbers)


def _simulated(
    now: Matrix, transitions: Transitions, *, periods: int, inflow: Matrix, seed: int
) -> Matrix:
    """Draw numbers of each stage: one row per simulation, then per period, then per stage."""
    dice = np.random.default_rng(seed + 1)
    matrices = np.nan_to_num(drawn(transitions, n_draws=_DRAWS, seed=seed))
    numbers = np.tile(now.astype(np.int64), (_DRAWS, 1))
    path = [numbers]
    for _ in range(periods):
        moved = dice.poisson(inflow, size=numbers.shape).astype(np.int64)
        for i in range(len(now)):
            if numbers[:, i].any():
                moved += dice.multinomial(numbers[:, i], matrices[:, i])
        numbers = moved
        path.append(numbers)
    return np.stack(path, axis=1).astype(np.float64)


def _counts(staged: IntoFrame, transitions: Transitions) -> Matrix:
    """Count the customers of each stage; all must be stages of the transitions."""
    frame = frames.read(staged, STAGED).with_columns(nw.col("stage").cast(nw.String))
    counted = frame.group_by("stage").agg(nw.len().alias("n_customers"))
    found = {str(row["stage"]): float(row["n_customers"]) for row in frames.rows(counted)}
    return by_stage(found, transitions, argument="staged")


def by_stage(values: Mapping[str, float], transitions: Transitions, *, argument: str) -> Matrix:
    """Put numbers given by stage in the order of the stages; 0 where none is given."""
    if not isinstance(values, Mapping):
        msg = f'`{argument}` must name stages, got {shown(values)}.\nWrite {{"new": 10.0}}.'
        raise InvalidArgumentError(msg)
    for name, value in values.items():
        if name not in transitions.stages:
            msg = (
                f"`{argument}` has the stage {shown(name)}, which `transitions` do not know.\n"
                "Make transitions from a history with this stage."
            )
            raise InvalidArgumentError(msg)
        if not (is_number(value) and math.isfinite(value)):
            msg = f"`{argument}` must hold finite numbers, got {shown(value)} for {name!r}."
            raise InvalidArgumentError(msg)
    return np.array([float(values.get(name, 0.0)) for name in transitions.stages])


def _inflow(value: float | Mapping[str, float], transitions: Transitions) -> Matrix:
    argument = "new_per_period"
    if not isinstance(value, Mapping):
        require_number(
            value,
            argument=argument,
            must="be from 0 to a billion",
            fits=lambda n: 0 <= n <= _MOST_NEW,
            advice="It is the number of customers who join in each period.",
        )
        value = {"new": value} if value else {}
    inflow = by_stage(value, transitions, argument=argument)
    if (inflow < 0).any() or (inflow > _MOST_NEW).any():
        msg = f"`{argument}` must hold numbers from 0 to a billion, got {shown(dict(value))}."
        raise InvalidArgumentError(msg)
    return inflow


def require_moves(numbers: Matrix, transitions: Transitions) -> None:
    """Require that each stage of a customer, now or later, has moves to go by."""
    reached = numbers > 0
    counts = np.array(transitions.counts)
    for _ in transitions.stages:
        reached = reached | (counts[reached] > 0).any(axis=0)
    unknown = reached & (counts.sum(axis=1) == 0)
    if unknown.any():
        name = transitions.stages[int(np.argmax(unknown))]
        msg = (
            f"`transitions` have seen nobody in the stage {name!r} with a next date, so where its "
            "customers go is unknown.\nCount moves over more dates."
        )
        raise InvalidArgumentError(msg)
