"""Break-even of a campaign: published values, and refused arguments."""

from __future__ import annotations

import math
from typing import Any

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


@pytest.mark.parametrize(("value", "shown"), [(-1, "-1"), (math.nan, "nan"), ("x", "'x'")])
def test_a_cost_below_0_is_refused(value: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_rate(cost_per_contact=value, profit_per_sale=40)
    assert str(caught.value) == (
        f"`cost_per_contact` must be 0 or more, got {shown}.\n"
        "Give the cost of contacting one customer."
    )


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (math.inf, "inf"), (None, "None")])
def test_a_profit_or_break_even_rate_not_above_0_is_refused(value: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_rate(cost_per_contact=1, profit_per_sale=value)
    assert str(caught.value) == (
        f"`profit_per_sale` must be above 0, got {shown}.\nWithout profit no response pays."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_index(response_rate=0.5, break_even_rate=value)
    assert str(caught.value) == (
        f"`break_even_rate` must be above 0, got {shown}.\nFree contacts always pay."
    )


@pytest.mark.parametrize(("value", "shown"), [(2.5, "2.5"), (-0.1, "-0.1"), ("2 %", "'2 %'")])
def test_a_response_rate_outside_0_and_1_is_refused(value: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.break_even_index(response_rate=value, break_even_rate=0.01)
    assert str(caught.value) == (
        f"`response_rate` must be from 0 to 1, got {shown}.\nWrite 0.025 for 2.5 %."
    )
