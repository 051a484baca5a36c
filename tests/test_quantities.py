"""Looks ahead on tables: what the models say, on any engine, in the caller's order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from datetime import date
from itertools import pairwise
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
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models import PURCHASE_MODELS
from tests.conftest import MakeFrame, rows

SUMMARY: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d"],
    "frequency": [2, 0, 5, 1],
    "recency": [213, 0, 100, 12],
    "T": [272, 269, 272, 150],
}
HISTORY = tuple(np.array(SUMMARY[name], float) for name in ("frequency", "recency", "T"))

Look = Callable[..., Any]
LOOKS: dict[str, tuple[Look, dict[str, Any], list[str]]] = {
    "probability_alive": (clv.probability_alive, {"days": 90}, ["p_alive_later"]),
    "expected_purchases": (
        clv.expected_purchases,
        {"horizon_days": 365},
        ["expected_purchases"],
    ),
    "purchase_distribution": (
        clv.purchase_distribution,
        {"horizon_days": 365, "most": 3},
        ["p_0", "p_1", "p_2", "p_3", "p_more"],
    ),
    "discounted_purchases": (
        clv.discounted_purchases,
        {"annual_discount_rate": 0.1},
        ["discounted_purchases"],
    ),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, clv.Fit]:
    """Each purchase model on the customers of the papers, as of 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    customers = rfm.summarize(log, as_of=date(1997, 9, 30))
    with warnings.catch_warnings():
        # Here leaving does not depend on age, so that ggompertz_nbd has no maximum.
        warnings.simplefilter("ignore", CrmkitWarning)
        return {name: clv.fit(customers, model=name) for name in PURCHASE_MODELS}


@pytest.fixture(scope="module")
def purchases(fits: dict[str, clv.Fit]) -> clv.Fit:
    """The one that the tests of tables use."""
    return fits["pareto_nbd"]


@pytest.fixture(params=list(LOOKS))
def look(request: pytest.FixtureRequest) -> tuple[Look, dict[str, Any], list[str]]:
    """Each function in turn, with arguments and the columns that it adds."""
    return LOOKS[request.param]


# Twin: the model's own method


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_alive_later_is_what_the_model_says(fits: dict[str, clv.Fit], model: str) -> None:
    found = clv.probability_alive(pl.DataFrame(SUMMARY), purchases=fits[model], days=90)
    expected = fits[model].model.probability_alive_later(*HISTORY, days=90.0)
    assert found["p_alive_later"].to_list() == expected.tolist()


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_expected_purchases_are_those_of_a_prediction(fits: dict[str, clv.Fit], model: str) -> None:
    table = pl.DataFrame(SUMMARY)
    found = clv.expected_purchases(table, purchases=fits[model], horizon_days=90)
    ahead = clv.predict(table, purchases=fits[model], horizon_days=90)
    assert found["expected_purchases"].to_list() == ahead["expected_purchases"].to_list()


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_a_row_of_zeros_is_a_new_customer(fits: dict[str, clv.Fit], model: str) -> None:
    new = pl.DataFrame({"customer_id": ["new"], "frequency": [0], "recency": [0], "T": [0]})
    (found,) = clv.expected_purchases(new, purchases=fits[model], horizon_days=365)[
        "expected_purchases"
    ]
    (expected,) = fits[model].model.expected_purchases_new(np.array([365.0]))
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_the_distribution_is_what_the_model_says(fits: dict[str, clv.Fit], model: str) -> None:
    found = clv.purchase_distribution(
        pl.DataFrame(SUMMARY), purchases=fits[model], horizon_days=365, most=3
    )
    expected = fits[model].model.purchase_distribution(*HISTORY, horizon_days=365.0, most=3)
    assert found.select("p_0", "p_1", "p_2", "p_3").to_numpy().tolist() == expected.tolist()


@pytest.mark.parametrize("horizon_days", [365.0, math.inf])
@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_discounted_purchases_are_what_the_model_says(
    fits: dict[str, clv.Fit], model: str, horizon_days: float
) -> None:
    found = clv.discounted_purchases(
        pl.DataFrame(SUMMARY),
        purchases=fits[model],
        annual_discount_rate=0.1,
        horizon_days=horizon_days,
    )
    expected = fits[model].model.discounted_purchases(
        *HISTORY, horizon_days=horizon_days, annual_discount_rate=0.1
    )
    assert found["discounted_purchases"].to_list() == expected.tolist()


# What must hold


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_no_days_later_is_today(fits: dict[str, clv.Fit], model: str) -> None:
    table = pl.DataFrame(SUMMARY)
    today = clv.probability_alive(table, purchases=fits[model])
    ahead = clv.predict(table, purchases=fits[model], horizon_days=1)
    np.testing.assert_allclose(today["p_alive_later"], ahead["p_alive"], rtol=1e-12)


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_nobody_comes_back_from_leaving(fits: dict[str, clv.Fit], model: str) -> None:
    sure = [
        clv.probability_alive(pl.DataFrame(SUMMARY), purchases=fits[model], days=days)[
            "p_alive_later"
        ].to_numpy()
        for days in (0, 30, 365, 3650)
    ]
    assert all((later <= before).all() for before, later in pairwise(sure))


