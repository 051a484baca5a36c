"""Models side by side: the papers' likelihoods, the textbook's criteria and tests."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from crmkit import clv, rfm
from crmkit._clv.evaluation.compare import p_value
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError
from crmkit.models import NBD, Nesting
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import printed
from tests.strategies import by_day, summarized

COLUMNS = [
    "model",
    "n_parameters",
    "log_likelihood",
    "aic",
    "bic",
    "nested_model",
    "lr_statistic",
    "lr_degrees",
    "lr_p_value",
    "seconds",
]


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def found(customers: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Three models on them, by name."""
    table = clv.compare(customers, models=["nbd", "mbg_nbd", "bg_nbd"])
    return {row["model"]: row for row in table.to_dicts()}


# Published


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # Fader, Hardie & Lee (2005), Table 2, in weeks.
        ("nbd", "-9763.7"),
        ("bg_nbd", "-9582.4"),
    ],
)
def test_the_likelihoods_are_the_papers(
    customers: pl.DataFrame, found: dict[str, dict[str, Any]], model: str, expected: str
) -> None:
    in_weeks = found[model]["log_likelihood"] + int(customers["frequency"].sum()) * math.log(7)
    assert printed(in_weeks, like=expected) == expected


# Twin


def test_criteria_and_test_are_the_textbooks(found: dict[str, dict[str, Any]]) -> None:
    for row in found.values():
        deviance = -2 * row["log_likelihood"]
        assert row["aic"] == pytest.approx(deviance + 2 * row["n_parameters"])
        assert row["bic"] == pytest.approx(deviance + math.log(2357) * row["n_parameters"])
    gain = 2 * (found["bg_nbd"]["log_likelihood"] - found["nbd"]["log_likelihood"])
    row = found["bg_nbd"]
    assert row["lr_statistic"] == pytest.approx(gain)
    assert row["lr_degrees"] == 2
    # No dropout lies on the boundary: Self & Liang (1987), case 6.
    mixture = (stats.chi2.sf(gain, df=1) + stats.chi2.sf(gain, df=2)) / 2
    assert row["lr_p_value"] == pytest.approx(mixture, rel=1e-9)


@pytest.mark.parametrize("statistic", [0.0, 0.5, 2.706, 5.14, 30.0])
@pytest.mark.parametrize("degrees", [1, 2, 3])
def test_p_values_are_the_textbooks(statistic: float, degrees: int) -> None:
    usual = stats.chi2.sf(statistic, df=degrees)
    assert p_value(statistic, Nesting(degrees, on_boundary=False)) == pytest.approx(usual)
    # A chi-squared variable without a degree of freedom is 0.
    below = stats.chi2.sf(statistic, df=degrees - 1) if degrees > 1 else float(statistic == 0)
    found = p_value(statistic, Nesting(degrees, on_boundary=True))
    assert found == pytest.approx((usual + below) / 2)
    assert found <= 1


def test_five_percent_points_of_the_mixtures_are_the_tables() -> None:
    # Stram & Lee (1994), Biometrics 50, 1171-1177: 2.71 and 5.14 are the 5 % points.
    assert p_value(2.706, Nesting(1, on_boundary=True)) == pytest.approx(0.05, abs=5e-5)
    assert p_value(5.139, Nesting(2, on_boundary=True)) == pytest.approx(0.05, abs=5e-5)


def test_a_fit_of_its_own_says_the_same(
    customers: pl.DataFrame, found: dict[str, dict[str, Any]]
) -> None:
    for name, row in found.items():
        fitted = clv.fit(customers, model=name)
        assert row["log_likelihood"] == fitted.log_likelihood
        assert (row["aic"], row["bic"]) == (fitted.aic, fitted.bic)
        assert row["seconds"] > 0


# Properties


def test_the_best_comes_first_whatever_the_order_asked_for(customers: pl.DataFrame) -> None:
    for models in (["nbd", "mbg_nbd", "bg_nbd"], ["bg_nbd", "nbd", "mbg_nbd"]):
        table = clv.compare(customers, models=models)
        assert table["aic"].is_sorted()
        assert table["model"].to_list() == ["mbg_nbd", "bg_nbd", "nbd"]


