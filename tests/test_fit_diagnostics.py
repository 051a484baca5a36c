"""Diagnostics of a fit whose search ended well on data that identify little."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crmkit import clv, rfm
from crmkit.clv import Fit, LogNormal
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning
from crmkit.models import BGNBD, NBD, PURCHASE_MODELS
from tests.strategies import summarized


def table(truth: Any, n_customers: int, *, seed: int = 0, days: float = 365.0) -> pd.DataFrame:
    """A summary of simulated customers, all of one age; purchases of one day are one."""
    T = np.full(n_customers, days)
    customer, age = truth.simulate(T, rng=np.random.default_rng(seed))
    customer, day = np.unique([customer, np.ceil(age)], axis=1).astype(np.int64)
    x, t_x, _ = summarized(customer, day.astype(np.float64), T)
    return pd.DataFrame({"customer_id": range(n_customers), "frequency": x, "recency": t_x, "T": T})


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """The sample of the founding paper."""
    orders = load_cdnow(sample=True, backend="pandas")
    return rfm.summarize(orders, as_of=date(1997, 9, 30))


# Properties

NO_DROPOUT = [name for name in PURCHASE_MODELS if "cnbd" not in name and name != "nbd"]


@pytest.mark.parametrize("name", NO_DROPOUT)
def test_without_dropout_each_model_says_so(name: str) -> None:
    customers = table(NBD(r=1.2, alpha=60.0), 1500, seed=3)
    with pytest.warns(CrmkitWarning):
        found = clv.fit(customers, model=name)
    assert any("the NBD, without dropout," in note for note in found.diagnostics)
    plain = clv.fit(customers, model="nbd")
    assert found.log_likelihood < plain.log_likelihood + 2
    assert plain.diagnostics == ()


def test_with_dropout_there_are_no_diagnostics(cdnow: pd.DataFrame) -> None:
    for name in ("bg_nbd", "mbg_nbd", "pareto_nbd"):
        assert clv.fit(cdnow, model=name).diagnostics == ()


def test_the_simpler_model_is_named_with_what_it_lacks() -> None:
    customers = table(NBD(r=1.2, alpha=60.0), 1500, seed=12)
    with pytest.warns(CrmkitWarning):
        found = clv.fit(customers, model="bg_nbd")
    lacks = found.log_likelihood - clv.fit(customers, model="nbd").log_likelihood
    assert found.diagnostics[-1] == (
        f"The data show hardly any dropout: the model gains {lacks:.2f} in log-likelihood over "
        "the NBD, without dropout, which would do."
    )


def test_a_forecast_far_from_the_recent_past_is_said() -> None:
    # A shop that closed after its first year, and a model without dropout.
    T = np.full(1000, 730.0)
    customer, age = NBD(r=1.2, alpha=60.0).simulate(T / 2, rng=np.random.default_rng(1))
    customer, day = np.unique([customer, np.ceil(age)], axis=1).astype(np.int64)
    x, t_x, _ = summarized(customer, day.astype(np.float64), T)
    closed = pd.DataFrame(
        {"customer_id": range(1000), "frequency": x, "recency": t_x, "T": T.astype(int)}
    )
    with pytest.warns(CrmkitWarning, match="far from the recent past"):
        found = clv.fit(closed, model="nbd")
    chances = clv.purchase_distribution(closed, purchases=found, horizon_days=182, most=1)
    expected = (1 - chances["p_0"]).sum()
    assert found.diagnostics[-1] == (
        f"The forecast is far from the recent past: {expected:.0f} customers expected to buy in "
        "the next 182 days, where 0 did in the last 182. Test it on held-out days before use."
    )


@pytest.mark.parametrize("name", ["nbd", "bg_nbd", "pareto_nbd"])
def test_a_handful_of_repeat_buyers_is_too_few(name: str) -> None:
    customers = table(BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426), 40, seed=2, days=30.0)
    again = int((customers["frequency"] > 0).sum())
    assert 0 < again < 10
    with pytest.warns(CrmkitWarning):
        found = clv.fit(customers, model=name)
    assert (
        f"Only {again} of 40 customers bought again, too few to estimate how "
        "customers differ. Observe them for longer."
    ) in found.diagnostics


def test_a_handful_of_amounts_is_too_few() -> None:
    amounts = [12.0, 30.0, 7.5, 22.0]
    customers = pd.DataFrame(
        {"customer_id": range(4), "frequency": [2, 3, 1, 4], "monetary_value": amounts}
    )
    with pytest.warns(CrmkitWarning):
        found = clv.fit(customers, model="gamma_gamma")
    assert found.diagnostics[-1] == (
        "Only 4 customers bought again, too few to estimate how customers differ. "
        "Observe them for longer."
    )


def test_a_handful_of_ended_contracts_is_too_few() -> None:
    survivors = pd.DataFrame({"period": range(4), "survivors": [20, 17, 16, 15]})
    with pytest.warns(CrmkitWarning):
        found = clv.fit_retention(survivors, every="year")
    assert found.diagnostics[-1] == (
        "Only 5 of 20 customers left, too few to estimate how customers differ. "
        "Observe them for longer."
    )


# Priors and penalties stay with the fit


def test_a_prior_stays_with_the_fit(cdnow: pd.DataFrame) -> None:
    prior = {"r": LogNormal(median=1.0, log_deviation=0.1)}
    found = clv.fit(cdnow, model="bg_nbd", prior=prior)
    assert dict(found.prior) == prior
    assert repr(found).endswith("2,357 customers, prior on r)")
    assert Fit.from_json(found.to_json()) == found
    assert found != clv.fit(cdnow, model="bg_nbd")


def test_a_penalty_stays_with_the_fit(cdnow: pd.DataFrame) -> None:
    customers = cdnow.assign(side=cdnow["customer_id"].astype(int) % 2)
    found = clv.fit(customers, model="bg_nbd", covariates=["side"], penalty=1.5)
    assert found.penalty == 1.5
    assert repr(found).endswith("2,357 customers, penalty 1.5)")
    assert Fit.from_json(found.to_json()) == found


def test_a_posterior_has_the_prior_of_the_fit(cdnow: pd.DataFrame) -> None:
    prior = {"r": LogNormal(median=1.0, log_deviation=0.1)}
    with_fit, plain = (clv.fit(cdnow, model="bg_nbd", prior=held) for held in (prior, None))
    by_fit = clv.posterior(cdnow, fit=with_fit)
    by_name = clv.posterior(cdnow, fit=plain, prior=prior)
    assert by_fit.prior == by_name.prior
    assert by_fit.means == pytest.approx(by_name.means, rel=0.02)
    assert by_fit.means["r"] > clv.posterior(cdnow, fit=plain).means["r"] * 1.2
    wide = {"r": LogNormal(median=1.0, log_deviation=2.0)}
    assert clv.posterior(cdnow, fit=with_fit, prior=wide).prior[0] == wide["r"]


def test_a_posterior_holds_coefficients_by_the_penalty_of_the_fit(cdnow: pd.DataFrame) -> None:
    # A penalty of 50 on the square is a normal prior with a standard deviation of 1/10.
    customers = cdnow.assign(side=cdnow["customer_id"].astype(int) % 2 * 1.0)
    found = clv.fit(customers, model="bg_nbd", covariates={"purchases": ["side"]}, penalty=50.0)
    possible = clv.posterior(customers, fit=found, draws=400)
    prior = possible.prior[-1]
    assert isinstance(prior, clv.Normal)
    assert prior.mean == 0
    assert prior.deviation == pytest.approx(0.1 / 0.5, rel=1e-3)
