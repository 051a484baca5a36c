"""Fits from published parameters, and fits in a paper's unit of time."""

from __future__ import annotations

import inspect
import math
import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.models import BGNBD, PURCHASE_MODELS, SPEND_MODELS
from tests.published import printed

IN_WEEKS: Any = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    orders = load_cdnow(sample=True, backend="pandas")
    return rfm.summarize(orders, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def given() -> clv.Fit:
    """The parameters that the founding paper prints."""
    return clv.Fit.of("bg_nbd", unit="week", **IN_WEEKS)


# Published


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # Fader, Hardie & Lee (2005), Table 2: parameters in weeks, log-likelihood.
        (
            "bg_nbd",
            {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426", "": "-9582.4"},
        ),
        (
            "pareto_nbd",
            {"r": "0.553", "alpha": "10.578", "s": "0.606", "beta": "11.669", "": "-9595.0"},
        ),
        ("nbd", {"": "-9763.7"}),
    ],
)
def test_a_fit_in_weeks_prints_as_the_paper_does(
    customers: pd.DataFrame, model: str, expected: dict[str, str]
) -> None:
    found = clv.fit(customers, model=model).in_units("week")
    values = {**found.estimates, "": found.log_likelihood}
    for name, like in expected.items():
        value = values[name]
        assert value is not None
        assert printed(value, like=like) == like


def test_the_worked_customer_of_the_paper_by_its_printed_parameters(given: clv.Fit) -> None:
    # brucehardie.com/notes/004: x = 2, t_x = 30.43 weeks, T = 38.86 weeks, 39 weeks ahead.
    one = pd.DataFrame({"frequency": [2], "recency": [213], "T": [272]})
    ahead = clv.expected_purchases(one, purchases=given, horizon_days=39 * 7)
    assert printed(ahead["expected_purchases"].item(), like="1.226") == "1.226"


# Given parameters


def test_parameters_come_in_any_unit() -> None:
    in_days = clv.Fit.of("bg_nbd", r=0.243, alpha=7 * 4.414, a=0.793, b=2.426)
    in_weeks = clv.Fit.of("bg_nbd", unit="week", **IN_WEEKS)
    assert in_weeks.estimates == pytest.approx(in_days.estimates)
    year = clv.Fit.of("ggompertz_nbd", unit="year", r=0.5, alpha=1, b=0.1, s=2, beta=3)
    assert year.estimates == pytest.approx(
        {"r": 0.5, "alpha": 365.25, "b": 0.1 / 365.25, "s": 2, "beta": 3}
    )
    money = clv.Fit.of("gamma_gamma", unit="week", p=6.25, q=3.74, v=15.44)
    assert money.estimates == {"p": 6.25, "q": 3.74, "v": 15.44}


def test_there_and_back_is_the_same(given: clv.Fit) -> None:
    found = given.in_units("week")
    assert found.estimates == pytest.approx(IN_WEEKS)
    assert (found.log_likelihood, found.aic, found.bic) == (None, None, None)
    assert repr(found) == "BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426; by week)"


def test_a_given_fit_is_a_value(given: clv.Fit) -> None:
    assert given == clv.Fit.of("bg_nbd", unit="week", **IN_WEEKS)
    assert repr(given) == "BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426; given, not fitted)"
    assert isinstance(given.model, BGNBD)
    assert (given.n_customers, given.n_parameters, given.diagnostics) == (0, 4, ())
    assert given.standard_errors == dict.fromkeys(IN_WEEKS)
    assert given.intervals() == dict.fromkeys(IN_WEEKS)
    assert given.is_given
    assert hash(given) == hash(clv.Fit.from_json(given.to_json()))


def test_a_given_fit_predicts_as_one_that_was_fitted(customers: pd.DataFrame) -> None:
    fitted = clv.fit(customers, model="pareto_nbd")
    parameters: Any = fitted.estimates
    given = clv.Fit.of("pareto_nbd", **parameters)
    money = clv.fit(customers, model="gamma_gamma")
    amounts: Any = money.estimates
    spend = clv.Fit.of("gamma_gamma", **amounts)
    ahead = [
        clv.predict(customers, purchases=one, spend=other, horizon_days=273)
        for one, other in ((fitted, money), (given, spend))
    ]
    pd.testing.assert_frame_equal(*ahead)
    for function in (clv.probability_alive, clv.discounted_purchases):
        more = {} if function is clv.probability_alive else {"annual_discount_rate": 0.1}
        found = [function(customers, purchases=one, **more) for one in (fitted, given)]
        pd.testing.assert_frame_equal(*found)


def test_a_given_fit_simulates_and_tracks(given: clv.Fit) -> None:
    ledger = clv.simulate(
        purchases=given,
        n_customers=50,
        start=date(2024, 1, 1),
        acquisition_days=10,
        as_of=date(2024, 6, 30),
        seed=1,
    )
    assert isinstance(ledger, pd.DataFrame)
    assert ledger["customer_id"].nunique() == 50
    seen = clv.tracking(ledger, purchases=given, every="month", as_of=date(2024, 6, 30))
    assert len(seen) == 6
    seen = clv.pattern(ledger, purchases=given, as_of=date(2024, 6, 30), horizon_days=28)
    assert seen.kind == "none"


