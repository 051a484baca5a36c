"""Referral value: trees of those whom customers brought, and the links that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import loyalty
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError
from tests.conftest import rows

VALUES = {"ann": 100.0, "ben": 400.0, "cid": 50.0, "dee": 300.0, "eve": 80.0, "fay": 1000.0}
LINKS = [("ben", "ann"), ("cid", "ann"), ("dee", "ben"), ("eve", "cid"), ("fay", "eve")]


def people(values: Mapping[str, float | None]) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(values), "clv": list(values.values())})


def pairs(links: list[tuple[str, str]]) -> pl.DataFrame:
    schema = {"customer_id": pl.String, "referred_by": pl.String}
    return pl.DataFrame(links, schema=schema, orient="row")


def by_id(found: Any) -> dict[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in rows(found)}


# By hand


@pytest.mark.parametrize(("decay", "ann", "cid"), [(0.5, 890.0, 580.0), (1.0, 1830.0, 1080.0)])
def test_the_tree_of_the_issue(decay: float, ann: float, cid: float) -> None:
    # ben 400 + cid 50, then dee 300 + eve 80, then fay 1000.
    found = by_id(loyalty.referrals(people(VALUES), pairs(LINKS), value="clv", decay=decay))
    assert found["ann"]["direct_value"] == 450.0
    assert found["ann"]["tree_value"] == ann
    assert found["cid"]["tree_value"] == cid
    assert (found["ann"]["n_referred"], found["ann"]["n_tree"]) == (2, 5)
    assert found["fay"]["tree_value"] == 0.0


@pytest.mark.parametrize(("depth", "value", "n"), [(1, 450.0, 2), (2, 640.0, 4), (3, 890.0, 5)])
def test_depth_ends_the_tree(depth: int, value: float, n: int) -> None:
    found = by_id(loyalty.referrals(people(VALUES), pairs(LINKS), value="clv", depth=depth))
    assert (found["ann"]["tree_value"], found["ann"]["n_tree"]) == (value, n)


def test_who_refers_themselves_has_nothing_of_it() -> None:
    links = pairs([("ben", "ben"), ("cid", "ann")])
    with pytest.warns(CrmkitWarning) as caught:
        found = by_id(loyalty.referrals(people(VALUES), links, value="clv"))
    assert found["ben"]["tree_value"] == 0.0
    assert found["ben"]["referral_finding"] == "self-referral"
    assert str(caught[0].message) == (
        "referrals: 1 ('ben') referred themselves: their links count for nobody."
    )


def test_a_cycle_counts_for_nobody_and_what_hangs_on_it_does() -> None:
    links = pairs([("ben", "ann"), ("cid", "ben"), ("ann", "cid"), ("dee", "ann"), ("eve", "dee")])
    with pytest.warns(CrmkitWarning, match=r"3 \('ann', 'ben', 'cid'\) stand on a cycle"):
        found = by_id(loyalty.referrals(people(VALUES), links, value="clv"))
    assert [found[who]["referral_finding"] for who in ("ann", "ben", "cid", "dee")] == [
        *["cycle"] * 3,
        "",
    ]
    assert found["ann"]["tree_value"] == 300.0 + 0.5 * 80.0
    assert found["ben"]["tree_value"] == found["cid"]["tree_value"] == 0.0


def test_two_referrers_are_none_and_a_pair_twice_is_one() -> None:
    links = pairs([("ben", "ann"), ("ben", "cid"), ("dee", "ann"), ("dee", "ann")])
    with pytest.warns(CrmkitWarning, match=r"1 \('ben'\) have two referrers or more"):
        found = by_id(loyalty.referrals(people(VALUES), links, value="clv"))
    assert found["ann"]["direct_value"] == 300.0
    assert found["cid"]["direct_value"] == 0.0
    assert found["ben"]["referral_finding"] == "two referrers"


def test_strangers_are_links_of_the_chain_without_a_value() -> None:
    links = pairs([("stranger", "ann"), ("ben", "stranger")])
    with pytest.warns(CrmkitWarning, match=r"1 \('stranger'\) are not among the customers"):
        found = by_id(loyalty.referrals(people(VALUES), links, value="clv"))
    assert found["ann"]["tree_value"] == 0.5 * 400.0
    assert (found["ann"]["n_referred"], found["ann"]["n_tree"]) == (0, 1)


def test_an_unknown_value_adds_nothing() -> None:
    found = by_id(loyalty.referrals(people(VALUES | {"ben": None}), pairs(LINKS), value="clv"))
    assert found["ann"]["direct_value"] == 50.0


# Twin and properties


def slowly(
    values: dict[str, float], links: list[tuple[str, str]], who: str, decay: float, depth: int
) -> float:
    if depth == 0:
        return 0.0
    below = [child for child, above in links if above == who]
    return sum(values[c] + decay * slowly(values, links, c, decay, depth - 1) for c in below)


@st.composite
def forests(draw: st.DrawFn) -> tuple[dict[str, float], list[tuple[str, str]]]:
    n = draw(st.integers(1, 12))
    values = {str(i): float(draw(st.integers(-5, 100))) for i in range(n)}
    above = [draw(st.integers(-1, i - 1)) for i in range(n)]
    return values, [(str(i), str(a)) for i, a in enumerate(above) if a >= 0]


@given(
    forest=forests(),
    decay=st.sampled_from([0.0, 0.5, 1.0]),
    depth=st.sampled_from([None, 1, 2, 20]),
    seed=st.integers(0, 9),
)
def test_trees_are_added_up_as_one_by_one_in_any_order(
    forest: tuple[dict[str, float], list[tuple[str, str]]],
    decay: float,
    depth: int | None,
    seed: int,
) -> None:
    values, links = forest
    shuffled = [links[i] for i in np.random.default_rng(seed).permutation(len(links))]
    found = by_id(
        loyalty.referrals(people(values), pairs(shuffled), value="clv", decay=decay, depth=depth)
    )
    for who in values:
        due = slowly(values, links, who, decay, depth or 20)
        assert found[who]["tree_value"] == pytest.approx(due)


def test_a_long_chain_takes_no_recursion() -> None:
    n = 3000
    ids = [str(i) for i in range(n)]
    chain = pairs(list(zip(ids[1:], ids[:-1], strict=True)))
    found = by_id(loyalty.referrals(people(dict.fromkeys(ids, 1.0)), chain, value="clv", decay=1))
    assert found["0"]["tree_value"] == n - 1


# Refusals


def test_ids_of_two_kinds_are_refused() -> None:
    links = pl.DataFrame({"customer_id": [1], "referred_by": [2]})
    with pytest.raises(InvalidArgumentError) as caught:
        loyalty.referrals(people(VALUES), links, value="clv")
    assert str(caught.value) == (
        "referrals: `customer_id` has type Int64, and `customer_id` of the other table String.\n"
        "Cast one of them, so that the ids can meet."
    )


def test_a_customer_twice_is_refused() -> None:
    twice = pl.concat([people(VALUES), people(VALUES).head(1)])
    with pytest.raises(InvalidRowsError, match="`customer_id` is repeated in 2 of 7 rows"):
        loyalty.referrals(twice, pairs(LINKS), value="clv")


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_decay_is_a_fraction(decay: float) -> None:
    with pytest.raises(InvalidArgumentError, match="`decay` must be from 0 to 1"):
        loyalty.referrals(people(VALUES), pairs(LINKS), value="clv", decay=decay)
