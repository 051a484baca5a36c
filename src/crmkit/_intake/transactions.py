"""The canonical ledger: one row per order, order line or return."""

from __future__ import annotations

import datetime as dt

from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._intake.raw_columns import Roles, open_named
from crmkit._intake.read import (
    Returns,
    as_manner,
    as_returns,
    read_sheet,
    to_ledger,
    without_returns,
)
from crmkit._intake.row_errors import require_good_rows, require_readable
from crmkit.tables import LEDGER


def transactions(
    raw: IntoFrameT,
    *,
    customer: str,
    date: str,
    amount: str | None = None,
    price: str | None = None,
    order_id: str | None = None,
    product: str | None = None,
    quantity: str | None = None,
    as_of: dt.date | None = None,
    date_format: str | None = None,
    returns: Returns = "net",
) -> IntoFrameT:
    """Turn a raw log of purchases into the ledger that all else starts from.

    The only place where columns are named by the caller. It changes types and names, never a
    value, and leaves out no row that it was not told to: a row that cannot be right is an
    error. The assumption that most often fails is that a row below zero is a return; discounts
    booked as lines of their own look the same, and with an `order_id` they are netted.

    Parameters
    ----------
    raw
        One row per order, order line or return. Other columns are left out; so is an index.
    customer
        Column of customer ids: text or whole numbers.
    date
        Column of days or times. A time with a zone is taken as the wall clock of that zone.
        Text is read where all of it follows one known order of year, month and day.
    amount
        Column of money, in one currency, below zero for a return.
    price
        Column of prices per unit, instead of `amount`, which is then `quantity` times `price`.
    order_id
        Column of order ids. Lines that share one count as one order.
    product
        Column of product ids.
    quantity
        Column of units bought.
    as_of
        Last day that the log can tell of. Rows after it are an error.
    date_format
        How text dates are written, in strptime codes, such as ``"%d/%m/%Y"``; with
        ``"%Y%m%d"`` also whole numbers such as 20241231. Lazy tables with dates in text need
        it, as their values are not looked at.
    returns
        What to make of returns: rows with an `amount` below zero, or, where no money is named,
        a `quantity` below zero. ``"net"``: they lower money, and never count as a purchase.
        ``"drop"``: they are left out, so that money is gross. ``"keep"``: they count as
        purchases like any other row.

    Returns
    -------
    The rows of `raw`, in its order:

    ===============  ======  ==================================================================
    ``customer_id``  id      who bought
    ``date``         date    day, or time without a zone
    ``amount``       float   money; if `amount` or `price` is given
    ``order_id``     id      if given
    ``product``      id      if given; may be null
    ``quantity``     float   units; if given; may be null unless a `price` multiplies it
    ``is_purchase``  flag    with ``returns="keep"``, or where the quantity tells the returns
    ===============  ======  ==================================================================

    Raises
    ------
    MissingColumnsError
        If a named column is not there.
    InvalidRowsError
        If rows cannot be right: a customer, date, amount or order is missing or cannot be read,
        an amount is not finite, a date is before 1900 or after `as_of`. `crmkit.intake.clean`
        sets them aside instead.
    InvalidArgumentError
        If a column as a whole cannot be what it should, text dates read both day first and
        month first, or arguments contradict each other.

    Notes
    -----
    Eager tables are checked in full. A lazy table is held to its column types, and stays a plan;
    text in it that does not parse stops the engine when the plan is run. `crmkit.intake.check`
    looks at the values of both.

    Ids of pandas that nulls once turned into floats (17850.0) become whole numbers. In lazy
    tables they stay floats. Numbers in text are read as 1234.50 only: thousands separators are
    not guessed.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "CustomerID": ["ann", "ben", "ann"],
    ...         "Order Date": ["31/01/2024", "05/02/2024", "09/02/2024"],
    ...         "Quantity": [2, 1, -1],
    ...         "UnitPrice": [10.0, 15.0, 10.0],
    ...     }
    ... )
    >>> orders = transactions(
    ...     raw, customer="CustomerID", date="Order Date", quantity="Quantity", price="UnitPrice"
    ... )
    >>> print(orders.to_string(index=False))
    customer_id       date  amount  quantity
            ann 2024-01-31    20.0       2.0
            ben 2024-02-05    15.0       1.0
            ann 2024-02-09   -10.0      -1.0
    """
    roles = Roles(customer, date, amount, price, order_id, product, quantity)
    returns = as_returns(returns, roles)
    frame, names = open_named(raw, roles.columns, LEDGER)
    roles = Roles(**names)
    manner = as_manner(date_format=date_format, as_of=as_of, strict=frames.is_lazy(raw))
    sheet = read_sheet(frame, roles, manner)
    require_readable(sheet, LEDGER)
    require_good_rows(sheet, LEDGER, key=roles.customer)
    rows = without_returns(sheet.frame, roles, returns)
    return frames.give(to_ledger(sheet, rows, roles, returns).lazy(), like=raw)
