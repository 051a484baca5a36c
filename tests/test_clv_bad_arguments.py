"""Arguments of the wrong type are refused in words, never by an error of Python itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS

PURCHASES, SPEND = (", ".join(map(repr, each)) for each in (PURCHASE_MODELS, SPEND_MODELS))
MODELS = f"{PURCHASES}, {SPEND}"
PERIOD = "'day', 'week', 'month', 'quarter', 'year'"
SURVIVORS = pl.DataFrame({"period": [0, 1, 2, 3], "survivors": [1000, 631, 468, 382]})
LATER = date(1998, 6, 30)
SPLIT = date(1997, 9, 30)


class Known:
    """What the calls below take."""

    def __init__(self) -> None:
        self.orders: pl.DataFrame = load_cdnow(sample=True, backend="polars")
        self.table = rfm.summarize(self.orders, as_of=SPLIT)
        self.fit = clv.fit(self.table, model="bg_nbd")
        self.spend = clv.fit(self.table, model="gamma_gamma")
        self.contracts = clv.fit_retention(SURVIVORS, every="year")


@pytest.fixture(scope="module")
def known() -> Known:
    """The sample of the papers, and fits to it."""
    return Known()


def predict(known: Known, **changes: Any) -> Any:
    """Predict in the usual way but for the changes."""
    usual: dict[str, Any] = {"purchases": known.fit, "spend": known.spend, "horizon_days": 30}
    return clv.predict(known.table, **usual | changes)


def posterior(known: Known, **changes: Any) -> Any:
    """Draw in the usual way but for the changes."""
    return clv.posterior(known.table, **{"fit": known.fit} | changes)


def backtest(known: Known, **changes: Any) -> Any:
    """Backtest in the usual way but for the changes."""
    usual: dict[str, Any] = {"splits": [SPLIT], "as_of": LATER}
    return clv.backtest(known.orders, **usual | changes)


def simulate(known: Known, **changes: Any) -> Any:
    """Simulate in the usual way but for the changes."""
    usual: dict[str, Any] = {
        "purchases": known.fit,
        "n_customers": 3,
        "start": SPLIT,
        "acquisition_days": 3,
        "as_of": LATER,
        "seed": 1,
    }
    return clv.simulate(**usual | changes)


HORIZON = "`horizon_days` must be above 0, got {}.\nWrite 365 for a year."
MARGIN = "`margin` must be above 0 and at most 1, got {}.\nWrite 0.3 for 30 %."
RATE = "`annual_discount_rate` must be at least 0 and below 1, got {}.\nWrite 0.1 for 10 % a year."
LEVEL = "`level` must lie between 0 and 1, got {}.\nWrite 0.9 for 90 %."
COST = "`cost` must be 0 or more, got {}.\nWrite 12.5 for 12.50 a customer."
FACTOR = "`calibrate` must be above 0, got {}.\nWrite 1.1 for 10 % more."
PENALTY = "`penalty` must be 0 or more, got {}.\nWrite 1.0 for a mild one."
SEED = "`seed` must be a whole number of 0 or more, got {}.\nWrite 1."
DRAWS = "`draws` must be a whole number of 100 or more, got {}.\nWrite 4000 if in doubt."
MOST = "`most` must be a whole number of 1 or more, got {}.\nWrite {}."
PERIODS = "`periods` must be a whole number of 1 or more, got {}.\nWrite 12 for a year of months."
A_FIT = "`{}` must be a Fit, got {}.\nMake one with crmkit.clv.fit()."
A_LIST = "`{}` must be a list, got {}.\nWrite {}."
RENEWALS = "`renewals` must be a whole number of 0 or more, got {}.\nWrite [0, 1, 2]."
ONE_DAY = "[datetime.date(2024, 6, 30)]"

CASES: dict[str, tuple[Callable[[Known], Any], str]] = {
    "a horizon as text": (lambda k: predict(k, horizon_days="365"), HORIZON.format("'365'")),
    "no horizon": (lambda k: predict(k, horizon_days=None), HORIZON.format("None")),
    "a true horizon": (lambda k: predict(k, horizon_days=True), HORIZON.format("True")),
    "a table as horizon": (
        lambda k: predict(k, horizon_days=k.table),
        HORIZON.format("a DataFrame"),
    ),
    "a margin as text": (lambda k: predict(k, margin="0.3"), MARGIN.format("'0.3'")),
    "no margin": (lambda k: predict(k, margin=None), MARGIN.format("None")),
    "a true margin": (lambda k: predict(k, margin=True), MARGIN.format("True")),
    "a rate as text": (lambda k: predict(k, annual_discount_rate="0.1"), RATE.format("'0.1'")),
    "a level as text": (lambda k: predict(k, level="0.9"), LEVEL.format("'0.9'")),
    "a list of costs": (lambda k: predict(k, cost=[1.0]), COST.format("[1.0]")),
    "a true cost": (lambda k: predict(k, cost=True), COST.format("True")),
    "a factor as text": (lambda k: predict(k, calibrate="1.1"), FACTOR.format("'1.1'")),
    "a true factor": (lambda k: predict(k, calibrate=True), FACTOR.format("True")),
    "a penalty as text": (
        lambda k: clv.fit(k.table, model="bg_nbd", penalty="1"),  # type: ignore[arg-type]
        PENALTY.format("'1'"),
    ),
    "draws as text": (lambda k: posterior(k, draws="a"), DRAWS.format("'a'")),
    "a seed that is no whole number": (lambda k: posterior(k, seed=1.5), SEED.format("1.5")),
    "a seed below zero": (lambda k: posterior(k, seed=-1), SEED.format("-1")),
    "no seed": (lambda k: posterior(k, seed=None), SEED.format("None")),
    "no seed to simulate": (lambda k: simulate(k, seed=None), SEED.format("None")),
    "most as text": (
        lambda k: clv.purchase_distribution(
            k.table,
            purchases=k.fit,
            horizon_days=30,
            most="a",  # type: ignore[arg-type]
        ),
        MOST.format("'a'", "10 for columns p_0 to p_10"),
    ),
    "most of a calibration": (
        lambda k: clv.calibration(k.orders, split=SPLIT, as_of=LATER, most=0),
        MOST.format("0", "7"),
    ),
    "periods as text": (
        lambda k: clv.forecast_retention(k.contracts, periods="a"),  # type: ignore[arg-type]
        PERIODS.format("'a'"),
    ),
    "one number of renewals": (
        lambda k: clv.discounted_residual_lifetime(
            k.contracts,
            renewals=12,  # type: ignore[arg-type]
            annual_discount_rate=0.1,
        ),
        A_LIST.format("renewals", "12", "[12]"),
    ),
    "renewals by halves": (
        lambda k: clv.discounted_residual_lifetime(
            k.contracts,
            renewals=[1, 0.5],  # type: ignore[list-item]
            annual_discount_rate=0.1,
        ),
        RENEWALS.format("0.5"),
    ),
    "a list of models to fit": (
        lambda k: clv.fit(k.table, model=["bg_nbd"]),  # type: ignore[arg-type]
        f"`model` must be one of {MODELS}, got ['bg_nbd'].\nDid you mean 'bg_nbd'?",
    ),
    "no model": (
        lambda k: clv.fit(k.table, model=None),  # type: ignore[arg-type]
        f"`model` must be one of {MODELS}, got None.",
    ),
    "a misspelt model": (
        lambda k: clv.fit(k.table, model="BG/NBD"),
        f"`model` must be one of {MODELS}, got 'BG/NBD'.\nDid you mean 'bg_nbd'?",
    ),
    "a model of contracts": (
        lambda k: clv.fit(k.table, model="sbg"),
        "`model` is 'sbg', but it is for contracts: see crmkit.clv.fit_retention().",
    ),
    "a model of opportunities": (
        lambda k: clv.fit(k.table, model="bg_bb"),
        "`model` is 'bg_bb', but it is for opportunities: see crmkit.clv.fit_opportunities().",
    ),
    "a misspelt model to compare": (
        lambda k: clv.compare(k.table, models=["bg_nbt"]),
        f"`models` must be one of {MODELS}, got 'bg_nbt'.\nDid you mean 'bg_nbd'?",
    ),
    "a number to compare": (
        lambda k: clv.compare(k.table, models=[3]),  # type: ignore[list-item]
        "`models` must hold names of models or fits, got 3.",
    ),
    "one fit to compare": (
        lambda k: clv.compare(k.table, models=k.fit),  # type: ignore[arg-type]
        "`models` must be a list, got a Fit.\nWrite [fit].",
    ),
    "a misspelt model to backtest": (
        lambda k: backtest(k, models=["paretonbd"]),
        f"`models` must be one of {PURCHASES}, got 'paretonbd'.\nDid you mean 'pareto_nbd'?",
    ),
    "a spend model of purchases": (
        lambda k: backtest(k, spend="bg_nbd"),
        f"`spend` must be one of {SPEND}, got 'bg_nbd'.",
    ),
    "a misspelt model to calibrate": (
        lambda k: clv.calibration(k.orders, split=SPLIT, as_of=LATER, model="bgnbd"),
        f"`model` must be one of {PURCHASES}, got 'bgnbd'.\nDid you mean 'bg_nbd'?",
    ),
    "a misspelt model of contracts": (
        lambda _: clv.fit_retention(SURVIVORS, model="sgb", every="year"),
        "`model` must be one of 'sbg', 'bdw', got 'sgb'.\nDid you mean 'sbg'?",
    ),
    "a misspelt period": (
        lambda _: clv.fit_retention(SURVIVORS, every="years"),  # type: ignore[arg-type]
        f"`every` must be one of {PERIOD}, got 'years'.\nDid you mean 'year'?",
    ),
    "a misspelt backend": (
        lambda k: simulate(k, backend="panda"),
        (
            "`backend` must be one of 'pandas', 'polars', 'pyarrow', got 'panda'.\n"
            "Did you mean 'pandas'?"
        ),
    ),
    "one model to compare": (
        lambda k: clv.compare(k.table, models="bg_nbd"),
        A_LIST.format("models", "'bg_nbd'", "['bg_nbd']"),
    ),
    "one model to backtest": (
        lambda k: backtest(k, models="bg_nbd"),
        A_LIST.format("models", "'bg_nbd'", "['bg_nbd']"),
    ),
    "one split": (
        lambda k: backtest(k, splits=SPLIT),
        A_LIST.format("splits", "datetime.date(1997, 9, 30)", ONE_DAY),
    ),
    "one split as text": (
        lambda k: backtest(k, splits="1997-09-30"),
        A_LIST.format("splits", "'1997-09-30'", ONE_DAY),
    ),
    "a backtest without spend": (
        lambda k: backtest(k, spend=None),
        f"`spend` must be one of {SPEND}, got None.",
    ),
    "a hiatus below zero": (
        lambda k: backtest(k, hiatus_days=-1),
        "`hiatus_days` must be a whole number of 0 or more, got -1.\nWrite 56 for eight weeks.",
    ),
    "a model's name as purchases": (
        lambda k: predict(k, purchases="bg_nbd"),
        A_FIT.format("purchases", "'bg_nbd'"),
    ),
    "no purchases": (lambda k: predict(k, purchases=None), A_FIT.format("purchases", "None")),
    "a bare model as purchases": (
        lambda k: clv.probability_alive(k.table, purchases=k.fit.model),
        A_FIT.format("purchases", "a BGNBD"),
    ),
    "a table as spend": (
        lambda k: predict(k, spend=k.table),
        A_FIT.format("spend", "a DataFrame"),
    ),
    "a table as fit": (lambda k: posterior(k, fit=k.table), A_FIT.format("fit", "a DataFrame")),
    "a fit of contracts as fit": (
        lambda k: posterior(k, fit=k.contracts),
        f"`fit` is a fitted sbg.\nFit one of {MODELS} instead.",
    ),
    "no fit of contracts": (
        lambda _: clv.forecast_retention("sbg", periods=3),  # type: ignore[arg-type]
        "`fit` must be a RetentionFit, got 'sbg'.\nMake one with crmkit.clv.fit_retention().",
    ),
    "a fit of purchases as contracts": (
        lambda k: clv.forecast_retention(k.fit, periods=3),  # type: ignore[arg-type]
        "`fit` must be a RetentionFit, got a Fit.\nMake one with crmkit.clv.fit_retention().",
    ),
    "no fit of opportunities": (
        lambda k: clv.forecast_opportunities(k.table, fit=None, n_opportunities=3),  # type: ignore[arg-type]
        "`fit` must be an OpportunityFit, got None.\nMake one with crmkit.clv.fit_opportunities().",
    ),
    "a median as text": (
        lambda _: clv.LogNormal(median="1", log_deviation=1.0),  # type: ignore[arg-type]
        (
            "A prior needs a positive median and deviation, got "
            "LogNormal(median='1', log_deviation=1.0).\n"
            "Write LogNormal(median=30, log_deviation=1)."
        ),
    ),
    "a number for a prior": (
        lambda k: posterior(k, prior={"alpha": 30}),
        (
            "`prior` of alpha must be a LogNormal, got 30.\n"
            "Write LogNormal(median=30, log_deviation=1): a parameter is above 0."
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_argument_and_what_it_must_be_are_named(known: Known, case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidArgumentError) as caught:
        call(known)
    assert str(caught.value) == message


def test_numbers_of_numpy_are_numbers(known: Known) -> None:
    plain = predict(known, horizon_days=30, margin=0.5, cost=1, level=0.5)
    numpy = predict(
        known,
        horizon_days=np.int64(30),
        margin=np.float32(0.5),
        cost=np.int8(1),
        level=np.float64(0.5),
    )
    assert plain.equals(numpy)
    assert posterior(known, draws=np.int64(100), seed=np.uint8(3)) == posterior(
        known, draws=100, seed=3
    )
