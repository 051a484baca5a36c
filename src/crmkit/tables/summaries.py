"""Small tables that people look at, as far as a picture needs them."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import Column, Kind, Table
from crmkit.tables.groups import RETENTION


def _table(name: str, row: str, made_by: str, *columns: Column) -> Table:
    return Table(name=name, row=row, made_by=made_by, columns=columns)


def _column(name: str, kind: Kind, meaning: str, *, required: bool = True) -> Column:
    return Column(name, kind, meaning, nullable=True, required=required)


_N_CUSTOMERS: Final = Column("n_customers", "count", "customers", minimum=0)
_CUSTOMER_SHARE: Final = _column("customer_share", "number", "share of all customers")
_AMOUNT_SHARE: Final = _column("amount_share", "number", "share of all money", required=False)
_RATES: Final = (
    _column("retention_rate", "number", "share of the eligible who came back"),
    _column("lower", "number", "lower end of the interval for the rate"),
    _column("upper", "number", "upper end"),
)
_WINDOWS: Final = (
    Column("period", "count", "calendar periods since the first purchase", 0, required=False),
    Column("from_day", "count", "first day of the window", minimum=1, required=False),
    _column("to_day", "number", "first day after the window", required=False),
)

TREND: Final = _table(
    "trend",
    "one month, quarter or year",
    "crmkit.pipeline.run",
    Column("starts", "date", "first day of the period"),
    Column("ends", "date", "last day of it"),
    Column("is_complete", "flag", "whether it is over"),
    Column("orders", "count", "orders in it", minimum=0),
    _column("amount", "number", "their money, less returns", required=False),
)
COMPARISON: Final = _table(
    "comparison",
    "one figure of the last months, and of as many before",
    "crmkit.pipeline.run",
    Column("figure", "text", "what is counted or added up"),
    _column("value", "number", "the figure of the last months"),
    _column("value_before", "number", "that of as many months before"),
    _column("growth", "number", "difference as a share of what was before"),
    _column("contribution", "number", "what it adds to the change of revenue"),
    Column("starts", "date", "first day of the last months"),
    Column("ends", "date", "their last day"),
    Column("starts_before", "date", "first day of the months before"),
    Column("ends_before", "date", "their last day"),
)
ACTION_SUMMARY: Final = _table(
    "action summary",
    "one recommended action",
    "crmkit.actions.summary",
    _column("action", "text", "what to do"),
    _N_CUSTOMERS,
    _column("value_at_risk", "number", "money that silence puts in doubt", required=False),
)
CALL_LIST: Final = _table(
    "call list",
    "one customer",
    "crmkit.actions.call_list",
    Column("customer_id", "key", "who"),
    _column("past_amount", "number", "money of the last horizon, less returns", required=False),
    _column("value_at_risk", "number", "the part of it that silence puts in doubt"),
)
SEGMENT_SUMMARY: Final = _table(
    "segment summary",
    "one segment",
    "crmkit.rfm.segment_summary",
    _column("segment", "text", "the segment's name"),
    _N_CUSTOMERS,
    _CUSTOMER_SHARE,
    _AMOUNT_SHARE,
)
STAGE_SUMMARY: Final = _table(
    "stage summary",
    "one stage of life",
    "crmkit.lifecycle.stage_summary",
    Column("stage", "text", "the stage"),
    Column("stage_order", "count", "its place in life"),
    _N_CUSTOMERS,
    _CUSTOMER_SHARE,
    _AMOUNT_SHARE,
)
STAGE_RETURNS: Final = _table(
    "stage returns",
    "one past date and stage of life, or one stage at all dates together",
    "crmkit.lifecycle.calibrate",
    _column("date", "date", "day on which the stage was given; null for all together"),
    Column("horizon_days", "count", "days in which customers were followed", minimum=1),
    Column("stage", "text", "the stage"),
    Column("stage_order", "count", "its place in life", minimum=1),
    _N_CUSTOMERS,
    Column("n_returned", "count", "those of them who bought within the horizon", minimum=0),
    _column("return_rate", "number", "their share; null for a stage of nobody"),
    _column("lower", "number", "lower end of the interval for the rate"),
    _column("upper", "number", "upper end"),
    Column("holds", "flag", "false where too many of the lost came back"),
    _column("amount", "number", "their money within the horizon, less returns", required=False),
)
TIER_SUMMARY: Final = _table(
    "tier summary",
    "one tier",
    "crmkit.tiers.summary",
    _column("tier", "text", "the tier's name"),
    _column("cut", "number", "least value of the tier"),
    _N_CUSTOMERS,
    _CUSTOMER_SHARE,
    _column("value_share", "number", "share of the total value"),
)
COST_GROUPS: Final = _table(
    "cost-benefit groups",
    "one group of items",
    "crmkit.economics.cost_benefit",
    _column("group", "text", "what the items belong to"),
    Column("cost", "number", "sum of its costs"),
    Column("revenue", "number", "sum of its revenues"),
    _column("ratio", "number", "revenue over cost"),
)
CONCENTRATION: Final = _table(
    "concentration",
    "one share of the customers, the best first",
    "crmkit.tiers.concentration",
    Column("customer_share", "number", "the share", minimum=0, maximum=1),
    _column("value_share", "number", "what part of the value they bring"),
)
SCORES: Final = _table(
    "scored customers",
    "one customer",
    "crmkit.rfm.score",
    _column("r_score", "number", "score of recency"),
    _column("f_score", "number", "how often they bought"),
)
RETENTION_RATES: Final = _table(
    RETENTION.name,
    RETENTION.row,
    RETENTION.made_by,
    Column("cohort", "date", "first day of the period of the customers' first purchases"),
    *_WINDOWS,
    Column("cohort_size", "count", "customers in the cohort", minimum=1),
    Column("is_complete", "flag", "whether the row is final"),
    *_RATES,
)
POOLED_RATES: Final = _table(
    "pooled retention", "one window or period", "crmkit.cohorts.pooled", *_WINDOWS, *_RATES
)
CALIBRATION: Final = _table(
    "calibration",
    "customers with the same number of repeat days by the split",
    "crmkit.clv.calibration",
    Column("frequency", "count", "repeat days by the split", minimum=0),
    Column("actual_purchases", "number", "their mean purchase days after it"),
    Column("predicted_purchases", "number", "the mean forecast of it"),
)
BACKTEST: Final = _table(
    "backtest",
    "one split and way of forecasting",
    "crmkit.clv.backtest",
    Column("split", "date", "last day that the forecast knew"),
    Column("method", "text", "model or plain rule"),
    _column("purchases_error", "number", "predicted / actual - 1"),
)
RELIABILITY: Final = _table(
    "reliability",
    "customers of like risk at a split",
    "crmkit.churn.reliability",
    Column("bin", "count", "1, 2, ... by rising risk", minimum=1),
    _N_CUSTOMERS,
    Column("said", "number", "their mean stated risk", 0, 1),
    Column("happened", "number", "share of them who then bought nothing", 0, 1),
    Column("low", "number", "lower end of the interval of that share", 0, 1),
    Column("high", "number", "upper end", 0, 1),
)

_METHOD: Final = (
    Column("method", "text", "model or plain rule"),
    Column("is_default", "flag", "whether the main job does it so"),
)
_BOUNDS: Final = (
    _column("lower", "number", "lower bound"),
    _column("upper", "number", "upper bound"),
)
RANKINGS: Final = _table(
    "evaluated rankings",
    "one origin, question and method",
    "crmkit.pipeline.evaluate",
    Column("origin", "date", "last day that the method knew"),
    Column("question", "text", "who buys nothing, money lost, or money to come"),
    *_METHOD,
    _N_CUSTOMERS,
    _column("auc", "number", "area under the ROC curve of who buys nothing"),
    _column("brier", "number", "mean square of probability less outcome"),
    _column("risk_error", "number", "mean distance of said and happened by tenths of risk"),
    _column("captured_share", "number", "share of the money that the tenth ranked first holds"),
)
TOTALS: Final = _table(
    "evaluated totals",
    "one origin, quantity and method",
    "crmkit.pipeline.evaluate",
    Column("origin", "date", "last day that the forecast knew"),
    Column("quantity", "text", "purchases or money"),
    *_METHOD,
    Column("actual", "number", "total of the customers known at the origin"),
    Column("predicted", "number", "forecast of it"),
    *_BOUNDS,
    _column("error", "number", "predicted / actual - 1"),
    _column("held", "number", "1 where the bounds hold the actual total, else 0"),
)
EVALUATION_SUMMARY: Final = _table(
    "summary of an evaluation",
    "one question and method",
    "crmkit.pipeline.evaluate",
    Column("question", "text", "what is ranked or forecast"),
    *_METHOD,
    Column("measure", "text", "auc, captured_share or absolute_error"),
    Column("n_origins", "count", "origins at which it could be measured", minimum=1),
    Column("mean", "number", "the measure, in the mean over the origins"),
    _column("better_share", "number", "share of the origins at which it beats the plain rule"),
    _column("lead", "number", "by how much it is better than the plain rule in the mean"),
    *_BOUNDS,
    _column("held_share", "number", "share of bounds that held the actual total"),
)
GAINS: Final = _table(
    "gains",
    "one share of the customers",
    "crmkit.churn.gains",
    Column("share", "number", "share of customers contacted", 0, 1),
    Column("captured", "number", "share of all who left", 0, 1),
    Column("perfect", "number", "the same of the best ranking there could be", 0, 1),
)
PROFIT_CURVE: Final = _table(
    "profit curve",
    "one share of the customers",
    "crmkit.churn.profit_curve",
    Column("share", "number", "share of customers contacted", 0, 1),
    _column("profit", "number", "profit in total"),
    Column("is_best", "flag", "whether it is the best share"),
)
