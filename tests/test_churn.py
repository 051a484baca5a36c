"""Churn risk: closed forms, real customers, and properties."""

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

from crmkit import churn, clv, lifecycle, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers, stage_rules
from tests.published import printed

# Of three customers under NBD with r = 1 and alpha = 10 days, see the first test.
HISTORIES: dict[str, list[Any]] = {
    "customer_id": ["often", "once", "long ago", "prospect"],
    "days_since_last": [0, 10, 30, None],
    "frequency": [1, 0, 1, None],
    "recency": [10, 0, 10, None],
    "T": [10, 10, 40, None],
}
RHYTHM = {**HISTORIES, "overdue_ratio": [0.0, 0.9, 3.0, None]}
ALWAYS = clv.Fit.of("nbd", r=1.0, alpha=10.0)
LEVELS = ["low", "medium", "high"]
NEW = ["churn_risk", "risk_level", "risk_reason"]


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


def test_the_risk_is_the_closed_form_of_the_negative_binomial(make_frame: MakeFrame) -> None:
    # Ehrenberg's NBD: P(0 in t days | x in T) = ((alpha + T) / (alpha + T + t)) ** (r + x). In
    # 20 days: (20 / 40) ** 2, 20 / 40 and (50 / 70) ** 2.
    rated = churn.risk(make_frame(HISTORIES), purchases=ALWAYS, horizon_days=20)
    found = {row["customer_id"]: row["churn_risk"] for row in rows(rated)}
    assert found == {
        "often": pytest.approx(0.25),
        "once": pytest.approx(0.5),
        "long ago": pytest.approx(25 / 49),
        "prospect": None,
    }


@pytest.mark.parametrize(("split", "days"), [(date(1997, 9, 30), 91), (date(1997, 12, 31), 181)])
def test_the_risk_ranks_cdnow_better_than_recency_and_frequency(split: date, days: int) -> None:
    # All 23,570 customers; the area under the curve is counted pair by pair.
    orders = load_cdnow(backend="polars")
    seen = rfm.summarize(orders, as_of=split)
    later = rfm.holdout(orders, split=split, as_of=split + timedelta(days=days))
    model = clv.fit(seen, model="pareto_nbd")
    rated = churn.risk(later, purchases=model, horizon_days=days).sort("customer_id")
    gone = (rated["frequency_holdout"] == 0).to_numpy()
    risk, recency, frequency = (
        area(rated[name].to_numpy() * sign, gone)
        for name, sign in (("churn_risk", 1), ("days_since_last", 1), ("frequency", -1))
    )
    assert risk > max(recency, frequency)
    assert abs(rated["churn_risk"].mean() - gone.mean()) < 0.05


def area(score: Any, gone: Any) -> float:
    inactive, active = np.sort(score[gone]), np.sort(score[~gone])
    below = np.searchsorted(active, inactive, "left") + np.searchsorted(active, inactive, "right")
    return float(below.mean() / 2 / len(active))


# Properties


@given(x=st.integers(0, 50), recency=st.integers(50, 400), wait=st.integers(0, 400))
def test_a_longer_horizon_never_raises_the_risk(x: int, recency: int, wait: int) -> None:
    recency = recency if x else 0
    customers = pl.DataFrame(
        {
            "customer_id": [1],
            "days_since_last": [wait],
            "frequency": [x],
            "recency": [recency],
            "T": [recency + wait],
        }
    )
    model = clv.Fit.of("pareto_nbd", unit="week", r=0.55, alpha=10.6, s=0.61, beta=11.7)
    risks = [
        churn.risk(customers, purchases=model, horizon_days=days)["churn_risk"].item()
        for days in (7, 91, 365)
    ]
    assert 1 >= risks[0] >= risks[1] >= risks[2] >= 0
    distribution = clv.purchase_distribution(customers, purchases=model, horizon_days=91)
    assert risks[1] == pytest.approx(distribution["p_0"].item(), rel=1e-9)


@given(ledger=ledgers, rules=stage_rules, engine=st.sampled_from(list(MAKERS)))
def test_risk_and_stage_never_contradict_each_other(
    ledger: list[Row], rules: Any, engine: str
) -> None:
    rhythm = lifecycle.rhythm(frame(ledger, engine), as_of=date(2024, 4, 30))
    staged = lifecycle.assign(rhythm, rules=rules)
    for row in rows(churn.risk(staged, purchases=ALWAYS, horizon_days=30)):
        assert_consistent(row)


@pytest.mark.parametrize("model", ["bg_nbd", "pareto_nbd"])
def test_risk_and_stage_never_contradict_each_other_on_cdnow(model: str) -> None:
    rhythm = lifecycle.rhythm(load_cdnow(sample=True, backend="polars"), as_of=date(1998, 6, 30))
    staged = lifecycle.assign(rhythm, rules=lifecycle.rules(rhythm))
    fit = clv.fit(rhythm, model=model)
    for row in churn.risk(staged, purchases=fit, horizon_days=91).iter_rows(named=True):
        assert_consistent(row)


