"""Contracts from a raw table: one row per contract, with its first day and its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._intake.amounts import read_numbers
from crmkit._intake.contract_terms import appended, joined, with_terms
from crmkit._intake.dates import read_dates
from crmkit._intake.ids import read_ids
from crmkit._intake.number_form import Decimal
from crmkit._intake.raw_columns import AnyFrame, keep_names, open_named
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import require_good_rows, require_readable, with_row
from crmkit._intake.sheet import Sheet, role_column
from crmkit._words.arguments import require_column_name, require_whole
from crmkit.errors import InvalidArgumentError
from crmkit.tables import CONTRACTS

_OF_DATES: Final = ("_crmkit_date", "_crmkit_date_text", "_crmkit_date_times")
_WALL_CLOCK: Final = "_crmkit_date_wall_clock"


def contracts(
    raw: IntoFrameT,
    *,
    customer: str,
    start: str,
    end: str | None = None,
    cancelled: str | None = None,
    amount: str | None = None,
    agent: str | None = None,
    cooling_off_days: int = 0,
    grace_days: int = 0,
    keep: Sequence[str] = (),
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
) -> IntoFrameT:
    """Turn a raw table of contracts into contracts: one row each, none that never began.

    Who cancels within the cooling-off period was never a customer, and who is still in it is
    neither one yet nor lost: both are left out, and `crmkit.intake.clean_contracts` shows them.
    The assumption that most often fails is that a row is a contract: in many systems it is a
    term, so that each renewal looks like a loss. Join those with `grace_days`.

    Parameters
    ----------
    raw
        One row per contract, or per term of one. Other columns and the index are left out.
    customer
        Column of customer ids: text or whole numbers.
    start
        Column of first days.
    end
        Column of ends, the last day or the day after; missing for a contract that runs on.
    cancelled
        Column of the days on which the customer cancelled, which decide the cooling-off period.
        Without it the end does. Where the end is missing, it is the end, too.
    amount
        Column of money, such as the yearly premium, in one currency; may be missing.
    agent
        Column of agents, carried through unchanged.
    cooling_off_days
        Days after the start within which a contract can be cancelled as if it had never been.
    grace_days
        A contract that starts up to as many days after the end of the customer's previous one
        continues it, and both become one row, with the amount, agent and kept columns of the
        later one. With 0, each row stays a contract of its own.
    keep
        Columns to carry through unchanged, such as region or product.
    as_of
        The day that the table describes, as a date or ISO text. A start after it is an error; a
        cancellation after it has not happened. Without, nothing is in its cooling-off period.
    date_format
        Format of the dates, as in `crmkit.transactions`.

    Returns
    -------
    The rows of `raw`, in its order, less those of the cooling-off period and those joined:

    ===============  ======  ================================================================
    ``customer_id``  id      the customer
    ``start``        date    first day
    ``end``          date    the end; null for a contract that runs on
    ``cancelled``    date    if given; may be null
    ``amount``       float   money; if given; may be null
    ``agent``        as in   if given; may be null
    ===============  ======  ================================================================

    and the columns of `keep`.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidRowsError
        If a customer or a start is missing or cannot be read, an end is before its start, or
        contracts of one customer overlap. `crmkit.intake.clean_contracts` sets them aside.
        Of a lazy table the values are not checked; `crmkit.intake.check_contracts` does.
    InvalidArgumentError
        If `raw` is not a table, a column has an unsuitable type, or an argument is outside its
        range.

    Notes
    -----
    A cancellation on day ``start + cooling_off_days`` is still in time. As of that day's end
    the contract has left the period.

    Of contracts that overlap, the earliest start stays. One that starts on the day on which
    another ends does not overlap it. Of a lazy table, overlaps are not found.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "who": ["ann", "ben", "cid", "dan"],
    ...         "from": ["2024-01-01"] * 4,
    ...         "to": ["2024-01-08", "2024-01-11", "2024-01-12", None],
    ...     }
    ... )
    >>> made = contracts(raw, customer="who", start="from", end="to", cooling_off_days=10)
    >>> print(made.to_string(index=False))
    customer_id      start        end
            cid 2024-01-01 2024-01-12
            dan 2024-01-01        NaT
    """
    terms = Terms(cooling_off_days, grace_days, as_of)
    columns = ContractColumns(customer, start, end, cancelled, amount, agent, keep_names(keep))
    sheet, columns = read_contracts(raw, columns, terms, date_format=date_format)
    require_readable(sheet, CONTRACTS)
    require_good_rows(sheet, CONTRACTS, key=columns.customer)
    left_out = nw.lit(value=False)
    for rule in sheet.rules:
        if rule.sets_aside and not rule.refuses and rule.rows is not None:
            left_out = left_out | rule.rows.fill_null(value=False)
    marked = appended(sheet, "_crmkit_left_out", left_out)
    rows = marked.frame.filter(~nw.col("_crmkit_left_out"))
    return frames.give(as_contracts(rows, columns, terms), like=raw)


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about a contract: its cooling-off period, grace, and the day of the table."""

    cooling_off_days: int
    grace_days: int
    as_of: dt.date | str | None

    def __post_init__(self) -> None:
        """Require whole days."""
        for argument in ("cooling_off_days", "grace_days"):
            advice = "Write 14 for two weeks, or 0 for none."
            value = getattr(self, argument)
            require_whole(value, argument=argument, least=0, most=36_500, advice=advice)


