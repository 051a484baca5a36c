"""Seasons and trends before the split: seen where they are, and nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from tests.conftest import MakeFrame
from tests.seasons import ledger, waves

pytestmark = pytest.mark.slow
AS_OF = date(2021, 12, 31)


def seen(orders: pl.DataFrame, *, horizon_days: float, as_of: date = AS_OF) -> clv.Pattern:
    fitted = clv.fit(rfm.summarize(orders, as_of=as_of), model="pareto_nbd")
    return clv.pattern(orders, purchases=fitted, as_of=as_of, horizon_days=horizon_days)


def gain(orders: pl.DataFrame, found: clv.Pattern, *, split: date, as_of: date) -> float:
    """Tell how much nearer the scaled total comes to what was bought, on the log scale."""
    halves = rfm.holdout(orders, split=split, as_of=as_of)
    fitted = clv.fit(halves, model="pareto_nbd")
    days = (as_of - split).days
    actual = halves["frequency_holdout"].to_numpy().sum()
    plain, scaled = (
        clv.predict(halves, purchases=fitted, horizon_days=days, calibrate=each)
        for each in (None, found)
    )
    off = [
        abs(np.log(actual / table["expected_purchases"].to_numpy().sum()))
        for table in (plain, scaled)
    ]
    return float(off[0] - off[1])


# Twin


def test_the_trend_is_the_ratio_of_the_last_weeks() -> None:
    orders, as_of = load_cdnow(sample=True, backend="polars"), date(1997, 9, 30)
    fitted = clv.fit(rfm.summarize(orders, as_of=as_of), model="bg_nbd")
    daily = clv.tracking(orders, purchases=fitted, as_of=as_of, every="day")
    last = daily.filter(pl.col("starts") > date(1997, 8, 26))  # five weeks
    assert len(last) == 35
    found = clv.pattern(orders, purchases=fitted, as_of=as_of, horizon_days=35)
    ratio = last["actual_purchases"].sum() / last["predicted_purchases"].sum()
    assert found.trend == pytest.approx(ratio)
    assert (found.kind, found.season) == ("none", None)
    assert found.trend is not None
    assert found.trend_error is not None
    apart, error = found.trend - 1, found.trend_error
    assert found.factor == pytest.approx(1 + apart * apart**2 / (apart**2 + error**2))


def test_the_season_is_the_ratio_of_the_weeks_of_years_before() -> None:
    orders, as_of = waves(), AS_OF
    fitted = clv.fit(rfm.summarize(orders, as_of=as_of), model="bg_nbd")
    found = clv.pattern(orders, purchases=fitted, as_of=as_of, horizon_days=91)
    daily = clv.tracking(orders, purchases=fitted, as_of=as_of, every="day")
    actual, expected = (
        daily[name].to_numpy() for name in ("actual_purchases", "predicted_purchases")
    )
    years = [(actual[-364 * k :][:364], expected[-364 * k :][:364]) for k in (1, 2)]
    level = sum(a.sum() for a, _ in years) / sum(e.sum() for _, e in years)
    ahead = sum(a[:91].sum() for a, _ in years) / sum(e[:91].sum() for _, e in years)
    assert found.season == pytest.approx(ahead / level)


# Properties


@pytest.mark.full
def test_customers_who_buy_at_random_show_no_pattern() -> None:
    kinds = [
        seen(
            ledger(np.ones_like, n_customers=1500, as_of=AS_OF, seed=seed),
            horizon_days=91,
        ).kind
        for seed in range(8)
    ]
    assert kinds.count("none") >= 7


def test_a_season_is_seen_and_scaling_by_it_helps() -> None:
    orders = waves()
    found = seen(orders, horizon_days=90)
    assert found.kind == "season"
    assert 0.3 < found.factor < 0.7
    assert gain(orders, found, split=AS_OF, as_of=date(2022, 3, 31)) > 0.3


def test_a_rise_that_lasts_is_seen_and_scaling_by_it_helps() -> None:
    risen = ledger(lambda day: np.where(day < 450, 0.4, 1.0), as_of=AS_OF)
    split = date(2021, 5, 31)
    found = seen(risen, horizon_days=56, as_of=split)
    assert found.kind == "trend"
    assert found.factor > 1.2
    assert gain(risen, found, split=split, as_of=date(2021, 7, 26)) > 0.1


def test_a_visible_pattern_is_shrunk_a_little() -> None:
    found = seen(waves(), horizon_days=90)
    assert found.season is not None
    assert found.season < found.factor < 1


def test_the_days_to_come_change_nothing() -> None:
    orders = waves()
    early = orders.filter(pl.col("date").cast(pl.Date) <= AS_OF)
    assert len(early) < len(orders)
    assert seen(orders, horizon_days=90) == seen(early, horizon_days=90)


def test_a_horizon_of_a_year_holds_all_seasons() -> None:
    assert seen(waves(), horizon_days=365).season is None


def test_under_half_a_year_nothing_is_looked_for() -> None:
    found = seen(load_cdnow(sample=True, backend="polars"), horizon_days=91, as_of=date(1997, 6, 1))
    assert found == clv.Pattern(1.0, "none", 91.0)


# Shape


def test_every_engine_sees_the_same(make_frame: MakeFrame) -> None:
    log = (
        load_cdnow(sample=True, backend="polars")
        .filter(pl.col("customer_id") < "04000")
        .drop("quantity")
    )
    as_of = date(1998, 3, 31)
    expected = seen(log, horizon_days=91, as_of=as_of)
    orders: Any = make_frame(log.to_dict(as_series=False))
    fitted = clv.fit(rfm.summarize(log, as_of=as_of), model="pareto_nbd")
    found = clv.pattern(orders, purchases=fitted, as_of=as_of, horizon_days=91)
    assert found.kind == expected.kind
    for name in ("factor", "season", "season_error", "trend", "trend_error"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_nobody_has_come_yet() -> None:
    orders = load_cdnow(sample=True, backend="polars")
    fitted = clv.fit(rfm.summarize(orders, as_of=date(1998, 6, 30)), model="bg_nbd")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.pattern(orders, purchases=fitted, as_of=date(1996, 1, 1), horizon_days=91)
    assert str(caught.value) == (
        "`as_of` is 1996-01-01, before the first purchase.\nGive a later day."
    )


def test_purchases_and_value_are_scaled_and_nothing_else() -> None:
    customers = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=date(1997, 9, 30))
    purchases, spend = (clv.fit(customers, model=m) for m in ("bg_nbd", "gamma_gamma"))
    options: dict[str, Any] = {
        "purchases": purchases,
        "spend": spend,
        "horizon_days": 91,
        "annual_discount_rate": 0.1,
    }
    plain = clv.predict(customers, **options)
    scaled = clv.predict(customers, **options, calibrate=1.25)
    by_pattern = clv.predict(customers, **options, calibrate=clv.Pattern(1.25, "trend", 91))
    expected = plain.with_columns(pl.col("expected_purchases", "clv") * 1.25)
    assert_frame_equal(scaled, expected)
    assert_frame_equal(by_pattern, scaled)


# Refusals


def test_a_pattern_of_another_horizon_is_refused() -> None:
    customers = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=date(1997, 9, 30))
    purchases = clv.fit(customers, model="bg_nbd")
    found = clv.Pattern(1.25, "trend", 91.0)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(customers, purchases=purchases, horizon_days=365, calibrate=found)
    assert str(caught.value) == (
        "`calibrate` was found for 91 days, `horizon_days` is 365.\n"
        "Call pattern() with the same horizon."
    )


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_scales_nothing_is_refused(factor: float) -> None:
    customers = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=date(1997, 9, 30))
    purchases = clv.fit(customers, model="bg_nbd")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(customers, purchases=purchases, horizon_days=91, calibrate=factor)
    assert str(caught.value) == (
        f"`calibrate` must be above 0, got {factor}.\nWrite 1.1 for 10 % more."
    )


def test_an_endless_horizon_is_refused() -> None:
    orders = load_cdnow(sample=True, backend="polars")
    fitted = clv.fit(rfm.summarize(orders, as_of=date(1997, 9, 30)), model="bg_nbd")
    with pytest.raises(InvalidArgumentError, match="`horizon_days` must be above 0, got inf"):
        clv.pattern(orders, purchases=fitted, as_of=date(1997, 9, 30), horizon_days=float("inf"))
