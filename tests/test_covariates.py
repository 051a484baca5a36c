"""Covariates, penalty and prior: a published idea, so its tests are simulation and slow twins."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import clv
from crmkit._clv.fitting.covariates import links_of
from crmkit.errors import (
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models import (
    BGNBD,
    MBGNBD,
    PURCHASE_MODELS,
    Floats,
    GammaGamma,
    GGompertzNBD,
    LognormalSpend,
    ParetoNBD,
)
from crmkit.models.inference.covariates import Objective, PenalizedSearch
from crmkit.models.numerics.arrays import Codes
from crmkit.tables import SUMMARY
from tests.conftest import EAGER, MAKERS, MakeFrame, rows
from tests.strategies import by_day, summarized

pytestmark = pytest.mark.slow
DAY = date(2024, 1, 1)
CHANNELS = ("app", "shop", "web")
TRUTH: dict[str, Any] = {
    "bg_nbd": BGNBD(r=0.8, alpha=40.0, a=0.8, b=2.4),
    "mbg_nbd": MBGNBD(r=0.8, alpha=40.0, a=0.8, b=2.4),
    "pareto_nbd": ParetoNBD(r=0.8, alpha=40.0, s=0.7, beta=90.0),
    "ggompertz_nbd": GGompertzNBD(r=0.8, alpha=40.0, b=0.01, s=0.5, beta=3.0),
}
SPENDING: dict[str, Any] = {
    "gamma_gamma": GammaGamma(p=6.0, q=4.0, v=15.0),
    "lognormal_spend": LognormalSpend(median=30.0, tau=0.5, cv=0.6),
}
BUYS = {"age": 0.02, "channel=shop": -0.5, "channel=web": 0.4}
LEAVES = {"age": -0.03, "channel=shop": 0.7, "channel=web": 0.0}


def effect(of: dict[str, float], age: float, channel: str) -> float:
    """The sum of what is known times its coefficients, from the definition."""
    return of["age"] * age + of.get(f"channel={channel}", 0.0)


def own(model: Any, buys: float, leaves: float) -> Any:
    """The model of a customer with these effects, from the definition."""
    alpha = model.alpha * math.exp(-buys)
    if isinstance(model, ParetoNBD | GGompertzNBD):
        return replace(model, alpha=alpha, beta=model.beta * math.exp(-leaves))
    total, odds = model.a + model.b, model.a / model.b * math.exp(leaves)
    return replace(model, alpha=alpha, a=total * odds / (1 + odds), b=total / (1 + odds))


def of_spend(model: Any, effect: float) -> Any:
    """Likewise, of a model of spend."""
    scale = "v" if isinstance(model, GammaGamma) else "median"
    return replace(model, **{scale: getattr(model, scale) * math.exp(effect)})


def people(n: int, seed: int) -> pl.DataFrame:
    """Customers of whom an age, in years over 18, and a channel are known."""
    dice = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "customer_id": np.arange(n),
            "days_since_last": np.zeros(n, dtype=np.int64),
            "age": dice.choice([0, 10, 25, 40], n),
            "channel": dice.choice(CHANNELS, n),
            "T": dice.integers(500, 900, n),
        }
    )


def by_kind(table: pl.DataFrame) -> list[tuple[float, str, Codes]]:
    """Each age and channel that occurs, and the rows of those who have it."""
    kinds = table.select("age", "channel").unique().sort("age", "channel").rows()
    found = []
    for age, channel in kinds:
        has = (pl.col("age") == age) & (pl.col("channel") == channel)
        found.append((float(age), str(channel), np.flatnonzero(table.select(has).to_series())))
    return found


def buyers(
    name: str,
    n: int = 4000,
    seed: int = 1,
    buys: dict[str, float] = BUYS,
    leaves: dict[str, float] = LEAVES,
) -> pl.DataFrame:
    """Customers who buy by the model, each kind with own parameters."""
    table, dice = people(n, seed), np.random.default_rng(seed + 1000)
    x, t_x = np.zeros(n), np.zeros(n)
    for age, channel, at in by_kind(table):
        model = own(TRUTH[name], effect(buys, age, channel), effect(leaves, age, channel))
        T = table["T"].to_numpy()[at].astype(np.float64)
        customer, age_then = model.simulate(T, rng=dice)
        x[at], t_x[at], _ = summarized(*by_day(customer, age_then), T)
    return table.with_columns(frequency=x.astype(np.int64), recency=t_x.astype(np.int64))


def spenders(name: str, n: int = 4000, seed: int = 1) -> pl.DataFrame:
    """Customers who spend by the model, each kind with own parameters."""
    table, dice = people(n, seed), np.random.default_rng(seed + 1000)
    x, z = dice.integers(0, 8, n).astype(np.float64), np.full(n, np.nan)
    for age, channel, at in by_kind(table):
        model = of_spend(SPENDING[name], effect(BUYS, age, channel))
        days = np.maximum(x[at], 1)
        if isinstance(model, GammaGamma):
            rate = dice.gamma(model.q, 1 / model.v, len(at))
            z[at] = dice.gamma(model.p * days) / rate / days
        else:
            within = np.log1p(model.cv**2 / days)
            log_mean = math.log(model.median) + model.tau * dice.normal(size=len(at))
            z[at] = np.exp(log_mean - within / 2 + np.sqrt(within) * dice.normal(size=len(at)))
    money = [float(value) if seen else None for seen, value in zip(x > 0, z, strict=True)]
    return table.with_columns(
        frequency=x.astype(np.int64), recency=x.astype(np.int64), monetary_value=pl.Series(money)
    )


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """Buyers by BG/NBD."""
    return buyers("bg_nbd")


@pytest.fixture(scope="module")
def purchases(customers: pl.DataFrame) -> clv.Fit:
    """A fit on them."""
    return clv.fit(customers, model="bg_nbd", covariates=["age", "channel"])


@pytest.fixture(scope="module")
def spend() -> clv.Fit:
    """A fit of spend."""
    return clv.fit(spenders("gamma_gamma"), model="gamma_gamma", covariates=["age", "channel"])


# Twin


def near(fitted: clv.Fit, truth: dict[str, float]) -> None:
    """Each estimate lies within three standard errors of the truth."""
    assert list(fitted.estimates) == list(truth)
    for name, value in truth.items():
        error = fitted.standard_errors[name]
        assert error is not None
        assert abs(fitted.estimates[name] - value) < 3 * error, name


@pytest.mark.parametrize("name", TRUTH)
def test_what_customers_were_made_by_is_found(name: str) -> None:
    fitted = clv.fit(buyers(name), model=name, covariates=["age", "channel"])
    model = TRUTH[name]
    truth = asdict(model)
    truth |= {f"purchases: {each}": value for each, value in BUYS.items()}
    truth |= {f"dropout: {each}": value for each, value in LEAVES.items()}
    near(fitted, truth)
    assert fitted.diagnostics == ()


@pytest.mark.parametrize("name", SPENDING)
def test_what_spend_was_made_by_is_found(name: str) -> None:
    fitted = clv.fit(spenders(name), model=name, covariates=["age", "channel"])
    model = SPENDING[name]
    truth = asdict(model)
    near(fitted, truth | {f"spend: {each}": value for each, value in BUYS.items()})


@pytest.mark.parametrize("name", TRUTH)
def test_the_likelihood_is_that_of_each_kind_by_its_own_model(name: str) -> None:
    customers = buyers(name, n=500)
    purchases = clv.fit(customers, model=name, covariates=["age", "channel"], penalty=1.0)
    found = purchases.estimates
    total = 0.0
    for age, channel, at in by_kind(customers):
        effects = (
            sum(
                found[f"{process}: {known}"] * value
                for known, value in {
                    "age": age,
                    "channel=shop": channel == "shop",
                    "channel=web": channel == "web",
                }.items()
            )
            for process in ("purchases", "dropout")
        )
        some = customers[at]
        history = (some[each].to_numpy().astype(float) for each in ("frequency", "recency", "T"))
        total += float(own(purchases.model, *effects).log_likelihood(*history).sum())
    assert purchases.log_likelihood == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", [*TRUTH, *SPENDING])
def test_slopes_and_bends_are_those_of_small_steps(name: str) -> None:
    dice = np.random.default_rng(5)
    links = links_of(name)
    n_links, known = len(links), dice.normal(size=(12, 2)).round(1)
    moves = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])[:n_links]
    T = np.linspace(100.0, 600.0, 12)
    x = dice.integers(1, 6, 12).astype(np.float64)
    columns = (x, 0.6 * T, T) if name in TRUTH else (x, dice.uniform(5, 90, 12))
    model = (TRUTH | SPENDING)[name]
    names = tuple(asdict(model))
    side = PenalizedSearch(
        names=("one", "other", "both"),
        links=tuple(links.values()),
        moves=moves,
        rows=known[:, [0, 1, 1]],
        centres=np.array([0.1, -0.2, 0.3]),
        scales=np.array([1.0, 2.0, 0.5]),
        penalty=0.7,
        prior={names[1]: (20.0, 0.8), names[-1]: (3.0, 0.5)},
    )
    seen: dict[str, Any] = {}

    def catch(**given: Any) -> None:
        seen.update(given)
        raise FitError

    # The model says which likelihood is its own.
    with pytest.raises(FitError):
        type(model).fit(*columns, search=catch)
    objective = objective_of(side, seen["likelihood"], names, columns)
    at = np.append(np.log(list(asdict(model).values())), [0.3, -0.2, 0.1])
    _, gradient, hessian = objective(at)
    steps = 1e-5 * np.eye(len(at))
    slopes = [(objective(at + h)[0] - objective(at - h)[0]) / 2e-5 for h in steps]
    bends = [(objective(at + h)[1] - objective(at - h)[1]) / 2e-5 for h in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-6)


def objective_of(
    side: PenalizedSearch, likelihood: Any, names: tuple[str, ...], columns: tuple[Floats, ...]
) -> Callable[[Floats], tuple[float, Floats, Floats]]:
    """What is maximized, as the search gets it."""
    return Objective(side, likelihood, names, *columns, side.rows, np.ones(len(columns[0])))


# Properties


def test_one_coefficient_may_move_both_processes() -> None:
    same = {"age": 0.015}
    table = buyers("pareto_nbd", buys=same, leaves=same)
    fitted = clv.fit(table, model="pareto_nbd", covariates={"both": ["age"]})
    near(fitted, dict(fitted.estimates) | {"both: age": 0.015})
    apart = clv.fit(table, model="pareto_nbd", covariates=["age"])
    assert fitted.n_parameters == apart.n_parameters - 1
    assert 0 <= apart.log_likelihood - fitted.log_likelihood < 4


def test_a_shared_coefficient_is_the_best_of_all_that_are_the_same(
    customers: pl.DataFrame,
) -> None:
    """The maximum with both equal, from a fit whose columns differ only in their place."""
    both = clv.fit(customers, model="bg_nbd", covariates={"both": ["age"]})
    split = {"both": ["age"], "dropout": ["age"]}
    free = clv.fit(customers, model="bg_nbd", covariates=split)
    apart = clv.fit(customers, model="bg_nbd", covariates=["age"])
    assert free.log_likelihood == pytest.approx(apart.log_likelihood, abs=1e-6)
    leaving = free.estimates["both: age"] + free.estimates["dropout: age"]
    assert leaving == pytest.approx(apart.estimates["dropout: age"], abs=1e-5)
    assert both.log_likelihood < free.log_likelihood


@pytest.mark.parametrize("name", ["bg_nbd", "pareto_nbd"])
def test_coefficients_held_at_zero_are_no_covariates(name: str) -> None:
    table = buyers(name, n=1000)
    held = clv.fit(table, model=name, covariates=["age", "channel"], penalty=1e12)
    plain = clv.fit(table, model=name)
    assert held.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    for each, value in plain.estimates.items():
        assert held.estimates[each] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 20.0])
def test_the_unit_of_a_covariate_does_not_matter(customers: pl.DataFrame, penalty: float) -> None:
    in_months = customers.with_columns(age=pl.col("age") * 12)
    older = customers.with_columns(age=pl.col("age") + 18.0)
    fits = [
        clv.fit(table, model="bg_nbd", covariates=["age"], penalty=penalty)
        for table in (customers, in_months, older)
    ]
    for process in ("purchases: age", "dropout: age"):
        in_years, by_month, shifted = (each.estimates[process] for each in fits)
        assert by_month * 12 == pytest.approx(in_years, rel=1e-5)
        assert shifted == pytest.approx(in_years, rel=1e-5)
    assert fits[1].log_likelihood == pytest.approx(fits[0].log_likelihood, abs=1e-6)
    assert fits[2].log_likelihood == pytest.approx(fits[0].log_likelihood, abs=1e-6)
    assert fits[1].estimates["alpha"] == pytest.approx(fits[0].estimates["alpha"], rel=1e-5)


def test_twice_the_customers_take_a_root_of_two_off_the_errors(customers: pl.DataFrame) -> None:
    table = customers.head(1500)
    once = clv.fit(table, model="bg_nbd", covariates=["channel"])
    both = pl.concat([table, table]).with_columns(customer_id=pl.int_range(pl.len()))
    twice = clv.fit(both, model="bg_nbd", covariates=["channel"])
    for name, error in once.standard_errors.items():
        other = twice.standard_errors[name]
        assert error is not None
        assert other is not None
        assert error / other == pytest.approx(math.sqrt(2), rel=1e-4)


def test_a_covariate_moves_the_mean_dropout(customers: pl.DataFrame, purchases: clv.Fit) -> None:
    plain = clv.fit(customers, model="bg_nbd")
    apart = math.exp(purchases.estimates["dropout: channel=shop"])
    model = purchases.model
    odds = {"app": model.a / model.b, "shop": model.a / model.b * apart}
    share = {channel: each / (1 + each) for channel, each in odds.items()}
    assert share["shop"] - share["app"] > 0.1
    assert purchases.log_likelihood - plain.log_likelihood > 50


def test_a_penalty_draws_coefficients_to_zero_and_narrows_their_errors(
    customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    held = clv.fit(customers, model="bg_nbd", covariates=["age", "channel"], penalty=50.0)
    assert held.log_likelihood < purchases.log_likelihood
    names = purchases.likelihood.names[4:]
    size = {
        fitted: sum(fitted.estimates[n] ** 2 for n in names[1:3]) for fitted in (held, purchases)
    }
    assert size[held] < size[purchases]
    for name in names:
        mine, theirs = held.standard_errors[name], purchases.standard_errors[name]
        assert mine is not None
        assert theirs is not None
        assert mine < theirs


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_a_firm_prior_holds_a_parameter_and_the_likelihood_is_without_it(
    name: str, customers: pl.DataFrame
) -> None:
    table = customers.head(400).filter(pl.col("recency") > 0)
    kind: Any = PURCHASE_MODELS[name]
    searched = [each.name for each in fields(kind) if each.name != "k"]
    weak = dict.fromkeys(searched, clv.LogNormal(median=3.0, log_deviation=2.0))
    firm = weak | {"r": clv.LogNormal(median=2.0, log_deviation=1e-4)}
    fitted = clv.fit(table, model=name, prior=firm)
    assert fitted.estimates["r"] == pytest.approx(2.0, rel=1e-3)
    history = (table[each].to_numpy().astype(float) for each in ("frequency", "recency", "T"))
    total = float(fitted.model.log_likelihood(*history).sum())
    assert fitted.log_likelihood == pytest.approx(total, rel=1e-9)


def test_a_prior_is_of_the_customer_for_whom_all_covariates_are_0(customers: pl.DataFrame) -> None:
    firm = {"a": clv.LogNormal(median=0.5, log_deviation=1e-4)}
    fitted = clv.fit(customers, model="bg_nbd", covariates=["age"], prior=firm)
    assert fitted.estimates["a"] == pytest.approx(0.5, rel=1e-3)
    error = fitted.standard_errors["a"]
    assert error is not None
    assert error == pytest.approx(0.5e-4, rel=0.01)


def test_bounds_of_a_coefficient_lie_as_far_on_either_side(purchases: clv.Fit) -> None:
    bounds = purchases.intervals(level=0.9)
    assert list(bounds) == list(purchases.estimates)
    name = "dropout: channel=web"
    between, error = bounds[name], purchases.standard_errors[name]
    assert between is not None
    assert error is not None
    low, high = between
    assert (low + high) / 2 == pytest.approx(purchases.estimates[name])
    assert high - low == pytest.approx(2 * 1.6448536 * error)
    assert low < 0 < high


def test_a_fit_counts_its_coefficients(purchases: clv.Fit) -> None:
    assert purchases.n_parameters == 10
    assert purchases.aic == pytest.approx(20 - 2 * purchases.log_likelihood)


def test_a_fit_survives_its_text(purchases: clv.Fit, spend: clv.Fit) -> None:
    assert clv.Fit.from_json(purchases.to_json()) == purchases
    assert clv.Fit.from_json(spend.to_json()) == spend


def test_texts_from_before_covariates_are_read(customers: pl.DataFrame) -> None:
    plain = clv.fit(customers, model="bg_nbd")
    kept = json.loads(plain.to_json())
    del kept["covariates"], kept["likelihood"]["coefficients"]
    assert clv.Fit.from_json(json.dumps(kept)) == plain


# Shape

FACES: dict[str, Callable[[Any, clv.Fit], Any]] = {
    "p_alive": lambda table, fit: clv.predict(table, purchases=fit, horizon_days=90),
    "expected_purchases": lambda table, fit: clv.expected_purchases(
        table, purchases=fit, horizon_days=90
    ),
    "p_alive_later": lambda table, fit: clv.probability_alive(table, purchases=fit, days=30),
    "p_0": lambda table, fit: clv.purchase_distribution(
        table, purchases=fit, horizon_days=90, most=2
    ),
    "discounted_purchases": lambda table, fit: clv.discounted_purchases(
        table, purchases=fit, annual_discount_rate=0.1
    ),
}


def alone(fit: clv.Fit, model: Any) -> clv.Fit:
    """A fit of one kind of customer, without covariates."""
    n = len(asdict(model))
    found: Any = fit.likelihood
    likelihood = replace(found, model=model, names=found.names[:n], coefficients=())
    return replace(fit, likelihood=likelihood, covariates=())


@pytest.mark.parametrize("column", FACES)
@pytest.mark.parametrize("engine", MAKERS)
def test_each_is_scored_by_the_own_model(
    engine: str, column: str, customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    table = customers.head(40)
    scored = rows(FACES[column](MAKERS[engine](table.to_dict(as_series=False)), purchases))
    found = {row["customer_id"]: row[column] for row in scored}
    estimates = purchases.estimates
    for age, channel, at in by_kind(table):
        effects = [
            estimates[f"{process}: age"] * age + estimates.get(f"{process}: channel={channel}", 0.0)
            for process in ("purchases", "dropout")
        ]
        one = alone(purchases, own(purchases.model, *effects))
        for row in rows(FACES[column](table[at], one)):
            assert found[row["customer_id"]] == pytest.approx(row[column], rel=1e-9)
    assert "crmkit_covariate_0" not in scored[0]
    assert len(found) == 40


@pytest.mark.parametrize("engine", MAKERS)
def test_spend_is_scored_by_the_own_model(
    engine: str, customers: pl.DataFrame, purchases: clv.Fit, spend: clv.Fit
) -> None:
    money = [25.0, None] * 20
    table = customers.head(40).with_columns(monetary_value=pl.Series(money))
    ahead = clv.predict(
        MAKERS[engine](table.to_dict(as_series=False)),
        purchases=purchases,
        spend=spend,
        horizon_days=90,
    )
    found = {row["customer_id"]: row["expected_spend"] for row in rows(ahead)}
    for age, channel, at in by_kind(table):
        effect = spend.estimates["spend: age"] * age
        effect += spend.estimates.get(f"spend: channel={channel}", 0.0)
        model = of_spend(spend.model, effect)
        for who, x, z in table[at].select("customer_id", "frequency", "monetary_value").rows():
            seen = float(x if z is not None else 0)
            expected = model.expected_spend(np.array([seen]), np.array([z or 0.0]))
            assert found[who] == pytest.approx(float(expected[0]), rel=1e-9)


@pytest.mark.parametrize("engine", MAKERS)
def test_fits_on_all_engines_agree(engine: str, customers: pl.DataFrame) -> None:
    table = customers.head(300)
    native = MAKERS[engine](table.to_dict(as_series=False))
    fitted = clv.fit(native, model="bg_nbd", covariates={"purchases": ["age", "channel"]})
    usual = clv.fit(table, model="bg_nbd", covariates={"purchases": ["age", "channel"]})
    assert fitted.covariates == usual.covariates
    assert fitted.log_likelihood == pytest.approx(usual.log_likelihood, rel=1e-10)
    assert list(fitted.estimates) == [
        *("r", "alpha", "a", "b"),
        *("purchases: age", "purchases: channel=shop", "purchases: channel=web"),
    ]


def test_true_and_false_count_as_1_and_0(customers: pl.DataFrame) -> None:
    web = customers.with_columns(web=pl.col("channel") == "web").head(800)
    as_numbers = web.with_columns(pl.col("web").cast(pl.Float64))
    by_flag, by_number = (
        clv.fit(table, model="bg_nbd", covariates={"purchases": ["web"]})
        for table in (web, as_numbers)
    )
    assert by_flag.estimates == by_number.estimates


def test_every_customer_may_differ(customers: pl.DataFrame) -> None:
    table = customers.head(60).with_columns(score=np.linspace(-1.0, 1.0, 60))
    fitted = clv.fit(table, model="bg_nbd", covariates={"purchases": ["score"]}, penalty=1.0)
    ahead = clv.expected_purchases(table, purchases=fitted, horizon_days=90)
    slope = fitted.estimates["purchases: score"]
    for row in (ahead.row(0, named=True), ahead.row(59, named=True)):
        model = own(fitted.model, slope * row["score"], 0.0)
        history = (np.array([float(row[each])]) for each in ("frequency", "recency", "T"))
        expected = model.expected_purchases(*history, horizon_days=90.0)
        assert row["expected_purchases"] == pytest.approx(float(expected[0]), rel=1e-12)


def test_no_customers_get_the_columns(make_eager: MakeFrame, purchases: clv.Fit) -> None:
    one = buyers("bg_nbd", n=1)
    native = make_eager(one.to_dict(as_series=False))
    none = native.slice(0, 0) if hasattr(native, "slice") else native.iloc[:0]
    ahead = clv.predict(none, purchases=purchases, horizon_days=30)
    assert rows(ahead) == []


# Refusals


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        (
            {"spend": ["age"]},
            (
                "`covariates` has 'spend'; the processes of bg_nbd are 'purchases', 'dropout', "
                "'both'."
            ),
        ),
        ("age", "`covariates` must be a list, got 'age'.\nWrite ['age']."),
        (5, "`covariates` must be a list, got 5.\nWrite ['age']."),
        ([["age"]], "`covariates` must hold names of columns, got ['age'].\nWrite ['age']."),
        ({"both": None}, "`covariates` must be a list, got None.\nWrite ['age']."),
        (
            ["T"],
            (
                "`covariates` has `T`, which follows from the purchases that the model explains.\n"
                "Name columns that were known when the customer came."
            ),
        ),
        (
            ["all_same"],
            (
                "customer summary: covariate `all_same` is 7 for all customers that the fit can "
                "use.\nLeave it out."
            ),
        ),
        (
            ["one_level"],
            (
                "customer summary: covariate `one_level` is 'x' for all customers that the fit can "
                "use.\nLeave it out."
            ),
        ),
        (
            {"purchases": ["age", "months"]},
            (
                "customer summary: covariates `purchases: age`, `purchases: months` are "
                "collinear: one follows from the others.\nLeave one of them out."
            ),
        ),
        (
            ["street"],
            (
                "customer summary: covariate `street` has 200 levels, at most 50 are possible.\n"
                "Merge the rare ones into one level."
            ),
        ),
        (
            ["when"],
            (
                "customer summary: covariate `when` has type Date; expected a number, text, or "
                "true and false.\nConvert it first."
            ),
        ),
    ],
)
def test_covariates_without_information_are_refused(
    covariates: Any, message: str, customers: pl.DataFrame
) -> None:
    table = customers.head(200).with_columns(
        all_same=pl.lit(7),
        one_level=pl.lit("x"),
        months=pl.col("age") * 12,
        street=pl.col("customer_id").cast(pl.String),
        when=pl.date(2024, 1, 1),
    )
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(table, model="bg_nbd", covariates=covariates)
    assert str(caught.value) == message


@pytest.mark.parametrize("column", [name for name in SUMMARY.column_names if name != "customer_id"])
@pytest.mark.parametrize("model", ["bg_nbd", "gamma_gamma"])
def test_what_a_summary_holds_is_no_covariate(
    column: str, model: str, customers: pl.DataFrame
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(customers.with_columns(pl.lit(1).alias(column)), model=model, covariates=[column])
    assert str(caught.value) == (
        f"`covariates` has `{column}`, which follows from the purchases that the model explains.\n"
        "Name columns that were known when the customer came."
    )


def test_advice_is_on_the_covariate_concerned(customers: pl.DataFrame, purchases: clv.Fit) -> None:
    ages = pl.when(pl.col("customer_id") != 2).then(pl.col("age"))
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(customers.head(5).with_columns(ages), purchases=purchases, horizon_days=30)
    assert str(caught.value) == (
        "customer summary: covariate `age` is null in 1 of 5 rows (customer_id 2).\n"
        "Give values as in the fit."
    )


@pytest.mark.parametrize("engine", ["polars", "polars-lazy"])
@pytest.mark.parametrize("level", [None, 0.9])
@pytest.mark.parametrize("age", [-(10**6), 10**6, 10**15])
def test_a_covariate_beyond_all_that_was_seen_is_named(
    engine: str, level: float | None, age: int, customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    ages = pl.when(pl.col("customer_id") == 2).then(pl.lit(age)).otherwise(pl.col("age"))
    table = MAKERS[engine](customers.head(5).with_columns(age=ages).to_dict(as_series=False))
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(table, purchases=purchases, horizon_days=30, level=level)
    assert str(caught.value) == (
        "customer summary: covariate `age` is far beyond what the fit has seen in 1 of 5 rows "
        f"(age {float(age)!r}).\n"
        "Give it in the unit that it had in the fit."
    )
    assert (caught.value.n_rows, caught.value.examples) == (1, (float(age),))


def test_a_missing_column_is_named(customers: pl.DataFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clv.fit(
            customers.select("customer_id", "days_since_last", "frequency", "recency", "T"),
            model="bg_nbd",
            covariates=["city"],
        )
    assert str(caught.value) == (
        "customer summary: no column `city` among `customer_id`, `days_since_last`, `frequency`, "
        "`recency`, `T`.\nJoin the covariates to the customers' summary first."
    )


@pytest.mark.parametrize("column", ["age", "channel"])
@pytest.mark.parametrize("engine", EAGER)
def test_an_unknown_covariate_is_refused(
    engine: str, column: str, customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    content = customers.head(5).to_dict(as_series=False)
    content[column][2] = None
    table = MAKERS[engine](content)
    advice = "Fill it in, text with a level such as 'unknown', or leave the covariate out."
    said = f"customer summary: covariate `{column}` is null in 1 of 5 rows (customer_id 2)."
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(table, model="bg_nbd", covariates=["age", "channel"])
    assert str(caught.value) == f"{said}\n{advice}"
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(table, purchases=purchases, horizon_days=30)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("column", ["age", "channel"])
@pytest.mark.parametrize("engine", [name for name in MAKERS if name not in EAGER])
def test_an_unknown_covariate_is_refused_where_the_table_is_lazy(
    engine: str, column: str, customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    content = customers.head(5).to_dict(as_series=False)
    content[column][2] = None
    table = MAKERS[engine](content)
    said = f"customer summary: covariate `{column}` is null in 1 of 5"
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(table, model="bg_nbd", covariates=["age", "channel"])
    assert str(caught.value).startswith(f"{said} rows.\n")
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(table, purchases=purchases, horizon_days=30)
    assert str(caught.value).startswith(f"{said} distinct histories.\n")


def test_an_endless_number_is_refused(customers: pl.DataFrame, purchases: clv.Fit) -> None:
    table = customers.head(5).with_columns(age=pl.Series([1.0, 2.0, math.inf, 3.0, 4.0]))
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(table, purchases=purchases, horizon_days=30)
    said = "customer summary: covariate `age` is not finite in 1 of 5 rows (customer_id 2)."
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("engine", MAKERS)
def test_a_level_unknown_to_the_fit_is_refused(
    engine: str, customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    content = customers.head(5).to_dict(as_series=False)
    content["channel"][1:3] = ["phone", "fax"]
    count = "distinct histories" if engine not in EAGER else "rows (customer_id 1, 2)"
    with pytest.raises(InvalidRowsError) as caught:
        clv.predict(MAKERS[engine](content), purchases=purchases, horizon_days=30)
    assert str(caught.value) == (
        "customer summary: covariate `channel` has a level that the fit has not seen in 2 of 5 "
        f"{count}.\nGive levels as in the fit: `channel` was 'app', 'shop', 'web'."
    )


def test_a_covariate_of_another_type_is_refused(
    customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(customers.with_columns(channel=pl.lit(1)), purchases=purchases, horizon_days=30)
    assert str(caught.value) == (
        "customer summary: covariate `channel` has type Int32; expected text, as in the fit.\n"
        "Convert it to the type that it had there."
    )


def test_a_lazy_table_is_not_joined_on_fractions(
    customers: pl.DataFrame, purchases: clv.Fit
) -> None:
    plan = customers.lazy().with_columns(pl.col("age") / 2)
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict(plan, purchases=purchases, horizon_days=30)
    assert str(caught.value) == (
        "customer summary: covariates `age` are not whole numbers, which a lazy table needs "
        "for its joins.\nRun the table first, or round them and fit anew."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"penalty": 1.0},
            (
                "`penalty` is for the coefficients of covariates, but `covariates` is empty.\n"
                "Name `covariates`, or give a `prior` of the parameters."
            ),
        ),
        (
            {"penalty": -1.0, "covariates": ["age"]},
            "`penalty` must be 0 or more, got -1.0.\nWrite 1.0 for a mild one.",
        ),
        (
            {"prior": {"r": 2.0}},
            (
                "`prior` of r must be a LogNormal, got 2.0.\n"
                "Write LogNormal(median=30, log_deviation=1): a parameter is above 0."
            ),
        ),
        (
            {"prior": {"q": clv.LogNormal(1.0, 1.0)}},
            "`prior` has 'q'; the parameters of bg_nbd are 'r', 'alpha', 'a', 'b'.",
        ),
    ],
)
def test_penalties_and_priors_without_effect_are_refused(
    options: dict[str, Any], message: str, customers: pl.DataFrame
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(customers, model="bg_nbd", **options)
    assert str(caught.value) == message


def test_a_model_without_covariates_says_so(customers: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(customers, model="nbd", covariates=["age"])
    assert str(caught.value) == (
        "nbd takes no covariates.\nChoose one of 'bg_nbd', 'ggompertz_nbd', 'mbg_nbd', "
        "'pareto_nbd', 'gamma_gamma', 'lognormal_spend'."
    )


def test_a_covariate_far_from_zero_asks_for_another_start(customers: pl.DataFrame) -> None:
    far = customers.with_columns(seconds=1_700_000_000.0 + pl.col("age"))
    with pytest.raises(FitError, match="where all covariates are 0"):
        clv.fit(far, model="bg_nbd", covariates={"purchases": ["seconds"]})


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda table, fit: clv.tracking(table, purchases=fit, as_of=DAY),
            "`purchases` has covariates, which a ledger does not hold.",
        ),
    ],
)
def test_a_ledger_holds_no_covariates(
    use: Callable[[Any, clv.Fit], Any],
    message: str,
    customers: pl.DataFrame,
    purchases: clv.Fit,
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        use(customers, purchases)
    advice = "Fit the model without `covariates` for it."
    assert str(caught.value) == f"{message}\n{advice}"
