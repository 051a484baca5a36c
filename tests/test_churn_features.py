"""Labels, features and panels: by hand, against a slow twin, and blind to what comes later."""

from __future__ import annotations

import statistics
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import churn, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers

AS_OF: Final = date(2024, 3, 31)
LATER: Final = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "cid", "new"]),
        st.dates(date(2024, 4, 1), date(2024, 12, 31)),
        st.sampled_from([10.0, -10.0, 0.0, 99.0]),
    ),
    max_size=12,
)
WINDOWS: Final = (30, 90)
COLUMNS: Final = ("customer_id", "date", "amount", "product", "discount")
SHOP: Final[dict[str, list[Any]]] = {
    # ann: two products in three rows, one of them reduced; a return of a third product, later.
    "customer_id": ["ann", "ann", "ann", "ann", "ben", "ben"],
    "date": [
        date(2024, 1, 1),
        date(2024, 1, 11),
        date(2024, 2, 20),
        date(2024, 3, 1),
        date(2024, 3, 31),
        date(2024, 4, 1),
    ],
    "amount": [20.0, 30.0, 50.0, -25.0, 10.0, 70.0],
    "product": ["tea", "tea", "cup", "pot", None, "pot"],
    "discount": [0.0, 5.0, 0.0, 1.0, None, 2.0],
}


# Published


@pytest.mark.parametrize(("as_of", "days"), [("1997-12-31", 181), ("1997-09-30", 91)])
def test_the_labels_of_cdnow_are_the_counts_of_buyers(as_of: str, days: int) -> None:
    # Counted by hand from the log: all 23,570 customers had bought by 1997-03-31.
    orders = load_cdnow(backend="polars")
    day = date.fromisoformat(as_of)
    inside = pl.col("date").is_between(day + timedelta(days=1), day + timedelta(days=days))
    buyers = orders.filter(inside)["customer_id"].n_unique()
    found = churn.label(orders, as_of=as_of, horizon_days=days)
    assert len(found) == 23_570
    assert found["churned"].sum() == 23_570 - buyers


# By hand


def test_the_features_of_a_small_shop(make_frame: MakeFrame) -> None:
    found = churn.features(make_frame(SHOP), as_of=AS_OF, windows_days=WINDOWS)
    ann, ben = rows(found, by="customer_id")
    # ann bought on 01-01, 01-11 and 02-20: gaps of 10 and 40 days, mean 25, standard deviation
    # sqrt((15² + 15²) / 1) = 21.2132, and 40 days of silence.
    assert ann == {
        "customer_id": "ann",
        "date": AS_OF,
        "orders": 3,
        "days_since_last": 40,
        "frequency": 2,
        "recency": 50,
        "T": 90,
        "total_amount": 75.0,
        "monetary_value": 27.5,
        "n_orders_30d": 0,
        "n_orders_90d": 2,
        "amount_30d": 0.0,
        "amount_90d": 55.0,
        "orders_trend_30d_90d": 0.0,
        "amount_trend_30d_90d": 0.0,
        "gap_mean_days": 25.0,
        "gap_sd_days": pytest.approx(21.2132034),
        "silence_over_gap": 1.6,
        "return_share": 0.25,
        "n_products": 2,
        "discount_share": pytest.approx(1 / 3),
        "month": 3,
    }
    # ben came today: with one day behind him both windows hold the same.
    assert ben["n_orders_30d"] == ben["n_orders_90d"] == ben["orders_trend_30d_90d"] == 1
    assert ben["gap_mean_days"] is None
    assert ben["n_products"] == 0
    assert ben["discount_share"] is None


def test_what_silence_means_is_read_from_the_gaps(make_frame: MakeFrame) -> None:
    # Gaps of 1, 2, 3 and 10 days; open silences of 80 and 5 days.
    days = {"a": [1, 2, 4, 7], "b": [72, 82]}
    orders = make_frame(
        {
            "customer_id": [who for who, some in days.items() for _ in some],
            "date": [date(2024, 1, 1) + timedelta(day) for some in days.values() for day in some],
        }
    )
    found = rows(
        churn.inactivity(orders, as_of=date(2024, 1, 1) + timedelta(87), quantiles=(0.5, 0.75, 1)),
        by="quantile",
    )
    counts = [(r["gap_days"], r["n_silent"], r["n_returned"], r["return_share"]) for r in found]
    assert counts == [(2, 4, 2, 0.5), (3, 3, 1, pytest.approx(1 / 3)), (10, 1, 0, 0.0)]


