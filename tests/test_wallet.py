"""Share of wallet: from a survey, from ranks, and without either."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from crmkit import sales
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import rows
from tests.published import printed


def ranked(places: list[float], brands: list[int], spend: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": [str(i) for i in range(len(places))],
            "spend": spend,
            "our_rank": places,
            "brands": brands,
        }
    )


# Published


@pytest.mark.parametrize(
    ("rank", "n", "share"),
    [
        (1, 2, "0.666667"),
        (2, 2, "0.333333"),
        (1, 3, "0.500000"),
        (2, 3, "0.333333"),
        (3, 3, "0.166667"),
    ],
)
def test_the_wallet_allocation_rule(rank: int, n: int, share: str) -> None:
    # Keiningham et al. (2011), HBR 89(10): (1 - rank/(n+1)) * 2/n.
    table = ranked([rank], [n], [100.0])
    (found,) = rows(sales.wallet_from_ranks(table, ours="spend", rank="our_rank", brands="brands"))
    assert printed(found["wallet_share"], like=share) == share


def test_headroom_from_ranks() -> None:
    # Keiningham et al.; O'Reilly, appendix A: shares 2/3, 1/3 and 1 of 100, 60 and 50.
    table = ranked([1, 2, 1], [2, 3, 1], [100.0, 60.0, 50.0])
    found = rows(sales.wallet_from_ranks(table, ours="spend", rank="our_rank", brands="brands"))
    assert [row["headroom"] for row in found] == pytest.approx([50.0, 120.0, 0.0])


def test_share_of_wallet() -> None:
    # HubSpot's example: 25 of 50.
    table = pl.DataFrame({"customer_id": ["a"], "spend": [25], "category": [50]})
    (found,) = rows(sales.wallet(table, ours="spend", wallet="category"))
    assert found["wallet_share"] == 0.5
    assert "headroom_to_required" not in found


def test_the_realistic_wallet_of_ten_peers() -> None:
    # Rosset et al. (2007): the 80 % quantile (type 7) of ten peers is 58, head-room 260 in all.
    spend = [10.0, 12.0, 15.0, 20.0, 22.0, 30.0, 40.0, 55.0, 70.0, 100.0]
    table = pl.DataFrame({"customer_id": list("abcdefghij"), "spend": spend})
    found = rows(sales.realistic_wallet(table, ours="spend", quantile=0.8))
    assert [row["realistic_wallet"] for row in found] == pytest.approx([58.0] * 10)
    assert sum(row["headroom"] for row in found) == pytest.approx(260.0)


# By hand


def test_what_lacks_to_the_required_share() -> None:
    table = pl.DataFrame(
        {
            "customer_id": list("abcdef"),
            "spend": [30.0, 60.0, 90.0, 120.0, 10.0, None],
            "category": [100.0, 100.0, 100.0, 100.0, 0.0, 100.0],
        }
    )
    found = rows(sales.wallet(table, ours="spend", wallet="category", required_share=0.6))
    assert [row["headroom"] for row in found] == [70.0, 40.0, 10.0, None, None, None]
    assert [row["headroom_to_required"] for row in found] == [30.0, 0.0, 0.0, None, None, None]
    assert [row["wallet_finding"] for row in found] == ["", "", "", "share above 1", "", ""]
    assert [row["wallet_share"] for row in found] == [0.3, 0.6, 0.9, 1.2, None, None]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shares_of_the_brands_of_a_customer_sum_to_one_with_ties(n: int) -> None:
    places = [float(i) for i in range(1, n + 1)]
    if n > 2:
        places[:2] = [1.5, 1.5]
    table = ranked(places, [n] * n, [1.0] * n)
    found = rows(sales.wallet_from_ranks(table, ours="spend", rank="our_rank", brands="brands"))
    assert sum(row["wallet_share"] for row in found) == pytest.approx(1.0)


def peers() -> pl.DataFrame:
    """Make two branches, of which one spends ten times as much as the other."""
    draw = np.random.default_rng(3)
    north = np.arange(400) % 2 == 0
    spend = draw.gamma(2.0, 10.0, 400) * np.where(north, 10.0, 1.0)
    return pl.DataFrame(
        {
            "customer_id": [f"{i:03d}" for i in range(400)],
            "branch": np.where(north, "north", "south"),
            "spend": spend,
        }
    )


def test_the_quantile_is_that_of_like_customers() -> None:
    table = peers()
    found = sales.realistic_wallet(table, ours="spend", features=["branch"], quantile=0.8)
    for branch in ("north", "south"):
        mine = found.filter(pl.col("branch") == branch)
        due = float(np.quantile(mine["spend"].to_numpy(), 0.8))
        assert mine["realistic_wallet"].mean() == pytest.approx(due, rel=0.1)
        assert (mine["spend"] > mine["realistic_wallet"]).mean() == pytest.approx(0.2, abs=0.05)


def test_the_order_of_rows_changes_nothing() -> None:
    table = peers()
    one = sales.realistic_wallet(table, ours="spend", features=["branch"])
    other = sales.realistic_wallet(table.reverse(), ours="spend", features=["branch"])
    assert one.equals(other.reverse())


def test_money_in_cents_scales_the_wallet() -> None:
    table = pl.DataFrame({"customer_id": [1, 2, 3], "spend": [1.0, 2.0, 5.0]})
    one = sales.realistic_wallet(table, ours="spend")
    cents = sales.realistic_wallet(table.with_columns(pl.col("spend") * 100), ours="spend")
    assert (one["headroom"] * 100).to_list() == pytest.approx(cents["headroom"].to_list())


# Refusals


def test_a_rank_beyond_the_brands_is_refused() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        sales.wallet_from_ranks(
            ranked([3], [2], [1.0]), ours="spend", rank="our_rank", brands="brands"
        )
    assert str(caught.value) == (
        "customers: `our_rank` exceeds `brands` in 1 of 1 rows (customer_id '0').\n"
        "A rank is a place among the brands that the customer uses, ours among them."
    )


def test_too_few_customers_to_learn_from_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sales.realistic_wallet(peers().head(99), ours="spend", features=["branch"])
    assert str(caught.value) == (
        "customers: 99 have known money; `features` need 100 or more to learn from.\n"
        "Leave `features` out: then all customers are alike."
    )


@pytest.mark.parametrize("share", [0, 1.2, 60])
def test_the_required_share_is_a_fraction(share: float) -> None:
    table = pl.DataFrame({"customer_id": ["a"], "spend": [25], "category": [50]})
    with pytest.raises(InvalidArgumentError, match="`required_share` must be above 0"):
        sales.wallet(table, ours="spend", wallet="category", required_share=share)
