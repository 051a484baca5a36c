"""Many customers in a row: cohorts, segment maps, policies and plans."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import Column, Rule, Table

COHORTS: Final = Table(
    name="cohort table",
    row="one cohort and calendar period",
    made_by="crmkit.cohorts.table",
    columns=(
        Column("cohort", "date", "first day of the period of the customers' first purchases"),
        Column("period", "count", "periods since then, 0 for the cohort's own", minimum=0),
        Column("starts", "date", "first day of the period"),
        Column("ends", "date", "last day of the period"),
        Column("is_complete", "flag", "whether the period is over by the end of as_of"),
        Column("cohort_size", "count", "customers in the cohort", minimum=1),
        Column(
            "customers",
            "number",
            "customers with a purchase in the period; null where it has not begun",
            minimum=0,
            nullable=True,
            required=False,
        ),
        Column(
            "orders",
            "number",
            "their orders in the period; null where it has not begun",
            minimum=0,
            nullable=True,
            required=False,
        ),
        Column(
            "amount",
            "number",
            "their money less returns; null where the period has not begun",
            nullable=True,
            required=False,
        ),
    ),
)

RETENTION: Final = Table(
    name="retention",
    row="one cohort, and one window of days or calendar period",
    made_by="crmkit.cohorts.retention",
    columns=(
        Column("cohort", "date", "first day of the period of the customers' first purchases"),
        Column("period", "count", "calendar periods since then", minimum=0, required=False),
        Column(
            "from_day",
            "count",
            "first day of the window, counted from each customer's first purchase",
            minimum=1,
            required=False,
        ),
        Column(
            "to_day",
            "number",
            "first day after the window; null where it never ends",
            nullable=True,
            required=False,
        ),
        Column("cohort_size", "count", "customers in the cohort", minimum=1),
        Column("n_eligible", "count", "customers whose window is over", minimum=0),
        Column(
            "n_retained",
            "number",
            "eligible customers with a purchase in it; null where nobody is eligible",
            minimum=0,
            nullable=True,
        ),
    ),
    rules=(
        Rule("n_retained", "n_eligible", because="only eligible customers are counted"),
        Rule("n_eligible", "cohort_size", because="all of them belong to the cohort"),
    ),
)

SEGMENT_CODES: Final = Table(
    name="segment map",
    row="one code",
    made_by="crmkit.rfm.segment_map",
    columns=(
        Column("rfm_code", "key", "the three scores as text, such as 535"),
        Column("segment", "text", "the segment's name"),
    ),
)

SEGMENT_RANGES: Final = Table(
    name="segment map",
    row="one rule; the first that holds decides",
    made_by="crmkit.rfm.segment_map",
    columns=(
        Column("segment", "text", "the segment's name"),
        Column("r_min", "count", "lowest r_score", 1, 9),
        Column("r_max", "count", "highest r_score", 1, 9),
        Column("f_min", "count", "lowest f_score", 1, 9),
        Column("f_max", "count", "highest f_score", 1, 9),
        Column("m_min", "count", "lowest m_score", 1, 9),
        Column("m_max", "count", "highest m_score", 1, 9),
    ),
    rules=(
        Rule("r_min", "r_max", because="a range runs upwards"),
        Rule("f_min", "f_max", because="a range runs upwards"),
        Rule("m_min", "m_max", because="a range runs upwards"),
    ),
)

TIER_POLICY: Final = Table(
    name="tier policy",
    row="one tier",
    made_by="crmkit.tiers.policy",
    columns=(Column("tier", "text", "name of the tier; all other columns are free"),),
)

ACTION_INPUTS: Final = Table(
    name="staged and tiered customers",
    row="one customer",
    made_by="crmkit.tiers.assign",
    columns=(
        Column("stage", "text", "stage of life", made_by="crmkit.lifecycle.assign"),
        Column("tier", "text", "tier by value; null where it is unknown", nullable=True),
    ),
    one_row_each="customer_id",
)

ACTION_PLAN: Final = Table(
    name="action plan",
    row="one rule",
    made_by="crmkit.actions.plan",
    columns=(
        Column("stage", "text", 'stage of life that the rule is for, or "any"'),
        Column("tier", "text", 'tier that it is for, or "any"'),
        Column("action", "text", "what to do"),
        Column("reason", "text", "why"),
    ),
)

SURVIVORS: Final = Table(
    name="survivors",
    row="one period, or one cohort and period",
    made_by="one row per period, as in pandas.DataFrame",
    columns=(
        Column("cohort", "key", "customers who began together", required=False),
        Column("period", "count", "periods since they began, 0 for the beginning", minimum=0),
        Column(
            "survivors",
            "count",
            "customers still active after this number of periods",
            minimum=0,
            if_fractional="Give how many customers are there, not which share of them.",
        ),
    ),
)
