"""Customers with parameters of their own: scored, bounded and drawn as each by its own model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import special

from crmkit import clv
from crmkit._clv.fitting.covariates import Covariate
from crmkit.errors import CrmkitError, InvalidArgumentError
from crmkit.models import Floats
from crmkit.models.numerics.interpolation import interpolated
from crmkit.models.numerics.row_parameters import at_rows
from tests.conftest import MAKERS, rows
from tests.strategies import by_day, summarized
from tests.test_covariates import SPENDING, TRUTH, alone, of_spend, own

pytestmark = pytest.mark.slow


def of_all(model: Any, score: Floats) -> Any:
    """The model with a parameter for each customer, one customer at a time."""
    each = [own(model, 0.4 * one, -0.3 * one) for one in score.tolist()]
    moved = ("alpha", "beta") if hasattr(model, "beta") else ("alpha", "a", "b")
    return replace(
        model, **{name: np.array([getattr(one, name) for one in each]) for name in moved}
    )


def shoppers(name: str, n: int, seed: int) -> pl.DataFrame:
    """Customers no two of whom are alike: a score moves how they buy, leave and spend."""
    dice = np.random.default_rng(seed)
    score, T = dice.normal(size=n), dice.integers(100, 700, n).astype(np.float64)
    customer, age = of_all(TRUTH[name], score).simulate(T, rng=dice)
    x, t_x, _ = summarized(*by_day(customer, age), T)
    days = np.maximum(x, 1)
    nu = dice.gamma(4.0, 1 / (15.0 * np.exp(0.3 * score)))
    z = dice.gamma(6.0 * days) / nu / days
    money = [float(mean) if seen else None for seen, mean in zip(x > 0, z, strict=True)]
    return pl.DataFrame(
        {
            "customer_id": np.arange(n),
            "days_since_last": np.zeros(n, dtype=np.int64),
            "frequency": x.astype(np.int64),
            "recency": t_x.astype(np.int64),
            "T": T.astype(np.int64),
            "monetary_value": pl.Series(money),
            "score": score,
        }
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Enough of them that they are not computed one by one."""
    return shoppers("bg_nbd", 6000, seed=1)


@pytest.fixture(scope="module")
def fits(table: pl.DataFrame) -> dict[str, clv.Fit]:
    """Every model that takes covariates, on few of those who bought by it."""
    few = {
        name: shoppers(name, 2500 if name == "ggompertz_nbd" else 400, seed=2) for name in TRUTH
    } | dict.fromkeys(SPENDING, table.head(400))
    return {name: clv.fit(few[name], model=name, covariates=["score"]) for name in few}


def by_hand(fitted: clv.Fit, row: dict[str, Any]) -> clv.Fit:
    """The fit of one customer, without covariates."""
    effects = [
        sum(
            value * row[name.partition(": ")[2]]
            for name, value in fitted.estimates.items()
            if name.startswith(f"{process}: ")
        )
        for process in (("spend",) if fitted.name in SPENDING else ("purchases", "dropout"))
    ]
    make = of_spend if fitted.name in SPENDING else own
    return alone(fitted, make(fitted.model, *effects))


# Twin

LOOKS: dict[str, Callable[[Any, clv.Fit], Any]] = {
    "expected_purchases": lambda table, fit: clv.expected_purchases(
        table, purchases=fit, horizon_days=200
    ),
    "p_alive_later": lambda table, fit: clv.probability_alive(table, purchases=fit, days=30),
    "p_2": lambda table, fit: clv.purchase_distribution(
        table, purchases=fit, horizon_days=90, most=2
    ),
    "discounted_purchases": lambda table, fit: clv.discounted_purchases(
        table, purchases=fit, annual_discount_rate=0.1
    ),
}


