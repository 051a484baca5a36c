"""Contacts that customers of a tier should have had, against those made."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._words.arguments import require_backend
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import CARE_POLICY, CARED_FOR, CONTACTS
from crmkit.typing import Backend

_ANY: Final = "any"
_ROW: Final = "crmkit_row"
_COLUMNS: Final = ("tier", "channel", "contact_kind", "contacts_due", "every_days")
_POLICY: Final = (
    ("diamond", _ANY, _ANY, 4, 365),
    ("gold", _ANY, _ANY, 2, 365),
    ("silver", _ANY, _ANY, 1, 365),
)
_NO_POLICY: Final = "tier without a policy"


def care_policy(*, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """How often customers of each tier should be contacted, as a table to edit.

    Parameters
    ----------
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per kind of contact that a tier should have; several rows for one tier all count:

    ================  ====  ==================================================
    ``tier``          text  tier that the row is for
    ``channel``       text  the way that the contact must take, or "any"
    ``contact_kind``  text  what it must be about, or "any"
    ``contacts_due``  int   contacts within the days
    ``every_days``    int   days within which they must be made
    ================  ====  ==================================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not among the choices.

    Examples
    --------
    >>> table = care_policy()
    >>> table.loc[len(table)] = ["diamond", "visit", "any", 1, 182]
    >>> print(table.to_string(index=False))
       tier channel contact_kind  contacts_due  every_days
    diamond     any          any             4         365
       gold     any          any             2         365
     silver     any          any             1         365
    diamond   visit          any             1         182
    """
    require_backend(backend)
    columns = dict(zip(_COLUMNS, map(list, zip(*_POLICY, strict=True)), strict=True))
    return frames.new_table(columns, backend=backend)


def care_gaps(
    customers: IntoFrameT,
    contacts: IntoFrameT,
    *,
    as_of: date | str,
    policy: IntoFrame | None = None,
) -> IntoFrameT:
    """Contacts due by the policy of each tier, against those made.

    The assumption that most often fails is that contacts are written down: a gap may be a call
    that nobody entered.

    Parameters
    ----------
    customers
        One row per customer with `tier`, such as of `crmkit.tiers.assign`. With `T`, who is a
        customer for fewer days than the policy's has as much less coming, rounded down.
    contacts
        One row per contact, as made by `crmkit.contacts`, on the same engine.
    as_of
        The day that the table describes, as a date or ISO text; later contacts are not seen.
    policy
        Contacts by tier, in the form of `crmkit.events.care_policy`, which is the default.

    Returns
    -------
    One row per customer and row of the policy for the tier, most missing contacts first, then by
    customer (a lazy table is not sorted):

    ======================  =====  ===========================================================
    ``customer_id``         as in  who
    ``tier``                text   tier; may be null
    ``channel``             text   of the policy
    ``contact_kind``        text   of the policy
    ``every_days``          int    of the policy
    ``n_due``               int    contacts that should have been made; null where the tier
                                   has no policy (a float in pandas, where there are nulls)
    ``n_made``              int    contacts made in the last `every_days` days
    ``n_missing``           int    those not made, 0 where as many or more were; null likewise
    ``days_since_contact``  int    days from the last such contact; null where there is none
    ``care_finding``        text   "tier without a policy", which is one row of the customer;
                                   empty otherwise
    ======================  =====  ===========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract, or the policy names a channel or a kind and the contacts
        have none.
    InvalidArgumentError
        If the policy is empty or has a row twice, or ids are numbers in one table and text in the
        other.

    Notes
    -----
    Contacts of people who are not among `customers` have no row here;
    `crmkit.intake.check_contacts` counts them.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben", "cid"], "tier": ["diamond", "silver", "bronze"]}
    ... )
    >>> contacts = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ben"],
    ...         "contact_date": pd.to_datetime(["2024-02-01", "2024-06-30", "2024-05-31"]),
    ...     }
    ... )
    >>> found = care_gaps(customers, contacts, as_of="2024-06-30")
    >>> print(found[["customer_id", "n_due", "n_made", "n_missing"]].to_string(index=False))
    customer_id  n_due  n_made  n_missing
            ann    4.0       2        2.0
            ben    1.0       1        0.0
            cid    NaN       0        NaN
    """
    as_of = time.as_day(as_of, argument="as_of")
    rows = _rows(policy)
    frame = frames.read(customers, CARED_FOR)
    said = frames.read(contacts, CONTACTS)
    _require_columns(said, rows)
    _require_same_ids(frame, said)
    columns = {name: [row[name] for row in rows] for name in _COLUMNS}
    rules = frames.table_like(columns | {_ROW: [float(i) for i in range(len(rows))]}, like=frame)
    also = ["T"] if frames.has(frame, "T") else []
    whom = frame.select("customer_id", nw.col("tier").cast(nw.String), *also)
    due = whom.join(rules, on="tier", how="left")
    made = _made(said, rules, today=time.number_of(as_of))
    joined = frames.with_short_plan(due.join(made, on=["customer_id", _ROW], how="left"))
    table = frames.with_columns(joined, **_gaps(joined, has_age=bool(also)))
    table = frames.with_columns(table, n_missing=_missing(), care_finding=_finding())
    table = table.select(
        *("customer_id", "tier", "channel", "contact_kind", "every_days", "n_due", "n_made"),
        *("n_missing", "days_since_contact", "care_finding"),
    )
    if frames.is_lazy(customers):
        return frames.give(table, like=customers)
    ranked = table.sort(
        "n_missing",
        "customer_id",
        "every_days",
        "channel",
        "contact_kind",
        descending=[True, False, False, False, False],
        nulls_last=True,
    )
    return frames.give_in_order(ranked, like=customers)


def _rows(policy: IntoFrame | None) -> list[frames.Row]:
    """Read the policy, and require that each row can be applied."""
    if policy is None:
        return [dict(zip(_COLUMNS, row, strict=True)) for row in _POLICY]
    rows = frames.read_rows(policy, CARE_POLICY)
    if not rows:
        msg = "care policy: the table is empty.\nStart from crmkit.events.care_policy(), edit it."
        raise InvalidArgumentError(msg)
    for row in rows:
        row |= {name: row[name] or _ANY for name in ("channel", "contact_kind")}
        row |= {name: int(row[name]) for name in ("contacts_due", "every_days")}
    keys = [tuple(row[name] for name in _COLUMNS[:3]) for row in rows]
    twice = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if twice:
        msg = (
            f"care policy: {' / '.join(twice[0])} is there twice.\n"
            "Give each tier, channel and kind one row."
        )
        raise InvalidArgumentError(msg)
    return rows


def _require_columns(said: frames.Frame, rows: list[frames.Row]) -> None:
    for name in ("channel", "contact_kind"):
        asked = sorted({row[name] for row in rows if row[name] != _ANY})
        if asked and not frames.has(said, name):
            msg = (
                f"contacts: no column `{name}`, which the policy asks for ({asked[0]!r}).\n"
                f'Make it with crmkit.contacts(), or write "any" in the policy.'
            )
            raise MissingColumnsError(msg)


def _require_same_ids(frame: frames.Frame, said: frames.Frame) -> None:
    mine, theirs = (each.collect_schema()["customer_id"] for each in (frame, said))
    if mine.is_numeric() != theirs.is_numeric():
        msg = (
            f"contacts: `customer_id` has type {theirs}, and that of the customers {mine}.\n"
            "Cast one of them, so that the ids can meet."
        )
        raise InvalidArgumentError(msg)


def _made(said: frames.Frame, rules: frames.Frame, *, today: int) -> frames.Frame:
    """Count each customer's contacts that fit each row of the policy."""
    said = said.filter(~nw.col("contact_date").is_null())
    said = said.with_columns(crmkit_day=time.day_number(said, "contact_date"))
    told = said.filter(nw.col("crmkit_day") <= today).select(
        "customer_id",
        "crmkit_day",
        crmkit_one=nw.lit(1),
        crmkit_channel=_text(said, "channel"),
        crmkit_kind=_text(said, "contact_kind"),
    )
    asked = rules.select(_ROW, "channel", "contact_kind", "every_days", crmkit_one=nw.lit(1))
    pairs = told.join(asked, on="crmkit_one", how="inner")
    fits = nw.lit(value=True)
    for mine, theirs in (("crmkit_channel", "channel"), ("crmkit_kind", "contact_kind")):
        fits = fits & ((nw.col(theirs) == _ANY) | (nw.col(mine) == nw.col(theirs)))
    in_time = nw.lit(today) - nw.col("crmkit_day") < nw.col("every_days")
    fitting = pairs.filter(fits).with_columns(crmkit_in=nw.when(in_time).then(nw.lit(1)))
    return (
        fitting.group_by("customer_id", _ROW)
        .agg(n_made=nw.col("crmkit_in").count(), crmkit_last=nw.col("crmkit_day").max())
        .with_columns(days_since_contact=nw.lit(today) - nw.col("crmkit_last"))
    )


