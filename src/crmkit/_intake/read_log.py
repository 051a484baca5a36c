"""From a file to a ledger in one call: what the command does before it reports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Final, Literal, get_args

import narwhals as nw

from crmkit._door import files
from crmkit._door.files.give import as_backend
from crmkit._intake import log_notes
from crmkit._intake.check import findings, sums_of
from crmkit._intake.clean import split
from crmkit._intake.column_names import Choice, find_columns, is_contact, plain
from crmkit._intake.log import Log, Tally
from crmkit._intake.number_form import Decimal
from crmkit._intake.order_rules import with_amount_of_order
from crmkit._intake.plausible_dates import with_plausible_dates
from crmkit._intake.raw_columns import Roles
from crmkit._intake.read import Returns, checked_returns, read_sheet
from crmkit._intake.read_options import ReadOptions, checked_options
from crmkit._intake.row_errors import Totals, found_only, require_readable, with_row
from crmkit._intake.sheet import Sheet, role_column
from crmkit._words import formats
from crmkit._words.arguments import require_backend, require_choice, require_share
from crmkit.errors import InvalidArgumentError, TooMuchSetAsideError
from crmkit.tables import LEDGER
from crmkit.typing import Backend

AmountPer = Literal["line", "order"]

_TABLES: Final = ("kept", "customers", "set_aside", "findings", "columns", "reasons")
_SAMPLE: Final = 100_000
_LINE: Final = "line"
_REASON: Final = "reason"
_CURRENCY: Final = (
    "currency",
    "currencycode",
    "wahrung",
    "devise",
    "moneda",
    "币种",
    "貨幣",
    "通貨",
)


def read_log(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    customer: str | None = None,
    date: str | None = None,
    amount: str | None = None,
    price: str | None = None,
    order_id: str | None = None,
    product: str | None = None,
    quantity: str | None = None,
    cost: str | None = None,
    as_of: dt.date | str | None = None,
    today: dt.date | str | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    returns: Returns = "net",
    amount_per: AmountPer = "line",
    negate: bool = False,
    accept_loss: float = 0.01,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    query: str | None = None,
    backend: Backend = "pandas",
) -> Log:
    r"""Read a log of purchases from a file: find its columns, keep the valid rows.

    It reads whatever `crmkit.intake.read_file` reads, finds the columns by their names, and
    cleans the rows as `crmkit.intake.clean` does. `Log.columns` says what was chosen.

    Parameters
    ----------
    path, encoding, separator, sheet, table, query, backend
        As in `crmkit.intake.read_file`.
    customer, date, amount, price, order_id, product, quantity, cost
        Columns of the file, where they should not be found by their names.
    as_of
        Last day to read, a date or ISO text; later rows are set aside.
    today
        The day of reading: rows after it have a date in the future, and are set aside.
    date_format, decimal, returns
        As in `crmkit.transactions`.
    amount_per
        ``"order"`` if each line has the total of its order: it is divided among them.
    negate
        True if sales are booked below zero.
    accept_loss
        Share of the rows and of the money that may be set aside. Rows without a customer are
        guests, not lost.

    Returns
    -------
    A `Log`: `kept` is the ledger, with all other columns of the file; `keep` names those of them
    that are the same in all rows of each customer and differ between customers, such as name and
    region.

    Raises
    ------
    MissingColumnsError
        If a named column is missing, or none looks like the customer or the date.
    InvalidArgumentError
        If the file cannot be read, the form of dates or numbers cannot be told, amounts are in
        several currencies or all below zero, no row can be used, or an argument is out of range.
    TooMuchSetAsideError
        If more rows or money than `accept_loss` would be set aside.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.csv")
    ...     _ = path.write_text(
    ...         "Kunde;Datum;Betrag\n007;31.01.2024;1.012,50 €\n007;2.3.2024;8,00 €"
    ...     )
    ...     log = read_log(path)
    >>> print(log.kept.to_string(index=False))
    customer_id       date  amount
            007 2024-01-31  1012.5
            007 2024-03-02     8.0
    >>> log.as_of, log.currency
    (datetime.date(2024, 3, 2), '€')
    """
    require_backend(backend)
    require_share(accept_loss, argument="accept_loss", advice="Write 0.01 for 1 %.")
    require_choice(amount_per, get_args(AmountPer), argument="amount_per")
    options = checked_options(date_format=date_format, as_of=as_of, decimal=decimal, repair=True)
    days = checked_options(date_format=None, as_of=today)
    options = replace(options, today=days.as_of, negate=negate)
    raw = files.read_file(
        path, encoding=encoding, separator=separator, sheet=sheet, table=table, query=query
    )
    given = {
        "customer": customer,
        "date": date,
        "amount": amount,
        "price": price,
        "order_id": order_id,
        "product": product,
        "quantity": quantity,
        "cost": cost,
    }
    found = find_columns(raw.table.columns, given=given)
    return log_of(
        raw, found, options, returns, amount_per, accept_loss=accept_loss, backend=backend
    )


def log_of(
    raw: files.RawFile,
    found: dict[str, Choice],
    options: ReadOptions,
    returns: Returns,
    amount_per: AmountPer,
    *,
    accept_loss: float,
    backend: Backend,
) -> Log:
    """Read every column, keep the valid rows, and say what was done."""
    frame, others = _opened(raw, found)
    roles = _roles(found, others)
    returns = checked_returns(returns, roles)
    sheet = replace(read_sheet(with_row(frame), roles, options), place="line", number=_LINE)
    if amount_per == "order":
        sheet = with_amount_of_order(sheet, roles)
    sheet = with_plausible_dates(sheet, roles.date)
    require_readable(sheet, LEDGER)
    currency = _currency(frame, others) or sheet.currency
    sums = sums_of(sheet, roles)
    own = [name for name in frame.columns if name != _LINE]
    facts = _collected(findings(sheet, sums, roles, own))
    sheet = found_only(sheet, sums)
    money = [role_column("amount")] if roles.money is not None else []
    parts = split(sheet, roles, returns, [*frame.columns, *money])
    kept, set_aside = (_collected(part) for part in parts)
    tally = _tally(sheet, sums, set_aside, raw, currency)
    log_notes.require_positive(facts, roles)
    if not len(kept):
        raise InvalidArgumentError(log_notes.none_kept(tally, raw.source))
    if tally.lost()[2] > accept_loss:
        raise TooMuchSetAsideError(
            log_notes.too_much(tally, raw.source, accept_loss),
            reasons=tuple((reason, n, money) for reason, n, money, _ in tally.reasons),
        )
    last: dt.datetime | dt.date = kept["date"].max()
    last_day = last.date() if isinstance(last, dt.datetime) else last
    keep, contacts = _of_customers(kept, roles.keep)
    one_row = "orders" in found and not kept["customer_id"].is_duplicated().any()
    log = Log(
        kept=None if one_row else kept,
        customers=_customers(kept) if one_row else None,
        set_aside=_all_set_aside(raw, set_aside.drop(*money)),
        findings=facts,
        columns=_columns(found, sheet),
        reasons=_reasons(tally, like=kept),
        keep=keep,
        contacts=contacts,
        as_of=options.as_of or last_day,
        currency=currency,
        warnings=log_notes.warnings(facts, currency, roles),
        notes=log_notes.notes(tally, raw, facts, one_row=one_row),
        source=raw.source,
    )
    tables: dict[str, Any] = {name: getattr(log, name) for name in _TABLES}
    native: Any = {
        name: None if each is None else as_backend(nw.to_native(each), backend)
        for name, each in tables.items()
    }
    return replace(log, **native)


def _opened(raw: files.RawFile, found: dict[str, Choice]) -> tuple[nw.DataFrame[Any], list[str]]:
    """Number the lines, and give columns that no role has names that no role has, either."""
    frame = nw.from_native(raw.table, eager_only=True)
    chosen = {choice.column for choice in found.values()}
    taken = {_LINE, _REASON, *LEDGER.column_names}
    new = {name: f"{name} (file)" for name in frame.columns if name in taken and name not in chosen}
    own = {name: f"{name} (file)" for name in chosen if name in {_LINE, _REASON}}
    frame = frame.rename(new | own)
    for role, choice in found.items():
        if choice.column in own:
            found[role] = choice._replace(column=own[choice.column])
    chosen = {choice.column for choice in found.values()}
    lines = nw.from_native(raw.lines, series_only=True).alias(_LINE)
    others = [name for name in frame.columns if name not in chosen]
    return frame.select(lines, nw.all()), others


def _roles(found: dict[str, Choice], others: list[str]) -> Roles:
    columns = {role: choice.column for role, choice in found.items() if role != "orders"}
    if "orders" in found:  # a count beside each row of a customer, read like any other count
        columns = {"quantity": found["orders"].column} | columns
    return Roles(**columns, keep=tuple(others))


def _currency(frame: nw.DataFrame[Any], others: list[str]) -> str:
    """Take the currency from a column of its own, which must have one only."""
    for name in others:
        if plain(name.removesuffix(" (file)")) in _CURRENCY and frame.schema[name] == nw.String:
            counts = frame[name].drop_nulls().value_counts(sort=True)
            codes = counts[name].to_list()
            if len(codes) > 1:
                shown = ", ".join(f"{code} {formats.whole(n)}" for code, n in counts.head(4).rows())
                msg = (
                    f"The amounts are in several currencies: `{name}` has {shown}.\n"
                    "Convert them to one currency, or read the rows of each by themselves."
                )
                raise InvalidArgumentError(msg)
            return str(codes[0]).strip() if codes else ""
    return ""


def _collected(frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    return frame.collect("polars")


def _tally(
    sheet: Sheet,
    sums: Totals,
    set_aside: nw.DataFrame[Any],
    raw: files.RawFile,
    currency: str,
) -> Tally:
    """Add up rows and money of the file and of each reason."""
    amount = role_column("amount")
    has_money = amount in sheet.frame.collect_schema().names()
    known = nw.when(nw.col(_LINE) < 0).then(nw.lit(0.0))  # in no row
    if has_money:
        known = nw.when(nw.col(amount).is_finite()).then(nw.col(amount))
    gross = sheet.frame.lazy().select(gross=known.abs().sum()).collect().item()
    by_reason = (
        set_aside.select(_REASON, money=known, gross=known.abs())
        .group_by(_REASON)
        .agg(nw.len().alias("n"), nw.col("money").sum(), nw.col("gross").sum())
        .sort("n", _REASON, descending=[True, False])
    )
    reasons = [(str(r), int(n), float(m), float(g)) for r, n, m, g in by_reason.rows()]
    lost = raw.set_aside_but(*files.NOT_LOST)["reason"].to_list()
    reasons += [(reason, lost.count(reason), 0.0, 0.0) for reason in dict.fromkeys(lost)]
    money = (sums.money or 0.0) if has_money else None
    return Tally(sums.n_rows + len(lost), money, float(gross), reasons, currency)


def _of_customers(
    kept: nw.DataFrame[Any], names: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the columns that are the same in all rows of each customer, and the contacts in them.

    One value throughout says nothing of a customer.
    """
    names = [name for name in names if is_contact(name) or kept[name].n_unique() > 1]
    names = [name for name in names if _may_be_one(kept.head(_SAMPLE), name)]
    if not names:
        return (), ()
    several = kept.filter(kept["customer_id"].is_duplicated())
    if not len(several):  # every column is, then; those that speak of the customer are kept
        same = [name for name in names if is_contact(name)]
    else:
        ways = several.group_by("customer_id").agg(*(nw.col(name).n_unique() for name in names))
        same = [name for name in names if ways[name].max() == 1]
    return tuple(same), tuple(name for name in same if is_contact(name))


