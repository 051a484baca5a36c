"""What is known of each customer, given as one number for all or as a column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words.arguments import require_number, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE


@dataclass(frozen=True, slots=True)
class Given:
    """An argument: a number, or the name of a column; None where it is not known."""

    argument: str
    value: float | str | None
    meaning: str
    most: float | None = None
    advice: str = "Give a number, or the name of a column."

    def column(self) -> Column | None:
        """The column that it names, if it names one."""
        if not isinstance(self.value, str):
            return None
        return Column(
            self.value, "number", self.meaning, 0, self.most, nullable=True, made_by=NOT_MADE
        )

    def expression(self) -> nw.Expr:
        """Its values; null where it is not known."""
        if isinstance(self.value, str):
            return frames.known(self.value).cast(nw.Float64)
        number = None if self.value is None else float(self.value)
        return nw.lit(number).cast(nw.Float64)

    def require(self) -> None:
        """Require a name, or a number in range."""
        if self.value is None or isinstance(self.value, str):
            return
        top = math.inf if self.most is None else self.most
        require_number(
            self.value,
            argument=self.argument,
            must="be 0 or more" if self.most is None else f"be from 0 to {self.most:g}",
            fits=lambda x: 0 <= x <= top and x < math.inf,
            advice=self.advice,
        )


def read(
    customers: IntoFrame, given: Sequence[Given], *, others: Sequence[Column] = ()
) -> tuple[frames.Frame, Mapping[str, nw.Expr]]:
    """Read the columns that the arguments name, and give each argument as an expression."""
    for each in given:
        each.require()
    named = [column for column in (each.column() for each in given) if column is not None]
    columns = {column.name: column for column in (*named, *others)}
    table = Table(
        name="customers",
        row="one customer",
        made_by="crmkit.rfm.summarize",
        columns=(Column("customer_id", "key", "who"), *columns.values()),
        one_row_each="customer_id",
    )
    frame = frames.read(customers, table)
    return frame, {each.argument: each.expression() for each in given}


def require_limit(value: float | None, *, argument: str, whole: bool = False) -> None:
    """Require a limit of 0 or more, or none."""
    if value is None:
        return
    require_number(
        value,
        argument=argument,
        must=f"be a {'whole ' if whole else ''}number of 0 or more",
        fits=lambda x: 0 <= x < math.inf and (not whole or x % 1 == 0),
        advice="Leave it out for no limit.",
    )


def require_new(frame: frames.Frame, names: Sequence[str], *, of: str) -> None:
    """Require that the table has none of the columns that are named as inputs and made anew."""
    clash = [name for name in names if frames.has(frame, name)]
    if clash:
        msg = f"{of} is given as {shown(clash[0])}, which is made here.\nRename the column."
        raise InvalidArgumentError(msg)
