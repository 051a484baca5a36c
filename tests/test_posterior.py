"""Draws of parameters against a Markov chain and a grid of our own, then what must hold."""

from __future__ import annotations

import math
import warnings
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from crmkit import clv, rfm
from crmkit.clv import LogNormal
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError
from crmkit.models import Floats
from tests.conftest import MAKERS

pytestmark = pytest.mark.slow
BG_NBD = ("r", "alpha", "a", "b")

FEW: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e", "f"],
    "frequency": [0, 1, 0, 2, 0, 4],
    "recency": [0, 5, 0, 30, 0, 60],
    "T": [40, 50, 60, 70, 30, 90],
}


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def fitted(customers: pl.DataFrame) -> clv.Fit:
    """BG/NBD on them."""
    return clv.fit(customers, model="bg_nbd")


@pytest.fixture(scope="module")
def found(customers: pl.DataFrame, fitted: clv.Fit) -> clv.Posterior:
    """Its posterior."""
    return clv.posterior(customers, fit=fitted)


def fit_quietly(table: Any, model: str) -> clv.Fit:
    """Fit data that leave parameters open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        return clv.fit(table, model=model)


# Twins


class Chains:
    """Plain random-walk Metropolis on BG/NBD's log parameters, many chains in step."""

    def __init__(self, customers: pl.DataFrame, prior: Any) -> None:
        rows = customers.group_by("frequency", "recency", "T").len()
        self.x, t_x, T, self.n = (rows[name].to_numpy().astype(float) for name in rows.columns)
        self.counts, self.of_x = np.unique(self.x, return_inverse=True)
        self.last, self.of_last = np.unique(t_x, return_inverse=True)
        self.ages, self.of_age = np.unique(T, return_inverse=True)
        self.centre = np.log([one.median for one in prior])
        self.deviation = np.array([one.log_deviation for one in prior])

    def log_posterior(self, points: Floats) -> Floats:
        """Fader, Hardie & Lee (2005), eq. 6, for each row of log parameters."""
        r, alpha, a, b = np.exp(points).T[:, :, np.newaxis]
        x = self.counts
        gammas = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
        betas = special.betaln(a, b + x) - special.betaln(a, b)
        left = np.where(x > 0, np.log(a / (b + np.maximum(x, 1) - 1)), -np.inf)
        shape = (r + x)[:, self.of_x]
        log_age = np.log(alpha + self.ages)[:, self.of_age]
        log_last = np.log(alpha + self.last)[:, self.of_last]
        gone_by_stayed = np.exp(left[:, self.of_x] + shape * (log_age - log_last))
        likely = (np.log1p(gone_by_stayed) - shape * log_age) @ self.n
        likely += (gammas + betas) @ np.bincount(self.of_x, self.n)
        off = (points - self.centre) / self.deviation
        value: Floats = likely - (off**2).sum(axis=1) / 2
        return value

    def run(self, start: Floats, steps: Floats, *, n_steps: int, seed: int) -> Floats:
        """Walk, and give every place visited: steps by chains by parameters."""
        dice = np.random.default_rng(seed)
        at, value = start, self.log_posterior(start)
        visited = np.empty((n_steps, *start.shape))
        for i in range(n_steps):
            tried = at + dice.standard_normal(at.shape) @ steps.T
            new = self.log_posterior(tried)
            accept = np.log(dice.random(len(at))) < new - value
            at = np.where(accept[:, np.newaxis], tried, at)
            value = np.where(accept, new, value)
            visited[i] = at
        return visited


@pytest.mark.full
def test_draws_are_those_of_a_long_random_walk(
    customers: pl.DataFrame, fitted: clv.Fit, found: clv.Posterior
) -> None:
    # 100 chains of 2,000 steps each, after 250 to forget where they began.
    chains = Chains(customers, found.prior)
    root = np.linalg.cholesky(np.array(fitted.likelihood.covariance_log, dtype=float))
    begin = np.log(list(fitted.estimates.values()))
    start = begin + np.random.default_rng(1).standard_normal((100, 4)) @ root.T
    walked = chains.run(start, 2.4 / math.sqrt(4) * root, n_steps=2250, seed=2)[250:]
    ours = np.log(found.draws)
    middle, deviation = walked.mean(axis=(0, 1)), walked.std(axis=(0, 1))
    for theirs, draws in (
        (walked - middle, ours - middle),
        ((walked - middle) ** 2, (ours - middle) ** 2),
    ):
        by_chain = theirs.mean(axis=0)
        error = by_chain.std(axis=0) / math.sqrt(len(by_chain))
        own_error = draws.std(axis=0) / math.sqrt(found.effective_sample_size)
        off = np.abs(draws.mean(axis=0) - by_chain.mean(axis=0))
        assert (off < 4 * np.hypot(error, own_error)).all()
        # The walk is at least as precise as the draws are.
        assert (error < 1.5 * own_error).all()
    assert (np.abs(ours.mean(axis=0) - middle) < 0.1 * deviation).all()


