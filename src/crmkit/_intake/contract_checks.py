"""Data quality of contracts, by the rules and in the form of those of transactions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from narwhals.typing import IntoFrameT

from crmkit._intake.clean import Cleaned
from crmkit._intake.contracts import ContractColumns, Terms, as_contracts, read_contracts
from crmkit._intake.number_form import Decimal
from crmkit._intake.other_doors import cleaned, findings_of
from crmkit._intake.raw_columns import keep_names
from crmkit._intake.sheet import role_column
from crmkit.tables import CONTRACTS


def check_contracts(
    raw: IntoFrameT,
    *,
    customer: str,
    start: str,
    end: str | None = None,
    cancelled: str | None = None,
    amount: str | None = None,
    cooling_off_days: int = 0,
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
) -> IntoFrameT:
    """Check the data quality of a raw table of contracts.

    Parameters
    ----------
    raw
        One row per contract. Of a lazy table, overlaps are not found.
    customer, start, end, cancelled, amount, cooling_off_days, as_of, date_format
        As in `crmkit.contracts`.
    decimal
        Decimal mark of numbers in text, ``"."`` or ``","``, where it cannot be found.

    Returns
    -------
    One row per rule, as `crmkit.intake.check` gives them. Contracts of the cooling-off period
    are for information: `crmkit.contracts` leaves them out.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, or an argument is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "who": ["ann", "ben", "ben"],
    ...         "from": ["2024-01-01", "2024-01-01", "2024-02-01"],
    ...         "to": ["2024-01-08", "2024-03-01", None],
    ...     }
    ... )
    >>> findings = check_contracts(raw, customer="who", start="from", end="to", cooling_off_days=10)
    >>> print(findings[findings["rows"] > 0][["rule", "rows", "example"]].to_string(index=False))
                                   rule  rows                     example
                  overlapping contracts     1 row 2 ('ben'): '2024-02-01'
    cancelled in the cooling-off period     1 row 0 ('ann'): '2024-01-08'
    """
    terms = Terms(cooling_off_days, 0, as_of)
    columns = ContractColumns(customer, start, end, cancelled, amount, None, ())
    sheet, columns = read_contracts(
        raw, columns, terms, date_format=date_format, decimal=decimal, strict=False
    )
    money = role_column("amount") if amount is not None else None
    return findings_of(sheet, columns.customer, like=raw, money=money)


def clean_contracts(
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
    decimal: Decimal | None = None,
) -> Cleaned[IntoFrameT]:
    """Clean a raw table of contracts: keep valid rows, set the others aside.

    Parameters
    ----------
    raw
        One row per contract. Of a lazy table, overlaps are not found.
    customer, start, end, cancelled, amount, agent, cooling_off_days, grace_days, keep, as_of
        As in `crmkit.contracts`.
    date_format, decimal
        As in `crmkit.intake.check_contracts`.

    Returns
    -------
    A pair, `kept` as `crmkit.contracts` makes it and `set_aside` with the named columns and
    `reason`, the first rule that the row breaks: with those that are wrong, also the contracts
    that were cancelled in the cooling-off period and those that are still in it. Each row of
    `raw` is in one of them, but for rows that were joined with a later one by `grace_days`.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, a column has an unsuitable type, or an argument is outside its
        range.

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
    >>> kept, aside = clean_contracts(
    ...     raw, customer="who", start="from", end="to", cooling_off_days=10, as_of="2024-01-09"
    ... )
    >>> len(kept)
    0
    >>> print(aside[["who", "reason"]].to_string(index=False))
    who                              reason
    ann cancelled in the cooling-off period
    ben     still in the cooling-off period
    cid     still in the cooling-off period
    dan     still in the cooling-off period
    """
    terms = Terms(cooling_off_days, grace_days, as_of)
    columns = ContractColumns(customer, start, end, cancelled, amount, agent, keep_names(keep))
    sheet, columns = read_contracts(
        raw, columns, terms, date_format=date_format, decimal=decimal, repair=True, strict=False
    )
    named = list(dict.fromkeys(columns.named.values()))
    return cleaned(
        sheet, CONTRACTS, named, lambda rows: as_contracts(rows, columns, terms), like=raw
    )
