"""Raw tables, and the columns that the caller names in them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words.arguments import require_column_name, require_list
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import LEDGER, Table

AnyFrame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

_NAMES_SHOWN: Final = 20
_WIDE: Final = 50


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the raw columns by role."""

    customer: str
    date: str
    amount: str | None = None
    price: str | None = None
    order_id: str | None = None
    product: str | None = None
    quantity: str | None = None
    cost: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Require one source of the amount at most."""
        if self.price is not None and self.amount is not None:
            msg = (
                "`price` and `amount` cannot be given together.\n"
                "Give `amount`, or `price` and `quantity`: the amount is then their product."
            )
            raise InvalidArgumentError(msg)
        if self.price is not None and self.quantity is None:
            msg = "`price` needs `quantity`.\nThe amount is quantity times price."
            raise InvalidArgumentError(msg)
        canonical = [column for column in self.keep if column in LEDGER.column_names]
        if canonical:
            msg = (
                f"`keep` has {frames.quoted(canonical)}, which the ledger has by its own name.\n"
                "Rename the column, or name it by its role, such as order_id=."
            )
            raise InvalidArgumentError(msg)

    @property
    def money(self) -> str | None:
        """Name of the amount in messages; None without amounts."""
        return self.amount if self.price is None else f"{self.quantity}` x `{self.price}"

    @property
    def columns(self) -> dict[str, str]:
        """The given raw columns by argument."""
        named = {
            "customer": self.customer,
            "date": self.date,
            "order_id": self.order_id,
            "product": self.product,
            "quantity": self.quantity,
            "price": self.price,
            "amount": self.amount,
            "cost": self.cost,
        }
        return {role: column for role, column in named.items() if column is not None}

    @property
    def all_columns(self) -> dict[str, str]:
        """The given raw columns by argument, and those to keep."""
        return self.columns | {f"keep={name}": name for name in self.keep}

    def renamed(self, names: Mapping[str, str]) -> Roles:
        """Take the names that `open_named` gave to `all_columns`."""
        roles = {role: names[role] for role in self.columns}
        return Roles(**roles, keep=tuple(names[f"keep={name}"] for name in self.keep))


def keep_names(keep: Sequence[str]) -> tuple[str, ...]:
    """Take the names of the columns to keep, each once."""
    require_list(keep, argument="keep", example='["region"]')
    for name in keep:
        require_column_name(name, argument="keep")
    return tuple(dict.fromkeys(keep))


def open_named(
    raw: IntoFrame, columns: Mapping[str, str], table: Table
) -> tuple[AnyFrame, dict[str, str]]:
    """Wrap the named columns of a raw table, and give the name of each in the result.

    Names that Spark cannot read are changed.
    """
    _require_names(columns)
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
    """Wrap a raw table with the named columns; eager rows get a new index.

    A PyArrow table is wrapped as a Polars one, without a copy.
    """
    _require_names(columns)
    frame = frames.open_table(raw, table, only=only)
    _require_named(frame.collect_schema().names(), columns, table)
    if isinstance(frame, nw.LazyFrame):
        return frame
    if frame.implementation.is_pyarrow():
        return nw.from_arrow(frame, backend="polars")
    if len(frame.columns) > _WIDE:  # pandas may keep a block for each column, and then warns
        frame = frame.clone()
    return nw.maybe_reset_index(frame)


def _require_names(columns: Mapping[str, str]) -> None:
    for argument, column in columns.items():
        require_column_name(column, argument=argument)


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
    return f"Did you mean {frames.quoted(close)}?" if close else "Name columns of this table."
