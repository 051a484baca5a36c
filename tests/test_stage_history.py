"""Stages at many dates, the moves between them, what comes next, and what a stage is worth."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import lifecycle
from crmkit._lifecycle.markov_value import values_of
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.lifecycle import StageRules, Transitions
from tests.conftest import rows
from tests.ledgers import Row, frame, ledgers, people, stage_rules, strangers

DATES = [date(2024, 1, 15), date(2024, 2, 15), date(2024, 3, 15)]
RULES = StageRules(20.0, 1.0, 25.0, 1.5, 2, 1.5, 2.0, 4.0)
ESSEC = (
    *("inactive", "cold", "warm high value", "warm low value", "new warm"),
    *("active high value", "active low value", "new active"),
)
# ESSEC's course of marketing analytics, module 2: moves from 2014 to 2015 of 16,905 customers.
ESSEC_COUNTS = (
    (7227, 0, 0, 0, 0, 35, 250, 0),
    (1931, 0, 0, 0, 0, 22, 200, 0),
    (0, 75, 0, 0, 0, 35, 1, 0),
    (0, 689, 0, 0, 0, 1, 266, 0),
    (0, 1139, 0, 0, 0, 15, 96, 0),
    (0, 0, 119, 0, 0, 354, 2, 0),
    (0, 0, 0, 901, 0, 22, 2088, 0),
    (0, 0, 0, 0, 938, 89, 410, 0),
)
ESSEC_2015 = (9158, 1903, 119, 901, 938, 573, 3313, 1512)
ESSEC_MONEY = (0.0, 0.0, 0.0, 0.0, 0.0, 323.56893542757416, 52.30604286145488, 79.16614417989419)


def moved(counts: Any, stages: Any = None, *, days: float = 365.25) -> Transitions:
    size = len(counts)
    names = tuple(stages or (f"s{i}" for i in range(size)))
    return Transitions(names, counts, days, 1, (0,) * size, (0,) * size)


def essec() -> Transitions:
    return moved(ESSEC_COUNTS, ESSEC)


def seen(stages: list[list[str]]) -> pl.DataFrame:
    """A history of one customer for each list of stages, a month apart."""
    table = [
        (f"c{i}", date(2024, 1 + month, 1), stage)
        for i, own in enumerate(stages)
        for month, stage in enumerate(own)
        if stage
    ]
    return pl.DataFrame(table, schema=["customer_id", "date", "stage"], orient="row")


# Published


def test_the_share_of_the_inactive_who_came_back_has_wilsons_interval() -> None:
    # 250 of 7,512: statsmodels 0.15.0, proportion_confint(250, 7512, method="wilson").
    table = lifecycle.transition_table(essec(), level=0.95, backend="polars")
    row = table.filter(from_stage="inactive", to_stage="active low value").row(0, named=True)
    assert (row["n_customers"], row["n_from"]) == (250, 7512)
    assert (row["lower"], row["upper"]) == pytest.approx((0.029457, 0.037581), abs=1e-6)


def test_the_forecast_is_that_of_the_course() -> None:
    # ESSEC, module 4: revenue of 2015 to 2025, by year; discounted at 10 % they sum to 2,628,958.
    staged = pl.DataFrame(
        {
            "customer_id": range(sum(ESSEC_2015)),
            "stage": [name for name, n in zip(ESSEC, ESSEC_2015, strict=True) for _ in range(n)],
        }
    )
    money = dict(zip(ESSEC, ESSEC_MONEY, strict=True))
    ahead = lifecycle.forecast(staged, transitions=essec(), periods=10, amount_per_customer=money)
    yearly = ahead.filter(pl.col("stage").is_null())["amount"].to_numpy()
    printed = [478394, 397481, 379526, 365921, 351072, 339488, 330139, 322557, 316409, 311418]
    np.testing.assert_allclose(yearly, [*printed, 307360], atol=1)
    assert (yearly / 1.1 ** np.arange(11)).sum() == pytest.approx(2628958, abs=1)


def test_the_value_of_each_stage_is_that_of_the_course() -> None:
    # V = (I - P / 1.1)^-1 P r / 1.1 on the matrix of the course, computed apart.
    money = dict(zip(ESSEC, ESSEC_MONEY, strict=True))
    table = lifecycle.markov_value(
        essec(), margin=money, annual_discount_rate=0.1, include_now=False, backend="polars"
    )
    # Per year and period: the first payment is that of the stage in which the year ends.
    due = [112.69, 127.94, 463.23, 156.0, 140.11, 1010.25, 228.02, 230.95]
    np.testing.assert_allclose(table["value"], due, atol=0.005)
    assert (table["lower"] < table["value"]).all()
    assert (table["value"] < table["upper"]).all()


@pytest.mark.parametrize(
    ("periods", "due"),
    [(4, [50.115, 4.22, 0.592, -1.98, 0]), (None, [52.32, 5.554, 1.251, -1.82, 0])],
)
def test_the_value_by_recency_is_that_of_pfeifer_and_carraway(
    periods: int | None, due: list[float]
) -> None:
    # Pfeifer & Carraway (2000): NC = 40, M = 4, d = .2, p = .3, .2, .15, .05.
    counts = ((30, 70, 0, 0, 0), (20, 0, 80, 0, 0), (15, 0, 0, 85, 0), (5, 0, 0, 0, 95))
    table = lifecycle.markov_value(
        moved((*counts, (0, 0, 0, 0, 100))),
        margin={"s0": 40.0},
        cost={"s0": 4.0, "s1": 4.0, "s2": 4.0, "s3": 4.0},
        annual_discount_rate=0.2,
        periods=periods,
        backend="polars",
    )
    np.testing.assert_allclose(table["value"], due, atol=0.0015)
    # A customer of recency 4 costs more than she brings: mailing stops there.
    assert table["pays"].to_list() == [True, True, True, False, False]
    assert (table["value_if_stopped"] >= table["value"] - 1e-9).all()


def test_a_chain_that_ends_has_the_value_of_its_matrix() -> None:
    # Karaka phpOMS, MetricsTest: p = .5, .2, .1, 0, d = .1 and R = 100 in the first state.
    matrix = np.array([[0.5, 0.5, 0, 0], [0.2, 0, 0.8, 0], [0.1, 0, 0, 0.9], [0, 0, 0, 1]])
    net = np.array([100.0, 0, 0, 0])
    found = values_of(matrix, net, discount=1 / 1.1, periods=None, include_now=True)
    np.testing.assert_allclose(found, [231.076389, 57.291667, 21.006944, 0], atol=1e-5)


# Twin


@given(ledger=ledgers, rules=stage_rules, names=strangers, with_people=st.booleans())
def test_a_history_is_the_stages_of_each_date(
    ledger: list[Row],
    rules: StageRules,
    names: list[str],
    with_people: bool,  # noqa: FBT001
) -> None:
    orders, known = frame(ledger), people(names) if with_people else None
    expected = []
    for day in DATES:
        rhythm = lifecycle.rhythm(orders, as_of=day, recent_days=14, prospects=known)
        staged = lifecycle.assign(rhythm, rules=rules)
        expected.append(
            staged.select(
                "customer_id", pl.lit(day).alias("date"), "stage", "frequency", "total_amount"
            )
        )
    found = lifecycle.history(orders, dates=DATES, rules=rules, recent_days=14, prospects=known)
    assert_frame_equal(found, pl.concat(expected).sort("customer_id", "date"))


def test_moves_are_counted_by_hand() -> None:
    history = seen([["new", "active", "lost"], ["active", "active"], ["", "new", "active"]])
    found = lifecycle.transitions(history)
    assert found.stages == ("new", "active", "lost")
    assert found.counts == ((0, 2, 0), (0, 1, 1), (0, 0, 0))
    assert (found.appeared, found.vanished) == ((1, 0, 0), (0, 1, 0))
    assert found.probabilities == ((0.0, 1.0, 0.0), (0.0, 0.5, 0.5), (None, None, None))
    flow = lifecycle.flow(history)
    assert flow.select("from_stage", "to_stage", "n_customers").rows() == [
        *[("new", "active", 1), ("active", "active", 1), ("appeared", "new", 1)],
        *[("new", "active", 1), ("active", "lost", 1), ("active", "vanished", 1)],
    ]


# Properties


@given(ledger=ledgers, later=ledgers)
def test_later_rows_move_nothing(ledger: list[Row], later: list[Row]) -> None:
    after = [(who, day + timedelta(days=365), amount) for who, day, amount in later]
    alone = lifecycle.history(frame(ledger), dates=DATES, rules=RULES)
    both = lifecycle.history(frame([*after, *ledger]), dates=DATES, rules=RULES)
    assert_frame_equal(both, alone)
    fewer = lifecycle.history(frame(ledger), dates=DATES[:2], rules=RULES)
    assert_frame_equal(alone.filter(pl.col("date") < DATES[2]), fewer)


@given(ledger=ledgers)
def test_nobody_is_lost_between_two_dates(ledger: list[Row]) -> None:
    history = lifecycle.history(frame(ledger), dates=DATES, rules=RULES)
    if history["date"].n_unique() < 2:
        return
    found = lifecycle.transitions(history)
    assert sum(found.vanished) == 0
    for row in found.probabilities:
        assert row == (None,) * len(row) or sum(p or 0 for p in row) == pytest.approx(1)
    n_rows = len(history.filter(pl.col("date") > history["date"].min()))
    assert sum(map(sum, found.counts)) + sum(found.appeared) == n_rows
    assert lifecycle.flow(history)["n_customers"].sum() == n_rows
    assert Transitions.from_json(found.to_json()) == found


def test_counts_are_not_rounded_and_hold_everybody() -> None:
    staged = pl.DataFrame({"customer_id": range(10), "stage": ["a"] * 7 + ["b"] * 3})
    chain = moved(((1, 2), (1, 1)), ("a", "b"))
    ahead = lifecycle.forecast(staged, transitions=chain, periods=3, new_per_period={"a": 0.5})
    total = ahead.filter(pl.col("stage").is_null())["expected_customers"].to_list()
    assert total == pytest.approx([10, 10.5, 11, 11.5])
    parts = ahead.filter(pl.col("stage").is_not_null())
    assert parts.filter(period=1)["expected_customers"].to_list() == pytest.approx(
        [7 / 3 + 1.5 + 0.5, 14 / 3 + 1.5]
    )
    assert (parts["lower"] <= parts["upper"]).all()


def test_more_moves_leave_less_doubt() -> None:
    staged = pl.DataFrame({"customer_id": range(2000), "stage": ["a"] * 2000})

    def width(n: int) -> float:
        chain = moved(((n, n), (n, n)), ("a", "b"))
        row = lifecycle.forecast(staged, transitions=chain, periods=1).row(3, named=True)
        return float(row["upper"] - row["lower"])

    # By chance alone: 2 x 1.645 x sqrt(2000 / 4) = 73.6. With 20 moves, the probability itself
    # has a standard error of sqrt(.25 / 21) = .109, or 218 customers: 2 x 1.645 x 219 = 721.
    assert width(10**6) == pytest.approx(73.6, rel=0.1)
    assert width(10) == pytest.approx(721, rel=0.1)


# Refusals


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        ([], "`dates` is empty.\nGive one date or more, such as [datetime.date(2024, 9, 30)]."),
        (
            ["2024-02-01", "2024-01-01"],
            "`dates` must ascend, got 2024-01-01 after 2024-02-01.\nGive each date once, in order.",
        ),
    ],
)
def test_dates_must_ascend(dates: list[str], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        lifecycle.history(frame([("ann", DATES[0], 1.0)]), dates=dates, rules=RULES)
    assert str(error.value) == message


def test_a_customer_twice_at_a_date_is_refused() -> None:
    history = pl.concat([seen([["new", "lost"]]), seen([["active", ""]])])
    with pytest.raises(InvalidRowsError) as error:
        lifecycle.transitions(history)
    assert str(error.value) == (
        "history of stages: 1 pairs of `customer_id` and `date` occur more than once, first on "
        "2024-01-01.\nKeep one row for each customer and date."
    )


def test_dates_of_unequal_periods_are_refused() -> None:
    history = seen([["new", "lost"]]).vstack(
        pl.DataFrame({"customer_id": ["c0"], "date": [date(2024, 12, 1)], "stage": ["lost"]})
    )
    with pytest.raises(InvalidArgumentError, match="its dates lie 31 to 304 days apart"):
        lifecycle.transitions(history)


def test_a_stage_that_nobody_left_has_no_forecast() -> None:
    staged = pl.DataFrame({"customer_id": ["ann"], "stage": ["a"]})
    with pytest.raises(InvalidArgumentError) as error:
        lifecycle.forecast(staged, transitions=moved(((1, 1), (0, 0)), ("a", "b")), periods=1)
    assert str(error.value) == (
        "`transitions` have seen nobody in the stage 'b' with a next date, so where its "
        "customers go is unknown.\nCount moves over more dates."
    )


def test_an_unknown_stage_is_refused() -> None:
    staged = pl.DataFrame({"customer_id": ["ann"], "stage": ["asleep"]})
    with pytest.raises(InvalidArgumentError, match="has the stage 'asleep', which"):
        lifecycle.forecast(staged, transitions=essec(), periods=1)
    assert rows(lifecycle.flow(seen([["x", "y"]])))[0]["n_customers"] == 1
