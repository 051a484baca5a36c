"""Columns of a log by their common names, and a CSV or Parquet file read by them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crmkit.errors import InvalidArgumentError, MissingColumnsError

if TYPE_CHECKING:
    import polars as pl

ROLES: Final = ("customer", "date", "amount", "quantity", "price", "order_id")
"""What a column of a log can be, in the words of `crmkit.transactions`."""

# The names that logs commonly use, best first, without case, spaces and punctuation.
_COMMON_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": (
        *("customerid", "customer", "custid", "customernumber", "customerno", "customerkey"),
        *("clientid", "client", "memberid", "userid", "user", "accountid", "account", "email"),
    ),
    "date": (
        *("date", "orderdate", "invoicedate", "purchasedate", "transactiondate", "salesdate"),
        *("datetime", "timestamp", "ordertimestamp", "createdat", "orderedat", "time", "day"),
    ),
    "amount": (
        *("amount", "totalamount", "netamount", "orderamount", "total", "ordertotal", "revenue"),
        *("sales", "spend", "turnover", "dollarvalue", "value", "ordervalue", "netsales"),
        *("grossamount", "grandtotal", "subtotal", "payment"),
    ),
    "quantity": ("quantity", "qty", "units"),
    "price": ("unitprice", "price", "priceperunit"),
    "order_id": (
        *("orderid", "orderno", "ordernumber", "invoiceno", "invoice", "invoiceid"),
        *("invoicenumber", "transactionid", "receiptid", "basketid"),
    ),
}
_ONLY_IN_PAIRS: Final = ("quantity", "price")
_SEPARATORS: Final = (",", ";", "\t", "|")
_NAMES_SHOWN: Final = 12
_LONGEST_HEADER: Final = 1_000_000


def find_columns(names: Sequence[str], *, given: Mapping[str, str | None]) -> dict[str, str]:
    """Find the column of a log for each role.

    Parameters
    ----------
    names
        The columns of the log.
    given
        Role to column, as the user said it; roles left out are found by common names.

    Returns
    -------
    Role to column. A log with a quantity and a unit price needs no amount: their product is it.

    Raises
    ------
    MissingColumnsError
        If a given column is not there, or nothing looks like a customer or a date.

    Examples
    --------
    >>> find_columns(["InvoiceNo", "InvoiceDate", "Customer ID", "Revenue"], given={})
    {'customer': 'Customer ID', 'date': 'InvoiceDate', 'amount': 'Revenue', 'order_id': 'InvoiceNo'}
    """
    said = {role: column for role, column in given.items() if column}
    for role, column in said.items():
        if column not in names:
            raise MissingColumnsError(_no_column(column, role=role, names=names))
    plain = {re.sub(r"[\W_]", "", name.lower()): name for name in reversed(names)}
    found = dict(said)
    for role in ROLES:
        common = (plain[name] for name in _COMMON_NAMES[role] if name in plain)
        column = next((name for name in common if name not in found.values()), "")
        if role not in found and column:
            found[role] = column
    for role in ("customer", "date"):
        if role not in found:
            raise MissingColumnsError(_no_role(role, names=names))
    if "amount" in found or not {"quantity", "price"} <= set(found):
        found = {role: column for role, column in found.items() if role not in _ONLY_IN_PAIRS}
    return {role: found[role] for role in ROLES if role in found}


def column_names(path: Path) -> list[str]:
    """Read the names of a file's columns."""
    return _scan(path).collect_schema().names()


def read_columns(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """Read the named columns of a CSV or Parquet file.

    The cells of a CSV file come as text, so that "00017" stays a customer of its own and one
    cell that does not parse costs one row, not the file.
    """
    table = _scan(path).select(list(dict.fromkeys(names))).collect(engine="streaming")
    if table.is_empty():
        msg = f"{path.name} has no rows below its header."
        raise InvalidArgumentError(msg)
    return table


def _scan(path: Path) -> pl.LazyFrame:
    import polars as pl  # noqa: PLC0415 - loaded when files are, not with crmkit

    if not path.is_file():
        msg = f"The file {path} does not exist."
        raise InvalidArgumentError(msg)
    if path.stat().st_size == 0:
        msg = f"{path.name} is empty."
        raise InvalidArgumentError(msg)
    if path.suffix.lower() in {".parquet", ".pq"}:
        return pl.scan_parquet(path)
    separator = _separator(path)
    return pl.scan_csv(path, separator=separator, infer_schema=False, encoding="utf8-lossy")


def _separator(path: Path) -> str:
    """Take the separator that occurs most in the header."""
    header = _first_line(path)
    if b"\0" in header or (len(header) == _LONGEST_HEADER and not header.endswith(b"\n")):
        msg = f"{path.name} is not a CSV file: its first line is not text."
        raise InvalidArgumentError(msg)
    text = header.decode("utf-8", errors="replace")
    return max(_SEPARATORS, key=text.count)


def _first_line(path: Path) -> bytes:
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            return file.readline(_LONGEST_HEADER)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        msg = f"{path.name} ends in .gz, but what it holds was not packed by gzip."
        raise InvalidArgumentError(msg) from None


def _no_column(column: str, *, role: str, names: Sequence[str]) -> str:
    close = get_close_matches(column, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"No column {column!r} for the {_words(role)} among {_some(names)}.{hint}"


def _no_role(role: str, *, names: Sequence[str]) -> str:
    return f"No column looks like the {_words(role)} among {_some(names)}; name it with --{role}."


def _words(role: str) -> str:
    return role.replace("_id", "")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
