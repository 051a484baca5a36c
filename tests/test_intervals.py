"""Bounds of predictions and of totals: what they are made of, and that they hold."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import integrate, stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import (
    CrmkitWarning,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models import PURCHASE_MODELS, GammaGamma
from crmkit.models.numerics.negative_binomial import pmf, pmf_up_to
from crmkit.models.posterior.likelihood_of_draws import log_likelihoods
from crmkit.models.predictive.sigma_points import n_directions, sigma_points
from crmkit.models.protocol import SpendModel
from crmkit.models.spend.lognormal_spend import LognormalSpend
from docs.coverage_study import SPEND, TRUTHS, coverage, simulated
from tests.conftest import MAKERS, MakeFrame, rows

pytestmark = pytest.mark.slow
HORIZON = 273.0
SUMMARY: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e"],
    "frequency": [2, 0, 12, 1, 40],
    "recency": [213, 0, 200, 12, 40],
    "T": [272, 269, 272, 150, 40],
    "monetary_value": [22.345, None, 50.0, -3.0, 8.0],
    "mailings": [1.5, 0.0, 2.0, 1.0, 0.5],
}
PREDICTED = ("p_alive", "expected_purchases", "expected_spend", "clv")
BOUNDS = [f"{column}_{bound}" for column in PREDICTED for bound in ("lower", "upper")]
SPENDS: list[SpendModel] = [GammaGamma(6.25, 3.74, 15.45), LognormalSpend(30.0, 0.6, 0.5)]


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def fits(customers: pl.DataFrame) -> Mapping[str, clv.Fit]:
    """Some models on a quarter of them, so that the parameters are uncertain."""
    names = ("bg_nbd", "pareto_nbd", "nbd", "mbg_cnbd_k", "gamma_gamma", "lognormal_spend")
    return {name: clv.fit(customers[::4], model=name) for name in names}


def ahead(table: Any, fits: Mapping[str, clv.Fit], model: str = "bg_nbd", **changes: Any) -> Any:
    """Predict with bounds of 90 %."""
    chosen: dict[str, Any] = {
        "purchases": fits[model],
        "spend": fits["gamma_gamma"],
        "horizon_days": HORIZON,
        "level": 0.9,
    }
    return clv.predict(table, **chosen | changes)


def table(**changes: list[Any]) -> pl.DataFrame:
    """Make a summary of a few."""
    return pl.DataFrame(SUMMARY | changes, strict=False)


def certain(fitted: clv.Fit) -> clv.Fit:
    """Take the uncertainty of the parameters from a fit."""
    found: Any = fitted.likelihood
    none = tuple(tuple(0.0 for _ in row) for row in found.covariance_log)
    return replace(fitted, likelihood=replace(found, covariance_log=none))


# Twin


@pytest.mark.full_for("pareto_nbd")
@pytest.mark.parametrize("model", ["bg_nbd", "pareto_nbd", "mbg_cnbd_k"])
def test_bounds_of_purchases_are_those_of_many_drawn_parameters(
    fits: Mapping[str, clv.Fit], model: str
) -> None:
    fitted = fits[model]
    covariance = np.array(fitted.likelihood.covariance_log, float)
    centre = [fitted.estimates[name] for name in fitted.likelihood.names]
    dice = np.random.default_rng(1)
    drawn = np.exp(dice.multivariate_normal(np.log(centre), covariance, 200))
    history = tuple(np.array(SUMMARY[name], float) for name in ("frequency", "recency", "T"))
    chances = np.mean(
        [
            replace(
                fitted.model, **dict(zip(fitted.likelihood.names, one, strict=True))
            ).purchase_distribution(*history, horizon_days=HORIZON, most=400)
            for one in drawn.tolist()
        ],
        axis=0,
    )
    upper = (chances.cumsum(axis=1) >= 0.95).argmax(axis=1)
    lower = (chances.cumsum(axis=1) >= 0.05).argmax(axis=1)
    found = ahead(table(), fits, model)
    # Two hundred draws leave the bound of one with a hundred purchases to come open by 5.
    np.testing.assert_allclose(found["expected_purchases_upper"], upper, atol=0.5, rtol=0.06)
    np.testing.assert_allclose(found["expected_purchases_lower"], lower, atol=1.5)


def test_bounds_of_money_are_those_of_drawn_amounts(fits: Mapping[str, clv.Fit]) -> None:
    spend, dice, n = fits["gamma_gamma"], np.random.default_rng(2), 200_000
    fitted = certain(fits["bg_nbd"])
    found = ahead(table(), {"bg_nbd": fitted, "gamma_gamma": certain(spend)})
    history = tuple(np.array(SUMMARY[name], float) for name in ("frequency", "recency", "T"))
    chances = fitted.model.purchase_distribution(*history, horizon_days=HORIZON, most=400)
    p, q, v = astuple(spend.model)
    days = np.array([2.0, 0, 12, 1, 40])
    scale = v + days * np.array([22.345, 0, 50, -3, 8])
    for row in range(5):
        count = dice.choice(401, size=n, p=chances[row] / chances[row].sum())
        rate = dice.gamma(q + p * days[row], 1 / scale[row], n)
        amount = np.where(count > 0, dice.gamma(p * np.maximum(count, 1), 1 / rate), 0.0)
        lower, upper = np.quantile(amount, [0.05, 0.95])
        assert found["clv_upper"][row] == pytest.approx(upper, rel=0.02)
        assert found["clv_lower"][row] == pytest.approx(lower, rel=0.05, abs=0.01)


def test_bounds_of_the_own_mean_are_those_of_an_inverse_gamma(
    fits: Mapping[str, clv.Fit],
) -> None:
    spend = certain(fits["gamma_gamma"])
    p, q, v = astuple(spend.model)
    found = ahead(table(), fits, spend=spend)
    for row, (x, z) in enumerate([(2, 22.345), (0, 0.0), (12, 50.0), (1, -3.0), (40, 8.0)]):
        own = stats.invgamma(q + p * x, scale=p * (v + x * z))
        bounds = found["expected_spend_lower"][row], found["expected_spend_upper"][row]
        assert bounds == pytest.approx(own.ppf([0.05, 0.95]), rel=1e-6)


def test_the_distribution_of_amounts_is_the_mean_over_what_one_may_spend() -> None:
    p, q, v = astuple(SPENDS[0])  # type: ignore[call-overload]  # a dataclass
    x, z, days, amount = 2.0, 25.0, 3.0, 90.0

    def at(nu: float) -> float:
        known = stats.gamma.pdf(nu, q + p * x, scale=1 / (v + x * z))
        return float(stats.gamma.cdf(amount, p * days, scale=1 / nu) * known)

    slow, _ = integrate.quad(at, 0, 2)
    arrays = (np.array(value) for value in (x, z, days, amount))
    assert float(SPENDS[0].amount_distribution(*arrays)) == pytest.approx(slow, rel=1e-8)


@pytest.mark.parametrize("model", SPENDS)
def test_second_moments_are_those_of_the_distributions(model: SpendModel) -> None:
    x, z = np.array([4.0]), np.array([31.0])
    (expected,) = model.expected_spend(x, z)
    amount = expected * np.exp(np.linspace(-9, 9, 40_001))
    middle = (amount[1:] + amount[:-1]) / 2
    of_mean, of_day = (float(square[0]) for square in model.second_moments(x))
    for below, square in (
        (model.mean_distribution(x, z, amount), of_mean),
        (model.amount_distribution(x, z, np.ones(1), amount), of_day),
    ):
        assert np.diff(below) @ middle == pytest.approx(expected, rel=1e-4)
        assert np.diff(below) @ middle**2 == pytest.approx(square * expected**2, rel=1e-4)


def test_the_points_have_the_moments_of_the_parameters(fits: Mapping[str, clv.Fit]) -> None:
    for fitted in fits.values():
        found: Any = fitted.likelihood
        other: Any = fits["bg_nbd"].likelihood
        order = n_directions(found, other)
        models = [one.model for pair in sigma_points(found, order=order) for one in pair]
        logs = np.log([[getattr(model, name) for name in found.names] for model in models])
        centre = np.log([getattr(found.model, name) for name in found.names])
        np.testing.assert_allclose(logs.mean(axis=0), centre, atol=1e-12)
        away = logs - centre
        np.testing.assert_allclose(
            away.T @ away / len(models), np.array(found.covariance_log, float), rtol=1e-9
        )


def test_chances_one_by_one_are_the_chances() -> None:
    dice = np.random.default_rng(3)
    shape, z = 10 ** dice.uniform(-2, 3.5, (20, 1)), 10 ** dice.uniform(-3, 3, (20, 5))
    found = np.stack(list(pmf_up_to(2000, shape, z)))
    chances = np.stack([pmf(n, shape, z) for n in range(2001)])
    np.testing.assert_allclose(found, chances, rtol=1e-9, atol=1e-200)


def test_many_parameters_at_once_are_each_by_itself(customers: pl.DataFrame) -> None:
    fitted = clv.fit(customers, model="pareto_nbd")
    x, t_x, T = (customers[name].to_numpy().astype(float) for name in ("frequency", "recency", "T"))
    moves = np.random.default_rng(4).normal(size=(60, 4))
    points = np.exp(np.log(list(fitted.estimates.values())) + moves)
    known: dict[str, Any] = {
        "names": fitted.likelihood.names,
        "columns": (x, t_x, T),
        "weights": np.ones(len(x)),
    }
    together = log_likelihoods(fitted.model, points, **known)
    alone = [log_likelihoods(fitted.model, point[np.newaxis], **known)[0] for point in points]
    np.testing.assert_allclose(together, alone, atol=1e-3)


# Properties


def holds_by_chance(n: int) -> tuple[float, float]:
    """How many of n bounds of 90 % hold, but for one time in a thousand."""
    low, high = stats.binom.ppf([0.0005, 0.9995], n, 0.9)
    return low, high


@pytest.mark.full
def test_ninety_percent_hold_in_ninety_percent() -> None:
    """A small run of docs/coverage_study.py, whose page has the large one."""
    runs = [coverage("bg_nbd", n_customers=300, seed=[7, i]) for i in range(8)]
    mean = {row: np.mean([run[row] for run in runs]) for row in runs[0]}
    # A customer's outcome is his own: 2,400 of them leave a standard error of 0.6 %.
    for row in ("customers' purchases", "customers' money", "customers' own mean spend"):
        assert mean[row] == pytest.approx(0.9, abs=0.02)
    assert mean["customers' purchases, as whole numbers"] > 0.9
    low, _ = holds_by_chance(8)
    for row in ("total of purchases", "total of money"):  # once a simulation
        assert 8 * mean[row] >= low


def test_ninety_percent_hold_the_true_parameter_in_ninety_percent() -> None:
    n, held = 60, Counter[str]()
    for seed in range(n):
        rng = np.random.default_rng([7, seed])
        known = simulated(TRUTHS["bg_nbd"], n_customers=500, rng=rng).customers
        for model, truth in (("bg_nbd", TRUTHS["bg_nbd"]), ("gamma_gamma", SPEND)):
            for name, bounds in clv.fit(known, model=model).intervals(level=0.9).items():
                true = getattr(truth, name)
                held[name] += bounds is not None and bounds[0] <= true <= bounds[1]
    low, high = holds_by_chance(n)
    assert {name: low <= times <= high for name, times in held.items()} == dict.fromkeys(
        ["r", "alpha", "a", "b", "p", "q", "v"], True
    )


@pytest.mark.parametrize("model", sorted(PURCHASE_MODELS))
@pytest.mark.parametrize("spend", ["gamma_gamma", "lognormal_spend"])
def test_every_model_has_bounds(
    customers: pl.DataFrame, fits: Mapping[str, clv.Fit], model: str, spend: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)  # Gompertz runs away on these customers
        fitted = clv.fit(customers, model=model)
        found = ahead(table(), {**fits, model: fitted}, model, spend=fits[spend])
    for column in PREDICTED:
        lower, upper = found[f"{column}_lower"], found[f"{column}_upper"]
        assert (lower <= upper).all()
        assert (lower <= found[column] * (1 + 1e-12)).all()
    assert (found["p_alive_upper"] >= found["p_alive"]).all()
    assert found.select(BOUNDS).null_count().sum_horizontal()[0] == 0


def test_more_certainty_takes_more_room(fits: Mapping[str, clv.Fit]) -> None:
    narrow, wide = (ahead(table(), fits, level=level) for level in (0.5, 0.95))
    for column in PREDICTED:
        assert (wide[f"{column}_lower"] <= narrow[f"{column}_lower"]).all()
        assert (wide[f"{column}_upper"] >= narrow[f"{column}_upper"]).all()


def test_doubt_about_parameters_takes_room(fits: Mapping[str, clv.Fit]) -> None:
    sure = {name: certain(fitted) for name, fitted in fits.items()}
    in_doubt, known = ahead(table(), fits), ahead(table(), sure)
    width = [found["p_alive_upper"] - found["p_alive_lower"] for found in (in_doubt, known)]
    assert (width[0] > 0).sum() == 4  # all but the one without a repeat purchase
    np.testing.assert_allclose(width[1], 0, atol=1e-12)
    assert (in_doubt["clv_upper"] >= known["clv_upper"] * 0.999).all()


def test_the_company_of_a_customer_does_not_matter(fits: Mapping[str, clv.Fit]) -> None:
    together = ahead(table(), fits)
    for row in range(5):
        alone = ahead(table()[row], fits)
        np.testing.assert_allclose(
            alone.select(BOUNDS).to_numpy()[0], together.select(BOUNDS).to_numpy()[row], rtol=1e-9
        )


def test_margin_discount_and_cost_move_the_bounds_of_worth(fits: Mapping[str, clv.Fit]) -> None:
    plain = ahead(table(), fits)
    found = ahead(table(), fits, margin=0.5, annual_discount_rate=0.2, cost=3.0)
    whole = ahead(table(), fits, margin=0.5, annual_discount_rate=0.2)
    for column in ("clv", "clv_lower", "clv_upper"):
        np.testing.assert_allclose(found[column], whole[column] - 3.0, atol=1e-12)
    lasting = whole["clv"] / plain["clv"]
    np.testing.assert_allclose(whole["clv_upper"], plain["clv_upper"] * lasting)
    same = [column for column in (*PREDICTED, *BOUNDS) if not column.startswith("clv")]
    assert found.select(same).equals(plain.select(same))


def test_a_factor_scales_purchases_and_worth(fits: Mapping[str, clv.Fit]) -> None:
    plain, more = ahead(table(), fits), ahead(table(), fits, calibrate=1.5)
    for column in ("expected_purchases", "clv"):
        for name in (column, f"{column}_lower", f"{column}_upper"):
            np.testing.assert_allclose(more[name], 1.5 * plain[name])


def test_a_total_is_the_sum_of_the_column(
    customers: pl.DataFrame, fits: Mapping[str, clv.Fit]
) -> None:
    chosen: dict[str, Any] = {
        "purchases": fits["pareto_nbd"],
        "spend": fits["gamma_gamma"],
        "horizon_days": HORIZON,
        "margin": 0.3,
        "annual_discount_rate": 0.1,
        "cost": 0.25,
        "calibrate": 1.2,
    }
    each = clv.predict(customers, **chosen)
    (total,) = rows(clv.predict_total(customers, **chosen))
    assert total["n_customers"] == 2357
    assert total["expected_alive"] == pytest.approx(each["p_alive"].sum())
    assert total["expected_purchases"] == pytest.approx(each["expected_purchases"].sum())
    assert total["clv"] == pytest.approx(each["clv"].sum())
    for name in ("expected_alive", "expected_purchases", "clv"):
        assert total[f"{name}_lower"] < total[name] < total[f"{name}_upper"]


def test_own_chance_evens_out_over_many(
    customers: pl.DataFrame, fits: Mapping[str, clv.Fit]
) -> None:
    known = certain(fits["bg_nbd"])

    def width(table: pl.DataFrame) -> float:
        (total,) = rows(clv.predict_total(table, purchases=known, horizon_days=HORIZON))
        spread = total["expected_purchases_upper"] / total["expected_purchases_lower"]
        return math.log(spread)

    hundred = pl.concat([customers] * 100).with_columns(
        customer_id=pl.int_range(pl.len()).cast(pl.String)
    )
    assert width(customers) == pytest.approx(10 * width(hundred), rel=0.01)


# Shape


def test_bounds_on_every_engine(make_frame: MakeFrame, fits: Mapping[str, clv.Fit]) -> None:
    expected = rows(ahead(table(), fits, cost="mailings"), by="customer_id")
    found = rows(ahead(make_frame(SUMMARY), fits, cost="mailings"), by="customer_id")
    for row, like in zip(found, expected, strict=True):
        assert list(row) == [*SUMMARY, *PREDICTED, *BOUNDS]
        assert {name: row[name] for name in BOUNDS} == pytest.approx(
            {name: like[name] for name in BOUNDS}, rel=1e-9
        )


def test_a_total_on_every_engine(make_frame: MakeFrame, fits: Mapping[str, clv.Fit]) -> None:
    chosen: dict[str, Any] = {"purchases": fits["bg_nbd"], "spend": fits["gamma_gamma"]}
    (expected,) = rows(clv.predict_total(table(), horizon_days=30, **chosen))
    (found,) = rows(clv.predict_total(make_frame(SUMMARY), horizon_days=30, **chosen))
    totals = ("expected_alive", "expected_purchases", "clv")
    bounds = [f"{name}{bound}" for name in totals for bound in ("", "_lower", "_upper")]
    assert list(found) == ["n_customers", *bounds]
    assert found == pytest.approx(expected, rel=1e-9)


def test_without_spend_there_is_no_money(fits: Mapping[str, clv.Fit]) -> None:
    found = ahead(table(), fits, spend=None)
    assert found.columns == [*SUMMARY, *PREDICTED[:2], *BOUNDS[:4]]
    total = clv.predict_total(table(), purchases=fits["bg_nbd"], horizon_days=30)
    assert "clv" not in total.columns


def test_no_customers_have_no_bounds(fits: Mapping[str, clv.Fit]) -> None:
    assert ahead(table()[:0], fits).shape == (0, 18)
    total = clv.predict_total(table()[:0], purchases=fits["bg_nbd"], horizon_days=30)
    assert total.row(0) == (0,) * 7


def test_a_second_look_leaves_no_bounds_of_the_first(fits: Mapping[str, clv.Fit]) -> None:
    again = ahead(ahead(table(), fits), fits, level=None)
    assert sorted(again.columns) == sorted([*SUMMARY, *PREDICTED])


def test_an_unknown_cost_makes_worth_unknown(fits: Mapping[str, clv.Fit]) -> None:
    costs = pd.DataFrame(SUMMARY).assign(mailings=[1.0, None, 1.0, 1.0, 1.0])
    found = ahead(costs, fits, cost="mailings")
    assert found["clv"].isna().tolist() == [False, True, False, False, False]
    assert found["clv_upper"].isna().tolist() == [False, True, False, False, False]
    total = clv.predict_total(
        costs,
        purchases=fits["bg_nbd"],
        spend=fits["gamma_gamma"],
        horizon_days=30,
        cost="mailings",
    )
    assert total[["clv", "clv_lower", "clv_upper"]].isna().all(axis=None)
    assert total["expected_purchases_upper"].notna().all()


def test_an_open_parameter_is_warned_of(fits: Mapping[str, clv.Fit]) -> None:
    fitted = fits["bg_nbd"]
    found: Any = fitted.likelihood
    hidden = tuple(
        tuple(None if 2 in (i, j) else value for j, value in enumerate(row))
        for i, row in enumerate(found.covariance_log)
    )
    blurred = replace(fitted, likelihood=replace(found, covariance_log=hidden))
    expected = (
        "bg_nbd: the data do not identify `a`, so the interval takes the estimate as exact there "
        "and is too narrow.\nSee `Fit.diagnostics`."
    )
    with pytest.warns(CrmkitWarning) as caught:
        ahead(table(), {**fits, "bg_nbd": blurred})
    assert [str(one.message) for one in caught] == [expected]


def test_a_total_without_variance_has_no_bounds(fits: Mapping[str, clv.Fit]) -> None:
    spend = certain(fits["gamma_gamma"])
    wild = replace(spend, likelihood=replace(spend.likelihood, model=GammaGamma(6.0, 1.5, 15.0)))
    with pytest.warns(CrmkitWarning, match="spend has no variance"):
        total = clv.predict_total(
            table(), purchases=fits["bg_nbd"], spend=wild, horizon_days=HORIZON
        )
    assert total["clv"][0] > 0
    assert total["clv_upper"][0] is None


@pytest.mark.parametrize("engine", ["pandas", "polars", "polars-lazy", "duckdb"])
def test_without_an_expected_spend_there_is_no_total(
    engine: str, fits: Mapping[str, clv.Fit]
) -> None:
    # Amounts so wild that the mean over customers does not exist: q is below 1.
    spend = certain(fits["gamma_gamma"])
    wild = replace(spend, likelihood=replace(spend.likelihood, model=GammaGamma(6.0, 0.7, 15.0)))
    with pytest.warns(CrmkitWarning) as caught:
        total = clv.predict_total(
            MAKERS[engine](SUMMARY), purchases=fits["bg_nbd"], spend=wild, horizon_days=HORIZON
        )
    (warning,) = caught
    assert str(warning.message) == (
        "1 of 5 customers have no expected spend, so the total has none either.\n"
        "A few very large amounts are the usual cause; see `Fit.diagnostics`."
    )
    (found,) = rows(total)
    assert found["expected_purchases_lower"] > 0
    assert [found[name] for name in ("clv", "clv_lower", "clv_upper")] == [None] * 3


# Refusals


def test_an_interval_in_percent(fits: Mapping[str, clv.Fit]) -> None:
    expected = "`level` must lie between 0 and 1, got 90.\nWrite 0.9 for 90 %."
    with pytest.raises(InvalidArgumentError) as caught:
        ahead(table(), fits, level=90)
    assert str(caught.value) == expected
    with pytest.raises(InvalidArgumentError) as caught:
        clv.predict_total(table(), purchases=fits["bg_nbd"], horizon_days=30, level=90)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (-1.0, "`cost` must be 0 or more, got -1.0.\nWrite 12.5 for 12.50 a customer."),
        (
            "customer_id",
            (
                "customer summary: `customer_id` has type String; expected a number.\n"
                "Give `cost` as a number, or as the name of a column of numbers."
            ),
        ),
    ],
)
def test_what_is_no_cost(fits: Mapping[str, clv.Fit], cost: float | str, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ahead(table(), fits, cost=cost)
    assert str(caught.value) == message


def test_a_cost_without_money(fits: Mapping[str, clv.Fit]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ahead(table(), fits, spend=None, cost=1.0)
    assert str(caught.value) == (
        "`cost` is subtracted from `clv`, which needs `spend`.\nGive `spend`, or leave `cost` out."
    )


def test_a_cost_that_is_not_there(fits: Mapping[str, clv.Fit]) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        ahead(table(), fits, cost="calls")
    assert str(caught.value) == (
        "customer summary: no column `calls` among `customer_id`, `frequency`, `recency`, `T`, "
        "`monetary_value`, `mailings`, `p_alive`, `expected_purchases`, `expected_spend`, `clv`.\n"
        "Give `cost` as a number, or as the name of a column."
    )


def test_a_cost_below_zero_names_the_customers(fits: Mapping[str, clv.Fit]) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        ahead(table(mailings=[1.0, -2.0, 0.0, None, 1.0]), fits, cost="mailings")
    assert str(caught.value) == (
        "customer summary: `mailings` is below 0 in 1 of 5 rows (customer_id 'b').\n"
        "A cost is 0 or more; leave it null where it is unknown."
    )