def _text(said: frames.Frame, name: str) -> nw.Expr:
    if not frames.has(said, name):
        return nw.lit("")
    return nw.col(name).cast(nw.String).fill_null("")


def _gaps(frame: frames.Frame, *, has_age: bool) -> dict[str, nw.Expr]:
    due = nw.col("contacts_due").cast(nw.Float64)
    if has_age:
        age, every = frames.known("T"), nw.col("every_days")
        due = nw.when(age < every).then((due * age / every).floor()).otherwise(due)
    # pandas has no whole numbers beside nulls, so the cast comes where nulls are filled.
    whole = frames.whole_or_null(frame, due.fill_null(0.0).cast(nw.Int64))
    return {
        "n_due": nw.when(~nw.col("contacts_due").is_null()).then(whole),
        "n_made": nw.col("n_made").fill_null(0).cast(nw.Int64),
        **{
            name: frames.whole_or_null(frame, nw.col(name))
            for name in ("every_days", "days_since_contact")
        },
    }


def _missing() -> nw.Expr:
    lacking = nw.col("n_due") - nw.col("n_made")
    return (
        nw.when(nw.col("n_due").is_null())
        .then(lacking)
        .otherwise(nw.when(lacking > 0).then(lacking).otherwise(nw.lit(0)))
    )


def _finding() -> nw.Expr:
    nothing = nw.col("contacts_due").is_null()
    return nw.when(nothing).then(nw.lit(_NO_POLICY)).otherwise(nw.lit(""))
