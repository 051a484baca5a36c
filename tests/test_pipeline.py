"""The main job: every customer once, every table there, the same on every engine."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import clv, cohorts, lifecycle, pipeline, rfm, tiers
from crmkit.datasets import load_cdnow
from crmkit.errors import (
    CrmkitWarning,
    InvalidArgumentError,
)
from tests.conftest import MAKERS, MakeFrame, rows

AS_OF = date(1998, 6, 30)


def sample() -> pl.DataFrame:
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return log


@pytest.fixture(scope="module")
def result() -> pipeline.Result[pl.DataFrame]:
    """The job on the sample."""
    return pipeline.run(sample(), as_of=AS_OF, margin=0.4, annual_discount_rate=0.1)


def there(table: Any) -> Any:
    """Give a table that must be there."""
    assert table is not None
    return table


def figure(result: pipeline.Result[Any], name: str) -> float:
    (value,) = [row["value"] for row in rows(result.key_figures) if row["figure"] == name]
    return float(value)


# Published


def test_the_forecast_is_tested_from_the_papers_half() -> None:
    # Fader, Hardie & Lee (2005): 39 of the 78 weeks, to 30 September 1997.
    result = pipeline.run(sample(), as_of=AS_OF)
    assert result.settings.split == date(1997, 9, 30)


def test_the_whole_log_gives_its_known_figures() -> None:
    # CDNOW master file; the forecast error is that of the Pareto/NBD of lifetimes and CLVTools.
    result = pipeline.run(load_cdnow(backend="polars"), as_of=AS_OF)
    assert figure(result, "customers") == 23_570
    assert figure(result, "orders") == 69_659
    assert round(figure(result, "revenue"), 2) == 2_500_315.63
    assert round(figure(result, "forecast error"), 4) == -0.1286


# Twin


def test_the_job_is_its_steps(result: pipeline.Result[pl.DataFrame]) -> None:
    orders = sample()
    customers = rfm.summarize(orders, as_of=AS_OF)
    with pytest.warns(CrmkitWarning):
        breakpoints = rfm.breakpoints(customers)
    ahead = clv.predict(
        rfm.segment(rfm.score(customers, breakpoints=breakpoints)),
        purchases=clv.fit(customers, model=clv.choose(orders, as_of=AS_OF)),
        spend=clv.fit(customers, model="gamma_gamma"),
        horizon_days=365,
        margin=0.4,
        annual_discount_rate=0.1,
    )
    rule = tiers.rule(ahead, method="customer_share", cuts=(0.05, 0.20))
    tiered = tiers.assign(ahead, rule=rule)
    assert_frame_equal(result.customers.select(tiered.columns), tiered, rel_tol=1e-12)
    paced = lifecycle.rhythm(orders, as_of=AS_OF)
    rules = lifecycle.fit_rules(orders, as_of=AS_OF, horizon_days=91)
    staged = lifecycle.assign(paced, rules=rules)
    columns = ["customer_id", "expected_gap_days", "overdue_ratio", "stage", "stage_reason"]
    assert_frame_equal(result.customers.select(columns), staged.select(columns))


def test_the_tables_of_cohorts_and_of_the_test_are_those_of_their_functions(
    result: pipeline.Result[pl.DataFrame],
) -> None:
    orders, split = sample(), result.settings.split
    assert split is not None
    assert_frame_equal(there(result.cohorts), cohorts.table(orders, as_of=AS_OF))
    assert result.backtest is not None
    assert result.calibration is not None
    assert result.kept.purchases is not None
    model = result.kept.purchases.name
    ranked = clv.backtest(orders, splits=[split], as_of=AS_OF, models=[model]).drop("seconds")
    assert_frame_equal(result.backtest, ranked, rel_tol=1e-9)
    grouped = clv.calibration(orders, split=split, as_of=AS_OF, model=model)
    assert_frame_equal(result.calibration, grouped, rel_tol=1e-9)


# Properties


def test_every_customer_has_one_row_and_one_action(result: pipeline.Result[pl.DataFrame]) -> None:
    customers = result.customers
    assert customers["customer_id"].to_list() == sorted(set(sample()["customer_id"]))
    decided = ("segment", "tier", "stage", "p_alive", "clv", "action", "action_reason")
    assert [customers[name].null_count() for name in decided] == [0] * len(decided)


def test_every_summary_adds_up_to_the_customers(result: pipeline.Result[pl.DataFrame]) -> None:
    n = result.customers.height
    for table in (result.segments, result.stages, result.tiers, result.actions):
        assert there(table)["n_customers"].sum() == n
    assert figure(result, "expected value") == pytest.approx(result.customers["clv"].sum())
    assert figure(result, "value at risk") == pytest.approx(
        there(result.actions)["value_at_risk"].sum()
    )
    assert figure(result, "revenue") == pytest.approx(sample()["amount"].sum())


def test_those_with_most_at_risk_are_called_first(result: pipeline.Result[pl.DataFrame]) -> None:
    at_risk = there(result.call_list)["value_at_risk"]
    assert at_risk.is_sorted(descending=True)
    assert there(result.call_list).height == 100
    others = result.customers.join(there(result.call_list), on="customer_id", how="anti")
    others = others.filter(pl.col("action") != "stop paid contact")
    assert at_risk.min() >= others["value_at_risk"].max()
    assert "stop paid contact" not in there(result.call_list)["action"]


def test_value_at_risk_is_the_money_of_the_last_horizon_times_the_risk(
    result: pipeline.Result[pl.DataFrame],
) -> None:
    since = AS_OF - timedelta(days=int(result.settings.horizon_days or 0))
    brought = (
        sample()
        .filter(pl.col("date").cast(pl.Date) > since)
        .group_by("customer_id")
        .agg(money=pl.col("amount").sum())
    )
    joined = result.customers.join(brought, on="customer_id", how="left")
    expected = pl.col("expected_purchases") * pl.col("expected_spend")
    money = pl.when(pl.col("money") > 0).then(pl.col("money")).otherwise(expected)
    product = joined.select(value_at_risk=money * pl.col("churn_risk"))
    assert_frame_equal(product, joined.select("value_at_risk"))


def test_churn_risk_is_tested_on_the_last_days(result: pipeline.Result[pl.DataFrame]) -> None:
    # The horizon is longer than half of the ledger, so the split is that of the forecast.
    split = result.settings.split
    assert split is not None
    table = there(result.reliability)
    later = rfm.holdout(sample(), split=split, as_of=AS_OF)
    assert table["n_customers"].sum() == later.height
    share = (later["frequency_holdout"] == 0).mean()
    happened = (table["happened"] * table["n_customers"]).sum() / later.height
    assert happened == pytest.approx(share)
    assert (table["low"] <= table["happened"]).all()
    assert (table["happened"] <= table["high"]).all()
    kept = result.kept.risk
    assert kept is not None
    assert kept.horizon_days == (AS_OF - split).days
    off = ((table["said"] - table["happened"]).abs() * table["n_customers"]).sum() / later.height
    assert figure(result, "risk error") == pytest.approx(off)


def test_every_figure_names_a_table_that_is_there(result: pipeline.Result[pl.DataFrame]) -> None:
    assert set(result.key_figures["table"]) <= set(result.frames())


def test_the_future_changes_nothing(result: pipeline.Result[pl.DataFrame]) -> None:
    later = sample().with_columns(pl.col("date") + timedelta(days=545))
    longer = pipeline.run(
        pl.concat([sample(), later.filter(pl.col("date") > AS_OF)]),
        as_of=AS_OF,
        margin=0.4,
        annual_discount_rate=0.1,
    )
    assert_frame_equal(longer.customers, result.customers, rel_tol=1e-12)
    assert longer.kept.purchases == result.kept.purchases
    assert longer.kept.stages == result.kept.stages


# Shape


@pytest.mark.full
@pytest.mark.parametrize("engine", list(MAKERS))
def test_every_engine_gives_the_same_tables(
    result: pipeline.Result[pl.DataFrame], engine: str
) -> None:
    orders = MAKERS[engine](sample().to_dict(as_series=False))
    found = pipeline.run(orders, as_of=AS_OF, margin=0.4, annual_discount_rate=0.1)
    for name, table in found.frames().items():
        assert type(table) is type(orders), name
        expected = result.frames()[name]
        texts = expected.select(~pl.selectors.float()).columns
        assert nw.from_native(table).collect_schema().names() == expected.columns, name
        mine = pl.DataFrame(rows(table, by=texts), schema=expected.schema)
        assert_frame_equal(mine, expected.sort(texts), rel_tol=1e-6, abs_tol=1e-9)


@pytest.mark.full_for("pandas", "polars-lazy", "pyarrow", "duckdb")
def test_prospects_keep_a_row(make_frame: MakeFrame) -> None:
    orders = make_frame(sample().to_dict(as_series=False))
    known = make_frame({"customer_id": ["00004", "zoe"]})
    found = pipeline.run(orders, as_of=AS_OF, prospects=known)
    (zoe,) = [row for row in rows(found.customers) if row["customer_id"] == "zoe"]
    assert (zoe["stage"], zoe["clv"], zoe["action"]) == (
        "prospect",
        None,
        "invite to a first order",
    )
    assert figure(found, "prospects") == 1
    assert figure(found, "customers") == 2357


def test_sorted_tables_have_a_plain_index_in_pandas() -> None:
    found = pipeline.run(load_cdnow(sample=True), as_of=AS_OF)
    for name, table in found.frames().items():
        assert table.index.equals(pd.RangeIndex(len(table))), name


def test_steps_are_told_as_they_begin() -> None:
    told: list[str] = []
    pipeline.run(sample(), as_of=AS_OF, on_step=told.append)
    assert told[0] == "reading the ledger"
    assert len(told) == len(set(told)) == 9


def test_the_result_is_frozen(result: pipeline.Result[pl.DataFrame]) -> None:
    with pytest.raises(FrozenInstanceError):
        result.notes = ()  # type: ignore[misc] # the point


def test_a_full_result_leaves_nothing_out(result: pipeline.Result[pl.DataFrame]) -> None:
    assert result.left_out == ()
    assert result.key_figures["n_unknown"].to_list() == [0] * len(result.key_figures)


def test_what_the_steps_warn_of_is_kept_as_notes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = pipeline.run(sample(), as_of=AS_OF)
    note, chosen = result.notes
    assert "`orders` is 1 for" in note
    assert chosen == clv.choose(sample(), as_of=AS_OF).reason


def test_kept_values_come_back_from_their_text(result: pipeline.Result[pl.DataFrame]) -> None:
    kept = result.kept
    assert kept.breakpoints is not None
    assert kept.purchases is not None
    assert kept.stages is not None
    assert kept.tiers is not None
    assert rfm.Breakpoints.from_json(kept.breakpoints.to_json()) == kept.breakpoints
    assert clv.Fit.from_json(kept.purchases.to_json()) == kept.purchases
    assert lifecycle.StageRules.from_json(kept.stages.to_json()) == kept.stages
    assert tiers.TierRule.from_json(kept.tiers.to_json()) == kept.tiers


def test_a_forecast_that_cannot_be_tested_is_left_out() -> None:
    result = pipeline.run(sample(), as_of=AS_OF, split=date(1997, 1, 1))
    assert result.backtest is None
    assert result.calibration is None
    assert "backtest" not in result.frames()
    assert result.left_out == (
        (
            "The forecast could not be tested on held-out days. customer summary: no repeat "
            "purchase in 18 of 18 customers. Observe them for longer before you fit."
        ),
    )


# Refusals


def ledger(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": ["a"], "date": [date(2024, 1, 1)], "amount": [5.0]} | columns
    )


def test_no_purchase_by_the_day_is_an_error(make_frame: MakeFrame) -> None:
    table = make_frame(ledger().to_dict(as_series=False))
    with pytest.raises(InvalidArgumentError) as caught:
        pipeline.run(table, as_of=date(2023, 1, 1))
    assert str(caught.value) == "transactions: no row by 2023-01-01.\nGive a later `as_of`."


def test_an_empty_ledger_is_an_error() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pipeline.run(ledger().head(0), as_of=date(2024, 1, 1))
    assert str(caught.value) == "transactions: no row by 2024-01-01.\nGive a later `as_of`."
