"""Items of a cost-benefit analysis from a raw table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._intake.amounts import read_numbers
from crmkit._intake.ids import id_text
from crmkit._intake.number_form import Decimal
from crmkit._intake.raw_columns import AnyFrame, open_named
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import require_good_rows, require_readable, with_row
from crmkit._intake.sheet import (
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    from_list,
    role_column,
)
from crmkit.tables import COSTS


def costs(
    raw: IntoFrameT, *, item: str, kind: str, amount: str, group: str | None = None
) -> IntoFrameT:
    """Turn a raw table of costs and revenues into cost-benefit items.

    The assumption that most often fails is the sign: `kind` gives the direction, so a cost of
    300 is 300, and -300 would lower the costs.

    Parameters
    ----------
    raw
        One row per item.
    item
        Column of item names.
    kind
        Column with ``cost`` or ``revenue``, in upper or lower case.
    amount
        Column of money, in one currency.
    group
        Column of groups, such as programmes, segments or years.

    Returns
    -------
    The rows of `raw`, in its order:

    ==========  =====  =======================================
    ``item``    text   name of the item
    ``kind``    text   ``"cost"`` or ``"revenue"``
    ``amount``  float  money
    ``group``   text   if given; may be null
    ==========  =====  =======================================

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidRowsError
        If an item, kind or amount is missing, a kind is neither cost nor revenue, or an amount
        is not a finite number. The values of a lazy table are not checked.
    InvalidArgumentError
        If `raw` is not a table, or the column of amounts has an unsuitable type.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {"What": ["visits", "sales"], "Type": ["Cost", "Revenue"], "Euro": [300, 950]}
    ... )
    >>> print(costs(raw, item="What", kind="Type", amount="Euro").to_string(index=False))
      item    kind  amount
    visits    cost   300.0
     sales revenue   950.0
    """
    sheet, names = read_costs(raw, item=item, kind=kind, amount=amount, group=group)
    require_readable(sheet, COSTS)
    require_good_rows(_with_own_advice(sheet), COSTS, key=names["item"])
    return frames.give(items(sheet.frame, names).lazy(), like=raw)


def read_costs(
    raw: IntoFrame,
    *,
    item: str,
    kind: str,
    amount: str,
    group: str | None = None,
    decimal: Decimal | None = None,
    strict: bool | None = None,
) -> tuple[Sheet, dict[str, str]]:
    """Read every named column of a table of costs, and list the rules for its rows."""
    named = {"item": item, "kind": kind, "amount": amount, "group": group}
    columns = {role: name for role, name in named.items() if name is not None}
    frame, columns = open_named(raw, columns, COSTS)
    strict = frames.is_lazy(raw) if strict is None else strict
    options = checked_options(date_format=None, as_of=None, decimal=decimal, strict=strict)
    sheet = _with_item(Sheet(with_row(frame), options), columns["item"])
    sheet = _with_kind(sheet, columns["kind"])
    sheet = read_numbers(sheet, "amount", columns["amount"])
    if group is not None:
        sheet = _with_text(sheet, "group", columns["group"])
    return sheet, columns


def items(rows: AnyFrame, columns: Mapping[str, str]) -> AnyFrame:
    """Take the columns of cost-benefit items from rows that were read."""
    names = [name for name in COSTS.column_names if name in columns]
    return rows.select(*(nw.col(role_column(name)).alias(name) for name in names))


def _with_item(sheet: Sheet, name: str) -> Sheet:
    text = nw.col(role_column("item"))
    missing = text.is_null() | (text.str.strip_chars(WHITE_SPACE) == "")
    rule = RowRule("missing item", "error", f"`{name}` is missing", missing)
    return _with_text(sheet, "item", name).with_rules(rule)


def _with_text(sheet: Sheet, role: str, name: str) -> Sheet:
    """Read names; whole numbers that nulls have turned into floats lose the decimal point."""
    values = sheet.values(name)
    if values is None or values.dtype in TEXT_TYPES:
        return sheet.with_role(role, nw.col(name).cast(nw.String))
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    texts = [None if missing else id_text(value) for value, missing in pairs]
    return sheet.with_column(role_column(role), from_list(texts, nw.String(), like=values))


def _with_kind(sheet: Sheet, name: str) -> Sheet:
    kind = nw.col(name).cast(nw.String).str.strip_chars(WHITE_SPACE).str.to_lowercase()
    missing = kind.is_null() | (kind == "")
    other = ~missing & (kind != "cost") & (kind != "revenue")
    complaint = f'`{name}` is neither "cost" nor "revenue"'
    rules = [
        RowRule("missing kind", "error", f"`{name}` is missing", missing),
        RowRule("unknown kind", "error", complaint, other, shows=name),
    ]
    return sheet.with_role("kind", kind, rules)


def _with_own_advice(sheet: Sheet) -> Sheet:
    advice = 'Every row needs an item, a kind of "cost" or "revenue", and an amount as 1234.50.'
    return replace(sheet, rules=tuple(replace(rule, advice=advice) for rule in sheet.rules))