def test_draws_are_those_of_a_grid() -> None:
    # NBD has two parameters, so that the posterior can be summed up over a grid.
    table = pl.DataFrame(FEW)
    fitted = fit_quietly(table, "nbd")
    found = clv.posterior(table, fit=fitted, draws=20_000)
    x, T = (table[name].to_numpy().astype(float) for name in ("frequency", "T"))
    log_r, log_alpha = np.meshgrid(np.linspace(-9, 9, 400), np.linspace(-6, 14, 400))
    r, alpha = np.exp(log_r)[..., np.newaxis], np.exp(log_alpha)[..., np.newaxis]
    likely = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
    log_density = (likely - (r + x) * np.log(alpha + T)).sum(axis=-1)
    for logs, one in zip((log_r, log_alpha), found.prior, strict=True):
        assert isinstance(one, LogNormal)
        log_density += stats.norm.logpdf(logs, math.log(one.median), one.log_deviation)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    for logs, draws in zip((log_r, log_alpha), np.log(found.draws).T, strict=True):
        mean = (density * logs).sum()
        deviation = math.sqrt((density * (logs - mean) ** 2).sum())
        error = deviation / math.sqrt(found.effective_sample_size)
        assert abs(draws.mean() - mean) < 4 * error
        assert abs(draws.std() / deviation - 1) < 4 / math.sqrt(found.effective_sample_size)


# Properties


def test_on_the_papers_customers_most_draws_count(found: clv.Posterior) -> None:
    assert found.draws.shape == (4000, 4)
    assert found.effective_sample_size > 2000
    assert found.pareto_k < 0.7
    assert (found.round, found.diagnostics) == (1, ())


def test_wide_priors_give_way_to_data(fitted: clv.Fit, found: clv.Posterior) -> None:
    mode = {name: getattr(found.mode, name) for name in found.names}
    for name, error in fitted.standard_errors.items():
        assert error is not None
        assert abs(mode[name] - fitted.estimates[name]) < 0.1 * error
        assert found.standard_deviations[name] == pytest.approx(error, rel=0.2)
        low, high = found.intervals(level=0.9)[name]
        assert low < fitted.estimates[name] < high


def test_a_sure_prior_gives_way_to_nothing(customers: pl.DataFrame, fitted: clv.Fit) -> None:
    sure = clv.posterior(
        customers, fit=fitted, prior={"a": LogNormal(median=0.5, log_deviation=0.01)}
    )
    low, high = sure.intervals(level=0.98)["a"]
    assert 0.5 * 0.97 < low < high < 0.5 * 1.04
    assert sure.prior[2] == LogNormal(median=0.5, log_deviation=0.01)


def test_what_the_data_leave_open_the_prior_holds() -> None:
    # One history over and over: heterogeneity is not identified, and the search runs away.
    alike = pl.DataFrame({"frequency": [3] * 50, "recency": [90] * 50, "T": [100] * 50})
    fitted = fit_quietly(alike, "bg_nbd")
    assert fitted.estimates["alpha"] > 1e6
    found = clv.posterior(alike, fit=fitted)
    assert found.diagnostics == ()
    assert found.draws[:, 1].max() < 1e6
    # The rate is identified: 150 purchases in 5,000 days.
    rate = found.draws[:, 0] / found.draws[:, 1]
    assert np.quantile(rate, 0.05) < 150 / 5000 < np.quantile(rate, 0.95)


def test_draws_that_cannot_be_trusted_come_with_a_warning() -> None:
    # Six customers, a prior that lets a parameter be anything at all, and few draws.
    table = pl.DataFrame(FEW)
    anything = {name: LogNormal(1.0, 60.0) for name in ("r", "alpha", "a", "b")}
    fitted = fit_quietly(table, "bg_nbd")
    with pytest.warns(CrmkitWarning) as caught:
        found = clv.posterior(table, fit=fitted, draws=100, prior=anything)
    (note,) = found.diagnostics
    assert note == (
        f"Pareto-k is {found.pareto_k:.2f}, above 0.50, after all rounds of draws: few draws carry "
        "most of the weight, as the data hardly identify the parameters. Make more draws or narrow "
        "the prior, or do not rely on the intervals."
    )
    assert str(caught[0].message) == f"bg_nbd: {note}"


