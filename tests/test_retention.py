"""Contracts on tables: the papers' numbers, a slow twin, then what must hold on any engine."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit import clv
from crmkit._clv.contracts.histories import from_contracts, from_survivors
from crmkit.errors import (
    CrmkitWarning,
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models import BGNBD
from crmkit.typing import Period
from tests.conftest import MAKERS, MakeFrame, columns
from tests.published import printed

REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
"""Fader & Hardie (2007), Table 1: customers of 1,000 still there after 0 to 12 years."""

COUNTS: dict[str, list[Any]] = {"period": list(range(8)), "survivors": REGULAR[:8]}
CONTRACTS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eva"],
    "start": [
        *(date(2024, 1, 15), date(2024, 1, 15), date(2024, 1, 31), date(2024, 3, 1)),
        date(2024, 5, 20),
    ],
    "end": [date(2024, 2, 14), None, date(2024, 3, 1), date(2024, 12, 31), None],
}
AS_OF = date(2024, 6, 1)


@pytest.fixture(scope="module")
def regular() -> clv.RetentionFit:
    """The regular customers of the paper, on their first seven renewals."""
    return clv.fit_retention(pl.DataFrame(COUNTS), every="year")


# Published


def test_the_fit_prints_as_the_paper_does(regular: clv.RetentionFit) -> None:
    # Fader & Hardie (2007), appendix; the log-likelihood as pymc-marketing's tests have it.
    found = [printed(value, like="0.704") for value in regular.estimates.values()]
    assert found == ["0.704", "1.182"]
    assert printed(regular.log_likelihood, like="-1680.2652") == "-1680.2652"


@pytest.mark.parametrize(("observed", "alpha"), [(REGULAR, "0.704"), (HIGH_END, "0.668")])
def test_the_years_not_fitted_on_are_forecast(observed: list[int], alpha: str) -> None:
    # pymc-marketing, test_expected_probability_alive: survival within 5 % of what was observed.
    counts = pl.DataFrame({"period": list(range(8)), "survivors": observed[:8]})
    fitted = clv.fit_retention(counts, every="year")
    assert printed(fitted.estimates["alpha"], like=alpha) == alpha
    ahead = clv.forecast_retention(fitted, periods=12)
    np.testing.assert_allclose(ahead["survival"], np.array(observed[1:]) / 1000, rtol=0.05)


def test_two_cohorts_of_one_behaviour_are_one(regular: clv.RetentionFit) -> None:
    # A second copy of the paper's cohort, followed for seven years less.
    cohorts = pl.DataFrame(
        {
            "cohort": ["old"] * 8 + ["new"],
            "period": [*range(8), 0],
            "survivors": [*REGULAR[:8], 1000],
        }
    )
    found = clv.fit_retention(cohorts, every="year")
    assert found.estimates == pytest.approx(regular.estimates, rel=1e-9)
    assert (found.n_customers, found.n_left_out) == (1000, 1000)


# Twins


def slow_periods(start: date, end: date, every: Period) -> tuple[int, bool]:
    """Renew day by day: how many renewals fall on or before the end, and if one falls on it."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(every)
    renewals, today = 0, start
    while True:
        if months is None:
            today += timedelta(days=7 if every == "week" else 1)
        else:
            year, month = divmod(start.year * 12 + start.month - 1 + months * (renewals + 1), 12)
            today = date(year, month + 1, start.day)
        if today > end:
            return renewals, False
        renewals += 1
        if today == end:
            return renewals, True


days = st.dates(date(2022, 1, 1), date(2024, 12, 31)).filter(lambda day: day.day <= 28)


@given(start=days, end=days, every=st.sampled_from(get_args(Period)))
def test_periods_are_those_of_a_calendar(start: date, end: date, every: Period) -> None:
    start, end = sorted((start, end))
    renewals, on_the_day = slow_periods(start, end, every)
    one = {"customer_id": ["ann"], "start": [start]}
    schema = {"customer_id": pl.String, "start": pl.Date, "end": pl.Date}
    still = from_contracts(
        pl.DataFrame({**one, "end": [None]}, schema=schema), as_of=end, every=every
    )
    assert [column.tolist() for column in still] == [[renewals], [0.0], [1.0]]
    gone = from_contracts(
        pl.DataFrame({**one, "end": [end]}, schema=schema), as_of=end, every=every
    )
    # In the middle of a period it is not over: the contract is seen to the last renewal.
    assert [column.tolist() for column in gone] == [[renewals], [float(on_the_day)], [1.0]]
    later = from_contracts(
        pl.DataFrame({**one, "end": [end]}, schema=schema), as_of=date(2100, 1, 1), every=every
    )
    lost_at = max(renewals + (not on_the_day), 1)
    assert [column.tolist() for column in later] == [[lost_at], [1.0], [1.0]]


