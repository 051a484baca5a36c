"""Who comes back: against published counts, a slow twin, and what must always hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import cohorts, rfm
from crmkit.cohorts import Window
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import printed

Row = tuple[str, date, float]

PERIODS = ("day", "week", "month", "quarter", "year")
MEASURES = ("customers", "orders", "amount")
AS_OF = date(2024, 3, 31)
LEDGER: dict[str, list[Any]] = {
    # ann: January, comes back. ben: January, gone. cid: February, returns only after.
    # dan: a return of something bought before the ledger begins, then February. eve: returns only.
    "customer_id": ["cid", "ann", "ann", "ben", "ann", "cid", "dan", "dan", "eve", "fay"],
    "date": [
        date(2024, 2, 29),
        date(2024, 1, 1),
        date(2024, 1, 31),
        date(2024, 1, 15),
        date(2024, 3, 1),
        date(2024, 3, 10),
        date(2023, 12, 20),
        date(2024, 2, 5),
        date(2024, 1, 3),
        date(2024, 4, 1),
    ],
    "amount": [10.0, 20.0, 30.0, 15.0, 5.0, -4.0, -3.0, 8.0, -9.0, 99.0],
}
WINDOWS = (
    *cohorts.n_day(1, 30),
    *cohorts.rolling(30, 60),
    *cohorts.bracket((1, 31), (31, 61)),
)


def as_rows(ledger: dict[str, list[Any]]) -> list[Row]:
    return list(zip(ledger["customer_id"], ledger["date"], ledger["amount"], strict=True))


def frame_of(ledger: Sequence[Row]) -> pl.DataFrame:
    schema = {"customer_id": pl.String, "date": pl.Date, "amount": pl.Float64}
    return pl.DataFrame(list(ledger), schema=schema, orient="row")


def measured(native: Any, name: str) -> dict[tuple[date, int], Any]:
    return {(row["cohort"], row["period"]): row[name] for row in rows(native)}


# Published


def online_shop(*, unknown: str | None) -> pl.DataFrame:
    """The invoices of the R package cohorts, with a name for customers who have none."""
    path = Path(__file__).parent / "reference" / "online_cohorts.csv.gz"
    invoices = pl.read_csv(
        path, null_values="NA", try_parse_dates=True, schema_overrides={"CustomerID": pl.String}
    )
    return invoices.select(
        pl.col("CustomerID").fill_null(pl.lit(unknown, pl.String)).alias("customer_id"),
        pl.col("InvoiceDate").alias("date"),
    )


ONLINE = {
    # README of the R package cohorts, its first five rows as far as May 2011.
    date(2010, 12, 1): [949, 363, 318, 368, 342, 377],
    date(2011, 1, 1): [421, 101, 119, 102, 138],
    date(2011, 2, 1): [380, 94, 73, 106],
    date(2011, 3, 1): [440, 84, 112],
    date(2011, 4, 1): [299, 68],
}


def test_monthly_counts_are_the_published_ones() -> None:
    # R package cohorts 1.3.0 (MIT), README and tests.
    cells = measured(
        cohorts.table(online_shop(unknown="unknown"), as_of=date(2011, 12, 9)), "customers"
    )
    found = {
        cohort: [cells[cohort, period] for period in range(len(counts))]
        for cohort, counts in ONLINE.items()
    }
    assert found == ONLINE


def test_customers_without_a_name_are_not_one_customer() -> None:
    # The same data without its 277 rows of unknown customers.
    named = online_shop(unknown=None).drop_nulls()
    cells = measured(cohorts.table(named, as_of=date(2011, 12, 9)), "customers")
    first = [cells[date(2010, 12, 1), period] for period in range(6)]
    assert first == [948, 362, 317, 367, 341, 376]


def test_customers_without_a_name_are_refused() -> None:
    # The 277 rows that the R package counts as one customer.
    with pytest.raises(InvalidRowsError) as caught:
        cohorts.table(online_shop(unknown=None), as_of=date(2011, 12, 9))
    assert str(caught.value) == (
        "transactions: `customer_id` is null in 277 of 19,573 rows "
        "(row 32, 127, 232).\n"
        "Build this table with crmkit.transactions()."
    )


def test_daily_rates_are_the_published_ones() -> None:
    # Mixpanel, retention API reference: 10 first, then 9, 7 and 6 of them.
    start = date(2024, 1, 1)
    counts = {0: 10, 1: 9, 2: 7, 3: 6}
    ledger = [
        (f"c{i}", start + timedelta(days=day), 1.0) for day, n in counts.items() for i in range(n)
    ]
    rates = cohorts.retention(
        frame_of(ledger), as_of=date(2024, 1, 31), windows=cohorts.n_day(1, 2, 3)
    )
    assert rates["retention_rate"].to_list() == pytest.approx([0.9, 0.7, 0.6], abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    [
        # Newcombe (1998), table I, method 3.
        (81, 263, "0.2553", "0.3662"),
        (15, 148, "0.0624", "0.1605"),
        (0, 20, "0.0000", "0.1611"),
        (1, 29, "0.0061", "0.1718"),
    ],
)
def test_intervals_are_the_published_ones(k: int, n: int, lower: str, upper: str) -> None:
    ledger = [(f"c{i}", date(2024, 1, 1), 1.0) for i in range(n)]
    ledger += [(f"c{i}", date(2024, 1, 9), 1.0) for i in range(k)]
    windows = cohorts.bracket((1, 31))
    (row,) = rows(cohorts.retention(frame_of(ledger), as_of=AS_OF, windows=windows))
    assert (row["n_retained"], row["n_eligible"]) == (k, n)
    assert (printed(row["lower"], like=lower), printed(row["upper"], like=upper)) == (lower, upper)


# Twin


def start_of(day: date, every: str) -> date:
    match every:
        case "week":
            return day - timedelta(days=day.isoweekday() - 1)
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, {1: 1, 2: 4, 3: 7, 4: 10}[(day.month + 2) // 3], 1)
        case "year":
            return date(day.year, 1, 1)
        case _:
            return day


def end_of(day: date, every: str) -> date:
    start = start_of(day, every)
    while start_of(day + timedelta(days=1), every) == start:
        day += timedelta(days=1)
    return day


def slow_table(ledger: Sequence[Row], *, as_of: date, every: str, measure: str) -> list[Any]:
    """Walk from period to period and look at every row of the ledger in each."""
    seen = [row for row in ledger if row[1] <= as_of]
    first: dict[str, date] = {}
    for customer, day, amount in seen:
        if amount >= 0:
            first[customer] = min(day, first.get(customer, day))
    cohort_of = {customer: start_of(day, every) for customer, day in first.items()}
    oldest = min(cohort_of.values(), default=as_of)
    table = []
    for cohort in sorted(set(cohort_of.values())):
        members = {customer for customer, start in cohort_of.items() if start == cohort}
        period, starts, clock = 0, cohort, oldest
        while clock <= as_of:
            ends = end_of(starts, every)
            found: float | None = None
            if starts <= as_of:
                cell = [
                    (who, amount)
                    for who, day, amount in seen
                    if who in members and (starts <= day or period == 0) and day <= ends
                ]
                bought = [who for who, amount in cell if amount >= 0]
                money = sum(amount for _, amount in cell)
                found = {"customers": len(set(bought)), "orders": len(bought), "amount": money}[
                    measure
                ]
            table.append((cohort, period, starts, ends, ends <= as_of, len(members), found))
            period, starts = period + 1, ends + timedelta(days=1)
            clock = end_of(clock, every) + timedelta(days=1)
    return table


def slow_retention(
    ledger: Sequence[Row], *, as_of: date, every: str, windows: Sequence[Window]
) -> list[Any]:
    """Ask each customer about each window, day by day."""
    bought: dict[str, set[date]] = {}
    for customer, day, amount in ledger:
        if day <= as_of and amount >= 0:
            bought.setdefault(customer, set()).add(day)
    starts = {customer: start_of(min(days), every) for customer, days in bought.items()}
    table = []
    for cohort in sorted(set(starts.values())):
        members = [customer for customer in bought if starts[customer] == cohort]
        for window in windows:
            eligible = retained = 0
            for customer in members:
                first = min(bought[customer])
                last_needed = window.from_day if window.to_day is None else window.to_day - 1
                if first + timedelta(days=last_needed) > as_of:
                    continue
                eligible += 1
                day, came = first + timedelta(days=window.from_day), False
                while day <= as_of and (
                    window.to_day is None or day < first + timedelta(days=window.to_day)
                ):
                    came = came or day in bought[customer]
                    day += timedelta(days=1)
                retained += came
            final = (
                window.to_day is not None
                and eligible == len(members)
                and end_of(cohort, every) <= as_of
            )
            known = retained if eligible else None
            table.append(
                (cohort, window.from_day, window.to_day, len(members), final, eligible, known)
            )
    return table


@pytest.mark.parametrize("every", PERIODS)
@pytest.mark.parametrize("measure", MEASURES)
def test_table_is_what_a_walk_through_the_periods_finds(
    make_frame: MakeFrame, every: Any, measure: Any
) -> None:
    cells = cohorts.table(make_frame(LEDGER), as_of=AS_OF, every=every, measure=measure)
    found = [tuple(row.values()) for row in rows(cells, by=["cohort", "period"])]
    assert found == slow_table(as_rows(LEDGER), as_of=AS_OF, every=every, measure=measure)


@pytest.mark.parametrize("every", PERIODS)
def test_retention_is_what_asking_each_customer_finds(make_frame: MakeFrame, every: Any) -> None:
    rates = cohorts.retention(make_frame(LEDGER), as_of=AS_OF, every=every, windows=WINDOWS)
    found = [tuple(row.values())[:7] for row in rows(rates)]
    expected = slow_retention(as_rows(LEDGER), as_of=AS_OF, every=every, windows=WINDOWS)
    assert sorted(found, key=repr) == sorted(_as_found(expected, like=found), key=repr)


def _as_found(expected: list[Any], *, like: list[Any]) -> list[Any]:
    """Write whole numbers beside nulls as floats, where the engine does so."""
    has_floats = any(isinstance(row[2], float) for row in like)
    number = float if has_floats else int
    return [
        (*row[:2], None if row[2] is None else number(row[2]), *row[3:6], row[6] and number(row[6]))
        for row in expected
    ]


# Properties

DAYS = st.dates(date(2023, 12, 20), date(2024, 4, 10))
LEDGERS = st.lists(
    st.tuples(st.sampled_from("abcde"), DAYS, st.integers(-3, 9).map(float)), max_size=25
)
EVERY = st.sampled_from(PERIODS)
LONGER = st.sampled_from(PERIODS[1:])
"""Without days, whose calendar is long and slow to lay out."""


@given(ledger=LEDGERS, as_of=DAYS, every=EVERY, measure=st.sampled_from(MEASURES))
def test_table_is_the_walk_for_any_ledger(
    ledger: list[Row], as_of: date, every: Any, measure: Any
) -> None:
    cells = cohorts.table(frame_of(ledger), as_of=as_of, every=every, measure=measure)
    assert cells.rows() == slow_table(ledger, as_of=as_of, every=every, measure=measure)


@given(ledger=LEDGERS, as_of=DAYS, every=EVERY)
def test_retention_is_the_asking_for_any_ledger(ledger: list[Row], as_of: date, every: Any) -> None:
    rates = cohorts.retention(frame_of(ledger), as_of=as_of, every=every, windows=WINDOWS)
    found = [row[:7] for row in rates.rows()]
    expected = slow_retention(ledger, as_of=as_of, every=every, windows=WINDOWS)
    assert sorted(found, key=repr) == sorted(expected, key=repr)


@given(ledger=LEDGERS, as_of=DAYS, every=LONGER)
def test_every_customer_order_and_coin_has_one_cell(
    ledger: list[Row], as_of: date, every: Any
) -> None:
    orders = frame_of(ledger)
    customers = rfm.summarize(orders, as_of=as_of)
    cells = {
        measure: cohorts.table(orders, as_of=as_of, every=every, measure=measure)
        for measure in ("customers", "orders", "amount")
    }
    own = cells["customers"].filter(period=0)
    assert own["customers"].sum() == own["cohort_size"].sum() == customers.height
    assert cells["orders"]["orders"].sum() == customers["orders"].sum()
    assert cells["amount"]["amount"].sum() == customers["total_amount"].sum()


@given(ledger=LEDGERS, as_of=DAYS, every=EVERY)
def test_whoever_came_again_is_retained_from_day_1(
    ledger: list[Row], as_of: date, every: Any
) -> None:
    orders = frame_of(ledger)
    again = rfm.summarize(orders, as_of=as_of).filter(pl.col("frequency") > 0)
    rates = cohorts.retention(orders, as_of=as_of, every=every, windows=cohorts.rolling(1))
    assert rates["n_retained"].sum() == again.height


@given(ledger=LEDGERS, as_of=DAYS, days=st.sets(st.integers(1, 120), min_size=2))
def test_a_later_day_never_retains_more(ledger: list[Row], as_of: date, days: set[int]) -> None:
    rates = cohorts.retention(
        frame_of(ledger), as_of=as_of, windows=cohorts.rolling(*sorted(days))
    ).sort("cohort", "from_day")
    for _, cohort in rates.group_by("cohort"):
        for name in ("n_eligible", "n_retained"):
            counts = cohort.sort("from_day")[name].fill_null(0).to_list()
            assert counts == sorted(counts, reverse=True)
        for _, equals in cohort.filter(pl.col("n_eligible") > 0).group_by("n_eligible"):
            shares = equals.sort("from_day")["retention_rate"].to_list()
            assert shares == sorted(shares, reverse=True)


@given(ledger=LEDGERS, as_of=DAYS)
def test_intervals_hold_the_rate_and_stay_between_0_and_1(ledger: list[Row], as_of: date) -> None:
    rates = cohorts.retention(frame_of(ledger), as_of=as_of, windows=WINDOWS).drop_nulls("lower")
    for lower, rate, upper in rates.select("lower", "retention_rate", "upper").iter_rows():
        assert 0 <= lower <= rate + 1e-12
        assert rate - 1e-12 <= upper <= 1
        assert upper - lower > 0


@given(ledger=LEDGERS, as_of=DAYS, every=LONGER)
def test_the_future_changes_nothing(ledger: list[Row], as_of: date, every: Any) -> None:
    seen = [row for row in ledger if row[1] <= as_of]
    for answer in (_table, _retention, _calendar_retention):
        assert answer(ledger, as_of, every).equals(answer(seen, as_of, every))


@given(ledger=LEDGERS, as_of=DAYS, every=LONGER, seed=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(ledger: list[Row], as_of: date, every: Any, seed: Any) -> None:
    shuffled = list(ledger)
    seed.shuffle(shuffled)
    for answer in (_table, _retention, _calendar_retention):
        assert answer(ledger, as_of, every).equals(answer(shuffled, as_of, every))


def _table(ledger: list[Row], as_of: date, every: Any) -> pl.DataFrame:
    return cohorts.table(frame_of(ledger), as_of=as_of, every=every, measure="amount")


def _retention(ledger: list[Row], as_of: date, every: Any) -> pl.DataFrame:
    return cohorts.retention(frame_of(ledger), as_of=as_of, every=every, windows=WINDOWS)


def _calendar_retention(ledger: list[Row], as_of: date, every: Any) -> pl.DataFrame:
    return cohorts.calendar_retention(frame_of(ledger), as_of=as_of, every=every)


@given(ledger=LEDGERS, as_of=DAYS)
def test_pooling_divides_sums(ledger: list[Row], as_of: date) -> None:
    rates = cohorts.retention(frame_of(ledger), as_of=as_of, windows=WINDOWS)
    for row in rows(cohorts.pooled(rates)):
        cells = rates.filter(
            pl.col("from_day") == row["from_day"], pl.col("to_day").eq_missing(row["to_day"])
        )
        assert row["n_customers"] == cells["cohort_size"].sum()
        assert row["n_eligible"] == cells["n_eligible"].sum()
        if row["n_eligible"]:
            share = cells["n_retained"].sum() / row["n_eligible"]
            assert row["retention_rate"] == pytest.approx(share)
        else:
            assert row["n_retained"] is row["retention_rate"] is row["lower"] is None


# What has not happened yet


def test_the_future_is_null_and_an_idle_past_is_zero(make_frame: MakeFrame) -> None:
    ledger: dict[str, list[Any]] = {
        "customer_id": ["ann", "ben"],
        "date": [date(2024, 1, 5), date(2024, 3, 9)],
        "amount": [1.0, 2.0],
    }
    cells = cohorts.table(make_frame(ledger), as_of=date(2024, 3, 20), measure="orders")
    january, march = date(2024, 1, 1), date(2024, 3, 1)
    assert measured(cells, "orders") == {
        (january, 0): 1,
        (january, 1): 0,
        (january, 2): 0,
        (march, 0): 1,
        (march, 1): None,
        (march, 2): None,
    }


def test_a_month_without_newcomers_makes_no_cohort() -> None:
    ledger = [("ann", date(2024, 1, 5), 1.0), ("ben", date(2024, 3, 9), 2.0)]
    cells = cohorts.table(frame_of(ledger), as_of=date(2024, 3, 20))
    assert cells["cohort"].unique(maintain_order=True).to_list() == [
        date(2024, 1, 1),
        date(2024, 3, 1),
    ]


@pytest.mark.parametrize("as_of", [30, 31])
def test_a_period_is_over_on_its_last_day(as_of: int) -> None:
    is_complete = as_of == 31
    ledger = frame_of([("ann", date(2024, 1, 5), 1.0)])
    (cell,) = rows(cohorts.table(ledger, as_of=date(2024, 1, as_of)))
    (rate,) = rows(cohorts.calendar_retention(ledger, as_of=date(2024, 1, as_of)))
    assert cell["is_complete"] is rate["is_complete"] is is_complete
    assert cell["customers"] == 1
    assert rate["n_eligible"] == int(is_complete)
    assert rate["retention_rate"] == (1.0 if is_complete else None)


def test_weeks_begin_on_monday_and_run_over_new_year() -> None:
    # 2024-12-30 is a Monday.
    days = [date(2024, 12, 29), date(2024, 12, 30), date(2025, 1, 5), date(2025, 1, 6)]
    ledger = frame_of([(f"c{i}", day, 1.0) for i, day in enumerate(days)])
    cells = cohorts.table(ledger, as_of=date(2025, 1, 6), every="week").filter(period=0)
    assert cells.select("cohort", "cohort_size").rows() == [
        (date(2024, 12, 23), 1),
        (date(2024, 12, 30), 2),
        (date(2025, 1, 6), 1),
    ]


def test_a_window_holds_its_first_day_and_not_its_last(make_frame: MakeFrame) -> None:
    first = date(2024, 1, 1)
    days_after = {"a": 1, "b": 30, "c": 31, "d": 60, "e": 61}
    ledger: dict[str, list[Any]] = {
        "customer_id": [*days_after, *days_after],
        "date": [first] * 5 + [first + timedelta(days=n) for n in days_after.values()],
        "amount": [1.0] * 10,
    }
    windows = (
        *cohorts.bracket((1, 31), (31, 61)),
        *cohorts.n_day(30, 31),
        *cohorts.rolling(31, 61, 62),
    )
    rates = cohorts.retention(make_frame(ledger), as_of=AS_OF, windows=windows)
    assert {(r["from_day"], r["to_day"]): r["n_retained"] for r in rows(rates)} == {
        (1, 31): 2,
        (31, 61): 2,
        (30, 31): 1,
        (31, 32): 1,
        (31, None): 3,
        (61, None): 1,
        (62, None): 0,
    }


@pytest.mark.parametrize(("as_of", "n_eligible", "n_retained"), [(30, 0, None), (31, 1, 1)])
def test_whoever_still_has_time_counts_neither_way(
    as_of: int, n_eligible: int, n_retained: int | None
) -> None:
    # First seen on January 1, the 30th day after is January 31.
    ledger = frame_of([("ann", date(2024, 1, 1), 1.0), ("ann", date(2024, 1, 9), 1.0)])
    windows = cohorts.bracket((1, 31))
    (row,) = rows(cohorts.retention(ledger, as_of=date(2024, 1, as_of), windows=windows))
    assert (row["n_eligible"], row["n_retained"]) == (n_eligible, n_retained)


def test_only_what_can_no_longer_change_is_complete() -> None:
    ledger = frame_of([("ann", date(2024, 1, 1), 1.0), ("ben", date(2024, 2, 1), 1.0)])
    windows = (*cohorts.n_day(5), *cohorts.rolling(5))
    rates = cohorts.retention(ledger, as_of=date(2024, 2, 20), windows=windows)
    found = {(r["cohort"].month, r["to_day"]): r["is_complete"] for r in rows(rates)}
    # Others may still join the February cohort; a window without an end can always gain.
    assert found == {(1, 6): True, (1, None): False, (2, 6): False, (2, None): False}


def test_a_cohort_that_lost_everybody_counts_and_one_too_young_does_not(
    make_frame: MakeFrame,
) -> None:
    rates: dict[str, list[Any]] = {
        "cohort": [date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)],
        "period": [1, 1, 1],
        "cohort_size": [10, 30, 60],
        "n_eligible": [10, 30, 0],
        "n_retained": [8, 0, None],
    }
    (row,) = rows(cohorts.pooled(make_frame(rates)))
    # A mean of the rates would say 0.4, one without the lost cohort 0.8, over all customers 0.08.
    assert row["retention_rate"] == pytest.approx(0.2)
    assert (row["n_customers"], row["n_eligible"], row["n_retained"]) == (100, 40, 8)


def test_no_interval_reaches_beyond_everybody(make_frame: MakeFrame) -> None:
    # With 32 of 32 the formula's upper end rounds to a hair above 1.
    rates: dict[str, list[Any]] = {
        "cohort": [date(2024, 1, 1)],
        "period": [1],
        "cohort_size": [32],
        "n_eligible": [32],
        "n_retained": [32],
    }
    (row,) = rows(cohorts.pooled(make_frame(rates)))
    assert row["upper"] == 1.0


def test_a_higher_level_gives_a_wider_interval() -> None:
    orders = frame_of(as_rows(LEDGER))
    narrow, wide = (
        cohorts.calendar_retention(orders, as_of=AS_OF, level=level).drop_nulls("lower")
        for level in (0.5, 0.99)
    )
    assert (wide["lower"] <= narrow["lower"]).all()
    assert (wide["upper"] - wide["lower"] > narrow["upper"] - narrow["lower"]).all()


# Shape

CELL = ["cohort", "period", "starts", "ends", "is_complete", "cohort_size"]
RATES = ["n_eligible", "n_retained", "retention_rate", "lower", "upper"]
WINDOW = ["cohort", "from_day", "to_day", "cohort_size", "is_complete"]


def names(native: Any) -> list[str]:
    return list(nw.from_native(native).collect_schema().names())


@pytest.mark.parametrize("measure", MEASURES)
def test_columns_and_order_are_as_documented(make_eager: MakeFrame, measure: Any) -> None:
    orders = make_eager(LEDGER)
    table = cohorts.table(orders, as_of=AS_OF, measure=measure)
    calendar = cohorts.calendar_retention(orders, as_of=AS_OF)
    windows = cohorts.retention(orders, as_of=AS_OF, windows=WINDOWS)
    assert names(table) == [*CELL, measure]
    assert names(calendar) == [*CELL, "customers", *RATES]
    assert names(windows) == [*WINDOW, *RATES]
    assert names(cohorts.pooled(calendar)) == ["period", "n_customers", *RATES]
    assert names(cohorts.pooled(windows)) == ["from_day", "to_day", "n_customers", *RATES]
    assert rows(table) == rows(table, by=["cohort", "period"])
    assert rows(calendar) == rows(calendar, by=["cohort", "period"])
    assert rows(windows) == rows(windows, by=["cohort", "from_day", "to_day"])


def test_a_table_comes_back_as_it_came(make_frame: MakeFrame) -> None:
    orders = make_frame(LEDGER)
    rates = cohorts.retention(orders, as_of=AS_OF, windows=WINDOWS)
    assert type(cohorts.table(orders, as_of=AS_OF)) is type(orders)
    assert type(rates) is type(orders)
    assert type(cohorts.pooled(rates)) is type(orders)


@pytest.mark.parametrize("engine", MAKERS)
def test_pooled_rates_do_not_depend_on_the_engine(engine: str) -> None:
    orders, reference = MAKERS[engine](LEDGER), MAKERS["polars"](LEDGER)
    for by in (["period"], ["from_day", "to_day"]):
        found, expected = (
            rows(
                cohorts.pooled(
                    cohorts.calendar_retention(table, as_of=AS_OF)
                    if by == ["period"]
                    else cohorts.retention(table, as_of=AS_OF, windows=WINDOWS)
                ),
                by=by,
            )
            for table in (orders, reference)
        )
        assert len(found) == len(expected) > 0
        for row, other in zip(found, expected, strict=True):
            assert row == pytest.approx(other)


def test_a_lazy_table_is_not_run() -> None:
    runs = []

    def spy(amounts: pl.Series) -> pl.Series:
        runs.append(len(amounts))
        return amounts

    orders = pl.LazyFrame(LEDGER).with_columns(
        pl.col("amount").map_batches(spy, return_dtype=pl.Float64)
    )
    table = cohorts.table(orders, as_of=AS_OF, measure="amount")
    rates = cohorts.pooled(cohorts.retention(orders, as_of=AS_OF, windows=WINDOWS))
    assert runs == []
    assert table.collect().height > 0
    assert rates.collect().height == len(WINDOWS)
    assert runs


def test_orders_need_no_money() -> None:
    orders = pl.DataFrame(LEDGER).drop("amount")
    assert cohorts.table(orders, as_of=AS_OF, measure="orders")["orders"].sum() == 9


def test_lines_of_one_order_are_one_order() -> None:
    orders = pl.DataFrame(
        {
            "customer_id": ["ann", "ann", "ann"],
            "date": [date(2024, 1, 5), date(2024, 1, 5), date(2024, 1, 9)],
            "amount": [1.0, 2.0, 4.0],
            "order_id": ["o1", "o1", "o2"],
        }
    )
    (cell,) = rows(cohorts.table(orders, as_of=date(2024, 1, 31), measure="orders"))
    assert cell["orders"] == 2


def test_times_of_day_count_as_their_day(make_frame: MakeFrame) -> None:
    orders = nw.from_native(make_frame(LEDGER))
    at_noon = orders.with_columns(nw.col("date").cast(nw.Datetime("us")).dt.offset_by("12h"))
    cells = cohorts.table(at_noon.to_native(), as_of=AS_OF)
    found = [tuple(row.values()) for row in rows(cells, by=["cohort", "period"])]
    assert found == slow_table(as_rows(LEDGER), as_of=AS_OF, every="month", measure="customers")


@pytest.mark.parametrize("every", PERIODS)
def test_one_customer_on_one_day_is_one_cohort(make_frame: MakeFrame, every: Any) -> None:
    day = date(2024, 2, 29)
    orders = make_frame({"customer_id": ["ann"], "date": [day], "amount": [0.0]})
    (cell,) = rows(cohorts.table(orders, as_of=day, every=every, measure="amount"))
    assert (cell["cohort"], cell["starts"]) == (start_of(day, every),) * 2
    assert cell["ends"] == end_of(day, every)
    assert (cell["period"], cell["cohort_size"], cell["amount"]) == (0, 1, 0.0)


@pytest.mark.parametrize("case", ["no rows", "all later", "returns only"])
def test_nothing_to_follow_gives_an_empty_table(make_frame: MakeFrame, case: str) -> None:
    orders = make_frame(LEDGER)
    as_of = AS_OF
    if case == "no rows":
        orders = nw.from_native(orders).filter(nw.col("amount") > 1e9).to_native()
    if case == "all later":
        as_of = date(2000, 1, 1)
    if case == "returns only":
        orders = nw.from_native(orders).filter(nw.col("amount") < 0).to_native()
    table = cohorts.table(orders, as_of=as_of)
    calendar = cohorts.calendar_retention(orders, as_of=as_of)
    windows = cohorts.retention(orders, as_of=as_of, windows=WINDOWS)
    assert names(table) == [*CELL, "customers"]
    assert names(windows) == [*WINDOW, *RATES]
    assert rows(table) == rows(calendar) == rows(windows) == rows(cohorts.pooled(windows)) == []


def test_input_is_not_changed(make_eager: MakeFrame) -> None:
    orders = make_eager(LEDGER)
    before = rows(orders)
    cohorts.table(orders, as_of=AS_OF)
    cohorts.retention(orders, as_of=AS_OF, windows=WINDOWS)
    assert rows(orders) == before


# Refusals


def message(call: Any, **arguments: Any) -> str:
    orders = arguments.pop("orders", pl.DataFrame(LEDGER))
    with pytest.raises((InvalidArgumentError, MissingColumnsError)) as caught:
        call(orders, **arguments)
    return str(caught.value)


def test_an_unknown_period_is_refused() -> None:
    for every, advice in (("fortnight", ""), ("mnth", "\nDid you mean 'month'?"), (7, "")):
        expected = (
            "`every` must be one of 'day', 'week', 'month', 'quarter', 'year', "
            f"got {every!r}.{advice}"
        )
        assert message(cohorts.table, as_of=AS_OF, every=every) == expected
        assert message(cohorts.calendar_retention, as_of=AS_OF, every=every) == expected
        assert message(cohorts.retention, as_of=AS_OF, every=every, windows=WINDOWS) == expected


def test_an_unknown_measure_is_refused() -> None:
    assert message(cohorts.table, as_of=AS_OF, measure="margin") == (
        "`measure` must be one of 'customers', 'orders', 'amount', got 'margin'."
    )
    assert message(cohorts.table, as_of=AS_OF, measure="amounts") == (
        "`measure` must be one of 'customers', 'orders', 'amount', got 'amounts'.\n"
        "Did you mean 'amount'?"
    )


def test_money_is_not_measured_where_there_is_none(make_frame: MakeFrame) -> None:
    orders = make_frame({name: LEDGER[name] for name in ("customer_id", "date")})
    assert message(cohorts.table, orders=orders, as_of=AS_OF, measure="amount") == (
        'transactions: no column `amount`, and `measure` is "amount".\n'
        'Name the column of money in crmkit.transactions(), or measure "orders".'
    )


def test_the_day_must_be_a_date() -> None:
    expected = (
        "`as_of` must be a date, got '2024-3-31' (str).\n"
        'Write datetime.date(2024, 12, 31) or "2024-12-31".'
    )
    assert message(cohorts.table, as_of="2024-3-31") == expected
    assert message(cohorts.retention, as_of="2024-3-31", windows=WINDOWS) == expected


@pytest.mark.parametrize("level", [0, 1, 95, float("nan"), "95 %", None])
def test_the_level_lies_between_0_and_1(level: Any) -> None:
    expected = f"`level` must lie between 0 and 1, got {level!r}.\nWrite 0.9 for 90 %."
    rates = cohorts.calendar_retention(pl.DataFrame(LEDGER), as_of=AS_OF)
    assert message(cohorts.calendar_retention, as_of=AS_OF, level=level) == expected
    assert message(cohorts.retention, as_of=AS_OF, level=level) == expected
    assert message(cohorts.pooled, orders=rates, level=level) == expected


@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        ((), "`windows` is empty."),
        (((1, 31),), "`windows` must hold Window values, got (1, 31)."),
    ],
)
def test_values_that_are_not_windows_are_refused(windows: Any, complaint: str) -> None:
    assert message(cohorts.retention, as_of=AS_OF, windows=windows) == (
        f"{complaint}\nMake them with cohorts.n_day(), cohorts.rolling() or cohorts.bracket()."
    )


@pytest.mark.parametrize(
    ("windows", "shown"),
    [(None, "None"), ("x", "'x'"), (30, "30"), (Window(1, 31), "Window(from_day=1, to_day=31)")],
)
def test_windows_must_be_a_list(windows: Any, shown: str) -> None:
    assert message(cohorts.retention, as_of=AS_OF, windows=windows) == (
        f"`windows` must be a list, got {shown}.\nWrite cohorts.bracket((1, 31), (31, 61))."
    )


def test_a_window_given_twice_is_refused() -> None:
    assert message(cohorts.retention, as_of=AS_OF, windows=cohorts.n_day(7, 1, 7)) == (
        "`windows` holds Window(from_day=7, to_day=8) more than once.\nLeave the repetition out."
    )


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (cohorts.n_day, "days"),
        (cohorts.rolling, "days"),
        (Window, "from_day"),
        (lambda day: Window(1, day), "to_day"),
        (lambda day: cohorts.bracket((day, 31)), "from_day"),
    ],
)
@pytest.mark.parametrize("day", [0, -7, 1.5])
def test_a_window_begins_after_the_day_of_the_first_purchase(
    make: Any, argument: str, day: float
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make(day)
    assert str(caught.value) == (
        f"`{argument}` must be a whole number of 1 or more, got {day}.\n"
        "Day 0 is the day of the first purchase; begin on day 1 or later."
    )


@pytest.mark.parametrize("make", [cohorts.n_day, cohorts.rolling, Window])
def test_a_day_that_is_not_a_number_is_refused(make: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"must be a whole number of 1 or more, got '7'"):
        make("7")


@pytest.mark.parametrize(
    ("pair", "complaint"),
    [
        (30, "be a list of numbers, got 30"),
        ("30", "be a list of numbers, got '30'"),
        ((1, "31"), "hold numbers only, got '31'"),
        ((1, None), "hold numbers only, got None"),
        ((1, 31, 61), "be pairs of days, got (1, 31, 61)"),
        ((1,), "be pairs of days, got (1,)"),
    ],
)
def test_a_bracket_that_is_not_a_pair_of_days_is_refused(pair: Any, complaint: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        cohorts.bracket(pair)
    assert str(caught.value) == f"`ranges` must {complaint}.\nWrite (1, 31), (31, 61)."


@pytest.mark.parametrize("bracket", [(31, 1), (7, 7)])
def test_a_bracket_without_a_day_is_refused(bracket: tuple[int, int]) -> None:
    start, end = bracket
    with pytest.raises(InvalidArgumentError) as caught:
        cohorts.bracket(bracket)
    assert str(caught.value) == (
        f"A window from day {start} up to, not including, day {end} is empty.\n"
        "Give the earlier day first."
    )


@pytest.mark.parametrize("second", [(30, 61), (1, 8)])
def test_overlapping_brackets_are_refused(second: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        cohorts.bracket((1, 31), second)
    assert str(caught.value) == (
        f"`ranges` overlap: one begins on day {second[0]}, before the previous one ends on day 31."
        "\nGive them in order, each from the end of the previous one: (1, 31), (31, 61)."
    )


def test_only_retention_can_be_pooled(make_frame: MakeFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        cohorts.pooled(cohorts.table(make_frame(LEDGER), as_of=AS_OF))
    assert str(caught.value) == (
        "retention: no column `n_eligible`, `n_retained` among `cohort`, `period`, `starts`, "
        "`ends`, `is_complete`, `cohort_size`, `customers`.\n"
        "Build this table with crmkit.cohorts.retention()."
    )


def test_rates_of_nothing_in_particular_are_not_pooled() -> None:
    rates = cohorts.calendar_retention(pl.DataFrame(LEDGER), as_of=AS_OF)
    kept = rates.select("cohort", "cohort_size", "n_eligible", "n_retained")
    assert message(cohorts.pooled, orders=kept) == (
        "retention: no column `period`, `from_day`, `to_day` among `cohort`, `cohort_size`, "
        "`n_eligible`, `n_retained`.\n"
        "Build this table with crmkit.cohorts.retention()."
    )


def test_more_retained_than_eligible_is_refused(make_eager: MakeFrame) -> None:
    rates: dict[str, list[Any]] = {
        "cohort": [date(2024, 1, 1)],
        "period": [1],
        "cohort_size": [10],
        "n_eligible": [5],
        "n_retained": [6],
    }
    with pytest.raises(InvalidRowsError) as caught:
        cohorts.pooled(make_eager(rates))
    assert str(caught.value) == (
        "retention: `n_retained` exceeds `n_eligible`, yet only eligible customers are counted, "
        "in 1 of 1 rows (row 0).\n"
        "Build this table with crmkit.cohorts.retention()."
    )
