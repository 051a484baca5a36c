"""Evaluation of churn scores: published figures, ties, money, and reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats
from sklearn import metrics

from crmkit import churn
from crmkit._churn.evaluation import calibration, money, ranking
from crmkit.errors import InvalidArgumentError, InvalidRowsError

Y = np.array([0, 1] * 4, dtype=float)
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9])
CLV = np.array([100.0, 200.0, 150.0, 300.0, 120.0, 250.0, 180.0, 220.0])
OFFER = churn.RetentionCampaign(value=200, contact_cost=1, offer_cost=10)


def scored(y: Any = Y, p: Any = SCORE, **more: Any) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": range(len(y)), "p_churn": p, "left": y, **more})


def estimates(table: Any, **options: Any) -> dict[str, float]:
    found = churn.evaluate(table, outcome="left", **{"draws": 0} | options)
    return dict(zip(found["metric"], found["estimate"], strict=True))


# Published


def test_mpc_and_empc_are_those_of_empulse() -> None:
    # empulse docstrings (MIT), equal to EMP-PY 2.0.4.
    found = estimates(scored(), campaign=OFFER)
    assert found["mpc"] == pytest.approx(23.875, abs=1e-9)
    assert found["mpc_share"] == 0.875
    assert found["empc"] == pytest.approx(23.875593418348124, abs=1e-9)
    assert found["empc_share"] == pytest.approx(0.8743700763487141, abs=1e-9)
    assert found["empc_threshold"] == 0.2


def test_empc_with_a_costly_offer_is_that_of_empulse() -> None:
    # Computed with empulse 0.13.1, checked by numerical integration.
    costly = churn.RetentionCampaign(value=200, contact_cost=1, offer_cost=100)
    assert estimates(scored(), campaign=costly)["empc"] == pytest.approx(
        3.6250000004394023, abs=1e-8
    )


def test_empb_and_auepc_are_those_of_empulse() -> None:
    # empulse 0.13.1 docstrings (MIT); Janssens et al. (2022), Rahman et al. (2025).
    own = churn.RetentionCampaign(value="clv", contact_cost=15, offer_share=0.05)
    found = estimates(scored(clv=CLV), campaign=own)
    assert found["empb"] == pytest.approx(18.61875, abs=1e-9)
    assert found["empb_share"] == 0.875
    assert found["empb_threshold"] == 0.2
    assert found["auepc"] == pytest.approx(0.5711851766660253, abs=1e-9)


def test_mpa_and_empa_are_those_of_empulse() -> None:
    # empulse docstrings (MIT): direct and indirect channel.
    direct = churn.AcquisitionCampaign(contribution=8000, contact_cost=50, sales_cost=500)
    found = estimates(scored(), campaign=direct)
    assert found["mpa"] == pytest.approx(3706.25, abs=1e-9)
    assert found["mpa_share"] == 0.875
    assert found["empa"] == pytest.approx(3706.2500000052773, abs=1e-8)
    assert found["empa_share"] == pytest.approx(0.8749999997947746, abs=1e-9)
    indirect = churn.AcquisitionCampaign(8000, 50, 500, direct_share=0)
    assert estimates(scored(), campaign=indirect)["empa"] == pytest.approx(3556.25, abs=1e-8)


def test_lift_is_that_of_empulse() -> None:
    # empulse tests/metrics/test_lift.py: perfect and reversed.
    y = np.array([0, 1] * 10, dtype=float)
    assert ranking.lift_of(ranking.ranked(y, y), 0.1) == pytest.approx(2.0, abs=1e-12)
    assert ranking.lift_of(ranking.ranked(y, -y), 0.1) == pytest.approx(0.0, abs=1e-12)


def test_tied_scores_count_in_proportion() -> None:
    # By hand: of four tied customers with one who left, one is taken: 1 + 1/4 of 2.
    y = np.array([1, 0, 1, 0, 0, 0, 1, 0, 0, 0], dtype=float)
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = ranking.ranked(y, p)
    assert ranking.left_within(found, np.array([0.2])).tolist() == [1.25]
    assert ranking.lift_of(found, 0.2) == pytest.approx(2.0833333333333335, abs=1e-12)


def test_neslin_profit_of_a_campaign() -> None:
    # Neslin et al. (2006) as printed in johaupt.github.io, 2020-03-16: 100,000 customers, a tenth
    # contacted of whom a fifth would leave, fixed cost 5,000: 19,000.
    y = np.repeat([1.0, 0.0], [200, 800])
    gain = money.gains_of_contact(y, np.full(1000, 200.0), OFFER)
    assert gain.sum() * 10 - 5000 == pytest.approx(19_000, abs=1e-6)


def test_break_even_probability() -> None:
    # Neslin/Verbraken cost matrix: (d + c) / (g CLV + d (1 - g)) = 11 / 67.
    assert OFFER.breakeven_probability == pytest.approx(0.1641791, abs=1e-6)


def test_expected_cost_of_contacts_with_the_stated_probability() -> None:
    # empulse 0.13.1 docstring: mean of p times the cost of a contact, acceptance rate 0.3.
    offer = churn.RetentionCampaign(value=200, contact_cost=1, offer_share=0.05)
    gain = money.gains_of_contact(Y, np.full(8, 200.0), offer)
    assert float(np.mean(-SCORE * gain)) == pytest.approx(-13.0625, abs=1e-12)


def test_ranking_and_probabilities_as_scikit_learn_prints_them() -> None:
    # scikit-learn docstring examples (BSD-3).
    y, p = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    found = estimates(scored(y, p))
    assert found["roc_auc"] == pytest.approx(0.75, abs=1e-6)
    assert found["average_precision"] == pytest.approx(0.8333333, abs=1e-6)
    y, p = np.array([0.0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.3])
    assert estimates(scored(y, p))["brier"] == pytest.approx(0.0375, abs=1e-6)
    y, p = np.array([1.0, 0, 0, 1]), np.array([0.9, 0.1, 0.2, 0.65])
    assert estimates(scored(y, p))["log_loss"] == pytest.approx(0.2161619, abs=1e-6)


def test_calibration_slope_and_both_intercepts() -> None:
    # statsmodels 0.15.0, logit with and without an offset (Cox 1958).
    p = np.repeat([0.1, 0.3, 0.6], 10)
    y = np.concatenate([np.arange(10) < events for events in (1, 2, 8)]).astype(float)
    found = estimates(scored(y, p))
    assert found["calibration_slope"] == pytest.approx(1.5380747968352437, abs=1e-9)
    assert found["calibration_intercept_joint"] == pytest.approx(0.4616986620597065, abs=1e-9)
    in_the_large = found["calibration_intercept_in_the_large"]
    assert in_the_large == pytest.approx(0.1820941036812114, abs=1e-9)
    assert found["observed_to_expected"] == pytest.approx(1.1, abs=1e-9)


# Twin


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn_with_ties_and_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random(300) < 0.3).astype(float)
    p: Any = np.round(np.clip(0.3 * y + 0.7 * rng.random(300), 0.01, 0.99), 1)
    weight = rng.integers(0, 4, 300).astype(float)
    found = ranking.ranked(y, p, weight)
    kept = weight > 0
    auc = metrics.roc_auc_score(y[kept], p[kept], sample_weight=weight[kept])
    assert ranking.auc_of(found) == pytest.approx(auc, abs=1e-12)
    precision = metrics.average_precision_score(y[kept], p[kept], sample_weight=weight[kept])
    assert ranking.average_precision_of(found) == pytest.approx(precision, abs=1e-12)
    loss = metrics.log_loss(y[kept], p[kept], sample_weight=weight[kept])
    assert calibration.log_loss(y, p, weight) == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_empc_agrees_with_numerical_integration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random(60) < 0.4).astype(float)
    p = np.round(0.5 * y + rng.random(60), 1) / 1.6
    offer = churn.RetentionCampaign(
        value=float(rng.uniform(20, 300)), contact_cost=2, offer_cost=float(rng.uniform(0, 40))
    )
    lines = money.lines(ranking.ranked(y, p), offer)
    grid = np.linspace(0, 1, 40_001)
    best = np.max(lines.base[:, None] + lines.slope[:, None] * grid, axis=0)
    expected = integrate.simpson(best * stats.beta(6, 14).pdf(grid), x=grid)
    assert money.expected_maximum(lines, offer).profit == pytest.approx(expected, abs=1e-6)


# Properties


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    table = scored((rng.random(200) < 0.4).astype(int), np.round(rng.random(200), 1))
    other = table.sample(fraction=1.0, shuffle=True, seed=1)
    one = churn.evaluate(table, outcome="left", campaign=OFFER, draws=20)
    two = churn.evaluate(other, outcome="left", campaign=OFFER, draws=20)
    assert one["estimate"].to_list() == pytest.approx(two["estimate"].to_list(), nan_ok=True)
    constant = scored(table["left"], 0.5)
    assert estimates(constant)["lift_top_10_percent"] == pytest.approx(1.0)
    assert estimates(constant)["roc_auc"] == 0.5


def test_intervals_cover_about_as_often_as_they_say() -> None:
    n_covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 3, 400)
        table = scored(rng.random(400) < p, p)
        found = churn.evaluate(table, outcome="left", draws=60, level=0.9)
        row = found.filter(pl.col("metric") == "calibration_slope").row(0, named=True)
        n_covered += row["lower"] <= 1 <= row["upper"]
    assert 31 <= n_covered <= 40


def test_segments_are_evaluated_alone_and_one_outcome_gives_null() -> None:
    table = scored(clv=CLV, branch=["a", "b"] * 3 + ["a", "a"])
    found = churn.evaluate(table, outcome="left", by="branch", draws=0)
    of_b = found.filter(pl.col("branch") == "b")
    auc = of_b.filter(pl.col("metric") == "roc_auc")["estimate"].to_list()
    assert auc == [None]  # all of b left
    assert of_b["n_churned"].unique().to_list() == [3]
    rate = of_b.filter(pl.col("metric") == "churn_rate")["estimate"].to_list()
    assert rate == [1.0]


def test_gains_end_at_all_and_never_fall() -> None:
    table = churn.gains(scored(), outcome="left", points=8)
    assert table["captured"].to_list() == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert table["lift"][-1] == 1.0


def test_the_profit_curve_has_its_best_share_marked() -> None:
    table = churn.profit_curve(scored(), outcome="left", campaign=OFFER, points=3)
    best = table.filter("is_best").row(0, named=True)
    assert best["share"] == 0.875
    assert best["profit"] == pytest.approx(8 * 23.875)
    assert best["threshold"] == 0.2
    assert table["threshold"][0] is None
    assert table["profit"][0] == 0.0


# Reasons


def test_reasons_name_the_features_that_raise_the_risk() -> None:
    rng = np.random.default_rng(4)
    n = 3000
    table = pl.DataFrame(
        {
            "customer_id": range(n),
            "days_since_last": rng.integers(0, 200, n),
            "n_orders_90d": rng.poisson(2, n),
            "contract": rng.choice(["monthly", "yearly"], n),
        }
    )
    odds = (table["days_since_last"].to_numpy() - 100) / 30
    odds = odds + np.where(table["contract"].to_numpy() == "monthly", 1.5, -1.5)
    table = table.with_columns(churned=rng.random(n) < 1 / (1 + np.exp(-odds)))
    model = churn.fit(table)
    new = pl.DataFrame(
        {
            "customer_id": ["ann", "ben", "cid"],
            "days_since_last": [190, 5, 5],
            "n_orders_90d": [0, 2, 2],
            "contract": ["yearly", "monthly", "yearly"],
        }
    )
    found = churn.reasons(new, model=model, most=2)
    assert found["reason_1_feature"].to_list()[:2] == ["days_since_last", "contract"]
    assert str(found["reason_1"][0]).startswith("last bought 190 days ago (typical: ")
    assert found["reason_1"][1] == "contract: monthly"
    assert (found["reason_1_effect"][0] or 0) > 1
    drivers = churn.drivers(table, model=model)
    assert drivers["feature"].to_list()[:2] == ["days_since_last", "contract"]
    by = dict(zip(drivers["feature"], drivers["importance"], strict=True))
    assert by["n_orders_90d"] < 0.01 < by["contract"] < by["days_since_last"]
    assert drivers["in_training"].all()
    parts, base = model.blend.contributions(matrix := model.features.matrix(_arrays(new)))
    assert parts.sum(axis=1) + base == pytest.approx(model.blend.log_odds(matrix), abs=1e-9)


def _arrays(table: pl.DataFrame) -> dict[str, Any]:
    return {name: np.array(table[name].to_list()) for name in table.columns}


def test_stated_reasons_stand_beside_those_of_the_model() -> None:
    answers = pl.DataFrame(
        {"customer_id": ["a", "b", "c", "c"], "why": ["price", "price", "moved", None]}
    )
    modelled = pl.DataFrame(
        {"customer_id": ["a", "b", "c"], "reason_1_feature": ["contract", "contract", None]}
    )
    table = churn.stated_reasons(answers, reason="why", modelled=modelled)
    assert table["reason"].to_list() == ["price", "moved", "not given"]
    assert table["n_customers"].to_list() == [2, 1, 1]
    assert table["share"].to_list() == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert table["modelled"].to_list() == ["contract", None, None]


# Refusals


def test_probabilities_outside_0_to_1_are_refused() -> None:
    with pytest.raises(InvalidRowsError, match="`p_churn` is above 1 in 1 of 8 rows"):
        churn.evaluate(scored(p=SCORE + 0.15), outcome="left")
    with pytest.raises(InvalidRowsError, match="`p_churn` is above 1"):
        churn.evaluate(scored(p=SCORE + 0.15).lazy(), outcome="left")


def test_one_outcome_only_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.evaluate(scored(y=np.zeros(8)), outcome="left")
    assert str(caught.value) == (
        "scored customers: `left` is 0 in all 8 rows, so a ranking cannot be judged.\n"
        "Give customers of whom some left and some stayed."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"contact_cost": -1},
            "`contact_cost` must be 0 or more, got -1.\nGive an amount of money.",
        ),
        ({"offer_share": 5}, "`offer_share` must be from 0 to 1, got 5.\nWrite 0.05 for 5 %."),
        ({"acceptance": 0.3}, "`acceptance` must be two numbers, got 0.3.\nWrite (6, 14)."),
    ],
)
def test_costs_that_are_none_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.RetentionCampaign(**{"value": 100, "contact_cost": 1} | fields)
    assert str(caught.value) == message