@dataclass(frozen=True, slots=True)
class ContractColumns:
    """Names of the raw columns by role."""

    customer: str
    start: str
    end: str | None
    cancelled: str | None
    amount: str | None
    agent: str | None
    keep: tuple[str, ...]

    def __post_init__(self) -> None:
        """Require names of the columns that must be there, and names that the result has free."""
        require_column_name(self.customer, argument="customer")
        require_column_name(self.start, argument="start")
        canonical = [column for column in self.keep if column in CONTRACTS.column_names]
        if canonical:
            msg = (
                f"`keep` has {frames.quoted(canonical)}, which contracts have by its own name.\n"
                "Rename the column, or name it by its role, such as agent=."
            )
            raise InvalidArgumentError(msg)

    @property
    def named(self) -> dict[str, str]:
        """The given raw columns by argument."""
        roles = ("customer", "start", "end", "cancelled", "amount", "agent")
        given = {role: getattr(self, role) for role in roles}
        found = {role: column for role, column in given.items() if column is not None}
        return found | {f"keep={name}": name for name in self.keep}


def read_contracts(
    raw: IntoFrame,
    columns: ContractColumns,
    terms: Terms,
    *,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    repair: bool = False,
    strict: bool | None = None,
) -> tuple[Sheet, ContractColumns]:
    """Read every named column of a table of contracts, and list the rules for its rows."""
    frame, names = open_named(raw, columns.named, CONTRACTS)
    roles = {role: names.get(role) for role in ("end", "cancelled", "amount", "agent")}
    keep = tuple(names[f"keep={name}"] for name in columns.keep)
    columns = replace(columns, customer=names["customer"], start=names["start"], keep=keep, **roles)
    strict = frames.is_lazy(raw) if strict is None else strict
    options = checked_options(
        date_format=date_format, as_of=terms.as_of, decimal=decimal, strict=strict, repair=repair
    )
    sheet = Sheet(with_row(frame), options)
    sheet = read_ids(sheet, "customer_id", columns.customer, required=True)
    sheet = with_day(sheet, "start", columns.start, required=True)
    for role, name in (("end", columns.end), ("cancelled", columns.cancelled)):
        if name is not None:
            sheet = with_day(sheet, role, name)
    if columns.amount is not None:
        sheet = read_numbers(sheet, "amount", columns.amount, required=False)
    if sheet.refusals:
        return sheet, columns
    if isinstance(sheet.frame, nw.LazyFrame):
        sheet = replace(sheet, frame=frames.with_short_plan(sheet.frame))
    return with_terms(sheet, columns, cooling_off_days=int(terms.cooling_off_days)), columns


def as_contracts(rows: AnyFrame, columns: ContractColumns, terms: Terms) -> nw.LazyFrame[Any]:
    """Take the columns of contracts from rows that were read, and join those within the grace."""
    roles = ["customer_id", "start", "end"]
    roles += [role for role in ("cancelled", "amount") if getattr(columns, role) is not None]
    picked = [nw.col(role_column(role)).alias(role) for role in roles]
    if columns.agent is not None:
        picked.append(nw.col(columns.agent).alias("agent"))
    made = rows.select(*picked, *columns.keep)
    if isinstance(made, nw.DataFrame):
        made = nw.maybe_reset_index(made)
    if not terms.grace_days:
        return made.lazy()
    step = partial(joined, grace_days=int(terms.grace_days))
    return frames.by_customer(made.lazy(), step)


def with_day(sheet: Sheet, role: str, name: str, *, required: bool = False) -> Sheet:
    """Read a column of days into a role of its own, with rules of its own.

    Days are read in the columns of `date`, which the next role takes again: what the rules find
    is therefore kept as flags. A day that is not `required` may be missing, and after `as_of`.
    """
    asked = sheet.options if required else replace(sheet.options, as_of=None)
    before = len(sheet.rules)
    read = read_dates(replace(sheet, options=asked, rules=sheet.rules), name)
    day = role_column("date")
    read = appended(read, role_column(role), nw.col(day))
    rules = []
    for i, rule in enumerate(read.rules[before:]):
        if not required and rule.name == "missing date":
            continue
        rows, flag = rule.rows, f"{role_column(role)}_{i}"
        if rows is not None:
            read = appended(read, flag, rows.fill_null(value=False).cast(nw.Boolean))
            rows = nw.col(flag).cast(nw.Boolean)  # Dask forgets it where it reads the next column
        shows = role_column(role) if rule.shows == day else rule.shows
        named = rule.name.replace("date", role.replace("_", " "), 1)
        rules.append(replace(rule, name=named, rows=rows, shows=shows))
    present = read.frame.collect_schema().names()
    frame = read.frame.drop(*(c for c in (*_OF_DATES, _WALL_CLOCK) if c in present))
    forms = tuple((role if what == "date" else what, form) for what, form in read.forms)
    return replace(
        read,
        frame=frame,
        options=sheet.options,
        rules=(*sheet.rules, *rules),
        date_text=None,
        forms=forms,
    )
