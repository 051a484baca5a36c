"""People known by name, whether or not they have bought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._intake.ids import read_ids
from crmkit._intake.raw_columns import AnyFrame, keep_names, open_named
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import require_good_rows, require_readable, with_row
from crmkit._intake.sheet import RowRule, Sheet, role_column
from crmkit.tables import PROSPECTS

_ID: Final = role_column("customer_id")
_AGAIN: Final = "_crmkit_again"


def prospects(raw: IntoFrameT, *, customer: str, keep: Sequence[str] = ()) -> IntoFrameT:
    """Turn a raw table of people into prospects: one row per person known by name.

    Parameters
    ----------
    raw
        One row per person. Other columns and the index are left out.
    customer
        Column of customer ids: text or whole numbers, as in the log of purchases.
    keep
        Columns to carry through unchanged, such as name, phone or agent.

    Returns
    -------
    The rows of `raw`, in its order:

    ===============  ====  ==========
    ``customer_id``  id    the person
    ===============  ====  ==========

    and the columns of `keep`.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidRowsError
        If an id is missing or cannot be read, or a person has two rows. Of a lazy table the
        values are not checked; `crmkit.intake.check_prospects` checks them.
    InvalidArgumentError
        If `raw` is not a table, or the column of ids has an unsuitable type.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame({"Code": ["ann", "ben"], "Phone": ["01", None]})
    >>> print(prospects(raw, customer="Code", keep=["Phone"]).to_string(index=False))
    customer_id Phone
            ann    01
            ben   NaN
    """
    sheet, names, kept = read_prospects(raw, customer=customer, keep=keep)
    require_readable(sheet, PROSPECTS)
    require_good_rows(sheet, PROSPECTS, key=names["customer"])
    return frames.give(people(sheet.frame, kept).lazy(), like=raw)


def read_prospects(
    raw: IntoFrame,
    *,
    customer: str,
    keep: Sequence[str] = (),
    repair: bool = False,
    strict: bool | None = None,
) -> tuple[Sheet, dict[str, str], tuple[str, ...]]:
    """Read the ids of a table of people, and list the rules for its rows."""
    kept = keep_names(keep)
    named = {"customer": customer, **{f"keep={name}": name for name in kept}}
    frame, names = open_named(raw, named, PROSPECTS)
    strict = frames.is_lazy(raw) if strict is None else strict
    options = checked_options(date_format=None, as_of=None, strict=strict, repair=repair)
    sheet = read_ids(
        Sheet(with_row(frame), options), "customer_id", names["customer"], required=True
    )
    if isinstance(sheet.frame, nw.DataFrame):
        again = ~nw.col(_ID).is_first_distinct() & ~nw.col(_ID).is_null()
        sheet = sheet.with_column(_AGAIN, again)
        name = names["customer"]
        complaint = f"`{name}` has a person twice"
        rule = RowRule("person in two rows", "error", complaint, nw.col(_AGAIN), name)
        sheet = sheet.with_rules(rule)
    return sheet, names, tuple(names[f"keep={name}"] for name in kept)


def people(rows: AnyFrame, keep: Sequence[str]) -> AnyFrame:
    """Take the columns of prospects from rows that were read."""
    return rows.select(nw.col(_ID).alias("customer_id"), *keep)
