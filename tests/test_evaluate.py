"""Evaluation: rankings and totals on held-out days, by hand, beside twins, on odd logs."""

from __future__ import annotations

import importlib
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import pipeline, rfm
from crmkit._door import draw
from crmkit._pipeline.evaluate import measures
from crmkit._pipeline.evaluate.drawn import draw_of
from crmkit._pipeline.evaluate.origins import Span, origins_of
from crmkit._pipeline.evaluate.rankings import QUESTIONS, rankings_of
from crmkit._pipeline.evaluate.seen import seen_from
from crmkit._pipeline.evaluate.totals import Total
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from tests.conftest import MakeFrame, rows
from tests.engines import ENGINES
from tests.published import printed

METRICS: Final[Any] = importlib.import_module("sklearn.metrics")
ORIGIN: Final = date(1997, 9, 30)
LEDGER: Final[dict[str, list[Any]]] = {
    "customer_id": ["ann", "ann", "ben", "cid", "dan", "ann", "ben", "dan"],
    "date": [
        *(date(2024, 1, 1), date(2024, 3, 20), date(2024, 3, 10), date(2024, 1, 5)),
        *(date(2024, 3, 25), date(2024, 4, 20), date(2024, 5, 9), date(2024, 5, 10)),
    ],
    "amount": [10.0, 30.0, 50.0, 20.0, 20.0, 40.0, 5.0, -5.0],
}
"""Four customers by 31 March; ann buys again within 31 days, ben later, dan sends a thing back."""


def ones(n: int) -> Any:
    return np.ones(n)


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    sample: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return sample


@pytest.fixture(scope="module")
def evaluation(orders: pl.DataFrame) -> pipeline.Evaluation[pl.DataFrame]:
    return pipeline.evaluate(orders, origins=[ORIGIN], horizon_days=91)


# Published: what others measured on CDNOW, all customers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("origin", "horizon_days", "recency", "pareto"),
    [(date(1997, 12, 31), 181, "0.796", "0.800"), (date(1997, 9, 30), 91, "0.763", "0.772")],
)
def test_cdnow_is_ranked_as_was_measured_before(
    origin: date, horizon_days: int, recency: str, pareto: str
) -> None:
    # Measured by other code, when the risk became a probability of the purchase model.
    found = pipeline.evaluate(
        load_cdnow(backend="polars"), origins=[origin], horizon_days=horizon_days
    )
    auc = dict(found.rankings.drop_nulls("auc").select("method", "auc").rows())
    assert printed(auc["recency"], like=recency) == recency
    assert printed(auc["Pareto/NBD alone"], like=pareto) == pareto


# By hand


def test_ties_count_by_half_in_the_auc() -> None:
    # Of four pairs three are in order, and in one the scores are equal.
    score, outcome = np.array([3.0, 2.0, 2.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])
    assert measures.auc(measures.ranked(score), outcome, ones(4)) == 0.875


