"""Amounts and dates as people write them: the form is found, or asked for, never guessed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import intake, transactions
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MAKERS, MakeFrame, columns

TEXT_ENGINES = ("pandas", "polars", "polars-lazy", "duckdb", "pyarrow")
JAN = dt.date(2022, 1, 12)


def amounts(engine: str, cells: list[str], **options: Any) -> list[float]:
    raw = MAKERS[engine](
        {"who": [f"c{i}" for i in range(len(cells))], "when": [JAN] * len(cells), "paid": cells}
    )
    ledger = transactions(raw, customer="who", date="when", amount="paid", **options)
    return sorted(columns(ledger)["amount"])


def days(engine: str, cells: list[Any], **options: Any) -> list[dt.date]:
    raw = MAKERS[engine]({"who": [f"c{i}" for i in range(len(cells))], "when": cells})
    read = columns(transactions(raw, customer="who", date="when", **options))["date"]
    return sorted(day.date() if isinstance(day, dt.datetime) else day for day in read)


# Amounts


@pytest.mark.parametrize("engine", TEXT_ENGINES)
@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["1,706.18", "-12.50"], [-12.5, 1706.18]),
        (["$1,706.18", "($12.50)"], [-12.5, 1706.18]),
        (["-$1,706.18", "$-12.50", "$ 3"], [-1706.18, -12.5, 3]),
        (["1.706,18 €", "12,50 €"], [12.5, 1706.18]),
        (["1 706,18", "12,50"], [12.5, 1706.18]),
        (["1\xa0706,18 €", "1\u202f000,00 €"], [1000, 1706.18]),
        (["CHF 1'706.18", "CHF 12.50"], [12.5, 1706.18]),
        (["1’706.18 Fr.", "12.50 Fr."], [12.5, 1706.18]),
        (["(12.50)", "3.10"], [-12.5, 3.1]),
        (["12.50-", "3.10"], [-12.5, 3.1]),
        (["\u221212.50", "3.10"], [-12.5, 3.1]),
        (["１，７０６．１８", "１２．５０"], [12.5, 1706.18]),
        (["¥1,706,000", "¥12"], [12, 1706000]),
        (["1,706円", "12円"], [12, 1706]),
        (["EUR 1.706,18", "€ 12,50"], [12.5, 1706.18]),
        (["USD 1,706.18", "US$ 12.50", "$3.00"], [3, 12.5, 1706.18]),
        (["R$ 1.706,18", "R$ 12,50"], [12.5, 1706.18]),
        (["12,34,567.00", "1,00,000.50"], [100000.5, 1234567]),
        (["1.706.180", "12"], [12, 1706180]),
        (["1706", "1,706"], [1.706, 1706]),
        (["0,350", "1,250"], [0.35, 1.25]),
        (["1.5e3", "2"], [2, 1500]),
        (["1706.18", "12"], [12, 1706.18]),
    ],
)
def test_amounts_are_read_in_the_form_of_their_column(
    engine: str, cells: list[str], right: list[float]
) -> None:
    assert amounts(engine, cells) == right


@pytest.mark.parametrize("engine", TEXT_ENGINES)
def test_a_form_that_cannot_be_told_is_asked_for(engine: str) -> None:
    for cells in (["1.706", "2.500"], ["1,706", "12"], ["$1.706"]):
        with pytest.raises(InvalidArgumentError, match="Give decimal="):
            amounts(engine, cells)
    assert amounts(engine, ["1.706", "2.500"], decimal=",") == [1706, 2500]
    assert amounts(engine, ["1.706", "2.500"], decimal=".") == [1.706, 2.5]
    assert amounts(engine, ["1,706", "12"], decimal=".") == [12, 1706]


def test_the_question_shows_an_example_and_both_answers() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        amounts("pandas", ["1.706", "2.500"])
    assert str(caught.value) == (
        "transactions: `paid` may have '.' as decimal mark or between thousands, as in '1.706'.\n"
        'Give decimal="." for a decimal mark, or decimal="," if 1.706 is 1706.'
    )


@pytest.mark.parametrize("engine", TEXT_ENGINES)
def test_two_currencies_in_a_column_are_refused(engine: str) -> None:
    with pytest.raises(InvalidArgumentError, match="several currencies"):
        amounts(engine, ["€ 12.50", "$ 12.50"])


def test_what_fits_no_form_is_an_error_that_names_the_form(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["a", "b", "c"], "when": [JAN] * 3, "paid": ["1,50", "2,50", "3.x"]})
    with pytest.raises(InvalidRowsError, match="form of the others \\(decimal comma\\)"):
        transactions(raw, customer="who", date="when", amount="paid")


@given(
    cents=st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=8),
    decimal=st.sampled_from([".", ","]),
    separator=st.sampled_from(["", " ", "'", "\xa0", ".", ","]),
    currency=st.sampled_from(["", "$", "€", "CHF ", "EUR", "£"]),
    minus=st.sampled_from(["-{}", "({})", "{}-"]),
    engine=st.sampled_from(["pandas", "polars"]),
)
def test_any_form_of_an_amount_comes_back_equal(
    cents: list[int], decimal: str, separator: str, currency: str, minus: str, engine: str
) -> None:
    if separator == decimal:
        separator = ""

    def written(value: int) -> str:
        whole = f"{abs(value) // 100:,}".replace(",", separator)
        plain = f"{currency}{whole}{decimal}{abs(value) % 100:02d}"
        return minus.format(plain) if value < 0 else plain

    right = sorted(float(value) / 100 for value in cents)
    assert amounts(engine, list(map(written, cents))) == pytest.approx(right)


# Dates


@pytest.mark.parametrize("engine", TEXT_ENGINES)
@pytest.mark.parametrize(
    "cells",
    [
        ["01/12/22", "12/31/22"],
        ["12-Jan-2022", "31-Dec-2022"],
        ["12-Jan-22", "31-Dec-22"],
        ["12. Januar 2022", "31. Dezember 2022"],
        ["12. Jan. 2022", "31. Dez. 2022"],
        ["12 janvier 2022", "31 décembre 2022"],
        ["12 janv. 2022", "31 déc. 2022"],
        ["12 de enero de 2022", "31 de diciembre de 2022"],
        ["January 12, 2022", "December 31st, 2022"],
        ["Wed, 12 Jan 2022", "Sat, 31 Dec 2022"],
        ["2022年1月12日", "2022年12月31日"],
        ["２０２２年01月12日", "２０２２年12月31日"],
        ["2022-01-12 10:30", "2022-12-31T23:59:59"],
        ["1/12/2022, 2:05:00 PM", "12/31/2022, 2:05:00 AM"],
        ["44573", "44926"],
        ["44573.25", "44926.5"],
        ["1641945600", "1672444800"],
        ["1641945600000", "1672444800000"],
        [44573, 44926],
        [44573.25, 44926.5],
        [1641945600, 1672444800],
        [1641945600000, 1672444800000],
        [20220112, 20221231],
    ],
)
def test_dates_are_read_as_they_are_written(engine: str, cells: list[Any]) -> None:
    assert days(engine, cells) == [JAN, dt.date(2022, 12, 31)]


@pytest.mark.parametrize("engine", TEXT_ENGINES)
@pytest.mark.parametrize(
    ("cells", "choices"),
    [
        (["01/02/22", "03/04/22"], "%d/%m/%y"),
        (["01/02/2022", "03/04/2022"], "%m/%d/%Y"),
        (["22-01-12", "22-03-11"], "%y-%m-%d"),
    ],
)
def test_an_order_that_cannot_be_told_is_asked_for(
    engine: str, cells: list[str], choices: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=choices):
        days(engine, cells)
    assert len(days(engine, cells, date_format=choices)) == 2


def test_two_digit_years_are_told_from_days_by_how_many_there_are() -> None:
    dates = [JAN + dt.timedelta(days=7 * i) for i in range(80)]  # 2022 and 2023
    assert days("polars", [f"{day:%d/%m/%y}" for day in dates]) == dates
    assert days("pandas", [f"{day:%y.%m.%d}" for day in dates]) == dates


@pytest.mark.parametrize("engine", TEXT_ENGINES)
def test_dates_as_numbers_have_formats_of_their_own(engine: str) -> None:
    assert days(engine, [44573], date_format="excel") == [JAN]
    assert days(engine, ["1641945600"], date_format="seconds") == [JAN]
    assert days(engine, [1641945600000], date_format="milliseconds") == [JAN]


def test_one_typing_error_among_many_dates_does_not_hide_their_order(make_eager: MakeFrame) -> None:
    when = [f"{1 + i % 28:02d}/03/2022" for i in range(300)] + ["01/31/2022"]
    raw = make_eager({"who": list(range(301)), "when": when})
    with pytest.raises(InvalidRowsError, match="in 1 of 301 rows"):
        transactions(raw, customer="who", date="when")


# Cost and columns to keep


def test_cost_and_kept_columns_come_along(make_frame: MakeFrame) -> None:
    raw = make_frame(
        {"who": ["ann"], "when": [JAN], "paid": ["12,50"], "paid_out": ["3,10"], "region": ["süd"]}
    )
    ledger = columns(
        transactions(
            raw, customer="who", date="when", amount="paid", cost="paid_out", keep=["region"]
        )
    )
    assert (ledger["amount"], ledger["cost"], ledger["region"]) == ([12.5], [3.1], ["süd"])


def test_a_kept_name_that_the_ledger_has_is_refused(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": ["ann"], "when": [JAN], "amount": [1.0]})
    with pytest.raises(InvalidArgumentError, match="`keep` has `amount`"):
        transactions(raw, customer="who", date="when", keep=["amount"])


# Long columns


@pytest.mark.parametrize(
    "last",
    [
        ("c1", "2022-01-05", "12.50"),
        (" c1 ", "2022-01-05 10:30", " 12.50"),
        ("c1.0", "05.01.2022", "1e3"),
        ("", "", ""),
        ("nan", "soon", "inf"),
        ("c1", "2022-01-05", "1,706.18"),
        ("c1", "2022-01-05", "NaN"),
    ],
)
@pytest.mark.parametrize("engine", ["polars", pytest.param("pandas", marks=pytest.mark.full)])
def test_a_long_column_is_read_like_a_short_one(engine: str, last: tuple[str, str, str]) -> None:
    n = 100_500
    table = {
        "who": [f"c{i % 50}" for i in range(n)] + [last[0]],
        "when": [f"2022-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(n)] + [last[1]],
        "paid": [f"{i % 900}.{i % 100:02d}" for i in range(n)] + [last[2]],
    }
    named = {"customer": "who", "date": "when", "amount": "paid"}
    long = intake.clean(MAKERS[engine](table), **named)  # type: ignore[arg-type]
    short = intake.clean(MAKERS["polars-lazy"](table), **named)  # type: ignore[arg-type]
    for kept, right in zip(long, short, strict=True):
        found, due = columns(kept), columns(right)
        assert found.keys() == due.keys()
        for name in due:
            assert list(map(str, found[name])) == list(map(str, due[name])) or (
                [str(x)[:10] for x in found[name]] == [str(x)[:10] for x in due[name]]
            )
