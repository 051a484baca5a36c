"""Forecasts held against what came: the known table on CDNOW, then a slow twin."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows
from tests.published import printed

SPLIT, AS_OF = date(1997, 9, 30), date(1998, 6, 30)


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    """The whole log."""
    log: pl.DataFrame = load_cdnow()
    return log


@pytest.fixture(scope="module")
def found(cdnow: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The test of 39 weeks, by method."""
    table = clv.backtest(cdnow, splits=[SPLIT], as_of=AS_OF)
    return {row["method"]: row for row in table.to_dicts()}


# Published


@pytest.mark.parametrize(
    ("method", "column", "expected"),
    [
        # lifetimes 0.11.3 and CLVTools, run on the full log with 39 weeks held out.
        ("bg_nbd", "mae", "0.8187"),
        ("bg_nbd", "rmse", "1.7329"),
        ("bg_nbd", "spearman", "0.4420"),
        ("same rate", "mae", "1.0381"),
        ("same rate", "rmse", "2.1582"),
        ("same rate", "spearman", "0.4850"),
    ],
)
def test_customers_are_forecast_as_well_as_by_other_libraries(
    found: dict[str, dict[str, Any]], method: str, column: str, expected: str
) -> None:
    assert printed(found[method][column], like=expected) == expected


@pytest.mark.parametrize(
    ("method", "column", "percent"),
    [
        # As above: errors of the totals, and money caught in the tenth forecast best.
        ("bg_nbd", "purchases_error", "-14.28"),
        ("bg_nbd", "amount_error", "-17.33"),
        ("bg_nbd", "top_tenth_share", "51.56"),
        ("same rate", "purchases_error", "47.38"),
        ("same rate", "amount_error", "44.12"),
        ("same rate", "top_tenth_share", "50.44"),
    ],
)
def test_totals_are_forecast_as_well_as_by_other_libraries(
    found: dict[str, dict[str, Any]], method: str, column: str, percent: str
) -> None:
    assert printed(100 * found[method][column], like=percent) == percent


def test_the_held_out_half_has_its_known_size(found: dict[str, dict[str, Any]]) -> None:
    # CDNOW master file, 1 October 1997 to 30 June 1998, as lifetimes and CLVTools count it.
    row = found["bg_nbd"]
    assert (row["n_customers"], row["actual_purchases"]) == (23_570, 19_684)
    assert round(row["actual_amount"]) == 776_961


# Twin


def test_the_measures_are_the_textbooks(
    cdnow: pl.DataFrame, found: dict[str, dict[str, Any]]
) -> None:
    halves = rfm.holdout(cdnow, split=SPLIT, as_of=AS_OF)
    ahead = clv.predict(
        halves,
        purchases=clv.fit(halves, model="bg_nbd"),
        spend=clv.fit(halves, model="gamma_gamma"),
        horizon_days=273,
    )
    forecast, outcome = (ahead[n].to_numpy() for n in ("expected_purchases", "frequency_holdout"))
    row = found["bg_nbd"]
    assert row["spearman"] == pytest.approx(stats.spearmanr(forecast, outcome).statistic)
    assert row["mae"] == pytest.approx(np.abs(forecast - outcome).mean())
    best = ahead.sort("clv", descending=True).head(2357)
    share = best["amount_holdout"].to_numpy().sum() / ahead["amount_holdout"].to_numpy().sum()
    assert row["top_tenth_share"] == pytest.approx(share, abs=1e-3)


def test_calibration_adds_up_to_the_backtest(
    cdnow: pl.DataFrame, found: dict[str, dict[str, Any]]
) -> None:
    table = clv.calibration(cdnow, split=SPLIT, as_of=AS_OF)
    assert table["frequency"].to_list() == list(range(8))
    assert table["n_customers"].sum() == 23_570
    for column in ("actual_purchases", "predicted_purchases"):
        total = (table["n_customers"] * table[column]).sum()
        assert total == pytest.approx(found["bg_nbd"][column])


# Shape


def small() -> dict[str, list[Any]]:
    log = load_cdnow(sample=True).filter(pl.col("customer_id") < "04000").drop("quantity")
    columns: dict[str, list[Any]] = log.to_dict(as_series=False)
    return columns


def test_every_engine_gives_the_same_tables(make_frame: MakeFrame) -> None:
    orders = make_frame(small())
    expected = pl.DataFrame(small())
    found = clv.backtest(orders, splits=[SPLIT, date(1998, 1, 31)], as_of=AS_OF)
    twin = clv.backtest(expected, splits=[SPLIT, date(1998, 1, 31)], as_of=AS_OF)
    assert type(found) is type(orders)
    key = ["split", "method"]
    assert_frame_equal(pl.DataFrame(rows(found, by=key)), twin.sort(key), rel_tol=1e-9)
    by_count = clv.calibration(orders, split=SPLIT, as_of=AS_OF, most=3)
    twin = clv.calibration(expected, split=SPLIT, as_of=AS_OF, most=3)
    assert_frame_equal(pl.DataFrame(rows(by_count, by="frequency")), twin, rel_tol=1e-9)


def test_a_plan_whose_row_order_changes_is_looked_at_once() -> None:
    connection = duckdb.connect()
    connection.execute("set threads to 4; set preserve_insertion_order to false")
    arrow = load_cdnow(backend="pyarrow")
    orders = connection.from_arrow(arrow)
    found = clv.backtest(orders, splits=[SPLIT], as_of=AS_OF)
    (model,) = [row for row in rows(found) if row["method"] == "bg_nbd"]
    assert printed(model["mae"], like="0.8187") == "0.8187"


def test_what_cannot_be_ranked_is_null() -> None:
    day = date(2024, 1, 1)
    orders = pl.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b"],
            "date": [day, date(2024, 1, 20), day, date(2024, 1, 20)],
            "amount": [1.0, 2.0, 1.0, 3.0],
        }
    )
    with pytest.warns(UserWarning, match="bg_nbd|gamma_gamma"):
        found = clv.backtest(orders, splits=[date(2024, 1, 31)], as_of=date(2024, 3, 1))
    row = found.row(0, named=True)
    assert row["actual_purchases"] == 0
    unknown = ("purchases_error", "amount_error", "spearman", "top_tenth_share")
    assert [row[name] for name in unknown] == [None] * 4


# Refusals


def test_no_split_is_no_test(cdnow: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.backtest(cdnow, splits=[], as_of=AS_OF)
    assert str(caught.value) == "`splits` is empty.\nGive at least one day before `as_of`."


def test_a_ledger_without_amounts_is_refused(cdnow: pl.DataFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clv.backtest(cdnow.drop("amount"), splits=[SPLIT], as_of=AS_OF)
    assert str(caught.value).startswith("transactions: no column `amount` among `customer_id`")


def test_bad_amounts_are_refused(make_eager: MakeFrame) -> None:
    bad = make_eager({"customer_id": [1], "date": [SPLIT], "amount": [float("inf")]})
    with pytest.raises(InvalidRowsError, match="`amount` is not finite"):
        clv.backtest(bad, splits=[SPLIT], as_of=AS_OF)


def test_nobody_back_by_the_split_is_no_test() -> None:
    orders = pl.DataFrame(
        {"customer_id": ["a", "b"], "date": [date(2024, 1, 1)] * 2, "amount": [1.0, 2.0]}
    )
    with pytest.raises(FitError) as caught:
        clv.backtest(orders, splits=[date(2024, 1, 31)], as_of=date(2024, 3, 1))
    assert str(caught.value) == (
        "customer summary: no repeat purchase in 2 of 2 customers.\n"
        "Observe them for longer before you fit."
    )
