"""Lifetime value on tables: the papers' estimates, then what must hold on any engine."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import (
    CrmkitWarning,
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models import BGNBD, PURCHASE_MODELS, SPEND_MODELS, GammaGamma
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import all_printed, printed

SUMMARY: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d"],
    "frequency": [2, 0, 5, 1],
    "recency": [213, 0, 100, 12],
    "T": [272, 269, 272, 150],
    "monetary_value": [22.345, None, 50.0, -3.0],
}


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def purchases(customers: pl.DataFrame) -> clv.Fit:
    """BG/NBD on them."""
    return clv.fit(customers, model="bg_nbd")


@pytest.fixture(scope="module")
def spend(customers: pl.DataFrame) -> clv.Fit:
    """Gamma-Gamma on them."""
    return clv.fit(customers, model="gamma_gamma")


def as_model(fitted: clv.Fit, model: Any) -> clv.Fit:
    """A fit with another model in its place."""
    return replace(fitted, likelihood=replace(fitted.likelihood, model=model))


# Published


def test_the_fit_prints_as_the_paper_does(customers: pl.DataFrame, purchases: clv.Fit) -> None:
    # Fader, Hardie & Lee (2005), Table 2: r, alpha (weeks), a, b and the log-likelihood.
    estimates = purchases.estimates
    assert printed(estimates["r"], like="0.243") == "0.243"
    assert printed(estimates["alpha"] / 7, like="4.414") == "4.414"
    assert printed(estimates["a"], like="0.793") == "0.793"
    assert printed(estimates["b"], like="2.426") == "2.426"
    in_weeks = purchases.log_likelihood + int(customers["frequency"].sum()) * math.log(7)
    assert printed(in_weeks, like="-9582.4") == "-9582.4"


def test_the_spend_prints_as_the_paper_does(spend: clv.Fit) -> None:
    # Fader & Hardie (2013), Gamma-Gamma note, p. 9; log-likelihood as CLVTools' tests have it.
    found = [printed(value, like="6.25") for value in spend.estimates.values()]
    assert found == ["6.25", "3.74", "15.44"]
    assert printed(spend.log_likelihood, like="-4055.92") == "-4055.92"
    assert (spend.n_customers, spend.n_left_out) == (946, 1411)


def test_the_worked_customer_of_the_paper(purchases: clv.Fit) -> None:
    # brucehardie.com/notes/004: x = 2, t_x = 30.43 weeks, T = 38.86 weeks, 39 weeks ahead.
    one = pl.DataFrame({"frequency": [2], "recency": [213], "T": [272]})
    ahead = clv.predict(one, purchases=purchases, horizon_days=39 * 7)
    assert printed(ahead["expected_purchases"].item(), like="1.226") == "1.226"


def test_a_year_of_value_is_that_of_another_library(
    customers: pl.DataFrame, purchases: clv.Fit, spend: clv.Fit
) -> None:
    # clvkit 0.2.1, README: 52 weeks, each week's purchases discounted from its end by 0.1 %. At its
    # parameters, whose eight decimals leave the ninth digit of the sums open.
    year = as_model(purchases, BGNBD(0.24259452, 7 * 4.41360197, 0.79292197, 2.42590682))
    each = as_model(spend, GammaGamma(6.24961443, 3.74419242, 15.44324673))
    until = [
        clv.expected_purchases(customers, purchases=year, horizon_days=7 * week)
        .get_column("expected_purchases")
        .to_numpy()
        for week in range(1, 53)
    ]
    assert until[-1].sum() == pytest.approx(2089.398758, rel=6e-9)
    weekly = np.diff(until, axis=0, prepend=0.0)
    discounted = 1.001 ** -np.arange(1.0, 53) @ weekly
    assert discounted.sum() == pytest.approx(2039.325905, rel=6e-9)
    ahead = clv.predict(customers, purchases=year, spend=each, horizon_days=1)
    worth = np.sort(discounted * ahead["expected_spend"].to_numpy())
    assert worth.sum() == pytest.approx(73894.73764, rel=6e-9)
    best = "1213.635 1035.507 1003.6495"
    assert all_printed(worth[:-4:-1], like=best) == best


# What must hold


def test_every_engine_predicts_the_same(
    make_frame: MakeFrame, purchases: clv.Fit, spend: clv.Fit
) -> None:
    table = make_frame(SUMMARY)
    found = clv.predict(
        table, purchases=purchases, spend=spend, horizon_days=365, annual_discount_rate=0.1
    )
    assert type(found) is type(table)
    assert nw.from_native(found).collect_schema().names() == [
        *SUMMARY,
        "p_alive",
        "expected_purchases",
        "expected_spend",
        "clv",
    ]
    twin = clv.predict(
        pl.DataFrame(SUMMARY),
        purchases=purchases,
        spend=spend,
        horizon_days=365,
        annual_discount_rate=0.1,
    )
    same = pl.DataFrame(rows(found, by="customer_id"))
    assert_frame_equal(same, twin, rel_tol=1e-12, abs_tol=1e-15)


def test_a_second_prediction_takes_the_place_of_the_first(
    make_frame: MakeFrame, purchases: clv.Fit, spend: clv.Fit
) -> None:
    table = make_frame(SUMMARY)
    first = clv.predict(table, purchases=purchases, spend=spend, horizon_days=30)
    again = clv.predict(first, purchases=purchases, spend=spend, horizon_days=365)
    once = clv.predict(table, purchases=purchases, spend=spend, horizon_days=365)
    assert set(nw.from_native(again).collect_schema().names()) == set(
        nw.from_native(once).collect_schema().names()
    )
    columns = ["p_alive", "expected_purchases", "expected_spend", "clv"]
    twice, single = (
        pl.DataFrame(rows(each, by="customer_id")).select(columns) for each in (again, once)
    )
    assert_frame_equal(twice, single, rel_tol=1e-12)


@pytest.mark.parametrize("engine", list(MAKERS))
@pytest.mark.parametrize("model", ["bg_nbd", "gamma_gamma"])
def test_every_engine_fits_the_same(customers: pl.DataFrame, engine: str, model: str) -> None:
    some = customers.head(500).drop("first_date", "last_date")
    found = clv.fit(MAKERS[engine](some.to_dict(as_series=False)), model=model)
    expected = clv.fit(some, model=model)
    assert found.estimates == pytest.approx(expected.estimates, rel=1e-6)
    assert found.n_left_out == expected.n_left_out


def test_value_is_margin_on_discounted_spend(purchases: clv.Fit, spend: clv.Fit) -> None:
    table = pl.DataFrame(SUMMARY)
    plain = clv.predict(table, purchases=purchases, spend=spend, horizon_days=365)
    product = plain["expected_purchases"] * plain["expected_spend"]
    np.testing.assert_allclose(plain["clv"], product, rtol=1e-14)
    third = clv.predict(table, purchases=purchases, spend=spend, horizon_days=365, margin=0.3)
    np.testing.assert_allclose(third["clv"], 0.3 * product, rtol=1e-14)
    later = clv.predict(
        table, purchases=purchases, spend=spend, horizon_days=365, annual_discount_rate=0.1
    )
    share = (later["clv"] / plain["clv"]).to_numpy()
    assert ((share > 1 / 1.1) & (share < 1)).all()


def test_unknown_spend_is_the_populations(purchases: clv.Fit, spend: clv.Fit) -> None:
    found = clv.predict(pl.DataFrame(SUMMARY), purchases=purchases, spend=spend, horizon_days=365)[
        "expected_spend"
    ].to_list()
    assert found[1] == pytest.approx(spend.model.population_mean)
    assert found[3] < found[0] < found[1] < found[2]


def test_without_a_spend_model_there_is_no_money(purchases: clv.Fit) -> None:
    table = pl.DataFrame(SUMMARY).drop("monetary_value")
    found = clv.predict(table, purchases=purchases, horizon_days=365)
    assert found.columns == [*table.columns, "p_alive", "expected_purchases"]


def test_one_customer_is_predicted_as_within_the_batch(
    customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    batch = clv.predict(customers, purchases=purchases, horizon_days=100)
    for i in (0, 100, 2356):
        alone = clv.predict(customers[i], purchases=purchases, horizon_days=100)
        assert alone["expected_purchases"].item() == pytest.approx(
            batch["expected_purchases"][i], rel=1e-12
        )


def test_rows_keep_their_order_and_index(purchases: clv.Fit) -> None:
    table = pd.DataFrame(SUMMARY, index=pd.Index([9, 9, 7, 8], name="row"))
    before = table.copy(deep=True)
    found = clv.predict(table, purchases=purchases, horizon_days=365)
    assert found.index.equals(table.index)
    assert found["customer_id"].tolist() == SUMMARY["customer_id"]
    pd.testing.assert_frame_equal(table, before)


def test_a_fit_is_a_value(customers: pl.DataFrame, purchases: clv.Fit, spend: clv.Fit) -> None:
    assert clv.fit(customers, model="bg_nbd") == purchases
    for each in (purchases, spend):
        assert clv.Fit.from_json(each.to_json()) == each
    assert repr(purchases) == (
        "BGNBD(r=0.2426, alpha=30.9, a=0.7929, b=2.426; log-likelihood -14,363.5, 2,357 customers)"
    )


def test_a_chosen_k_is_among_the_estimates(customers: pl.DataFrame) -> None:
    fitted = clv.fit(customers.head(500), model="mbg_cnbd_k")
    assert fitted.estimates["k"] == fitted.model.k
    assert fitted.standard_errors["k"] is None
    assert fitted.n_parameters == 5
    assert clv.Fit.from_json(fitted.to_json()) == fitted


def test_criteria_count_parameters(purchases: clv.Fit) -> None:
    deviance = -2 * purchases.log_likelihood
    assert purchases.aic == pytest.approx(deviance + 8)
    assert purchases.bic == pytest.approx(deviance + 4 * math.log(2357))


def test_intervals_are_symmetric_in_the_logs(purchases: clv.Fit) -> None:
    # 1.645 standard errors of a normal distribution leave 5 % on either side.
    found = purchases.intervals(level=0.9)
    assert list(found) == ["r", "alpha", "a", "b"]
    for name, estimate in purchases.estimates.items():
        bounds, error = found[name], purchases.standard_errors[name]
        assert bounds is not None
        assert error is not None
        low, high = bounds
        assert 0 < low < estimate < high
        assert low * high == pytest.approx(estimate**2)
        assert math.log(high / estimate) == pytest.approx(1.6448536 * error / estimate)


def test_a_chosen_k_has_no_interval(customers: pl.DataFrame) -> None:
    assert clv.fit(customers, model="bg_cnbd_k").intervals()["k"] is None


@pytest.mark.parametrize("level", [0, 1, 90])
def test_a_level_in_percent_is_refused(purchases: clv.Fit, level: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        purchases.intervals(level=level)
    assert str(caught.value) == (
        f"`level` must lie between 0 and 1, got {level}.\nWrite 0.9 for 90 %."
    )


def test_what_the_data_leave_open_is_a_warning() -> None:
    # One history over and over: heterogeneity is not identified.
    alike = pl.DataFrame({"frequency": [3] * 50, "recency": [90] * 50, "T": [100] * 50})
    with pytest.warns(CrmkitWarning, match=r"^bg_nbd: "):
        fitted = clv.fit(alike, model="bg_nbd")
    assert fitted.diagnostics
    ahead = clv.predict(alike, purchases=fitted, horizon_days=10)
    assert ahead["expected_purchases"].is_finite().all()


# Refusals


def test_an_rfm_table_is_refused_by_name() -> None:
    scores = pl.DataFrame({"customer_id": [1], "recency": [3], "frequency": [2], "monetary": [9]})
    with pytest.raises(MissingColumnsError) as caught:
        clv.fit(scores, model="bg_nbd")
    assert str(caught.value) == (
        "customer summary: no column `T` among "
        "`customer_id`, `recency`, `frequency`, `monetary`.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"recency": [213, 0, 300, 12]}, "`recency` exceeds `T`"),
        ({"frequency": [-1, 0, 5, 1]}, "`frequency` is below 0"),
        ({"frequency": [1.5, 0, 5, 1]}, "`frequency` is not a whole number"),
        ({"frequency": [None, 0, 5, 1]}, "`frequency` is null"),
        ({"recency": [213, 4, 100, 12]}, "`frequency` is 0 and `recency` above 0"),
    ],
)
def test_histories_that_cannot_be_are_refused(
    make_eager: MakeFrame, change: dict[str, list[Any]], complaint: str
) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(make_eager({**SUMMARY, **change}), model="bg_nbd")
    assert str(caught.value).startswith(f"customer summary: {complaint}")
    assert " in 1 of 4 rows " in str(caught.value)
    assert caught.value.n_rows == 1


def test_a_lazy_table_is_checked_when_its_rows_come() -> None:
    late = pl.LazyFrame({**SUMMARY, "recency": [213, 0, 300, 12]})
    with pytest.raises(InvalidRowsError, match="`recency` exceeds `T`"):
        clv.fit(late, model="bg_nbd")


def test_nobody_came_back() -> None:
    once = pl.DataFrame({"frequency": [0, 0], "recency": [0, 0], "T": [10, 20]})
    with pytest.raises(FitError) as caught:
        clv.fit(once, model="bg_nbd")
    assert str(caught.value) == (
        "customer summary: no repeat purchase in 2 of 2 customers.\n"
        "Observe them for longer before you fit."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"horizon_days": 0},
            "`horizon_days` must be above 0, got 0.\nWrite 365 for a year.",
        ),
        (
            {"horizon_days": 365, "margin": 30},
            "`margin` must be above 0 and at most 1, got 30.\nWrite 0.3 for 30 %.",
        ),
        (
            {"horizon_days": 365, "annual_discount_rate": 10},
            (
                "`annual_discount_rate` must be at least 0 and below 1, got 10.\n"
                "Write 0.1 for 10 % a year."
            ),
        ),
    ],
)
def test_rates_in_percent_are_refused(
    purchases: clv.Fit, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(pl.DataFrame(SUMMARY), purchases=purchases, **arguments)
    assert str(caught.value) == message


def test_a_spend_model_predicts_no_purchases(spend: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(pl.DataFrame(SUMMARY), purchases=spend, horizon_days=30)
    names = ", ".join(map(repr, PURCHASE_MODELS))
    assert str(caught.value) == (
        f"`purchases` is a fitted gamma_gamma.\nFit one of {names} instead."
    )


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(pl.DataFrame(SUMMARY), model="bgnbd")
    names = ", ".join(map(repr, [*PURCHASE_MODELS, *SPEND_MODELS]))
    assert str(caught.value) == (
        f"`model` must be one of {names}, got 'bgnbd'.\nDid you mean 'bg_nbd'?"
    )


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("bg_bb", "it is for opportunities: see crmkit.clv.fit_opportunities()."),
        ("sbg", "it is for contracts: see crmkit.clv.fit_retention()."),
    ],
)
def test_a_model_of_another_table_is_refused_by_name(model: str, advice: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(pl.DataFrame(SUMMARY), model=model)
    assert str(caught.value) == f"`model` is {model!r}, but {advice}"
