"""A raw table with its columns read beside it, and what may be wrong with each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal

import narwhals as nw

from crmkit._intake.raw_columns import AnyFrame

Severity = Literal["error", "warning", "info"]

TEXT_TYPES: Final = (nw.String, nw.Categorical, nw.Enum)
WHITE_SPACE: Final = " \t\n\r\x0b\x0c\xa0\u200b\ufeff"
"""What is stripped: also the no-break space, the zero-width space and the byte order mark."""

SET_ASIDE: Final = "Mend them, or call crmkit.intake.clean, which sets them aside with the reason."


@dataclass(frozen=True, slots=True, eq=False)
class RowRule:
    """Something to look for in each row.

    `rows` is None where the column's type rules it out. `shows` is a column worth quoting;
    `mended` says that `clean` repairs such rows instead of setting them aside.
    """

    name: str
    severity: Severity
    complaint: str
    rows: nw.Expr | None
    shows: str | None = None
    advice: str = SET_ASIDE
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to read: by which date format, up to which day, how strictly, with which repairs.

    With `strict`, text that does not parse stops the engine; otherwise it becomes null. With
    `mend`, white space around ids goes.
    """

    date_format: str | None
    as_of: date | None
    strict: bool = False
    mend: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The table, with a column `read_as(role)` for each role that has been read.

    `refusals` say why whole columns cannot be read. `date_text` names the column of dates as
    text, where they came as text.
    """

    frame: AnyFrame
    manner: Manner
    rules: tuple[RowRule, ...] = ()
    refusals: tuple[str, ...] = ()
    date_text: str | None = None

    def dtype(self, column: str) -> nw.dtypes.DType:
        """Look up the type of a column."""
        return self.frame.collect_schema()[column]

    def values(self, column: str) -> nw.Series[Any] | None:
        """Look at a column's values, where the table has any yet."""
        return self.frame[column] if isinstance(self.frame, nw.DataFrame) else None

    def appending(self, column: str, values: nw.Expr | nw.Series[Any]) -> Sheet:
        """Append a column."""
        return replace(self, frame=self.frame.with_columns(values.alias(column)))

    def ruled(self, *rules: RowRule) -> Sheet:
        """Append rules."""
        return replace(self, rules=(*self.rules, *rules))

    def reading(self, role: str, value: nw.Expr, rules: Sequence[RowRule] = ()) -> Sheet:
        """Append what was read for a role, and the rules that its rows should keep."""
        return self.appending(read_as(role), value).ruled(*rules)

    def refusing(self, role: str, name: str, *, due: str, like: datetime | float | str) -> Sheet:
        """Take a column as unreadable as a whole: nulls of the type of `like` stand in for it."""
        complaint = f"`{name}` has type {self.dtype(name)}; expected {due}"
        given = ~nw.col(name).is_null()
        rules = [
            RowRule(f"missing {word(role)}", "error", f"`{name}` is missing", ~given),
            RowRule(f"unparsable {word(role)}", "error", complaint, given, shows=name),
        ]
        never = given & ~given  # Dask cannot cast a bare null
        unread = self.reading(role, nw.when(never).then(nw.lit(like)), rules)
        refusal = f"{complaint}.\nName another column, or cast this one."
        return replace(unread, refusals=(*self.refusals, refusal))


def read_as(role: str) -> str:
    """Name the column that holds what was read for a role."""
    return f"_crmkit_{role}"


def word(role: str) -> str:
    """Name a role in the rules: "order" for `order_id`."""
    return role.removesuffix("_id")


def as_text(sheet: Sheet, column: str) -> nw.Expr:
    """Take a column of any kind of text as plain text."""
    text = nw.col(column)
    return text if sheet.dtype(column) == nw.String else text.cast(nw.String)


def from_list(
    values: Sequence[Any], dtype: nw.dtypes.DType, *, like: nw.Series[Any]
) -> nw.Series[Any]:
    """Make a column on the engine of another; None is null."""
    return nw.new_series("values", values, dtype, backend=like.implementation)
