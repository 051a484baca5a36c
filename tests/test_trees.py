"""Boosted trees as a forecast for each customer, and the ranking with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from crmkit import clv, rfm
from crmkit._clv.trees import fit_trees as training
from crmkit._clv.trees.boosted import Boosted, Tree, predicted
from crmkit.clv import Trees
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError, InvalidArgumentError

AS_OF = date(1997, 9, 30)
DAYS = 60
FEATURES = ["frequency", "recency", "days_since_last", "monetary_value", "total_amount"]
STUMP = Tree(
    feature=(0, 0, 0),
    threshold=(2.5, 0.0, 0.0),
    missing_go_left=(True, False, False),
    left=(1, 0, 0),
    right=(2, 0, 0),
    is_leaf=(False, True, True),
    value=(0.0, math.log(2), math.log(3)),
)
"""Doubles up to 2.5 and the unknown, triples above."""


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    """The sample of the founding paper."""
    orders: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return orders


@pytest.fixture(scope="module")
def customers(cdnow: pl.DataFrame) -> pl.DataFrame:
    return rfm.summarize(cdnow, as_of=AS_OF)


@pytest.fixture(scope="module")
def trees(cdnow: pl.DataFrame) -> Trees:
    return clv.fit_trees(cdnow, as_of=AS_OF, horizon_days=DAYS)


@pytest.fixture(scope="module")
def fits(customers: pl.DataFrame) -> dict[str, Any]:
    return {
        "purchases": clv.fit(customers, model="pareto_nbd"),
        "spend": clv.fit(customers, model="gamma_gamma"),
    }


def replacements(n: int = 1500) -> pl.DataFrame:
    """Simulate buyers who replace what they have after about 14 months, if they do at all."""
    rng = np.random.default_rng(0)
    start, rows = date(2020, 1, 1), []
    for i in range(n):
        day, amount = float(rng.integers(0, 365)), rng.lognormal(5, 0.5)
        while day < 4 * 365:
            rows.append((f"c{i}", start + timedelta(days=int(day)), float(amount)))
            if rng.random() < 0.15:
                break
            day += rng.normal(438, 40)
    return pl.DataFrame(rows, schema=["customer_id", "date", "amount"], orient="row")


def top_tenth(score: npt.NDArray[Any], money: npt.NDArray[Any]) -> float:
    best = np.argsort(-score, kind="stable")[: len(score) // 10]
    return float(money[best].sum() / money.sum())


# Twin


def test_a_stump_by_hand() -> None:
    codes = np.array([[0], [1], [-1]])  # below 2.5, above it, unknown
    (found,) = predicted([Boosted(5.0, (STUMP, STUMP))], codes, [(2.5,)])
    assert found == pytest.approx([20.0, 45.0, 20.0])


def test_forecasts_are_those_of_scikit_learn(cdnow: pl.DataFrame, trees: Trees) -> None:
    split = AS_OF - timedelta(days=DAYS)
    # Rounded as the training does; the order of rows changes sums in their last digits only. For
    # values that it has not seen, limits half-way between two seen may differ from theirs.
    early = rfm.holdout(cdnow, split=split, as_of=AS_OF)
    x = early.select(FEATURES).to_numpy().astype(np.float32)
    found = clv.predict_trees(early, trees=trees)
    for column, outcome in (("purchases", "frequency_holdout"), ("amount", "amount_holdout")):
        y = np.maximum(early[outcome].to_numpy().astype(np.float32), 0)
        model = HistGradientBoostingRegressor(**training._HOW).fit(x, y / y.mean())  # noqa: SLF001
        due = model.predict(x) * y.mean()
        assert found[f"trees_{column}"].to_numpy() == pytest.approx(due, rel=1e-6)


def test_the_forecast_is_scaled_to_the_horizon(cdnow: pl.DataFrame) -> None:
    # 272 days of history: at most a third, 90 days, can be trained on.
    short = clv.fit_trees(cdnow, as_of=AS_OF, horizon_days=90)
    twice = clv.fit_trees(cdnow, as_of=AS_OF, horizon_days=180)
    assert short.split == twice.split == AS_OF - timedelta(days=90)
    assert twice.purchases.start == pytest.approx(2 * short.purchases.start)


def test_blend_by_hand(customers: pl.DataFrame, trees: Trees, fits: dict[str, Any]) -> None:
    ranked = clv.rank(customers, **fits, trees=trees, horizon_days=DAYS, share=0.25)
    of_trees = clv.predict_trees(customers, trees=trees)["trees_amount"].to_numpy()
    model = (ranked["expected_purchases"] * ranked["expected_spend"]).to_numpy()
    due = 0.75 * model + 0.25 * of_trees * model.sum() / of_trees.sum()
    assert ranked["blended_amount"].to_numpy() == pytest.approx(due)
    assert ranked["blended_amount"].sum() == pytest.approx(model.sum())


# Properties


@pytest.mark.filterwarnings("ignore::crmkit.errors.CrmkitWarning")
def test_trees_find_replacement_cycles_that_a_model_does_not() -> None:
    orders, split, days = replacements(), date(2022, 12, 31), 181
    end = split + timedelta(days=days)
    now = rfm.holdout(orders, split=split, as_of=end)
    ranked = clv.rank(
        now,
        purchases=clv.fit(now, model="pareto_nbd"),
        spend=clv.fit(now, model="gamma_gamma"),
        trees=clv.fit_trees(orders, as_of=split, horizon_days=days),
        horizon_days=days,
    )
    money = now["amount_holdout"].to_numpy()
    by_model = (ranked["expected_purchases"] * ranked["expected_spend"]).to_numpy()
    by_both = ranked["blended_amount"].to_numpy()
    assert top_tenth(by_both, money) > 1.5 * top_tenth(by_model, money)


def test_the_future_changes_nothing(cdnow: pl.DataFrame, trees: Trees) -> None:
    seen = cdnow.filter(pl.col("date") <= AS_OF)
    assert clv.fit_trees(seen, as_of=AS_OF, horizon_days=DAYS) == trees


def test_row_order_changes_nothing(cdnow: pl.DataFrame, trees: Trees) -> None:
    shuffled = cdnow.sample(fraction=1, shuffle=True, seed=3)
    assert clv.fit_trees(shuffled, as_of=AS_OF, horizon_days=DAYS) == trees


def test_training_on_a_draw_takes_about_as_many(cdnow: pl.DataFrame) -> None:
    some = clv.fit_trees(cdnow, as_of=AS_OF, horizon_days=DAYS, most=500)
    assert 400 < some.n_customers < 600


# Shape


def test_kept_trees_forecast_the_same(customers: pl.DataFrame, trees: Trees) -> None:
    again = Trees.from_json(trees.to_json())
    assert again == trees
    found = clv.predict_trees(customers, trees=again)
    assert found.equals(clv.predict_trees(customers, trees=trees))


def test_prospects_and_columns_of_ones_own_stay(
    customers: pl.DataFrame, trees: Trees, fits: dict[str, Any]
) -> None:
    prospect = pl.DataFrame({"customer_id": ["pia"]})
    both = pl.concat([customers.head(3), prospect], how="diagonal").with_columns(note=pl.lit("x"))
    ranked = clv.rank(both, **fits, trees=trees, horizon_days=DAYS)
    assert ranked["note"].to_list() == ["x"] * 4
    last = ranked.row(3, named=True)
    assert last["customer_id"] == "pia"
    assert [last[name] for name in ("blended_purchases", "blended_amount")] == [None] * 2
    assert ranked["blended_amount"].null_count() == 1


def test_without_amounts_purchases_only(cdnow: pl.DataFrame, fits: dict[str, Any]) -> None:
    visits = cdnow.drop("amount")
    trees = clv.fit_trees(visits, as_of=AS_OF, horizon_days=DAYS)
    assert trees.amount is None
    summary = rfm.summarize(visits, as_of=AS_OF)
    ranked = clv.rank(summary, purchases=fits["purchases"], trees=trees, horizon_days=DAYS)
    assert "blended_purchases" in ranked.columns
    assert "blended_amount" not in ranked.columns


def test_where_nobody_came_back_the_model_alone_counts(fits: dict[str, Any]) -> None:
    once = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "date": [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)],
            "amount": [1.0, 2.0, 3.0],
        }
    )
    trees = clv.fit_trees(once, as_of=date(2024, 12, 31), horizon_days=30)
    summary = rfm.summarize(once, as_of=date(2024, 12, 31))
    assert clv.predict_trees(summary, trees=trees)["trees_amount"].to_list() == [0.0] * 3
    ranked = clv.rank(summary, **fits, trees=trees, horizon_days=30)
    assert ranked["blended_purchases"].to_list() == ranked["expected_purchases"].to_list()


# Refusals


def _loop(fields: dict[str, Any]) -> None:
    fields["purchases"]["trees"][0]["left"][0] = 0


def _outside(fields: dict[str, Any]) -> None:
    fields["amount"]["trees"][1]["right"][0] = 99


def _feature(fields: dict[str, Any]) -> None:
    tree = fields["purchases"]["trees"][0]
    tree["feature"][tree["is_leaf"].index(False)] = 7


def _short(fields: dict[str, Any]) -> None:
    fields["purchases"]["trees"][0]["value"].pop()


def _days(fields: dict[str, Any]) -> None:
    fields["split"] = "soon"


def _backwards(fields: dict[str, Any]) -> None:
    fields["split"] = "2030-01-01"


def _start(fields: dict[str, Any]) -> None:
    fields["purchases"]["start"] = -1.0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_loop, "`purchases` cannot be used: in tree 0 node 0 of 15 leads to node 0, which is not"),
        (_outside, "`amount` cannot be used: in tree 1 node 0 of 15 leads to node 99, which is"),
        (_feature, "`purchases` cannot be used: in tree 0 node 0 asks for feature 7 of 5."),
        (_short, "`purchases` cannot be used: in tree 0 its lists are empty or differ in length."),
        (_days, "a day is not ISO text: "),
        (_backwards, "`split` (2030-01-01) must come before `as_of`."),
        (_start, "`purchases` cannot be used: `start` must be 0 or more, got -1."),
    ],
)
def test_trees_that_lead_nowhere_are_refused(
    trees: Trees, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    fields = json.loads(trees.to_json())
    change(fields)
    with pytest.raises(InvalidArgumentError) as caught:
        Trees.from_json(json.dumps(fields))
    assert complaint in str(caught.value)
    assert str(caught.value).endswith("Give the text that to_json() wrote.")


def test_another_horizon_is_refused(
    customers: pl.DataFrame, trees: Trees, fits: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.rank(customers, **fits, trees=trees, horizon_days=91)
    assert str(caught.value) == (
        "`trees` were trained for 60 days, `horizon_days` is 91.\n"
        "Call fit_trees() with the same horizon."
    )


def test_money_needs_trees_with_money(
    cdnow: pl.DataFrame, customers: pl.DataFrame, fits: dict[str, Any]
) -> None:
    trees = clv.fit_trees(cdnow.drop("amount"), as_of=AS_OF, horizon_days=DAYS)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.rank(customers, **fits, trees=trees, horizon_days=DAYS)
    assert str(caught.value) == (
        "`trees` were trained on a log without amounts, and `spend` is given.\n"
        "Leave `spend` out, or train on a log with amounts."
    )


def test_a_short_history_is_refused(cdnow: pl.DataFrame) -> None:
    with pytest.raises(FitError) as caught:
        clv.fit_trees(cdnow, as_of=date(1997, 1, 2), horizon_days=30)
    assert str(caught.value) == (
        "boosted trees: a history under 3 days is too short to train on.\nSplit later."
    )
