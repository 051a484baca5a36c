"""How complete a table of people is: known and valid rates by field, and by customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._intake.contact_fields import NORMAL, VALID, Field, fields_of, with_fields
from crmkit._words.arguments import require_column_name
from crmkit.errors import MissingColumnsError
from crmkit.tables import PEOPLE

_KNOWN: Final = "crmkit_known_{}"
_BY: Final = "crmkit_by"
_ALL: Final = "crmkit_all"


def completeness(
    people: IntoFrameT,
    *,
    fields: Sequence[str] | Mapping[str, str],
    by: str | None = None,
    as_of: date | str | None = None,
) -> IntoFrameT:
    """Completeness of a table of people: known and valid rate of each field.

    A rate says whether something is written in a form that it can have, not whether it is true: a
    mailbox that no longer exists is valid here.

    Parameters
    ----------
    people
        One row per record, with a `customer_id`.
    fields
        Columns to look at, with their kinds: ``{"mail": "email", "tel": "phone", "born":
        "birth_date", "name": "text"}``. Of a list of columns, those called as a kind are of that
        kind, the others text.
    by
        A column to tell records apart by, such as the agent, region or source.
    as_of
        The day after which nobody in the table was born, as a date or ISO text.

    Returns
    -------
    One row per value of `by`, if given, and field, sorted by `by`; the fields stand as they are
    named. A lazy table is run once, and its counts come to this machine:

    ==============  =====  ==============================================================
    *by*            as in  the value of the column
    ``field``       text   the column's name
    ``kind``        text   "text", "email", "phone" or "birth_date"
    ``n``           int    records
    ``n_known``     int    records with a value that says something
    ``n_valid``     int    known values that the kind can have
    ``known_rate``  float  ``n_known / n``; null without records
    ``valid_rate``  float  ``n_valid / n_known``; null where nothing is known
    ==============  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `people` lacks a column, or has a null for an id.
    InvalidArgumentError
        If `fields`, `by` or `as_of` is not as described.

    Notes
    -----
    Nulls, white space and placeholders (n/a, -, none, 0000) are unknown. An e-mail is valid with
    one @ and a domain with a dot, and without a mailbox such as none@; a phone with 7 to 15 digits
    (ITU-T E.164) that are not all the same; a birth date, also as ISO text, from 2 January 1900,
    after which systems do not date what they lack. Any known text is valid.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "email": ["ann@mail.org", "n/a", "cid@mail", None],
    ...         "phone": ["089 1234567", "0000", None, "+49 170 7654321"],
    ...     }
    ... )
    >>> rates = completeness(people, fields=["email", "phone"])
    >>> print(rates.drop(columns="kind").to_string(index=False))
    field  n  n_known  n_valid  known_rate  valid_rate
    email  4        2        1         0.5         0.5
    phone  4        2        2         0.5         1.0
    """
    frame, read = _read(people, fields, as_of=as_of)
    counts = {
        name: nw.col(name).sum()
        for i in range(len(read))
        for name in (_KNOWN.format(i), VALID.format(i))
    }
    key = _ALL if by is None else _BY
    grouped = _with_group(frame, by).select(key, *counts)
    summed = grouped.group_by(key).agg(nw.len().alias("n"), *counts.values()).collect()
    return frames.give(_rates(summed, read, by=by, key=key, like=frame), like=people)


def completeness_of_customers(
    people: IntoFrameT,
    *,
    fields: Sequence[str] | Mapping[str, str],
    as_of: date | str | None = None,
) -> IntoFrameT:
    """Completeness of each record: fields that are known, valid, missing.

    For a list of whom to ask for what, or a target of an agent.

    Parameters
    ----------
    people, fields, as_of
        As for `completeness`.

    Returns
    -------
    The same rows with more columns:

    ===============  =====  ================================================================
    ``n_known``      int    fields with a value that says something
    ``n_valid``      int    known values that the field can have
    ``known_rate``   float  ``n_known`` / number of fields
    ``valid_rate``   float  ``n_valid / n_known``; null where nothing is known
    ``not_valid``    text   fields to ask for, unknown or not valid: "email, phone"; empty for
                            none
    ===============  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `completeness` does.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben"],
    ...         "email": ["ann@mail.org", "n/a"],
    ...         "phone": ["089 1234567", "123"],
    ...     }
    ... )
    >>> asked = completeness_of_customers(people, fields=["email", "phone"])
    >>> columns = ["customer_id", "n_known", "n_valid", "known_rate", "valid_rate"]
    >>> print(asked[columns].to_string(index=False))
    customer_id  n_known  n_valid  known_rate  valid_rate
            ann        2        2         1.0         1.0
            ben        1        0         0.5         0.0
    >>> asked["not_valid"].tolist()
    ['', 'email, phone']
    """
    frame, read = _read(people, fields, as_of=as_of)
    n_known, n_valid = (
        nw.sum_horizontal(*(nw.col(form.format(i)) for i in range(len(read))))
        for form in (_KNOWN, VALID)
    )
    counted = frames.with_columns(
        frame, n_known=n_known.cast(nw.Int64), n_valid=n_valid.cast(nw.Int64)
    )
    gaps = [
        nw.when(nw.col(VALID.format(i)) == 0)
        .then(nw.lit(f", {field.column}"))
        .otherwise(nw.lit(""))
        for i, field in enumerate(read)
    ]
    known = nw.col("n_known")
    scored = frames.with_columns(
        counted,
        known_rate=known / len(read),
        valid_rate=nw.when(known > 0).then(nw.col("n_valid") / known),
        not_valid=nw.concat_str(nw.lit(""), *gaps).str.slice(2),
    )
    made = [form.format(i) for i in range(len(read)) for form in (_KNOWN, VALID)]
    return frames.give(scored.drop(*made), like=people)


def _read(
    people: IntoFrameT,
    fields: Sequence[str] | Mapping[str, str],
    *,
    as_of: date | str | None,
) -> tuple[frames.Frame, tuple[Field, ...]]:
    """Append two columns of 0 and 1 for each field: known, and valid."""
    day = None if as_of is None else time.as_day(as_of, argument="as_of")
    frame = frames.read(people, PEOPLE)
    named = fields_of(fields, argument="fields", frame=frame, table=PEOPLE)
    read = with_fields(frame, named, as_of=day)
    normal = [NORMAL.format(i) for i in range(len(named))]
    known = {
        _KNOWN.format(i): nw.when(~nw.col(name).is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
        for i, name in enumerate(normal)
    }
    ones = {name: flag.cast(nw.Int64) for name, flag in known.items()}
    return frames.with_columns(read, **ones).drop(*normal), named


def _with_group(frame: frames.Frame, by: str | None) -> frames.Frame:
    if by is None:
        return frames.with_columns(frame, nw.lit(0).alias(_ALL))
    require_column_name(by, argument="by")
    present = [n for n in frame.collect_schema().names() if not n.startswith("crmkit_")]
    if by not in present:
        msg = (
            f"{PEOPLE.name}: no column `{by}` among {frames.quoted(present)}.\n"
            "Name a column of the table in `by`."
        )
        raise MissingColumnsError(msg)
    return frames.with_columns(frame, nw.col(by).alias(_BY))


def _rates(
    summed: nw.DataFrame[Any],
    read: Sequence[Field],
    *,
    by: str | None,
    key: str,
    like: frames.Frame,
) -> frames.Frame:
    rows = sorted(summed.rows(named=True), key=lambda row: (row[key] is None, str(row[key])))
    if not rows and by is None:
        rows = [{"n": 0, **{f.format(i): 0 for i in range(len(read)) for f in (_KNOWN, VALID)}}]
    lines = [(row, i, field) for row in rows for i, field in enumerate(read)]
    columns: dict[str, list[Any]] = {by: [row[key] for row, _, _ in lines]} if by else {}
    columns |= {
        "field": [field.column for _, _, field in lines],
        "kind": [field.kind for _, _, field in lines],
        "n": [int(row["n"]) for row, _, _ in lines],
        "n_known": [int(row[_KNOWN.format(i)] or 0) for row, i, _ in lines],
        "n_valid": [int(row[VALID.format(i)] or 0) for row, i, _ in lines],
    }
    table = frames.table_like(columns, like=like)
    if by is not None:
        table = table.with_columns(nw.col(by).cast(summed.schema[key]))
    n, known, valid = nw.col("n"), nw.col("n_known"), nw.col("n_valid")
    return table.with_columns(
        known_rate=nw.when(n > 0).then(known / n),
        valid_rate=nw.when(known > 0).then(valid / known),
    )
