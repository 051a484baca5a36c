"""A raw table with the columns read from it, and the rules for its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import narwhals as nw

from crmkit._intake.raw_columns import AnyFrame
from crmkit._intake.read_options import ReadOptions

Severity = Literal["error", "warning", "info"]

_MANY: Final = 100_000
SAMPLE: Final = 2_000
ROW: Final = "_crmkit_row"
"""Column of the position of each row, in tables that are not lazy."""

TEXT_TYPES: Final = (nw.String, nw.Categorical, nw.Enum)
WHITE_SPACE: Final = " \t\n\r\x0b\x0c\xa0\u200b\ufeff"
"""Stripped characters: also the no-break space, the zero-width space and the byte order mark."""

SET_ASIDE: Final = (
    "Correct them, or call crmkit.intake.clean(), which sets them aside with the reason."
)


@dataclass(frozen=True, slots=True, eq=False)
class RowRule:
    """A rule for each row; `rows` finds those that break it.

    `rows` is None if the column's type rules that out. `shows` is the column to quote in
    messages; with `is_repaired`, `clean` repairs such rows instead of setting them aside. With
    `is_refused`, `crmkit.transactions` raises: by default for errors.
    """

    name: str
    severity: Severity
    complaint: str
    rows: nw.Expr | None
    shows: str | None = None
    advice: str = SET_ASIDE
    is_repaired: bool = False
    is_set_aside: bool | None = None
    is_refused: bool | None = None

    @property
    def refuses(self) -> bool:
        """Whether `crmkit.transactions` stops at such rows."""
        return self.severity == "error" if self.is_refused is None else self.is_refused

    @property
    def sets_aside(self) -> bool:
        """Whether `clean` sets such rows aside: those with an error, unless said otherwise."""
        if self.is_set_aside is not None:
            return self.is_set_aside
        return self.severity == "error" and not self.is_repaired


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A raw table, with a column `role_column(role)` for each role that has been read.

    `refusals` are the reasons why whole columns cannot be read. `date_text` is the name of the
    column of dates as text, if they are text. `forms` has the form of each role that was written
    as text, and `currency` the sign or code beside the amounts. Messages name a row by the
    column `number`, which counts what `place` says: rows from 0, or lines of a file.
    """

    frame: AnyFrame
    options: ReadOptions
    rules: tuple[RowRule, ...] = ()
    refusals: tuple[str, ...] = ()
    date_text: str | None = None
    forms: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    place: str = "row"
    number: str = ROW

    def dtype(self, column: str) -> nw.dtypes.DType:
        """Type of a column."""
        return self.frame.collect_schema()[column]

    def values(self, column: str) -> nw.Series[Any] | None:
        """Values of a column; None for a lazy table."""
        return self.frame[column] if isinstance(self.frame, nw.DataFrame) else None

    def if_long(self) -> nw.DataFrame[Any] | None:
        """The table where it is so long that a look at a sample pays; None for others and plans."""
        frame = self.frame
        return frame if isinstance(frame, nw.DataFrame) and len(frame) > _MANY else None

    def with_column(self, column: str, values: nw.Expr | nw.Series[Any]) -> Sheet:
        """Append a column."""
        return replace(self, frame=self.frame.with_columns(values.alias(column)))

    def with_rules(self, *rules: RowRule) -> Sheet:
        """Append rules."""
        return replace(self, rules=(*self.rules, *rules))

    def with_form(self, role: str, words: str, *, currency: str = "") -> Sheet:
        """Note the form in which a role was written, and the currency if there is one."""
        forms = (*self.forms, (role, words))
        return replace(self, forms=forms, currency=self.currency or currency)

    def with_role(self, role: str, value: nw.Expr, rules: Sequence[RowRule] = ()) -> Sheet:
        """Append the values read for a role, and the rules for its rows.

        Where all values could be read, no row is missing one or has one that cannot be read.
        """
        sheet = self.with_column(role_column(role), value)
        return sheet.with_rules(*sheet.without_needless(role, rules))

    def without_needless(self, role: str, rules: Sequence[RowRule]) -> list[RowRule]:
        """Let the rules that find nulls of a role find nothing where it has none."""
        read = self.frame[role_column(role)] if isinstance(self.frame, nw.DataFrame) else None
        if read is None or read.is_null().any():
            return list(rules)
        of_nulls = (f"missing {role_name(role)}", f"unparsable {role_name(role)}")
        return [replace(rule, rows=None) if rule.name in of_nulls else rule for rule in rules]

    def with_unreadable(
        self, role: str, name: str, *, expected: str, like: datetime | float | str
    ) -> Sheet:
        """Mark a whole column as unreadable, with nulls of the type of `like` in its place."""
        complaint = f"`{name}` has type {self.dtype(name)}; expected {expected}"
        given = ~nw.col(name).is_null()
        rules = [
            RowRule(f"missing {role_name(role)}", "error", f"`{name}` is missing", ~given),
            RowRule(f"unparsable {role_name(role)}", "error", complaint, given, shows=name),
        ]
        never = given & ~given  # Dask cannot cast an untyped null
        unread = self.with_role(role, nw.when(never).then(nw.lit(like)), rules)
        refusal = f"{complaint}.\nName another column, or cast this one."
        return replace(unread, refusals=(*self.refusals, refusal))


def sample(data: nw.DataFrame[Any], column: str) -> nw.DataFrame[Any]:
    """Take a column of two thousand rows or a few more, evenly from the whole table."""
    return data.select(column).gather_every(max(1, len(data) // SAMPLE))


def role_column(role: str) -> str:
    """Name of the column with the values read for a role."""
    return f"_crmkit_{role}"


def role_name(role: str) -> str:
    """Name of a role in the rules: "order" for `order_id`."""
    return role.removesuffix("_id")


def as_text(sheet: Sheet, column: str) -> nw.Expr:
    """Cast a column of any text type to plain text."""
    text = nw.col(column)
    return text if sheet.dtype(column) == nw.String else text.cast(nw.String)


def from_list(
    values: Sequence[Any], dtype: nw.dtypes.DType, *, like: nw.Series[Any]
) -> nw.Series[Any]:
    """Make a column in the library of another; None is null."""
    return nw.new_series("values", values, dtype, backend=like.implementation)