@given(start=days, periods=st.integers(1, 30), every=st.sampled_from(["week", "month", "year"]))
def test_the_last_day_and_the_day_after_end_the_same_period(
    start: date, periods: int, every: Period
) -> None:
    months = {"week": 0, "month": 1, "year": 12}[every] * periods
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    after = date(year, month + 1, start.day) if months else start + timedelta(weeks=periods)
    ends = [after, after - timedelta(days=1)]
    table = pl.DataFrame({"customer_id": ["a", "b"], "start": [start] * 2, "end": ends})
    found = from_contracts(table, as_of=date(2100, 1, 1), every=every)
    assert [column.tolist() for column in found] == [[periods], [1.0], [2.0]]


def test_counts_are_taken_apart() -> None:
    cohorts = {"cohort": ["a", "a", "a", "b", "b"], "period": [0, 1, 2, 0, 1]}
    table = pl.DataFrame({**cohorts, "survivors": [10, 7, 6, 5, 5]})
    periods, lost, n = from_survivors(table)
    histories = sorted(zip(periods.tolist(), lost.tolist(), n.tolist(), strict=True))
    assert histories == [(1, 0, 5), (1, 1, 0), (1, 1, 3), (2, 0, 6), (2, 1, 1)]


def test_residual_lifetime_is_what_is_left_of_a_cohort(regular: clv.RetentionFit) -> None:
    found = clv.discounted_residual_lifetime(regular, renewals=[0, 3], annual_discount_rate=0.25)
    survival = clv.forecast_retention(regular, periods=400)["survival"].to_numpy()
    ahead = 1.25 ** -np.arange(300.0)
    expected = [ahead @ survival[:300], ahead @ survival[3:303] / survival[2]]
    np.testing.assert_allclose(found["discounted_residual_lifetime"], expected, rtol=1e-12)


# What must hold


@pytest.mark.parametrize("engine", list(MAKERS))
@pytest.mark.parametrize("model", ["sbg", "bdw"])
def test_every_engine_fits_the_same(engine: str, model: str) -> None:
    expected = clv.fit_retention(pl.DataFrame(COUNTS), every="year", model=model)
    assert clv.fit_retention(MAKERS[engine](COUNTS), every="year", model=model) == expected


@pytest.mark.parametrize("every", get_args(Period))
def test_every_engine_reads_contracts_the_same(make_frame: MakeFrame, every: Period) -> None:
    expected = from_contracts(pl.DataFrame(CONTRACTS), as_of=AS_OF, every=every)
    found = from_contracts(make_frame(CONTRACTS), as_of=AS_OF, every=every)
    for column, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(column, other)


def test_contracts_are_read_as_of_a_day() -> None:
    # Ann left at her first renewal, Cid at his second; Ben made four, Dee three (her end is not
    # seen yet); Eva's first is not due.
    found = from_contracts(pl.DataFrame(CONTRACTS), as_of=AS_OF, every="month")
    histories = sorted(zip(*(column.tolist() for column in found), strict=True))
    assert histories == [(0, 0, 1), (1, 1, 1), (2, 1, 1), (3, 0, 1), (4, 0, 1)]
    with pytest.warns(CrmkitWarning, match="Only 2 of 4 customers left"):
        fitted = clv.fit_retention(pl.DataFrame(CONTRACTS), as_of=AS_OF, every="month")
    assert (fitted.n_customers, fitted.n_left_out) == (4, 1)


def counts_of(histories: Any) -> Counter[tuple[float, float]]:
    """Count the customers with each history: periods, and whether lost at their end."""
    counts: Counter[tuple[float, float]] = Counter()
    for periods, lost, n in zip(*(column.tolist() for column in histories), strict=True):
        counts[periods, lost] += n
    return counts


