"""Review of tiers: hysteresis, steps, days that protect a tier, and who is exempt."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows

NAMES = ("platinum", "gold", "silver", "bronze")
CUTS = (2000.0, 1000.0, 500.0)
RULE = tiers.TierRule(NAMES, CUTS, ("total_amount",), (1.0,), (1.0,), "thresholds")
DAY = date(2024, 6, 30)

amounts = st.none() | st.integers(0, 300_000).map(lambda n: n / 100)
held_tiers = st.none() | st.sampled_from(NAMES)
days = st.none() | st.integers(0, 900).map(lambda n: DAY - timedelta(days=n))
customers = st.lists(st.tuples(held_tiers, amounts, days), min_size=1, max_size=25)
options = st.fixed_dictionaries(
    {
        "grace": st.sampled_from([0.0, 0.1, 0.5]),
        "hold_days": st.sampled_from([None, 0, 90]),
        "one_step": st.booleans(),
        "downgrade": st.sampled_from(["one_down", "earned"]),
        "when": st.sampled_from(["now", "anniversary"]),
        "no_downgrade_before": st.sampled_from([None, DAY, "2024-12-31"]),
    }
)


def held(*tier: str | None, **columns: list[Any]) -> pl.DataFrame:
    """The tiers of customers 0, 1, 2, ..."""
    return pl.DataFrame(
        {"customer_id": list(range(len(tier))), "tier": tier, **columns},
        schema_overrides={"tier": pl.String, "tier_since": pl.Date, "tier_expires": pl.Date},
    )


def worth(*amount: float | None) -> pl.DataFrame:
    """The value of customers 0, 1, 2, ..."""
    columns = {"customer_id": list(range(len(amount))), "total_amount": amount}
    return pl.DataFrame(columns, schema_overrides={"total_amount": pl.Float64})


def reviewed(current: pl.DataFrame, proposed: pl.DataFrame, **given: Any) -> pl.DataFrame:
    options: dict[str, Any] = {"rule": RULE, "as_of": DAY, **given}
    return tiers.review(current, proposed, **options)


def decision(tier: str | None, amount: float | None, **given: Any) -> tuple[Any, ...]:
    """Tier and clause of one customer; columns of `current` have names that begin with "tier"."""
    columns = {name: [value] for name, value in given.items() if name.startswith("tier")}
    others = {name: value for name, value in given.items() if name not in columns}
    found = reviewed(held(tier, **columns), worth(amount), **others)
    return found.select("tier", "clause").row(0)


# Published


@pytest.mark.parametrize(("downgrade", "tier"), [("one_down", "gold"), ("earned", "bronze")])
def test_a_platinum_customer_who_earns_bronze(downgrade: str, tier: str) -> None:
    # Tier.downgradePolicy of Talon.One: "one_down" is the next lower tier, "balance_based" the one
    # that the balance earns. https://docs.talon.one
    assert decision("platinum", 100.0, downgrade=downgrade)[0] == tier


# By hand


@pytest.mark.parametrize(
    ("tier", "amount", "given", "expected"),
    [
        ("gold", 1000.0, {}, ("gold", "earned")),
        ("gold", 900.0, {}, ("gold", "grace")),
        ("gold", 899.0, {}, ("silver", "fall")),
        ("gold", 899.0, {"grace": 0.2}, ("gold", "grace")),
        ("gold", 999.0, {"grace": 0.0}, ("silver", "fall")),
        ("gold", 0.0, {}, ("silver", "one step down")),
        ("gold", 0.0, {"downgrade": "earned"}, ("bronze", "fall")),
        # What keeps silver is enough to fall no further than silver.
        ("platinum", 460.0, {"downgrade": "earned"}, ("silver", "fall")),
        ("bronze", 0.0, {}, ("bronze", "earned")),
        ("silver", 1000.0, {}, ("gold", "rise")),
        ("silver", 999.99, {}, ("silver", "earned")),
        ("bronze", 5000.0, {}, ("silver", "one step up")),
        ("bronze", 5000.0, {"one_step": False}, ("platinum", "rise")),
        (None, 5000.0, {}, ("platinum", "entered")),
        ("gold", None, {}, ("gold", "unknown")),
        (None, None, {}, (None, "unknown")),
        ("gold", 0.0, {"tier_since": DAY - timedelta(89), "hold_days": 90}, ("gold", "hold")),
        (
            *("gold", 0.0, {"tier_since": DAY - timedelta(90), "hold_days": 90}),
            ("silver", "one step down"),
        ),
        ("gold", 0.0, {"no_downgrade_before": "2024-07-01"}, ("gold", "renewal")),
        ("gold", 600.0, {"no_downgrade_before": DAY}, ("silver", "fall")),
        ("gold", 0.0, {"tier_since": date(2023, 7, 1), "when": "anniversary"}, None),
        ("gold", 600.0, {"tier_since": date(2023, 6, 30), "when": "anniversary"}, "falls"),
        # Nobody waits to rise.
        (
            "silver",
            1000.0,
            {"tier_since": DAY, "hold_days": 90, "when": "anniversary"},
            ("gold", "rise"),
        ),
        ("gold", 0.0, {"tier_basis": "invited"}, ("gold", "exempt")),
        ("gold", 9000.0, {"tier_basis": "by hand"}, ("gold", "exempt")),
        ("gold", 600.0, {"tier_basis": "rule"}, ("silver", "fall")),
        (
            "gold",
            600.0,
            {"tier_basis": "invited", "tier_expires": DAY + timedelta(1)},
            ("gold", "exempt"),
        ),
        ("gold", 600.0, {"tier_basis": "invited", "tier_expires": DAY}, ("silver", "fall")),
        ("gold", 600.0, {"tier_expires": DAY + timedelta(1)}, ("gold", "promise")),
    ],
)
def test_each_clause_decides_as_it_says(
    tier: str, amount: float, given: dict[str, Any], expected: Any
) -> None:
    words = {None: ("gold", "anniversary"), "falls": ("silver", "fall")}
    assert decision(tier, amount, **given) == words.get(expected, expected)


def test_each_row_says_since_when_until_when_and_what_is_needed() -> None:
    since = [date(2024, 6, 1)] * 4
    found = reviewed(
        held("gold", "gold", "silver", "bronze", tier_since=since),
        worth(500.0, 950.0, 1200.0, 0.0),
        hold_days=90,
    )
    columns = ["tier", "move", "tier_since", "tier_expires", "falls_on", "falls_to"]
    end, new_end = date(2024, 8, 30), date(2024, 9, 28)
    assert found.select(columns).rows() == [
        ("gold", "stayed", since[0], end, end, "silver"),
        ("gold", "stayed", since[0], end, None, None),
        ("gold", "up", DAY, new_end, None, None),
        ("bronze", "stayed", since[0], None, None, None),
    ]
    assert found["needed_to_stay"].to_list() == [400.0, 0.0, 0.0, None]
    assert found["needed_to_rise"].to_list() == [1500.0, 1050.0, 800.0, 500.0]


def test_who_fell_too_little_falls_again_at_the_next_review() -> None:
    first = reviewed(held("platinum"), worth(0.0))
    assert first.select("tier", "falls_on", "falls_to", "needed_to_stay").row(0) == (
        *("gold", DAY + timedelta(1), "silver", 900.0),
    )
    second = reviewed(first, worth(0.0), as_of=DAY + timedelta(1))
    assert second["tier"].item() == "silver"


def test_the_year_of_a_tier_begins_again_where_it_is_kept() -> None:
    current = held("gold", tier_since=[date(2023, 3, 15)])
    march = reviewed(current, worth(1100.0), as_of="2024-03-31", when="anniversary")
    assert march["tier_expires"].item() == date(2025, 3, 15)
    assert march["tier_since"].item() == date(2023, 3, 15)
    april = reviewed(march, worth(0.0), as_of="2024-04-30", when="anniversary")
    assert april.select("clause", "falls_on").row(0) == ("anniversary", date(2025, 3, 15))
    later = reviewed(april, worth(0.0), as_of="2025-03-15", when="anniversary")
    assert later.select("tier", "tier_expires").row(0) == ("silver", date(2026, 3, 15))


def test_where_reviews_were_missed_the_year_begins_on_the_day_of_the_review() -> None:
    current = held("gold", "gold", tier_since=[date(2020, 3, 15), None])
    found = reviewed(current, worth(1100.0, 1100.0), when="anniversary")
    assert found["tier_expires"].to_list() == [date(2025, 6, 30)] * 2


def test_each_customer_may_have_a_renewal_of_their_own() -> None:
    current = held("gold", "gold", "gold").with_columns(
        renewal=pl.Series([date(2024, 7, 1), DAY, None])
    )
    found = reviewed(current, worth(0.0, 0.0, 0.0), no_downgrade_before="renewal")
    assert found["clause"].to_list() == ["renewal", "one step down", "one step down"]
    assert found["tier_expires"].to_list() == [date(2024, 7, 1), None, None]


def test_who_is_in_one_table_only_is_there_too() -> None:
    found = reviewed(held("gold"), pl.DataFrame({"customer_id": [5], "total_amount": [600.0]}))
    assert found.select("customer_id", "tier_before", "tier", "move", "clause").rows() == [
        (0, "gold", "gold", "stayed", "unknown"),
        (5, None, "silver", "entered", "entered"),
    ]


def test_those_who_are_exempt_are_counted_apart() -> None:
    current = held(*["gold"] * 4, "silver", tier_basis=["rule", "rule", "by hand", "invited", None])
    found = reviewed(current, worth(1000.0, 100.0, 0.0, 9000.0, 1200.0))
    assert found["is_exempt"].to_list() == [False, False, True, True, False]
    assert found["tier_basis"].to_list() == ["rule", "rule", "by hand", "invited", "rule"]
    assert found["needed_to_stay"].to_list()[2:4] == [None, None]
    summed = tiers.review_summary(found, rule=RULE)
    names = ["n_before", "n_customers", "n_stayed", "n_up", "n_down", "n_entered", "n_exempt"]
    assert summed.select("tier", *names, "n_will_fall").rows() == [
        ("platinum", *[0] * 8),
        ("gold", 4, 4, 3, 1, 0, 0, 2, 0),
        ("silver", 1, 1, 0, 0, 1, 0, 0, 1),
        ("bronze", *[0] * 8),
    ]


def test_with_cuts_for_each_measure_each_says_what_is_needed() -> None:
    rule = tiers.TierRule(
        *(("gold", "silver"), (), ("assets", "fees"), (1.0, 1.0), (1.0, 1.0), "all_thresholds"),
        measure_cuts=((1000.0,), (50.0,)),
    )
    proposed = pl.DataFrame({"customer_id": [0, 1], "assets": [950.0, 950.0], "fees": [20.0, 46.0]})
    found = reviewed(held("gold", "gold"), proposed, rule=rule, no_downgrade_before="2025-01-01")
    assert found["clause"].to_list() == ["renewal", "grace"]
    assert found["needed_to_stay_assets"].to_list() == [0.0, 0.0]
    assert found["needed_to_stay_fees"].to_list() == [25.0, 0.0]
    assert found["needed_to_rise_fees"].to_list() == [None, None]


def test_each_group_is_reviewed_by_its_own_rule() -> None:
    proposed = worth(100.0, 100.0, 100.0).with_columns(region=pl.Series(["n", "s", "west"]))
    rule = tiers.TierRules(
        ("region",),
        (("n",), ("s",)),
        tuple(
            tiers.TierRule(("A", "B"), (cut,), ("total_amount",), (1.0,), (1.0,), "thresholds")
            for cut in (90.0, 900.0)
        ),
        (None, None),
    )
    found = reviewed(held("A", "A", "A"), proposed, rule=rule)
    assert found.select("region", "tier", "clause").rows() == [
        ("n", "A", "earned"),
        ("s", "B", "fall"),
        ("west", "A", "unknown"),
    ]


# Properties


@given(st.lists(st.floats(0.905, 1.5), min_size=2, max_size=24))
def test_a_customer_around_a_cut_does_not_flip_each_month(shares: list[float]) -> None:
    current = held("silver")
    kept = []
    for month, share in enumerate(shares):
        day = DAY + timedelta(days=30 * month)
        current = reviewed(current, worth(1000.0 * share), as_of=day)
        kept.append(current["tier"].item())
    changes = sum(old != new for old, new in itertools.pairwise(["silver", *kept]))
    assert changes <= 1
    assert kept[-1] == ("gold" if max(shares) >= 1 else "silver")


@given(st.lists(st.sampled_from([100.0, 1500.0]), min_size=2, max_size=15))
def test_within_the_days_of_the_hold_nobody_falls_twice(values: list[float]) -> None:
    current, falls = held("silver"), []
    for month, value in enumerate(values):
        day = DAY + timedelta(days=30 * month)
        current = reviewed(current, worth(value), as_of=day, hold_days=180)
        falls += [day] if current["move"].item() == "down" else []
    assert all((b - a).days >= 180 for a, b in itertools.pairwise(falls))


def _table(given: list[Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    tier, amount, since = zip(*given, strict=True)
    return held(*tier, tier_since=list(since)), worth(*amount)


@given(customers, options)
def test_a_better_value_or_a_better_past_is_never_a_worse_tier(
    given: list[Any], chosen: dict[str, Any]
) -> None:
    place = {name: i for i, name in enumerate(NAMES)}
    known = [(tier, amount) for tier, amount, _ in given if tier and amount is not None]
    pairs = list(itertools.product({t for t, _ in known}, sorted({a for _, a in known})))
    if not pairs:
        return
    one_day = [(tier, amount, DAY - timedelta(400)) for tier, amount in pairs]
    found = reviewed(*_table(one_day), **chosen)
    result = dict(zip(pairs, (place[name] for name in found["tier"]), strict=True))
    for (tier, amount), (other, more) in itertools.product(result, result):
        if place[other] <= place[tier] and more >= amount:
            assert result[other, more] <= result[tier, amount]


@given(customers, options)
def test_nobody_is_lost_and_what_a_row_says_is_what_happened(
    given: list[Any], chosen: dict[str, Any]
) -> None:
    current, proposed = _table(given)
    found = reviewed(current, proposed, **chosen)
    assert found["customer_id"].to_list() == current["customer_id"].to_list()
    place = {name: i for i, name in enumerate(NAMES)}
    for row, (old, amount, since) in zip(found.rows(named=True), given, strict=True):
        if old is None or amount is None:
            continue
        step = place[row["tier"]] - place[old]
        assert row["move"] == ("stayed" if step == 0 else "down" if step > 0 else "up")
        assert step <= 1 or chosen["downgrade"] == "earned"
        assert step >= -1 or not chosen["one_step"]
        assert row["tier_since"] == (since if step == 0 else DAY)
        if step > 0:
            assert amount < CUTS[place[old]] * (1 - chosen["grace"])
        if row["falls_on"] is not None:
            assert row["falls_on"] > DAY
            assert row["needed_to_stay"] > 0
            assert row["tier_expires"] in (None, row["falls_on"])
        else:
            assert row["needed_to_stay"] in (None, 0.0)
    summed = tiers.review_summary(found, rule=RULE)
    assert summed["n_customers"].sum() == len(given)
    assert summed["n_will_fall"].sum() == len(found) - found["falls_on"].null_count()


@given(customers, options)
def test_who_will_fall_on_a_day_falls_on_that_day(given: list[Any], chosen: dict[str, Any]) -> None:
    first = reviewed(*_table(given), **chosen)
    ahead = first.filter(pl.col("falls_on").is_not_null())
    for row in ahead.rows(named=True):
        mine = first.filter(pl.col("customer_id") == row["customer_id"])
        proposed = mine.select("customer_id", "total_amount")
        eve, day = row["falls_on"] - timedelta(1), row["falls_on"]
        then = reviewed(mine, proposed, **chosen, as_of=day)
        assert then.select("tier", "move").row(0) == (row["falls_to"], "down")
        if eve > DAY:
            assert reviewed(mine, proposed, **chosen, as_of=eve)["move"].item() == "stayed"


@given(customers, options)
def test_a_second_review_on_the_same_day_moves_who_had_a_step_left_only(
    given: list[Any], chosen: dict[str, Any]
) -> None:
    current, proposed = _table(given)
    first = reviewed(current, proposed, **chosen)
    second = reviewed(first, proposed, **chosen)
    moved = second.filter(pl.col("move").is_in(["up", "down"]))["customer_id"]
    steps = first.filter(pl.col("clause").is_in(["one step up", "one step down"]))["customer_id"]
    assert set(moved) <= set(steps)


# Shape


def test_every_engine_reviews_alike(make_frame: MakeFrame) -> None:
    current = make_frame(
        {
            "customer_id": ["a", "b", "c"],
            "tier": ["gold", "gold", "silver"],
            "tier_since": [date(2024, 6, 1), date(2023, 1, 1), None],
            "tier_basis": [None, "rule", "invited"],
        }
    )
    proposed = make_frame({"customer_id": ["a", "b", "d"], "total_amount": [0.0, 600.0, 1500.0]})
    found = rows(tiers.review(current, proposed, rule=RULE, as_of=DAY, hold_days=60))
    by_id = {row["customer_id"]: row for row in found}
    assert {who: (row["tier"], row["clause"]) for who, row in by_id.items()} == {
        "a": ("gold", "hold"),
        "b": ("silver", "fall"),
        "c": ("silver", "exempt"),
        "d": ("gold", "entered"),
    }
    assert str(by_id["a"]["falls_on"])[:10] == "2024-07-31"


def test_all_values_equal_and_nobody_at_all() -> None:
    same = reviewed(held("gold", "gold"), worth(7.0, 7.0))
    assert same["tier"].to_list() == ["silver", "silver"]
    nobody = reviewed(held("gold")[:0], worth(1.0)[:0])
    assert nobody.height == 0
    assert tiers.review_summary(nobody, rule=RULE)["n_customers"].to_list() == [0] * 4


# Refusals


def test_a_tier_that_the_rule_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        reviewed(held("gold", "diamond"), worth(1.0, 1.0))
    assert str(caught.value) == (
        "current tiers: `tier` is not a tier of the rule in 1 of 2 rows ('diamond').\n"
        "The rule has `platinum`, `gold`, `silver`, `bronze`: give the rule that these tiers "
        "belong to, or make null what is unknown."
    )
    found = reviewed(held("gold"), worth(1.0)).with_columns(tier=pl.lit("tin"))
    with pytest.raises(InvalidRowsError, match="is not a tier of the rule in 1 of 1 rows"):
        tiers.review_summary(found, rule=RULE)


def test_tiers_of_another_rule_are_refused() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        reviewed(held("gold"), worth(1500.0).with_columns(tier=pl.lit("silver")))
    assert str(caught.value) == (
        "customers proposed: `tier` is not what the rule gives in 1 of 1 rows; another rule made "
        "it.\nDrop the column, or review with the rule that made it."
    )


def test_a_customer_twice_is_refused() -> None:
    twice = pl.concat([worth(1.0), worth(2.0)])
    with pytest.raises(InvalidRowsError, match="customer_id"):
        reviewed(held("gold"), twice)
    with pytest.raises(InvalidRowsError, match="customer_id"):
        reviewed(pl.concat([held("gold"), held("gold")]), worth(1.0))


def test_a_tier_of_tomorrow_is_refused() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        reviewed(held("gold", tier_since=[DAY + timedelta(1)]), worth(1.0))
    assert str(caught.value) == (
        "current tiers: `tier_since` is after 2024-06-30 in 1 of 1 rows.\n"
        "Give the tiers as they were held on that day."
    )


def test_a_measure_with_the_name_of_a_result_is_refused() -> None:
    rule = tiers.TierRule(("A", "B"), (1.0,), ("tier",), (1.0,), (1.0,), "thresholds")
    with pytest.raises(InvalidArgumentError, match="`rule` looks at `tier`, which is made here"):
        reviewed(held("A"), pl.DataFrame({"customer_id": [0], "tier": [1.0]}), rule=rule)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("grace", 10, "`grace` must be from 0 to 1, got 10.\nWrite 0.1 for 10 % of the cut."),
        ("hold_days", -1, "`hold_days` must be a whole number of 0 or more, got -1."),
        ("one_step", "no", "`one_step` must be True or False, got 'no'."),
        ("downgrade", "one down", "got 'one down'.\nDid you mean 'one_down'?"),
        ("when", "later", "`when` must be one of 'now', 'anniversary', got 'later'."),
        ("no_downgrade_before", "renewal", "`no_downgrade_before` must be a date, got 'renewal'"),
        ("as_of", "June", "`as_of` must be a date, got 'June'"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        reviewed(held("gold"), worth(1.0), **{option: value})
    assert words in str(caught.value)


def test_a_table_without_tiers_is_refused() -> None:
    with pytest.raises(MissingColumnsError, match="no column `tier`"):
        reviewed(worth(1.0), worth(1.0))
