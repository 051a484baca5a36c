"""Raw tables and the columns that the caller names in them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import Table

AnyFrame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

_NAMES_SHOWN: Final = 20
_WIDE: Final = 50


@dataclass(frozen=True, slots=True)
class Roles:
    """Which raw column holds what."""

    customer: str
    date: str
    amount: str | None = None
    price: str | None = None
    order_id: str | None = None
    product: str | None = None
    quantity: str | None = None

    def __post_init__(self) -> None:
        """Refuse two sources of one amount."""
        if self.price is not None and self.amount is not None:
            msg = (
                "`price` and `amount` are two ways to tell the money.\n"
                "Give `amount`, or `price` and `quantity`, whose product it then is."
            )
            raise InvalidArgumentError(msg)
        if self.price is not None and self.quantity is None:
            msg = "`price` needs `quantity`.\nThe amount is quantity times price."
            raise InvalidArgumentError(msg)

    @property
    def money(self) -> str | None:
        """What the amount is called, or None where there is none."""
        return self.amount if self.price is None else f"{self.quantity}` x `{self.price}"

    @property
    def columns(self) -> dict[str, str]:
        """Argument name to raw column, of those given."""
        named = {
            "customer": self.customer,
            "date": self.date,
            "order_id": self.order_id,
            "product": self.product,
            "quantity": self.quantity,
            "price": self.price,
            "amount": self.amount,
        }
        return {role: column for role, column in named.items() if column is not None}


def open_named(
    raw: IntoFrame, columns: Mapping[str, str], table: Table
) -> tuple[AnyFrame, dict[str, str]]:
    """Wrap the named columns of a raw table, and tell what each is called from here on.

    On Spark some names must change to be read at all.
    """
    _require_text(columns)
    readable, names = frames.with_readable_names(raw, list(columns.values()))
    renamed = {argument: names[column] for argument, column in columns.items()}
    frame = open_raw(readable, renamed, table, only=set(renamed.values()))
    return frame.select(*dict.fromkeys(renamed.values())), renamed


def open_raw(
    raw: IntoFrame,
    columns: Mapping[str, str],
    table: Table,
    *,
    only: Collection[str] | None = None,
) -> AnyFrame:
    """Wrap a raw table that has the named columns; eager rows are numbered afresh.

    A PyArrow table travels on Polars, without a copy.
    """
    _require_text(columns)
    frame = frames.open_table(raw, table, only=only)
    _require_named(frame.collect_schema().names(), columns, table)
    if isinstance(frame, nw.LazyFrame):
        return frame
    if frame.implementation.is_pyarrow():
        return nw.from_arrow(frame, backend="polars")
    if len(frame.columns) > _WIDE:  # pandas may hold each in a block of its own, and then warns
        frame = frame.clone()
    return nw.maybe_reset_index(frame)


def _require_text(columns: Mapping[str, str]) -> None:
    for argument, column in columns.items():
        if not isinstance(column, str):
            msg = (
                f"`{argument}` must be a column's name in text, got {column!r}.\nName the columns."
            )
            raise InvalidArgumentError(msg)


def _require_named(present: Sequence[str], columns: Mapping[str, str], table: Table) -> None:
    missing = [column for column in dict.fromkeys(columns.values()) if column not in present]
    if not missing:
        return
    more = len(present) - _NAMES_SHOWN
    among = frames.quoted(present[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    msg = (
        f"{table.name}: no column {frames.quoted(missing)} among {among}.\n"
        f"{_suggestion(missing, present)}"
    )
    raise MissingColumnsError(msg)


def _suggestion(missing: Sequence[str], present: Sequence[str]) -> str:
    by_lower = {str(name).lower(): name for name in present}
    near = [difflib.get_close_matches(str(name).lower(), by_lower, n=1) for name in missing]
    close = list(dict.fromkeys(by_lower[match] for matches in near for match in matches))
    return f"Did you mean {frames.quoted(close)}?" if close else "Name columns that are there."
