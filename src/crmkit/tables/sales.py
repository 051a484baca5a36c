"""Tables of sales: growth, movers, the bridge, season, targets."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Table

_SPAN: Final = (
    Column("starts", "date", "first day of the period"),
    Column("ends", "date", "last day of the period"),
)
_BASE: Final = (
    Column(
        "base_amount",
        "number",
        "money of the period compared with; null where it is unknown",
        nullable=True,
    ),
    Column("amount_change", "number", "difference of the two", nullable=True),
    Column("growth", "number", "difference as a share of what was before", nullable=True),
    Column(
        "growth_contribution",
        "number",
        "difference as a share of all money of the period compared with",
        nullable=True,
    ),
)
_COUNTS: Final = (
    Column("customers", "number", "customers with a purchase", minimum=0, required=False),
    Column("orders", "number", "orders with a purchase", minimum=0, required=False),
)

SALES_GROWTH: Final = Table(
    name="sales growth",
    row="one group in one period",
    made_by="crmkit.sales.growth",
    columns=(
        Column("dimensions", "count", "dimensions that are held apart", minimum=0),
        *_SPAN,
        Column("is_complete", "flag", "whether the period is over by the end of as_of"),
        Column("amount", "number", "money, less returns"),
        *_BASE,
        Column("amount_share", "number", "share of all money", nullable=True),
        Column(
            "share_change",
            "number",
            "share of all money less that of the period compared with",
            nullable=True,
        ),
        *_COUNTS,
        Column("growth_finding", "text", "why growth is null or easily misread", required=False),
    ),
)

SALES_MOVERS: Final = Table(
    name="movers",
    row="one group that moved",
    made_by="crmkit.sales.movers",
    columns=(
        Column("mover", "text", "up, down, new or gone"),
        Column("mover_rank", "count", "1 for the largest change of its kind", minimum=1),
        *_SPAN,
        Column("amount", "number", "money, less returns"),
        *_BASE,
        *_COUNTS,
    ),
)

SALES_BRIDGE: Final = Table(
    name="sales bridge",
    row="one step from the money before to the money now",
    made_by="crmkit.sales.bridge",
    columns=(
        Column("bridge_step", "text", "what changed the money"),
        Column("amount_change", "number", "difference of the two", nullable=True),
        Column("from_amount", "number", "money before the step"),
        Column("to_amount", "number", "money after it"),
        Column(
            "growth_contribution",
            "number",
            "difference as a share of all money of the period compared with",
            nullable=True,
        ),
        *_SPAN,
        Column("starts_before", "date", "first day of the months before"),
        Column("ends_before", "date", "their last day"),
    ),
)

SALES_TARGETS: Final = Table(
    name="targets",
    row="one group with its target",
    made_by=NOT_MADE,
    columns=(Column("target_amount", "number", "target of the year", minimum=0, made_by=NOT_MADE),),
)

ATTAINMENT: Final = Table(
    name="attainment",
    row="one group with its target",
    made_by="crmkit.sales.attainment",
    columns=(
        Column("amount", "number", "money, less returns"),
        Column("target_amount", "number", "target of the year", minimum=0, nullable=True),
        Column("attained_share", "number", "amount / target", nullable=True),
        Column("expected_amount", "number", "target by now", nullable=True),
        Column("pace", "number", "amount / expected_amount", nullable=True),
        Column("projection", "number", "money of the whole year at this pace", nullable=True),
        Column("projection_lower", "number", "lower bound of the projection", nullable=True),
        Column("projection_upper", "number", "upper bound of the projection", nullable=True),
    ),
)

SEASON: Final = Table(
    name="season",
    row="one month or quarter of the year",
    made_by="crmkit.sales.season_table",
    columns=(
        Column("is_whole", "flag", "whether the row is of the whole", required=False),
        Column("season", "count", "month from 1 to 12, or quarter from 1 to 4", 1, 12),
        Column("seasonal_index", "number", "index of the period, with a mean of 1", 0),
        Column("period_target", "number", "target of the period, in whole cents", required=False),
    ),
)
