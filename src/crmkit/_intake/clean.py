"""Valid rows of a raw log as a ledger, and the other rows with the reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._intake.amounts import return_rows
from crmkit._intake.number_form import Decimal
from crmkit._intake.plausible_dates import with_plausible_dates
from crmkit._intake.raw_columns import AnyFrame, Roles, keep_names, open_raw
from crmkit._intake.read import Returns, checked_returns, read_sheet, to_ledger
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import found_only, require_readable, totals
from crmkit._intake.sheet import Sheet
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

_REASON: Final = "_crmkit_reason"


class Cleaned(NamedTuple, Generic[IntoFrameT]):
    """Result of `clean`: valid rows as a ledger, and the rows set aside.

    Attributes
    ----------
    kept
        The ledger, as `crmkit.transactions` makes it.
    set_aside
        The other rows with all their columns unchanged, and `reason`.
    """

    kept: IntoFrameT
    set_aside: IntoFrameT


def clean(
    raw: IntoFrameT,
    *,
    customer: str,
    date: str,
    amount: str | None = None,
    price: str | None = None,
    order_id: str | None = None,
    product: str | None = None,
    quantity: str | None = None,
    cost: str | None = None,
    keep: Sequence[str] = (),
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    returns: Returns = "net",
) -> Cleaned[IntoFrameT]:
    """Clean a raw transaction log: keep valid rows, set the others aside.

    Leaving rows out is harmless only if they are few and random. Rows without a customer rarely
    are: they are often all guest orders of one shop, so look at `set_aside` before you go on.

    Parameters
    ----------
    raw
        One row per order, order line or return. A lazy table stays lazy, but is run once for the
        form of its texts, and once for the dates that stand out.
    customer, date, amount, price, order_id, product, quantity, cost, keep, as_of
        As in `crmkit.transactions`.
    date_format, decimal
        As in `crmkit.transactions`.
    returns
        As in `crmkit.transactions`; with ``"drop"``, returns are set aside.

    Returns
    -------
    A pair, `kept` and `set_aside`. Each row of `raw` is in exactly one of them, in its order.
    `kept` has the columns of `crmkit.transactions`. `set_aside` has those of `raw` and one more:

    ==========  ====  =========================================================================
    ``reason``  text  the first rule that the row breaks, in the words of `crmkit.intake.check`
    ==========  ====  =========================================================================

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If a column has an unsuitable type, the form of dates or numbers cannot be told, a column
        is already called `reason`, or arguments contradict each other.

    Notes
    -----
    Repairs without loss are made in `kept`: ids lose white space around them, full-width digits
    and a final ".0", ids of mixed type become text, dates and numbers in text are parsed. Valid
    rows with a warning (exact duplicates, returns, zero amounts) are kept, but for four that would
    mislead all that follows: rows without a customer, ids that stand for none ("nan", "N/A"),
    a system's default dates, and dates far after all others.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "who": ["ann ", None, "ben", "ben"],
    ...         "when": ["2024-01-31", "2024-02-05", "2024-02-30", "2024-03-01"],
    ...         "paid": ["20.00", "10.00", "15.00", "-5.00"],
    ...     }
    ... )
    >>> kept, set_aside = clean(raw, customer="who", date="when", amount="paid")
    >>> print(kept.to_string(index=False))
    customer_id       date  amount
            ann 2024-01-31    20.0
            ben 2024-03-01    -5.0
    >>> print(set_aside[["when", "paid", "reason"]].to_string(index=False))
          when  paid           reason
    2024-02-05 10.00 missing customer
    2024-02-30 15.00  unparsable date
    """
    roles = Roles(
        customer, date, amount, price, order_id, product, quantity, cost, keep_names(keep)
    )
    returns = checked_returns(returns, roles)
    options = checked_options(date_format=date_format, as_of=as_of, decimal=decimal, repair=True)
    frame = open_raw(raw, roles.all_columns, LEDGER)
    names = frame.collect_schema().names()
    _require_no_reason(names)
    sheet = with_plausible_dates(read_sheet(frame, roles, options), roles.date)
    require_readable(sheet, LEDGER)
    if isinstance(sheet.frame, nw.DataFrame):
        sheet = found_only(sheet, totals(sheet.frame, sheet.rules))
    kept, set_aside = split(sheet, roles, returns, names)
    return Cleaned(kept=frames.give(kept, like=raw), set_aside=frames.give(set_aside, like=raw))


def split(
    sheet: Sheet, roles: Roles, returns: Returns, names: list[str]
) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Split a sheet into the ledger of its valid rows, and the other rows with the reason."""
    extra = []
    is_return = return_rows(roles)
    if returns == "drop" and is_return is not None:
        extra = [("return, left out as requested", is_return)]
    good, others = divided(sheet, names, extra)
    return to_ledger(sheet, good, roles, returns).lazy(), others.lazy()


def divided(
    sheet: Sheet, names: list[str], extra: Sequence[tuple[str, nw.Expr]] = ()
) -> tuple[AnyFrame, AnyFrame]:
    """Divide rows into the valid ones, with all that was read, and the others with the reason."""
    rows, reason = sheet.frame, _reason(sheet, extra).alias(_REASON)
    if isinstance(rows, nw.LazyFrame):
        judged: AnyFrame = frames.with_columns(rows, reason)
    else:
        judged = rows.with_columns(reason)
    good = nw.col(_REASON).is_null()
    others = judged.filter(~good).select(*names, nw.col(_REASON).alias("reason"))
    if isinstance(others, nw.DataFrame):
        others = nw.maybe_reset_index(others)
    return judged.filter(good), others


def _require_no_reason(names: list[str]) -> None:
    if "reason" in names:
        msg = (
            f"{LEDGER.name}: column `reason` exists already, and `set_aside` adds one.\nRename it."
        )
        raise InvalidArgumentError(msg)


def _reason(sheet: Sheet, extra: Sequence[tuple[str, nw.Expr]]) -> nw.Expr:
    """Name the first rule that a row breaks; null for a valid row."""
    causes = [
        (rule.name, rule.rows) for rule in sheet.rules if rule.sets_aside and rule.rows is not None
    ]
    reason = nw.lit(None).cast(nw.String)
    for name, rows in reversed([*causes, *extra]):
        broken = rows.fill_null(value=False).cast(nw.Boolean)  # Dask takes some for text
        reason = nw.when(broken).then(nw.lit(name)).otherwise(reason)
    return reason
