"""Calibration and reliability of churn risk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest

from crmkit import churn, clv
from crmkit._churn.calibration import applied, calibrated
from crmkit._door import draw, frames
from crmkit.errors import FitError, InvalidArgumentError
from tests.conftest import MakeFrame, rows

DAYS = 91


def held_out(risk: Any, *, true: Any, seed: int = 7) -> pl.DataFrame:
    """Customers of a stated risk who buy nothing with their true one."""
    inactive = np.random.default_rng(seed).random(len(risk)) < true
    return pl.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(len(risk))],
            "churn_risk": np.asarray(risk),
            "frequency_holdout": np.where(inactive, 0, 2),
            "duration_holdout": [DAYS] * len(risk),
        }
    )


def spread(n: int = 6000) -> Any:
    return np.random.default_rng(1).uniform(0.02, 0.98, n)


def logistic(p: Any, intercept: float, slope: float) -> Any:
    return 1 / (1 + np.exp(-(intercept + slope * np.log(p / (1 - p)))))


# Twin


def test_platts_curve_is_the_likeliest_logistic_one() -> None:
    risk = spread()
    table = held_out(risk, true=logistic(risk, 0.4, 0.5))
    found = churn.fit_calibration(table)
    gone = table["frequency_holdout"].to_numpy() == 0

    def loss(curve: Any) -> float:
        p = logistic(risk, *curve)
        return float(-np.log(np.where(gone, p, 1 - p)).mean())

    twin = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12})
    assert found.method == "platt"
    assert (found.intercept, found.slope) == pytest.approx(tuple(twin.x), abs=1e-4)
    assert (found.horizon_days, found.n_customers) == (DAYS, 6000)


def test_the_interval_is_wilsons() -> None:
    table = churn.reliability(held_out(np.full(40, 0.3), true=0.3), bins=1, level=0.95)
    (row,) = table.iter_rows(named=True)
    k = round(row["happened"] * 40)
    twin = binomtest(k, 40).proportion_ci(0.95, method="wilson")
    assert (row["low"], row["high"]) == pytest.approx((twin.low, twin.high))
    assert (row["bin"], row["n_customers"], row["said"]) == (1, 40, pytest.approx(0.3))


# Properties


@pytest.mark.parametrize("seed", range(5))
def test_a_risk_that_holds_is_left_as_it_is(seed: int) -> None:
    risk = spread()
    found = churn.fit_calibration(held_out(risk, true=risk, seed=seed))
    assert (found.method, found.slope, found.log_score_gain) == ("identity", 1.0, 0.0)


def test_a_shape_that_no_logistic_curve_has_is_followed_by_an_isotonic_one() -> None:
    risk = spread(20_000)
    true = np.where(risk < 0.4, 0.05, np.where(risk < 0.6, 0.5, 0.55))
    found = churn.fit_calibration(held_out(risk, true=true))
    assert found.method == "isotonic"
    assert found.log_score_gain > 0.01
    middles = np.interp([0.2, 0.5, 0.8], found.stated, found.observed)
    assert middles == pytest.approx([0.05, 0.5, 0.55], abs=0.05)


def test_calibration_brings_said_and_happened_together() -> None:
    risk = spread()
    table = held_out(risk, true=logistic(risk, 0.4, 0.5))
    before, after = (churn.reliability(table, method=name) for name in ("identity", "platt"))
    error = (pl.col("said") - pl.col("happened")).abs().mean()
    assert after.select(error).item() < 0.03 < before.select(error).item()
    assert after["said"].is_sorted()
    assert after["n_customers"].to_list() == [600] * 10


@given(
    risk=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    calibration=st.sampled_from(
        [
            churn.RiskCalibration("identity", DAYS, 500),
            churn.RiskCalibration("platt", DAYS, 500, intercept=-0.3, slope=0.8),
            churn.RiskCalibration(
                "isotonic", DAYS, 500, stated=(0.0, 0.2, 0.7, 1.0), observed=(0.0, 0.4, 0.4, 1.0)
            ),
        ]
    ),
)
def test_calibration_keeps_the_order_and_stays_a_probability(
    risk: list[float], calibration: churn.RiskCalibration
) -> None:
    sorted_risk = sorted(risk)
    table = frames.reopen(pl.DataFrame({"p": sorted_risk}))
    column = applied(calibration, frames.known("p"))
    found = table.select(column.alias("q")).collect()["q"].to_numpy()
    assert np.all(np.diff(found) >= -1e-12)
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(found, calibrated(calibration, np.array(sorted_risk)), atol=1e-9)


def test_row_order_changes_nothing() -> None:
    risk = spread()
    table = held_out(risk, true=logistic(risk, 0.4, 0.5))
    assert churn.fit_calibration(table) == churn.fit_calibration(table.reverse())


# Shape


def test_every_engine_learns_and_applies_the_same(make_frame: MakeFrame) -> None:
    risk = spread(1200)
    table = held_out(risk, true=logistic(risk, 1.0, 0.4))
    found = churn.fit_calibration(make_frame(table.to_dict(as_series=False)))
    assert found.method == "platt"
    assert found.slope == pytest.approx(churn.fit_calibration(table).slope, rel=1e-9)
    customers: dict[str, list[Any]] = {
        "customer_id": ["a", "b"],
        "days_since_last": [10, None],
        "frequency": [0, None],
        "recency": [0, None],
        "T": [10, None],
    }
    rated = churn.risk(
        make_frame(customers),
        purchases=clv.Fit.of("nbd", r=1.0, alpha=10.0),
        horizon_days=DAYS,
        calibration=found,
    )
    stated = 20 / (20 + DAYS)
    expected = logistic(stated, found.intercept, found.slope)
    assert [row["churn_risk"] for row in rows(rated, by="customer_id")] == [
        pytest.approx(expected),
        None,
    ]


def test_the_draw_is_the_same_on_every_engine(make_frame: MakeFrame) -> None:
    # The MD5 of "abc" is RFC 1321's 900150983cd24fb0d6963f7d28e17f72.
    assert draw.hash_of(["abc"]).tolist() == [0x90015098]
    ids = [f"customer {i}" for i in range(400)]
    columns: dict[str, list[Any]] = {"customer_id": ids, "value": list(range(400))}
    found = draw.collect_draw(frames.reopen(make_frame(columns)), "value", most=100)
    expected = [i for i, n in enumerate(draw.hash_of(ids).tolist()) if n < 2**30]
    assert sorted(found["value"].tolist()) == expected
    assert 60 < len(expected) < 140


def test_a_calibration_comes_back_from_json() -> None:
    risk = spread(20_000)
    for true in (risk, logistic(risk, 0.4, 0.5), np.where(risk < 0.4, 0.05, 0.55)):
        found = churn.fit_calibration(held_out(risk, true=true))
        assert churn.RiskCalibration.from_json(found.to_json()) == found
    made = churn.RiskCalibration("identity", 91.0, 10)
    assert math.isnan(churn.RiskCalibration.from_json(made.to_json()).log_score)


def test_an_empty_table_has_no_groups(make_frame: MakeFrame) -> None:
    nothing: dict[str, Any] = held_out(np.array([0.5]), true=0.5).clear().to_dict()
    assert rows(churn.reliability(make_frame(nothing))) == []


# Refusals


def test_too_few_of_one_outcome_are_refused() -> None:
    table = held_out(spread(500), true=np.ones(500))
    with pytest.raises(FitError) as caught:
        churn.fit_calibration(table)
    assert str(caught.value) == (
        "churn calibration: 0 of 500 customers bought in the holdout period; at least 50 must "
        "have bought, and as many not.\n"
        "Take another split, or use the risk without a calibration."
    )


def test_periods_of_different_length_are_refused() -> None:
    table = held_out(spread(10), true=0.5)
    mixed = table.with_columns(
        duration_holdout=pl.when(pl.col("customer_id") == "c3").then(30).otherwise(91)
    )
    with pytest.raises(InvalidArgumentError) as caught:
        churn.reliability(mixed)
    assert str(caught.value) == (
        "risk and holdout: `duration_holdout` must be the same in all rows, got 30 and 91.\n"
        "Build this table with crmkit.rfm.holdout()."
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "isotonic"},
        {"method": "isotonic", "stated": (0.0, 0.5, 1.0), "observed": (0.0, 0.6, 0.5)},
        {"method": "platt", "slope": -1.0},
        {"method": "platt", "horizon_days": 0.0},
        {"method": "identity", "stated": (0.0, 1.0), "observed": (0.0, 1.0)},
    ],
)
def test_fields_that_make_no_calibration_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^RiskCalibration: needs a horizon"):
        churn.RiskCalibration(**{"horizon_days": 91.0, "n_customers": 10, **fields})
