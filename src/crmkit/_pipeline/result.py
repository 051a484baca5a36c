"""What the main job gives: named tables, and what they were made with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Generic

from narwhals.typing import IntoFrameT

from crmkit._pipeline.kept import Kept


@dataclass(frozen=True, slots=True)
class Settings:
    """What the job was asked; None for what it cannot be asked with one row per customer.

    `kept_as_of` is the day that the kept values were fitted as of, where such were given.
    """

    as_of: date
    split: date | None = None
    horizon_days: float | None = None
    margin: float | None = None
    annual_discount_rate: float | None = None
    keep: tuple[str, ...] = ()
    kept_as_of: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[IntoFrameT]):
    """Every table of the main job that can be made, on the engine of the input.

    A table that cannot be made is None, and `left_out` says why.

    Attributes
    ----------
    customers
        One row per customer and prospect, with segment, tier, stage, probability of still being
        a customer, value, risk and one recommended action with its reason, as far as they are
        known.
    key_figures
        One row per figure: `figure`, `value`, `unit`, `table` it can be traced to, `meaning`, and
        `n_unknown`, the customers whose value is unknown and not in the figure.
    trend
        One row per month, or per quarter or year where months are more than 24: `starts`, `ends`,
        `is_complete`, `orders`, `amount`.
    comparison
        The last 12 months against the 12 before, or 6, 3 or 1 where the log does not hold them
        twice: one row per `figure` with its `unit`, `value`, `value_before` and `growth`, and the
        first and last day of both spans. Revenue is customers who bought x orders per customer x
        revenue per order: `contribution` is what each of the three adds to the change of revenue.
        New customers of the time before are unknown where the log begins just then.
    call_list
        The customers to call first: those with most value at risk, without those whose action
        is to stop contact. Where it is unknown, those who are late, or the best of all, by the
        best measure that is known.
    actions
        One row per recommended action: customers, value, value at risk.
    segments, stages, tiers, concentration
        See `crmkit.rfm.segment_summary`, `crmkit.lifecycle.stage_summary`,
        `crmkit.tiers.summary` and `crmkit.tiers.concentration`.
    stage_returns
        How many customers of each stage came back in the last days of the log, with rules learned
        from the days before, as in `crmkit.lifecycle.calibrate`.
    cohorts, retention, retention_by_month
        See `crmkit.cohorts.table`, `crmkit.cohorts.calendar_retention` and
        `crmkit.cohorts.pooled`.
    models
        One row per fitted parameter: `model`, `parameter`, `estimate`, `standard_error`.
    backtest, calibration
        See `crmkit.clv.backtest`, whose `seconds` are left out so that two runs give the same,
        and `crmkit.clv.calibration`.
    reliability
        Churn risk on held-out days, said and happened: see `crmkit.churn.reliability`.
    drift
        Where kept values were given: what has moved since they were fitted. One row per score,
        segment, stage and tier with the share of the customers `expected` by then and the
        `actual` one now, the `psi` of all values of the `measure`, and the `change`: "little",
        "moderate" or "large". Rows of the measure churn_risk have the risk that the kept model
        stated then of no purchase by now, and the share who made none with its interval from
        `low` to `high`, by groups of risk.
    kept
        The fitted values behind the tables: those given, and what was missing.
    settings
        What the job was asked.
    notes
        What to keep in mind when reading the tables, one sentence each.
    left_out
        What could not be told, and why, one sentence each.
    """

    customers: IntoFrameT
    key_figures: IntoFrameT
    trend: IntoFrameT | None = None
    comparison: IntoFrameT | None = None
    call_list: IntoFrameT | None = None
    actions: IntoFrameT | None = None
    segments: IntoFrameT | None = None
    stages: IntoFrameT | None = None
    stage_returns: IntoFrameT | None = None
    tiers: IntoFrameT | None = None
    concentration: IntoFrameT | None = None
    cohorts: IntoFrameT | None = None
    retention: IntoFrameT | None = None
    retention_by_month: IntoFrameT | None = None
    models: IntoFrameT | None = None
    backtest: IntoFrameT | None = None
    calibration: IntoFrameT | None = None
    reliability: IntoFrameT | None = None
    drift: IntoFrameT | None = None
    kept: Kept
    settings: Settings
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def frames(self) -> dict[str, IntoFrameT]:
        """Give all tables that there are, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        no_tables = ("kept", "settings", "notes", "left_out")
        return {
            name: each for name, each in named.items() if name not in no_tables and each is not None
        }
