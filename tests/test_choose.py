"""The choice of a purchase model by held-out days, and the fit that follows it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmkit import clv, rfm
from crmkit.clv import Choice
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from crmkit.models import MBGNBD, ParetoNBD

AS_OF = date(1998, 6, 30)
START = date(2022, 1, 1)


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """The sample of the founding paper, to the end of the data."""
    return load_cdnow(sample=True, backend="pandas")


def ledger(truth: Any, n_customers: int, *, days: int, seed: int) -> pl.DataFrame:
    """Purchases of simulated customers, who came in the first tenth of the days."""
    rng = np.random.default_rng(seed)
    came = rng.integers(0, days // 10, n_customers)
    customer, age = truth.simulate((days - came).astype(float), rng=rng)
    who = np.concatenate([np.arange(n_customers), customer])
    day = np.concatenate([came, came[customer] + np.ceil(age).astype(int)])
    return pl.DataFrame(
        {"customer_id": who, "date": [START + timedelta(days=int(each)) for each in day]}
    )


# Twin


def test_scores_are_those_of_the_backtest(cdnow: pd.DataFrame) -> None:
    split = date(1997, 9, 30)
    chosen = clv.choose(cdnow, as_of=AS_OF, models=("pareto_nbd", "bg_nbd", "mbg_nbd"), split=split)
    tested = clv.backtest(
        cdnow, splits=[split], as_of=AS_OF, models=("pareto_nbd", "bg_nbd", "mbg_nbd")
    )
    expected = dict(zip(tested["method"], tested["log_score"], strict=True))
    assert len(chosen.log_scores) == 3
    for name, score in chosen.log_scores:
        assert score == pytest.approx(expected[name], rel=1e-6)
    assert chosen.n_customers == 2357
    assert chosen.n_purchases == tested["actual_purchases"][0]
    (best, _), *others = chosen.log_scores
    assert chosen.best == best
    scores = [score for _, score in others]
    assert scores == sorted(scores, reverse=True)


# Properties


def test_the_model_that_made_the_purchases_is_chosen_where_it_matters() -> None:
    leaves_any_time = ParetoNBD(r=1.5, alpha=40.0, s=3.0, beta=600.0)
    today = START + timedelta(days=600)
    models = ("pareto_nbd", "mbg_nbd")
    orders = ledger(leaves_any_time, 4000, days=600, seed=1)
    for order in (models, models[::-1]):
        assert clv.choose(orders, as_of=today, models=order).best == "pareto_nbd"


def test_a_small_lead_decides_nothing() -> None:
    leaves_at_once = MBGNBD(r=1.5, alpha=40.0, a=1.0, b=2.0)
    orders = ledger(leaves_at_once, 4000, days=600, seed=1)
    chosen = clv.choose(orders, as_of=START + timedelta(days=600), models=("pareto_nbd", "mbg_nbd"))
    scores = dict(chosen.log_scores)
    assert 0 < scores["mbg_nbd"] - scores["pareto_nbd"] < 0.005
    assert chosen.best == chosen.log_scores[0][0] == "pareto_nbd"


def test_the_future_changes_nothing(cdnow: pd.DataFrame) -> None:
    today = date(1997, 12, 31)
    past = cdnow[cdnow["date"] <= pd.Timestamp(today)]
    assert clv.choose(cdnow, as_of=today) == clv.choose(past, as_of=today)


def test_purchase_days_give_the_same(cdnow: pd.DataFrame) -> None:
    days = rfm.purchase_days(cdnow, as_of=AS_OF)
    assert clv.choose(days, as_of=AS_OF) == clv.choose(cdnow, as_of=AS_OF)


def test_the_best_fit_is_that_of_the_chosen_model(cdnow: pd.DataFrame) -> None:
    today = date(1998, 3, 31)  # nobody need have bought on it
    customers = rfm.summarize(cdnow, as_of=today)
    chosen = clv.choose(cdnow, as_of=today)
    best = clv.fit(customers, model="best", orders=cdnow)
    assert best.choice == chosen
    assert best == clv.fit(customers, model=chosen)
    named = clv.fit(customers, model=chosen.best)
    assert (best.estimates, named.choice) == (named.estimates, None)
    assert clv.Fit.from_json(best.to_json()) == best
    assert Choice.from_json(chosen.to_json()) == chosen


def test_a_lazy_table_gives_the_same(cdnow: pd.DataFrame) -> None:
    lazy = pl.from_pandas(cdnow).lazy()
    today = date(1998, 3, 31)
    found = clv.fit(rfm.summarize(lazy, as_of=today), model="best", orders=lazy)
    assert found.choice == clv.choose(cdnow, as_of=today)


def test_without_orders_it_is_pareto_nbd_and_says_why(cdnow: pd.DataFrame) -> None:
    customers = rfm.summarize(cdnow, as_of=AS_OF)
    best = clv.fit(customers, model="best")
    assert best.name == "pareto_nbd"
    assert best.choice is not None
    assert best.choice.reason == (
        "pareto_nbd without comparison: days can only be held out of `orders`, which were not "
        "given."
    )


def test_the_reason_names_all_scores(cdnow: pd.DataFrame) -> None:
    reason = clv.choose(cdnow, as_of=AS_OF).reason
    assert reason.startswith("pareto_nbd: log score -0.7")
    assert " a customer on the days after 1997-12-31, against mbg_nbd -0.7" in reason
    (alone,) = [clv.choose(cdnow, as_of=AS_OF, models=["bg_nbd"]).reason]
    assert alone.endswith("a customer on the days after 1997-12-31, the only one tried.")


# Shape: logs that hold nothing to choose by


def of_days(*days: int, n_customers: int = 30) -> pl.DataFrame:
    dates = [START + timedelta(days=each) for each in days]
    who = np.repeat(np.arange(n_customers), len(days))
    return pl.DataFrame({"customer_id": who, "date": dates * n_customers})


@pytest.mark.parametrize(
    ("orders", "as_of", "why"),
    [
        (of_days(0, 9, 20), 20, "The history of 20 days is shorter than 28."),
        (of_days(0), 0, "The history of 0 days is shorter than 28."),
        (of_days(0).clear(), 0, "The history of 0 days is shorter than 28."),
        (
            of_days(0, 80),
            90,
            "Only 0 customers bought again by 2022-03-02, too few to fit models on.",
        ),
        (
            of_days(0, 9, 50),
            90,
            "Only 0 purchase days came after 2022-03-02, too few to compare models by.",
        ),
    ],
)
def test_with_nothing_to_hold_out_the_first_model_is_chosen(
    orders: pl.DataFrame, as_of: int, why: str
) -> None:
    found = clv.choose(orders, as_of=START + timedelta(days=as_of))
    assert found == Choice("pareto_nbd", left_out=(why,))


# Refusals


def test_wrong_arguments_are_refused(cdnow: pd.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.choose(cdnow, as_of=AS_OF, models=[])
    assert str(caught.value) == (
        "`models` is empty.\nName purchase models, such as ('pareto_nbd', 'mbg_nbd')."
    )
    with pytest.raises(InvalidArgumentError, match="must come before `as_of`"):
        clv.choose(cdnow, as_of=AS_OF, split=AS_OF)
    with pytest.raises(InvalidArgumentError, match="`models` must be one of"):
        clv.choose(cdnow, as_of=AS_OF, models=["gamma_gamma"])
    customers = rfm.summarize(cdnow, as_of=AS_OF)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(customers, model="bg_nbd", orders=cdnow)
    assert str(caught.value) == (
        "`orders` is for `model` 'best', got 'bg_nbd'.\nLeave one of the two out."
    )
    text = clv.choose(cdnow, as_of=AS_OF).to_json().replace("1997-12-31", "1997-13-31")
    with pytest.raises(InvalidArgumentError, match="`split` must be a date in ISO text"):
        Choice.from_json(text)
