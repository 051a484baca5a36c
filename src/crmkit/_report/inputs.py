"""Inputs of the report: the small tables as rows, the settings and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import narwhals as nw
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._pipeline.result import Settings
from crmkit._words import formats
from crmkit.lifecycle import StageRules
from crmkit.pipeline import Result

_BESIDE_THE_PAGE: Final = "customers"
_WARNING: Final = "Warning:"
MOST_SHOWN: Final = 25
"""As many customers as one looks through."""

_UNSORTED_IF_LAZY: Final = {
    "stages": "stage_order",
    "stage_returns": "stage_order",
    "retention_by_month": "period",
}


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """The tables, settings and options that the sections of the report read.

    Attributes
    ----------
    tables
        All small tables, each run once; without `customers`.
    customers
        The table of customers, on its own engine.
    rows
        The small tables as rows.
    few_customers
        The rows of `customers` where they fit on a screen, the best first; else none.
    sizes
        Number of rows of every table, with `customers`.
    warnings, reading
        How the log was read: what to be warned of, and the rest.
    """

    tables: Mapping[str, IntoDataFrame]
    customers: Any
    rows: Mapping[str, list[Row]]
    few_customers: list[Row]
    sizes: Mapping[str, int]
    settings: Settings
    stage_rules: StageRules | None
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    source: str
    warnings: tuple[str, ...]
    reading: tuple[str, ...]
    tables_folder: str
    currency: str

    def has(self, name: str) -> bool:
        """Whether the table exists and has rows."""
        return bool(self.rows.get(name))

    def there(self, *names: str) -> tuple[str, ...]:
        """Keep the names of tables that exist."""
        return tuple(name for name in names if name in self.sizes)

    def figure(self, name: str) -> float | None:
        """Look up a key figure; None if it is unknown."""
        return next(
            (row["value"] for row in self.rows["key_figures"] if row["figure"] == name), None
        )

    def has_figure(self, name: str) -> bool:
        """Whether there is such a key figure."""
        return any(row["figure"] == name for row in self.rows["key_figures"])

    def money(self, amount: float | None) -> str:
        """Write an amount in the report's currency."""
        return formats.money(amount, currency=self.currency)

    def link(self, name: str) -> str:
        """Path of the table's file, relative to the page."""
        folder = "" if name == _BESIDE_THE_PAGE else f"{quote(self.tables_folder)}/"
        return f"{folder}{quote(name)}.csv"


def read_inputs(
    result: Result[Any],
    *,
    source: str,
    findings: IntoFrame | None,
    reading: Sequence[str],
    tables_folder: str,
    currency: str,
) -> ReportInputs:
    """Collect the small tables of a result, and keep the options of the report."""
    named = result.frames()
    customers = named.pop("customers")
    if findings is not None:
        named["findings"] = findings
    tables = {name: frames.run_once(each) for name, each in named.items()}
    rows = {name: frames.rows(frames.reopen(table)) for name, table in tables.items()}
    for name, column in _UNSORTED_IF_LAZY.items():
        rows.get(name, []).sort(key=lambda row: row[column])
    n_customers = _size(customers)
    warned = tuple(each for each in reading if each.startswith(_WARNING))
    return ReportInputs(
        tables=tables,
        customers=customers,
        rows=rows,
        few_customers=_best_first(customers) if n_customers <= MOST_SHOWN else [],
        sizes={
            "customers": n_customers,
            **{name: _size(each) for name, each in tables.items()},
        },
        settings=result.settings,
        stage_rules=result.kept.stages,
        notes=result.notes,
        left_out=result.left_out,
        source=source,
        warnings=tuple(each.removeprefix(_WARNING).strip() for each in warned),
        reading=tuple(each for each in reading if each not in warned),
        tables_folder=tables_folder,
        currency=currency,
    )


def _best_first(customers: IntoFrame) -> list[Row]:
    """Collect the customers, those who brought most first."""
    rows = frames.rows(frames.reopen(customers))
    by = next((name for name in ("total_amount", "orders") if rows and name in rows[0]), "")
    return sorted(rows, key=lambda row: (-(row.get(by) or 0), str(row["customer_id"])))


def _size(native: IntoFrame) -> int:
    return int(frames.reopen(native).select(nw.len().alias("n")).collect().item())
