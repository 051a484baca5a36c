"""What tables must have, and must not have yet."""

from __future__ import annotations

from collections.abc import Sequence

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError


def require_free(frame: frames.Frame, made: Sequence[str]) -> None:
    """Require that the table has none of the columns that are made."""
    there = [name for name in made if frames.has(frame, name)]
    if there:
        msg = f"customers: {frames.quoted(there)} is there already.\nDrop or rename the column."
        raise InvalidArgumentError(msg)


def require_same_ids(
    customers: frames.Frame, other: frames.Frame, columns: Sequence[str], *, table: str
) -> None:
    """Require ids of one kind in both tables: numbers never meet text."""
    kinds = customers.collect_schema()["customer_id"], other.collect_schema()
    for name in columns:
        if kinds[0].is_numeric() != kinds[1][name].is_numeric():
            msg = (
                f"{table}: `{name}` has type {kinds[1][name]}, and `customer_id` of the other "
                f"table {kinds[0]}.\nCast one of them, so that the ids can meet."
            )
            raise InvalidArgumentError(msg)