@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame])
def test_leavers_count_once_their_period_is_over(make: Any) -> None:
    # Two cohorts of 100 yearly contracts. The first lost 20 in its first year, which is over. The
    # second has lost 20 so far, and its first renewal has not come: nobody of it counts.
    ends = [date(2023, 7, 1)] * 20 + [None] * 80 + [date(2024, 2, 1)] * 20 + [None] * 80
    book = {
        "customer_id": list(range(200)),
        "start": [date(2023, 1, 1)] * 100 + [date(2024, 1, 1)] * 100,
        "end": ends,
    }
    found = from_contracts(make(book), as_of=date(2024, 6, 30), every="year")
    assert counts_of(found) == {(0, 0): 100, (1, 0): 80, (1, 1): 20}
    with pytest.warns(CrmkitWarning, match="do not identify"):
        fitted = clv.fit_retention(make(book), every="year", as_of=date(2024, 6, 30))
    assert (fitted.n_customers, fitted.n_left_out) == (100, 100)
    rate = clv.forecast_retention(fitted, periods=1)["retention_rate"][0]
    assert rate == pytest.approx(0.80, abs=1e-3)
    # On the day of its renewal the second counts as well, leavers and stayers alike.
    found = from_contracts(make(book), as_of=date(2025, 1, 1), every="year")
    assert counts_of(found) == {(1, 0): 80, (1, 1): 40, (2, 0): 80}


def renewal(start: Any, renewals: Any, every: Period) -> Any:
    """Day of a renewal of contracts that begin by the 28th of a month."""
    if every in ("day", "week"):
        return start + renewals * (7 if every == "week" else 1)
    month = start.astype("M8[M]")
    return (month + renewals * (3 if every == "quarter" else 1)).astype("M8[D]") + (
        start - month.astype("M8[D]")
    )


@pytest.mark.parametrize("every", ["day", "week", "month", "quarter"])
@pytest.mark.parametrize("book_days", [45, 92, 140, 400])
def test_churn_is_neither_over_nor_understated_at_any_age_of_the_book(
    book_days: int, every: Period
) -> None:
    # One in ten leaves in each period, on any day of it; contracts begin on any day of the book.
    chance, first = np.random.default_rng(book_days), np.datetime64("2022-01-01")
    start = first + chance.integers(0, book_days, 50_000)
    start = start[start - start.astype("M8[M]").astype("M8[D]") < np.timedelta64(28, "D")]
    stays = chance.geometric(0.1, len(start))
    begins, over = renewal(start, stays - 1, every), renewal(start, stays, every)
    end = begins + 1 + (chance.random(len(start)) * (over - begins).astype(int)).astype(int)
    book = pl.DataFrame({"customer_id": np.arange(len(start)), "start": start, "end": end})
    as_of = date(2022, 1, 1) + timedelta(days=book_days)
    periods, lost, n_rows = from_contracts(book, as_of=as_of, every=every)
    n_lost = n_rows @ lost
    n_at_risk = n_rows @ periods  # each period, one renewal or loss
    if (every, book_days) == ("quarter", 45):  # younger than a period, so nothing is known
        assert n_lost == n_at_risk == 0
    else:
        error = (0.1 * 0.9 / n_at_risk) ** 0.5
        assert abs(n_lost / n_at_risk - 0.1) < 4 * error


