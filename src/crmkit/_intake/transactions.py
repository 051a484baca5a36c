"""Ledger of transactions: one row per order, order line or return."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._intake.number_form import Decimal
from crmkit._intake.raw_columns import Roles, keep_names, open_named
from crmkit._intake.read import (
    Returns,
    checked_returns,
    read_sheet,
    to_ledger,
    without_returns,
)
from crmkit._intake.read_options import checked_options
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
    cost: str | None = None,
    keep: Sequence[str] = (),
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    returns: Returns = "net",
) -> IntoFrameT:
    """Turn a raw log of purchases into a ledger of transactions.

    Name the columns here; all other functions start from the ledger. Types and names change,
    values never, and rows are left out only as `returns` requests: an invalid row is an error.
    The assumption that most often fails is that a row below 0 is a return; a discount on a line
    of its own looks the same, and is netted within its order if `order_id` is given.

    Parameters
    ----------
    raw
        One row per order, order line or return. Other columns and the index are left out.
    customer
        Column of customer ids: text or whole numbers.
    date
        Column of days or times. A time with a zone becomes the wall clock time of that zone.
        Text is parsed if all dates have the same known order of year, month and day.
    amount
        Column of money, in one currency, below 0 for a return.
    price
        Column of prices per unit, instead of `amount`: the amount is then `quantity` times
        `price`.
    order_id
        Column of order ids. Lines with the same id count as one order.
    product
        Column of product ids.
    quantity
        Column of units bought.
    cost
        Column of what the row cost the company, in the currency of the amounts.
    keep
        Columns to carry through unchanged, such as region, channel or name.
    as_of
        Last possible day of the log, a date or ISO text. Rows after it are an error.
    date_format
        Format of the dates, where it cannot be found or should not be looked for: strptime codes
        such as ``"%d/%m/%Y"``, or for numbers ``"excel"`` (days of a spreadsheet), ``"seconds"``
        or ``"milliseconds"`` since 1970.
    decimal
        Decimal mark of numbers in text, ``"."`` or ``","``, where it cannot be found.
    returns
        How to treat returns: rows with an `amount` below 0, or, without amounts, a `quantity`
        below 0. ``"net"``: they lower the amount, and never count as purchases. ``"drop"``:
        they are left out, so amounts are gross. ``"keep"``: they count as purchases like any
        other row.

    Returns
    -------
    The rows of `raw`, in its order:

    ===============  ======  ==================================================================
    ``customer_id``  id      the customer
    ``date``         date    day, or time without a zone
    ``amount``       float   money; if `amount` or `price` is given
    ``order_id``     id      if given
    ``product``      id      if given; may be null
    ``quantity``     float   units; if given; may be null unless a `price` multiplies it
    ``cost``         float   money; if given; may be null
    ``is_purchase``  flag    with ``returns="keep"``, or where the quantity shows the returns
    ===============  ======  ==================================================================

    and the columns of `keep`.

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidRowsError
        If rows are invalid: a customer, date, amount or order is missing or cannot be read, an
        amount is not finite, a date is before 1900 or after `as_of`. `crmkit.intake.clean` sets
        them aside instead.
    InvalidArgumentError
        If a column has an unsuitable type, dates can be read in several orders of day, month and
        year, the decimal mark cannot be told (1.706 throughout), amounts are in several
        currencies, or arguments contradict each other.

    Notes
    -----
    Eager tables are checked in full. Of a lazy table only the column types are checked, and it
    stays lazy; text in it that cannot be parsed is an error of the engine when the plan runs.
    `crmkit.intake.check` checks the values of both.

    The form of dates and numbers in text is found once for the column, from all its values:
    1,706.18, $1,706.18, 1.706,18 €, CHF 1'706.18, (12.50) and 12.50- are read; so are dates such
    as 12/31/24, 31. Dez. 2024 and 2024年12月31日, and numbers as a spreadsheet or a server
    counts days and seconds. A lazy table is run once for that; give `date_format` and `decimal`
    to spare it.

    Ids of pandas that nulls have turned into floats (17850.0) become whole numbers. In lazy
    tables they stay floats.

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
    roles = Roles(
        customer, date, amount, price, order_id, product, quantity, cost, keep_names(keep)
    )
    returns = checked_returns(returns, roles)
    frame, names = open_named(raw, roles.all_columns, LEDGER)
    roles = roles.renamed(names)
    options = checked_options(
        date_format=date_format, as_of=as_of, decimal=decimal, strict=frames.is_lazy(raw)
    )
    sheet = read_sheet(frame, roles, options)
    require_readable(sheet, LEDGER)
    require_good_rows(sheet, LEDGER, key=roles.customer)
    rows = without_returns(sheet.frame, roles, returns)
    return frames.give(to_ledger(sheet, rows, roles, returns).lazy(), like=raw)
