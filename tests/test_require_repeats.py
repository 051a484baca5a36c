"""A model of purchases needs customers who came back, over days that were seen."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import polars as pl
import pytest

from crmkit import clv
from crmkit.datasets import load_cdnow
from crmkit.errors import FitError
from crmkit.models import BGBB, PURCHASE_MODELS, Floats
from crmkit.models.inference.eigen import eigh

NO_CUSTOMERS = (
    "customer summary: no customers.\nPerhaps nobody had bought by the `as_of` of the table."
)
NO_NUMBER = (
    "The likelihood of these histories is not finite.\n"
    "Check for impossible values, such as infinite times or amounts."
)


@pytest.mark.parametrize("name", PURCHASE_MODELS)
@pytest.mark.parametrize(("days", "shown"), [(0.0, "0"), (math.inf, "inf"), (math.nan, "nan")])
def test_purchases_in_no_time_or_an_endless_one_have_no_rate(
    name: str, days: float, shown: str
) -> None:
    x: Floats = np.array([1.0, 2.0])
    with pytest.raises(FitError) as caught:
        PURCHASE_MODELS[name].fit(x, np.zeros(2), np.full(2, days))
    assert str(caught.value) == (
        f"customer summary: 3 repeat purchases in a total time of {shown}, which "
        "gives no rate.\nCheck for missing or infinite times."
    )


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_an_empty_table_has_no_customers(name: str) -> None:
    empty = pl.DataFrame({"frequency": [], "recency": [], "T": []}, schema_overrides=_whole())
    with pytest.raises(FitError) as caught:
        clv.fit(empty, model=name)
    assert str(caught.value) == NO_CUSTOMERS


def test_a_split_before_the_first_purchase_leaves_no_customers() -> None:
    with pytest.raises(FitError) as caught:
        clv.backtest(
            load_cdnow(sample=True, backend="polars"),
            splits=[date(1996, 1, 1)],
            as_of=date(1998, 6, 30),
        )
    assert str(caught.value) == NO_CUSTOMERS


def test_no_customers_had_an_opportunity() -> None:
    none: Floats = np.zeros(0)
    with pytest.raises(FitError) as caught:
        BGBB.fit(none, none, none)
    assert str(caught.value) == NO_CUSTOMERS.replace("customer summary", "opportunities")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_surface_that_is_no_number_has_no_axes(value: float, size: int) -> None:
    matrix = np.eye(size)
    matrix[0, 1] = matrix[1, 0] = value
    with pytest.raises(FitError) as caught:
        eigh(matrix)
    assert str(caught.value) == NO_NUMBER


def _whole() -> dict[str, type[pl.DataType]]:
    return dict.fromkeys(("frequency", "recency", "T"), pl.Int64)