def test_an_event_on_the_border_belongs_to_one_side_only(make_frame: MakeFrame) -> None:
    # Window (2024-01-31, 2024-03-01]: a purchase on the first border is history, one on the
    # last is in it, and one on the day after is in neither.
    others = {"on it": "2024-01-31", "the day after": "2024-02-01", "on the last": "2024-03-01"}
    others["too late"] = "2024-03-02"
    names = [*others, *others]
    days = [date(2024, 1, 1)] * 4 + [date.fromisoformat(day) for day in others.values()]
    orders = make_frame({"customer_id": names, "date": days})
    label = churn.label(orders, as_of="2024-01-31", horizon_days=30)
    rows_of = churn.panel(orders, dates=["2024-01-31"], horizon_days=30)
    for found in (label, rows_of):
        assert {row["customer_id"]: row["churned"] for row in rows(found)} == {
            "on it": True,
            "the day after": False,
            "on the last": False,
            "too late": True,
        }
    frequency = {row["customer_id"]: row["frequency"] for row in rows(rows_of)}
    assert frequency == {"on it": 1, "the day after": 0, "on the last": 0, "too late": 0}


def test_an_end_on_the_border_belongs_to_one_side_only(make_frame: MakeFrame) -> None:
    ends = {
        "gone": "2024-01-31",
        "first": "2024-02-01",
        "last": "2024-03-01",
        "stays": "2024-03-02",
    }
    contracts = make_frame(
        {
            "customer_id": [*ends, "runs", "new"],
            "start": [date(2024, 1, 1)] * 5 + [date(2024, 2, 1)],
            "end": [*map(date.fromisoformat, ends.values()), None, None],
        }
    )
    found = churn.label_contracts(contracts, as_of="2024-01-31", horizon_days=30)
    assert {row["customer_id"]: row["churned"] for row in rows(found)} == {
        "first": True,
        "last": True,
        "stays": False,
        "runs": False,
    }


def test_a_dated_table_of_customers_serves_each_date_by_its_own_row(
    make_frame: MakeFrame,
) -> None:
    orders = make_frame({name: SHOP[name] for name in COLUMNS[:3]})
    known = make_frame(
        {
            "customer_id": ["ann", "ann", "ann", "ben"],
            "date": [date(2024, 1, 5), date(2024, 2, 1), date(2024, 2, 2), date(2024, 4, 1)],
            "complaints": [0.0, 1.0, 2.0, 9.0],
        }
    )
    found = churn.panel(
        orders, dates=["2024-01-31", "2024-02-01"], horizon_days=60, customers=known
    )
    assert [row["complaints"] for row in rows(found, by="date")] == [0.0, 1.0]
    late = rows(churn.features(orders, as_of=AS_OF, customers=known), by="customer_id")
    assert [row["complaints"] for row in late] == [2.0, None]


def test_columns_of_customers_are_joined_on(make_frame: MakeFrame) -> None:
    orders = make_frame({name: SHOP[name] for name in COLUMNS[:3]})
    attributes = make_frame({"customer_id": ["ann", "zoe"], "branch": ["north", "south"]})
    found = rows(churn.features(orders, as_of=AS_OF, customers=attributes), by="customer_id")
    assert [(row["customer_id"], row["branch"]) for row in found] == [
        ("ann", "north"),
        ("ben", None),
    ]


# Twin


def twin(ledger: list[Row], as_of: date) -> list[dict[str, Any]]:
    """Describe each customer by loops over their days."""
    found = []
    for who in sorted({row[0] for row in ledger}):
        seen = [row for row in ledger if row[0] == who and row[1] <= as_of]
        buys = [row for row in seen if row[2] >= 0]
        if not buys:
            continue
        days = sorted({row[1] for row in buys})
        gaps = [(b - a).days for a, b in pairwise(days)]
        age, silence = (as_of - days[0]).days, (as_of - days[-1]).days
        per_day = [sum(r[2] for r in seen if r[1] == day) for day in {r[1] for r in seen}]
        bought = sum(money for money in per_day if money > 0)
        orders, amounts = (
            [sum(value(r) for r in some if (as_of - r[1]).days < window) for window in WINDOWS]
            for some, value in ((buys, lambda _: 1), (seen, lambda r: r[2]))
        )
        rate = [min(window, age + 1) for window in WINDOWS]
        found.append(
            {
                "customer_id": who,
                "days_since_last": silence,
                "n_orders_30d": orders[0],
                "n_orders_90d": orders[1],
                "amount_30d": pytest.approx(amounts[0]),
                "amount_90d": pytest.approx(amounts[1]),
                "orders_trend_30d_90d": _close(
                    orders[1] and (orders[0] / rate[0]) / (orders[1] / rate[1]), orders[1] > 0
                ),
                "amount_trend_30d_90d": _close(
                    amounts[1] and (amounts[0] / rate[0]) / (amounts[1] / rate[1]), amounts[1] > 0
                ),
                "gap_mean_days": _close(gaps and statistics.mean(gaps), bool(gaps)),
                "gap_sd_days": _close(len(gaps) > 1 and statistics.stdev(gaps), len(gaps) > 1),
                "silence_over_gap": _close(gaps and silence / statistics.mean(gaps), bool(gaps)),
                "return_share": _close(
                    bought and -sum(m for m in per_day if m < 0) / bought, bought > 0
                ),
            }
        )
    return found


