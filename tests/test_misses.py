"""Misses of earlier forecasts, and the bounds of a total that hold them."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from crmkit import clv, rfm
from crmkit.clv import Misses, MissTest
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError

AS_OF = date(1997, 9, 30)
DAYS = 91


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """The sample of the founding paper."""
    return load_cdnow(sample=True, backend="pandas")


@pytest.fixture(scope="module")
def customers(cdnow: pd.DataFrame) -> pd.DataFrame:
    return rfm.summarize(cdnow, as_of=AS_OF)


@pytest.fixture(scope="module")
def misses(cdnow: pd.DataFrame) -> Misses:
    return clv.fit_misses(cdnow, as_of=AS_OF, horizon_days=DAYS, model="pareto_nbd")


def misses_of(*pairs: tuple[float, float], apart: int = 30, length: int = 30) -> Misses:
    """Misses of tests that each begin `apart` days after the one before."""
    start = date(2024, 1, 1)
    tests = tuple(
        MissTest(
            start + timedelta(days=i * apart),
            start + timedelta(days=i * apart + length),
            actual,
            predicted,
        )
        for i, (actual, predicted) in enumerate(pairs)
    )
    return Misses("pareto_nbd", 30.0, tests)


# Twin


def test_tests_are_forecasts_from_earlier_days(cdnow: pd.DataFrame, misses: Misses) -> None:
    # The history has 272 days: a quarter is held out, from the middle on.
    assert [(each.as_of - each.split).days for each in misses.tests] == [68] * 4
    assert misses.tests[0].split == AS_OF - timedelta(days=136)
    assert misses.tests[-1].as_of == AS_OF
    test = misses.tests[1]
    table = clv.backtest(
        cdnow[cdnow["date"] <= pd.Timestamp(test.as_of)],
        splits=[test.split],
        as_of=test.as_of,
        models=["pareto_nbd"],
    )
    row = table[table["method"] == "pareto_nbd"].iloc[0]
    assert test.actual_purchases == row["actual_purchases"]
    assert test.predicted_purchases == pytest.approx(row["predicted_purchases"])
    assert test.actual_amount == pytest.approx(row["actual_amount"])
    assert test.predicted_amount == pytest.approx(row["predicted_amount"])


def test_factor_and_deviation_by_hand() -> None:
    # Two tests apart, both 20 % above the forecast; the prior is .2, and counts as four tests.
    found = misses_of((120.0, 100.0), (240.0, 200.0)).purchases
    log = math.log(1.2)
    around = 4 * 0.04 / 6
    shift = log * 0.04 / (0.04 + around / 2)
    assert found.factor == pytest.approx(math.exp(shift))
    assert found.freedom == 6
    doubt = shift / log * around / 2
    left = (2 * (log - shift) ** 2 + 4 * 0.04) / 6
    assert found.deviation == pytest.approx(math.sqrt(left + doubt))


def test_tests_that_overlap_count_by_the_days_that_they_hold() -> None:
    pairs = [(120.0, 100.0)] * 4
    assert misses_of(*pairs, apart=30).purchases.freedom == 8
    assert misses_of(*pairs, apart=10).purchases.freedom == 6  # 60 days, in lengths of 30
    assert misses_of((120.0, 100.0)).purchases.freedom == 5


def test_bounds_hold_both_the_model_and_its_misses(customers: pd.DataFrame, misses: Misses) -> None:
    fitted = clv.fit(customers, model="pareto_nbd")
    plain = clv.predict_total(customers, purchases=fitted, horizon_days=DAYS).iloc[0]
    wide = clv.predict_total(customers, purchases=fitted, horizon_days=DAYS, misses=misses).iloc[0]
    miss, name = misses.purchases, "expected_purchases"
    assert wide[name] == pytest.approx(plain[name] * miss.factor)
    own = math.log(plain[f"{name}_upper"] / plain[f"{name}_lower"]) / 2
    theirs = stats.t.ppf(0.95, miss.freedom) * miss.deviation
    half = math.log(wide[f"{name}_upper"] / wide[f"{name}_lower"]) / 2
    assert half == pytest.approx(math.hypot(own, theirs))
    for column in ("expected_alive", "expected_alive_lower", "expected_alive_upper"):
        assert wide[column] == plain[column]


# Properties


def test_without_a_test_the_prior_makes_the_bounds() -> None:
    nothing = Misses("pareto_nbd", 30.0)
    assert nothing.purchases == (1.0, 0.2, 4.0)
    assert nothing.amount == (1.0, 0.25, 4.0)


def test_misses_on_one_side_move_the_forecast_and_scatter_widens_it() -> None:
    low = misses_of((80.0, 100.0), (82.0, 100.0), (78.0, 100.0)).purchases
    scattered = misses_of((50.0, 100.0), (100.0, 100.0), (200.0, 100.0)).purchases
    assert 0.8 < low.factor < 1
    assert scattered.factor == pytest.approx(1)
    assert scattered.deviation > 1.5 * low.deviation


def test_the_future_changes_nothing(cdnow: pd.DataFrame, misses: Misses) -> None:
    past = cdnow[cdnow["date"] <= pd.Timestamp(AS_OF)]
    again = clv.fit_misses(past, as_of=AS_OF, horizon_days=DAYS, model="pareto_nbd")
    assert again == misses


def test_bounds_hold_in_nine_of_ten_true_forecasts() -> None:
    # Totals that scatter about their forecast by 20 %, as those tested did.
    rng = np.random.default_rng(1)
    held = []
    for _ in range(500):
        *before, after = rng.normal(0.0, 0.2, 5)
        miss = misses_of(*((100 * math.exp(each), 100.0) for each in before)).purchases
        held.append(abs(after - math.log(miss.factor)) < miss.reach(0.9))
    assert 0.87 < np.mean(held) < 0.97


def test_text_holds_all_of_it(misses: Misses) -> None:
    assert Misses.from_json(misses.to_json()) == misses
    few = Misses("bg_nbd", 91.0, calibrated=True, left_out=("The history is short.",))
    assert Misses.from_json(few.to_json()) == few


# Shape


def test_short_histories_say_what_is_missing() -> None:
    start = date(2024, 1, 1)
    orders = pl.DataFrame(
        {
            "customer_id": ["ann", "ann", "ben", "cid", "cid"],
            "date": [start + timedelta(days=each) for each in (0, 9, 12, 15, 19)],
        }
    )
    found = clv.fit_misses(orders, as_of=start + timedelta(days=20), horizon_days=30)
    assert found == Misses(
        "pareto_nbd", 30.0, left_out=("The history of 20 days is too short for a test.",)
    )
    found = clv.fit_misses(orders, as_of=start + timedelta(days=40), horizon_days=30, origins=1)
    assert found.tests == ()
    (why,) = found.left_out
    assert why.startswith("From 2024-01-31: ")


def test_without_amounts_there_are_none(cdnow: pd.DataFrame) -> None:
    visits = cdnow[["customer_id", "date"]]
    found = clv.fit_misses(visits, as_of=AS_OF, horizon_days=DAYS, model="bg_nbd", origins=1)
    assert found.tests[0].actual_amount is None
    assert found.amount == (1.0, 0.25, 4.0)


# Refusals


def test_misses_of_another_forecast_are_refused(customers: pd.DataFrame, misses: Misses) -> None:
    fitted = clv.fit(customers, model="pareto_nbd")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict_total(customers, purchases=fitted, horizon_days=30, misses=misses)
    assert str(caught.value) == (
        "`misses` was found for 91 days, `horizon_days` is 30.\n"
        "Call fit_misses() with the same horizon."
    )
    season = clv.Pattern(1.1, "season", float(DAYS))
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict_total(
            customers, purchases=fitted, horizon_days=DAYS, misses=misses, calibrate=season
        )
    assert str(caught.value) == (
        "`misses` was found without season and trend, where `calibrate` has them.\n"
        "Call fit_misses(..., calibrated=True)."
    )
    with pytest.raises(InvalidArgumentError, match="`misses` must be what"):
        clv.predict_total(customers, purchases=fitted, horizon_days=DAYS, misses=1.3)  # type: ignore[arg-type]


def test_wrong_arguments_are_refused(cdnow: pd.DataFrame) -> None:
    for wrong, match in (
        ({"horizon_days": 0}, "`horizon_days` must be above 0"),
        ({"horizon_days": 91, "origins": 0}, "`origins` must be a whole number"),
        ({"horizon_days": 91, "model": "gamma_gamma"}, "`model` must be one of"),
        ({"horizon_days": 91, "spend": "bg_nbd"}, "`spend` must be one of"),
        ({"horizon_days": 91, "calibrated": 1}, "`calibrated` must be"),
    ):
        with pytest.raises(InvalidArgumentError, match=match):
            clv.fit_misses(cdnow, as_of=AS_OF, **wrong)
    with pytest.raises(InvalidArgumentError, match="not ISO text"):
        Misses.from_json(misses_of((1.0, 1.0)).to_json().replace("2024-01-01", "2024-13-01"))
