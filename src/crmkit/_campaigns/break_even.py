"""Which response pays for the contact."""

from __future__ import annotations

import math

from crmkit.errors import InvalidArgumentError


def break_even_rate(*, cost_per_contact: float, profit_per_sale: float) -> float:
    """Say what share of contacted customers must buy to pay for the contacts.

    Send to the cells whose response in a test lies above it.

    Parameters
    ----------
    cost_per_contact
        Cost of reaching one customer; 0 or more.
    profit_per_sale
        Profit of one sale before the cost of contacts, so margin and not revenue; above 0.

    Returns
    -------
    ``cost_per_contact / profit_per_sale``. Above 1, no response pays for the contacts.

    Raises
    ------
    InvalidArgumentError
        If the cost is below 0, or the profit not above it.

    References
    ----------
    Hughes, A. M. How Break Even is Calculated. kbm1.com.

    Examples
    --------
    >>> round(break_even_rate(cost_per_contact=0.55, profit_per_sale=40), 5)
    0.01375
    """
    if not 0 <= cost_per_contact < math.inf:
        msg = (
            f"`cost_per_contact` must be 0 or more, got {cost_per_contact!r}.\n"
            "Give the cost of reaching one customer."
        )
        raise InvalidArgumentError(msg)
    _require_positive("profit_per_sale", profit_per_sale, "Without profit no response pays.")
    return cost_per_contact / profit_per_sale


def break_even_index(*, response_rate: float, break_even_rate: float) -> float:
    """Say how far a cell's response lies above what pays for the contacts, in percent.

    Parameters
    ----------
    response_rate
        Share of the cell's contacted customers who bought, from 0 to 1.
    break_even_rate
        The share that pays, as from `break_even_rate`; above 0.

    Returns
    -------
    ``100 * (response_rate - break_even_rate) / break_even_rate``: 0 broke even, below 0 lost
    money, -100 sold nothing.

    Raises
    ------
    InvalidArgumentError
        If the response is no share, or the break-even rate not above 0.

    Notes
    -----
    Some systems print ``100 * (response_rate - break_even_rate)`` under the same name. Their
    figures do not compare with these.

    References
    ----------
    Hughes, A. M. How Break Even is Calculated. kbm1.com.

    Examples
    --------
    >>> round(break_even_index(response_rate=0.025, break_even_rate=0.01375), 2)
    81.82
    """
    if not 0 <= response_rate <= 1:
        msg = f"`response_rate` must be from 0 to 1, got {response_rate!r}.\nWrite 2.5 % as 0.025."
        raise InvalidArgumentError(msg)
    _require_positive("break_even_rate", break_even_rate, "Where contacts are free, all pay.")
    return 100 * (response_rate - break_even_rate) / break_even_rate


def _require_positive(argument: str, value: float, why: str) -> None:
    if not 0 < value < math.inf:
        msg = f"`{argument}` must be above 0, got {value!r}.\n{why}"
        raise InvalidArgumentError(msg)
