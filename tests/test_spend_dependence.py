"""Dependence of spend on frequency: known correlations, a textbook twin, and the warning."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows
from tests.published import printed

SPENDERS: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e", "f"],
    "frequency": [1, 2, 2, 3, 0, 4],
    "monetary_value": [30.0, 10.0, 20.0, 20.0, None, -5.0],
}


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """The 2,357 customers of the papers, as they stood on 30 September 1997."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return rfm.summarize(log, as_of=date(1997, 9, 30))


# Published


def test_the_sample_has_its_known_correlations(customers: pl.DataFrame) -> None:
    # clvkit 0.2.1 on the CDNOW sample, 946 repeat buyers; the paper prints 0.11.
    (row,) = clv.spend_dependence(customers).to_dicts()
    assert row["n_customers"] == 946
    assert printed(row["pearson"], like="0.113888") == "0.113888"
    # The p-value of no correlation holds ours to two digits more.
    t = row["pearson"] * np.sqrt(944 / (1 - row["pearson"] ** 2))
    assert printed(2 * stats.t.sf(t, 944), like="0.000448685") == "0.000448685"
    # clvkit has 0.206314, where equal means that differ in their last digit are no ties.
    assert printed(row["spearman"], like="0.2063") == "0.2063"


def test_one_customer_makes_half_of_the_correlation(customers: pl.DataFrame) -> None:
    # Fader, Hardie & Lee (2005, JMR): 0.057 without the best of all customers, who made 21
    # repeat purchases at a mean of 300 dollars.
    best = (pl.col("frequency") == 21) & (pl.col("monetary_value") > 299)
    others = customers.filter(~best)
    assert len(others) == len(customers) - 1
    found = clv.spend_dependence(others)["pearson"].item()
    assert printed(found, like="0.057") == "0.057"


# Twin


@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([-1.0, 5.0, 5.5, 20.0, 1e4])), max_size=30
    )
)
@pytest.mark.filterwarnings("ignore::crmkit.CrmkitWarning")
def test_the_correlations_are_the_textbooks(pairs: list[tuple[int, float]]) -> None:
    table = pl.DataFrame(pairs, schema=["frequency", "monetary_value"], orient="row").cast(
        {"frequency": pl.Int64, "monetary_value": pl.Float64}
    )
    (row,) = clv.spend_dependence(table).to_dicts()
    usable = [pair for pair in pairs if min(pair) > 0]
    x, z = np.array(usable, dtype=float).reshape(-1, 2).T
    assert row["n_customers"] == len(x)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(z) == 0:
        assert (row["pearson"], row["spearman"]) == (None, None)
    else:
        assert row["pearson"] == pytest.approx(stats.pearsonr(x, z).statistic, abs=1e-12)
        assert row["spearman"] == pytest.approx(stats.spearmanr(x, z).statistic, abs=1e-12)


# Properties


@given(factor=st.sampled_from([0.01, 7.5, 1e6, 1e200]))
def test_the_currency_does_not_matter(factor: float) -> None:
    table = pl.DataFrame(SPENDERS)
    other = table.with_columns(pl.col("monetary_value") * factor)
    with pytest.warns(CrmkitWarning):
        ours, theirs = (clv.spend_dependence(t).to_dicts()[0] for t in (table, other))
    assert theirs == pytest.approx(ours, abs=1e-12)


def test_rounding_does_not_part_what_is_equal() -> None:
    table = pl.DataFrame(
        {"frequency": [1, 2, 3, 4], "monetary_value": [0.3, 0.1 + 0.2, 0.3, 0.1 + 0.1]}
    )
    with pytest.warns(CrmkitWarning):
        found = clv.spend_dependence(table)["spearman"].item()
    assert found == pytest.approx(stats.spearmanr([1, 2, 3, 4], [3, 3, 3, 2]).statistic)


def test_rounding_is_no_dependence() -> None:
    table = pl.DataFrame({"frequency": [1, 2, 3], "monetary_value": [0.3, 0.1 + 0.2, 0.3]})
    found = clv.spend_dependence(table).to_dicts()
    assert found == [{"n_customers": 3, "pearson": None, "spearman": None}]


# Shape


def test_every_engine_measures_the_same(make_frame: MakeFrame) -> None:
    table = make_frame(SPENDERS)
    with pytest.warns(CrmkitWarning) as caught:
        found = clv.spend_dependence(table)
    assert type(found) is type(table)
    assert nw.from_native(found).collect_schema().names() == ["n_customers", "pearson", "spearman"]
    # By hand, for (1, 30), (2, 10), (2, 20), (3, 20): sums of products -10, 2 and 200 about the
    # means; with ranks (1, 4), (2.5, 1), (2.5, 2.5), (4, 2.5): -2.25, 4.5 and 4.5.
    (row,) = rows(found)
    assert row == pytest.approx({"n_customers": 4, "pearson": -0.5, "spearman": -0.5})
    assert str(caught[0].message) == (
        "Customers who buy more often spend less each time (Pearson -0.50, Spearman -0.50); "
        "a spend model assumes independence.\n"
        "Fit groups of customers apart, or take their value as rough."
    )


@pytest.mark.parametrize("n", [0, 1])
def test_what_does_not_vary_is_unknown(make_frame: MakeFrame, n: int) -> None:
    some = pl.DataFrame(SPENDERS).head(n)
    found = clv.spend_dependence(make_frame(some.to_dict(as_series=False)) if n else some)
    assert rows(found) == [{"n_customers": n, "pearson": None, "spearman": None}]


# Refusals


def test_a_table_without_money_is_refused() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clv.spend_dependence(pl.DataFrame({"frequency": [1, 2]}))
    assert str(caught.value) == (
        "customer summary: no column `monetary_value` among `frequency`.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_bad_rows_are_named(make_eager: MakeFrame) -> None:
    bad = make_eager({**SPENDERS, "frequency": [1, 2, -2, 3, 0, 4]})
    with pytest.raises(InvalidRowsError) as caught:
        clv.spend_dependence(bad)
    assert str(caught.value) == (
        "customer summary: `frequency` is below 0 in 1 of 6 rows (customer_id 'c').\n"
        "Build this table with crmkit.rfm.summarize()."
    )