def _may_be_one(rows: nw.DataFrame[Any], name: str) -> bool:
    """Whether a column is the same in all of the given rows of each customer."""
    pairs = rows.select("customer_id", name).unique()
    return len(pairs) == pairs["customer_id"].n_unique()


def _customers(ledger: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    names = {"date": "last_date", "quantity": "orders", "amount": "total_amount"}
    return ledger.rename({old: new for old, new in names.items() if old in ledger.columns})


def _all_set_aside(raw: files.RawFile, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Put total lines and broken lines before the rows set aside; titles are only noted."""
    lines = nw.from_native(raw.set_aside_but(files.TITLE, files.EMPTY), eager_only=True)
    both = nw.concat([lines, rows], how="diagonal") if len(lines) else rows
    return both.select(*dict.fromkeys([_LINE, _REASON, *both.columns]))


def _columns(found: dict[str, Choice], sheet: Sheet) -> nw.DataFrame[Any]:
    """List the column of each role with an example cell and what it was read as."""
    forms = dict(sheet.forms)
    dated = sheet.frame.lazy().filter(~nw.col(role_column("date")).is_null())
    first = dated.head(1).collect().rows(named=True)
    cells = first[0] if first else {}
    ids = {"customer": "customer_id", "orders": "quantity"}
    rows: dict[str, list[Any]] = {
        name: [] for name in ("role", "column", "score", "next_best", "example", "read_as", "form")
    }
    for role, choice in found.items():
        read = cells.get(role_column(ids.get(role, role)))
        if isinstance(read, dt.datetime) and read.time() == dt.time():
            read = read.date()
        cell = cells.get(choice.column)
        line = {
            "role": role,
            "column": choice.column,
            "score": choice.score,
            "next_best": f"{choice.next_best} ({choice.next_score:g})" if choice.next_best else "",
            "example": "" if cell is None else str(cell),
            "read_as": "" if read is None else str(read),
            "form": forms.get(ids.get(role, role), ""),
        }
        for name, value in line.items():
            rows[name].append(value)
    return nw.from_dict(rows, backend="polars")


def _reasons(tally: Tally, *, like: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    columns = {
        "reason": [each[0] for each in tally.reasons],
        "rows": [each[1] for each in tally.reasons],
        "money": [each[2] if tally.money is not None else None for each in tally.reasons],
    }
    schema = {"reason": nw.String(), "rows": nw.Int64(), "money": nw.Float64()}
    return nw.from_dict(columns, schema, backend=like.implementation)