def test_unknown_scores_are_last() -> None:
    score, outcome = np.array([np.nan, 2.0, -np.inf, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert measures.auc(measures.ranked(score), outcome, ones(4)) == 1.0


def test_scores_that_differ_by_rounding_are_equal() -> None:
    ranked = measures.ranked(np.array([0.1 + 0.2, 0.3, 1e-300, 0.0, -3e12, -3e12 - 1e-3]))
    assert ranked.place.tolist() == [0, 0, 1, 2, 3, 3]


def test_customers_who_share_the_last_place_of_the_tenth_count_in_part() -> None:
    # 20 customers, so two are first: the best with 10, and one of three who have 9 together.
    score = np.array([5.0, 4.0, 4.0, 4.0] + [0.0] * 16)
    money = np.array([10.0, 6.0, 0.0, 3.0] + [1 / 16] * 16)
    found = measures.captured(measures.ranked(score), money, ones(20))
    assert found == pytest.approx((10 + 3) / 20)


def test_money_of_nobody_has_no_share() -> None:
    assert np.isnan(measures.captured(measures.ranked(ones(3)), np.zeros(3), ones(3)))


def test_risk_error_is_the_mean_distance_over_tenths() -> None:
    # Pairs of customers by rising risk; in the last pair, said .9, one buys: .5 happened.
    risk = np.repeat(np.arange(10) / 10, 2)
    outcome = np.where(risk >= 0.5, 1.0, 0.0)
    outcome[-1] = 0.0
    off = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.4]
    assert measures.risk_error(risk, outcome) == pytest.approx(np.mean(off))
    assert measures.brier(np.array([0.2, 0.9]), np.array([0.0, 1.0])) == pytest.approx(0.025)


def test_a_small_log_is_evaluated_as_by_hand(make_frame: MakeFrame) -> None:
    found = pipeline.evaluate(make_frame(LEDGER), origins=[date(2024, 3, 31)], horizon_days=31)
    of = {(row["question"], row["method"]): row for row in rows(found.rankings)}
    # Ann alone buys again. Days since the last purchase: ann 11, ben 21, cid 86, dan 6: of the
    # three pairs of an inactive customer and ann, two are in order.
    assert of["who buys nothing", "recency"]["auc"] == pytest.approx(2 / 3)
    assert of["who buys nothing", "recency"]["n_customers"] == 4
    # Ann has bought twice, the others once.
    assert of["who buys nothing", "frequency"]["auc"] == 1.0
    # Past money of the last 31 days: ann 30, ben 50, dan 20; ben and dan are lost, and ben is
    # the one of three who is called first.
    assert of["money lost", "past money"]["n_customers"] == 3
    assert of["money lost", "past money"]["captured_share"] == pytest.approx(50 / 70)
    assert of["money lost", "frequency"]["captured_share"] == 0.0
    assert of["money to come", "past money"]["captured_share"] == 0.0  # ben is first, ann buys
    assert of["money to come", "frequency"]["captured_share"] == 1.0
    assert not any(row["is_default"] for row in of.values())
    # In the horizon before, that of those known by 29 February: ann bought once, for 30.
    totals = {row["quantity"]: row for row in rows(found.totals)}
    assert (totals["purchases"]["actual"], totals["purchases"]["predicted"]) == (1.0, 1.0)
    assert (totals["money"]["actual"], totals["money"]["predicted"]) == (40.0, 30.0)
    assert totals["money"]["error"] == pytest.approx(-0.25)
    assert totals["money"]["held"] is None
    (why,) = found.left_out
    assert why.startswith(
        "As of 2024-03-31, churn risk, value at risk and forecast of the totals: "
    )
    assert "a model needs at least 20 customers, and this table has 4." in why


def test_error_and_bounds_of_a_total() -> None:
    total = Total("money", "model alone", actual=80.0, predicted=100.0, lower=70.0, upper=79.0)
    assert (total.error, total.held) == (0.25, 0.0)
    assert Total("money", "model alone", 80.0, 100.0, 80.0, 120.0).held == 1.0
    assert np.isnan(Total("money", "same as the last horizon", 0.0, 100.0).error)


@pytest.mark.parametrize(
    ("n", "days"),
    [(1, ["12-01"]), (2, ["07-02", "12-01"]), (4, ["07-02", "08-22", "10-11", "12-01"])],
)
def test_origins_lie_evenly_from_the_middle_on(n: int, days: list[str]) -> None:
    # The year has 365 days between its first and its last; the middle is 183 days after the first.
    span = Span(date(2024, 1, 1), date(2024, 12, 31))
    found = origins_of(n, span, horizon_days=30)
    assert found == [date.fromisoformat(f"2024-{day}") for day in days]


def test_a_short_log_has_fewer_origins() -> None:
    span = Span(date(2024, 1, 1), date(2024, 1, 11))
    days = [date(2024, 1, 6), date(2024, 1, 7)]
    assert origins_of(4, span, horizon_days=4) == days


# Twin


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({outcome for _, outcome in pairs}) == 2
    )
)
def test_auc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    score, outcome = (np.array(each, dtype=float) for each in zip(*pairs, strict=True))
    found = measures.auc(measures.ranked(score), outcome, ones(len(score)))
    assert found == pytest.approx(METRICS.roc_auc_score(outcome, score))


