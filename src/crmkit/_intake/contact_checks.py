"""Data quality of contacts, by the rules and in the form of those of transactions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._intake.clean import Cleaned
from crmkit._intake.contacts import as_contacts, read_contacts
from crmkit._intake.other_doors import cleaned, findings_of
from crmkit._intake.raw_columns import keep_names
from crmkit.tables import CONTACTS


def check_contacts(
    raw: IntoFrameT,
    *,
    customer: str | None = None,
    date: str | None = None,
    channel: str | None = None,
    kind: str | None = None,
    complaint: str | None = None,
    owner: str | None = None,
    answered: str | None = None,
    complaint_kinds: Sequence[str] | None = None,
    customers: IntoFrame | None = None,
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
) -> IntoFrameT:
    """Check the data quality of a raw table of contacts.

    Parameters
    ----------
    raw
        One row per contact. Of a lazy table, rows that are there twice are not found.
    customer, date, channel, kind, complaint, owner, answered, complaint_kinds
        As in `crmkit.contacts`.
    customers
        A table with `customer_id`: contacts of all others are found. Without it, none are.
    as_of, date_format
        As in `crmkit.contacts`.

    Returns
    -------
    One row per rule, as `crmkit.intake.check` gives them; `money` is null.

    Raises
    ------
    MissingColumnsError
        If a named column is missing, or nothing looks like a customer or a date.
    InvalidArgumentError
        If `raw` or `customers` is not a table, or an argument is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "client": ["ann", "ann", "ben"],
    ...         "date": ["2024-01-05", "2024-01-05", "soon"],
    ...         "channel": ["phone", "phone", "shop"],
    ...     }
    ... )
    >>> known = pd.DataFrame({"customer_id": ["ann"]})
    >>> findings = check_contacts(raw, customers=known)
    >>> print(findings[findings["rows"] > 0][["rule", "rows", "example"]].to_string(index=False))
                       rule  rows               example
    unparsable contact date     1 row 2 ('ben'): 'soon'
          duplicate contact     1         row 1 ('ann')
           unknown customer     1         row 2 ('ben')
    """
    given = {"customer": customer, "date": date, "channel": channel, "kind": kind}
    given |= {"complaint": complaint, "owner": owner, "answered": answered}
    sheet, columns = read_contacts(
        raw,
        given,
        complaint_kinds=complaint_kinds,
        customers=customers,
        as_of=as_of,
        date_format=date_format,
        strict=False,
    )
    return findings_of(sheet, columns.customer, like=raw)


def clean_contacts(
    raw: IntoFrameT,
    *,
    customer: str | None = None,
    date: str | None = None,
    channel: str | None = None,
    kind: str | None = None,
    complaint: str | None = None,
    owner: str | None = None,
    answered: str | None = None,
    complaint_kinds: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
) -> Cleaned[IntoFrameT]:
    """Clean a raw table of contacts: keep valid rows, set the others aside.

    Parameters
    ----------
    raw
        One row per contact. Of a lazy table, rows that are there twice are not found.
    customer, date, channel, kind, complaint, owner, answered, complaint_kinds, keep
        As in `crmkit.contacts`.
    as_of, date_format
        As in `crmkit.contacts`.

    Returns
    -------
    A pair, `kept` as `crmkit.contacts` makes it and `set_aside` with the columns that were read
    and `reason`, the first rule that the row breaks; a row that is there twice is kept once.
    Each row of `raw` is in one of them. A raw column `reason` is called ``contact_reason`` there.

    Raises
    ------
    MissingColumnsError
        If a named column is missing, or nothing looks like a customer or a date.
    InvalidArgumentError
        If `raw` is not a table, a column has an unsuitable type, or an argument is outside its
        range.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {"client": ["ann", "ann", None], "date": ["2024-01-05", "2024-01-05", "2024-01-06"]}
    ... )
    >>> kept, aside = clean_contacts(raw)
    >>> len(kept), aside["reason"].tolist()
    (1, ['duplicate contact', 'missing customer'])
    """
    given = {"customer": customer, "date": date, "channel": channel, "kind": kind}
    given |= {"complaint": complaint, "owner": owner, "answered": answered}
    sheet, columns = read_contacts(
        raw,
        given,
        complaint_kinds=complaint_kinds,
        keep=keep_names(keep),
        as_of=as_of,
        date_format=date_format,
        repair=True,
        strict=False,
    )
    named = list(dict.fromkeys(columns.named.values()))
    return cleaned(sheet, CONTACTS, named, lambda rows: as_contacts(rows, columns), like=raw)
