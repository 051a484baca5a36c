"""Merged ids of customers: a value to keep, to apply to every table, and to undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words import formats, kept
from crmkit._words.arguments import is_number
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import PEOPLE
from crmkit.typing import Backend

Id: TypeAlias = int | str

BEFORE: Final = "customer_id_before"
_ANY: Final = replace(PEOPLE, name="table", columns=(replace(PEOPLE.columns[0], nullable=True),))
"""Any table with customers; a guest's id is null."""

_NEW: Final = "crmkit_merged_id"
_EXAMPLES_SHOWN: Final = 3


class Reason(NamedTuple):
    """A value that several customers have: the field, its normal form, and their ids."""

    field: str
    value: str
    customers: tuple[Id, ...]


class Pair(NamedTuple):
    """Two customers with similar names, to look at; nothing is merged for it."""

    customer: Id
    other: Id
    name: str
    other_name: str
    score: float


@dataclass(frozen=True, slots=True, repr=False)
class Matches:
    """Customers that are one: old ids and the id that they share, as a value to keep.

    Made by `crmkit.intake.match`. Its text holds the names, e-mails and phones that matched.

    Attributes
    ----------
    groups
        The ids of each customer with more than one, the smallest first: that one stays.
    reasons
        The values for which they match.
    not_used
        Values that more customers have than one person could, which merged nobody.
    too_large
        Groups that chains of values make larger than that, which stay apart.
    pairs
        Customers with similar names, the most similar first.
    n_more_pairs
        How many pairs more there are than are listed, merged ones among them.
    """

    groups: tuple[tuple[Id, ...], ...]
    reasons: tuple[Reason, ...] = ()
    not_used: tuple[Reason, ...] = ()
    too_large: tuple[tuple[Id, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()
    n_more_pairs: int = 0

    def __post_init__(self) -> None:
        """Require that each id is in one group, and all are of one type."""
        ids = [each for group in self.groups for each in group]
        mixed = len({type(each) for each in ids}) > 1
        if mixed or len(set(ids)) < len(ids) or any(len(group) < 2 for group in self.groups):  # noqa: PLR2004 - a match
            kept.refuse_fields("Matches", "`groups` must hold each id once, two or more a group.")

    def __repr__(self) -> str:
        """Show how many ids become how many."""
        n_ids = sum(map(len, self.groups))
        customers = formats.counted(len(self.groups), "customer")
        return f"Matches({formats.counted(n_ids, 'id')} of {customers})"

    @property
    def merged(self) -> dict[Id, Id]:
        """The id that each old one becomes; ids that stay are left out."""
        return {old: group[0] for group in self.groups for old in group[1:]}

    def apply(self, table: IntoFrameT) -> IntoFrameT:
        """Give every row of a table the merged id of its customer.

        For ledgers, contacts and lists of people, before they are summed up: a summary made before
        has one row for each old id.

        Parameters
        ----------
        table
            Any table with a `customer_id`, on any engine.

        Returns
        -------
        The same rows in the same order, with the merged ``customer_id``, and ``customer_id_before``
        as the last column: the id that the row came with.

        Raises
        ------
        MissingColumnsError, InvalidArgumentError
            If the table has no `customer_id`, or one of another type, or has been merged already.
        """
        frame = frames.read(table, _ANY)
        if frames.has(frame, BEFORE):
            msg = (
                f"{_ANY.name}: column `{BEFORE}` is there already, so ids have been merged.\n"
                "Call undo() on the table first, or rename the column."
            )
            raise InvalidArgumentError(msg)
        self._require_type(frame)
        kept_ids = frames.with_columns(frame, nw.col("customer_id").alias(BEFORE))
        merged = self._merged_eager(kept_ids) if not frames.is_lazy(table) else None
        if merged is None:
            merged = self._merged_lazy(kept_ids)
        return frames.give(merged, like=table)

    def undo(self, table: IntoFrameT) -> IntoFrameT:
        """Give every row the id back that it came with.

        Parameters
        ----------
        table
            A table that `apply` made, whatever has been done to its rows since.

        Returns
        -------
        The same rows, with the old ``customer_id`` and without ``customer_id_before``.

        Raises
        ------
        MissingColumnsError
            If the table has no `customer_id_before`.
        """
        frame = frames.read(table, _ANY)
        if not frames.has(frame, BEFORE):
            msg = (
                f"{_ANY.name}: no column `{BEFORE}`, which apply() adds.\n"
                "Give a table that apply() made."
            )
            raise MissingColumnsError(msg)
        before = frames.with_columns(frame, nw.col(BEFORE).alias("customer_id"))
        return frames.give(before.drop(BEFORE), like=table)

    def reasons_table(self, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
        """List why customers match: a row for each value that several of them have.

        Parameters
        ----------
        backend
            Library of the returned table: "pandas", "polars" or "pyarrow".

        Returns
        -------
        One row per merged customer and value, sorted by both: ``customer_id`` (the merged id),
        ``field``, ``value`` in its normal form, ``n_ids`` and ``ids``, the old ids as text.
        """
        merged = self.merged
        rows = sorted(
            ((merged.get(each.customers[0], each.customers[0]), each) for each in self.reasons),
            key=lambda row: (row[0], row[1].field, row[1].value),
        )
        columns: dict[str, list[Any]] = {
            "customer_id": [new for new, _ in rows],
            "field": [each.field for _, each in rows],
            "value": [each.value for _, each in rows],
            "n_ids": [len(each.customers) for _, each in rows],
            "ids": [", ".join(map(str, each.customers)) for _, each in rows],
        }
        return frames.new_table(columns, backend=backend)

    def pairs_table(self, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
        """List pairs of customers with similar names, to look at.

        Parameters
        ----------
        backend
            Library of the returned table: "pandas", "polars" or "pyarrow".

        Returns
        -------
        One row per pair, the most similar first: ``customer_id``, ``other_id``, ``name``,
        ``other_name`` and ``score``, from 0 to 1.
        """
        names = ("customer_id", "other_id", "name", "other_name", "score")
        columns = {name: [pair[i] for pair in self.pairs] for i, name in enumerate(names)}
        return frames.new_table(columns, backend=backend)

    def findings_table(self, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
        """List what was not merged, and why.

        Parameters
        ----------
        backend
            Library of the returned table: "pandas", "polars" or "pyarrow".

        Returns
        -------
        One row per finding, the one with most customers first: ``finding``, ``field`` and
        ``value`` (null where there is none), ``n_customers`` and ``example``, the first ids.
        """
        found = sorted(self._findings(), key=lambda row: (-row[3], str(row[1]), str(row[2])))
        names = ("finding", "field", "value", "n_customers", "example")
        columns = {name: [row[i] for row in found] for i, name in enumerate(names)}
        return frames.new_table(columns, backend=backend)

    def to_json(self) -> str:
        """Write the matches as JSON text, to apply them again."""
        fields = {
            "groups": [list(group) for group in self.groups],
            "reasons": [each._asdict() for each in self.reasons],
            "not_used": [each._asdict() for each in self.not_used],
            "too_large": [list(group) for group in self.too_large],
            "pairs": [each._asdict() for each in self.pairs],
            "n_more_pairs": self.n_more_pairs,
        }
        return kept.write("Matches", fields)

    @classmethod
    def from_json(cls, text: str) -> Matches:
        """Read the matches that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        found = kept.read(text, kind="Matches", fields=_FIELDS)
        for name, kind in (("reasons", Reason), ("not_used", Reason), ("pairs", Pair)):
            found[name] = tuple(kind(**each) for each in found[name])
        return cls(**found)

    def _findings(self) -> Iterator[tuple[str, str | None, str | None, int, str]]:
        for each in self.not_used:
            shown = _shown(each.customers)
            what = "value of many customers, not used"
            yield what, each.field, each.value, len(each.customers), shown
        for group in self.too_large:
            yield "chain of many customers, not merged", None, None, len(group), _shown(group)
        if self.n_more_pairs:
            yield "similar names that are not listed", None, None, self.n_more_pairs, ""

    def _require_type(self, frame: frames.Frame) -> None:
        dtype = frame.collect_schema()["customer_id"]
        is_text = any(isinstance(group[0], str) for group in self.groups)
        fits = dtype in (nw.String, nw.Categorical, nw.Enum) if is_text else dtype.is_integer()
        if self.groups and not fits:
            kind = "text" if is_text else "whole numbers"
            msg = (
                f"{_ANY.name}: `customer_id` has type {dtype}, where the matches are of {kind}.\n"
                "Cast it to the type that it had in the table of people."
            )
            raise InvalidArgumentError(msg)

    def _merged_eager(self, frame: frames.Frame) -> frames.Frame:
        data, merged = frame.collect(), self.merged
        ids = data["customer_id"].to_list()
        new = nw.new_series(
            "customer_id",
            [merged.get(each, each) for each in ids],
            data.schema["customer_id"],
            backend=data.implementation,
        )
        return data.with_columns(new).lazy()

    def _merged_lazy(self, frame: frames.Frame) -> frames.Frame:
        merged = self.merged
        if not merged:
            return frame
        names = frame.collect_schema().names()
        small = frames.table_like(
            {"customer_id": list(merged), _NEW: list(merged.values())}, like=frame
        )
        dtype = frame.collect_schema()["customer_id"]
        typed = small.with_columns(nw.col("customer_id", _NEW).cast(dtype))
        joined = frames.join_left(frame, typed, on="customer_id")
        new = nw.when(~nw.col(_NEW).is_null()).then(nw.col(_NEW)).otherwise(nw.col("customer_id"))
        return frames.with_columns(joined, customer_id=new).select(*names)


def _shown(ids: tuple[Id, ...]) -> str:
    more = ", ..." if len(ids) > _EXAMPLES_SHOWN else ""
    return ", ".join(map(str, ids[:_EXAMPLES_SHOWN])) + more


def _id(value: Any, place: str) -> Id:  # noqa: ANN401 - anything that JSON can hold
    return kept.text(value, place) if isinstance(value, str) else _whole_id(value, place)


def _whole_id(value: Any, place: str) -> int:  # noqa: ANN401 - as above
    if not (is_number(value) and isinstance(value, int)):
        msg = f"`{place}` must be an id: text or a whole number."
        raise InvalidArgumentError(msg)
    return value


_REASON: Final = kept.record(
    {"field": kept.text, "value": kept.text, "customers": kept.list_of(_id)}
)
_FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "groups": kept.list_of(kept.list_of(_id)),
    "reasons": kept.list_of(_REASON),
    "not_used": kept.list_of(_REASON),
    "too_large": kept.list_of(kept.list_of(_id)),
    "pairs": kept.list_of(
        kept.record(
            {
                "customer": _id,
                "other": _id,
                "name": kept.text,
                "other_name": kept.text,
                "score": kept.number,
            }
        )
    ),
    "n_more_pairs": kept.whole,
}