def _close(value: Any, known: object) -> Any:
    return pytest.approx(float(value), abs=1e-9) if known else None


@pytest.mark.parametrize("engine", list(MAKERS))
@given(ledger=ledgers)
def test_features_are_those_of_a_slow_loop(engine: str, ledger: list[Row]) -> None:
    if min(row[1] for row in ledger) > AS_OF:
        return
    found = churn.features(frame(ledger, engine), as_of=AS_OF, windows_days=WINDOWS)
    due = twin(ledger, AS_OF)
    assert [
        {k: r[k] for k in d} for r, d in zip(rows(found, by="customer_id"), due, strict=True)
    ] == due


# Properties


@pytest.mark.parametrize("engine", ["pandas", "polars-lazy", "duckdb"])
@given(ledger=ledgers, one=LATER, other=LATER)
def test_nothing_that_comes_later_moves_a_feature(
    engine: str, ledger: list[Row], one: list[Row], other: list[Row]
) -> None:
    past = [("ann", AS_OF, 5.0), *(row for row in ledger if row[1] <= AS_OF)]

    def described(later: list[Row]) -> list[dict[str, Any]]:
        table = [*past, *later]
        columns = zip(*table, strict=True)
        orders = dict(zip(COLUMNS, map(list, columns), strict=False))
        orders["product"] = [f"p{row[1].day % 3}" for row in table]
        orders["discount"] = [float(row[1].day % 2) for row in table]
        return rows(
            churn.features(MAKERS[engine](orders), as_of=AS_OF, windows_days=WINDOWS),
            by="customer_id",
        )

    alone = described([])
    assert described(one) == alone
    assert described([*one, *other]) == alone
    assert described([(who, day, -amount) for who, day, amount in one]) == alone


def test_a_later_return_of_an_order_moves_no_feature(make_frame: MakeFrame) -> None:
    orders: dict[str, list[Any]] = {
        "customer_id": ["ann", "ann", "ann"],
        "date": [date(2024, 1, 1), date(2024, 2, 1), date(2024, 4, 1)],
        "amount": [20.0, 30.0, -30.0],
        "order_id": [1, 2, 2],
    }
    seen = {name: values[:2] for name, values in orders.items()}
    one, other = (rows(churn.features(make_frame(t), as_of=AS_OF)) for t in (orders, seen))
    assert one == other


@pytest.mark.parametrize("engine", ["pandas", "polars-lazy", "duckdb"])
@given(ledger=ledgers)
def test_a_panel_is_its_features_and_labels(engine: str, ledger: list[Row]) -> None:
    ledger = [("ann", date(2023, 12, 1), 5.0), *ledger, ("zoe", date(2024, 4, 30), 5.0)]
    orders = frame(ledger, engine)
    dates = [date(2024, 1, 31), date(2024, 3, 1)]
    stacked = rows(
        churn.panel(orders, dates=dates, horizon_days=60, windows_days=WINDOWS),
        by=["date", "customer_id"],
    )
    alone = []
    for day in dates:
        features = churn.features(orders, as_of=day, windows_days=WINDOWS)
        labels = churn.label(orders, as_of=day, horizon_days=60)
        pairs = zip(rows(features, by="customer_id"), rows(labels, by="customer_id"), strict=True)
        alone += [{**one, "horizon_days": 60, "churned": two["churned"]} for one, two in pairs]
    assert stacked == alone


@given(ledger=ledgers)
def test_purchase_days_give_the_same_features(ledger: list[Row]) -> None:
    orders = frame([*ledger, ("ann", date(2023, 12, 1), 1.0)])
    days = rfm.purchase_days(orders, as_of="2024-04-30")
    one, other = (rows(churn.features(t, as_of=AS_OF), by="customer_id") for t in (orders, days))
    assert [
        {k: pytest.approx(v) if isinstance(v, float) else v for k, v in r.items()} for r in one
    ] == other


def test_the_columns_of_the_summary_are_those_of_summarize() -> None:
    orders = load_cdnow(sample=True, backend="polars")
    found = churn.features(orders, as_of="1998-03-31")
    summary = rfm.summarize(orders, as_of="1998-03-31").drop("first_date", "last_date")
    assert_frame_equal(found.select(summary.columns), summary, rel_tol=1e-12)