@pytest.mark.parametrize(("model", "parameter"), [("bg_nbd", "alpha"), ("nbd", "alpha")])
def test_the_clock_does_not_matter(model: str, parameter: str) -> None:
    days = pl.DataFrame(FEW)
    weeks = days.with_columns(pl.col("recency", "T") * 7)
    ours, theirs = (clv.posterior(t, fit=fit_quietly(t, model), draws=500) for t in (days, weeks))
    column = ours.names.index(parameter)
    # The mode is found to a few digits only, and the draws start there.
    np.testing.assert_allclose(theirs.draws[:, column], 7 * ours.draws[:, column], rtol=1e-3)


def test_the_currency_does_not_matter(customers: pl.DataFrame) -> None:
    cents = customers.with_columns(pl.col("monetary_value") * 100)
    ours, theirs = (
        clv.posterior(t, fit=clv.fit(t, model="gamma_gamma"), draws=500) for t in (customers, cents)
    )
    np.testing.assert_allclose(theirs.draws, ours.draws * [1, 1, 100], rtol=1e-3)


@pytest.mark.parametrize("model", ["bg_cnbd_k", "bg_nbd", "mbg_nbd", "nbd", "gamma_gamma"])
def test_every_model_has_a_posterior(customers: pl.DataFrame, model: str) -> None:
    fitted = clv.fit(customers, model=model)
    found = clv.posterior(customers, fit=fitted, draws=1000)
    assert found.effective_sample_size > 500
    for name, (low, high) in found.intervals(level=0.99).items():
        assert low < fitted.estimates[name] < high


def test_chance_comes_from_the_seed(fitted: clv.Fit, customers: pl.DataFrame) -> None:
    once, again, other = (
        clv.posterior(customers, fit=fitted, draws=200, seed=seed) for seed in (1, 1, 2)
    )
    assert once == again
    assert hash(once) == hash(again)
    assert once != other
    assert once != fitted


def test_draws_cannot_be_changed(found: clv.Posterior) -> None:
    with pytest.raises(ValueError, match="read-only"):
        found.draws[0, 0] = 1.0


def test_a_posterior_prints_what_it_knows() -> None:
    table = pl.DataFrame(FEW)
    found = clv.posterior(table, fit=fit_quietly(table, "nbd"), draws=500)
    low, high = found.intervals()["r"]
    assert repr(found).startswith(f"Posterior(nbd: r {low:.4g} to {high:.4g}, alpha ")
    assert repr(found).endswith(f", Pareto-k {found.pareto_k:.2f})")
    assert found.means["r"] == pytest.approx(found.draws[:, 0].mean())


# Shape


@pytest.mark.parametrize("engine", list(MAKERS))
def test_every_engine_draws_the_same(engine: str) -> None:
    table = MAKERS[engine](FEW)
    found = clv.posterior(table, fit=fit_quietly(table, "bg_nbd"), draws=300)
    twin = clv.posterior(pl.DataFrame(FEW), fit=fit_quietly(pl.DataFrame(FEW), "bg_nbd"), draws=300)
    np.testing.assert_allclose(found.draws, twin.draws, rtol=1e-6)


# Refusals


def test_other_customers_have_another_posterior(customers: pl.DataFrame, fitted: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(customers.head(1000), fit=fitted)
    assert str(caught.value) == (
        "`fit` was made on 2,357 customers; the table has 1,000 usable ones.\n"
        "Give the table that the fit was made on."
    )


def test_a_prior_for_what_is_not_there(customers: pl.DataFrame, fitted: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(customers, fit=fitted, prior={"beta": LogNormal(1.0, 1.0)})
    assert str(caught.value) == (
        "`prior` has 'beta'; the parameters of bg_nbd are 'r', 'alpha', 'a', 'b'."
    )


@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_prior_is_a_distribution(values: tuple[float, float]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        LogNormal(*values)
    assert str(caught.value) == (
        "A prior needs a positive median and deviation, got "
        f"LogNormal(median={values[0]}, log_deviation={values[1]}).\n"
        "Write LogNormal(median=30, log_deviation=1)."
    )


def test_too_few_draws(customers: pl.DataFrame, fitted: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(customers, fit=fitted, draws=50)
    assert (
        str(caught.value)
        == "`draws` must be a whole number of 100 or more, got 50.\nWrite 4000 if in doubt."
    )


def test_a_level_in_percent(found: clv.Posterior) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        found.intervals(level=90)
    assert str(caught.value) == "`level` must lie between 0 and 1, got 90.\nWrite 0.9 for 90 %."


def test_bad_histories_are_named(fitted: clv.Fit) -> None:
    with pytest.raises(InvalidRowsError, match="`recency` exceeds `T`"):
        clv.posterior(pl.DataFrame({**FEW, "recency": [0, 5, 0, 300, 0, 60]}), fit=fitted)