def test_models_that_are_not_nested_are_not_tested(
    customers: pl.DataFrame, found: dict[str, dict[str, Any]]
) -> None:
    assert {name: row["nested_model"] for name, row in found.items()} == {
        "bg_nbd": "nbd",
        "mbg_nbd": "nbd",
        "nbd": None,
    }
    apart = clv.compare(customers, models=["bg_nbd", "mbg_nbd"])
    for name in ("nested_model", "lr_statistic", "lr_degrees", "lr_p_value"):
        assert apart[name].to_list() == [None, None]


def test_a_number_chosen_by_likelihood_is_a_parameter() -> None:
    # Even where it comes out as 1.
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    some = rfm.summarize(log, as_of=date(1997, 9, 30)).head(300)
    by_name = {
        row["model"]: row for row in clv.compare(some, models=["bg_nbd", "bg_cnbd_k"]).to_dicts()
    }
    assert by_name["bg_nbd"]["n_parameters"] == 4
    assert by_name["bg_cnbd_k"]["n_parameters"] == 5
    assert by_name["bg_cnbd_k"]["nested_model"] == "bg_nbd"
    assert by_name["bg_cnbd_k"]["lr_degrees"] == 1


@pytest.mark.filterwarnings("ignore::crmkit.CrmkitWarning")
def test_without_dropout_the_nested_model_is_enough() -> None:
    T = np.full(2000, 365.0)
    who, age = NBD(r=1.0, alpha=60.0).simulate(T, rng=np.random.default_rng(7))
    x, t_x, _ = summarized(*by_day(who, age), T)
    table = pl.DataFrame({"frequency": x, "recency": t_x, "T": T})
    found = {row["model"]: row for row in clv.compare(table, models=["bg_nbd", "nbd"]).to_dicts()}
    assert found["bg_nbd"]["lr_statistic"] >= 0
    assert found["bg_nbd"]["lr_p_value"] > 0.05
    assert found["nbd"]["aic"] < found["bg_nbd"]["aic"]


def test_spend_models_compare_among_themselves(customers: pl.DataFrame) -> None:
    (row,) = clv.compare(customers, models=["gamma_gamma"]).to_dicts()
    assert printed(row["log_likelihood"], like="-4055.9177") == "-4055.9177"
    assert row["bic"] == pytest.approx(2 * 4055.9177 + 3 * math.log(946), abs=1e-4)


# Given fits


