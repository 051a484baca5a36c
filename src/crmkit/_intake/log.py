"""A log as read from a file: the ledger, what was set aside, and how all was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from crmkit._words import formats

GUESTS: Final = ("missing customer", "customer ids that stand for none")
LATER: Final = ("date after as_of",)
"""Rows that nobody asked for: they are set aside, and not lost."""

_NOT_LOST: Final = (*GUESTS, *LATER)
"""Reasons of rows that no customer can be told of, though nothing is wrong with them."""


@dataclass(frozen=True, eq=False)
class Log:
    """Result of `read_log`: the ledger, what was set aside, and how all was read.

    Tables are of the library that was asked for.

    Attributes
    ----------
    kept
        The ledger, as `crmkit.transactions` makes it, with all other columns of the file.
        None where it has one row per customer.
    customers
        Where the file has one row per customer: `customer_id`, `last_date`, `orders` and
        `total_amount` as far as they are there, and the columns of `keep`; otherwise None.
    set_aside
        The other rows of the file: `line` as a spreadsheet numbers them, `reason`, all columns.
    findings
        As `crmkit.intake.check` gives them.
    columns
        One row per role: `role`, `column`, `score` of its name (1 fits best), the `next_best`
        column, an `example` cell, what it was `read_as`, and the `form` of the column.
    reasons
        One row per reason to set rows aside: `reason`, `rows`, `money`.
    keep
        The columns that are the same in all rows of each customer.
    contacts
        Those of them that say who a customer is or how to reach them.
    as_of
        The day to report as of: the last day of the kept rows, or the one asked for.
    currency
        Sign or code of the amounts; empty where there is none.
    warnings
        What may mislead, one sentence each, beginning with "Warning:".
    notes
        How the file was read, one sentence each: rows and money kept and set aside.
    source
        Name of the file.
    """

    kept: Any
    customers: Any
    set_aside: Any
    findings: Any
    columns: Any
    reasons: Any
    keep: tuple[str, ...]
    contacts: tuple[str, ...]
    as_of: date
    currency: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows and money of a file, and of each reason to set rows aside.

    `money` is None where the file has no amounts. Money is the sum of the known amounts, and
    `gross` the sum of their sizes, which a share can be taken of.
    """

    n_rows: int
    money: float | None
    gross: float
    reasons: Sequence[tuple[str, int, float, float]]
    currency: str = ""

    def lost(self) -> tuple[int, float, float]:
        """Rows, money and share of all that cannot be read; guests and later days are not lost."""
        lost = [each for each in self.reasons if each[0] not in _NOT_LOST]
        rows, money = sum(each[1] for each in lost), sum(each[2] for each in lost)
        gross = sum(each[3] for each in lost)
        shares = (
            rows / self.n_rows if self.n_rows else 0.0,
            gross / self.gross if self.gross else 0.0,
        )
        return rows, money, max(shares)

    def guests(self) -> str:
        """Say how many rows have no customer, and how much of the money."""
        rows, money = self._of(GUESTS)
        if not rows:
            return ""
        have = "row has" if rows == 1 else "rows have"
        return (
            f"{formats.whole(rows)} {have} no customer: guests, counted apart"
            f"{self._of_money(money)}."
        )

    def later(self) -> str:
        """Say how many rows are after the day that was asked for, and how much of the money."""
        rows, money = self._of(LATER)
        if not rows:
            return ""
        are = "row is" if rows == 1 else "rows are"
        return f"{formats.whole(rows)} {are} after as_of and left out{self._of_money(money)}."

    def _of(self, reasons: Sequence[str]) -> tuple[int, float]:
        found = [each for each in self.reasons if each[0] in reasons]
        return sum(each[1] for each in found), sum(each[2] for each in found)

    def set_aside(self) -> str:
        """Say how many rows were set aside, with how much money, and why."""
        rows, money, _ = self.lost()
        why = "; ".join(
            f"{reason} {formats.whole(n)}"
            for reason, n, _, _ in self.reasons
            if reason not in _NOT_LOST
        )
        if not self.reasons:
            return "No row had to be set aside."
        if not rows:
            return ""
        were = "row was" if rows == 1 else "rows were"
        return f"{formats.whole(rows)} {were} set aside{self._of_money(money)}: {why}."

    def _of_money(self, money: float) -> str:
        if self.money is None:
            return ""
        shown = formats.money(money, currency=self.currency, digits=2)
        total = formats.money(self.money, currency=self.currency, digits=2)
        share = f" ({formats.percent(money / self.money)})" if self.money > 0 and money >= 0 else ""
        return f", with {shown} of {total}{share}"