@pytest.mark.full_for("pareto_nbd", "ggompertz_nbd", "mbg_nbd")
@pytest.mark.parametrize("column", LOOKS)
@pytest.mark.parametrize("name", TRUTH)
def test_each_of_many_is_scored_by_the_own_model(
    name: str, column: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    found = LOOKS[column](table, fits[name])[column]
    for at in (*range(0, 6000, 211), int(table["frequency"].arg_max() or 0)):
        one = LOOKS[column](table[at], by_hand(fits[name], table.row(at, named=True)))
        assert found[at] == pytest.approx(one[column][0], rel=1e-9), at


@pytest.mark.parametrize("spend", SPENDING)
@pytest.mark.parametrize("name", TRUTH)
def test_what_each_of_many_is_worth_is_what_the_own_models_say(
    name: str, spend: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    options: dict[str, Any] = {"horizon_days": 365, "annual_discount_rate": 0.1}
    found = clv.predict(table, purchases=fits[name], spend=fits[spend], **options)
    for at in range(0, 6000, 401):
        row = table.row(at, named=True)
        both: dict[str, Any] = {
            "purchases": by_hand(fits[name], row),
            "spend": by_hand(fits[spend], row),
        }
        one = clv.predict(table[at], **both, **options)
        for column in ("p_alive", "expected_purchases", "expected_spend", "clv"):
            assert found[column][at] == pytest.approx(one[column][0], rel=1e-9)


def test_between_its_points_a_smooth_function_is_right() -> None:
    dice = np.random.default_rng(3)
    kind = dice.integers(0, 2, 4000)
    first, second = dice.uniform(-3, 3, 4000), dice.uniform(0, 1, 4000)

    def smooth(kind: Any, first: Floats, second: Floats) -> Floats:
        return np.asarray(np.exp(first) / (1 + np.exp(first - second)) + kind)

    found, missing = interpolated(smooth, kind, first, second)
    there = np.setdiff1d(np.arange(4000), missing)
    exact = smooth(kind, first, second)
    assert len(there) > 2000
    np.testing.assert_allclose(found[there], exact[there], rtol=1e-12)
    assert np.isnan(found[missing]).all()


# Properties


@pytest.mark.parametrize("name", TRUTH)
def test_a_score_does_not_depend_on_the_company(
    name: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    options: dict[str, Any] = {"horizon_days": 365, "annual_discount_rate": 0.1}
    options |= {"purchases": fits[name], "spend": fits["gamma_gamma"]}
    many = clv.predict(table, **options)
    backwards = clv.predict(table[::-1], **options)[::-1]
    some = clv.predict(table[100:130], **options)
    for column in ("p_alive", "expected_purchases", "expected_spend", "clv"):
        np.testing.assert_allclose(some[column], many[column][100:130], rtol=1e-11)
        np.testing.assert_allclose(backwards[column], many[column], rtol=1e-11)


def test_large_groups_and_others_are_scored_alike(fits: dict[str, clv.Fit]) -> None:
    table = pl.concat([shoppers("bg_nbd", 2500, seed=5)] * 2)
    table = table.with_columns(customer_id=pl.int_range(pl.len()))
    mixed = table.with_columns(
        score=pl.when(pl.col("customer_id") < 2200).then(0.5).otherwise("score")
    )
    for name in TRUTH:
        found = clv.expected_purchases(mixed, purchases=fits[name], horizon_days=90)
        for at in (0, 2199, 2200, 4999):
            one = by_hand(fits[name], mixed.row(at, named=True))
            alone = clv.expected_purchases(mixed[at], purchases=one, horizon_days=90)
            assert found["expected_purchases"][at] == pytest.approx(
                alone["expected_purchases"][0], rel=1e-9
            )


@pytest.mark.parametrize("name", TRUTH)
def test_new_customers_are_expected_to_buy_by_the_own_model(name: str) -> None:
    score, days = np.array([-1.0, 0.0, 2.0]), np.array([10.0, 100.0, 400.0])
    many = of_all(TRUTH[name], score)
    found = many.expected_purchases_new(days)
    likelihood = many.log_likelihood(np.array([0.0, 2, 5]), np.array([0.0, 50, 60]), days)
    for i in range(3):
        model = at_rows(many, slice(i, i + 1))
        single = own(TRUTH[name], 0.4 * score[i], -0.3 * score[i])
        assert found[i] == pytest.approx(model.expected_purchases_new(days[i : i + 1])[0])
        assert found[i] == pytest.approx(single.expected_purchases_new(days[i : i + 1])[0])
        history = (np.array([[0.0, 2, 5][i]]), np.array([[0.0, 50, 60][i]]), days[i : i + 1])
        assert likelihood[i] == pytest.approx(single.log_likelihood(*history)[0])


# Bounds

BOUNDED = ("p_alive", "expected_purchases", "expected_spend", "clv")
BOUNDS = [f"{column}_{bound}" for column in BOUNDED for bound in ("lower", "upper")]


def sure(fitted: clv.Fit) -> clv.Fit:
    """Take the uncertainty from a fit."""
    found: Any = fitted.likelihood
    n = len(found.names)
    none = tuple((0.0,) * n for _ in range(n))
    return replace(fitted, likelihood=replace(found, covariance_log=none))


@pytest.mark.full_for("ggompertz_nbd", "pareto_nbd")
@pytest.mark.parametrize(
    ("name", "spend"),
    [*zip(TRUTH, ["gamma_gamma"] * 4, strict=True), ("bg_nbd", "lognormal_spend")],
)
def test_without_uncertainty_the_bounds_are_those_of_each_model(
    name: str, spend: str, table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    options: dict[str, Any] = {"horizon_days": 200, "level": 0.9}
    some = table[::500]
    found = clv.predict(some, purchases=sure(fits[name]), spend=sure(fits[spend]), **options)
    for at, row in enumerate(some.rows(named=True)):
        both: Any = {"purchases": fits[name], "spend": fits[spend]}
        both = {key: sure(by_hand(fit, row)) for key, fit in both.items()}
        one = clv.predict(some[at], **both, **options)
        for column in BOUNDS:
            assert found[column][at] == pytest.approx(one[column][0], rel=1e-6, abs=1e-12)


def widened(fitted: clv.Fit) -> clv.Fit:
    """Add to a fit a coefficient that is known to be 0."""
    found: Any = fitted.likelihood
    names = ["spend"] if fitted.name in SPENDING else ["purchases", "dropout"]
    covariates = tuple(Covariate(process, "score") for process in names)
    zeros = (0.0,) * len(names)
    covariance = [(*row, *zeros) for row in found.covariance_log]
    covariance += [(0.0,) * (len(found.names) + len(names))] * len(names)
    more = replace(
        found,
        names=(*found.names, *(f"{process}: score" for process in names)),
        covariance_log=tuple(covariance),
        coefficients=zeros,
    )
    return replace(fitted, likelihood=more, covariates=covariates)


@pytest.mark.full_for("ggompertz_nbd", "pareto_nbd")
@pytest.mark.parametrize(
    ("name", "spend"),
    [*zip(TRUTH, ["gamma_gamma"] * 4, strict=True), ("pareto_nbd", "lognormal_spend")],
)
def test_coefficients_of_zero_leave_all_bounds_as_they_are(
    name: str, spend: str, table: pl.DataFrame
) -> None:
    made = shoppers(name, 2500 if name == "ggompertz_nbd" else 600, seed=7)
    plain: Any = {
        "purchases": clv.fit(made, model=name),
        "spend": clv.fit(made, model=spend),
    }
    wide: Any = {key: widened(fit) for key, fit in plain.items()}
    some = table[:60]
    options: Any = {"horizon_days": 200, "annual_discount_rate": 0.1}
    certain: list[Any] = [{key: sure(fit) for key, fit in one.items()} for one in (plain, wide)]
    known = [clv.predict(some, **one, **options, level=0.9) for one in certain]
    for column in (*BOUNDED, *BOUNDS):
        np.testing.assert_allclose(known[1][column], known[0][column], rtol=1e-6, atol=1e-12)
    # Eight directions stand for four to seven numbers, in the order of their size.
    ends = [clv.predict(some, **one, **options, level=0.9) for one in (plain, wide)]
    totals = [rows(clv.predict_total(some, **one, **options))[0] for one in (plain, wide)]
    for column in (*BOUNDED, *BOUNDS):
        np.testing.assert_allclose(ends[1][column], ends[0][column], rtol=0.03, atol=1.0)
    for column, value in totals[0].items():
        assert totals[1][column] == pytest.approx(value, rel=2e-3)


@pytest.mark.parametrize("name", ["bg_nbd", "pareto_nbd"])
def test_bounds_with_covariates_are_those_of_many_drawn_parameters(
    name: str, fits: dict[str, clv.Fit]
) -> None:
    fitted, dice = fits[name], np.random.default_rng(8)
    likelihood = fitted.likelihood
    some = shoppers(name, 12, seed=9).with_columns(score=pl.lit(2.0))
    centre = np.append(np.log(list(asdict(fitted.model).values())), likelihood.coefficients)
    drawn = dice.multivariate_normal(centre, np.array(likelihood.covariance_log, float), 200)
    history = tuple(
        some[column].to_numpy().astype(float) for column in ("frequency", "recency", "T")
    )
    kinds = type(fitted.model)
    chances = np.mean(
        [
            own(kinds(*np.exp(point[:4]).tolist()), 2 * point[4], 2 * point[5])
            .purchase_distribution(*history, horizon_days=200.0, most=300)
            .cumsum(axis=1)
            for point in drawn
        ],
        axis=0,
    )
    upper = (chances >= 0.95).argmax(axis=1)
    found = clv.predict(some, purchases=fitted, horizon_days=200, level=0.9)
    np.testing.assert_allclose(found["expected_purchases_upper"], upper, atol=1.5, rtol=0.08)


@pytest.mark.parametrize("spend", SPENDING)
def test_bounds_of_spend_include_the_uncertainty_of_the_coefficient(
    spend: str, fits: dict[str, clv.Fit]
) -> None:
    """Of one who is far out and has no spend known, whose level is uncertain by the coefficient."""
    fitted, far = fits[spend], 25.0
    likelihood = fitted.likelihood
    dice = np.random.default_rng(10)
    centre = np.append(np.log(list(asdict(fitted.model).values())), likelihood.coefficients)
    drawn = dice.multivariate_normal(centre, np.array(likelihood.covariance_log, float), 4000)
    kind, x = type(fitted.model), np.zeros(1)
    amounts = np.exp(np.linspace(-10, 30, 800))
    below = np.mean(
        [
            of_spend(kind(*np.exp(point[:3]).tolist()), far * point[3]).mean_distribution(
                x, x, amounts
            )
            for point in drawn
        ],
        axis=0,
    )
    table = pl.DataFrame(
        {
            "customer_id": [1],
            "frequency": [0],
            "recency": [0],
            "T": [50],
            "monetary_value": [None],
            "score": [far],
        },
        schema_overrides={"monetary_value": pl.Float64},
    )
    options: dict[str, Any] = {"horizon_days": 200, "level": 0.9}
    found = clv.predict(table, purchases=fits["bg_nbd"], spend=fitted, **options)
    for column, level in (("expected_spend_lower", 0.05), ("expected_spend_upper", 0.95)):
        exact = float(np.interp(level, below, np.log(amounts)))
        # A few points stand for the uncertainty; without it the bounds are 40 % nearer.
        assert math.log(found[column][0]) == pytest.approx(exact, abs=0.25)


@pytest.mark.full
def test_ninety_percent_hold_in_ninety_percent_with_covariates() -> None:
    held: dict[str, list[float]] = {"purchases": [], "money": []}
    for seed in range(6):
        seen, ahead = shoppers("bg_nbd", 500, seed=20 + seed), 200
        fit = clv.fit(seen, model="bg_nbd", covariates=["score"])
        dice = np.random.default_rng(seed)
        bounds = clv.predict(seen, purchases=fit, horizon_days=ahead, level=0.9)
        # What follows the history of each, drawn from the truth.
        score = seen["score"].to_numpy()
        history = (
            seen[column].to_numpy().astype(float) for column in ("frequency", "recency", "T")
        )
        chances = of_all(TRUTH["bg_nbd"], score).purchase_distribution(
            *history, horizon_days=float(ahead), most=150
        )
        came = (chances.cumsum(axis=1) < dice.random((500, 1))).sum(axis=1)
        lower = bounds["expected_purchases_lower"].to_numpy()
        upper = bounds["expected_purchases_upper"].to_numpy()
        held["purchases"].append(float(((came >= lower) & (came <= upper)).mean()))
        (total,) = rows(clv.predict_total(seen, purchases=fit, horizon_days=ahead, level=0.9))
        low, high = total["expected_purchases_lower"], total["expected_purchases_upper"]
        held["money"].append(float(low <= came.sum() <= high))
    assert 0.9 <= np.mean(held["purchases"]) < 0.98
    assert sum(held["money"]) >= 4


def test_bounds_do_not_depend_on_the_company(table: pl.DataFrame, fits: dict[str, clv.Fit]) -> None:
    both: Any = {"purchases": fits["bg_nbd"], "spend": fits["gamma_gamma"]}
    options: dict[str, Any] = {**both, "horizon_days": 200, "level": 0.9}
    many = clv.predict(table[:40], **options)
    for at in range(0, 40, 7):
        one = clv.predict(table[at], **options)
        np.testing.assert_allclose(
            one.select(BOUNDS).to_numpy()[0], many.select(BOUNDS).to_numpy()[at], rtol=1e-9
        )


@pytest.mark.full
@pytest.mark.parametrize("engine", MAKERS)
def test_bounds_and_totals_come_on_every_engine(engine: str, fits: dict[str, clv.Fit]) -> None:
    table = shoppers("bg_nbd", 30, seed=11).with_columns(score=pl.col("score").round().cast(int))
    both: Any = {"purchases": fits["bg_nbd"], "spend": fits["gamma_gamma"]}
    options: dict[str, Any] = {**both, "horizon_days": 200}
    native = MAKERS[engine](table.to_dict(as_series=False))
    found = rows(clv.predict(native, **options, level=0.9), by="customer_id")
    usual = rows(clv.predict(table, **options, level=0.9))
    for row, like in zip(found, usual, strict=True):
        assert list(row) == [*table.columns, *BOUNDED, *BOUNDS]
        for column in BOUNDS:
            assert row[column] == pytest.approx(like[column], rel=1e-9)
    total, expected = (rows(clv.predict_total(one, **options))[0] for one in (native, table))
    assert total == pytest.approx(expected, rel=1e-9)


def test_a_total_with_covariates_is_the_sum_of_the_column(
    table: pl.DataFrame, fits: dict[str, clv.Fit]
) -> None:
    both: Any = {"purchases": fits["pareto_nbd"], "spend": fits["lognormal_spend"]}
    options: dict[str, Any] = {**both, "horizon_days": 200, "annual_discount_rate": 0.1}
    each, (total,) = clv.predict(table, **options), rows(clv.predict_total(table, **options))
    assert total["expected_alive"] == pytest.approx(each["p_alive"].sum())
    for name in ("expected_purchases", "clv"):
        assert total[name] == pytest.approx(each[name].sum())
        assert total[f"{name}_lower"] < total[name] < total[f"{name}_upper"]


# Posterior


def walked(table: pl.DataFrame, fitted: clv.Fit, unit: float, n_steps: int) -> Floats:
    """Random-walk Metropolis on the density as the docstring has it, many chains in step."""
    x, t_x, T, score = (
        table[name].to_numpy().astype(float) for name in ("frequency", "recency", "T", "score")
    )
    middle, scale = score.mean(), score.std()
    dice, likelihood = np.random.default_rng(1), fitted.likelihood
    centre = np.append(np.log(list(asdict(fitted.model).values())), likelihood.coefficients)
    root = np.linalg.cholesky(np.array(likelihood.covariance_log, float))

    def log_posterior(point: Floats) -> float:
        r, alpha, a, b = np.exp(point[:4])
        buys, leaves = point[4:]
        alphas = alpha * np.exp(-buys * score)
        shares = special.expit(np.log(a / b) + leaves * score)
        first, second = (a + b) * shares, (a + b) * (1 - shares)
        # Fader, Hardie & Lee (2005), eq. 6, for each customer.
        value = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alphas)
        value += special.betaln(first, second + x) - special.betaln(first, second)
        stayed = -(r + x) * np.log(alphas + T)
        left = np.log(first / (second + np.maximum(x, 1) - 1)) - (r + x) * np.log(alphas + t_x)
        total = (value + np.logaddexp(stayed, np.where(x > 0, left, -np.inf))).sum()
        share = special.expit(np.log(a / b) + leaves * middle)
        usual = np.log([r, alpha * np.exp(-buys * middle), (a + b) * share, (a + b) * (1 - share)])
        off = (usual - [0, np.log(unit), 0, 0]) / 2
        return float(total - (off @ off) / 2 - ((point[4:] * scale) ** 2).sum() / 2)

    chains, found = 8, []
    for _ in range(chains):
        at = centre + root @ dice.standard_normal(6)
        value = log_posterior(at)
        for step in range(n_steps):
            tried = at + root @ dice.standard_normal(6)
            new = log_posterior(tried)
            if math.log(dice.random()) < new - value:
                at, value = tried, new
            if step >= n_steps // 5:
                found.append(at)
    return np.array(found)


@pytest.mark.full
def test_draws_with_covariates_are_those_of_a_random_walk() -> None:
    table = shoppers("bg_nbd", 150, seed=31).with_columns(pl.col("score") + 2.0)
    fitted = clv.fit(table, model="bg_nbd", covariates=["score"])
    found = clv.posterior(table, fit=fitted)
    unit = float(table["T"].sum()) / float(table["frequency"].sum())
    theirs = walked(table, fitted, unit, n_steps=6000)
    assert found.names == fitted.likelihood.names
    ours = np.column_stack([np.log(found.draws[:, :4]), found.draws[:, 4:]])
    deviation = theirs.std(axis=0)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 0.15 * deviation).all()
    np.testing.assert_allclose(ours.std(axis=0), deviation, rtol=0.12)
    assert found.diagnostics == ()


@pytest.mark.full
@pytest.mark.parametrize("name", ["pareto_nbd", "gamma_gamma", "lognormal_spend", "mbg_nbd"])
def test_draws_of_many_customers_are_a_bell_curve_around_the_fit(
    name: str, table: pl.DataFrame
) -> None:
    made = table.head(1500) if name in SPENDING else shoppers(name, 1000, seed=3)
    alike = made.with_columns(score=pl.col("score").round())
    fitted = clv.fit(alike, model=name, covariates=["score"])
    found = clv.posterior(alike, fit=fitted, draws=1000)
    errors = found.standard_deviations
    for each in fitted.likelihood.names[-len(fitted.likelihood.coefficients) :]:
        error = fitted.standard_errors[each]
        assert error is not None
        assert errors[each] == pytest.approx(error, rel=0.15)
        assert found.means[each] == pytest.approx(fitted.estimates[each], abs=0.3 * error)


def test_a_prior_of_a_coefficient_holds_it(table: pl.DataFrame) -> None:
    some = table.head(300)
    fitted = clv.fit(some, model="bg_nbd", covariates={"purchases": ["score"]})
    firm: dict[str, Any] = {
        "purchases: score": clv.Normal(mean=-1.0, deviation=1e-3),
        "r": clv.LogNormal(median=2.0, log_deviation=1e-3),
    }
    found = clv.posterior(some, fit=fitted, draws=500, prior=firm)
    assert found.means["purchases: score"] == pytest.approx(-1.0, abs=1e-3)
    assert found.means["r"] == pytest.approx(2.0, rel=1e-3)
    assert found.prior[4] == firm["purchases: score"]


@pytest.mark.full_for("100.0")
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_where_zero_lies_does_not_matter_to_a_coefficient(
    shift: float, table: pl.DataFrame
) -> None:
    some = table.head(300)
    moved = some.with_columns(score=pl.col("score") * 3 + shift)
    ours, theirs = (
        clv.posterior(
            each, fit=clv.fit(each, model="bg_nbd", covariates={"dropout": ["score"]}), draws=2000
        )
        for each in (some, moved)
    )
    np.testing.assert_allclose(theirs.draws[:, 4] * 3, ours.draws[:, 4], rtol=0.01, atol=0.01)
    np.testing.assert_allclose(theirs.draws[:, 0], ours.draws[:, 0], rtol=0.01)


@pytest.mark.full
@pytest.mark.parametrize("engine", MAKERS)
def test_every_engine_draws_the_same_with_covariates(engine: str) -> None:
    table = shoppers("bg_nbd", 80, seed=12).with_columns(score=pl.col("score").round().cast(int))
    native = MAKERS[engine](table.to_dict(as_series=False))
    fitted = clv.fit(table, model="bg_nbd", covariates={"purchases": ["score"]}, penalty=1.0)
    ours, theirs = (clv.posterior(each, fit=fitted, draws=100) for each in (table, native))
    np.testing.assert_allclose(theirs.draws, ours.draws, rtol=1e-6)


# Refusals


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (
            {"r": clv.Normal(0.0, 1.0)},
            (
                "`prior` of r must be a LogNormal, got Normal(mean=0.0, deviation=1.0).\n"
                "Write LogNormal(median=30, log_deviation=1): a parameter is above 0."
            ),
        ),
        (
            {"purchases: score": clv.LogNormal(1.0, 1.0)},
            (
                "`prior` of purchases: score must be a Normal, got "
                "LogNormal(median=1.0, log_deviation=1.0).\n"
                "Write Normal(mean=0, deviation=1): a coefficient may be of either sign."
            ),
        ),
        (
            {"purchases: age": clv.LogNormal(1.0, 1.0)},
            "`prior` has 'purchases: age'; the parameters of bg_nbd are 'r', 'alpha', 'a', 'b'.",
        ),
    ],
)
def test_a_prior_of_the_wrong_kind_is_refused(
    prior: Any, message: str, fits: dict[str, clv.Fit]
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(shoppers("bg_nbd", 400, seed=2), fit=fits["bg_nbd"], prior=prior)
    assert str(caught.value) == message


@pytest.mark.parametrize("values", [(math.nan, 1.0), (0.0, 0.0), (0.0, math.inf)])
def test_a_normal_prior_is_a_distribution(values: tuple[float, float]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.Normal(*values)
    assert str(caught.value) == (
        "A prior needs a finite mean and a positive deviation, got "
        f"Normal(mean={values[0]}, deviation={values[1]}).\n"
        "Write Normal(mean=0, deviation=1)."
    )


def test_other_levels_have_another_posterior() -> None:
    table = shoppers("bg_nbd", 200, seed=13).with_columns(
        channel=pl.when(pl.col("score") > 0).then(pl.lit("app")).otherwise(pl.lit("web"))
    )
    fitted = clv.fit(table, model="bg_nbd", covariates={"purchases": ["channel"]})
    other = table.with_columns(channel=pl.col("channel").replace("web", "shop"))
    with pytest.raises(InvalidArgumentError) as caught:
        clv.posterior(other, fit=fitted)
    assert str(caught.value) == (
        "`fit` was made with 'app', 'web' in `channel`; the table has 'app', 'shop'.\n"
        "Give the table that the fit was made on."
    )


# Simulation

WHEN: dict[str, Any] = {
    "start": date(2024, 1, 1),
    "acquisition_days": 60,
    "as_of": date(2025, 12, 31),
    "seed": 3,
}


@pytest.mark.parametrize("name", TRUTH)
def test_invented_customers_buy_by_the_own_model(name: str, fits: dict[str, clv.Fit]) -> None:
    score = np.repeat([-1.0, 0.0, 2.0], 4000)
    people = pl.DataFrame({"customer_id": np.arange(12_000) * 7, "score": score})
    ledger = clv.simulate(purchases=fits[name], customers=people, **WHEN, backend="polars")
    firsts = ledger.group_by("customer_id").agg(pl.col("date").min(), n=pl.len() - 1)
    assert firsts["customer_id"].sort().equals(people["customer_id"])
    joined = firsts.join(people, on="customer_id")
    for one in (-1.0, 0.0, 2.0):
        some = joined.filter(pl.col("score") == one)
        days = (WHEN["as_of"] - some["date"]).dt.total_days().to_numpy().astype(float)
        model = by_hand(fits[name], {"score": one}).model
        expected, bought = model.expected_purchases_new(days), some["n"].to_numpy()
        error = bought.std() / math.sqrt(len(some))
        assert abs(bought.mean() - expected.mean()) < 4 * error


def test_customers_without_covariates_keep_their_names(table: pl.DataFrame) -> None:
    plain = clv.fit(table.head(300), model="bg_nbd")
    people = pl.DataFrame({"customer_id": ["zoe", "ann", "ben"]})
    named = clv.simulate(purchases=plain, customers=people, **WHEN, backend="polars")
    counted = clv.simulate(purchases=plain, n_customers=3, **WHEN, backend="polars")
    assert list(dict.fromkeys(named["customer_id"].to_list())) == ["zoe", "ann", "ben"]
    assert named["date"].equals(counted["date"])


@pytest.mark.parametrize("engine", MAKERS)
def test_customers_of_every_engine_are_invented_alike(
    engine: str, fits: dict[str, clv.Fit]
) -> None:
    content: dict[str, Any] = {"customer_id": [1, 2, 3], "score": [0.5, -0.5, 0.1]}
    found = clv.simulate(purchases=fits["bg_nbd"], customers=MAKERS[engine](content), **WHEN)
    usual = clv.simulate(purchases=fits["bg_nbd"], customers=pl.DataFrame(content), **WHEN)
    assert rows(found) == rows(usual)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        (
            {"n_customers": 5},
            (
                "`purchases` has covariates, which `n_customers` does not give.\n"
                "Give `customers`, a table with a row for each customer, instead."
            ),
        ),
        ({}, "Give either `n_customers` or `customers`.\nWrite n_customers=5000."),
        (
            {"n_customers": 5, "customers": pl.DataFrame({"customer_id": [1]})},
            "Give either `n_customers` or `customers`.\nWrite n_customers=5000.",
        ),
        (
            {"customers": pl.DataFrame({"customer_id": [1]})},
            (
                "customer summary: no column `score` among `customer_id`.\n"
                "Join the covariates to the customers' summary first."
            ),
        ),
        (
            {"customers": pl.DataFrame({"customer_id": [1, 2], "score": [0.5, None]})},
            (
                "customer summary: covariate `score` is null in 1 of 2 rows (customer_id 2).\n"
                "Give values as in the fit."
            ),
        ),
    ],
)
def test_the_customers_to_simulate_must_be_given(
    who: dict[str, Any], message: str, fits: dict[str, clv.Fit]
) -> None:
    with pytest.raises(CrmkitError) as caught:
        clv.simulate(purchases=fits["bg_nbd"], **who, **WHEN)
    assert str(caught.value) == message
