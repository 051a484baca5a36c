"""Break-even of a mailing: Hughes' figures, and what is refused."""

from __future__ import annotations

import pytest

from crmkit import campaigns
from crmkit.errors import InvalidArgumentError

# Published


def test_the_break_even_rate_and_index_are_hughes() -> None:
    # A. M. Hughes, How Break Even is Calculated: 0.55 a piece, 40 a sale, response 2.5 %.
    rate = campaigns.break_even_rate(cost_per_contact=0.55, profit_per_sale=40)
    assert rate == pytest.approx(0.01375, abs=1e-9)
    index = campaigns.break_even_index(response_rate=0.025, break_even_rate=rate)
    assert f"{index:.2f}" == "81.82"
    assert campaigns.break_even_index(response_rate=rate, break_even_rate=rate) == 0
    assert campaigns.break_even_index(response_rate=0, break_even_rate=rate) == -100


# Refusals


def test_break_even_asks_for_a_cost_a_profit_and_a_share() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_rate(cost_per_contact=-1, profit_per_sale=40)
    assert str(caught.value) == (
        "`cost_per_contact` must be 0 or more, got -1.\nGive the cost of reaching one customer."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_rate(cost_per_contact=1, profit_per_sale=0)
    assert str(caught.value) == (
        "`profit_per_sale` must be above 0, got 0.\nWithout profit no response pays."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_index(response_rate=2.5, break_even_rate=0.01)
    assert str(caught.value) == (
        "`response_rate` must be from 0 to 1, got 2.5.\nWrite 2.5 % as 0.025."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_index(response_rate=0.5, break_even_rate=0)
    assert str(caught.value) == (
        "`break_even_rate` must be above 0, got 0.\nWhere contacts are free, all pay."
    )