def test_the_default_is_what_the_main_job_says(
    orders: pl.DataFrame, evaluation: pipeline.Evaluation[pl.DataFrame]
) -> None:
    job = pipeline.run(orders, as_of=ORIGIN, horizon_days=91)
    ends = ORIGIN + timedelta(days=91)
    held_out = rfm.holdout(orders, split=ORIGIN, as_of=ends).sort("customer_id")
    risk = job.customers.sort("customer_id")["churn_risk"].to_numpy()
    inactive = (held_out["frequency_holdout"] == 0).to_numpy()
    row = evaluation.rankings.row(0, named=True)
    assert (row["method"], row["is_default"], row["n_customers"]) == ("churn risk", True, 2357)
    assert row["auc"] == pytest.approx(METRICS.roc_auc_score(inactive, risk))
    assert row["brier"] == pytest.approx(METRICS.brier_score_loss(inactive, risk))
    totals = evaluation.totals.filter(pl.col("is_default"))  # type: ignore[union-attr]
    actual = dict(totals.select("quantity", "actual").rows())
    assert actual["purchases"] == held_out["frequency_holdout"].sum()
    assert actual["money"] == pytest.approx(held_out["amount_holdout"].sum())


def test_the_interval_of_a_lead_is_that_of_a_plain_jackknife(
    orders: pl.DataFrame, evaluation: pipeline.Evaluation[pl.DataFrame]
) -> None:
    ends = ORIGIN + timedelta(days=91)
    held_out = rfm.holdout(orders, split=ORIGIN, as_of=ends)
    inactive = (held_out["frequency_holdout"] == 0).to_numpy()
    fold = draw.hash_of(held_out["customer_id"].to_list()) % 20

    def lead(of: Any) -> float:
        ours = METRICS.roc_auc_score(inactive[of], -held_out["frequency"].to_numpy()[of])
        theirs = METRICS.roc_auc_score(inactive[of], held_out["days_since_last"].to_numpy()[of])
        return float(ours - theirs)

    left = np.array([lead(fold != group) for group in range(20)])
    error = np.sqrt(19 / 20 * ((left - left.mean()) ** 2).sum())
    is_it = (pl.col("method") == "frequency") & (pl.col("measure") == "auc")
    assert evaluation.summary is not None
    row = evaluation.summary.row(by_predicate=is_it, named=True)
    assert row["lead"] == pytest.approx(lead(fold >= 0))
    assert row["upper"] - row["lead"] == pytest.approx(1.729133 * error, rel=1e-5)  # t with 19
    assert row["lead"] - row["lower"] == pytest.approx(1.729133 * error, rel=1e-5)


# Properties


def test_what_comes_after_an_origin_changes_no_ranking(orders: pl.DataFrame) -> None:
    few = orders.filter(pl.col("customer_id") < "03000")
    later = pl.col("date") > ORIGIN
    other = few.with_columns(
        amount=pl.when(later).then(pl.col("amount") * -3).otherwise(pl.col("amount")),
        customer_id=pl.when(later).then(pl.lit("new")).otherwise(pl.col("customer_id")),
    )
    seen, changed = (
        seen_from(draw_of(each, as_of=date(1998, 6, 30)).days, origin=ORIGIN, horizon_days=91)
        for each in (few, other)
    )
    for question in QUESTIONS:
        for one, two in zip(
            rankings_of(question, seen), rankings_of(question, changed), strict=True
        ):
            assert one.method == two.method
            np.testing.assert_allclose(one.score, two.score, rtol=1e-9)
    assert changed.purchases == 0  # so the outcomes did change


