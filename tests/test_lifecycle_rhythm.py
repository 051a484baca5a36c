"""Rhythm and stage rules: a slow twin, and what must hold for any ledger."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import lifecycle
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError, MissingColumnsError
from crmkit.lifecycle import StageRules
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers, people, stage_rules, strangers

AS_OF = date(2024, 3, 31)
RECENT = 30
RULES = StageRules(
    typical_gap_days=20.0,
    prior_gaps=1.0,
    new_days=25.0,
    growing_ratio=1.5,
    growing_purchases=2,
    at_risk_from=1.5,
    lapsing_from=2.0,
    lost_from=4.0,
)
COLUMNS = [
    "customer_id",
    "first_date",
    "last_date",
    "orders",
    "total_amount",
    "days_since_last",
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "mean_gap_days",
    "last_gap_days",
    "purchases_recent",
    "purchases_before",
    "amount_recent",
    "amount_before",
]


def rhythm(ledger: list[Row], *, as_of: date = AS_OF) -> Any:
    return lifecycle.rhythm(frame(ledger), as_of=as_of, recent_days=RECENT)


# Twin


def slow_rhythm(ledger: list[Row], prospects: list[str], as_of: date) -> list[dict[str, Any]]:
    seen = [row for row in ledger if row[1] <= as_of]
    bought: dict[str, list[date]] = defaultdict(list)
    for customer, day, amount in seen:
        if amount >= 0:
            bought[customer].append(day)
    windows = {"recent": (0, RECENT), "before": (RECENT, 2 * RECENT)}
    table = []
    for customer in sorted({*bought, *prospects}):
        line: dict[str, Any] = {"customer_id": customer, **dict.fromkeys(COLUMNS[1:])}
        if days := sorted(set(bought[customer])):
            own = [row for row in seen if row[0] == customer]
            gaps = [(b - a).days for a, b in pairwise(days)]
            later = sum(row[2] for row in own if row[1] != days[0])
            line |= {
                "first_date": days[0],
                "last_date": days[-1],
                "orders": len(bought[customer]),
                "total_amount": sum(row[2] for row in own),
                "days_since_last": (as_of - days[-1]).days,
                "frequency": len(gaps),
                "recency": sum(gaps),
                "T": (as_of - days[0]).days,
                "monetary_value": later / len(gaps) if gaps else None,
                "mean_gap_days": sum(gaps) / len(gaps) if gaps else None,
                "last_gap_days": gaps[-1] if gaps else None,
            }
            for name, (low, high) in windows.items():
                if name == "recent" or line["T"] >= 2 * RECENT:
                    inside = [row for row in own if low <= (as_of - row[1]).days < high]
                    line[f"purchases_{name}"] = len({day for _, day, money in inside if money >= 0})
                    line[f"amount_{name}"] = sum(money for _, _, money in inside)
        table.append(line)
    return table


@given(ledger=ledgers, prospects=strangers, engine=st.sampled_from(list(MAKERS)))
def test_the_rhythm_is_the_slow_one(ledger: list[Row], prospects: list[str], engine: str) -> None:
    found = lifecycle.rhythm(
        frame(ledger, engine),
        as_of=AS_OF,
        recent_days=RECENT,
        prospects=people(prospects, engine),
    )
    assert rows(found, by="customer_id") == slow_rhythm(ledger, prospects, AS_OF)


@given(ledger=ledgers)
def test_the_typical_gap_is_the_median_of_the_customers_own(ledger: list[Row]) -> None:
    table = rhythm(ledger)
    gaps = [gap for gap in table["mean_gap_days"] if gap is not None]
    if gaps:
        assert lifecycle.rules(table).typical_gap_days == statistics.median(gaps)


# Properties


def test_the_windows_begin_and_end_to_the_day() -> None:
    # Of 30 days each: 2 to 31 March, and 1 February to 1 March.
    firsts = {"ann": date(2024, 1, 31), "ben": date(2024, 2, 1)}
    later = [date(2024, 2, 1), date(2024, 3, 1), date(2024, 3, 2), AS_OF]
    table = rhythm([(who, day, 1.0) for who in firsts for day in {firsts[who], *later}])
    assert table.select("T", "purchases_recent", "purchases_before", "amount_before").rows() == [
        (60, 2, 2.0, 2.0),
        (59, 2, None, None),
    ]


@given(ledger=ledgers)
def test_the_future_changes_nothing(ledger: list[Row]) -> None:
    past = [row for row in ledger if row[1] <= AS_OF] or [("ann", AS_OF, 1.0)]
    longer = [*past, ("ann", AS_OF + timedelta(days=1), 50.0), ("eve", date(2030, 1, 1), 1.0)]
    assert rows(rhythm(longer)) == rows(rhythm(past))


@given(ledger=ledgers, seed=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(ledger: list[Row], seed: Any) -> None:
    shuffled = list(ledger)
    seed.shuffle(shuffled)
    assert rows(rhythm(shuffled)) == rows(rhythm(ledger))


@given(ledger=ledgers, prospects=strangers)
def test_prospects_keep_a_row_and_customers_keep_theirs(
    ledger: list[Row], prospects: list[str]
) -> None:
    known = lifecycle.rhythm(frame(ledger), as_of=AS_OF, prospects=people(prospects))
    bought = lifecycle.rhythm(frame(ledger), as_of=AS_OF)
    assert known["customer_id"].to_list() == sorted({*prospects, *bought["customer_id"]})
    both = known.filter(pl.col("frequency").is_not_null())
    assert both.equals(bought)


@given(rules=stage_rules)
def test_rules_are_kept_to_the_last_digit(rules: StageRules) -> None:
    assert StageRules.from_json(rules.to_json()) == rules


# Shape


def test_every_engine_gives_the_documented_table(make_frame: MakeFrame) -> None:
    ledger = make_frame(
        {"customer_id": ["a", "a"], "date": [date(2024, 1, 1), AS_OF], "amount": [1.0, 2.0]}
    )
    table = lifecycle.rhythm(ledger, as_of=AS_OF)
    assert type(table) is type(ledger)
    schema = nw.from_native(table).collect_schema()
    assert schema.names() == COLUMNS
    whole = ("orders", "days_since_last", "frequency", "recency", "T", "purchases_recent")
    assert {schema[name] for name in whole} == {nw.Int64()}
    real = set(COLUMNS[3:]) - set(whole)
    assert {schema[name] for name in real} == {nw.Float64()}


def test_a_ledger_without_money_leaves_money_out(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a", "a"], "date": [date(2024, 1, 1), AS_OF]})
    table = lifecycle.rhythm(ledger, as_of=AS_OF)
    assert nw.from_native(table).collect_schema().names() == [
        name for name in COLUMNS if "amount" not in name and name != "monetary_value"
    ]


def test_ids_stay_whole_numbers_beside_prospects(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": [1, 2], "date": [AS_OF, AS_OF]})
    table = lifecycle.rhythm(ledger, as_of=AS_OF, prospects=make_frame({"customer_id": [2, 3]}))
    assert nw.from_native(table).collect_schema()["customer_id"] == nw.Int64
    assert [row["customer_id"] for row in rows(table, by="customer_id")] == [1, 2, 3]


def test_nobody_by_as_of_gives_an_empty_table(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a"], "date": [date(2025, 1, 1)], "amount": [1.0]})
    assert rows(lifecycle.rhythm(ledger, as_of=AS_OF)) == []


# Refusals


def test_no_repeat_buyer_leaves_nothing_to_learn_from(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a", "b"], "date": [AS_OF] * 2, "amount": [1.0, 2.0]})
    with pytest.raises(FitError) as caught:
        lifecycle.rules(lifecycle.rhythm(ledger, as_of=AS_OF))
    assert str(caught.value) == (
        "rhythm: nobody has bought twice, so the typical gap is unknown.\n"
        "Give `typical_gap_days`, the days that usually pass between two purchases."
    )


@pytest.mark.parametrize("window", [0, -7, 1.5, True])
def test_a_window_is_a_whole_number_of_days(window: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.rhythm(frame([("a", AS_OF, 1.0)]), as_of=AS_OF, recent_days=window)
    assert str(caught.value) == (
        f"`recent_days` must be a whole number of 1 or more, got {window!r}.\n"
        "It is the length in days of each of the two windows that are compared."
    )


@pytest.mark.parametrize(
    ("name", "value", "range_"),
    [
        ("typical_gap_days", 0.0, "above 0"),
        ("prior_gaps", -1.0, "above 0"),
        ("new_days", -1.0, "at least 0"),
        ("growing_ratio", 0.5, "at least 1"),
        ("growing_purchases", 0, "at least 1"),
        ("lost_from", float("nan"), "above 0"),
    ],
)
def test_rules_outside_their_range_are_refused(name: str, value: float, range_: str) -> None:
    figures: dict[str, Any] = {name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        replace(RULES, **figures)
    assert str(caught.value) == (
        f"`{name}` must be {range_}, got {value!r}.\nSee crmkit.lifecycle.rules."
    )


def test_limits_that_fall_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        replace(RULES, lapsing_from=5.0)
    assert str(caught.value) == (
        "`at_risk_from`, `lapsing_from` and `lost_from` must not fall, got 1.5, 5 and 4.\n"
        "A longer silence is never a better sign; give them in rising order."
    )


_FIELDS = asdict(RULES)
_ADVICE = "\nGive the text that to_json() wrote."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "StageRules: this is not JSON text, got ''." + _ADVICE),
        ("[1]", "StageRules: this text holds [1], expected the fields of a StageRules." + _ADVICE),
        (
            json.dumps({name: _FIELDS[name] for name in _FIELDS if name != "new_days"}),
            "StageRules: `new_days` is missing." + _ADVICE,
        ),
        (
            json.dumps(_FIELDS | {"new_days": "x"}),
            "StageRules: `new_days` must be a finite number, got 'x'." + _ADVICE,
        ),
        (
            json.dumps(_FIELDS | {"new_days": float("nan")}),
            "StageRules: `new_days` must be a finite number, got nan." + _ADVICE,
        ),
        (json.dumps(_FIELDS | {"more": 1}), "StageRules: `more` is unknown." + _ADVICE),
        (
            json.dumps({"kind": "TierRule", "format": 1}),
            "StageRules: this text holds a TierRule.\nRead it with TierRule.from_json().",
        ),
        (
            json.dumps({"kind": "StageRules", "format": 9} | _FIELDS),
            (
                "StageRules: this text has format 9, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
    ],
)
def test_json_that_holds_no_rules_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        StageRules.from_json(text)
    assert str(caught.value) == message


def test_rules_kept_before_the_text_named_its_kind_still_load() -> None:
    assert StageRules.from_json(json.dumps(_FIELDS)) == RULES


@pytest.mark.parametrize("wrong", [None, "rules", {"lost_from": 5}])
def test_assign_asks_for_rules(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.assign(rhythm([("ann", AS_OF, 1.0)]), rules=wrong)
    assert str(caught.value) == (
        f"`rules` must be a StageRules, got {wrong!r}.\nMake one with crmkit.lifecycle.rules()."
    )


def test_prospects_with_ids_of_another_type_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.rhythm(
            frame([("a", AS_OF, 1.0)]), as_of=AS_OF, prospects=pl.DataFrame({"customer_id": [1]})
        )
    assert str(caught.value) == (
        "prospects: `customer_id` has type Int64, where the transactions have String.\n"
        "Cast one to the type of the other."
    )


def test_prospects_on_another_engine_are_refused() -> None:
    orders: Any = frame([("a", AS_OF, 1.0)], "pandas")
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.rhythm(orders, as_of=AS_OF, prospects=people(["p"]))
    assert str(caught.value) == (
        "prospects: on polars, where the transactions are on pandas.\n"
        "Give both as tables of one engine."
    )


def test_a_prospect_without_a_name_is_refused(make_eager: MakeFrame) -> None:
    orders = make_eager({"customer_id": ["a"], "date": [AS_OF]})
    with pytest.raises(InvalidRowsError, match=r"^prospects: `customer_id` is null in 1 of 2"):
        lifecycle.rhythm(orders, as_of=AS_OF, prospects=make_eager({"customer_id": ["p", None]}))


def test_prospects_need_an_id(make_frame: MakeFrame) -> None:
    orders = make_frame({"customer_id": ["a"], "date": [AS_OF]})
    with pytest.raises(MissingColumnsError) as caught:
        lifecycle.rhythm(orders, as_of=AS_OF, prospects=make_frame({"email": ["p"]}))
    assert str(caught.value) == (
        "prospects: no column `customer_id` among `email`.\n"
        "Build this table with one customer_id per person, as in pandas.DataFrame()."
    )
