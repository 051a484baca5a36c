"""Findings on whole orders, customers and spellings, which no single row shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import narwhals as nw

from crmkit._door import time
from crmkit._intake.amounts import return_rows
from crmkit._intake.ids import one_spelling
from crmkit._intake.raw_columns import Roles
from crmkit._intake.row_errors import Totals, shown
from crmkit._intake.sheet import TEXT_TYPES, WHITE_SPACE, Severity, Sheet, as_text, role_column
from crmkit.errors import InvalidArgumentError

ORDER_TOTALS: Final = "order total on each line"
ALL_NEGATIVE: Final = "all amounts below zero"
RETURNS_ONLY: Final = "returns without any purchase"
SPELLINGS: Final = "spellings of one customer"
_MAY_BE_SPELLED_OTHERWISE: Final = "[^0-9a-z_-]"
_SAMPLE: Final = 100_000
_FEWEST_ORDERS: Final = 3
_FEWEST_ROWS: Final = 3
_CUSTOMER: Final = role_column("customer_id")
_ORDER: Final = role_column("order_id")
_AMOUNT: Final = role_column("amount")


class Finding(NamedTuple):
    """One rule, the rows that it finds, their money if it is known, and an example."""

    rule: str
    severity: Severity
    rows: int
    money: float | None
    example: str


def returns_only(sheet: Sheet, sums: Totals, roles: Roles) -> Iterable[Finding]:
    """Count the rows of customers without a purchase: a customer summary leaves them out.

    An order is a purchase unless the lines of its first day sum to less than zero.
    """
    is_return = return_rows(roles)
    if is_return is None:
        return
    role = "amount" if roles.money is not None else "quantity"
    value = role_column(role)
    n_of = {rule.name: n for rule, (n, _) in zip(sheet.rules, sums.found, strict=True)}
    if not n_of.get(f"negative {role}"):
        yield Finding(RETURNS_ONLY, "warning", 0, None, "")
        return
    rows = sheet.frame.lazy().filter(~nw.col(_CUSTOMER).is_null() & ~nw.col(value).is_null())
    returners = rows.filter(is_return).select(_CUSTOMER).unique(_CUSTOMER)
    rows = rows.join(returners, on=_CUSTOMER, how="semi")
    if roles.order_id is not None and roles.money is not None:
        rows = rows.filter(~nw.col(_ORDER).is_null() & ~nw.col(role_column("date")).is_null())
        day = time.day_number(rows, role_column("date"))
        order = ["customer", "order"]
        lines = rows.select(
            customer=nw.col(_CUSTOMER), order=nw.col(_ORDER), day=day, net=nw.col(_AMOUNT)
        )
        days = (
            lines.with_columns(gross=nw.col("net").abs())
            .group_by(*order, "day")
            .agg(nw.col("net").sum(), nw.col("gross").sum(), nw.len().alias("n"))
        )
        first = days.group_by(*order).agg(nw.col("day").min())
        is_first = days.select(*order, "day", "net", "gross").join(first, on=[*order, "day"])
        # a sum of floats that is zero but for rounding is zero
        bought = (nw.col("net") >= -1e-9 * nw.col("gross")).cast(nw.Int64)
        purchases = is_first.select("customer", bought=bought)
        n_rows = days.group_by("customer").agg(nw.col("n").sum())
        by_customer = (
            purchases.group_by("customer")
            .agg(nw.col("bought").max())
            .filter(nw.col("bought") == 0)
            .join(n_rows, on="customer")
        )
    else:
        bought = (~is_return).cast(nw.Int64)
        by_customer = (
            rows.select(nw.col(_CUSTOMER).alias("customer"), bought.alias("bought"))
            .group_by("customer")
            .agg(nw.col("bought").max(), nw.len().alias("n"))
            .filter(nw.col("bought") == 0)
        )
    found = by_customer.sort("customer").select("customer", "n").collect()
    example = ", ".join(map(shown, found["customer"].head(3).to_list()))
    rows_found = int(found["n"].sum() or 0)
    yield Finding(RETURNS_ONLY, "warning", rows_found, None, example)


def order_totals(sheet: Sheet, roles: Roles) -> Iterable[Finding]:
    """Find the total of the order on each of its lines: money that would count several times."""
    if roles.order_id is None or roles.amount is None:
        return
    if isinstance(sheet.frame, nw.DataFrame) and len(sheet.frame) > _SAMPLE:
        found = _totals_of_orders(sheet.frame.head(_SAMPLE).lazy())
        if int(found["orders"] or 0) > int(found["same"] or 0):
            yield Finding(ORDER_TOTALS, "warning", 0, None, "")
            return
    found = _totals_of_orders(sheet.frame.lazy())
    n_orders = int(found["orders"] or 0)
    is_total = (
        n_orders >= _FEWEST_ORDERS
        and int(found["same"] or 0) == n_orders
        and found["least"] != found["most"]  # one price for all says nothing
    )
    if not is_total:
        yield Finding(ORDER_TOTALS, "warning", 0, None, "")
        return
    first = _orders(sheet.frame.lazy()).sort("order").select("order", "n", "low")
    order, n, low = first.head(1).collect().row(0)
    example = f"order {shown(order)}: {shown(low)} on each of its {n} lines"
    yield Finding(ORDER_TOTALS, "warning", int(found["over"]), float(found["money"]), example)


def _orders(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Take the orders of several lines, with their lowest and highest amount."""
    rows = frame.filter(~nw.col(_ORDER).is_null() & ~nw.col(_AMOUNT).is_null())
    amount = nw.col("amount")
    lines = rows.select(order=nw.col(_ORDER), amount=nw.col(_AMOUNT)).group_by("order")
    orders = lines.agg(nw.len().alias("n"), amount.min().alias("low"), amount.max().alias("high"))
    return orders.filter(nw.col("n") > 1)


