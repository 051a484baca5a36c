"""The bridge from the sales of one period to those of another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger, periods
from crmkit._sales.periods import Compare
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_choice
from crmkit.models.numerics import price_volume_mix
from crmkit.models.numerics.price_volume_mix import MIXES, Mix
from crmkit.tables import SALES_BRIDGE
from crmkit.typing import Period

_SUMS: Final = ("amount_now", "amount_before", "units_now", "units_before")
_KEPT, _NEW, _LOST = 0, 1, 2


def bridge(
    orders: IntoFrameT,
    *,
    every: Period,
    as_of: date | str,
    by: str | Sequence[str] = "product",
    compare: Compare = "previous",
    mix: Mix = "prices before",
) -> IntoFrameT:
    """Bridge from sales before to sales now: new and lost customers, volume, mix and price.

    The assumption that most often fails is that `quantity` counts one thing: of boxes and bottles
    under one product a shift between both looks like a price.

    Parameters
    ----------
    orders
        One row per order line or return, as made by `crmkit.transactions`, with `quantity` and the
        columns of `by`. A lazy table is run twice.
    every
        The calendar period: "day", "week", "month", "quarter" or "year". The last one that is over
        is compared.
    as_of
        The last day that is seen, as a date or ISO text.
    by
        What has a price of its own: the product, or product and channel.
    compare
        "previous" compares with the period before, "year" with the same one a year before.
    mix
        How the mix is valued: at "prices before", so that the price counts on the units of now; at
        "prices now", so that it counts on the units of now in the shares of before; or with the
        "joint term apart", which belongs to both.

    Returns
    -------
    The steps in order: "before", "new customers", "lost customers", "volume", "mix", "price", with
    the joint term apart "joint term", where some money has no quantity "without quantity", and
    "now" (a lazy table is not sorted):

    =======================  =====  =========================================================
    ``bridge_step``          text   what changed the money
    ``amount_change``        float  by how much; null for "before" and "now"
    ``from_amount``          float  money before the step, 0 for "before" and "now"
    ``to_amount``            float  money after it
    ``growth_contribution``  float  `amount_change` as a share of the money before; null where
                                    that is not above 0
    ``starts``               date   first day of the period
    ``ends``                 date   last day of it
    ``starts_before``        date   first day of the period compared with
    ``ends_before``          date   last day of that
    =======================  =====  =========================================================

    The changes add up to the difference of both periods.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, lacks a column, or one of `by` is null throughout.
    InvalidArgumentError
        If an argument is outside its range, or the data begins after the period compared with.

    Warns
    -----
    CrmkitWarning
        If the data begins within the period compared with.

    Notes
    -----
    A new customer has a purchase in the period and none in the one compared with, a lost one the
    other way round; all of their money in both periods is theirs. The rest is split by product
    (``Q`` units in all, ``q`` of a product, ``s = q / Q``, ``p`` price, 0 before and 1 now)::

        volume = (Q1 - Q0) * sum(s0 * p0)
        mix    = Q1 * sum((s1 - s0) * p0)     at prices before
        price  = sum(q1 * (p1 - p0))
        joint  = Q1 * sum((s1 - s0) * (p1 - p0))

    At prices now, mix has the joint term and price has not; apart, neither has. A product that is
    sold in one of the periods only has no change of price: it is volume and mix. Where the units
    of a product are unknown, below zero, or none though there is money, as with a fee or more
    returns than sales, the change is the step "without quantity".

    References
    ----------
    Drury, C. (2018). *Management and Cost Accounting*, 10th edition, chapter 17, for the split of
    a change into quantity, mix and price.

    Examples
    --------
    100 units at 10 become 90 at 9: 10 units fewer, and 1 less for each of 90.

    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann"],
    ...         "date": pd.to_datetime(["2023-01-10", "2024-05-01"]),
    ...         "product": ["tea", "tea"],
    ...         "quantity": [100, 90],
    ...         "amount": [1000.0, 810.0],
    ...     }
    ... )
    >>> found = bridge(orders, every="year", as_of="2024-12-31")
    >>> print(found[["bridge_step", "amount_change", "to_amount"]].to_string(index=False))
       bridge_step  amount_change  to_amount
            before            NaN     1000.0
     new customers            0.0     1000.0
    lost customers            0.0     1000.0
            volume         -100.0      900.0
               mix            0.0      900.0
             price          -90.0      810.0
               now            NaN      810.0
    """
    made = {*SALES_BRIDGE.column_names, "customer_id", "quantity"}
    names = ledger.require_by(by, made=made)
    require_choice(mix, MIXES, argument="mix")
    today = time.as_last_day(as_of, argument="as_of")
    periods.require_compare(every, compare)
    frame = ledger.read(orders, names, needed=("quantity",))
    first = ledger.first_day(frame, today=today)
    now, before = periods.pair(every=every, compare=compare, today=today, first=first)
    rows = ledger.numbered(frame, today=today, every=every)
    step = partial(_by_status, by=names, now=now.number, before=before.number)
    each = frames.by_customer(rows, step)
    keys = ("crmkit_status", "crmkit_unpriced", *names)
    data = each.group_by(*keys).agg(nw.col(*_SUMS).sum()).collect()
    ledger.require_known(ledger.keys_of(data, names), names, table="transactions")
    sums = {name: ledger.number(data, name) for name in _SUMS}
    status = ledger.whole(data, "crmkit_status")
    unpriced = ledger.whole(data, "crmkit_unpriced") > 0
    total_before, changes = _changes(sums, status=status, unpriced=unpriced, mix=mix)
    columns = _laid_out(total_before, float(sums["amount_now"].sum()), changes)
    n = len(columns["bridge_step"])
    for ends, period in (("", now), ("_before", before)):
        for name, day in (("starts", period.starts), ("ends", period.ends)):
            columns[name + ends] = np.full(n, day, dtype="datetime64[D]")
    return frames.give(ledger.laid_out(columns, like=frame), like=orders)


def _by_status(
    rows: nw.LazyFrame[Any], *, by: Sequence[str], now: int, before: int
) -> nw.LazyFrame[Any]:
    """Add up each customer's products in both periods, and mark new and lost customers."""
    is_now = nw.col(ledger.NUMBER) == now
    inside = rows.filter(is_now | (nw.col(ledger.NUMBER) == before))
    bought = purchase_days.is_purchase(inside)
    none = nw.lit(0.0)
    amount, units = nw.col("amount").cast(nw.Float64), frames.known("quantity")
    known = nw.when(units.is_null()).then(none).otherwise(units)
    marks = {
        "amount_now": nw.when(is_now).then(amount).otherwise(none),
        "amount_before": nw.when(is_now).then(none).otherwise(amount),
        "units_now": nw.when(is_now).then(known).otherwise(none),
        "units_before": nw.when(is_now).then(none).otherwise(known),
        "crmkit_now": nw.when(is_now & bought).then(nw.lit(-1)).otherwise(nw.lit(0)),
        "crmkit_before": nw.when(~is_now & bought).then(nw.lit(-1)).otherwise(nw.lit(0)),
        "crmkit_unpriced": nw.when(units.is_null()).then(nw.lit(1)).otherwise(nw.lit(0)),
    }
    marked = inside.select("customer_id", *by, **marks)
    for side in ("now", "before"):  # -1 where the customer has a purchase
        marked = frames.spread_least(
            marked, "customer_id", of=f"crmkit_{side}", into=f"crmkit_any_{side}"
        )
    has_now, has_before = nw.col("crmkit_any_now") < 0, nw.col("crmkit_any_before") < 0
    lost = nw.when(has_before & ~has_now).then(nw.lit(_LOST)).otherwise(nw.lit(_KEPT))
    status = nw.when(has_now & ~has_before).then(nw.lit(_NEW)).otherwise(lost)
    named = marked.with_columns(crmkit_status=status)
    keys = ("crmkit_status", "crmkit_unpriced", *by)
    return named.group_by(*keys).agg(nw.col(*_SUMS).sum())


