"""Table contracts: columns, rules and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["key", "date", "count", "number", "text", "flag"]
"""What a column holds: `key` is any identifier, `count` a whole number, `number` a finite one."""

NOT_MADE = "the user"
"""In place of a function: no function of crmkit makes the column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it means, and the values that it may hold."""

    name: str
    kind: Kind
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    required: bool = True
    made_by: str = ""
    """The function that adds the column, where that is not the one that makes the table."""
    if_fractional: str = ""
    """What to do where a count is not a whole number."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One column never exceeds another, and the reason why.

    `only_at_zero` says that it is so in rows where the other one is 0. `advice` is what to do.
    """

    lower: str
    upper: str
    because: str
    only_at_zero: bool = False
    advice: str = ""

    @property
    def columns(self) -> tuple[str, str]:
        """Both columns."""
        return self.lower, self.upper


@dataclass(frozen=True, slots=True)
class Table:
    """A table's contract: what one row is, who makes it, its columns and rules.

    `is_summed_up` says that whatever reads it makes other rows of it, so that columns outside
    the contract go nowhere. The columns `null_together` are all null in a row, or none is: a
    prospect, who has not bought, has a row of nulls among the customers. No two rows have the
    same value in the column `one_row_each`.
    """

    name: str
    row: str
    made_by: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    is_summed_up: bool = False
    null_together: tuple[str, ...] = ()
    one_row_each: str | None = None

    def advice(self, column: Column) -> str:
        """Say how to get a column that is missing or wrong."""
        if column.made_by == NOT_MADE:
            return f"Add `{column.name}` to the table, or name another column."
        if column.made_by:
            return f"Add `{column.name}` with {column.made_by}()."
        return f"Build this table with {self.made_by}()."

    @property
    def column_names(self) -> tuple[str, ...]:
        """All names, optional columns included."""
        return tuple(column.name for column in self.columns)

    def only(self, *names: str) -> Table:
        """Keep the named columns, each of them now required, and the rules between them."""
        kept = {column.name: replace(column, required=True) for column in self.columns}
        return replace(
            self,
            columns=tuple(kept[name] for name in names),
            rules=tuple(rule for rule in self.rules if set(rule.columns) <= set(names)),
            null_together=tuple(name for name in self.null_together if name in names),
        )