@settings(max_examples=20)
@given(
    lifetimes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=8, max_size=40),
)
def test_contracts_and_their_counts_tell_the_same(lifetimes: list[tuple[int, int]]) -> None:
    # Months stayed, and months seen; with two that make a fit possible.
    lifetimes = [*lifetimes, (1, 9), (9, 9), (9, 8)]
    starts = [9 - seen for _, seen in lifetimes]
    contracts = pl.DataFrame(
        {
            "customer_id": list(range(len(lifetimes))),
            "start": [date(2023, 1 + month, 5) for month in starts],
            "end": [
                date(2023 + (month + stays) // 12, (month + stays) % 12 + 1, 5)
                for month, (stays, _) in zip(starts, lifetimes, strict=True)
            ],
        }
    )
    counts = pl.DataFrame(
        [
            {
                "cohort": seen,
                "period": period,
                "survivors": sum(stays > period for stays, s in lifetimes if s == seen),
            }
            for seen in {seen for _, seen in lifetimes}
            for period in range(seen + 1)
        ]
    )
    as_of = date(2023, 10, 5)
    one = from_contracts(contracts, as_of=as_of, every="month")
    other = from_survivors(counts)
    for found in (0.0, 1.0):
        tallies = [
            np.bincount(
                periods[(lost == found) & (periods > 0)].astype(int),
                n[(lost == found) & (periods > 0)],
                minlength=11,
            )
            for periods, lost, n in (one, other)
        ]
        np.testing.assert_array_equal(tallies[0], tallies[1])


def test_a_fit_is_a_value(regular: clv.RetentionFit) -> None:
    assert clv.fit_retention(pl.DataFrame(COUNTS), every="year") == regular
    assert clv.RetentionFit.from_json(regular.to_json()) == regular
    assert regular != clv.fit_retention(pl.DataFrame(COUNTS), every="month")
    assert repr(regular) == (
        "SBG(alpha=0.7041, beta=1.182; log-likelihood -1,680.3, 1,000 customers)"
    )


def test_a_discount_is_per_year_whatever_the_period() -> None:
    by_month = clv.fit_retention(pl.DataFrame(COUNTS), every="month")
    (found,) = clv.discounted_residual_lifetime(by_month, renewals=[2], annual_discount_rate=0.1)[
        "discounted_residual_lifetime"
    ]
    (expected,) = by_month.model.discounted_lifetime(
        np.array([2.0]), discount_rate_per_period=1.1 ** (1 / 12) - 1
    )
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_forecasts_come_in_the_library_asked_for(regular: clv.RetentionFit, backend: Any) -> None:
    ahead = clv.forecast_retention(regular, periods=2, backend=backend)
    assert type(ahead).__module__.partition(".")[0] == backend
    found = columns(ahead)
    assert list(found) == ["period", "survival", "retention_rate", "churn_rate"]
    assert found["period"] == [1, 2]
    worth = clv.discounted_residual_lifetime(
        regular, renewals=[1], annual_discount_rate=0.1, backend=backend
    )
    assert list(columns(worth)) == ["renewals", "discounted_residual_lifetime"]


def test_what_the_data_leave_open_is_a_warning() -> None:
    once = pl.DataFrame({"period": [0, 1], "survivors": [100, 50]})
    with pytest.warns(CrmkitWarning, match=r"^sbg: The data do not identify alpha and beta"):
        fitted = clv.fit_retention(once, every="year")
    assert fitted.standard_errors == {"alpha": None, "beta": None}


# Refusals


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"period": [0, 1, 3], "survivors": [10, 8, 6]},
            "survivors: `period` does not run 0, 1, 2, ... once each in 1 of 3 rows (period 3).",
        ),
        (
            {"period": [1, 2], "survivors": [8, 6]},
            "survivors: `period` does not run 0, 1, 2, ... once each in 2 of 2 rows (period 1, 2).",
        ),
        (
            {"cohort": ["a", "b", "b"], "period": [0, 0, 1], "survivors": [9, 5, 6]},
            (
                "survivors: `survivors` rises, but customers who left do not return, in 1 of 3 "
                "rows (cohort 'b')."
            ),
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: dict[str, list[Any]], message: str) -> None:
    for table in (pl.DataFrame(counts), pl.LazyFrame(counts)):
        with pytest.raises(InvalidRowsError) as caught:
            clv.fit_retention(table, every="year")
        assert str(caught.value) == (
            f"{message}\nBuild this table with one row per period, as in pandas.DataFrame()."
        )


def test_a_period_listed_twice_is_refused(make_frame: MakeFrame) -> None:
    twice = make_frame({"period": [0, 1, 1], "survivors": [10, 8, 8]})
    with pytest.raises(InvalidRowsError, match=r"does not run 0, 1, 2, ... once each in 1 of 2"):
        clv.fit_retention(twice, every="year")


