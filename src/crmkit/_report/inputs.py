"""Inputs of the report: the small tables as rows, the settings and options."""

from __future__ import annotations

from collections.abc import Mapping
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
_UNSORTED_IF_LAZY: Final = {"stages": "stage_order", "retention_by_month": "period"}


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
    sizes
        Number of rows of every table, with `customers`.
    """

    tables: Mapping[str, IntoDataFrame]
    customers: Any
    rows: Mapping[str, list[Row]]
    sizes: Mapping[str, int]
    settings: Settings
    stage_rules: StageRules
    notes: tuple[str, ...]
    source: str
    n_set_aside: int | None
    tables_folder: str
    currency: str

    def has(self, name: str) -> bool:
        """Whether the table exists and has rows."""
        return bool(self.rows.get(name))

    def figure(self, name: str) -> float | None:
        """Look up a key figure; None if it is unknown."""
        return next(
            (row["value"] for row in self.rows["key_figures"] if row["figure"] == name), None
        )

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
    n_set_aside: int | None,
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
        rows[name].sort(key=lambda row: row[column])
    return ReportInputs(
        tables=tables,
        customers=customers,
        rows=rows,
        sizes={
            "customers": _size(customers),
            **{name: _size(each) for name, each in tables.items()},
        },
        settings=result.settings,
        stage_rules=result.kept.stages,
        notes=result.notes,
        source=source,
        n_set_aside=n_set_aside,
        tables_folder=tables_folder,
        currency=currency,
    )


def _size(native: IntoFrame) -> int:
    return int(frames.reopen(native).select(nw.len().alias("n")).collect().item())
