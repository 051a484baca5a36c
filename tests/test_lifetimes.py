"""To lifetimes and back: both libraries say the same of the same customers, in days or weeks."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, MissingColumnsError

FITTERS = {
    "bg_nbd": "BetaGeoFitter",
    "mbg_nbd": "ModifiedBetaGeoFitter",
    "pareto_nbd": "ParetoNBDFitter",
    "gamma_gamma": "GammaGammaFitter",
}
PURCHASES = ["bg_nbd", "mbg_nbd", "pareto_nbd"]
SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(scope="module")
def lifetimes() -> Any:
    """The other library, whose import sets a deprecated option of pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lifetimes", reason="needs crmkit[lifetimes]")


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """The customers of the founding papers."""
    orders: pd.DataFrame = load_cdnow(sample=True, backend="pandas")
    return rfm.summarize(orders, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def fits(customers: pd.DataFrame) -> dict[str, clv.Fit]:
    """Each model that both libraries have."""
    return {name: clv.fit(customers, model=name) for name in FITTERS}


def kept(fitter: Any, customers: pd.DataFrame, *, unit_days: float) -> Any:
    """Give a fitter the customers that it would have kept of its own fit."""
    of_time = {name: customers[name] / unit_days for name in ("recency", "T")}
    spent = customers["monetary_value"].notna()
    table = customers.assign(**of_time, weights=1)
    fitter.data = table[spent] if type(fitter).__name__ == "GammaGammaFitter" else table
    return fitter


# The other library is the twin


@pytest.mark.parametrize("unit_days", [1.0, 7.0])
@pytest.mark.parametrize("model", PURCHASES)
def test_lifetimes_forecasts_the_same(
    lifetimes: Any,
    customers: pd.DataFrame,
    fits: dict[str, clv.Fit],
    model: str,
    unit_days: float,
) -> None:
    fitter = clv.to_lifetimes(fits[model], unit_days=unit_days)
    assert type(fitter) is getattr(lifetimes, FITTERS[model])
    x, t_x, T = customers["frequency"], customers["recency"] / unit_days, customers["T"] / unit_days
    ahead = clv.predict(customers, purchases=fits[model], horizon_days=273)
    expected = fitter.predict(273 / unit_days, x, t_x, T)
    np.testing.assert_allclose(ahead["expected_purchases"], expected, rtol=1e-8)
    alive = fitter.conditional_probability_alive(x, t_x, T)
    np.testing.assert_allclose(ahead["p_alive"], alive, rtol=1e-8)
    new = fitter.expected_number_of_purchases_up_to_time(365 / unit_days)
    assert fits[model].model.expected_purchases_new(np.array([365.0])) == pytest.approx(
        new, rel=1e-8
    )


def test_lifetimes_expects_the_same_spend(
    customers: pd.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    spend = fits["gamma_gamma"]
    fitter = clv.to_lifetimes(spend, unit_days=7)
    ahead = clv.predict(customers, purchases=fits["bg_nbd"], spend=spend, horizon_days=90)
    expected = fitter.conditional_expected_average_profit(
        customers["frequency"], customers["monetary_value"].fillna(0)
    )
    np.testing.assert_allclose(ahead["expected_spend"], expected, rtol=1e-8)


@pytest.mark.parametrize("model", PURCHASES)
def test_a_fit_of_lifetimes_comes_over(
    lifetimes: Any, customers: pd.DataFrame, fits: dict[str, clv.Fit], model: str
) -> None:
    weeks = customers["recency"] / 7, customers["T"] / 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Left alone, its Pareto/NBD starts at random, and now and then stops elsewhere.
        fitter = getattr(lifetimes, FITTERS[model])().fit(
            customers["frequency"], *weeks, initial_params=np.ones(4)
        )
    found = clv.from_lifetimes(fitter, unit_days=7)
    weekly = {
        name: fitter.params_[name] * 7 for name in ("alpha", "beta") if name in found.estimates
    }
    assert {name: found.estimates[name] for name in weekly} == pytest.approx(weekly, rel=1e-12)
    # Its search ends where the fourth digit may still move.
    assert found.estimates == pytest.approx(fits[model].estimates, rel=2e-3)
    assert found.log_likelihood == pytest.approx(fits[model].log_likelihood, abs=1e-3)
    assert found.standard_errors == pytest.approx(fits[model].standard_errors, rel=5e-3)
    assert (found.n_customers, found.diagnostics) == (2357, ())
    assert found.likelihood.converged


def test_the_summary_of_lifetimes_has_its_errors(
    lifetimes: Any, customers: pd.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = lifetimes.BetaGeoFitter().fit(
            customers["frequency"], customers["recency"], customers["T"]
        )
    ours = clv.to_lifetimes(fits["bg_nbd"])
    # It rounds 1.95996 to 1.96.
    pd.testing.assert_frame_equal(ours.summary, own.summary, rtol=1e-3, check_names=False)
    assert repr(ours) == "<lifetimes.BetaGeoFitter: a: 0.79, alpha: 30.90, b: 2.43, r: 0.24>"


# There and back


@pytest.mark.parametrize("unit_days", [1.0, 7.0, 30.0])
@pytest.mark.parametrize("model", list(FITTERS))
def test_there_and_back_is_the_same_fit(
    customers: pd.DataFrame, fits: dict[str, clv.Fit], model: str, unit_days: float
) -> None:
    fitter = kept(
        clv.to_lifetimes(fits[model], unit_days=unit_days), customers, unit_days=unit_days
    )
    found = clv.from_lifetimes(fitter, unit_days=unit_days)
    assert found.name == model
    assert found.estimates == pytest.approx(fits[model].estimates, rel=1e-12)
    assert found.log_likelihood == pytest.approx(fits[model].log_likelihood, rel=1e-12)
    assert found.standard_errors == pytest.approx(fits[model].standard_errors, rel=1e-6)
    assert found.n_customers == fits[model].n_customers
    assert found.diagnostics == ()
    ahead = clv.Fit.from_json(found.to_json())
    assert ahead == found


def test_weights_count_customers(customers: pd.DataFrame, fits: dict[str, clv.Fit]) -> None:
    grouped = customers.groupby(["frequency", "recency", "T"], as_index=False).agg(
        weights=("customer_id", "size")
    )
    fitter = clv.to_lifetimes(fits["bg_nbd"])
    fitter.data = grouped
    found = clv.from_lifetimes(fitter)
    assert found.n_customers == 2357
    assert found.log_likelihood == pytest.approx(fits["bg_nbd"].log_likelihood, rel=1e-12)


def test_a_fitter_of_a_derived_class_is_read(
    lifetimes: Any, customers: pd.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    derived = type("OurFitter", (lifetimes.ModifiedBetaGeoFitter,), {})()
    derived.params_ = clv.to_lifetimes(fits["mbg_nbd"]).params_
    assert clv.from_lifetimes(kept(derived, customers, unit_days=1)).name == "mbg_nbd"


# Where lifetimes fails, by the same parameters


def test_a_or_s_of_one_is_no_exception(fits: dict[str, clv.Fit]) -> None:
    history = np.array([2.0]), np.array([140.0]), np.array([270.0])
    for model, name in (("bg_nbd", "a"), ("mbg_nbd", "a"), ("pareto_nbd", "s")):
        at_one = replace(fits[model].model, **{name: 1.0})
        likelihood = replace(fits[model].likelihood, model=at_one)
        fitter = clv.to_lifetimes(replace(fits[model], likelihood=likelihood))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not np.isfinite(fitter.predict(365, *history)).any()
        beside = replace(fits[model].model, **{name: 1 + 1e-6})
        expected = beside.expected_purchases(*history, horizon_days=365.0)
        found = at_one.expected_purchases(*history, horizon_days=365.0)
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_best_customer_who_bought_today_is_alive(fits: dict[str, clv.Fit]) -> None:
    history = np.array([120.0]), np.array([720.0]), np.array([720.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = clv.to_lifetimes(fits["pareto_nbd"]).conditional_probability_alive(*history)
    assert np.isnan(theirs).all()
    assert fits["pareto_nbd"].model.probability_alive(*history) == pytest.approx(1, abs=1e-3)


def test_many_purchases_have_a_chance(fits: dict[str, clv.Fit]) -> None:
    fitter = clv.to_lifetimes(fits["bg_nbd"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(fitter.probability_of_n_purchases_up_to_time(3650, 172))
        shown = fitter.probability_of_n_purchases_up_to_time(3650, 100)
    new = np.zeros((3, 1))
    found = fits["bg_nbd"].model.purchase_distribution(*new, horizon_days=3650.0, most=172)
    assert found[0, 100] == pytest.approx(shown, rel=1e-9)
    assert 0 < found[0, 172] < found[0, 100]


# Diagnostics


def test_a_penalizer_is_found_out(lifetimes: Any, customers: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = lifetimes.BetaGeoFitter(penalizer_coef=0.01).fit(
            customers["frequency"], customers["recency"], customers["T"]
        )
    found = clv.from_lifetimes(fitter)
    assert not found.likelihood.converged
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "These estimates of lifetimes are 13 below the largest log-likelihood: its search stopped "
        "early, or a penalizer moved it. Fit the model with crmkit.clv.fit."
    )
    assert 5 < clv.fit(customers, model="bg_nbd").log_likelihood - found.log_likelihood < 20


def test_estimates_that_the_data_do_not_identify_are_found_out(
    customers: pd.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    fitter = kept(clv.to_lifetimes(fits["bg_nbd"]), customers, unit_days=1)
    fitter.params_[["a", "b"]] *= 1e9  # no heterogeneity of dropout
    found = clv.from_lifetimes(fitter)
    (diagnosis,) = found.diagnostics
    assert diagnosis == (
        "The log-likelihood is flat in some direction from these estimates of lifetimes: the data "
        "do not identify all of them, or its search stopped early. crmkit.clv.fit finds out which."
    )
    assert set(found.standard_errors.values()) == {None}


def test_an_error_that_the_data_leave_open_stays_open(fits: dict[str, clv.Fit]) -> None:
    nothing = tuple((None,) * 4 for _ in range(4))
    fit = fits["bg_nbd"]
    likelihood: Any = fit.likelihood
    fitter = clv.to_lifetimes(replace(fit, likelihood=replace(likelihood, covariance_log=nothing)))
    assert fitter.standard_errors_.isna().all()
    assert fitter.params_.notna().all()


def test_the_warnings_of_a_program_stay_as_they_were() -> None:
    pytest.importorskip("dill", reason="needs crmkit[lifetimes]")
    code = (
        "import warnings\n"
        "from crmkit import clv\n"
        "from crmkit.models import MaximumLikelihood, GammaGamma\n"
        "top = MaximumLikelihood(GammaGamma(6., 4., 15.), -1., 9, ('p', 'q', 'v'),\n"
        "    ((1., 0., 0.), (0., 1., 0.), (0., 0., 1.)), 0., (1., 1., 1.), True, ())\n"
        "import pandas\n"
        "before = list(warnings.filters)\n"
        "clv.to_lifetimes(clv.Fit('gamma_gamma', top))\n"
        "assert warnings.filters == before\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Refusals


@pytest.mark.parametrize("unit_days", [0, -1, math.nan, math.inf])
def test_a_unit_must_be_some_days(fits: dict[str, clv.Fit], unit_days: float) -> None:
    message = f"`unit_days` must be above 0, got {unit_days}.\nWrite 7 for weeks, 1 for days."
    with pytest.raises(InvalidArgumentError) as there:
        clv.to_lifetimes(fits["bg_nbd"], unit_days=unit_days)
    with pytest.raises(InvalidArgumentError) as back:
        clv.from_lifetimes(clv.to_lifetimes(fits["bg_nbd"]), unit_days=unit_days)
    assert str(there.value) == str(back.value) == message


def test_a_model_that_lifetimes_has_not_is_refused(customers: pd.DataFrame) -> None:
    fit = clv.fit(customers, model="nbd")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.to_lifetimes(fit)
    assert str(caught.value) == (
        f"lifetimes has no model for {fit!r}.\n"
        "Fit one of 'bg_nbd', 'mbg_nbd', 'pareto_nbd', 'gamma_gamma', without covariates."
    )


def test_what_is_no_fitter_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.from_lifetimes({"r": 0.24})
    assert str(caught.value) == (
        "This is a dict.\n"
        "Give a fitter of lifetimes: one of BetaGeoFitter, ModifiedBetaGeoFitter, "
        "ParetoNBDFitter, GammaGammaFitter."
    )


def test_a_fitter_without_estimates_is_refused(lifetimes: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.from_lifetimes(lifetimes.BetaGeoFitter())
    assert str(caught.value) == (
        "This BetaGeoFitter has not been fitted.\nCall its `fit`, or crmkit.clv.fit."
    )


def test_a_fitter_without_its_customers_is_refused(fits: dict[str, clv.Fit]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.from_lifetimes(clv.to_lifetimes(fits["gamma_gamma"]))
    assert str(caught.value) == (
        "This GammaGammaFitter has no `data` to compute the likelihood from.\n"
        "Set its `data` to a table with the columns frequency, monetary_value that it was "
        "fitted on."
    )


def test_customers_without_a_column_are_refused(
    customers: pd.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    fitter = clv.to_lifetimes(fits["bg_nbd"])
    fitter.data = customers[["frequency", "recency"]]
    with pytest.raises(MissingColumnsError) as caught:
        clv.from_lifetimes(fitter)
    assert str(caught.value) == (
        "BetaGeoFitter.data: no column T among frequency, recency.\n"
        "Set `data` to the table that it was fitted on."
    )


def test_without_lifetimes_it_says_what_to_install(
    fits: dict[str, clv.Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.to_lifetimes(fits["bg_nbd"])
    assert str(caught.value) == (
        "The package lifetimes is not installed.\nRun: pip install crmkit[lifetimes]"
    )
