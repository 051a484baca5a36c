"""One chain without merges: summary, fit, predict, score, tier, stage, risk; prospects included."""

from __future__ import annotations

import warnings
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from crmkit import actions, churn, clv, lifecycle, rfm, tiers
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning
from tests.conftest import MakeFrame, rows

AS_OF = date(1998, 6, 30)
PROSPECTS = ["newsletter-7", "00004"]
OF_A_PROSPECT = {
    "stage": "prospect",
    "stage_reason": "has not bought yet",
    "risk_reason": "unknown: has not bought yet",
    "action": "invite to a first order",
    "action_reason": "known by name, has never bought",
}


def ledger() -> pl.DataFrame:
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars").drop("quantity")
    few = log["customer_id"].unique().sort().head(400)
    return log.filter(pl.col("customer_id").is_in(few.to_list()))


def chain(customers: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        breakpoints = rfm.breakpoints(customers)
    purchases = clv.fit(customers, model="bg_nbd")
    spend = clv.fit(customers, model="gamma_gamma")
    customers = rfm.segment(rfm.score(customers, breakpoints=breakpoints))
    customers = clv.predict(customers, purchases=purchases, spend=spend, horizon_days=365)
    rule = tiers.rule(customers, method="customer_share", cuts=(0.05, 0.20))
    customers = tiers.abc(tiers.assign(customers, rule=rule))
    customers = lifecycle.assign(customers, rules=lifecycle.rules(customers))
    return actions.recommend(churn.risk(customers, purchases=purchases, horizon_days=365))


@pytest.mark.slow
def test_prospects_change_nothing_for_customers_and_are_null(make_frame: MakeFrame) -> None:
    orders = make_frame(ledger().to_dict(as_series=False))
    people = make_frame({"customer_id": PROSPECTS})
    alone = rows(chain(lifecycle.rhythm(orders, as_of=AS_OF)), by="customer_id")
    both = rows(chain(lifecycle.rhythm(orders, as_of=AS_OF, prospects=people)), by="customer_id")
    (prospect,) = [row for row in both if row["customer_id"] == "newsletter-7"]
    assert {name: value for name, value in prospect.items() if value is not None} == {
        "customer_id": "newsletter-7"
    } | OF_A_PROSPECT
    customers = [row for row in both if row["customer_id"] != "newsletter-7"]
    assert len(customers) == len(alone) == 400
    for one, other in zip(customers, alone, strict=True):
        assert one == pytest.approx(other, rel=1e-9, nan_ok=True)


def test_the_rhythm_is_the_summary_with_more_columns(make_frame: MakeFrame) -> None:
    orders = make_frame(ledger().to_dict(as_series=False))
    summary = rfm.summarize(orders, as_of=AS_OF)
    names = nw.from_native(summary).collect_schema().names()
    rhythm = rows(lifecycle.rhythm(orders, as_of=AS_OF), by="customer_id")
    assert [{name: row[name] for name in names} for row in rhythm] == [
        pytest.approx(row) for row in rows(summary, by="customer_id")
    ]


@pytest.mark.parametrize(
    "forecast",
    [
        lambda table, fit: clv.expected_purchases(table, purchases=fit, horizon_days=90),
        lambda table, fit: clv.probability_alive(table, purchases=fit, days=30),
        lambda table, fit: clv.discounted_purchases(table, purchases=fit, annual_discount_rate=0.1),
        lambda table, fit: clv.no_purchase(table, purchases=fit, horizon_days=90),
        lambda table, fit: clv.purchase_distribution(table, purchases=fit, horizon_days=90, most=3),
        lambda table, fit: clv.predict(table, purchases=fit, horizon_days=90, level=0.9),
    ],
    ids=["expected", "alive", "discounted", "no purchase", "distribution", "bounds"],
)
def test_every_forecast_leaves_a_prospect_unknown(make_frame: MakeFrame, forecast: Any) -> None:
    orders = make_frame(ledger().to_dict(as_series=False))
    people = make_frame({"customer_id": PROSPECTS})
    table = lifecycle.rhythm(orders, as_of=AS_OF, prospects=people)
    found = rows(forecast(table, clv.fit(table, model="bg_nbd")), by="customer_id")
    (prospect,) = [row for row in found if row["customer_id"] == "newsletter-7"]
    assert {name for name, value in prospect.items() if value is not None} == {"customer_id"}
    assert all(value is not None for value in list(found[0].values())[-1:])


def test_a_total_and_a_comparison_leave_prospects_out() -> None:
    orders = ledger()
    people = pl.DataFrame({"customer_id": ["zoe"]})
    alone = lifecycle.rhythm(orders, as_of=AS_OF)
    both = lifecycle.rhythm(orders, as_of=AS_OF, prospects=people)
    purchases, spend = (clv.fit(alone, model=name) for name in ("bg_nbd", "gamma_gamma"))
    for fit in (purchases, spend):
        twin = clv.fit(both, model=fit.name)
        assert twin.n_customers == fit.n_customers
        assert twin.estimates == pytest.approx(fit.estimates, rel=1e-6)
    due: list[Any] = []
    for table in (alone, both):
        total = clv.predict_total(table, purchases=purchases, spend=spend, horizon_days=90)
        models = clv.compare(table, models=["bg_nbd", "nbd"]).drop("seconds")
        found = [rows(total), rows(models), rows(clv.spend_dependence(table))]
        due = due or [[pytest.approx(row, nan_ok=True) for row in each] for each in found]
        assert found == due
