"""Spells in stages, the funnel, and the waits: who still waits counts for as long as seen."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import churn, lifecycle
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.test_stage_history import seen

STAGES = st.sampled_from(["prospect", "new", "active", "at risk", "lost", ""])
histories = st.lists(st.lists(STAGES, min_size=4, max_size=4), min_size=1, max_size=6)


def people(rows: list[tuple[str, int, str, int | None]]) -> pl.DataFrame:
    """A history with the months of 2024 for dates, by customer, month, stage and frequency."""
    table = [
        (who, date(2024, month + 1, 1) - timedelta(days=1), stage, frequency)
        for who, month, stage, frequency in rows
    ]
    names = ["customer_id", "date", "stage", "frequency"]
    return pl.DataFrame(table, schema=names, orient="row")


def dicts(table: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return table.select(names).rows()


# Published


def test_a_stage_that_was_left_and_entered_again_has_two_spells() -> None:
    # elastic/kibana #275654: first and last date of a status would merge the two of "active".
    table = lifecycle.durations(seen([["active", "active", "at risk", "active", "active", "lost"]]))
    months = [
        (row[0], row[1].month - 1, row[2].month - 1)
        for row in dicts(table, "stage", "first_seen", "last_seen")
    ]
    assert months == [("active", 0, 1), ("at risk", 2, 2), ("active", 3, 4), ("lost", 5, 5)]


# Twin


@given(stages=histories)
def test_spells_are_the_runs_of_each_customer(stages: list[list[str]]) -> None:
    history = seen([*stages, ["new"] * 4])  # so that each date is there
    days = [date(2024, month, 1) for month in range(1, 5)]
    expected = []
    for i, own in enumerate([*stages, ["new"] * 4]):
        number = 0
        for stage, run in groupby(enumerate(own), key=lambda pair: pair[1]):
            steps = [step for step, _ in run]
            if not stage:
                continue
            number += 1
            after = own[steps[-1] + 1] if steps[-1] < 3 else ""
            expected.append(
                (
                    *(f"c{i}", number, stage, days[steps[0]], days[steps[-1]]),
                    days[steps[0] - 1] if steps[0] else None,
                    days[steps[-1] + 1] if after else None,
                    *(after or None, int(bool(after))),
                )
            )
    found = lifecycle.durations(history)
    assert found.rows() == found.sort("customer_id", "spell").rows()
    names = ("customer_id", "spell", "stage", "first_seen", "last_seen")
    assert dicts(found, *names, "began_after", "ended_by", "next_stage", "event") == expected


# Properties


@given(stages=histories)
def test_a_spell_lasts_between_what_is_sure_and_what_is_possible(stages: list[list[str]]) -> None:
    spells = lifecycle.durations(seen([*stages, ["new"] * 4]))
    known = spells.drop_nulls("duration")
    assert (known["duration"] >= known["days_least"]).all()
    both = spells.drop_nulls("days_most")
    assert (both["duration"] <= both["days_most"]).all()
    rows = sum(bool(stage) for own in stages for stage in own) + 4
    in_months = (
        pl.col("last_seen").dt.month().cast(pl.Int64)
        - pl.col("first_seen").dt.month().cast(pl.Int64)
        + 1
    )
    assert spells.select(in_months.sum()).item() == rows


def test_the_time_in_a_stage_is_that_of_the_survival_curve() -> None:
    dice = np.random.default_rng(1)
    draws = dice.choice(["new", "active", "at risk", "lost"], size=(60, 8), p=[0.1, 0.5, 0.2, 0.2])
    spells = lifecycle.durations(seen(draws.tolist()))
    table = lifecycle.duration_summary(spells, level=0.95)
    assert table["stage"].to_list() == ["new", "active", "at risk", "lost"]
    assert table["n_spells"].sum() == len(spells)
    curves = churn.survival_summary(spells.drop_nulls("duration"), by="stage", level=0.95)
    for name in ("n_events", "median", "median_lower", "median_upper"):
        twin = dict(zip(curves["stage"], curves[name], strict=True))
        assert dict(zip(table["stage"], table[name], strict=True)) == twin


# The funnel, by hand


FUNNEL = [
    *(("ann", month, "prospect", None) for month in (1, 2)),
    *[("ann", 3, "new", 0), ("ann", 4, "active", 1)],
    *(("ben", month, "prospect", None) for month in (1, 2, 3, 4)),
    *[("cid", 1, "active", 4), ("cid", 2, "active", 5)],
    *[("cid", 3, "active", 5), ("cid", 4, "lost", 5)],
    *[("dee", 2, "new", 0), ("dee", 3, "new", 0), ("dee", 4, "at risk", 0)],
    *[("eve", 4, "new", 1)],
]


def test_a_funnel_counts_by_hand() -> None:
    table = lifecycle.funnel(people(FUNNEL))
    counts = ("funnel_step", "n_customers", "n_from", "n_converted")
    # Prospects seen: ann and ben. First purchases seen: ann, dee, eve; cid had bought before.
    assert dicts(table, *counts) == [
        ("prospect", 5, 0, 0),
        ("first purchase", 4, 2, 1),
        ("second purchase", 3, 3, 2),
    ]
    assert table["conversion_rate"].to_list() == [None, 0.5, pytest.approx(2 / 3)]
    # From 31 January, ann bought by the middle of 29 February and 31 March, 44.5 days; half of
    # both. Then eve needs no time, ann from 15.5 March to 15.5 April: 30.5 days.
    assert table["median"].to_list() == [None, 44.5, 30.5]
    # Wilson's interval of 1 of 2 at 90 %, by hand: (.5 ± 1.645 sqrt(.125 + .6764 / 4) / ...).
    z2 = 1.6448536**2
    half = np.sqrt(z2 * (2 * 0.25 + z2 / 4)) / (2 + z2)
    assert table["conversion_lower"][1] == pytest.approx(0.5 - half, abs=1e-6)


def test_a_funnel_by_group_is_the_funnel_of_each_part() -> None:
    sources = pl.DataFrame(
        {"customer_id": ["ann", "ben", "cid", "dee"], "source": ["web", "web", "fair", "web"]}
    )
    history = people(FUNNEL).join(sources, on="customer_id", how="left")
    table = lifecycle.funnel(history, by="source")
    assert table["source"].unique(maintain_order=True).to_list() == ["fair", "web", None]
    part = lifecycle.funnel(history.filter(pl.col("source") == "web"))
    assert table.filter(pl.col("source") == "web").drop("source").rows() == part.rows()


def test_a_funnel_has_the_steps_that_the_history_shows() -> None:
    bare = people(FUNNEL).drop("frequency").filter(pl.col("stage") != "prospect")
    assert lifecycle.funnel(bare)["funnel_step"].to_list() == ["first purchase"]


def test_second_purchases_are_those_of_each_cohort() -> None:
    table = lifecycle.second_purchases(people(FUNNEL))
    assert dicts(table, "cohort", "cohort_size", "n_converted", "median") == [
        (date(2024, 2, 1), 1, 0, None),  # dee
        (date(2024, 3, 1), 1, 1, 30.5),  # ann
        (date(2024, 4, 1), 1, 1, 0.0),  # eve, twice between two dates
    ]
    quarterly = lifecycle.second_purchases(people(FUNNEL), every="quarter")
    assert dicts(quarterly, "cohort", "cohort_size") == [
        (date(2024, 1, 1), 2),
        (date(2024, 4, 1), 1),
    ]


def test_who_still_waits_counts_for_as_long_as_seen() -> None:
    # Of ten, five buy again after a month, and five came in the last: 5 of 10 is no half.
    early = [(f"a{i}", m, "new", int(m > 2)) for i in range(5) for m in (2, 3, 4, 5)]
    late = [(f"b{i}", 5, "new", 0) for i in range(5)]
    table = lifecycle.funnel(people([("old", 1, "active", 3), *early, *late]))
    last = table.row(1, named=True)
    assert (last["conversion_rate"], last["rate_if_followed"]) == (0.5, 1.0)


# Phases and states


def test_each_stage_has_a_phase_and_the_second_purchase_forms() -> None:
    staged = pl.DataFrame(
        {
            "customer_id": range(len(lifecycle.STAGES)),
            "stage": lifecycle.STAGES,
            "frequency": [None, 1, 1, 1, 1, 1, 1, 1],
        }
    )
    phases = dict(zip(lifecycle.STAGES, lifecycle.phases(staged)["phase"], strict=True))
    assert phases == {
        **dict.fromkeys(["prospect"], "exploration"),
        **dict.fromkeys(["new", "active", "growing"], "formation"),
        **dict.fromkeys(["at risk", "lapsing", "lost"], "decline"),
        "returned": "stability",
    }
    by_stage = lifecycle.phases(staged.drop("frequency"))["phase"].to_list()
    assert by_stage[1:3] == ["exploration", "stability"]


def test_phases_are_a_table_to_edit() -> None:
    table = lifecycle.phase_map(backend="polars")
    own = table.with_columns(phase=pl.col("phase").str.replace("decline", "worry"))
    own = own.filter(pl.col("stage") != "second purchase")
    staged = pl.DataFrame(
        {"customer_id": [1, 2, 3], "stage": ["lost", "active", "asleep"], "frequency": [1, 1, 1]}
    )
    assert lifecycle.phases(staged, phases=own)["phase"].to_list() == ["worry", "stability", None]
    with pytest.raises(InvalidRowsError, match="`stage`"):
        lifecycle.phases(staged, phases=pl.concat([own, own]))


def test_a_history_has_a_phase_at_each_date() -> None:
    history = people(FUNNEL)
    phases = lifecycle.phases(history)
    assert phases.filter(customer_id="ann")["phase"].to_list() == [
        *["exploration"] * 3,
        "formation",
    ]


def test_everybody_has_one_state() -> None:
    staged = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d"],
            "stage": ["active", "lost", "prospect", "prospect"],
        }
    )
    known = pl.DataFrame({"customer_id": ["a", "e"]})
    aims = pl.DataFrame({"customer_id": ["a", "b", "d", "f"]})
    assert lifecycle.states(staged, prospects=known, targets=aims).rows() == [
        ("a", "active", "actual"),
        ("b", "lost", "lost"),
        ("c", "prospect", "potential"),
        ("d", "prospect", "target"),
        ("e", None, "potential"),
        ("f", None, "target"),
    ]


# Refusals


def test_a_group_that_changes_is_refused() -> None:
    history = people(FUNNEL).with_columns(owner=pl.col("date").cast(pl.String))
    with pytest.raises(InvalidRowsError) as error:
        lifecycle.funnel(history, by="owner")
    assert str(error.value) == (
        "history of stages: `owner` changes within 4 of 5 customers.\n"
        "Give each customer one value at all dates, such as the first."
    )


def test_a_group_cannot_be_a_column_with_a_meaning() -> None:
    with pytest.raises(InvalidArgumentError, match="`by` is 'stage', which has a meaning of its"):
        lifecycle.funnel(people(FUNNEL), by="stage")


def test_second_purchases_need_a_frequency() -> None:
    with pytest.raises(MissingColumnsError, match="no column `frequency`"):
        lifecycle.second_purchases(people(FUNNEL).drop("frequency"))


def test_targets_of_another_kind_of_id_are_refused() -> None:
    staged = pl.DataFrame({"customer_id": ["a"], "stage": ["active"]})
    with pytest.raises(InvalidArgumentError) as error:
        lifecycle.states(staged, targets=pl.DataFrame({"customer_id": [1]}))
    assert str(error.value) == (
        "targets: `customer_id` has type Int64, where the staged customers have String.\n"
        "Cast one to the type of the other."
    )
