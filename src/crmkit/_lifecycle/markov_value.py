"""Value of a customer in each stage, by the Markov chain of the stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crmkit._door import frames
from crmkit._lifecycle.forecast import by_stage, require_moves
from crmkit._lifecycle.transitions import Transitions, drawn, probabilities_of, require_transitions
from crmkit._words.arguments import require_flag, require_number, require_seed, require_whole
from crmkit._words.rates import require_discount_rate, require_level
from crmkit.errors import InvalidArgumentError
from crmkit.typing import Backend

Matrix = npt.NDArray[np.float64]

_DRAWS: Final = 2_000
_DAYS_A_YEAR: Final = 365.25


def markov_value(
    transitions: Transitions,
    *,
    margin: Mapping[str, float],
    annual_discount_rate: float,
    cost: Mapping[str, float] | None = None,
    period_days: float | None = None,
    periods: int | None = None,
    include_now: bool = True,
    level: float = 0.9,
    seed: int = 1,
    backend: Backend = "pandas",
) -> Any:  # noqa: ANN401 - the library decides
    """Lifetime value of a customer in each stage, by the Markov chain of the stages.

    A customer in a stage brings its margin and takes its cost, then moves on by the transition
    probabilities. What it is worth to move one customer from a stage to another is the difference
    of their values. The chain assumes that the stage says all that matters of a customer.

    Parameters
    ----------
    transitions
        The counts, as made by `crmkit.lifecycle.transitions`.
    margin
        Money earned in a period from a customer of each stage; 0 for a stage that is not named.
    annual_discount_rate
        What money a year from now is worth less: 0.1 for 10 % a year. Above 0 without `periods`.
    cost
        Money spent in a period on a customer of each stage; 0 for a stage that is not named.
    period_days
        Days of a period; by default those of `transitions`.
    periods
        Periods ahead to count; without end by default.
    include_now
        Whether the margin of the stage that the customer is in counts, undiscounted; otherwise the
        first margin is that of the next period, discounted once.
    level
        Coverage of the intervals, between 0 and 1.
    seed
        Start of the random numbers of the intervals.
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per stage in the order of `transitions`:

    ====================  =====  ==============================================================
    ``stage``             text   the stage
    ``n_moves``           int    moves that were counted from it
    ``net``               float  `margin` less `cost` of one period
    ``value``             float  lifetime value of a customer who is in the stage now
    ``lower``, ``upper``  float  interval for it, from the doubt about the probabilities
    ``value_if_stopped``  float  value where spending may be stopped for good, with the customer
                                 then worth nothing: never below 0
    ``pays``              bool   whether spending on the stage pays: `value_if_stopped` above 0
    ====================  =====  ==============================================================

    Raises
    ------
    InvalidArgumentError
        If a stage has no moves counted from it, `annual_discount_rate` is 0 without `periods`, or
        an argument is outside its range.

    Notes
    -----
    With P the probabilities, r the net money, and d the discount rate of a period, the value is
    the sum over t from 0 (or 1) to `periods` of ``(P / (1 + d))^t r``; without an end
    ``(I - P / (1 + d))^-1 r``. `value_if_stopped` solves
    ``v = max(0, r + P v / (1 + d))``, over the same horizon, by repetition.

    References
    ----------
    Pfeifer, P. E. and Carraway, R. L. (2000). Modeling customer relationships as Markov chains.
    *Journal of Interactive Marketing* 14(2), 43-55.

    Examples
    --------
    >>> from crmkit import lifecycle
    >>> moved = lifecycle.Transitions(
    ...     ("active", "lost"), ((50, 50), (0, 9)), 365.25, 1, (0, 0), (0, 0)
    ... )
    >>> values = markov_value(moved, margin={"active": 60.0}, annual_discount_rate=0.25)
    >>> print(values[["stage", "net", "value", "pays"]].to_string(index=False))
     stage  net  value  pays
    active 60.0  100.0  True
      lost  0.0    0.0 False
    """
    require_transitions(transitions)
    net = by_stage(margin, transitions, argument="margin")
    net = net - by_stage(cost if cost is not None else {}, transitions, argument="cost")
    require_discount_rate(annual_discount_rate)
    days = transitions.period_days if period_days is None else period_days
    require_number(
        days,
        argument="period_days",
        must="be above 0",
        fits=lambda each: 0 < each < math.inf,
        advice="Write 91 for a quarter.",
    )
    _require_horizon(periods, annual_discount_rate)
    require_flag(include_now, argument="include_now")
    require_level(level)
    require_seed(seed)
    require_moves(np.ones(len(net)), transitions)
    discount = (1 + annual_discount_rate) ** (-float(days) / _DAYS_A_YEAR)
    matrix = probabilities_of(transitions)
    value = values_of(matrix, net, discount=discount, periods=periods, include_now=include_now)
    matrices = drawn(transitions, n_draws=_DRAWS, seed=seed)
    draws = values_of(matrices, net, discount=discount, periods=periods, include_now=include_now)
    lower, upper = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2), axis=0)
    stopped = _with_stop(matrix, net, discount=discount, periods=periods)
    columns = {
        "stage": list(transitions.stages),
        "n_moves": [sum(row) for row in transitions.counts],
        "net": net.tolist(),
        "value": value.tolist(),
        "lower": lower.tolist(),
        "upper": upper.tolist(),
        "value_if_stopped": stopped.tolist(),
        "pays": (stopped > 0).tolist(),
    }
    return frames.new_table(columns, backend=backend)


def values_of(
    matrix: Matrix, net: Matrix, *, discount: float, periods: int | None, include_now: bool
) -> Matrix:
    """Add up discounted money over the periods to come; one row for each matrix of a stack."""
    step = matrix * discount
    column = net[:, None]
    whole: Any
    start = np.broadcast_to(column, (*step.shape[:-1], 1))
    if periods is None:
        whole = np.linalg.solve(
            np.eye(len(net)) - step, np.broadcast_to(column, (*step.shape[:-1], 1))
        )
    else:
        whole = start
        for _ in range(int(periods)):
            whole = column + step @ whole
    values: Matrix = whole[..., 0] if include_now else whole[..., 0] - net
    return values


def _with_stop(matrix: Matrix, net: Matrix, *, discount: float, periods: int | None) -> Matrix:
    """Value where spending may be stopped in any period, by value iteration."""
    value = np.maximum(net, 0.0)
    most = _enough(discount) if periods is None else int(periods)
    for _ in range(most):
        last, value = value, np.maximum(0.0, net + discount * (matrix @ value))
        if np.array_equal(last, value):
            break
    return value


def _enough(discount: float) -> int:
    """Periods after which what is left is below a rounding error."""
    return math.ceil(math.log(1e-14) / math.log(discount))


def _require_horizon(periods: int | None, annual_discount_rate: float) -> None:
    if periods is not None:
        require_whole(
            periods, argument="periods", least=1, most=1_000, advice="Write 4 for four periods."
        )
    elif annual_discount_rate == 0:
        msg = (
            "`annual_discount_rate` must be above 0 without an end, got 0.\n"
            "Give `periods`, or write 0.1 for 10 % a year."
        )
        raise InvalidArgumentError(msg)