@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame])
def test_a_contract_that_ends_before_it_begins_is_refused(make: Any) -> None:
    late = make({**CONTRACTS, "end": [date(2024, 1, 1), *CONTRACTS["end"][1:]]})
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit_retention(late, every="month", as_of=AS_OF)
    assert caught.value.examples == ("ann",)
    assert str(caught.value).endswith(
        "in 1 of 5 rows (customer_id 'ann').\nBuild this table with crmkit.contracts()."
    )


def test_shares_are_no_counts_of_survivors(make_frame: MakeFrame) -> None:
    shares = make_frame({"period": [0, 1, 2], "survivors": [1.0, 0.63, 0.47]})
    with pytest.raises(InvalidRowsError) as caught:
        clv.fit_retention(shares, every="year")
    assert str(caught.value).startswith("survivors: `survivors` is not a whole number in 2 of 3 ")
    assert str(caught.value).endswith(
        ").\nGive how many customers are there, not which share of them.\n"
        "Build this table with one row per period, as in pandas.DataFrame()."
    )


@pytest.mark.parametrize("as_of", [AS_OF, None])
def test_a_table_of_neither_kind_is_refused(as_of: date | None) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clv.fit_retention(pl.DataFrame({"customer_id": ["a"]}), every="month", as_of=as_of)
    assert str(caught.value) == (
        "contracts: no column `start`, `end` among `customer_id`.\n"
        "Build this table with crmkit.contracts()."
    )


@pytest.mark.parametrize(
    ("table", "as_of", "message"),
    [
        (
            CONTRACTS,
            None,
            (
                "`as_of` is needed to see which contracts still run on that day.\n"
                "Write as_of=datetime.date(2024, 12, 31)."
            ),
        ),
        (
            COUNTS,
            AS_OF,
            (
                "`as_of` is for rows of contracts; this table has counts of survivors.\n"
                "Leave it out."
            ),
        ),
    ],
)
def test_a_day_is_given_where_it_means_something(
    table: dict[str, list[Any]], as_of: date | None, message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit_retention(pl.DataFrame(table), every="month", as_of=as_of)
    assert str(caught.value) == message


def test_nobody_left() -> None:
    with pytest.raises(FitError) as caught:
        clv.fit_retention(pl.DataFrame({"period": [0, 1], "survivors": [9, 9]}), every="year")
    assert str(caught.value) == (
        "contracts: nobody churned in 9 of 9 customers.\nObserve them for longer before you fit."
    )


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.fit_retention(pl.DataFrame(COUNTS), every="year", model="bg_nbd")
    assert str(caught.value) == "`model` must be one of 'sbg', 'bdw', got 'bg_nbd'."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"renewals": [0.5], "annual_discount_rate": 0.1},
            "`renewals` must be a whole number of 0 or more, got 0.5.\nWrite [0, 1, 2].",
        ),
        (
            {"renewals": [-1], "annual_discount_rate": 0.1},
            "`renewals` must be a whole number of 0 or more, got -1.\nWrite [0, 1, 2].",
        ),
        (
            {"renewals": [0], "annual_discount_rate": 10},
            (
                "`annual_discount_rate` must be at least 0 and below 1, got 10.\n"
                "Write 0.1 for 10 % a year."
            ),
        ),
    ],
)
def test_arguments_outside_their_range_are_refused(
    regular: clv.RetentionFit, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.discounted_residual_lifetime(regular, **arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("periods", [0, -3, 2.5])
def test_no_whole_period_is_no_forecast(regular: clv.RetentionFit, periods: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.forecast_retention(regular, periods=periods)
    assert str(caught.value) == (
        f"`periods` must be a whole number of 1 or more, got {periods}.\n"
        "Write 12 for a year of months."
    )


def test_a_fit_of_another_kind_is_refused() -> None:
    summary = {"frequency": [2, 0, 5, 1], "recency": [213, 0, 100, 12], "T": [272, 269, 272, 150]}
    purchases: Any = clv.Fit("bg_nbd", BGNBD.fit(*np.array(list(summary.values()), dtype=float)))
    with pytest.raises(InvalidArgumentError) as caught:
        clv.forecast_retention(purchases, periods=12)
    assert str(caught.value) == (
        "`fit` must be a RetentionFit, got a Fit.\nMake one with crmkit.clv.fit_retention()."
    )