def test_what_comes_after_the_last_horizon_changes_nothing(orders: pl.DataFrame) -> None:
    few = orders.filter(pl.col("customer_id") < "03000")
    ends = ORIGIN + timedelta(days=91)
    shorter = few.filter(pl.col("date") <= ends).sample(fraction=1.0, shuffle=True, seed=1)
    one, two = (
        pipeline.evaluate(each, origins=[ORIGIN], horizon_days=91, as_of=as_of)
        for each, as_of in ((few, date(1998, 6, 30)), (shorter, ends))
    )
    for name, table in one.frames().items():
        assert_frame_equal(table, two.frames()[name])


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_a_draw_has_the_same_customers_on_every_engine(orders: pl.DataFrame, engine: str) -> None:
    due = draw_of(orders, as_of=ORIGIN, most=500)
    found = draw_of(ENGINES[engine].make(orders.to_arrow()), as_of=ORIGIN, most=500)
    assert found.n_customers == 2357
    assert 400 < found.n_drawn < 600
    assert set(found.days["customer_id"]) == set(due.days["customer_id"])  # type: ignore[index]
    assert found.n_drawn == due.n_drawn


# Odd logs


def test_where_all_buy_again_the_auc_is_unknown_and_said() -> None:
    days = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]
    orders = pl.DataFrame(
        {"customer_id": ["a", "b"] * 3, "date": sorted(days * 2), "amount": [5.0] * 6}
    )
    found = pipeline.evaluate(orders, origins=[date(2024, 2, 1)], horizon_days=29)
    assert found.rankings.filter(pl.col("question") == "who buys nothing")["auc"].null_count() == 4
    why = "all 2 customers bought again within 29 days."
    assert f"As of 2024-02-01, AUC of who buys nothing: {why}" in found.left_out


def test_without_amounts_rankings_and_totals_of_money_are_left_out() -> None:
    orders = pl.DataFrame(LEDGER).drop("amount")
    found = pipeline.evaluate(orders, origins=[date(2024, 3, 31)], horizon_days=31)
    assert set(found.rankings["question"]) == {"who buys nothing"}
    assert set(found.totals["quantity"]) == {"purchases"}  # type: ignore[index]
    assert "Rankings and totals by money: the log has no amounts." in found.left_out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"horizon_days": 400},
            (
                "A horizon of 400 days leaves no day to forecast from: the log goes from "
                "2024-01-01 to 2024-05-10, which is 130 days.\n"
                "Give a shorter `horizon_days`, a quarter of the log or less, or a longer log."
            ),
        ),
        (
            {"origins": ["2024-05-01", "2023-12-31", "2024-03-01"]},
            (
                "`origins`: 2 of 3 days (2023-12-31, 2024-05-01) are outside 2024-01-01 to "
                "2024-04-09: a day to forecast from needs a log that begins by then and goes on "
                "for 31 days.\n"
                "Give earlier days, or a shorter `horizon_days`."
            ),
        ),
        (
            {"origins": []},
            "`origins` is empty.\nWrite 4, or [date(1997, 9, 30), date(1997, 12, 31)].",
        ),
        (
            {"origins": "2024-03-01"},
            (
                "`origins` must be a list, got '2024-03-01'.\n"
                "Write 4, or [date(1997, 9, 30), date(1997, 12, 31)]."
            ),
        ),
        (
            {"origins": 0},
            "`origins` must be a whole number of 1 or more, got 0.\nWrite 4.",
        ),
        (
            {"horizon_days": 30.5},
            (
                "`horizon_days` must be a whole number of 1 or more, got 30.5.\n"
                "Write 91 for a quarter."
            ),
        ),
        (
            {"as_of": date(2023, 1, 1)},
            "transactions: no row by 2023-01-01.\nGive a log with purchases, or a later `as_of`.",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pipeline.evaluate(pl.DataFrame(LEDGER), **{"horizon_days": 31, **arguments})
    assert str(caught.value) == message


def test_one_day_of_purchases_is_refused() -> None:
    orders = pl.DataFrame(LEDGER).with_columns(date=pl.lit(date(2024, 1, 1)))
    with pytest.raises(
        InvalidArgumentError, match="from 2024-01-01 to 2024-01-01, which is 0 days"
    ):
        pipeline.evaluate(orders, horizon_days=1)
