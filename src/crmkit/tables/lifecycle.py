"""Tables about the life cycle: phases and states, moves, spells in a stage, and the funnel."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Table
from crmkit.tables.customers import STAGED

_STAGE: Final = Column("stage", "text", "stage of life")
_MEDIAN: Final = (
    Column("median", "number", "days after which half have; null if fewer do", 0, nullable=True),
    Column("median_lower", "number", "lower bound of the median", 0, nullable=True),
    Column("median_upper", "number", "upper bound of the median", 0, nullable=True),
)

PHASE_INPUT: Final = replace(
    STAGED,
    columns=(
        *STAGED.columns,
        Column(
            "frequency",
            "count",
            "x: purchase days after the first; null for a prospect",
            0,
            nullable=True,
            required=False,
        ),
    ),
)

PHASE_MAP: Final = Table(
    name="phase map",
    row="one stage of life",
    made_by="crmkit.lifecycle.phase_map",
    columns=(
        Column("stage", "text", 'stage of life, or "second purchase"'),
        Column("phase", "text", "phase of the relationship"),
    ),
    one_row_each="stage",
)

TARGETS: Final = Table(
    name="targets",
    row="one person whom the company sets out to win",
    made_by=NOT_MADE,
    columns=(Column("customer_id", "key", "who", made_by=NOT_MADE),),
)

STATES: Final = Table(
    name="states",
    row="one customer, or another person known by name",
    made_by="crmkit.lifecycle.states",
    columns=(
        Column("customer_id", "key", "who"),
        Column("stage", "text", "stage of life; null for one who has never bought", nullable=True),
        Column("state", "text", "potential, target, actual or lost"),
    ),
    one_row_each="customer_id",
)

FLOW: Final = Table(
    name="flow of stages",
    row="one move between two dates",
    made_by="crmkit.lifecycle.flow",
    columns=(
        Column("date", "date", "the earlier date"),
        Column("next_date", "date", "the later one"),
        Column("from_stage", "text", "stage at the earlier date, or appeared"),
        Column("to_stage", "text", "stage at the later one, or vanished"),
        Column("n_customers", "count", "customers who made this move", minimum=0),
        Column("share", "number", "their share of from_stage", 0, 1, nullable=True),
    ),
)

SPELLS: Final = Table(
    name="spells in stages",
    row="one stay of a customer in a stage",
    made_by="crmkit.lifecycle.durations",
    columns=(
        Column("stage", "text", "stage of the stay"),
        Column("event", "count", "1 if it has ended, 0 if it was running when last seen", 0, 1),
        Column("duration", "number", "days in it; null if it was running first", 0, nullable=True),
    ),
)

SPELL_SUMMARY: Final = Table(
    name="time in stage",
    row="one stage of life",
    made_by="crmkit.lifecycle.duration_summary",
    columns=(
        _STAGE,
        Column("n_spells", "count", "stays that were seen", minimum=0),
        Column("n_running_first", "count", "of which running on the first date", minimum=0),
        Column("n_events", "count", "of which ended", minimum=0),
        *_MEDIAN,
    ),
)

FUNNEL: Final = Table(
    name="funnel",
    row="one step, or one step of a group",
    made_by="crmkit.lifecycle.funnel",
    columns=(
        Column("funnel_step", "text", "prospect, first purchase or second purchase"),
        Column("step_order", "count", "its place", minimum=1),
        Column("n_customers", "count", "people who have come so far", minimum=0),
        Column("n_from", "count", "those seen at the step before", minimum=0),
        Column("n_converted", "count", "of which came to this one", minimum=0),
        Column("conversion_rate", "number", "their share", 0, 1, nullable=True),
        *_MEDIAN,
    ),
)

SECOND_PURCHASES: Final = Table(
    name="second purchases",
    row="one cohort by first purchase",
    made_by="crmkit.lifecycle.second_purchases",
    columns=(
        Column("cohort", "date", "first day of the period of the customers' first purchases"),
        Column("cohort_size", "count", "customers in the cohort", minimum=1),
        Column("n_converted", "count", "of which bought again", minimum=0),
        *_MEDIAN,
    ),
)
