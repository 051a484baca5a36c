"""What customers buy: the number of products, and the share bought at a discount."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw

from crmkit._door import frames, time
from crmkit._summary.purchase_days import is_purchase

Frame = nw.LazyFrame[Any]


def names(ledger: Frame) -> list[str]:
    """List the columns that the ledger has something for."""
    found = {"product": "n_products", "discount": "discount_share"}
    return [into for column, into in found.items() if frames.has(ledger, column)]


def with_breadth(customers: Frame, ledger: Frame, *, as_of: date) -> Frame:
    """Append products bought and the share of rows at a discount, by the end of a day."""
    new = names(ledger)
    if not new:
        return customers
    rows = ledger.filter(time.until(ledger, as_of))
    rows = rows.filter(is_purchase(rows))
    flags: dict[str, nw.Expr] = {}
    measured = []
    if "n_products" in new:
        flags["no_product"] = nw.col("product").is_null().cast(nw.Int64)
        measured += [
            nw.col("product").n_unique().alias("n_products"),
            nw.col("no_product").max(),
        ]
    if "discount_share" in new:
        discount = frames.known("discount")
        flags["priced"] = (~discount.is_null()).cast(nw.Int64)
        flags["reduced"] = nw.when(discount > 0).then(nw.lit(1)).otherwise(nw.lit(0))
        measured += [nw.col("priced").sum(), nw.col("reduced").sum()]
    counted = rows.with_columns(**flags).group_by("customer_id").agg(*measured)
    n_products = nw.col("n_products").cast(nw.Int64) - nw.col("no_product").cast(nw.Int64)
    share = nw.when(nw.col("priced") > 0).then(nw.col("reduced") / nw.col("priced"))
    results: dict[str, nw.Expr] = {"n_products": n_products, "discount_share": share}
    described = counted.with_columns(**{name: results[name] for name in new})
    return customers.join(described.select("customer_id", *new), on="customer_id", how="left")
