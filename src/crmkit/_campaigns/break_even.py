"""Break-even response of a campaign."""

from __future__ import annotations

import math

from crmkit._words.arguments import require_number, require_share, require_zero_or_more


def break_even_rate(*, cost_per_contact: float, profit_per_sale: float) -> float:
    """Break-even response rate of a campaign.

    The share of contacted customers who must buy to pay for the contacts. Contact the cells
    whose response rate in a test lies above it.

    Parameters
    ----------
    cost_per_contact
        Cost of contacting one customer; 0 or more.
    profit_per_sale
        Profit of one sale before the cost of contacts: margin, not revenue; above 0.

    Returns
    -------
    ``cost_per_contact / profit_per_sale``. Above 1, the contacts cannot pay.

    Raises
    ------
    InvalidArgumentError
        If the cost is below 0, or the profit is not above 0.

    References
    ----------
    Hughes, A. M. How Break Even is Calculated. kbm1.com.

    Examples
    --------
    >>> round(break_even_rate(cost_per_contact=0.55, profit_per_sale=40), 5)
    0.01375
    """
    require_zero_or_more(
        cost_per_contact,
        argument="cost_per_contact",
        advice="Give the cost of contacting one customer.",
    )
    _require_positive(profit_per_sale, "profit_per_sale", "Without profit no response pays.")
    return cost_per_contact / profit_per_sale


def break_even_index(*, response_rate: float, break_even_rate: float) -> float:
    """Break-even index: response rate relative to break-even, in percent.

    Parameters
    ----------
    response_rate
        Share of the cell's contacted customers who bought, from 0 to 1.
    break_even_rate
        The share that pays for the contacts, as from `crmkit.campaigns.break_even_rate`;
        above 0.

    Returns
    -------
    ``100 * (response_rate - break_even_rate) / break_even_rate``: 0 breaks even, a value below
    0 is a loss, -100 means that nobody bought.

    Raises
    ------
    InvalidArgumentError
        If the response rate is not from 0 to 1, or the break-even rate is not above 0.

    Notes
    -----
    Some systems use the same name for ``100 * (response_rate - break_even_rate)``; their numbers
    cannot be compared with these.

    References
    ----------
    Hughes, A. M. How Break Even is Calculated. kbm1.com.

    Examples
    --------
    >>> round(break_even_index(response_rate=0.025, break_even_rate=0.01375), 2)
    81.82
    """
    require_share(response_rate, argument="response_rate", advice="Write 0.025 for 2.5 %.")
    _require_positive(break_even_rate, "break_even_rate", "Free contacts always pay.")
    return 100 * (response_rate - break_even_rate) / break_even_rate


def _require_positive(value: float, argument: str, why: str) -> None:
    require_number(
        value,
        argument=argument,
        must="be above 0",
        fits=lambda number: 0 < number < math.inf,
        advice=why,
    )
