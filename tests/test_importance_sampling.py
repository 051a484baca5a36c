"""Importance sampling: the tail of the weights, better proposals, many parameters at once."""

from __future__ import annotations

import math
from datetime import date
from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.models import BGCNBDK, BGNBD, MBGNBD, Floats
from crmkit.models.posterior.importance_sampling import (
    ImportanceSample,
    importance_sample,
    pareto_k_threshold,
    pareto_smoothed,
)
from crmkit.models.posterior.likelihood_of_draws import log_likelihoods
from crmkit.models.posterior.log_posterior import LogPosterior, SharedPrior
from tests.strategies import History, histories

BG_NBD = ("r", "alpha", "a", "b")


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


# Published


@pytest.mark.parametrize(
    ("draws", "expected"), [("100", "0.50"), ("1000", "0.67"), ("4000", "0.70")]
)
def test_the_bound_on_pareto_k_is_the_papers(draws: str, expected: str) -> None:
    # Vehtari et al. (2024), section 3.2.4: 1 - 1 / log10(S), and 0.7 from 2,200 draws on.
    assert f"{pareto_k_threshold(int(draws)):.2f}" == expected


# Twins


@given(
    table=histories(max_size=5),
    logs=st.lists(st.tuples(*[st.floats(-6, 9)] * 4), min_size=1, max_size=4),
    model=st.sampled_from([BGNBD, MBGNBD, partial(BGCNBDK, k=3)]),
)
def test_many_parameters_at_once_are_as_one_by_one(
    table: History, logs: list[tuple[float, ...]], model: type[BGNBD | MBGNBD]
) -> None:
    x, t_x, _ = table
    assume(isinstance(model, type) or not ((x > 0) & (t_x == 0)).any())  # refused by CNBD-k
    points, weights = np.exp(logs), np.arange(1.0, len(x) + 1)
    some = model(*points[0].tolist())
    found = log_likelihoods(some, points, names=BG_NBD, columns=table, weights=weights)
    expected = [weights @ model(*point).log_likelihood(*table) for point in points.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "nbd", "gamma_gamma"])
def test_the_first_proposal_is_the_bell_curve_of_the_fit(
    customers: pl.DataFrame, model: str
) -> None:
    # With a prior that says nothing: its mode is the fit's, its covariance that of the exact
    # second derivatives.
    fitted = clv.fit(customers, model=model)
    names = fitted.likelihood.names
    spend = model == "gamma_gamma"
    some = customers.filter(pl.col("frequency") > 0) if spend else customers
    columns = ["frequency", "monetary_value"] if spend else ["frequency", "recency", "T"]
    density = LogPosterior(
        SharedPrior(fitted.model, names, np.zeros(len(names)), np.full(len(names), 1e4)),
        columns=[some[column].to_numpy().astype(float) for column in columns],
        weights=np.ones(len(some)),
    )
    mode = density.mode()
    np.testing.assert_allclose(np.exp(mode), list(fitted.estimates.values()), rtol=1e-5)
    expected = np.array(fitted.likelihood.covariance_log, dtype=float)
    np.testing.assert_allclose(density.covariance(mode), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_pareto_k_is_the_shape_of_the_weights_tail(shape: float) -> None:
    weights = stats.genpareto.rvs(shape, size=100_000, random_state=3)
    smooth, k = pareto_smoothed(np.log(weights))
    assert k == pytest.approx(shape, abs=0.1)
    assert smooth.sum() == pytest.approx(1)
    assert (smooth > 0).all()


# Properties


def test_smoothing_keeps_the_order_and_all_but_the_largest() -> None:
    weights = stats.genpareto.rvs(0.5, size=1000, random_state=4)
    smooth, _ = pareto_smoothed(np.log(weights))
    order = np.argsort(weights)
    assert (np.diff(smooth[order]) >= 0).all()
    kept = order[: -math.ceil(3 * math.sqrt(1000))]
    np.testing.assert_allclose(
        smooth[kept] / smooth[kept].sum(), weights[kept] / weights[kept].sum()
    )


def test_a_better_proposal_is_found_where_the_first_is_far_off() -> None:
    # A normal target two of its deviations away from a proposal that is twice too narrow.
    def log_density(points: Floats) -> Floats:
        value: Floats = -((points - 2.0) ** 2).sum(axis=1) / 2
        return value

    sample = importance_sample(
        log_density,
        centre=np.zeros(3),
        covariance=0.25 * np.eye(3),
        draws=4000,
        rng=np.random.default_rng(5),
    )
    assert sample.round > 1
    assert sample.is_reliable
    np.testing.assert_allclose(sample.weights @ sample.points, 2.0, atol=0.1)


def test_weights_that_cannot_be_trusted_are_owned_up_to() -> None:
    # A target without a mean, in more dimensions than draws can fill.
    def log_density(points: Floats) -> Floats:
        exponent = 0.5 + points.shape[1] / 2
        value: Floats = -exponent * np.log1p(1e4 * (points**2).sum(axis=1))
        return value

    sample = importance_sample(
        log_density,
        centre=np.zeros(20),
        covariance=1e-4 * np.eye(20),
        draws=100,
        rng=np.random.default_rng(6),
    )
    assert not sample.is_reliable
    assert sample.pareto_k > pareto_k_threshold(100) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.integers(0, 9))
def test_evened_draws_come_as_often_as_they_weigh(weights: list[float], seed: int) -> None:
    shares = np.array(weights) + 1e-3
    shares /= shares.sum()
    n = len(shares)
    sample = ImportanceSample(np.arange(float(n))[:, np.newaxis], shares, pareto_k=0.0, round=1)
    drawn = sample.resampled(np.random.default_rng(seed))[:, 0].astype(int)
    times = np.bincount(drawn, minlength=n)
    assert times.sum() == n
    assert (np.abs(times - n * shares) < 1 + 1e-9).all()


def test_equal_weights_are_worth_all_draws() -> None:
    weights, pareto_k = pareto_smoothed(np.zeros(200))
    sample = ImportanceSample(np.zeros((200, 1)), weights, pareto_k, round=1)
    assert sample.effective_sample_size == pytest.approx(200)
    assert pareto_k == -math.inf
    assert sample.is_reliable
