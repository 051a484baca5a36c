"""Data quality of costs and prospects, by the rules and in the form of those of transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._intake.check import as_table, by_row
from crmkit._intake.clean import Cleaned, divided
from crmkit._intake.costs import items, read_costs
from crmkit._intake.number_form import Decimal
from crmkit._intake.prospects import people, read_prospects
from crmkit._intake.raw_columns import AnyFrame
from crmkit._intake.row_errors import require_readable, totals
from crmkit._intake.sheet import Sheet, role_column
from crmkit.tables import COSTS, PROSPECTS, Table


def check_costs(
    raw: IntoFrameT,
    *,
    item: str,
    kind: str,
    amount: str,
    group: str | None = None,
    decimal: Decimal | None = None,
) -> IntoFrameT:
    """Check the data quality of a raw table of costs and revenues.

    Parameters
    ----------
    raw
        One row per item.
    item, kind, amount, group
        As in `crmkit.costs`.
    decimal
        Decimal mark of numbers in text, ``"."`` or ``","``, where it cannot be found.

    Returns
    -------
    One row per rule, as `crmkit.intake.check` gives them.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, or `decimal` is neither mark.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame({"What": ["visits", "sales"], "Type": ["cost", "?"], "Euro": [3, 9]})
    >>> findings = check_costs(raw, item="What", kind="Type", amount="Euro")
    >>> print(findings[findings["rows"] > 0][["rule", "rows", "example"]].to_string(index=False))
            rule  rows              example
    unknown kind     1 row 1 ('sales'): '?'
    """
    sheet, names = read_costs(
        raw, item=item, kind=kind, amount=amount, group=group, decimal=decimal, strict=False
    )
    return findings_of(sheet, names["item"], like=raw, money=role_column("amount"))


def clean_costs(
    raw: IntoFrameT,
    *,
    item: str,
    kind: str,
    amount: str,
    group: str | None = None,
    decimal: Decimal | None = None,
) -> Cleaned[IntoFrameT]:
    """Clean a raw table of costs and revenues: keep valid rows, set the others aside.

    Parameters
    ----------
    raw
        One row per item.
    item, kind, amount, group, decimal
        As in `crmkit.intake.check_costs`.

    Returns
    -------
    A pair, `kept` as `crmkit.costs` makes it and `set_aside` with the named columns and `reason`,
    the first rule that the row breaks. Each row of `raw` is in one of them.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, a column has an unsuitable type, or the decimal mark cannot be
        told.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame({"What": ["visits", "sales"], "Type": ["cost", "?"], "Euro": [3, 9]})
    >>> kept, set_aside = clean_costs(raw, item="What", kind="Type", amount="Euro")
    >>> len(kept), set_aside["reason"].tolist()
    (1, ['unknown kind'])
    """
    sheet, names = read_costs(
        raw, item=item, kind=kind, amount=amount, group=group, decimal=decimal, strict=False
    )
    columns = list(dict.fromkeys(names.values()))
    return cleaned(sheet, COSTS, columns, lambda rows: items(rows, names), like=raw)


def check_prospects(raw: IntoFrameT, *, customer: str) -> IntoFrameT:
    """Check the data quality of a raw table of people.

    Parameters
    ----------
    raw
        One row per person. Of a lazy table, second rows of a person are not found.
    customer
        As in `crmkit.prospects`.

    Returns
    -------
    One row per rule, as `crmkit.intake.check` gives them; `money` is null.

    Raises
    ------
    MissingColumnsError
        If the named column is missing.
    InvalidArgumentError
        If `raw` is not a table.

    Examples
    --------
    >>> import pandas as pd
    >>> findings = check_prospects(pd.DataFrame({"Code": ["ann", "ann", None]}), customer="Code")
    >>> print(findings[findings["rows"] > 0][["rule", "rows", "example"]].to_string(index=False))
                  rule  rows       example
    person in two rows     1 row 1 ('ann')
      missing customer     1         row 2
    """
    sheet, names, _ = read_prospects(raw, customer=customer, strict=False)
    return findings_of(sheet, names["customer"], like=raw)


def clean_prospects(
    raw: IntoFrameT, *, customer: str, keep: Sequence[str] = ()
) -> Cleaned[IntoFrameT]:
    """Clean a raw table of people: keep one row per person, set the others aside.

    Parameters
    ----------
    raw
        One row per person. Of a lazy table, second rows of a person are not found.
    customer, keep
        As in `crmkit.prospects`.

    Returns
    -------
    A pair, `kept` as `crmkit.prospects` makes it and `set_aside` with the named columns and
    `reason`, the first rule that the row breaks. Each row of `raw` is in one of them.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, or the column of ids has an unsuitable type.

    Examples
    --------
    >>> import pandas as pd
    >>> kept, aside = clean_prospects(pd.DataFrame({"Code": ["ann ", "ann"]}), customer="Code")
    >>> kept["customer_id"].tolist(), aside["reason"].tolist()
    (['ann'], ['person in two rows'])
    """
    sheet, names, kept = read_prospects(
        raw, customer=customer, keep=keep, repair=True, strict=False
    )
    columns = list(dict.fromkeys(names.values()))
    return cleaned(sheet, PROSPECTS, columns, lambda rows: people(rows, kept), like=raw)


def findings_of(
    sheet: Sheet, key: str, *, like: IntoFrameT, money: str | None = None
) -> IntoFrameT:
    """List what the rules of a sheet find."""
    sums = totals(sheet.frame, sheet.rules, money=money)
    table = as_table(by_row(sheet, sums, key), sums.n_rows, like=sheet.frame)
    return frames.give(table, like=like)


def cleaned(
    sheet: Sheet,
    table: Table,
    columns: list[str],
    kept: Callable[[AnyFrame], AnyFrame],
    *,
    like: IntoFrameT,
) -> Cleaned[Any]:
    """Divide the rows of a sheet into a table of valid ones and the others with the reason."""
    require_readable(sheet, table)
    good, others = divided(sheet, columns)
    valid = kept(good)
    if isinstance(valid, nw.DataFrame):
        valid = nw.maybe_reset_index(valid)
    return Cleaned(
        kept=frames.give(valid.lazy(), like=like), set_aside=frames.give(others.lazy(), like=like)
    )
