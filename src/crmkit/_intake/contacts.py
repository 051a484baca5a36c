"""Contacts with customers from a raw table: who, when, which way, what about, answered when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._intake.contact_columns import ContactColumns, contact_columns
from crmkit._intake.contract_terms import appended
from crmkit._intake.contracts import with_day
from crmkit._intake.ids import read_ids
from crmkit._intake.raw_columns import AnyFrame, keep_names, open_named
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import require_good_rows, require_readable, with_row
from crmkit._intake.sheet import TEXT_TYPES, WHITE_SPACE, RowRule, Sheet, role_column
from crmkit._words.arguments import require_list, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import CONTACTS, PROSPECTS

_ID: Final = role_column("customer_id")
_DAY: Final = role_column("contact_date")
_ANSWERED: Final = role_column("answered_on")
_COMPLAINT: Final = role_column("is_complaint")
_COMPLAINT_WORDS: Final = (
    "complain|claim|beschwerde|reklamation|reclam|réclam|plainte|queja|投诉|索赔|理赔|投訴|索賠"
    "|理賠|苦情|クレーム"
)
_YES: Final = ("1", "1.0", "yes", "y", "true", "t", "x", "ja", "j", "oui", "si", "sí", "是", "はい")
_NO: Final = ("0", "0.0", "no", "n", "false", "f", "nein", "non", "-", "否", "いいえ")


def contacts(
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
) -> IntoFrameT:
    """Turn a raw table of contacts into contacts: who, when, complaint, answered.

    Columns that are not named are found by their names, such as "Called on" or "Kundennr.". The
    assumption that most often fails is that a row is a contact: where a system writes each reply
    as a row, one complaint counts several times.

    Parameters
    ----------
    raw
        One row per contact. Other columns and the index are left out.
    customer
        Column of customer ids: text or whole numbers, as in the log of purchases.
    date
        Column of days or times of the contacts.
    channel
        Column of the way that the contact took, such as phone or shop; may be missing.
    kind
        Column of what the contact was about; may be missing.
    complaint
        Column that says whether the contact is a complaint or a claim: flags, 1 and 0, or yes and
        no. A blank counts as none. Without it, `kind` decides.
    owner
        Column of who is responsible; may be missing.
    answered
        Column of the days on which the contact was answered; missing while it is open.
    complaint_kinds
        Values of `kind` that are complaints, without regard to case. By default those with a word
        such as "complaint" or "claim" in them, in six languages.
    keep
        Columns to carry through unchanged.
    as_of
        Last possible day of a contact, as a date or ISO text; an answer may be later.
    date_format
        Format of the dates, as in `crmkit.transactions`.

    Returns
    -------
    The rows of `raw`, in its order:

    ================  ======  ============================================================
    ``customer_id``   id      who
    ``contact_date``  date    day or time of the contact
    ``channel``       as in   where there is one; may be null
    ``contact_kind``  as in   where there is a `kind`; may be null
    ``is_complaint``  flag    where there is a `complaint` or a `kind`
    ``owner``         as in   where there is one; may be null
    ``answered_on``   date    where there is an `answered`; null while open
    ================  ======  ============================================================

    and the columns of `keep`.

    Raises
    ------
    MissingColumnsError
        If a named column is missing, or nothing looks like a customer or a date.
    InvalidRowsError
        If a customer or a date is missing or cannot be read, a complaint is neither yes nor no,
        or an answer comes before the contact. `crmkit.intake.clean_contacts` sets them aside.
        Of a lazy table the values are not checked; `crmkit.intake.check_contacts` does.
    InvalidArgumentError
        If `raw` is not a table, a column has an unsuitable type, or an argument is outside its
        range.

    Notes
    -----
    Contacts of people who never bought are kept, and so are rows that are there twice:
    `crmkit.intake.check_contacts` counts both.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "Kundennr.": ["ann", "ben"],
    ...         "Called on": ["2024-01-05", "2024-01-09"],
    ...         "Reason": ["Complaint: late", "order"],
    ...         "Closed": ["2024-01-08", None],
    ...     }
    ... )
    >>> print(contacts(raw, date="Called on").to_string(index=False))
    customer_id contact_date    contact_kind  is_complaint answered_on
            ann   2024-01-05 Complaint: late          True  2024-01-08
            ben   2024-01-09           order         False         NaT
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
    )
    require_readable(sheet, CONTACTS)
    require_good_rows(sheet, CONTACTS, key=columns.customer)
    return frames.give(as_contacts(sheet.frame, columns), like=raw)


