"""What is still to come of purchases made once a period: the papers' donors, through tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmkit import clv
from crmkit.clv import OpportunityFit
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError, InvalidRowsError
from crmkit.models import BGBB
from tests.conftest import MakeFrame, columns
from tests.published import printed

REFERENCE = Path(__file__).parent / "reference"
HISTORIES: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay"],
    "frequency": [3, 0, 2, 1, 6, 0],
    "recency": [5, 0, 2, 6, 6, 0],
    "n_opportunities": [6, 6, 6, 6, 6, 2],
}


@pytest.fixture(scope="module")
def donors() -> pl.DataFrame:
    """11,104 donors of the paper, one row each."""
    table = np.loadtxt(REFERENCE / "donations.csv", delimiter=",", skiprows=1).astype(int)
    repeated = np.repeat(table[:, :3], table[:, 3], axis=0)
    return pl.DataFrame(
        repeated, schema=["frequency", "recency", "n_opportunities"]
    ).with_row_index("customer_id")


@pytest.fixture(scope="module")
def fitted(donors: pl.DataFrame) -> OpportunityFit:
    return clv.fit_opportunities(donors, every="year")


# Published


def test_fit_finds_the_published_parameters(fitted: OpportunityFit) -> None:
    # Fader, Hardie & Shang (2010), Table 3.
    expected = {"alpha": "1.204", "beta": "0.750", "gamma": "0.657", "delta": "2.783"}
    estimates = fitted.estimates
    assert {
        name: printed(estimates[name], like=text) for name, text in expected.items()
    } == expected
    assert fitted.n_customers == 11104


def test_all_donations_of_the_next_five_years(donors: pl.DataFrame, fitted: OpportunityFit) -> None:
    # lifetimes, TestBetaGeoBetaBinomFitter, after the paper's section 5.
    ahead = clv.forecast_opportunities(donors, fit=fitted, n_opportunities=5)
    total = float(ahead["expected_purchases"].to_numpy().sum())
    assert printed(total, like="12884.2") == "12884.2"


# Twins


def test_the_table_says_what_the_model_says(make_frame: MakeFrame, fitted: OpportunityFit) -> None:
    table = make_frame(HISTORIES)
    found = clv.forecast_opportunities(
        table, fit=fitted, n_opportunities=7, annual_discount_rate=0.1
    )
    assert type(found) is type(table)
    x, t_x, n = (np.array(HISTORIES[name], float) for name in list(HISTORIES)[1:])
    model: BGBB = fitted.model
    got = columns(found)
    order = np.argsort(np.array(got["customer_id"]).astype(str))
    for name, expected in {
        "p_alive": model.probability_alive(x, t_x, n),
        "expected_purchases": model.expected_purchases(x, t_x, n, opportunities=7),
        "discounted_purchases": model.discounted_purchases(
            x, t_x, n, opportunities=7, discount_rate_per_opportunity=0.1
        ),
    }.items():
        assert np.array(got[name])[order] == pytest.approx(expected, rel=1e-12)


def test_a_month_is_discounted_at_a_twelfth_of_the_years_growth(donors: pl.DataFrame) -> None:
    by_month = clv.fit_opportunities(donors, every="month")
    ahead = clv.forecast_opportunities(
        donors.head(1), fit=by_month, n_opportunities=1, annual_discount_rate=0.2
    )
    growth = ahead["expected_purchases"][0] / ahead["discounted_purchases"][0]
    assert growth**12 == pytest.approx(1.2)


# Shape


def test_without_a_rate_nothing_is_discounted(fitted: OpportunityFit) -> None:
    ahead = clv.forecast_opportunities(pl.DataFrame(HISTORIES), fit=fitted, n_opportunities=3)
    assert ahead["discounted_purchases"].to_list() == pytest.approx(
        ahead["expected_purchases"].to_list()
    )


def test_a_fit_survives_being_kept(fitted: OpportunityFit) -> None:
    assert OpportunityFit.from_json(fitted.to_json()) == fitted


def test_a_fit_on_a_lazy_table_is_the_same(donors: pl.DataFrame, fitted: OpportunityFit) -> None:
    assert clv.fit_opportunities(donors.lazy(), every="year") == fitted


def test_the_reduce_makes_what_the_fit_reads() -> None:
    months = clv.opportunities(
        load_cdnow(sample=True, backend="polars"), as_of=pd.Timestamp("1998-06-30").date()
    )
    fitted = clv.fit_opportunities(months)
    assert fitted.every == "month"
    assert fitted.diagnostics == ()


# Refusals


def test_a_fit_of_days_is_refused() -> None:
    customers = pl.DataFrame(
        {"customer_id": [1, 2, 3], "frequency": [2, 0, 1], "recency": [9, 0, 4]}
    )
    customers = customers.with_columns(T=30)
    with pytest.warns(CrmkitWarning):
        of_days = clv.fit(customers, model="nbd")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.forecast_opportunities(pl.DataFrame(HISTORIES), fit=of_days, n_opportunities=3)  # type: ignore[arg-type] # that is the point
    assert str(caught.value) == (
        "`fit` must be an OpportunityFit, got a Fit.\nMake one with crmkit.clv.fit_opportunities()."
    )
    with pytest.raises(InvalidArgumentError):
        OpportunityFit.from_json(of_days.to_json())


@pytest.mark.parametrize("n", [0, -1, 2.5, float("inf")])
def test_a_horizon_of_no_whole_opportunity_is_refused(fitted: OpportunityFit, n: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.forecast_opportunities(pl.DataFrame(HISTORIES), fit=fitted, n_opportunities=n)  # type: ignore[arg-type] # that is the point
    assert str(caught.value) == (
        f"`n_opportunities` must be a whole number of 1 or more, got {n}.\n"
        "Write 12 for a year of months."
    )


def test_a_last_opportunity_without_any_is_refused() -> None:
    table = pl.DataFrame(HISTORIES | {"recency": [5, 1, 2, 6, 6, 0]})
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit_opportunities(table)
    assert str(caught.value) == (
        "opportunities: `frequency` is 0 and `recency` above 0, yet who took none took none last, "
        "in 1 of 6 rows (customer_id 'ben').\n"
        "Build this table with crmkit.clv.opportunities()."
    )


def test_a_last_opportunity_without_any_is_refused_on_a_lazy_table() -> None:
    rows = pl.DataFrame(HISTORIES | {"recency": [5, 1, 2, 6, 6, 0]}).to_arrow()
    with duckdb.connect() as connection:
        table = connection.from_arrow(rows)
        with pytest.raises(InvalidRowsError) as caught:
            clv.fit_opportunities(table)
    assert str(caught.value) == (
        "opportunities: `frequency` is 0 and `recency` above 0, yet who took none took none last, "
        "in 1 of 6 rows (recency 1 with frequency 0).\n"
        "Build this table with crmkit.clv.opportunities()."
    )


def test_customers_who_never_came_back_tell_nothing() -> None:
    nobody = pl.DataFrame(HISTORIES).with_columns(frequency=0, recency=0)
    with pytest.raises(FitError):
        clv.fit_opportunities(nobody)