def test_a_given_fit_is_evaluated_and_not_fitted(customers: pl.DataFrame) -> None:
    # The founding paper's parameters, printed with three decimals, reach its log-likelihood.
    in_paper = clv.Fit.of("bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
    other = clv.Fit.of("bg_nbd", r=1, alpha=50, a=1, b=2)
    table = clv.compare(customers, models=["bg_nbd", in_paper, other])
    found = {row["model"]: row for row in table.to_dicts()}
    assert list(found) == ["bg_nbd", "bg_nbd, given", "bg_nbd, given 2"]
    in_weeks = int(customers["frequency"].sum()) * math.log(7)
    assert printed(found["bg_nbd, given"]["log_likelihood"] + in_weeks, like="-9582.4") == "-9582.4"
    assert found["bg_nbd, given"]["log_likelihood"] < found["bg_nbd"]["log_likelihood"]
    columns = (customers[name].to_numpy().astype(float) for name in ("frequency", "recency", "T"))
    total = other.model.log_likelihood(*columns).sum()
    assert found["bg_nbd, given 2"]["log_likelihood"] == pytest.approx(total, rel=1e-12)
    assert found["bg_nbd, given"]["bic"] == pytest.approx(
        4 * math.log(2357) - 2 * found["bg_nbd, given"]["log_likelihood"]
    )


def test_a_given_fit_of_these_customers_takes_part_in_the_test(customers: pl.DataFrame) -> None:
    fitted = clv.fit(customers, model="nbd")
    elsewhere = clv.fit(customers.head(1000), model="nbd")
    table = clv.compare(customers, models=["bg_nbd", fitted])
    assert table["nested_model"].to_list() == ["nbd, given", None]
    plain = clv.compare(customers, models=["bg_nbd", "nbd"])
    assert table["lr_p_value"].to_list() == plain["lr_p_value"].to_list()
    assert clv.compare(customers, models=["bg_nbd", elsewhere])["nested_model"].null_count() == 2


def test_coefficients_of_covariates_are_tested_inside_the_larger_model(
    customers: pl.DataFrame,
) -> None:
    known = customers.with_columns(side=pl.col("customer_id").cast(pl.Int64) % 2)
    with_side = clv.fit(known, model="bg_nbd", covariates={"purchases": ["side"]})
    table = clv.compare(known, models=["bg_nbd", with_side])
    found = {row["model"]: row for row in table.to_dicts()}["bg_nbd, given"]
    assert found["log_likelihood"] == pytest.approx(with_side.log_likelihood, rel=1e-12)
    assert (found["nested_model"], found["lr_degrees"]) == ("bg_nbd", 1)
    usual = stats.chi2.sf(found["lr_statistic"], df=1)
    assert found["lr_p_value"] == pytest.approx(usual, rel=1e-9)


def test_a_given_spend_model_is_evaluated(customers: pl.DataFrame) -> None:
    # Fader & Hardie (2013), Gamma-Gamma note, p. 9, to two decimals.
    two_decimals = clv.Fit.of("gamma_gamma", p=6.25, q=3.74, v=15.44)
    known = customers.with_columns(side=pl.col("customer_id").cast(pl.Int64) % 2)
    with_side = clv.fit(known, model="gamma_gamma", covariates=["side"])
    table = clv.compare(known, models=[two_decimals, with_side])
    best, other = sorted(table["log_likelihood"].to_list(), reverse=True)
    assert best == pytest.approx(with_side.log_likelihood, rel=1e-12)
    assert printed(other, like="-4055.92") == "-4055.92"


# Shape


@pytest.mark.parametrize("engine", list(MAKERS))
@pytest.mark.parametrize("models", [["bg_nbd"], ["nbd", "bg_nbd"]])
def test_every_engine_compares_the_same(
    customers: pl.DataFrame, engine: str, models: list[str]
) -> None:
    some = customers.head(500).select("customer_id", "frequency", "recency", "T")
    table = MAKERS[engine](some.to_dict(as_series=False))
    found = clv.compare(table, models=models)
    assert type(found) is type(table)
    schema = nw.from_native(found).collect_schema()
    assert schema.names() == COLUMNS
    assert schema["nested_model"] == nw.String
    numbers = ("lr_statistic", "lr_degrees", "lr_p_value")
    assert [schema[name] for name in numbers] == [nw.Float64] * 3
    twin = clv.compare(some, models=models)
    ours = pl.DataFrame(rows(found, by="aic"), schema=twin.schema)
    assert_frame_equal(ours.drop("seconds"), twin.drop("seconds"), rel_tol=1e-9)


# Refusals


def test_nothing_to_compare(customers: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.compare(customers, models=[])
    assert str(caught.value) == "`models` is empty.\nName at least one model."


def test_models_of_different_things_do_not_compare(customers: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.compare(customers, models=["bg_nbd", "gamma_gamma"])
    assert str(caught.value) == (
        "`models` has purchase and spend models: 'bg_nbd', 'gamma_gamma'.\n"
        "They explain different data; compare each kind by itself."
    )


def test_bad_histories_are_named(make_eager: MakeFrame) -> None:
    bad = make_eager(
        {"customer_id": ["a", "b"], "frequency": [1, 2], "recency": [5, 30], "T": [10, 20]}
    )
    with pytest.raises(InvalidRowsError) as caught:
        clv.compare(bad, models=["nbd", "bg_nbd"])
    assert str(caught.value) == (
        "customer summary: `recency` exceeds `T`, yet nobody buys after the end of observation, "
        "in 1 of 2 rows (customer_id 'b').\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_nobody_came_back() -> None:
    once = pl.DataFrame({"frequency": [0, 0], "recency": [0, 0], "T": [10, 20]})
    with pytest.raises(FitError):
        clv.compare(once, models=["nbd", "bg_nbd"])
