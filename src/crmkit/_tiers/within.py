"""Cut points of tiers within groups: each group as if the others were not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw

from crmkit._door import frames
from crmkit._tiers.tier_rule import Cell, TierRule, TierRules, is_group
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables.contracts import NOT_MADE, Column, Table


def fit_within(
    frame: frames.Frame,
    within: Sequence[str],
    measures: Sequence[str],
    *,
    fit: Callable[[nw.LazyFrame[Any]], TierRule],
) -> TierRules:
    """Fit a rule to each group; one that cannot be cut gets a finding in place of a rule."""
    names = tuple(dict.fromkeys((*within, *measures)))
    # The table is run once; a run for each group would read it as often as there are groups.
    local = frames.reopen(frame.select(*names).collect().to_native())
    keys = frames.rows(local.select(*within).unique())
    groups = sorted((_cells(row, within) for row in keys), key=lambda cells: tuple(map(str, cells)))
    rules: list[TierRule | None] = []
    findings: list[str | None] = []
    for group in groups:
        try:
            rules.append(fit(local.filter(is_group(within, group))))
            findings.append(None)
        except FitError as error:
            rules.append(None)
            findings.append(str(error))
    return TierRules(tuple(within), tuple(groups), tuple(rules), tuple(findings))


def _cells(row: Any, within: Sequence[str]) -> tuple[Cell, ...]:  # noqa: ANN401 - a row
    cells = tuple(row[name] for name in within)
    if not all(cell is None or isinstance(cell, str | bool | int | float) for cell in cells):
        msg = (
            f"customers: a group must be text, a number or a flag, got {cells}.\n"
            "Make the column text."
        )
        raise InvalidArgumentError(msg)
    return cells


def with_groups(table: Table, within: Sequence[str]) -> Table:
    """Promise the columns that make up a group, too."""
    keys = (Column(name, "key", "group", nullable=True, made_by=NOT_MADE) for name in within)
    return replace(table, columns=(*table.columns, *keys))
