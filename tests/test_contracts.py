"""Contracts at the door: cooling-off periods, overlaps, renewals, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmkit
from crmkit import clv, intake
from crmkit._intake.contract_terms import overlapping
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MakeFrame, rows

START: Final = date(2024, 1, 1)
ISSUE: Final[dict[str, list[Any]]] = {
    "who": ["8th", "11th", "12th", "runs"],
    "from": [START] * 4,
    "to": [date(2024, 1, 8), date(2024, 1, 11), date(2024, 1, 12), None],
}
NAMED: Final[dict[str, Any]] = {"customer": "who", "start": "from", "end": "to"}
NEVER: Final = "cancelled in the cooling-off period"
PENDING: Final = "still in the cooling-off period"


def reasons(raw: Any, **arguments: Any) -> dict[str, str]:
    """Tell who was set aside, and why."""
    _, aside = intake.clean_contracts(raw, **NAMED, **arguments)
    return {row["who"]: row["reason"] for row in rows(aside)}


def kept(raw: Any, **arguments: Any) -> list[tuple[Any, Any, Any]]:
    """Take customer, start and end of the contracts that stay."""
    found = rows(crmkit.contracts(raw, **NAMED, **arguments))
    return sorted((r["customer_id"], r["start"], r["end"]) for r in found)


# By hand


def test_cancelled_in_time_was_never_a_customer(make_frame: MakeFrame) -> None:
    raw = make_frame(ISSUE)
    assert kept(raw, cooling_off_days=10) == [
        ("12th", START, date(2024, 1, 12)),
        ("runs", START, None),
    ]
    assert reasons(raw, cooling_off_days=10) == {"8th": NEVER, "11th": NEVER}
    assert len(kept(raw)) == 4


@pytest.mark.parametrize(
    ("as_of", "decided", "pending"),
    [
        ("2024-01-07", [], ["11th", "12th", "8th", "runs"]),
        ("2024-01-09", ["8th"], ["11th", "12th", "runs"]),
        ("2024-01-10", ["8th"], ["11th", "12th", "runs"]),
        ("2024-01-11", ["11th", "8th"], []),
        ("2024-12-31", ["11th", "8th"], []),
    ],
)
def test_who_is_still_in_it_is_not_decided(
    make_frame: MakeFrame, as_of: str, decided: list[str], pending: list[str]
) -> None:
    found = reasons(make_frame(ISSUE), cooling_off_days=10, as_of=as_of)
    assert sorted(who for who, why in found.items() if why == NEVER) == decided
    assert sorted(who for who, why in found.items() if why == PENDING) == pending


def test_the_cancellation_decides_where_it_is_known(make_frame: MakeFrame) -> None:
    raw = make_frame(
        {
            "who": ["ann", "ben", "cid"],
            "from": [START] * 3,
            "to": [date(2024, 12, 31), date(2024, 12, 31), None],
            "notice": [date(2024, 1, 5), date(2024, 6, 1), date(2024, 7, 1)],
        }
    )
    found = rows(
        crmkit.contracts(raw, **NAMED, cancelled="notice", cooling_off_days=10), by="customer_id"
    )
    assert [(r["customer_id"], r["end"], r["cancelled"]) for r in found] == [
        ("ben", date(2024, 12, 31), date(2024, 6, 1)),
        ("cid", date(2024, 7, 1), date(2024, 7, 1)),
    ]


def test_terms_within_the_days_of_grace_are_one_contract(make_frame: MakeFrame) -> None:
    raw = make_frame(
        {
            "who": ["ann", "ann", "ann", "ben"],
            "from": [date(2024, 3, 2), START, date(2024, 9, 1), START],
            "to": [date(2024, 5, 31), date(2024, 2, 1), None, None],
            "premium": [20.0, 10.0, 30.0, 5.0],
        }
    )
    # 30 days from 02-01 to 03-02, 93 from 05-31 to 09-01.
    found = rows(crmkit.contracts(raw, **NAMED, amount="premium", grace_days=30), by="start")
    assert sorted((r["customer_id"], r["start"], r["end"], r["amount"]) for r in found) == [
        ("ann", START, date(2024, 5, 31), 20.0),
        ("ann", date(2024, 9, 1), None, 30.0),
        ("ben", START, None, 5.0),
    ]
    assert len(kept(raw, grace_days=29)) == 4
    assert len(kept(raw, grace_days=93)) == 2


def test_contracts_that_overlap_are_found(make_eager: MakeFrame) -> None:
    raw = make_eager(
        {
            "who": ["ann", "ann", "ann", "ben", "ben"],
            "from": [START, date(2024, 5, 31), date(2024, 2, 1), START, START],
            "to": [date(2024, 5, 31), None, date(2024, 7, 1), None, date(2024, 3, 1)],
        }
    )
    _, aside = intake.clean_contracts(raw, **NAMED)
    assert [(r["who"], r["from"], r["reason"]) for r in rows(aside)] == [
        ("ann", date(2024, 2, 1), "overlapping contracts"),
        ("ben", START, "overlapping contracts"),
    ]
    with pytest.raises(InvalidRowsError) as caught:
        crmkit.contracts(raw, **NAMED)
    assert str(caught.value) == (
        "contracts: `from` is before the end of the customer's previous contract, such as "
        "2024-02-01, in 2 of 5 rows (who 'ann', 'ben').\n"
        "Correct them, or call crmkit.intake.clean(), which sets them aside with the reason."
    )


def test_an_end_before_the_start_is_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "from": [START] * 2, "to": [date(2023, 12, 31), None]})
    assert reasons(raw) == {"ann": "end before start"}
    with pytest.raises(InvalidRowsError, match="`to` is before `from`"):
        crmkit.contracts(raw, **NAMED)


def test_days_in_text_are_read_for_each_column_by_itself(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "from": ["31/01/2024"] * 2, "to": ["2024-05-01", ""]})
    assert kept(raw) == [
        ("ann", date(2024, 1, 31), date(2024, 5, 1)),
        ("ben", date(2024, 1, 31), None),
    ]


def test_findings_count_what_is_set_aside(make_frame: MakeFrame) -> None:
    found = rows(
        intake.check_contracts(make_frame(ISSUE), **NAMED, cooling_off_days=10, as_of="2024-01-09")
    )
    counts = {row["rule"]: (row["severity"], row["rows"]) for row in found if row["rows"]}
    assert counts == {NEVER: ("info", 1), PENDING: ("info", 3)}


# Properties


@given(
    terms=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 20))),
        max_size=12,
    ),
    cooling=st.integers(0, 5),
)
def test_each_row_is_kept_or_set_aside_and_no_two_overlap(
    terms: list[tuple[int, int, int | None]], cooling: int
) -> None:
    raw = pl.DataFrame(
        {
            "who": [f"c{who}" for who, _, _ in terms],
            "from": [START + timedelta(begin) for _, begin, _ in terms],
            "to": [None if n is None else START + timedelta(b + n) for _, b, n in terms],
        },
        schema={"who": pl.String, "from": pl.Date, "to": pl.Date},
    )
    good, aside = intake.clean_contracts(raw, **NAMED, cooling_off_days=cooling)
    assert len(good) + len(aside) == len(raw)
    for who in set(good["customer_id"]):
        mine = sorted(
            (r["start"], r["end"] or date.max) for r in rows(good) if r["customer_id"] == who
        )
        assert all(a[1] <= b[0] for a, b in pairwise(mine))


@given(
    spans=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(0, 9)), max_size=10)
)
def test_overlaps_are_those_of_a_slow_loop(spans: list[tuple[int, int, int]]) -> None:
    due = [False] * len(spans)
    taken: dict[int, int] = {}
    for i in sorted(range(len(spans)), key=lambda i: (spans[i][1], i)):
        who, begin, length = spans[i]
        due[i] = begin < taken.get(who, -1)
        if not due[i]:
            taken[who] = begin + length
    columns = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    found = overlapping(columns[0], columns[1], columns[1] + columns[2])
    assert found.tolist() == due


# Shape


def test_contracts_serve_the_retention_models() -> None:
    raw = {
        "who": list(range(24)),
        "from": [START] * 24,
        "to": [date(2024, 2, 1)] * 8 + [date(2024, 4, 1)] * 4 + [None] * 12,
    }
    made = crmkit.contracts(pl.DataFrame(raw), **NAMED)
    fit = clv.fit_retention(made, every="month", as_of="2024-06-01")
    assert fit.n_customers == 24


def test_a_table_without_ends_runs_on(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": ["ann"], "from": [START]})
    assert [r["end"] for r in rows(crmkit.contracts(raw, customer="who", start="from"))] == [None]


# Refusals


@pytest.mark.parametrize("argument", ["cooling_off_days", "grace_days"])
def test_days_are_whole(argument: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        crmkit.contracts(pl.DataFrame(ISSUE), **{**NAMED, argument: -1})
    assert str(caught.value) == (
        f"`{argument}` must be a whole number of 0 or more, got -1.\n"
        "Write 14 for two weeks, or 0 for none."
    )