def _totals_of_orders(frame: nw.LazyFrame[Any]) -> dict[str, Any]:
    n_over = (nw.col("n").cast(nw.Int64) - 1).cast(nw.Float64)
    sums = _orders(frame).select(
        nw.len().alias("orders"),
        (nw.col("low") == nw.col("high")).cast(nw.Int64).sum().alias("same"),
        n_over.sum().alias("over"),
        (n_over * nw.col("low")).sum().alias("money"),
        nw.col("low").min().alias("least"),
        nw.col("low").max().alias("most"),
    )
    return sums.collect().rows(named=True)[0]


def with_amount_of_order(sheet: Sheet, roles: Roles) -> Sheet:
    """Divide the total of an order, which each of its lines has, among the lines."""
    if roles.order_id is None or roles.amount is None:
        msg = 'amount_per="order" needs the order of each line.\nName it with order_id=.'
        raise InvalidArgumentError(msg)
    n_lines = nw.len().over(_ORDER)
    return sheet.with_column(_AMOUNT, nw.col(_AMOUNT) / n_lines)


def all_negative(totals: Totals) -> Finding:
    """Find amounts of one sign: sales that are booked below zero."""
    is_so = totals.n_known >= _FEWEST_ROWS and (totals.most or 0.0) < 0
    if not is_so:
        return Finding(ALL_NEGATIVE, "error", 0, None, "")
    example = f"the largest is {shown(totals.most)}"
    return Finding(ALL_NEGATIVE, "error", totals.n_known, totals.money, example)


def spellings(sheet: Sheet, roles: Roles) -> Iterable[Finding]:
    """Count the rows whose customer is written otherwise than in most rows.

    Ids that differ in white space, case, full-width digits or a final ".0" are compared.
    """
    if sheet.dtype(roles.customer) not in TEXT_TYPES:
        return
    written = as_text(sheet, roles.customer)
    if isinstance(sheet.frame, nw.DataFrame):
        may_differ = written.str.contains(_MAY_BE_SPELLED_OTHERWISE).fill_null(value=False).any()
        if not sheet.frame.lazy().select(may_differ=may_differ).collect().item():
            return
    ids = sheet.frame.lazy().select(written=written).filter(~nw.col("written").is_null())
    counted = ids.group_by("written").agg(nw.len().alias("n"))
    key = one_spelling(nw.col("written").str.strip_chars(WHITE_SPACE)).str.to_lowercase()
    groups = (
        counted.with_columns(key=key)
        .group_by("key")
        .agg(nw.len().alias("ways"), nw.col("n").sum(), nw.col("n").max().alias("usual"))
        .filter((nw.col("ways") > 1) & (nw.col("key") != ""))
    )
    found = groups.select("key", "n", "usual").sort("key").collect()
    rows = sum(found["n"].to_list()) - sum(found["usual"].to_list())
    example = ""
    if rows:
        first = found["key"].head(1).item()
        ways = counted.with_columns(key=key).filter(nw.col("key") == first)
        example = ", ".join(map(shown, ways.sort("written").head(4).collect()["written"].to_list()))
    yield Finding(SPELLINGS, "warning", int(rows), None, example)
