"""Churn before any model: orders with a discount, labels, and features with their label."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crmkit.tables.contracts import Column, Table
from crmkit.tables.records import LEDGER

FEATURE_ORDERS: Final = replace(
    LEDGER,
    columns=(
        *LEDGER.columns,
        Column(
            "discount",
            "number",
            "what was taken off the price of the row; above 0 where it was bought at a discount",
            nullable=True,
            required=False,
        ),
    ),
)

ATTRIBUTES: Final = Table(
    name="customers",
    row="what is known of one customer, or of one on one day where there is a `date`",
    made_by="one row per customer, as in pandas.DataFrame",
    columns=(
        Column("customer_id", "key", "who"),
        Column("date", "date", "the day on which the row was known", required=False),
    ),
)

LABELS: Final = Table(
    name="labels",
    row="the label of one customer on a date",
    made_by="crmkit.churn.label",
    columns=(
        Column("customer_id", "key", "who"),
        Column("date", "date", "the day after which the outcome window begins"),
        Column("churned", "flag", "whether the customer left in the outcome window"),
    ),
)

FEATURES: Final = Table(
    name="features",
    row="one customer on one date",
    made_by="crmkit.churn.features",
    columns=(
        Column("customer_id", "key", "who"),
        Column("date", "date", "the day that the features describe"),
        Column("gap_mean_days", "number", "mean days between purchase days", 0, nullable=True),
        Column("gap_sd_days", "number", "their standard deviation", 0, nullable=True),
        Column(
            "silence_over_gap",
            "number",
            "days since the last purchase over the mean gap",
            0,
            nullable=True,
        ),
        Column(
            "return_share",
            "number",
            "money of the days on which more came back than was bought, over that of the others",
            0,
            nullable=True,
            required=False,
        ),
        Column("n_products", "count", "different products bought", 0, required=False),
        Column(
            "discount_share",
            "number",
            "share of the rows bought at a discount",
            0,
            1,
            nullable=True,
            required=False,
        ),
        Column("month", "count", "month of the date", 1, 12),
    ),
    one_row_each="customer_id",
)

DRIFT_INPUT: Final = Table(
    name="features",
    row="the features of one customer, maybe on one date",
    made_by="crmkit.churn.features",
    columns=(Column("customer_id", "key", "who"),),
)

DRIFT: Final = Table(
    name="drift",
    row="one feature or score",
    made_by="crmkit.churn.drift",
    columns=(
        Column("column", "text", "the feature or score"),
        Column("psi", "number", "population stability index", 0, nullable=True),
        Column(
            "chance",
            "number",
            "what the PSI would stay below in 95 of 100 cases if nothing had moved",
            0,
            nullable=True,
        ),
        Column("change", "text", '"little", "moderate" or "large"'),
    ),
)

INACTIVITY: Final = Table(
    name="inactivity",
    row="one quantile of the gaps",
    made_by="crmkit.churn.inactivity",
    columns=(
        Column("quantile", "number", "share of the gaps that are not longer", 0, 1),
        Column("gap_days", "count", "the gap in days", 0),
        Column("n_silent", "count", "times that a customer was silent for longer", 0),
        Column("n_returned", "count", "times that they bought again", 0),
        Column("return_share", "number", "n_returned / n_silent", 0, nullable=True),
    ),
)
