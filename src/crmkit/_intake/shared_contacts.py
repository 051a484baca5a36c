"""E-mails and phones that many customers share: switchboards, placeholders, one agent's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._intake.contact_fields import (
    NORMAL,
    fields_of,
    require_country_code,
    with_fields,
)
from crmkit._words.arguments import require_whole
from crmkit.tables import PEOPLE

_VALUE: Final = "crmkit_value"
_EXAMPLES_SHOWN: Final = 3


def shared_contacts(
    people: IntoFrameT,
    *,
    fields: Sequence[str] | Mapping[str, str] = ("email", "phone"),
    least: int = 3,
    country_code: str | None = None,
) -> IntoFrameT:
    """Find e-mails and phones of many customers.

    One phone for a hundred customers is a switchboard, a placeholder, or the agent's own: whoever
    writes or calls reaches nobody. Families share one too, so begin at more than two.

    Parameters
    ----------
    people
        One row per record, with a `customer_id`.
    fields
        Columns to look at, as for `crmkit.intake.completeness`.
    least
        The least number of customers with one value.
    country_code
        Calling code of phone numbers that are written as at home, such as "49".

    Returns
    -------
    One row per value, most customers first. A lazy table is run, and the values that are shared
    come to this machine:

    =================  ====  ==============================================
    ``field``          text  the column's name
    ``contact_value``  text  the value in its normal form
    ``n_customers``    int   customers with it
    ``example``        text  the first three of them
    =================  ====  ==============================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `people` lacks a column, or has a null for an id.
    InvalidArgumentError
        If `fields`, `least` or `country_code` is not as described.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "phone": ["089 1234567", "089/1234567", "089-1234567", "0170 7654321"],
    ...     }
    ... )
    >>> print(shared_contacts(people, fields=["phone"]).to_string(index=False))
    field contact_value  n_customers       example
    phone    0891234567            3 ann, ben, cid
    """
    require_country_code(country_code)
    require_whole(least, argument="least", least=2, advice="Write 3.")
    frame = frames.read(people, PEOPLE)
    named = fields_of(fields, argument="fields", frame=frame, table=PEOPLE)
    found: list[tuple[str, str, int, str]] = []
    read = with_fields(frame, named, country_code=country_code)
    for i, field in enumerate(named):
        valued = read.with_columns(nw.col(NORMAL.format(i)).cast(nw.String).alias(_VALUE))
        pairs = valued.filter(~nw.col(_VALUE).is_null()).select("customer_id", _VALUE).unique()
        counts = pairs.group_by(_VALUE).agg(nw.len().alias("n")).filter(nw.col("n") >= int(least))
        examples = _examples(counts, pairs)
        found += [(field.column, value, n, text) for value, (n, text) in examples.items()]
    found.sort(key=lambda row: (-row[2], row[0], row[1]))
    names = ("field", "contact_value", "n_customers", "example")
    columns: dict[str, list[Any]] = {n: [row[i] for row in found] for i, n in enumerate(names)}
    table = frames.table_like(columns, like=frame).with_columns(
        nw.col("field", "contact_value", "example").cast(nw.String),
        nw.col("n_customers").cast(nw.Int64),
    )
    return frames.give(table, like=people)


def _examples(counts: frames.Frame, pairs: frames.Frame) -> dict[str, tuple[int, str]]:
    """Give the number of customers with each value, and the first few."""
    rows = counts.join(pairs, on=_VALUE).collect()
    ids: dict[str, list[Any]] = {}
    for value, each in zip(rows[_VALUE].to_list(), rows["customer_id"].to_list(), strict=True):
        ids.setdefault(value, []).append(each)
    return {
        value: (len(of), ", ".join(map(str, sorted(of)[:_EXAMPLES_SHOWN])))
        for value, of in ids.items()
    }