def read_contacts(
    raw: IntoFrame,
    given: Mapping[str, str | None],
    *,
    complaint_kinds: Sequence[str] | None = None,
    keep: tuple[str, ...] = (),
    customers: IntoFrame | None = None,
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
    repair: bool = False,
    strict: bool | None = None,
) -> tuple[Sheet, ContactColumns]:
    """Read every column of a table of contacts, and list the rules for its rows."""
    kinds = None if complaint_kinds is None else _kinds(complaint_kinds)
    found = contact_columns(raw, given, keep=keep)
    frame, names = open_named(raw, found.named, CONTACTS)
    roles = {role: names[role] for role in found.named if not role.startswith("keep=")}
    columns = replace(found, **roles, keep=tuple(names[f"keep={name}"] for name in keep))
    strict = frames.is_lazy(raw) if strict is None else strict
    options = checked_options(date_format=date_format, as_of=as_of, strict=strict, repair=repair)
    sheet = Sheet(with_row(frame), options)
    sheet = read_ids(sheet, "customer_id", columns.customer, required=True)
    sheet = with_day(sheet, "contact_date", columns.date, required=True)
    if columns.answered is not None:
        sheet = with_day(sheet, "answered_on", columns.answered)
    if sheet.refusals:
        return sheet, columns
    if isinstance(sheet.frame, nw.LazyFrame):
        sheet = replace(sheet, frame=frames.with_short_plan(sheet.frame))
    if columns.answered is not None:
        sheet = _with_order(sheet, columns)
    sheet = _with_complaint(sheet, columns, kinds)
    sheet = _with_known(_with_twice(sheet, columns), columns, customers)
    return _without_reason(sheet, columns) if repair else (sheet, columns)


def _without_reason(sheet: Sheet, columns: ContactColumns) -> tuple[Sheet, ContactColumns]:
    """Rename a column "reason": `clean` has its own by that name."""
    clash = {role: name for role, name in columns.named.items() if name == "reason"}
    if not clash:
        return sheet, columns
    new = "contact_reason"
    roles = {role: new for role in clash if not role.startswith("keep=")}
    keep = tuple(new if name == "reason" else name for name in columns.keep)
    frame = sheet.frame.with_columns(nw.col("reason").alias(new))
    return replace(sheet, frame=frame), replace(columns, **roles, keep=keep)


def as_contacts(rows: AnyFrame, columns: ContactColumns) -> nw.LazyFrame[Any]:
    """Take the columns of contacts from rows that were read."""
    picked = [nw.col(_ID).alias("customer_id"), nw.col(_DAY).alias("contact_date")]
    if columns.channel is not None:
        picked.append(nw.col(columns.channel).alias("channel"))
    if columns.kind is not None:
        picked.append(nw.col(columns.kind).alias("contact_kind"))
    if columns.complaint is not None or columns.kind is not None:
        picked.append(nw.col(_COMPLAINT).alias("is_complaint"))
    if columns.owner is not None:
        picked.append(nw.col(columns.owner).alias("owner"))
    if columns.answered is not None:
        picked.append(nw.col(_ANSWERED).alias("answered_on"))
    made = rows.select(*picked, *columns.keep)
    if isinstance(made, nw.DataFrame):
        made = nw.maybe_reset_index(made)
    return made.lazy()


def _kinds(given: Sequence[str]) -> tuple[str, ...]:
    listed = require_list(given, argument="complaint_kinds", example='["complaint", "claim"]')
    strange = [each for each in listed if not isinstance(each, str) or not each.strip()]
    if strange or not listed:
        msg = (
            f"`complaint_kinds` must be values of `kind` as text, got {shown(given)}.\n"
            'Write ["complaint", "claim"].'
        )
        raise InvalidArgumentError(msg)
    return tuple(each.strip().lower() for each in listed)


def _lowered(name: str) -> nw.Expr:
    text = nw.col(name).cast(nw.String)
    return text.str.strip_chars(WHITE_SPACE).str.to_lowercase()


def _with_complaint(sheet: Sheet, columns: ContactColumns, kinds: tuple[str, ...] | None) -> Sheet:
    """Read the flag of complaints, or make it of the kinds."""
    if columns.complaint is None:
        if columns.kind is None:
            return sheet
        kind = _lowered(columns.kind)
        said = kind.str.contains(_COMPLAINT_WORDS) if kinds is None else kind.is_in(list(kinds))
        return appended(sheet, _COMPLAINT, said.fill_null(value=False).cast(nw.Boolean))
    name = columns.complaint
    missing, yes, no = _flag(sheet, name)
    sheet = appended(sheet, f"{_COMPLAINT}_missing", missing.cast(nw.Boolean))
    odd = ~(missing | yes | no)
    sheet = appended(sheet, f"{_COMPLAINT}_odd", odd.fill_null(value=True).cast(nw.Boolean))
    sheet = appended(sheet, _COMPLAINT, yes.fill_null(value=False).cast(nw.Boolean))
    return sheet.with_rules(
        RowRule(
            "unparsable complaint",
            "error",
            f"`{name}` is neither yes nor no",
            nw.col(f"{_COMPLAINT}_odd"),
            shows=name,
        ),
        RowRule(
            "missing complaint",
            "warning",
            f"`{name}` is missing, which counts as no complaint",
            nw.col(f"{_COMPLAINT}_missing"),
        ),
    )


