"""Cost-benefit analysis: sums, ratios, and checks of a statement's own totals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_choice, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import COSTS

Severity: TypeAlias = Literal["error", "warning", "info"]

_ALL: Final = "total"
_DECLARABLE: Final = ("total_cost", "total_revenue", "ratio")
_TEXT: Final = ("group", "rule", "severity", "about", "finding")
_TOLERANCE: Final = 1e-9
"""The part of the amounts added up that may be rounding."""


class CostBenefit(NamedTuple, Generic[IntoFrameT]):
    """Result of a cost-benefit analysis: items, groups and findings.

    Attributes
    ----------
    items
        The items, each with its share of all costs or revenues.
    groups
        Cost, revenue, ratio, net and return on investment of each group and of the total.
    findings
        Totals and ratios that do not add up, and other remarks.
    """

    items: IntoFrameT
    groups: IntoFrameT
    findings: IntoFrameT


def cost_benefit(
    items: IntoFrameT, *, declared: Mapping[str, float] | IntoFrame | None = None
) -> CostBenefit[IntoFrameT]:
    """Cost-benefit analysis: cost, revenue and return of each group.

    All figures are computed from the items. Totals that a statement declares are only compared
    with them, and each difference is a finding. A ratio is only as good as the list of items;
    the cost of serving customers is the one most often left out.

    Parameters
    ----------
    items
        One row per item, as made by `crmkit.costs`. Growth, price concessions and income from
        referrals are items like any other. A lazy table is run, as a statement is small.
    declared
        Totals that the statement itself declares, any of `total_cost`, `total_revenue` and
        `ratio` (revenue over cost): a mapping, or a table of one row. A ratio is compared at
        its own number of decimals.

    Returns
    -------
    Three tables. `items` has the rows of the input in their order, with one more column:

    ==============  =====  ==================================================================
    ``kind_share``  float  share of all costs, or all revenues; null where these are not above 0
    ==============  =====  ==================================================================

    `groups` has one row per group, sorted (null last), if items have groups, then the total:

    ===========  =====  =====================================================================
    ``group``    as in  the group; "total" in the last row
    ``cost``     float  sum of its costs
    ``revenue``  float  sum of its revenues
    ``net``      float  revenue less cost
    ``ratio``    float  revenue over cost; null where the cost is not above 0
    ``roi``      float  net over cost; null where the cost is not above 0
    ===========  =====  =====================================================================

    `findings` has one row per finding:

    ==============  =====  ================================================================
    ``rule``        text   declared_total, declared_ratio, negative_amount or no_cost
    ``severity``    text   error (figures contradict each other), warning or info
    ``about``       text   the figure, item or group
    ``declared``    float  figure of the statement; null where it declares none
    ``computed``    float  figure computed from the items, or from the declared totals
    ``difference``  float  declared less computed; null where either is
    ``finding``     text   the finding in words
    ==============  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `items` breaks its contract: an amount is null, a kind neither cost nor revenue.
    InvalidArgumentError
        If `declared` has other names or values that are not numbers, or a group is called
        "total".

    Notes
    -----
    A declared ratio is compared with the declared totals if both are given, else with the sums
    of the items. Amounts below 0, such as a concession booked as revenue, are added as they are
    and reported.

    Examples
    --------
    >>> import pandas as pd
    >>> items = pd.DataFrame(
    ...     {
    ...         "item": ["visits", "hotline", "sales", "referrals"],
    ...         "kind": ["cost", "cost", "revenue", "revenue"],
    ...         "amount": [300.0, 100.0, 950.0, 50.0],
    ...     }
    ... )
    >>> result = cost_benefit(items, declared={"total_cost": 380, "ratio": 2.5})
    >>> print(result.groups.to_string(index=False))
    group  cost  revenue   net  ratio  roi
    total 400.0   1000.0 600.0    2.5  1.5
    >>> print(*result.findings["finding"], sep="; ")
    declared total_cost differs from the sum of its items by -20
    """
    frame = frames.read(items, COSTS)
    entries = _entries(frame)
    stated = _stated(declared)
    names = {entry.group for entry in entries} if frames.has(frame, "group") else set()
    groups = [
        _group(name, [entry for entry in entries if entry.group == name])
        for name in sorted(names, key=lambda name: (name is None, name))
    ]
    whole = _group(_ALL, entries)
    findings = [
        *_declared_totals(stated, whole, entries),
        *_declared_ratio(stated, whole),
        *_negative_amounts(entries),
        *_without_cost([*groups, whole]),
    ]
    return CostBenefit(
        items=frames.give(frame.with_columns(kind_share=_kind_share(whole)), like=items),
        groups=_table([*groups, whole], _Group, frame=frame, like=items),
        findings=_table(findings, _Finding, frame=frame, like=items),
    )


class _Entry(NamedTuple):
    item: str
    kind: str
    amount: float
    group: str | None


class _Group(NamedTuple):
    group: str | None
    cost: float
    revenue: float
    net: float
    ratio: float | None
    roi: float | None


class _Finding(NamedTuple):
    rule: str
    severity: Severity
    about: str
    declared: float | None
    computed: float | None
    difference: float | None
    finding: str


def _entries(frame: nw.LazyFrame[Any]) -> list[_Entry]:
    """Collect the items; the rows of a lazy table have not been checked before."""
    data = frame.collect()
    frames.read(data.to_native(), COSTS)
    strange = {"`kind` is neither cost nor revenue": ~nw.col("kind").is_in(["cost", "revenue"])}
    frames.require(data, COSTS, strange, advice=f"Build this table with {COSTS.made_by}().")
    if "group" not in data.columns:
        data = data.with_columns(group=nw.lit(None).cast(nw.String))
    entries = [
        _Entry(item, kind, float(amount), group if isinstance(group, str) else None)
        for item, kind, amount, group in data.select(*_Entry._fields).iter_rows()
    ]
    if any(entry.group == _ALL for entry in entries):
        msg = (
            f"{COSTS.name}: a group is called {_ALL!r}, the name of the last row.\n"
            "Rename the group."
        )
        raise InvalidArgumentError(msg)
    return entries


def _stated(declared: Mapping[str, float] | IntoFrame | None) -> dict[str, Decimal]:
    """Read the declared totals, each with its own number of decimals."""
    stated = {}
    for name, value in _as_mapping(declared).items():
        require_choice(name, _DECLARABLE, argument="declared")
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value)):
            msg = (
                f"`declared[{name!r}]` must be a finite number, got {shown(value)}.\n"
                'Write {"total_cost": 250000}.'
            )
            raise InvalidArgumentError(msg)
        stated[name] = Decimal(str(value))
    return stated


def _as_mapping(declared: Mapping[str, Any] | IntoFrame | None) -> Mapping[str, Any]:
    if declared is None or isinstance(declared, Mapping):
        return declared or {}
    try:
        data = nw.from_native(declared).lazy().collect()
    except TypeError:
        msg = (
            f"`declared` must be a mapping or a table of one row, got {shown(declared)}.\n"
            'Write {"total_cost": 250000}.'
        )
        raise InvalidArgumentError(msg) from None
    if len(data) != 1:
        msg = (
            f"`declared` must be a table of one row, got {len(data):,} rows.\n"
            "Give one column for each declared total."
        )
        raise InvalidArgumentError(msg)
    return dict(zip(data.columns, data.row(0), strict=True))


def _group(name: str | None, entries: Sequence[_Entry]) -> _Group:
    cost = _sum(entry.amount for entry in entries if entry.kind == "cost")
    revenue = _sum(entry.amount for entry in entries if entry.kind == "revenue")
    net = _sum((revenue, -cost))
    ratio, roi = (revenue / cost, net / cost) if cost > 0 else (None, None)
    return _Group(name, cost, revenue, net, ratio, roi)


def _sum(amounts: Iterable[float]) -> float:
    """Add up; a sum that cancels up to rounding is 0."""
    parts = list(amounts)
    total = math.fsum(parts)
    return 0.0 if abs(total) <= 1e-12 * math.fsum(map(abs, parts)) else total


def _kind_share(whole: _Group) -> nw.Expr:
    # A null that is a number on every engine: the kind is never null.
    share: nw.Expr = nw.when(nw.col("kind").is_null()).then(nw.col("amount").cast(nw.Float64))
    for kind, total in (("cost", whole.cost), ("revenue", whole.revenue)):
        if total > 0:
            part = nw.col("amount").cast(nw.Float64) / total
            share = nw.when(nw.col("kind") == kind).then(part).otherwise(share)
    return share


def _declared_totals(
    stated: Mapping[str, Decimal], whole: _Group, entries: Sequence[_Entry]
) -> Iterable[_Finding]:
    slack = _TOLERANCE * math.fsum(abs(entry.amount) for entry in entries)
    for name, computed in (("total_cost", whole.cost), ("total_revenue", whole.revenue)):
        if name in stated:
            declared = float(stated[name])
            difference = declared - computed
            if abs(difference) > slack:
                text = (
                    f"declared {name} differs from the sum of its items by {_decimal(difference)}"
                )
                yield _Finding(
                    "declared_total", "error", name, declared, computed, difference, text
                )


def _declared_ratio(stated: Mapping[str, Decimal], whole: _Group) -> Iterable[_Finding]:
    if "ratio" not in stated:
        return
    declared = float(stated["ratio"])
    cost, revenue, source = whole.cost, whole.revenue, "the sums of the items"
    if "total_cost" in stated and "total_revenue" in stated:
        cost, revenue = float(stated["total_cost"]), float(stated["total_revenue"])
        source = "the declared totals"
    ratio = f"declared ratio {_decimal(declared)}"
    if cost <= 0:
        text = f"{ratio} cannot be checked: the cost is {_decimal(cost)}"
        yield _Finding("declared_ratio", "warning", "ratio", declared, None, None, text)
        return
    computed = revenue / cost
    exponent = stated["ratio"].as_tuple().exponent
    half_a_digit = 0.5 * 10.0 ** int(exponent)
    if abs(declared - computed) > half_a_digit * (1 + _TOLERANCE):
        text = f"{ratio} differs from {source} ({_decimal(computed)})"
        difference = declared - computed
        yield _Finding("declared_ratio", "error", "ratio", declared, computed, difference, text)


def _negative_amounts(entries: Sequence[_Entry]) -> Iterable[_Finding]:
    for entry in entries:
        if entry.amount < 0:
            text = f"{entry.kind} item {entry.item} is below 0 ({_decimal(entry.amount)})"
            yield _Finding("negative_amount", "info", entry.item, None, entry.amount, None, text)


def _without_cost(groups: Sequence[_Group]) -> Iterable[_Finding]:
    for group in groups:
        if group.cost <= 0:
            name = "no group" if group.group is None else group.group
            text = f"{name}: no ratio and no roi, as the cost is {_decimal(group.cost)}"
            yield _Finding("no_cost", "warning", name, None, group.cost, None, text)


def _decimal(number: float) -> str:
    """Write a number with six decimals at most."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _table(
    rows: Sequence[_Group] | Sequence[_Finding],
    row_type: type[_Group | _Finding],
    *,
    frame: nw.LazyFrame[Any],
    like: IntoFrameT,
) -> IntoFrameT:
    """Make a table of rows in the library of the items, with types also if it is empty."""
    columns = {name: [getattr(row, name) for row in rows] for name in row_type._fields}
    typed = [nw.col(name).cast(nw.String if name in _TEXT else nw.Float64) for name in columns]
    return frames.give(frames.table_like(columns, like=frame).with_columns(*typed), like=like)
