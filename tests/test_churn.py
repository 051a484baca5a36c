"""Churn risk: published values, real customers, and properties."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import churn, lifecycle, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers, stage_rules
from tests.published import printed

SIGNALS: dict[str, list[Any]] = {
    "customer_id": ["late", "fading", "fine", "on time", "prospect", "unmodelled"],
    "p_alive": [1.0, 0.18, 0.93, 1.0, None, None],
    "overdue_ratio": [4.0, 2.5, 0.4, 0.9, None, 2.0],
}
LEVELS = ["low", "medium", "high"]

probabilities = st.floats(0, 1)
ratios = st.floats(0, 1e6)


def signals(p_alive: list[float | None], overdue_ratio: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": list(range(len(p_alive))),
            "p_alive": p_alive,
            "overdue_ratio": overdue_ratio,
        },
        schema_overrides={"p_alive": pl.Float64, "overdue_ratio": pl.Float64},
    )


# Published


def test_the_rule_of_thumb_gives_the_printed_value() -> None:
    # phpOMS, tests/Business/Marketing/MetricsTest.php: ten purchases in 36 periods, the last in
    # the 24th, make 0.017; a last one in the 36th makes 1.
    customers = pl.DataFrame(
        {"customer_id": [1, 2], "frequency": [10, 10], "recency": [24, 36], "T": [36, 36]}
    )
    late, punctual = churn.p_active(customers)["p_active"]
    assert printed(late, like="0.017") == "0.017"
    assert punctual == 1


def test_the_higher_the_risk_the_fewer_cdnow_customers_came_back() -> None:
    # Rated on 30 September 1997 and followed for 39 weeks. P(alive) is the BG/NBD model's, by
    # Fader, Hardie & Lee (2005), with the parameters that they print, in weeks.
    orders, split = load_cdnow(backend="polars"), date(1997, 9, 30)
    table = lifecycle.rhythm(orders, as_of=split)
    staged = lifecycle.assign(table, rules=lifecycle.rules(table))
    x, t_x, T = pl.col("frequency"), pl.col("recency") / 7, pl.col("T") / 7
    waited = ((4.414 + T) / (4.414 + t_x)) ** (x + 0.243)
    odds_left = 0.793 / (2.426 + x - 1) * waited
    p_alive = pl.when(x > 0).then(1 / (1 + odds_left)).otherwise(1.0)
    rated = churn.risk(staged.with_columns(p_alive=p_alive))
    later = rfm.holdout(orders, split=split, as_of=date(1998, 6, 30))
    stayed_away = (
        rated.join(later.select("customer_id", "frequency_holdout"), on="customer_id")
        .group_by("risk_level")
        .agg((pl.col("frequency_holdout") == 0).mean().alias("share"))
    )
    low, medium, high = (dict(stayed_away.iter_rows())[level] for level in LEVELS)
    assert low < 0.5 < medium < high


# Twin


def slow_risk(p_alive: float | None, ratio: float | None) -> float | None:
    if p_alive is None or ratio is None:
        return None
    unexplained = (ratio - 1) / ratio if ratio > 1 else 0.0
    return max(1 - p_alive, unexplained)


@given(
    people=st.lists(
        st.tuples(probabilities | st.none(), ratios | st.none()), min_size=1, max_size=8
    ),
    engine=st.sampled_from(list(MAKERS)),
)
def test_the_risk_is_the_worse_of_the_two_signals(
    people: list[tuple[float | None, float | None]], engine: str
) -> None:
    p_alive, ratio = ([each[i] for each in people] for i in (0, 1))
    columns: dict[str, Any] = signals(p_alive, ratio).to_dict()
    found = rows(churn.risk(MAKERS[engine](columns)), by="customer_id")
    for row, each in zip(found, people, strict=True):
        expected = slow_risk(*each)
        assert row["churn_risk"] == (
            None if expected is None else pytest.approx(expected, abs=1e-12)
        )


# Properties


@given(signal=st.tuples(probabilities, ratios), worse=st.tuples(probabilities, ratios))
def test_a_worse_signal_never_lowers_risk_or_level(
    signal: tuple[float, float], worse: tuple[float, float]
) -> None:
    p_alive = [signal[0], min(signal[0], worse[0])]
    overdue_ratio = [signal[1], max(signal[1], worse[1])]
    rated = churn.risk(signals([*p_alive], [*overdue_ratio]))
    before, after = rated.iter_rows(named=True)
    assert 0 <= before["churn_risk"] <= after["churn_risk"] <= 1
    assert LEVELS.index(before["risk_level"]) <= LEVELS.index(after["risk_level"])


@given(ledger=ledgers, rules=stage_rules, silence=st.integers(1, 400))
def test_more_silence_never_lowers_the_risk(ledger: list[Row], rules: Any, silence: int) -> None:
    today = date(2024, 4, 30)
    bought = [*ledger, ("ann", today, 1.0)]
    sooner, later = (
        churn.risk(
            lifecycle.assign(lifecycle.rhythm(frame(bought), as_of=day), rules=rules).with_columns(
                p_alive=1.0
            )
        )["churn_risk"]
        for day in (today, today + timedelta(days=silence))
    )
    assert (later >= sooner).all()


@given(p_alive=probabilities, ratio=ratios)
def test_a_customer_is_rated_as_in_any_company(p_alive: float, ratio: float) -> None:
    alone = churn.risk(signals([p_alive], [ratio]))
    among = churn.risk(signals([None, 0.5, p_alive], [3.0, 9.0, ratio]))
    assert alone.drop("customer_id").equals(among.tail(1).drop("customer_id"))


@pytest.mark.parametrize(("ratio", "level"), [(1.99, "low"), (2, "medium"), (4.99, "medium")])
def test_levels_begin_where_the_stages_do(ratio: float, level: str) -> None:
    assert churn.risk(signals([1.0], [ratio]))["risk_level"].item() == level
    assert churn.risk(signals([1.0], [5]))["risk_level"].item() == "high"


@given(
    x=st.integers(1, 300),
    t_x=st.integers(1, 1000),
    waits=st.tuples(st.integers(0, 500), st.integers(0, 500)),
)
def test_p_active_falls_with_silence(x: int, t_x: int, waits: tuple[int, int]) -> None:
    t_x += x  # each repeat purchase is on another day
    T = [t_x + wait for wait in sorted(waits)]
    customers = pl.DataFrame({"customer_id": [1, 2], "frequency": x, "recency": t_x, "T": T})
    sooner, later = churn.p_active(customers)["p_active"]
    assert 0 <= later <= sooner <= 1


# Shape


def test_every_engine_rates_and_explains_alike(make_frame: MakeFrame) -> None:
    customers = make_frame(SIGNALS)
    rated = churn.risk(customers)
    assert type(rated) is type(customers)
    new = ["churn_risk", "risk_level", "risk_reason"]
    assert nw.from_native(rated).collect_schema().names() == [*SIGNALS, *new]
    found = {row["customer_id"]: (row["risk_level"], row["risk_reason"]) for row in rows(rated)}
    assert found == {
        "late": ("medium", "overdue: silent for 4.0 expected gaps"),
        "fading": ("high", "model: 18% likely still active"),
        "fine": ("low", "model: 93% likely still active"),
        "on time": ("low", "on time: within the expected gap"),
        "prospect": (None, "unknown: not enough purchase history"),
        "unmodelled": (None, "unknown: not enough purchase history"),
    }


def test_risk_leaves_rows_index_and_other_columns_alone() -> None:
    customers = pd.DataFrame(SIGNALS).assign(city="x").iloc[::-1]
    before = customers.copy(deep=True)
    rated = churn.risk(customers)
    pd.testing.assert_frame_equal(rated[list(customers.columns)], before)
    pd.testing.assert_frame_equal(customers, before)


def test_nan_counts_as_null() -> None:
    customers = pl.LazyFrame(SIGNALS)
    filled = customers.with_columns(pl.selectors.float().fill_null(np.nan))
    new = ["churn_risk", "risk_level", "risk_reason"]
    rated, same = (churn.risk(each).select(new).collect() for each in (customers, filled))
    assert rated.equals(same)


def test_nobody_is_rated_in_an_empty_table(make_frame: MakeFrame) -> None:
    nothing: dict[str, Any] = pl.DataFrame(SIGNALS).clear().to_dict()
    assert rows(churn.risk(make_frame(nothing))) == []


def test_whoever_bought_once_is_active_by_the_rule_of_thumb(make_frame: MakeFrame) -> None:
    orders = make_frame(
        {"customer_id": ["a", "b", "b"], "date": [date(2024, 1, 1)] * 2 + [date(2024, 1, 11)]}
    )
    for day, expected in ((date(2024, 1, 11), 1.0), (date(2024, 1, 21), 0.5)):
        active = churn.p_active(rfm.summarize(orders, as_of=day))
        assert [row["p_active"] for row in rows(active, by="customer_id")] == [1.0, expected]


# Refusals


def test_customers_without_a_stage_are_refused(make_frame: MakeFrame) -> None:
    unstaged = make_frame({"customer_id": ["a"], "p_alive": [0.5]})
    with pytest.raises(MissingColumnsError) as caught:
        churn.risk(unstaged)
    assert str(caught.value) == (
        "risk signals: no column `overdue_ratio` among `customer_id`, `p_alive`.\n"
        "Add `overdue_ratio` with crmkit.lifecycle.assign()."
    )


@pytest.mark.parametrize(("value", "complaint"), [(1.2, "above 1"), (-0.1, "below 0")])
def test_a_probability_outside_0_and_1_is_refused(
    make_eager: MakeFrame, value: float, complaint: str
) -> None:
    customers = make_eager({**SIGNALS, "p_alive": [0.5, 0.5, value, 0.5, None, None]})
    with pytest.raises(InvalidRowsError) as caught:
        churn.risk(customers)
    assert str(caught.value) == (
        f"risk signals: `p_alive` is {complaint} in 1 of 6 rows (customer_id 'fine').\n"
        "Add `p_alive` with crmkit.clv.predict()."
    )


@pytest.mark.parametrize(
    "limits",
    [(0.8, 0.5), (0.0, 0.5), (0.5, 1.1), (float("nan"), 0.5), ("low", 0.5), (0.5, None)],
)
def test_limits_out_of_order_are_refused(limits: tuple[Any, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.risk(pl.DataFrame(SIGNALS), medium_from=limits[0], high_from=limits[1])
    assert str(caught.value) == (
        "`medium_from` and `high_from` must be in rising order, above 0 and at most 1, got "
        f"{limits[0]!r} and {limits[1]!r}.\n"
        "They are the risks at which a level begins: write 0.5 and 0.8."
    )