# Refusals


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises((InvalidArgumentError, InvalidRowsError)) as caught:
        call(**arguments)
    return str(caught.value)


def test_a_horizon_past_the_data_names_the_last_usable_date(make_frame: MakeFrame) -> None:
    orders = make_frame(SHOP)
    due = (
        "`as_of` (2024-03-31) leaves no full outcome window of 30 days: the data end on "
        "2024-04-01.\nThe last usable date is 2024-03-02."
    )
    assert refused(churn.label, orders=orders, as_of=AS_OF, horizon_days=30) == due
    wide = refused(churn.panel, orders=orders, dates=["2024-02-01", AS_OF], horizon_days=30)
    assert wide == due.replace("`as_of`", "`dates`")
    long = refused(churn.label, orders=orders, as_of=AS_OF, horizon_days=400)
    assert long.endswith("\nThe data span 91 days: take a shorter horizon.")


def test_contracts_without_a_full_window_are_counted(make_frame: MakeFrame) -> None:
    contracts = make_frame(
        {
            "customer_id": ["ann", "ben", "cid"],
            "start": [date(2024, 1, 1), date(2024, 1, 9), date(2024, 3, 1)],
            "end": [date(2024, 2, 20), None, None],
        }
    )
    message = refused(
        churn.label_contracts, contracts=contracts, as_of="2024-02-01", horizon_days=30
    )
    assert message == (
        "contracts: no label for the 2 that run then, as `as_of` (2024-02-01) leaves no full "
        "outcome window of 30 days: the data end on 2024-03-01.\n"
        "The last usable date is 2024-01-31."
    )
    found = churn.label_contracts(
        contracts, as_of="2024-02-01", horizon_days=30, data_until="2024-03-31"
    )
    assert len(rows(found)) == 2


def test_a_day_before_all_data_is_refused(make_eager: MakeFrame) -> None:
    orders = make_eager(SHOP)
    due = (
        "`as_of` (2023-12-31) is before the first day of the data, 2024-01-01.\n"
        "Nobody was a customer then: give a later day."
    )
    assert refused(churn.features, orders=orders, as_of="2023-12-31") == due
    assert refused(churn.label, orders=orders, as_of="2023-12-31", horizon_days=9) == due


def test_a_customer_twice_is_refused(make_eager: MakeFrame) -> None:
    orders = make_eager(SHOP)
    twice = {"customer_id": ["ann", "ann"], "branch": ["north", "south"]}
    message = refused(churn.features, orders=orders, as_of=AS_OF, customers=make_eager(twice))
    assert message == (
        "customers: 1 customers have several rows (customer_id 'ann').\n"
        "Keep one row, or date them with a column `date`: the last by each day is taken."
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            "churned",
            (
                "customers: `churned` is what the panel is to learn, not a feature.\n"
                "Leave the column out."
            ),
        ),
        (
            "frequency",
            (
                "customers: `frequency` is a feature made of the orders already.\n"
                "Rename the column, or leave it out."
            ),
        ),
    ],
)
def test_a_label_or_a_feature_among_the_customers_is_refused(
    make_frame: MakeFrame, column: str, message: str
) -> None:
    customers = make_frame({"customer_id": ["ann"], column: [1]})
    found = refused(churn.features, orders=make_frame(SHOP), as_of=AS_OF, customers=customers)
    assert found == message


def test_customers_known_later_only_are_refused(make_eager: MakeFrame) -> None:
    customers = make_eager({"customer_id": ["ann"], "date": [date(2024, 4, 1)], "calls": [1]})
    found = refused(churn.features, orders=make_eager(SHOP), as_of=AS_OF, customers=customers)
    assert found == (
        "customers: no row is dated by 2024-03-31; the first is of 2024-04-01.\n"
        "Rows after the date of the features are not seen: add earlier ones, or leave the table "
        "out."
    )


@pytest.mark.parametrize("windows", [(), (90, 30), (30, 30)])
def test_windows_are_in_order(windows: tuple[int, ...]) -> None:
    found = refused(churn.features, orders=pl.DataFrame(SHOP), as_of=AS_OF, windows_days=windows)
    assert found == (
        f"`windows_days` must hold different lengths, the shortest first, got {windows}.\n"
        "Write (30, 90, 365)."
    )


def test_a_date_twice_is_refused() -> None:
    found = refused(churn.panel, orders=pl.DataFrame(SHOP), dates=[AS_OF, AS_OF], horizon_days=1)
    assert found == "`dates` holds 2024-03-31 more than once.\nLeave the repetition out."