@pytest.mark.parametrize("most", [1, 10, 40])
@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_the_chances_of_a_customer_sum_to_one(
    fits: dict[str, clv.Fit], model: str, most: int
) -> None:
    found = clv.purchase_distribution(
        pl.DataFrame(SUMMARY), purchases=fits[model], horizon_days=100, most=most
    ).drop(list(SUMMARY))
    assert found.columns == [*(f"p_{k}" for k in range(most + 1)), "p_more"]
    chances = found.to_numpy()
    assert (chances >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_the_mean_of_the_chances_is_the_expectation(fits: dict[str, clv.Fit], model: str) -> None:
    table = pl.DataFrame(SUMMARY)
    found = clv.purchase_distribution(table, purchases=fits[model], horizon_days=100, most=80)
    mean = found.select(f"p_{k}" for k in range(81)).to_numpy() @ np.arange(81.0)
    ahead = clv.predict(table, purchases=fits[model], horizon_days=100)
    np.testing.assert_allclose(mean, ahead["expected_purchases"], rtol=1e-9)


def test_undiscounted_purchases_are_the_expected_ones(purchases: clv.Fit) -> None:
    table = pl.DataFrame(SUMMARY)
    found = clv.discounted_purchases(
        table, purchases=purchases, annual_discount_rate=0, horizon_days=365
    )
    ahead = clv.predict(table, purchases=purchases, horizon_days=365)
    np.testing.assert_allclose(
        found["discounted_purchases"], ahead["expected_purchases"], rtol=1e-12
    )


def test_endless_is_what_a_long_horizon_comes_to(purchases: clv.Fit) -> None:
    table = pl.DataFrame(SUMMARY)
    century, endless = (
        clv.discounted_purchases(
            table, purchases=purchases, annual_discount_rate=0.3, horizon_days=horizon_days
        )["discounted_purchases"].to_numpy()
        for horizon_days in (36525.0, math.inf)
    )
    assert (century <= endless * (1 + 1e-12)).all()
    np.testing.assert_allclose(century, endless, rtol=1e-9)


# Shape


def test_every_engine_sees_the_same(
    make_frame: MakeFrame,
    purchases: clv.Fit,
    look: tuple[Look, dict[str, Any], list[str]],
) -> None:
    function, arguments, added = look
    table = make_frame(SUMMARY)
    found = function(table, purchases=purchases, **arguments)
    assert type(found) is type(table)
    assert nw.from_native(found).collect_schema().names() == [*SUMMARY, *added]
    twin = function(pl.DataFrame(SUMMARY), purchases=purchases, **arguments)
    same = pl.DataFrame(rows(found, by="customer_id"))
    assert_frame_equal(same, twin, rel_tol=1e-12, abs_tol=1e-15)


def test_a_second_look_replaces_the_first(
    make_frame: MakeFrame,
    purchases: clv.Fit,
    look: tuple[Look, dict[str, Any], list[str]],
) -> None:
    function, arguments, added = look
    before = {**SUMMARY, **{name: [9.0] * 4 for name in added}}
    found = function(make_frame(before), purchases=purchases, **arguments)
    twin = function(pl.DataFrame(SUMMARY), purchases=purchases, **arguments)
    same = pl.DataFrame(rows(found, by="customer_id"))
    assert_frame_equal(same, twin, rel_tol=1e-12, abs_tol=1e-15)


def test_rows_keep_their_order_and_index(
    purchases: clv.Fit, look: tuple[Look, dict[str, Any], list[str]]
) -> None:
    function, arguments, _ = look
    table = pd.DataFrame(SUMMARY, index=pd.Index([9, 9, 7, 8], name="row"))
    before = table.copy(deep=True)
    found = function(table, purchases=purchases, **arguments)
    assert found.index.equals(table.index)
    assert found["customer_id"].tolist() == SUMMARY["customer_id"]
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("model", list(PURCHASE_MODELS))
def test_no_customers_and_one_are_tables_too(
    fits: dict[str, clv.Fit], model: str, look: tuple[Look, dict[str, Any], list[str]]
) -> None:
    function, arguments, added = look
    table = pl.DataFrame(SUMMARY)
    batch = function(table, purchases=fits[model], **arguments)
    nobody = function(table.head(0), purchases=fits[model], **arguments)
    assert nobody.schema == batch.schema
    assert len(nobody) == 0
    alone = function(table[2], purchases=fits[model], **arguments)
    np.testing.assert_allclose(alone.select(added), batch[2].select(added), rtol=1e-9)


# Refusals


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "probability_alive",
            {"days": -1},
            "`days` must be 0 or more, got -1.\nWrite 0 for today.",
        ),
        (
            "probability_alive",
            {"days": math.inf},
            "`days` must be 0 or more, got inf.\nWrite 0 for today.",
        ),
        (
            "purchase_distribution",
            {"horizon_days": 0},
            "`horizon_days` must be above 0, got 0.\nWrite 365 for a year.",
        ),
        (
            "purchase_distribution",
            {"most": 0},
            "`most` must be a whole number of 1 or more, got 0.\nWrite 10 for columns p_0 to p_10.",
        ),
        (
            "purchase_distribution",
            {"most": 2.5},
            (
                "`most` must be a whole number of 1 or more, got 2.5.\n"
                "Write 10 for columns p_0 to p_10."
            ),
        ),
        (
            "discounted_purchases",
            {"horizon_days": 0},
            "`horizon_days` must be above 0, got 0.\nWrite 365 for a year.",
        ),
        (
            "discounted_purchases",
            {"annual_discount_rate": 10},
            (
                "`annual_discount_rate` must be at least 0 and below 1, got 10.\n"
                "Write 0.1 for 10 % a year."
            ),
        ),
        (
            "discounted_purchases",
            {"annual_discount_rate": 0},
            (
                "`annual_discount_rate` must be above 0 over an endless horizon, got 0.\n"
                "Give `horizon_days`, or write 0.1 for 10 % a year."
            ),
        ),
    ],
)
def test_arguments_out_of_range_are_refused(
    purchases: clv.Fit, name: str, arguments: dict[str, Any], message: str
) -> None:
    function, usual, _ = LOOKS[name]
    with pytest.raises(InvalidArgumentError) as caught:
        function(pl.DataFrame(SUMMARY), purchases=purchases, **{**usual, **arguments})
    assert str(caught.value) == message


