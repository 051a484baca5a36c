"""Invented customers: they buy as the model says, and the model is found again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from crmkit.models import NBD, PURCHASE_MODELS
from tests.conftest import rows

FEW: dict[str, Any] = {
    "n_customers": 200,
    "start": date(2024, 1, 1),
    "acquisition_days": 90,
    "as_of": date(2024, 12, 31),
    "seed": 1,
}


@pytest.fixture(scope="module")
def real() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


@pytest.fixture(scope="module")
def purchases(real: pl.DataFrame) -> clv.Fit:
    """BG/NBD on them."""
    return clv.fit(real, model="bg_nbd")


# What must hold


# The sample gives no GGompertz/NBD to find again: its likelihood has no maximum there.
@pytest.mark.parametrize("model", [name for name in PURCHASE_MODELS if name != "ggompertz_nbd"])
def test_a_fit_on_simulated_customers_recovers_the_model(real: pl.DataFrame, model: str) -> None:
    truth = clv.fit(real, model=model)
    as_of = date(2022, 12, 31)
    ledger = clv.simulate(
        purchases=truth,
        n_customers=5000,
        start=date(2020, 1, 1),
        acquisition_days=365,
        as_of=as_of,
        seed=1,
    )
    found = clv.fit(rfm.summarize(ledger, as_of=as_of), model=model)
    names = found.likelihood.names
    away = [np.log(found.estimates[name] / truth.estimates[name]) for name in names]
    errors = np.sqrt(np.diag(np.array(found.likelihood.covariance_log, float)))
    assert found.estimates.get("k") == truth.estimates.get("k")
    assert (np.abs(away) < 4 * errors).all()
    assert (errors < 0.3).all()  # or any estimate would pass


def test_customers_come_evenly_and_are_all_seen(purchases: clv.Fit) -> None:
    ledger = clv.simulate(purchases=purchases, **{**FEW, "n_customers": 9000}, backend="polars")
    firsts = ledger.group_by("customer_id").agg(pl.col("date").min()).sort("customer_id")
    assert firsts["customer_id"].to_list() == list(range(1, 9001))
    a_day = firsts.group_by("date").len().sort("date")
    assert (a_day["date"].min(), a_day["date"].max()) == (date(2024, 1, 1), date(2024, 3, 30))
    assert len(a_day) == 90
    # 100 a day are expected, so 60 or 140 lie four standard deviations out.
    assert a_day["len"].is_between(60, 140).all()


def test_repeat_purchases_come_after_the_first_day_and_by_the_last(purchases: clv.Fit) -> None:
    ledger = clv.simulate(purchases=purchases, **FEW, backend="polars")
    assert ledger.equals(ledger.sort("customer_id", "date"))
    assert ledger["date"].max() <= FEW["as_of"]
    first = pl.col("date").min().over("customer_id")
    repeats = ledger.filter(pl.col("date") > first)
    assert len(ledger) == FEW["n_customers"] + len(repeats)
    assert len(repeats) > 0


def test_several_purchases_on_a_day_stay_rows(real: pl.DataFrame) -> None:
    fitted = clv.fit(real, model="nbd")
    hourly = replace(fitted.likelihood, model=NBD(r=fitted.model.r, alpha=0.1))
    busy = clv.simulate(purchases=replace(fitted, likelihood=hourly), **FEW, backend="polars")
    assert busy.is_duplicated().any()
    summary = rfm.summarize(busy, as_of=FEW["as_of"])
    assert (summary["frequency"] <= summary["T"]).all()


def test_the_seed_decides(purchases: clv.Fit) -> None:
    once, again = (clv.simulate(purchases=purchases, **FEW, backend="polars") for _ in range(2))
    other = clv.simulate(purchases=purchases, **{**FEW, "seed": 2}, backend="polars")
    assert once.equals(again)
    assert not once.equals(other)


# Shape


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_every_library_gets_the_same_ledger(
    purchases: clv.Fit, backend: Literal["pandas", "polars", "pyarrow"]
) -> None:
    found = clv.simulate(purchases=purchases, **FEW, backend=backend)
    assert type(found).__module__.partition(".")[0] == backend
    twin = clv.simulate(purchases=purchases, **FEW, backend="polars")
    assert twin.schema == {"customer_id": pl.Int64, "date": pl.Date}
    assert rows(found) == twin.to_dicts()
    summary = rows(rfm.summarize(found, as_of=FEW["as_of"]))
    assert summary == rows(rfm.summarize(twin, as_of=FEW["as_of"]))


def test_one_customer_on_the_last_day_buys_once(purchases: clv.Fit) -> None:
    day = datetime(2024, 5, 1, 12)
    ledger = clv.simulate(
        purchases=purchases,
        n_customers=1,
        start=day,
        acquisition_days=1,
        as_of=day,
        seed=0,
        backend="polars",
    )
    assert ledger.to_dicts() == [{"customer_id": 1, "date": date(2024, 5, 1)}]


# Refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"n_customers": 0},
            "`n_customers` must be a whole number of 1 or more, got 0.\nWrite 5000.",
        ),
        (
            {"n_customers": 2.5},
            "`n_customers` must be a whole number of 1 or more, got 2.5.\nWrite 5000.",
        ),
        (
            {"acquisition_days": 0},
            (
                "`acquisition_days` must be a whole number of 1 or more, got 0.\n"
                "Write 90 for a quarter."
            ),
        ),
        ({"seed": -1}, "`seed` must be a whole number of 0 or more, got -1.\nWrite 1."),
        (
            {"as_of": date(2024, 3, 29)},
            (
                "`as_of` is 2024-03-29, but customers come until 2024-03-30.\n"
                "Give a later `as_of` or fewer `acquisition_days`."
            ),
        ),
        (
            {"start": "today"},
            (
                "`start` must be a date, got 'today' (str).\n"
                'Write datetime.date(2024, 12, 31) or "2024-12-31".'
            ),
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    purchases: clv.Fit, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.simulate(purchases=purchases, **{**FEW, **change})
    assert str(caught.value) == message


def test_a_spend_model_invents_no_customers(real: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.simulate(purchases=clv.fit(real, model="gamma_gamma"), **FEW)
    names = ", ".join(map(repr, PURCHASE_MODELS))
    assert str(caught.value) == (
        f"`purchases` is a fitted gamma_gamma.\nFit one of {names} instead."
    )