def _changes(
    sums: dict[str, frames.Floats], *, status: ledger.Numbers, unpriced: ledger.Numbers, mix: Mix
) -> tuple[float, dict[str, float]]:
    """Give the money before, and the change by each step."""
    amount_now, amount_before = sums["amount_now"], sums["amount_before"]
    units_now, units_before = sums["units_now"], sums["units_before"]
    change = amount_now - amount_before
    odd = (
        unpriced
        | (units_now < 0)
        | (units_before < 0)
        | ((units_now == 0) & (amount_now != 0))
        | ((units_before == 0) & (amount_before != 0))
    )
    kept = status == _KEPT
    priced = kept & ~odd
    parts = price_volume_mix.split(
        *(each[priced] for each in (units_before, units_now, amount_before, amount_now)), mix=mix
    )
    changes = {
        "new customers": float(change[status == _NEW].sum()),
        "lost customers": float(change[status == _LOST].sum()),
        "volume": parts.volume,
        "mix": parts.mix,
        "price": parts.price,
    }
    if mix == "joint term apart":
        changes["joint term"] = parts.joint
    if (kept & odd).any():
        changes["without quantity"] = float(change[kept & odd].sum())
    return float(amount_before.sum()), changes


def _laid_out(before: float, now: float, changes: dict[str, float]) -> dict[str, Any]:
    steps = list(changes.values())
    reached = np.cumsum([before, *steps])
    contribution = np.array([each / before if before > 0 else np.nan for each in steps])
    return {
        "bridge_step": ["before", *changes, "now"],
        "amount_change": np.array([np.nan, *steps, np.nan]),
        "from_amount": np.array([0.0, *reached[:-1], 0.0]),
        "to_amount": np.array([before, *reached[1:], now]),
        "growth_contribution": np.array([np.nan, *contribution, np.nan]),
    }
