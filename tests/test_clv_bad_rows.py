"""Histories that cannot be are refused alike on eager and lazy tables, before a model sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidRowsError
from tests.conftest import MakeFrame

GOOD: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d"],
    "frequency": [2, 0, 5, 1],
    "recency": [213, 0, 100, 12],
    "T": [272, 269, 272, 150],
    "monetary_value": [22.0, None, 50.0, 3.0],
}
BUILD = "Build this table with crmkit.rfm.summarize()."
NOT_RFM = (
    "`recency` is days from the first purchase to the last, not days since the last; "
    "`frequency` leaves the first purchase out.\n"
)
DAYS = "Durations are in days: multiply weeks by 7.\n"
SPANS = "`frequency` is 0 and `recency` above 0, yet one purchase day spans no time,"
ANOTHER_DAY = "`frequency` exceeds `recency`, yet each repeat purchase is on another day,"

# The change, the complaint, the customer, the values that a lazy table shows, and the advice.
BAD: list[tuple[dict[str, list[Any]], str, str, str, str]] = [
    ({"frequency": [-1, 0, 5, 1]}, "`frequency` is below 0", "a", "frequency -1", BUILD),
    (
        {"frequency": [2.0, 0.0, 5.0, 1.5]},
        "`frequency` is not a whole number",
        "d",
        "frequency 1.5",
        BUILD,
    ),
    (
        {"recency": [213, 0, 300, 12]},
        "`recency` exceeds `T`, yet nobody buys after the end of observation,",
        "c",
        "recency 300 with T 272",
        BUILD,
    ),
    ({"recency": [213, 9, 100, 12]}, SPANS, "b", "recency 9 with frequency 0", NOT_RFM + BUILD),
    ({"recency": [213, 0, 4, 12]}, ANOTHER_DAY, "c", "frequency 5 with recency 4", NOT_RFM + BUILD),
    (
        {"recency": [213, 0, 100, 0]},
        ANOTHER_DAY,
        "d",
        "frequency 1 with recency 0",
        NOT_RFM + BUILD,
    ),
    (
        {"frequency": [2, 0, 10**9, 1]},
        ANOTHER_DAY,
        "c",
        "frequency 1000000000 with recency 100",
        NOT_RFM + BUILD,
    ),
    (
        {"T": [38.86, 269.0, 272.0, 150.0], "recency": [30.0, 0.0, 100.0, 12.0]},
        "`T` is not a whole number",
        "a",
        "T 38.86",
        DAYS + BUILD,
    ),
    ({"T": [np.inf, 269.0, 272.0, 150.0]}, "`T` is not finite", "a", "T inf", BUILD),
    (
        {"frequency": [np.inf, 0.0, 5.0, 1.0]},
        "`frequency` is not finite",
        "a",
        "frequency inf",
        BUILD,
    ),
    ({"recency": [np.inf, 0.0, 100.0, 12.0]}, "`recency` is not finite", "a", "recency inf", BUILD),
    ({"frequency": [None, 0, 5, 1]}, "`frequency` is null", "a", "", BUILD),
    ({"T": [272, 269, None, 150]}, "`T` is null", "c", "", BUILD),
]

LOOKS: dict[str, Callable[..., Any]] = {
    "predict": lambda table, fit, _: clv.predict(table, purchases=fit, horizon_days=30),
    "bounds": lambda table, fit, spend: clv.predict(
        table, purchases=fit, spend=spend, horizon_days=30, level=0.9
    ),
    "total": lambda table, fit, _: clv.predict_total(table, purchases=fit, horizon_days=30),
    "alive": lambda table, fit, _: clv.probability_alive(table, purchases=fit),
    "expected": lambda table, fit, _: clv.expected_purchases(table, purchases=fit, horizon_days=30),
    "distribution": lambda table, fit, _: clv.purchase_distribution(
        table, purchases=fit, horizon_days=30
    ),
    "discounted": lambda table, fit, _: clv.discounted_purchases(
        table, purchases=fit, annual_discount_rate=0.1
    ),
    "fit": lambda table, _fit, _spend: clv.fit(table, model="bg_nbd"),
    "posterior": lambda table, fit, _: clv.posterior(table, fit=fit),
    "compare": lambda table, _fit, _spend: clv.compare(table, models=["nbd"]),
}
"""Everything that reads histories."""


@pytest.fixture(scope="module")
def fits() -> tuple[clv.Fit, clv.Fit]:
    """The sample's customers, whose fits score the tables here."""
    customers = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=date(1997, 9, 30))
    return clv.fit(customers, model="bg_nbd"), clv.fit(customers, model="gamma_gamma")


