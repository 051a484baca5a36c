"""Tables in any form, against the ledger that they were written from.

`CRMKIT_TABLES=10000 make test` tries as many.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from typing import Any

import pytest

from crmkit import intake
from crmkit.errors import InvalidArgumentError
from tests.conftest import MAKERS, columns

N_TABLES = int(os.environ.get("CRMKIT_TABLES", "60"))
ENGINES = ("pandas", "polars", "polars-lazy", "duckdb", "pyarrow")
MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
}
QUESTIONS = ("date_format=", "decimal=", "Name another column", "known form")
JUNK_IDS = (None, "", "  ", "nan", "N/A", "null")
JUNK_DATES = (None, "", "soon", "2024-02-30", "31.31.2023")
JUNK_AMOUNTS = (None, "", "much", "12-3", "--", "1.2.3")


def date_text(day: dt.date, form: str) -> str:
    if form in MONTHS:
        return f"{day.day}. {MONTHS[form].split()[day.month - 1]} {day.year}"
    if form == "serial":
        return str((day - dt.date(1899, 12, 30)).days)
    if form == "seconds":
        return str((day - dt.date(1970, 1, 1)).days * 86_400)
    return f"{day:{form}}"


def amount_text(cents: int, form: tuple[str, str, str, str]) -> str:
    decimal, thousands, currency, minus = form
    whole = f"{abs(cents) // 100:,}".replace(",", thousands)
    text = currency.format(f"{whole}{decimal}{abs(cents) % 100:02d}")
    return minus.format(text) if cents < 0 else text


def written(seed: int) -> tuple[dict[str, list[Any]], list[tuple[str, dt.date, float]], int]:
    """A table, the ledger that it should give, and how many rows it should set aside."""
    chance = random.Random(seed)
    n = chance.randint(1, 60)
    date_form = chance.choice(
        [
            *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%b-%Y"),
            *(
                "%m/%d/%y",
                "%d.%m.%y",
                "%Y年%m月%d日",
                "%b %d, %Y",
                "%Y-%m-%d %H:%M",
                "%a, %d %b %Y",
            ),
            *(*MONTHS, "serial", "seconds"),
        ]
    )
    amount_form = (
        *chance.choice([(".", ""), (".", ","), (",", "."), (",", " "), (".", "'"), (",", "")]),
        chance.choice(["{}", "${}", "{} €", "CHF {}", "EUR {}", "{} kr"]),
        chance.choice(["-{}", "({})", "{}-"]),
    )
    junk = chance.choice([0.0, 0.0, 0.05, 0.3])
    table: dict[str, list[Any]] = {"who": [], "when": [], "paid": []}
    ledger, n_bad = [], 0
    for _ in range(n):
        who = f"c{chance.randint(1, 9)}"
        day = dt.date(2022, 1, 1) + dt.timedelta(days=chance.randint(0, 700))
        cents = chance.randint(-20_000, 300_000) if chance.random() < 0.9 else chance.randint(0, 99)
        cells: dict[str, Any] = {
            "who": who,
            "when": date_text(day, date_form),
            "paid": amount_text(cents, amount_form),
        }
        bad = False
        for column, junk_cells in (("who", JUNK_IDS), ("when", JUNK_DATES), ("paid", JUNK_AMOUNTS)):
            if chance.random() < junk:
                cells[column] = chance.choice(junk_cells)
                bad = True
        if chance.random() < 0.1 and cells["who"]:
            cells["who"] = f" {cells['who']}\t"
        for column, cell in cells.items():
            table[column].append(cell)
        n_bad += bad
        if not bad:
            ledger.append((who, day, cents / 100))
    return table, ledger, n_bad


def day_of(value: Any) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


@pytest.mark.parametrize("block", range(0, N_TABLES, 20))
def test_a_table_gives_its_ledger_or_one_question(block: int) -> None:
    for seed in range(block, min(block + 20, N_TABLES)):
        table, ledger, n_bad = written(seed)
        native = MAKERS[ENGINES[seed % len(ENGINES)]](table)
        try:
            kept, set_aside = intake.clean(native, customer="who", date="when", amount="paid")
        except InvalidArgumentError as error:
            if not any(option in str(error) for option in QUESTIONS):
                raise
            continue
        found = columns(kept)
        days = map(day_of, found["date"])
        rows = list(zip(found["customer_id"], days, found["amount"], strict=True))
        assert rows == [(who, day, pytest.approx(amount)) for who, day, amount in ledger], seed
        assert len(columns(set_aside)["reason"]) == n_bad, seed
