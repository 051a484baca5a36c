"""What the main job gives: named tables, and what they were made with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Generic

from narwhals.typing import IntoFrameT

from crmkit.clv import Fit
from crmkit.lifecycle import StageRules
from crmkit.rfm import Breakpoints
from crmkit.tiers import TierRule


@dataclass(frozen=True, slots=True)
class Kept:
    """The fitted values, to keep as JSON and apply again next month."""

    breakpoints: Breakpoints
    purchases: Fit
    spend: Fit
    stages: StageRules
    tiers: TierRule


@dataclass(frozen=True, slots=True)
class Settings:
    """What the job was asked."""

    as_of: date
    split: date
    horizon_days: float
    margin: float
    annual_discount_rate: float


@dataclass(frozen=True, slots=True)
class Result(Generic[IntoFrameT]):
    """Every table of the main job, on the engine of the ledger.

    Attributes
    ----------
    customers
        One row per customer and prospect, with segment, tier, stage, probability of still being
        a customer, value, risk and one recommended action with its reason.
    key_figures
        One row per figure: `figure`, `value`, `unit`, `table` it can be traced to, `meaning`.
    call_list
        The customers to call first: those whose expected value is most at risk.
    actions
        One row per recommended action: customers, value, value at risk.
    segments, stages, tiers, concentration
        See `crmkit.rfm.segment_summary`, `crmkit.lifecycle.stage_summary`,
        `crmkit.tiers.summary` and `crmkit.tiers.concentration`.
    cohorts, retention, retention_by_month
        See `crmkit.cohorts.table`, `crmkit.cohorts.calendar_retention` and
        `crmkit.cohorts.pooled`.
    models
        One row per fitted parameter: `model`, `parameter`, `estimate`, `standard_error`.
    backtest, calibration
        See `crmkit.clv.backtest`, whose `seconds` are left out so that two runs give the same,
        and `crmkit.clv.calibration`; None where nobody had come back by the split.
    kept
        The fitted values behind the tables.
    settings
        What the job was asked.
    notes
        What to keep in mind when reading the tables, one sentence each.
    """

    customers: IntoFrameT
    key_figures: IntoFrameT
    call_list: IntoFrameT
    actions: IntoFrameT
    segments: IntoFrameT
    stages: IntoFrameT
    tiers: IntoFrameT
    concentration: IntoFrameT
    cohorts: IntoFrameT
    retention: IntoFrameT
    retention_by_month: IntoFrameT
    models: IntoFrameT
    backtest: IntoFrameT | None
    calibration: IntoFrameT | None
    kept: Kept
    settings: Settings
    notes: tuple[str, ...]

    def frames(self) -> dict[str, IntoFrameT]:
        """Give all tables that there are, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        no_tables = ("kept", "settings", "notes")
        return {
            name: each for name, each in named.items() if name not in no_tables and each is not None
        }