@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case[1][:32]}{case[3]}")
@pytest.mark.parametrize("look", LOOKS)
def test_customers_of_an_eager_table_are_named(
    fits: tuple[clv.Fit, clv.Fit], look: str, case: tuple[dict[str, list[Any]], str, str, str, str]
) -> None:
    change, complaint, customer, _, advice = case
    with pytest.raises(InvalidRowsError) as caught:
        LOOKS[look](pl.DataFrame(GOOD | change, strict=False), *fits)
    assert str(caught.value) == (
        f"customer summary: {complaint} in 1 of 4 rows (customer_id '{customer}').\n{advice}"
    )
    assert (caught.value.n_rows, caught.value.examples) == (1, (customer,))


@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case[1][:32]}{case[3]}")
@pytest.mark.parametrize("look", [name for name in LOOKS if name != "compare"])
def test_values_of_a_lazy_table_are_shown(
    fits: tuple[clv.Fit, clv.Fit], look: str, case: tuple[dict[str, list[Any]], str, str, str, str]
) -> None:
    change, complaint, _, values, advice = case
    table = pl.DataFrame(GOOD | change, strict=False)
    twice = pl.concat([table, table.with_columns(customer_id=pl.col("customer_id") + "2")]).lazy()
    with pytest.raises(InvalidRowsError) as caught:
        LOOKS[look](twice, *fits)
    shown = f" ({values})" if values else ""
    # Distinct histories come here; what is counted is customers.
    assert str(caught.value) == (f"customer summary: {complaint} in 2 of 8 rows{shown}.\n{advice}")
    assert caught.value.n_rows == 2


@pytest.mark.parametrize("change", [case[0] for case in BAD], ids=lambda change: str(change)[:40])
def test_every_engine_refuses_them(
    make_frame: MakeFrame, fits: tuple[clv.Fit, clv.Fit], change: dict[str, list[Any]]
) -> None:
    with pytest.raises(InvalidRowsError):
        clv.expected_purchases(make_frame(GOOD | change), purchases=fits[0], horizon_days=30)


def test_a_table_of_rfm_measures_under_these_names_is_refused() -> None:
    customers = rfm.summarize(load_cdnow(sample=True, backend="pandas"), as_of=date(1997, 9, 30))
    measures = pd.DataFrame(
        {
            "recency": customers["days_since_last"],
            "frequency": customers["orders"],
            "T": customers["T"],
        }
    )
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(measures, model="bg_nbd")
    n = int((measures["frequency"] > measures["recency"]).sum())
    assert str(caught.value).startswith(
        f"customer summary: {ANOTHER_DAY} in {n} of 2,357 rows (row "
    )
    assert str(caught.value).endswith(NOT_RFM + BUILD)


def test_a_frequency_that_counts_the_first_purchase_is_refused() -> None:
    customers = rfm.summarize(load_cdnow(sample=True, backend="pandas"), as_of=date(1997, 9, 30))
    counted = customers.assign(frequency=customers["orders"])
    with pytest.raises(InvalidRowsError, match="each repeat purchase is on another day, in 1,4"):
        clv.fit(counted, model="bg_nbd")


def test_an_odd_index_does_not_mix_up_rows() -> None:
    table = pd.DataFrame(GOOD, index=[7, 7, 3, 3]).assign(recency=[213, 0, 4, 12])
    with pytest.raises(InvalidRowsError, match="customer_id 'c'"):
        clv.fit(table, model="bg_nbd")
    with pytest.raises(InvalidRowsError, match=r"in 1 of 4 rows \(row 2\)"):
        clv.fit(table.drop(columns="customer_id"), model="bg_nbd")


def test_a_lazy_fit_with_covariates_counts_customers() -> None:
    table = pl.concat([pl.DataFrame(GOOD | {"age": [30.0, None, 50.0, 60.0]})] * 3).lazy()
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(table, model="bg_nbd", covariates=["age"])
    assert str(caught.value).startswith(
        "customer summary: covariate `age` is null in 3 of 12 rows.\n"
    )
