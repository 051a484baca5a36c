"""The logs of the days between purchases, and the k that they find."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import clv, rfm
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models import BGCNBDK, MBGCNBDK
from crmkit.models.purchases.cnbd_k import RegularPurchases

START = date(2022, 1, 1)
NAMES = {BGCNBDK: "bg_cnbd_k", MBGCNBDK: "mbg_cnbd_k"}
AS_OF = START + timedelta(days=700)


def ledger(truth: RegularPurchases, n_customers: int, *, seed: int) -> pl.DataFrame:
    """Purchases of simulated customers by the day, who came in the first 90 of 700."""
    rng = np.random.default_rng(seed)
    came = rng.integers(0, 90, n_customers)
    customer, age = truth.simulate((700.0 - came).astype(np.float64), rng=rng)
    who = np.concatenate([np.arange(n_customers), customer])
    day = np.concatenate([came, came[customer] + np.ceil(age).astype(int)])
    return pl.DataFrame(
        {"customer_id": who, "date": [START + timedelta(days=int(each)) for each in day]}
    )


@pytest.fixture(scope="module")
def regular() -> pd.DataFrame:
    """Customers who buy at fairly regular intervals."""
    orders = ledger(MBGCNBDK(r=1.2, alpha=30.0, a=0.8, b=4.0, k=3), 1500, seed=3)
    return rfm.summarize(orders, as_of=AS_OF, log_gaps=True).to_pandas()


# Twin


@given(
    days=st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(0, 300), min_size=1, max_size=8), min_size=1
    )
)
def test_gaps_are_those_between_purchase_days(days: dict[str, list[int]]) -> None:
    rows = [
        {"customer_id": who, "date": START + timedelta(days=day), "amount": 10.0}
        for who, of_customer in days.items()
        for day in of_customer
    ]
    # A day with a return only is no purchase day.
    returned = {"customer_id": "a", "date": START + timedelta(days=150), "amount": -1.0}
    orders = pl.DataFrame([*rows, returned]).sample(fraction=1.0, shuffle=True, seed=1)
    found = rfm.summarize(orders, as_of=AS_OF, log_gaps=True)
    by_customer = dict(zip(found["customer_id"], found["sum_log_gaps"], strict=True))
    for who, of_customer in days.items():
        ordered = sorted(set(of_customer))
        expected = sum(math.log(b - a) for a, b in pairwise(ordered))
        assert by_customer[who] == pytest.approx(expected, abs=1e-9)


def test_the_other_columns_stay() -> None:
    orders = ledger(BGCNBDK(r=1.2, alpha=30.0, a=0.8, b=4.0, k=2), 100, seed=1)
    plain = rfm.summarize(orders, as_of=AS_OF)
    with_gaps = rfm.summarize(orders, as_of=AS_OF, log_gaps=True)
    assert with_gaps.drop("sum_log_gaps").equals(plain)
    assert with_gaps.columns == [*plain.columns, "sum_log_gaps"]


def test_the_likelihood_is_that_of_each_gap(regular: pd.DataFrame) -> None:
    # An Erlang-k density of each gap, beside what the marginal likelihood has of the dropout.
    k2, k1 = (clv.fit(regular, model="mbg_cnbd_k", k=k) for k in (2, 1))
    plain = clv.fit(regular, model="mbg_nbd")
    assert k1.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    x, t_x, T = (regular[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    each = k2.model.log_likelihood(x, t_x, T, log_gaps=regular["sum_log_gaps"].to_numpy())
    assert k2.log_likelihood == pytest.approx(each.sum(), rel=1e-9)
    row = clv.compare(regular, models=[k2]).iloc[0]
    assert row["log_likelihood"] == pytest.approx(k2.log_likelihood, rel=1e-9)


# Properties


@pytest.mark.parametrize("kind", [BGCNBDK, MBGCNBDK])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_gaps_find_the_k_that_was_simulated(kind: type[RegularPurchases], k: int) -> None:
    orders = ledger(kind(r=1.2, alpha=30.0, a=0.8, b=4.0, k=k), 1500, seed=k)
    customers = rfm.summarize(orders, as_of=AS_OF, log_gaps=True)
    assert clv.fit(customers, model=NAMES[kind]).estimates["k"] == k


def test_k_can_be_given(regular: pd.DataFrame) -> None:
    found = clv.fit(regular, model="mbg_cnbd_k", k=2)
    best = clv.fit(regular, model="mbg_cnbd_k")
    assert (found.estimates["k"], best.estimates["k"]) == (2, 3)
    assert best.log_likelihood > found.log_likelihood + 100
    plain = regular.drop(columns="sum_log_gaps")
    without = clv.fit(plain, model="mbg_cnbd_k", k=3)
    for name, value in best.estimates.items():  # the gaps choose k and nothing else
        assert without.estimates[name] == pytest.approx(value, rel=1e-4)


def test_a_lazy_table_gives_the_same(regular: pd.DataFrame) -> None:
    lazy = pl.from_pandas(regular).lazy()
    found, expected = (clv.fit(each, model="mbg_cnbd_k") for each in (lazy, regular))
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-9)


# Refusals


def test_unknown_gaps_are_refused(regular: pd.DataFrame) -> None:
    broken = regular.copy()
    broken.loc[broken.index[broken["frequency"] > 0][:2], "sum_log_gaps"] = None
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit(broken, model="mbg_cnbd_k")
    assert str(caught.value) == (
        "customer summary: `sum_log_gaps` is null for 2 customers with repeat purchases.\n"
        "Build this table with crmkit.rfm.summarize(..., log_gaps=True)."
    )
    assert caught.value.n_rows == 2


def test_k_is_for_regular_purchases_only(regular: pd.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit(regular, model="bg_nbd", k=2)
    assert str(caught.value) == (
        "`bg_nbd` has no parameter `k`.\nIt is for 'bg_cnbd_k', 'mbg_cnbd_k'."
    )
    with pytest.raises(InvalidArgumentError, match="`k` must be a whole number"):
        clv.fit(regular, model="mbg_cnbd_k", k=0)
    with pytest.raises(InvalidArgumentError, match="`log_gaps` must be True or False"):
        rfm.summarize(pd.DataFrame(), as_of=AS_OF, log_gaps=1)  # type: ignore[arg-type]