def test_a_spend_model_sees_no_purchases(look: tuple[Look, dict[str, Any], list[str]]) -> None:
    function, arguments, _ = look
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    spend = clv.fit(rfm.summarize(log, as_of=date(1997, 9, 30)), model="gamma_gamma")
    with pytest.raises(InvalidArgumentError) as caught:
        function(pl.DataFrame(SUMMARY), purchases=spend, **arguments)
    names = ", ".join(map(repr, PURCHASE_MODELS))
    assert str(caught.value) == (
        f"`purchases` is a fitted gamma_gamma.\nFit one of {names} instead."
    )


def test_tables_that_are_no_summary_are_refused(
    purchases: clv.Fit, look: tuple[Look, dict[str, Any], list[str]]
) -> None:
    function, arguments, _ = look
    table = pl.DataFrame(SUMMARY)
    with pytest.raises(MissingColumnsError) as missing:
        function(table.drop("T"), purchases=purchases, **arguments)
    assert str(missing.value) == (
        "customer summary: no column `T` among `customer_id`, `frequency`, `recency`.\n"
        "Build this table with crmkit.rfm.summarize()."
    )
    with pytest.raises(InvalidRowsError) as invalid:
        function(table.with_columns(recency=pl.lit(5)), purchases=purchases, **arguments)
    assert str(invalid.value) == (
        "customer summary: `frequency` is 0 and `recency` above 0, yet one purchase day spans "
        "no time, in 1 of 4 rows (customer_id 'b').\n"
        "`recency` is days from the first purchase to the last, not days since the last; "
        "`frequency` leaves the first purchase out.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_an_endless_horizon_gives_the_residual_value() -> None:
    orders = load_cdnow(sample=True, backend="pandas")
    customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    purchases = clv.fit(customers, model="pareto_nbd")
    spend = clv.fit(customers, model="gamma_gamma")
    fits: dict[str, Any] = {"purchases": purchases, "spend": spend}
    found = clv.predict(customers, horizon_days=math.inf, annual_discount_rate=0.15, **fits)
    left = clv.discounted_purchases(customers, purchases=purchases, annual_discount_rate=0.15)
    worth = left["discounted_purchases"] * found["expected_spend"]
    np.testing.assert_allclose(found["clv"], worth, rtol=1e-12)
    assert found["expected_purchases"].isna().all()
    far = clv.predict(customers, horizon_days=365 * 200, annual_discount_rate=0.15, **fits)
    np.testing.assert_allclose(found["clv"], far["clv"], rtol=1e-6)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(customers, horizon_days=math.inf, **fits)
    assert str(caught.value) == (
        "`annual_discount_rate` must be above 0 over an endless horizon, got 0.\n"
        "Give `horizon_days`, or write 0.1 for 10 % a year."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(customers, horizon_days=math.inf, annual_discount_rate=0.1, level=0.9, **fits)
    assert str(caught.value) == (
        "`level` is for a horizon in days, `horizon_days` is endless.\n"
        "Leave `level` out, or give a horizon, such as 3650."
    )
    with pytest.raises(InvalidArgumentError, match="`horizon_days` must be above 0"):
        clv.predict_total(
            customers, horizon_days=math.inf, purchases=purchases, annual_discount_rate=0.1
        )
