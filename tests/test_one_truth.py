"""What a row of customers says in several columns agrees, on simulated and real logs."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import Any

import polars as pl
import pytest

from crmkit import clv, pipeline
from crmkit._actions.call_list import STOP
from crmkit.datasets import load_cdnow

pytestmark = pytest.mark.filterwarnings("ignore::crmkit.errors.CrmkitWarning")

START, AS_OF = date(2022, 1, 1), date(2023, 12, 31)
_GAPS = re.compile(r"(?P<gaps>[\d,.]+) (?:times the expected gap|expected gaps)")
_DAYS_AGO = re.compile(r"last bought (?P<days>[\d,]+) days? ago")
_PROMISES = ("on time", "gone", "in time", "left for good")


@cache
def _simulated(name: str) -> pl.DataFrame:
    fits = {
        "weekly": clv.Fit.of("bg_nbd", r=2.0, alpha=20.0, a=0.4, b=4.0),
        "yearly": clv.Fit.of("pareto_nbd", r=1.0, alpha=300.0, s=0.6, beta=400.0),
        "nobody leaves": clv.Fit.of("nbd", r=0.6, alpha=30.0),
    }
    orders: pl.DataFrame = clv.simulate(
        purchases=fits[name],
        n_customers=400,
        acquisition_days=500,
        start=START,
        as_of=AS_OF,
        seed=5,
        backend="polars",
    )
    amounts = pl.col("customer_id").cast(pl.String).hash(seed=1) % 90 + 10
    return orders.with_columns(amount=amounts.cast(pl.Float64))


def _log(name: str) -> pl.DataFrame:
    if not name.startswith("cdnow"):
        return _simulated(name)
    orders: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return orders


LOGS = {
    **dict.fromkeys(("weekly", "yearly", "nobody leaves"), AS_OF),
    "cdnow, late": date(1998, 6, 30),
    "cdnow, early": date(1997, 9, 30),
}
"""Logs, and the day that each is described on."""


@cache
def result_of(log: str) -> pipeline.Result[pl.DataFrame]:
    return pipeline.run(_log(log), as_of=LOGS[log], horizon_days=91)


def rows_of(log: str) -> list[dict[str, Any]]:
    return result_of(log).customers.to_dicts()


def number(found: re.Match[str], group: str) -> float:
    return float(found[group].replace(",", ""))


@pytest.mark.parametrize("log", LOGS)
def test_reasons_promise_nothing_that_silence_denies(log: str) -> None:
    for row in rows_of(log):
        assert not [each for each in _PROMISES if each in row["action_reason"]], row
        if "late by their own rhythm" in row["action_reason"]:
            assert row["overdue_ratio"] > 1, row


@pytest.mark.parametrize("log", LOGS)
def test_the_reasons_of_stage_and_risk_give_the_same_silence(log: str) -> None:
    for row in rows_of(log):
        for pattern, group in ((_GAPS, "gaps"), (_DAYS_AGO, "days")):
            of_stage = pattern.search(row["stage_reason"])
            of_risk = pattern.search(row["risk_reason"])
            if of_stage and of_risk:
                assert number(of_stage, group) == number(of_risk, group), row


@pytest.mark.parametrize("log", LOGS)
def test_a_silence_longer_than_expected_is_said_and_no_other(log: str) -> None:
    for row in rows_of(log):
        said = _GAPS.search(row["risk_reason"])
        assert (said is not None) == (row["overdue_ratio"] >= 1.05), row
        if said:
            assert number(said, "gaps") > 1


@pytest.mark.parametrize("log", LOGS)
def test_nobody_on_the_call_list_is_to_be_left_alone(log: str) -> None:
    called = result_of(log).call_list
    assert called is not None
    assert len(called) > 0
    assert not set(called["action"]) & set(STOP)


@pytest.mark.parametrize("log", LOGS)
def test_level_and_reason_of_the_risk_give_its_probability(log: str) -> None:
    for row in rows_of(log):
        share = re.match(r"(?:over |under )?(?P<share>[\d]+)%", row["risk_reason"])
        assert share is not None
        assert abs(number(share, "share") / 100 - row["churn_risk"]) < 0.0101
        due = (
            "high" if row["churn_risk"] >= 0.8 else "medium" if row["churn_risk"] >= 0.5 else "low"
        )
        assert row["risk_level"] == due


@pytest.mark.parametrize("log", LOGS)
def test_bounds_of_totals_hold_the_total(log: str) -> None:
    figures = result_of(log).key_figures.filter(pl.col("lower").is_not_null())
    assert figures["figure"].to_list() == ["expected purchases", "expected value"]
    for lower, upper in figures.select("lower", "upper").rows():
        assert 0 < lower < upper
    money = result_of(log).customers["clv"].sum()
    assert figures["value"][1] == pytest.approx(money)