def assert_consistent(row: dict[str, Any]) -> None:
    """Require words that say one thing of a customer."""
    reason, risk = row["risk_reason"], row["churn_risk"]
    assert "on time" not in reason
    assert "overdue" not in reason
    share = reason.partition("%")[0].rpartition(" ")[2]
    assert abs(float(share) - 100 * risk) <= 1
    assert row["risk_level"] == LEVELS[(risk >= 0.5) + (risk >= 0.8)]
    if row["stage"] in ("at risk", "lapsing", "lost"):
        ratio = row["stage_reason"].partition(", ")[2].partition(" times")[0]
        assert reason.endswith((f"silent for {ratio} expected gaps", "days ago", "day ago"))


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
    customers = make_frame(RHYTHM)
    rated = churn.risk(customers, purchases=ALWAYS, horizon_days=20)
    assert type(rated) is type(customers)
    assert nw.from_native(rated).collect_schema().names() == [*RHYTHM, *NEW]
    found = {row["customer_id"]: (row["risk_level"], row["risk_reason"]) for row in rows(rated)}
    assert found == {
        "often": ("low", "25% likely to buy nothing in 20 days; last bought 0 days ago"),
        "once": ("medium", "50% likely to buy nothing in 20 days; last bought 10 days ago"),
        "long ago": (
            "medium",
            "51% likely to buy nothing in 20 days; silent for 3.0 expected gaps",
        ),
        "prospect": (None, "unknown: has not bought yet"),
    }


def test_a_risk_near_certainty_is_not_called_certain() -> None:
    model = clv.Fit.of("nbd", r=0.001, alpha=10.0)
    once = pl.DataFrame(HISTORIES).filter(pl.col("customer_id") == "once")
    rated = churn.risk(once, purchases=model, horizon_days=20)
    assert rated["risk_reason"].item().startswith("over 99% likely to buy nothing in 20 days")


def test_risk_leaves_rows_index_and_other_columns_alone() -> None:
    customers = pd.DataFrame(RHYTHM).assign(city="x").iloc[::-1]
    before = customers.copy(deep=True)
    rated = churn.risk(customers, purchases=ALWAYS, horizon_days=20)
    pd.testing.assert_frame_equal(rated[list(customers.columns)], before)
    pd.testing.assert_frame_equal(customers, before)


def test_nobody_is_rated_in_an_empty_table(make_frame: MakeFrame) -> None:
    nothing: dict[str, Any] = pl.DataFrame(HISTORIES).clear().to_dict()
    assert rows(churn.risk(make_frame(nothing), purchases=ALWAYS, horizon_days=20)) == []


def test_whoever_bought_once_is_active_by_the_rule_of_thumb(make_frame: MakeFrame) -> None:
    orders = make_frame(
        {"customer_id": ["a", "b", "b"], "date": [date(2024, 1, 1)] * 2 + [date(2024, 1, 11)]}
    )
    for day, expected in ((date(2024, 1, 11), 1.0), (date(2024, 1, 21), 0.5)):
        active = churn.p_active(rfm.summarize(orders, as_of=day))
        assert [row["p_active"] for row in rows(active, by="customer_id")] == [1.0, expected]


# Refusals


def test_customers_without_a_history_are_refused(make_frame: MakeFrame) -> None:
    unknown = make_frame({"customer_id": ["a"], "T": [5]})
    with pytest.raises(MissingColumnsError) as caught:
        churn.risk(unknown, purchases=ALWAYS, horizon_days=20)
    assert str(caught.value) == (
        "customer summary: no column `days_since_last`, `frequency`, `recency` among "
        "`customer_id`, `T`.\nBuild this table with crmkit.rfm.summarize()."
    )


@pytest.mark.parametrize(
    "limits",
    [(0.8, 0.5), (0.0, 0.5), (0.5, 1.1), (float("nan"), 0.5), ("low", 0.5), (0.5, None)],
)
def test_limits_out_of_order_are_refused(limits: tuple[Any, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.risk(
            pl.DataFrame(HISTORIES),
            purchases=ALWAYS,
            horizon_days=20,
            medium_from=limits[0],
            high_from=limits[1],
        )
    assert str(caught.value) == (
        "`medium_from` and `high_from` must be in rising order, above 0 and at most 1, got "
        f"{limits[0]!r} and {limits[1]!r}.\n"
        "They are the risks at which a level begins: write 0.5 and 0.8."
    )


@pytest.mark.parametrize("horizon_days", [9.9, 40.1])
def test_a_calibration_of_a_far_shorter_or_longer_period_is_refused(horizon_days: float) -> None:
    calibration = churn.RiskCalibration("platt", 20.0, 1000, intercept=0.1, slope=0.9)
    with pytest.raises(InvalidArgumentError) as caught:
        churn.risk(
            pl.DataFrame(HISTORIES),
            purchases=ALWAYS,
            horizon_days=horizon_days,
            calibration=calibration,
        )
    assert str(caught.value) == (
        "`calibration` was learned from 20 held-out days, which says little of a horizon of "
        f"{horizon_days:g}.\nLearn it from a held-out period about as long, or leave it out."
    )


def test_a_calibration_of_another_kind_is_refused() -> None:
    calibration: Any = 0.9
    with pytest.raises(InvalidArgumentError) as caught:
        churn.risk(
            pl.DataFrame(HISTORIES), purchases=ALWAYS, horizon_days=20, calibration=calibration
        )
    assert str(caught.value) == (
        "`calibration` must be a RiskCalibration, got 0.9.\n"
        "Make one with crmkit.churn.fit_calibration()."
    )