def _flag(sheet: Sheet, name: str) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    """Say where a flag is missing, yes, and no."""
    dtype, value = sheet.dtype(name), nw.col(name)
    nothing = value.is_null()
    if dtype == nw.Boolean:
        yes = value.fill_null(value=False)
        return nothing, yes, ~yes & ~nothing
    if dtype.is_numeric():
        number = value.cast(nw.Float64)
        if dtype.is_float():
            nothing = nothing | number.is_nan()
        known = nw.when(~nothing).then(number).otherwise(nw.lit(-1.0))
        return nothing.fill_null(value=True), known == 1, known == 0
    text = _lowered(name).fill_null("")
    if dtype not in TEXT_TYPES:  # Python objects, in which pandas writes NaN for nothing
        text = nw.when(nothing).then(nw.lit("")).otherwise(text)
    yes = text.is_in(list(_YES)) | text.str.contains(_COMPLAINT_WORDS)
    return text == "", yes, text.is_in(list(_NO))


def _with_order(sheet: Sheet, columns: ContactColumns) -> Sheet:
    """Find answers that came before the contact, by day."""
    day, answered = (nw.col(each).cast(nw.Datetime("us")).dt for each in (_DAY, _ANSWERED))
    early = answered.truncate("1d") < day.truncate("1d")
    sheet = appended(sheet, f"{_ANSWERED}_early", early.fill_null(value=False).cast(nw.Boolean))
    rule = RowRule(
        "answered before contact",
        "error",
        f"`{columns.answered}` is before `{columns.date}`",
        nw.col(f"{_ANSWERED}_early"),
        shows=columns.answered,
    )
    return sheet.with_rules(rule)


def _with_twice(sheet: Sheet, columns: ContactColumns) -> Sheet:
    """Find rows that are there twice in all that is read; not in a plan."""
    complaint = "all that is read of the contact is in an earlier row, too"
    rule = RowRule("duplicate contact", "warning", complaint, None, is_set_aside=True)
    if not isinstance(sheet.frame, nw.DataFrame):
        return sheet.with_rules(rule)
    read = [_ID, _DAY, *([_ANSWERED] if columns.answered else [])]
    raw = (columns.channel, columns.kind, columns.complaint, columns.owner, *columns.keep)
    texts = [
        nw.col(name).cast(nw.String).fill_null("\x00")
        for name in (*read, *(name for name in raw if name is not None))
    ]
    key = nw.concat_str(*texts, separator="\x1f")
    sheet = appended(sheet, "_crmkit_again", ~key.is_first_distinct() & ~nw.col(_ID).is_null())
    return sheet.with_rules(replace(rule, rows=nw.col("_crmkit_again")))


def _with_known(sheet: Sheet, columns: ContactColumns, customers: IntoFrame | None) -> Sheet:
    """Find contacts of people who are not among the customers, where these are given."""
    if customers is None:
        return sheet
    known = frames.read(customers, replace(PROSPECTS, name="customers"))
    ids = known.select(crmkit_known=nw.col("customer_id").cast(nw.String)).unique()
    sheet = appended(sheet, "_crmkit_whose", nw.col(_ID).cast(nw.String))
    if isinstance(sheet.frame, nw.DataFrame):
        listed = ids.collect()["crmkit_known"].drop_nulls().to_list()
        unknown = ~nw.col("_crmkit_whose").is_in(listed)
    else:
        marked = ids.with_columns(_crmkit_here=nw.lit(1))
        if not frames.is_lazy(customers):
            listed = ids.collect()["crmkit_known"].to_list()
            marked = frames.table_like(
                {"crmkit_known": listed, "_crmkit_here": [1] * len(listed)}, like=sheet.frame
            )
        joined = sheet.frame.join(
            marked, left_on="_crmkit_whose", right_on="crmkit_known", how="left"
        )
        sheet, unknown = replace(sheet, frame=joined), nw.col("_crmkit_here").is_null()
    flag = (unknown & ~nw.col(_ID).is_null()).fill_null(value=False).cast(nw.Boolean)
    sheet = appended(sheet, "_crmkit_unknown", flag)
    complaint = f"`{columns.customer}` is not among the customers"
    rule = RowRule(
        "unknown customer", "warning", complaint, nw.col("_crmkit_unknown"), shows=columns.customer
    )
    return sheet.with_rules(rule)
