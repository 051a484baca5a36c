"""From a file to a ledger: whatever form it has, rows and money are kept or accounted for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmkit
from crmkit import read_log
from crmkit.errors import InvalidArgumentError, TooMuchSetAsideError

TODAY = dt.date(2024, 6, 30)


def orders(n: int = 120) -> list[tuple[str, str, dt.date, int]]:
    """Customer, order, day and cents of lines, two to an order."""
    start = dt.date(2022, 1, 12)
    return [
        (
            f"{i // 2 % 20:03d}",
            str(1000 + i // 2),
            start + dt.timedelta(days=3 * (i // 2)),
            170_618 + 7 * i,
        )
        for i in range(n)
    ]


LINES = orders()
TOTAL = sum(cents for *_, cents in LINES) / 100
Writer = Callable[[Path], None]


def text(
    name: str,
    header: str,
    line: Callable[[str, str, dt.date, int], str],
    *,
    encoding: str = "utf-8",
    above: str = "",
    below: str = "",
) -> tuple[str, Writer]:
    def write(path: Path) -> None:
        rows = "\n".join(line(*each) for each in LINES)
        path.write_bytes(f"{above}{header}\n{rows}\n{below}".encode(encoding))

    return name, write


def german(cents: int) -> str:
    return f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))


FILES = [
    text("plain.csv", "customer,order,date,amount", lambda c, o, d, m: f"{c},{o},{d},{m / 100}"),
    text(
        "dollars.csv",
        "Customer ID,Order ID,Order Date,Sales",
        lambda c, o, d, m: f'{c},{o},{d:%m/%d/%y},"${m / 100:,.2f}"',
    ),
    text(
        "german.csv",
        "Kundennummer;Bestellung;Bestelldatum;Betrag in €",
        lambda c, o, d, m: f"{c};{o};{d:%d.%m.%Y};{german(m)} €",
        encoding="cp1252",
    ),
    text(
        "unicode.txt",
        "Customer\tOrder\tDate\tAmount",
        lambda c, o, d, m: f"{c}\t{o}\t{d:%m/%d/%Y}\t{m / 100:.2f}",
        encoding="utf-16",
    ),
    text(
        "chinese.csv",
        "客户编号,订单号,下单日期,金额",
        lambda c, o, d, m: f"{c},{o},{d:%Y年%m月%d日},{m / 100:.2f}",
        encoding="gbk",
    ),
    text(
        "titles.csv",
        "Customer ID,Order ID,Order Date,Sales",
        lambda c, o, d, m: f"{c},{o},{d:%d-%b-%Y},{m / 100:.2f}",
        above="Sales of the shop,,,\nprinted today,,,\n,,,\n",
        below=f'Total,,,"{TOTAL:,.2f}"\n',
    ),
    text(
        "serial.csv",
        "Customer ID,Order ID,Order Date,Sales",
        lambda c, o, d, m: f"{c},{o},{(d - dt.date(1899, 12, 30)).days},{m / 100:.2f}",
    ),
    text(
        "lines.jsonl",
        "",
        lambda c, o, d, m: (
            f'{{"customer": "{c}", "order": {o}, "date": "{d}", "amount": {m / 100}}}'
        ),
    ),
]


@pytest.mark.parametrize(("name", "write"), FILES, ids=[name for name, _ in FILES])
def test_one_log_in_many_forms_is_one_ledger(name: str, write: Writer, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path)
    log = read_log(path, today=TODAY)
    assert log.kept["customer_id"].nunique() == 20
    assert log.kept["order_id"].nunique() == 60
    assert log.kept["amount"].sum() == pytest.approx(TOTAL, abs=0.005)
    days = log.kept["date"].dt.date if hasattr(log.kept["date"], "dt") else log.kept["date"]
    assert (min(days), max(days)) == (LINES[0][2], LINES[-1][2])
    assert log.as_of == LINES[-1][2]
    assert "007" in set(log.kept["customer_id"])
    assert log.warnings == ()
    assert log.currency == {"dollars.csv": "$", "german.csv": "€"}.get(name, "")


def shop(tmp_path: Path, *extra: str, header: str = "customer,date,amount") -> Path:
    path = tmp_path / "log.csv"
    rows = [f"{c},{d},{m / 100:.2f}" for c, _, d, m in LINES]
    path.write_text("\n".join([header, *rows, *extra]) + "\n", encoding="utf-8")
    return path


def test_a_mistyped_year_is_set_aside_and_said_first(tmp_path: Path) -> None:
    log = read_log(shop(tmp_path, "001,2202-01-19,326.21"), today=TODAY)
    assert log.as_of == LINES[-1][2]
    (warning,) = log.warnings
    assert warning == (
        "Warning: 1 row with 326.21 has a date in the future (line 122 ('001'): 2202-01-19); "
        "set aside."
    )
    assert log.set_aside[["line", "reason"]].values.tolist() == [[122, "date in the future"]]


def test_without_a_clock_a_far_year_is_set_aside_by_its_distance(tmp_path: Path) -> None:
    log = read_log(shop(tmp_path, "001,2202-01-19,326.21"))
    assert log.as_of == LINES[-1][2]
    assert log.reasons["reason"].tolist() == ["date far after the others"]


def test_default_dates_are_set_aside(tmp_path: Path) -> None:
    log = read_log(shop(tmp_path, "001,1970-01-01,1.00", "002,1900-01-01,2.00"), accept_loss=0.05)
    assert log.kept["date"].min().date() == LINES[0][2]
    assert log.reasons[["reason", "rows", "money"]].values.tolist() == [["default date", 2, 3.0]]


def test_guests_are_counted_apart_and_never_a_stop(tmp_path: Path) -> None:
    guests = [",2022-02-02,10.00"] * 40 + ["nan,2022-02-02,5.00"]
    log = read_log(shop(tmp_path, *guests))
    assert log.kept["customer_id"].nunique() == 20
    assert "41 rows have no customer: guests, counted apart, with 405.00 of" in log.notes[-2]
    assert len(log.set_aside) == 41


def test_too_much_loss_stops_with_its_reasons(tmp_path: Path) -> None:
    path = shop(tmp_path, *["001,2022-02-02,much"] * 3, "001,some day,9.00")
    with pytest.raises(TooMuchSetAsideError) as caught:
        read_log(path)
    assert caught.value.reasons == (("unparsable amount", 3, 0.0), ("unparsable date", 1, 9.0))
    assert len(read_log(path, accept_loss=0.05).set_aside) == 4


def test_one_bad_row_may_hold_much_of_the_money(tmp_path: Path) -> None:
    with pytest.raises(TooMuchSetAsideError, match="20%"):
        read_log(shop(tmp_path, f"001,some day,{TOTAL / 4:.2f}"))


def test_order_totals_on_each_line_are_said_and_can_be_divided(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{c},{o},{d},{2 * (int(o) - 900)}.50" for c, o, d, _ in LINES]
    path.write_text("customer,order,date,amount\n" + "\n".join(rows))
    once = sum(2 * (int(o) - 900) + 0.5 for o in {o for _, o, _, _ in LINES})
    log = read_log(path)
    assert "is the same on all lines of every order with several lines" in log.warnings[0]
    assert log.kept["amount"].sum() == pytest.approx(2 * once)
    assert read_log(path, amount_per="order").kept["amount"].sum() == pytest.approx(once)


def test_sales_below_zero_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer,date,amount\n" + "\n".join(f"{c},{d},-{m}" for c, _, d, m in LINES))
    with pytest.raises(InvalidArgumentError, match="--negate"):
        read_log(path)
    assert read_log(path, negate=True).kept["amount"].min() > 0


def test_spellings_of_one_customer_are_one_and_said(tmp_path: Path) -> None:
    log = read_log(
        shop(tmp_path, "001.0,2022-02-02,1.00", " 001,2022-02-02,1.00", "００１,2022-02-02,1.00")
    )
    assert log.kept["customer_id"].nunique() == 20
    assert log.warnings[0].startswith("Warning: 3 rows have another spelling of the customer")


def test_one_row_per_customer_is_recognized(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    rows = [f"{i:03d},2022-0{1 + i % 9}-15,{1 + i % 4},{100 + i}.50" for i in range(30)]
    path.write_text("customer,last_purchase,orders,total_spent\n" + "\n".join(rows))
    log = read_log(path)
    assert log.kept is None
    assert log.customers.columns.tolist() == ["customer_id", "last_date", "total_amount", "orders"]
    assert "one row per customer" in log.notes[1]


def test_columns_of_the_customer_are_told_from_those_of_the_order(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{c},{d},{m},Name {c},{'web' if m % 2 else 'store'},EU" for c, _, d, m in LINES]
    path.write_text("customer,date,amount,name,channel,zone\n" + "\n".join(rows))
    log = read_log(path)
    assert (log.keep, log.contacts) == (("name",), ("name",))
    assert {"name", "channel", "zone"} <= set(log.kept.columns)


def test_two_currencies_in_a_column_of_their_own_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer,date,amount,currency\na,2024-01-01,1.50,EUR\nb,2024-01-02,2.50,USD\n")
    with pytest.raises(InvalidArgumentError, match="several currencies"):
        read_log(path)
    path.write_text("customer,date,amount,currency\na,2024-01-01,1.50,EUR\nb,2024-01-02,2.50,EUR\n")
    assert read_log(path).currency == "EUR"


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_tables_are_of_the_library_asked_for(tmp_path: Path, backend: Any) -> None:
    log = read_log(shop(tmp_path), backend=backend)
    assert type(log.kept).__module__.startswith(backend)
    assert type(log.columns).__module__.startswith(backend)


def test_the_ledger_is_what_clean_makes_of_the_table(tmp_path: Path) -> None:
    path = shop(tmp_path)
    raw = crmkit.intake.read_file(path, backend="polars")
    kept, _ = crmkit.intake.clean(raw, customer="customer", date="date", amount="amount")
    assert read_log(path, backend="polars").kept.equals(kept)


@pytest.mark.parametrize(
    "wrong",
    [
        {"accept_loss": 5},
        {"accept_loss": "x"},
        {"amount_per": "basket"},
        {"returns": "x"},
        {"decimal": ";"},
        {"as_of": "soon"},
        {"today": 3},
        {"date_format": "dd/mm/yyyy"},
        {"backend": "spark"},
        {"customer": "nobody"},
        {"customer": 3},
        {"encoding": "nonsense"},
        {"separator": 7},
        {"sheet": "one"},
        {"table": "one"},
    ],
    ids=lambda wrong: "-".join(map(str, *wrong.items())),
)
def test_wrong_arguments_are_answered_in_words(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(crmkit.CrmkitError):
        read_log(shop(tmp_path), **wrong)


@pytest.mark.parametrize("path", [3, None, [], ["a", 3], "", "nowhere.csv", b"log.csv"])
def test_what_is_not_a_path_is_answered_in_words(path: Any) -> None:
    with pytest.raises(crmkit.CrmkitError):
        read_log(path)


@given(
    cells=st.lists(
        st.tuples(
            st.sampled_from(["ann", "ben", "", "nan", "Ann "]),
            st.sampled_from(["2024-01-05", "2024-02-30", "", "soon", "2031-01-01"]),
            st.sampled_from(["12.50", "-3.25", "0", "", "much", "1.00"]),
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_and_money_are_kept_or_set_aside(
    tmp_path: Path, cells: list[tuple[str, str, str]]
) -> None:
    path = tmp_path / "log.csv"
    rows = "\n".join(f"{i},{who},{day},{paid}" for i, (who, day, paid) in enumerate(cells))
    path.write_text(f"n,customer,date,amount\n{rows}\n")
    try:
        log = read_log(path, today=TODAY, accept_loss=1.0, backend="polars")
    except InvalidArgumentError:  # no row can be used, or all are below zero
        return
    assert len(log.kept) + len(log.set_aside) == len(cells)
    known = pl.Series([paid for *_, paid in cells]).cast(pl.Float64, strict=False)
    money = log.kept["amount"].sum() + (log.reasons["money"].sum() or 0)
    assert money == pytest.approx(known.sum())
    assert log.reasons["rows"].sum() == len(log.set_aside)


def test_several_files_are_one_log_whose_rows_are_counted_once(tmp_path: Path) -> None:
    def month(name: str, days: range, *extra: str) -> None:
        rows = [f"c{day % 9},2024-{name}-{day:02d},{day}.50" for day in days]
        text = "\n".join(["Sales of the month,,", ",,", "customer,date,amount", *rows, *extra])
        (tmp_path / f"{name}.csv").write_text(f"{text}\nTotal,,99.00\n")

    guest = ",2024-01-05,7.00"  # on the same line of both files, and equal
    month("01", range(1, 29), guest, "c1,soon,9.00", "c1,2024-01-31")
    month("02", range(1, 29), guest, "c1,2024-02-05,much")
    log = read_log(tmp_path, accept_loss=0.1)
    assert len(log.kept) == 56
    assert log.reasons[["reason", "rows", "money"]].values.tolist() == [
        ["missing customer", 2, 14.0],
        ["unparsable amount", 1, 0.0],
        ["unparsable date", 1, 9.0],
        ["2 cells where the header has 3, in 01.csv", 1, 0.0],
    ]
    assert log.notes[0].startswith("Read 61 rows of 01.csv and 1 more (2 files")
    assert log.notes[1].startswith("4 lines do not count as rows: 'Sales of the month,,', ")
    repeated = log.findings[log.findings["rule"] == "exact duplicate rows"]
    assert repeated[["rows", "money", "example"]].values.tolist() == [[1, 7.0, "line 32"]]
    assert "empty row" not in " ".join(log.set_aside["reason"])


def test_days_after_as_of_are_left_out_and_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "customer,date,amount\nann,2024-01-05,10\nben,2024-02-05,20\nann,2024-03-05,30\n"
    )
    log = crmkit.read_log(path, as_of="2024-01-31")
    assert len(log.kept) == 1
    assert "2 rows are after as_of and left out, with 50.00 of 60.00 (83%)." in log.notes
    assert log.set_aside["reason"].tolist() == ["date after as_of"] * 2
