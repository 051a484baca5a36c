"""Models side by side: the papers' likelihoods, the textbook's criteria, the right nestings."""

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
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError
from crmkit.models import NBD
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import printed
from tests.strategies import by_day, summarized

COLUMNS = [
    "model",
    "n_parameters",
    "log_likelihood",
    "aic",
    "bic",
    "simpler_model",
    "likelihood_ratio",
    "p_value",
    "seconds",
]


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True)
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
    assert found["bg_nbd"]["likelihood_ratio"] == pytest.approx(gain)
    assert found["bg_nbd"]["p_value"] == pytest.approx(stats.chi2.sf(gain, df=2), rel=1e-9)


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


def test_models_that_are_not_cases_of_each_other_are_not_tested(
    customers: pl.DataFrame, found: dict[str, dict[str, Any]]
) -> None:
    assert {name: row["simpler_model"] for name, row in found.items()} == {
        "bg_nbd": "nbd",
        "mbg_nbd": "nbd",
        "nbd": None,
    }
    apart = clv.compare(customers, models=["bg_nbd", "mbg_nbd"])
    for name in ("simpler_model", "likelihood_ratio", "p_value"):
        assert apart[name].to_list() == [None, None]


def test_a_number_chosen_by_likelihood_is_a_parameter() -> None:
    # Even where it comes out as 1.
    log: pl.DataFrame = load_cdnow(sample=True)
    some = rfm.summarize(log, as_of=date(1997, 9, 30)).head(300)
    by_name = {
        row["model"]: row for row in clv.compare(some, models=["bg_nbd", "bg_cnbd_k"]).to_dicts()
    }
    assert by_name["bg_nbd"]["n_parameters"] == 4
    assert by_name["bg_cnbd_k"]["n_parameters"] == 5
    assert by_name["bg_cnbd_k"]["simpler_model"] is None


@pytest.mark.filterwarnings("ignore::crmkit.CrmkitWarning")
def test_where_nobody_leaves_the_simpler_model_is_enough() -> None:
    T = np.full(2000, 365.0)
    who, age = NBD(r=1.0, alpha=60.0).simulate(T, rng=np.random.default_rng(7))
    x, t_x, _ = summarized(*by_day(who, age), T)
    table = pl.DataFrame({"frequency": x, "recency": t_x, "T": T})
    found = {row["model"]: row for row in clv.compare(table, models=["bg_nbd", "nbd"]).to_dicts()}
    assert found["bg_nbd"]["likelihood_ratio"] >= 0
    assert found["bg_nbd"]["p_value"] > 0.05
    assert found["nbd"]["aic"] < found["bg_nbd"]["aic"]


def test_spend_models_compare_among_themselves(customers: pl.DataFrame) -> None:
    (row,) = clv.compare(customers, models=["gamma_gamma"]).to_dicts()
    assert printed(row["log_likelihood"], like="-4055.9177") == "-4055.9177"
    assert row["bic"] == pytest.approx(2 * 4055.9177 + 3 * math.log(946), abs=1e-4)


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
    assert schema["simpler_model"] == nw.String
    assert [schema[name] for name in ("likelihood_ratio", "p_value")] == [nw.Float64] * 2
    twin = clv.compare(some, models=models)
    ours = pl.DataFrame(rows(found, by="aic"), schema=twin.schema)
    assert_frame_equal(ours.drop("seconds"), twin.drop("seconds"), rel_tol=1e-9)


# Refusals


def test_nothing_to_compare(customers: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.compare(customers, models=[])
    assert str(caught.value) == "`models` is empty.\nName two models or more to compare."


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