def test_an_interval_of_a_given_fit_says_what_it_lacks(
    customers: pd.DataFrame, given: clv.Fit
) -> None:
    spend = clv.fit(customers, model="gamma_gamma")
    with pytest.warns(CrmkitWarning) as caught:
        found = clv.predict(customers, purchases=given, spend=spend, horizon_days=91, level=0.9)
    (message,) = [str(each.message) for each in caught]
    assert message == (
        "bg_nbd: its parameters were given without standard errors, so the interval takes them as "
        "exact and is too narrow.\nFit the model with crmkit.clv.fit()."
    )
    assert np.allclose(found["p_alive_lower"], found["p_alive"])
    assert (found["clv_lower"] <= found["clv_upper"]).all()
    with pytest.warns(CrmkitWarning):
        total = clv.predict_total(customers, purchases=given, horizon_days=91)
    lower, upper = (total[f"expected_purchases_{bound}"].item() for bound in ("lower", "upper"))
    assert lower < total["expected_purchases"].item() < upper


def test_a_given_fit_goes_to_lifetimes(given: clv.Fit) -> None:
    fitter = clv.to_lifetimes(given, unit_days=7)
    assert fitter.params_.to_dict() == pytest.approx(IN_WEEKS)
    assert fitter.standard_errors_.isna().all()


NO_LIKELIHOOD = (
    "This bg_nbd was made from given parameters, so it has no log-likelihood.\n"
    "Evaluate it with crmkit.clv.compare(customers, models=[...])."
)


@pytest.mark.parametrize("name", ["log_likelihood", "aic", "bic"])
def test_what_a_given_fit_lacks_is_said_in_words(given: clv.Fit, name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        getattr(given, name)
    assert str(caught.value) == NO_LIKELIHOOD


def test_a_posterior_needs_data(customers: pd.DataFrame, given: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(customers, fit=given)
    assert str(caught.value) == (
        "`fit` was made from given parameters, so it has no data for a posterior.\n"
        "Fit the model with crmkit.clv.fit()."
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("bg_nbt", {}, "`name` must be one of {models}, got 'bg_nbt'.\nDid you mean 'bg_nbd'?"),
        (
            "sbg",
            {"alpha": 1, "beta": 1},
            "`name` is 'sbg', but it is for contracts: see crmkit.clv.fit_retention().",
        ),
        ("nbd", {"r": 1}, "`nbd` needs `alpha`; its parameters are r, alpha."),
        (
            "nbd",
            {"r": 1, "alpha": 1, "k": 2},
            "`nbd` has no parameter `k`; its parameters are r, alpha.",
        ),
        ("nbd", {"r": "1", "alpha": 1}, "`r` must be a number, got '1'."),
        (
            "nbd",
            {"r": 1, "alpha": 1, "unit": "weeks"},
            (
                "`unit` must be one of 'day', 'week', 'month', 'quarter', 'year', got 'weeks'.\n"
                "Did you mean 'week'?"
            ),
        ),
    ],
)
def test_parameters_that_make_no_fit(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.Fit.of(name, **arguments)
    models = ", ".join(map(repr, [*PURCHASE_MODELS, *SPEND_MODELS]))
    assert str(caught.value) == message.format(models=models)


# Units


@pytest.mark.filterwarnings("ignore::crmkit.CrmkitWarning")
@pytest.mark.parametrize("model", ["bg_nbd", "mbg_cnbd_k", "ggompertz_nbd"])
def test_a_unit_shifts_the_likelihood_as_the_data_in_that_unit_do(
    customers: pd.DataFrame, model: str
) -> None:
    fitted = clv.fit(customers.head(600), model=model)
    found = fitted.in_units("week")
    x, t_x, T = (
        customers.head(600)[name].to_numpy().astype(float) for name in ("frequency", "recency", "T")
    )
    in_weeks = found.model.log_likelihood(x, t_x / 7, T / 7).sum()
    assert found.log_likelihood == pytest.approx(in_weeks, rel=1e-9)
    assert found.aic == pytest.approx(2 * fitted.n_parameters - 2 * in_weeks)
    assert found.bic == pytest.approx(fitted.n_parameters * math.log(600) - 2 * in_weeks)
    in_days = fitted.in_units("day")
    assert (in_days.estimates, in_days.log_likelihood) == (
        fitted.estimates,
        fitted.log_likelihood,
    )


def test_spend_has_no_unit_of_time(customers: pd.DataFrame) -> None:
    fitted = clv.fit(customers, model="gamma_gamma")
    found = fitted.in_units("year")
    assert (found.estimates, found.log_likelihood) == (fitted.estimates, fitted.log_likelihood)


def test_coefficients_of_covariates_have_no_unit(customers: pd.DataFrame) -> None:
    known = customers.assign(side=customers["customer_id"].astype(int) % 2)
    fitted = clv.fit(known, model="bg_nbd", covariates={"purchases": ["side"]})
    found = fitted.in_units("week")
    name = "purchases: side"
    assert found.estimates[name] == fitted.estimates[name]
    assert found.estimates["alpha"] == pytest.approx(fitted.estimates["alpha"] / 7)
    assert found.log_likelihood is not None


def test_a_wrong_unit_is_refused(given: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        given.in_units("weekly")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "`unit` must be one of 'day', 'week', 'month', 'quarter', 'year', got 'weekly'.\n"
        "Did you mean 'week'?"
    )


# Facts


def test_the_table_of_models_is_that_of_the_registries() -> None:
    text = inspect.getdoc(clv.fit) or ""
    listed = re.findall(r"^    ``(\w+)``  +\S", text, flags=re.MULTILINE)
    assert listed == [*PURCHASE_MODELS, *SPEND_MODELS]


def test_the_table_of_covariates_is_that_of_the_models() -> None:
    text = (inspect.getdoc(clv.fit) or "").partition("Notes\n-----\n")[2]
    named = set(re.findall(r"``(\w+_\w+)``", text))
    models: dict[str, Any] = {**PURCHASE_MODELS, **SPEND_MODELS}
    assert named == {name for name, model in models.items() if model.links}
