"""Arguments of a wrong type are answered in words in every public function, not by a raw error."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
import polars as pl
import pytest

import crmkit
from crmkit import churn, clv, cohorts, rfm
from crmkit._door.time import as_day, as_last_day
from crmkit.errors import CrmkitError, InvalidArgumentError
from tests.conftest import rows
from tests.engine_cases import (
    AS_OF,
    BREAKPOINTS,
    CASES,
    SPLIT,
    STAGE_RULES,
    TIERS,
    arrow,
    churn_model,
    donations,
    moves,
    purchases,
    season,
    spend,
    tables,
    trees,
    uplift,
)
from tests.engines import ENGINES, marks_of

pytestmark = pytest.mark.filterwarnings("ignore")  # what is warned of is not the question

BAD: Final[Sequence[Any]] = (
    *(None, True, "x", "", b"x", 3, -1, 2.5, math.nan, math.inf, 10**400, 10**30, 1j),
    *(Decimal(2), np.int64(-3), np.float64("nan"), np.bool_(0), np.datetime64("NaT")),
    *(np.datetime64("20000-01-01"), np.datetime64("2024"), pd.NaT, pd.NA, date.max, date.min),
    *(timedelta(3), "2024-13-45", "today", float, object(), lambda x: x),
    *([], [None], ["x"], [3], [[1]], (), set(), {"orders"}, {}, {"orders": 3}, {"x": "y"}, {3: 3}),
    *(np.array([1, 2]), np.array([]), pd.Series([1, 2]), pd.DataFrame({"a": [1]}), pl.DataFrame()),
)
"""Values of every kind that somebody may give by mistake."""

ORDERS: Final[dict[str, Any]] = {"as_of": AS_OF}
AS_OF_NEXT: Final = AS_OF + timedelta(days=30)  # one contract begins the day after
HELD: Final[dict[str, Any]] = {"split": SPLIT, "as_of": AS_OF}
NO_FITS: Final[dict[str, Any]] = {"backend": "pandas"}


@cache
def calls() -> dict[str, tuple[str | None, dict[str, Any]]]:
    """The table that each public function takes first, and a usual value of each argument."""
    fit, money, ahead = purchases(), spend(), {"horizon_days": 30}
    retention = clv.fit_retention(tables()["survivors"], every="year")
    scored = {"purchases": fit, "spend": money, **ahead, "margin": 1.0, "cost": None}
    scored |= {"annual_discount_rate": 0.0, "calibrate": None, "level": 0.9}
    rule = dict.fromkeys(("at_risk_from", "lapsing_from", "lost_from"), 2.0)
    rule |= {"typical_gap_days": 30, "prior_gaps": 1.0, "new_days": 9, "growing_purchases": 3}
    contact: dict[str, Any] = {"value": "value", "contact_cost": 1.0, "offer_cost": 0.0}
    lasting = {**ORDERS, "observed_from": None}
    contact |= {"budget": 9.0, "capacity": 3, "within": "branch"}
    terms: dict[str, Any] = {"customer": "customer_id", "start": "start", "end": "end"}
    terms |= {"cancelled": None, "amount": None, "cooling_off_days": 3, "as_of": AS_OF_NEXT}
    terms["date_format"] = None
    talks: dict[str, Any] = {"customer": "customer_id", "date": "contact_date", "owner": None}
    talks |= {"channel": "channel", "kind": "contact_kind", "complaint": "is_complaint"}
    talks |= {"answered": "answered_on", "complaint_kinds": None, "as_of": AS_OF}
    talks["date_format"] = None
    return {
        "rfm.breakpoints": (
            "customers",
            {"n": 5, "method": "quantile", "ties": "average", "cuts": None, "nested": False},
        ),
        "rfm.check_map": ("segment map", {"n": 5}),
        "rfm.holdout": ("orders", HELD),
        "rfm.newcomers": ("orders", HELD),
        "rfm.purchase_days": ("orders", ORDERS),
        "rfm.summarize": ("orders", ORDERS),
        "rfm.score": ("customers", {"breakpoints": BREAKPOINTS}),
        "rfm.segment": ("segmented", {"segments": "codes_125", "n": None}),
        "rfm.segment_map": (None, {"name": "rf_25", **NO_FITS}),
        "rfm.segment_summary": ("segmented", {}),
        "clv.backtest": (
            "visits",  # without amounts, so that nothing is fitted once all arguments are right
            {
                "splits": [SPLIT],
                "as_of": AS_OF,
                "models": ["nbd"],
                "spend": "gamma_gamma",
                "hiatus_days": 56,
                "boosted_trees": False,
                "calibrated": False,
            },
        ),
        "clv.calibration": ("orders", {**HELD, "model": "nbd", "most": 7}),
        "clv.choose": ("visits", {**ORDERS, "models": ["nbd"], "split": SPLIT}),
        "clv.compare": ("customers", {"models": [fit]}),
        "clv.discounted_purchases": (
            "customers",
            {"purchases": fit, "annual_discount_rate": 0.1, **ahead},
        ),
        "clv.discounted_residual_lifetime": (
            None,
            {"fit": retention, "renewals": [1], "annual_discount_rate": 0.1, **NO_FITS},
        ),
        "clv.expected_purchases": ("customers", {"purchases": fit, **ahead}),
        "clv.fit": (
            "customers",
            {
                "model": "nbd",
                "k": None,
                "orders": None,
                "covariates": None,
                "penalty": 0.0,
                "prior": None,
            },
        ),
        "clv.fit_misses": (
            "visits",
            {
                **ORDERS,
                **ahead,
                "model": "nbd",
                "spend": None,
                "origins": 1,
                "calibrated": False,
            },
        ),
        "clv.fit_opportunities": ("opportunities", {"every": "month"}),
        "clv.fit_retention": ("contracts", {"model": "sbg", "every": "month", "as_of": AS_OF}),
        "clv.fit_trees": ("orders", {**ORDERS, **ahead, "most": 100}),
        "clv.predict_trees": ("customers", {"trees": trees()}),
        "clv.rank": (
            "customers",
            {
                "purchases": fit,
                "spend": money,
                "trees": trees(),
                "horizon_days": 91,
                "margin": 1.0,
                "annual_discount_rate": 0.0,
                "share": 0.5,
            },
        ),
        "clv.forecast_opportunities": (
            "opportunities",
            {"fit": donations(), "n_opportunities": 3, "annual_discount_rate": 0.0},
        ),
        "clv.forecast_retention": (None, {"fit": retention, "periods": 3, **NO_FITS}),
        "clv.no_purchase": ("customers", {"purchases": fit, **ahead}),
        "clv.opportunities": ("orders", {**ORDERS, "every": "month"}),
        "clv.parameters": (None, {"fits": [fit, money], **NO_FITS}),
        "clv.pattern": ("orders", {"purchases": fit, **ORDERS, **ahead}),
        "clv.posterior": ("customers", {"fit": fit, "draws": 100, "seed": 0, "prior": None}),
        "clv.predict": ("customers", scored | {"level": None}),
        "clv.predict_total": ("customers", scored | {"misses": None}),
        "clv.probability_alive": ("customers", {"purchases": fit, "days": 0}),
        "clv.purchase_distribution": ("customers", {"purchases": fit, **ahead, "most": 2}),
        "clv.simulate": (
            None,
            {
                "purchases": fit,
                "n_customers": 5,
                "customers": None,
                "acquisition_days": 9,
                "start": date(2024, 1, 1),
                "as_of": date(2024, 3, 1),
                "seed": 1,
                **NO_FITS,
            },
        ),
        "clv.spend_dependence": ("customers", {}),
        "clv.to_lifetimes": (None, {"fit": fit, "unit_days": 7}),
        "clv.tracking": ("orders", {"purchases": fit, **ORDERS, "every": "month"}),
        "clv.validate": ("visits", {**HELD, "model": "nbd"}),
        "churn.p_active": ("customers", {}),
        "churn.risk": (
            "signals",
            {
                "purchases": fit,
                **ahead,
                "calibration": None,
                "medium_from": 0.5,
                "high_from": 0.8,
            },
        ),
        "churn.drift": ("customers", {"now": tables()["known"]}),
        "churn.features": ("orders", {**ORDERS, "windows_days": (30, 90), "customers": None}),
        "churn.fit_calibration": ("held out", {}),
        "churn.inactivity": ("orders", {**ORDERS, "quantiles": (0.5, 0.9)}),
        "churn.label": ("orders", {"as_of": SPLIT, **ahead}),
        "churn.label_contracts": ("contracts", {"as_of": SPLIT, **ahead, "data_until": AS_OF}),
        "churn.panel": (
            "orders",
            {"dates": [SPLIT], **ahead, "windows_days": (30, 90), "customers": None},
        ),
        "churn.past_amount": ("orders", {**ORDERS, **ahead}),
        "churn.reliability": ("held out", {"method": "platt", "bins": 3, "level": 0.9}),
        "churn.survival": (
            "policies",
            {**lasting, "by": "plan", "interval": "log", "level": 0.9},
        ),
        "churn.survival_summary": (
            "policies",
            {**lasting, "by": "plan", "restricted_to": 90, "interval": "log", "level": 0.9},
        ),
        "churn.survival_difference": (
            "policies",
            {**lasting, "by": "plan", "restricted_to": 90, "level": 0.9},
        ),
        "churn.cumulative_incidence": (
            "policies",
            {**lasting, "reason": "why", "by": "plan", "level": 0.9},
        ),
        "churn.log_rank": (
            "policies",
            {**lasting, "by": "plan", "strata": "seats", "rho": 1.0},
        ),
        "churn.log_rank_pairs": (
            "policies",
            {**lasting, "by": "plan", "strata": "seats", "rho": 1.0},
        ),
        "churn.lapse_table": (
            "policies",
            {**lasting, "by": "plan", "every": "year", "cohort_size": 1000, "periods": 2},
        ),
        "churn.fit_cox": (
            "policies",
            {
                **lasting,
                "features": ["plan"],
                "strata": "seats",
                "ties": "efron",
                "level": 0.9,
            },
        ),
        "churn.value_at_risk": ("rated", {"past": tables()["past"]}),
        "lifecycle.assign": ("rhythm", {"rules": STAGE_RULES}),
        "lifecycle.calibrate": (
            "orders",
            {
                "dates": [SPLIT],
                **ahead,
                **ORDERS,
                "rules": STAGE_RULES,
                "lost_below": 0.1,
                "level": 0.9,
            },
        ),
        "lifecycle.duration_summary": ("spells", {"level": 0.9}),
        "lifecycle.durations": ("history", {}),
        "lifecycle.fit_rules": (
            "orders",
            {**ORDERS, **ahead, "lost_below": 0.1, "rules": STAGE_RULES},
        ),
        "lifecycle.flow": ("history", {}),
        "lifecycle.forecast": (
            "last stages",
            {
                "transitions": moves(),
                "periods": 2,
                "new_per_period": {"new": 3.0},
                "amount_per_customer": {"active": 9.0},
                "level": 0.9,
                "seed": 1,
            },
        ),
        "lifecycle.funnel": ("known stages", {"by": "source", "level": 0.9}),
        "lifecycle.growth_accounting": (
            "orders",
            {**ORDERS, "every": "month", "is_cut": False, "tolerance": 0.1},
        ),
        "lifecycle.history": (
            "orders",
            {"dates": [SPLIT], "rules": STAGE_RULES, "recent_days": 91, "prospects": None},
        ),
        "lifecycle.markov_value": (
            None,
            {
                "transitions": moves(),
                "margin": {"active": 9.0},
                "cost": {"active": 1.0},
                "annual_discount_rate": 0.1,
                "period_days": 91,
                "periods": 3,
                "include_now": True,
                "level": 0.9,
                "seed": 1,
                "backend": "pandas",
            },
        ),
        "lifecycle.phase_map": (None, {"backend": "pandas"}),
        "lifecycle.phases": ("staged", {"phases": None}),
        "lifecycle.second_purchases": ("known stages", {"every": "month", "level": 0.9}),
        "lifecycle.states": ("staged", {"prospects": None, "targets": None}),
        "lifecycle.transition_table": (
            None,
            {"transitions": moves(), "level": 0.9, "backend": "pandas"},
        ),
        "lifecycle.transitions": ("history", {"stages": None}),
        "lifecycle.rhythm": ("orders", {**ORDERS, "recent_days": 91, "prospects": None}),
        "lifecycle.rules": ("rhythm", rule | {"growing_ratio": 1.5, "windows": "gaps"}),
        "lifecycle.stage_summary": ("staged", {}),
        "tiers.abc": ("customers", {"by": "total_amount", "cuts": (0.75, 0.95), "within": None}),
        "tiers.abc_summary": ("classed", {"by": "total_amount", "within": None}),
        "tiers.assign": ("customers", {"rule": TIERS, "policy": None}),
        "tiers.audit": (
            "assigned",
            {"rule": TIERS, "assigned": "tier_assigned", "tolerance": 0.0},
        ),
        "tiers.audit_summary": ("audited", {"by": "agent", "level": 0.95}),
        "tiers.migrate": (
            "customers before",
            {
                "after": tables()["customers"],
                "rule": TIERS,
                "by": "total_amount",
                "tier": None,
            },
        ),
        "tiers.migration_value": (
            "tiered",
            {
                "rule": TIERS,
                "by": "total_amount",
                "share": 0.02,
                "net_margin": 0.2,
                "cost_per_customer": 0.0,
            },
        ),
        "tiers.review": (
            "current tiers",
            {
                "proposed": tables()["customers"],
                "rule": TIERS,
                "as_of": AS_OF,
                "grace": 0.1,
                "hold_days": 90,
                "one_step": True,
                "no_downgrade_before": None,
                "downgrade": "one_down",
                "when": "now",
            },
        ),
        "tiers.review_summary": ("reviewed", {"rule": TIERS}),
        "tiers.value_matrix": (
            "customers",
            {"current": "total_amount", "potential": "frequency", "cuts": None},
        ),
        "tiers.mobility": ("tier moves", {"rule": TIERS, "values": None}),
        "tiers.concentration": ("customers", {"by": "total_amount", "shares": (0.1, 0.5)}),
        "tiers.gini": ("customers", {"by": "total_amount"}),
        "tiers.policy": (None, NO_FITS),
        "tiers.rule": (
            "customers",
            {
                "method": "value_share",
                "by": "total_amount",
                "cuts": (0.5, 0.8),
                "names": ("diamond", "gold", "silver"),
                "within": None,
            },
        ),
        "tiers.summary": ("tiered", {"rule": TIERS, "by": "total_amount"}),
        "tiers.whale": ("customers", {"by": "total_amount"}),
        "cohorts.calendar_retention": ("orders", {**ORDERS, "every": "year", "level": 0.95}),
        "cohorts.pooled": ("rates", {"level": 0.95}),
        "cohorts.rates": ("orders", {"every": "year", **ORDERS}),
        "cohorts.rescale_churn": (None, {"churn_rate": 0.1, "every": "month", "to": "year"}),
        "cohorts.retention": (
            "orders",
            {**ORDERS, "windows": cohorts.bracket((1, 31)), "every": "year", "level": 0.95},
        ),
        "cohorts.table": ("orders", {**ORDERS, "every": "year", "measure": "customers"}),
        "actions.call_list": ("recommended", {"most": 100, "keep": (), "no_contact": ()}),
        "actions.plan": (None, NO_FITS),
        "actions.recommend": ("signals", {"plan": None}),
        "actions.summary": ("recommended", {}),
        "campaigns.score_prospects": (
            "experiment",
            {
                "customers": tables()["experiment"],
                "outcome": "bought",
                "features": ["frequency"],
                "joined": None,
                "seed": 0,
            },
        ),
        "campaigns.sources": (
            "experiment",
            {
                "source": "branch",
                "converted": "bought",
                "costs": tables()["source costs"],
                "value": "amount",
                "level": 0.9,
            },
        ),
        "campaigns.compare_policies": (
            "experiment",
            {
                "treated": "treated",
                "outcome": "bought",
                "policies": ["target"],
                "value": 5.0,
                "amount": None,
                "margin": 1.0,
                "contact_cost": 1.0,
                "control": None,
                "propensity": None,
                "level": 0.95,
            },
        ),
        "campaigns.fit_uplift": (
            "experiment",
            {
                "treated": "treated",
                "outcome": "bought",
                "features": ["frequency"],
                "control": None,
                "risk": None,
                "level": 0.9,
                "seed": 0,
            },
        ),
        "campaigns.score_uplift": ("experiment", {"model": uplift()}),
        "campaigns.uplift_curve": (
            "experiment",
            {
                "treated": "treated",
                "outcome": "bought",
                "score": "frequency",
                "control": None,
                "points": 3,
            },
        ),
        "campaigns.plan": (
            "chances",
            contact | {"p_without": "p0", "p_with": "p1", "offers": None},
        ),
        "campaigns.plan_summary": ("planned", {"budget": 9.0, "capacity": 3, "level": 0.9}),
        "campaigns.reactivate": (
            "chances",
            contact | {"potential": 50.0, "p_without": 0.0, "p_with": "p1", "tiers": ["silver"]},
        ),
        "campaigns.record": ("treated", {"outcomes": tables()["outcomes"]}),
        "campaigns.response_table": (
            "experiment",
            {
                "outcome": "bought",
                "by": None,
                "score": "frequency",
                "groups": 4,
                "amount": "amount",
                "profit_per_response": None,
                "margin": 1.0,
                "contact_cost": 1.0,
            },
        ),
        "campaigns.result": (
            "experiment",
            {
                "treated": "treated",
                "outcome": "bought",
                "amount": "amount",
                "margin": 1.0,
                "contact_cost": 1.0,
                "good": True,
                "control": None,
                "by": "branch",
                "before": ["frequency"],
                "interval": "normal",
                "level": 0.95,
            },
        ),
        "campaigns.sample_size": (
            None,
            {
                "baseline_rate": 0.1,
                "lift": 0.02,
                "power": 0.8,
                "level": 0.95,
                "control_share": 0.5,
            },
        ),
        "campaigns.save_list": (
            "chances",
            contact | {"save_rate": 0.5, "p_leave": "p0", "stages": ["lost"]},
        ),
        "campaigns.split": ("chances", {"share": 0.3, "within": ["branch"], "seed": 0}),
        "campaigns.win_back": (
            "chances",
            contact | {"p_without": 0.0, "p_with": "p1", "stages": ["lost"]},
        ),
        "campaigns.break_even_index": (None, {"response_rate": 0.1, "break_even_rate": 0.05}),
        "campaigns.break_even_rate": (None, {"cost_per_contact": 1.0, "profit_per_sale": 40.0}),
        "events.compare": (
            "staged before",
            {
                "after": tables()["staged after"],
                "rules": None,
                "value": "total_amount",
                "before_date": None,
                "after_date": None,
                "earlier": None,
            },
        ),
        "events.care_gaps": (
            "tiered",
            {"contacts": tables()["contacts"], "policy": None, "as_of": AS_OF},
        ),
        "events.care_policy": (None, NO_FITS),
        "events.exposed": (
            "products",
            {
                "products": ["fund 0"],
                "as_of": AS_OF,
                "days": 365,
                "value": "amount",
                "channel": "branch",
            },
        ),
        "events.rules": (None, NO_FITS),
        "loyalty.referrals": (
            "customers",
            {
                "referrals": tables()["referrals"],
                "value": "total_amount",
                "decay": 0.5,
                "depth": 3,
            },
        ),
        "loyalty.behaviour": ("orders", {**ORDERS, "every": "month"}),
        "loyalty.types": (
            "asked",
            {
                "attitude": "liking",
                "repeat": "repeat_share",
                "flags": {"price": "cheapest"},
                "cuts": (3, 0.5),
            },
        ),
        "loyalty.profit_types": (
            "asked",
            {"profit": "liking", "duration": "repeat_share", "cuts": None},
        ),
        "loyalty.type_summary": (
            "asked",
            {
                "by": "branch",
                "profit": "profit",
                "scores": ("liking", "repeat_share"),
                "outcome": "profit",
            },
        ),
        "loyalty.scores": (
            "asked",
            {
                "emotional": ["liking"],
                "behavioural": ["again"],
                "intentional": (),
                "reversed_items": ["again"],
                "scale": (1, 5),
            },
        ),
        "loyalty.complaints": (
            "contacts",
            {
                "orders": tables()["orders"],
                "as_of": AS_OF,
                "window_days": 365,
                "horizon_days": 91,
                "level": 0.95,
            },
        ),
        "sales.growth": (
            "sold",
            {
                "by": "branch",
                "every": "month",
                "as_of": AS_OF,
                "compare": "year",
                "subtotals": False,
            },
        ),
        "sales.movers": ("growth", {"most": 3, "day": "1998-05-05"}),
        "sales.bridge": (
            "sold",
            {
                "every": "month",
                "as_of": AS_OF,
                "by": "product",
                "compare": "year",
                "mix": "prices now",
            },
        ),
        "sales.revenue_tree": ("sold", {"every": "month", "as_of": AS_OF, "compare": "year"}),
        "sales.trend": (
            "sold",
            {
                "as_of": AS_OF,
                "by": "branch",
                "every": "month",
                "periods": 6,
                "level": 0.9,
                "index": season(),
            },
        ),
        "sales.composition": (
            "sold",
            {"by": "product", "within": "branch", "value": "amount", "target": None},
        ),
        "sales.attainment": (
            "sold",
            {
                "target": tables()["branch targets"],
                "by": "branch",
                "as_of": AS_OF,
                "season": season(),
                "level": 0.9,
            },
        ),
        "sales.target_fairness": ("attained", {}),
        "sales.seasonal_index": (
            "sold",
            {
                "as_of": AS_OF,
                "every": "month",
                "years": 1,
                "within": "branch",
                "method": "means",
                "working_days": True,
            },
        ),
        "sales.season_table": (None, {"index": season(), **NO_FITS}),
        "sales.spread": (
            None,
            {"target": 100.0, "index": season(), "year": 1998, **NO_FITS},
        ),
        "sales.concessions": ("sold", {"as_of": AS_OF, "days": 91}),
        "sales.after_concessions": (
            "sold",
            {"ended": SPLIT, "as_of": AS_OF, "days": 91, "level": 0.9},
        ),
        "sales.wallet": (
            "wallets",
            {"ours": "spend", "wallet": "category", "required_share": 0.5},
        ),
        "sales.wallet_from_ranks": (
            "wallets",
            {"ours": "spend", "rank": "our_rank", "brands": "brands"},
        ),
        "sales.realistic_wallet": (
            "wallets",
            {"ours": "spend", "features": None, "quantile": 0.8, "seed": 1},
        ),
        "events.summary": ("events", {}),
        "churn.fit": (
            "panel",
            {
                "estimator": None,
                "calibrate": False,
                "horizon_days": 30.0,
                "label": "no purchase",
                "seed": 0,
            },
        ),
        "churn.score": ("panel", {"model": churn_model()}),
        "churn.reasons": ("panel", {"model": churn_model(), "most": 1}),
        "churn.drivers": (
            "panel",
            {"model": churn_model(), "repeats": 1, "level": 0.9, "seed": 0},
        ),
        "churn.stated_reasons": ("stated", {"reason": "why", "modelled": None, "level": 0.9}),
        "churn.load_model": (None, {"path": "nowhere.json"}),
        "churn.evaluate": (
            "churn scored",
            {
                "outcome": "churned",
                "by": None,
                "score": "p_churn",
                "campaign": None,
                "level": 0.9,
                "draws": 0,
                "seed": 0,
            },
        ),
        "churn.gains": ("churn scored", {"outcome": "churned", "score": "p_churn", "points": 3}),
        "churn.calibration_table": (
            "churn scored",
            {"outcome": "churned", "score": "p_churn", "bins": 3, "level": 0.9},
        ),
        "churn.profit_curve": (
            "churn scored",
            {
                "outcome": "churned",
                "campaign": churn.RetentionCampaign(value=50, contact_cost=1),
                "score": "p_churn",
                "points": 3,
            },
        ),
        "economics.cost_benefit": ("costs", {"declared": None}),
        "datasets.load_cdnow": (None, {"sample": True, **NO_FITS}),
        "intake.contracts": ("contracts", terms | {"grace_days": 9, "agent": None, "keep": ()}),
        "intake.check_contracts": ("contracts", terms | {"decimal": "."}),
        "intake.clean_contracts": (
            "contracts",
            terms | {"grace_days": 9, "agent": None, "keep": (), "decimal": "."},
        ),
        "intake.contacts": ("contacts", talks | {"keep": ()}),
        "intake.check_contacts": ("contacts", talks | {"customers": tables()["customers"]}),
        "intake.clean_contacts": ("contacts", talks | {"keep": ()}),
        "intake.hash_ids": ("customers", {"key": "a long secret"}),
        "intake.prospects": ("customers", {"customer": "customer_id", "keep": ()}),
        "intake.clean_prospects": ("customers", {"customer": "customer_id", "keep": ()}),
        "intake.check_prospects": ("customers", {"customer": "customer_id"}),
        "intake.match": (
            "records",
            {"keys": ["email"], "fuzzy": None, "country_code": None, "most": 10},
        ),
        "intake.completeness": ("records", {"fields": ["email"], "by": None, "as_of": None}),
        "intake.completeness_of_customers": ("records", {"fields": ["email"], "as_of": None}),
        "intake.shared_contacts": (
            "records",
            {"fields": ["email"], "least": 3, "country_code": None},
        ),
    }


OTHERS: Final = {
    **dict.fromkeys(("intake.transactions", "intake.check", "intake.clean", "intake.costs"), ""),
    **dict.fromkeys(("intake.check_costs", "intake.clean_costs"), ""),
    "intake.read_file": "takes a file, see tests/test_files_kinds.py",
    "intake.read_log": "takes a file, see tests/test_read_log.py",
    "pipeline.run_summary": "calls the others",
    "clv.from_lifetimes": "takes a fitter of another library",
    "cohorts.n_day": "takes days only, see tests/test_cohorts.py",
    "cohorts.rolling": "the same",
    "cohorts.bracket": "the same",
    "pipeline.evaluate": "calls the others, see tests/test_evaluate.py",
    "pipeline.run": "calls the others",
    "report.render": "takes what pipeline.run gives",
}
"""Functions whose arguments are tested elsewhere."""

ROOMS: Final = [
    room
    for room in (getattr(crmkit, name) for name in crmkit.__all__)
    if inspect.ismodule(room) and room is not crmkit.plots
]
NAMES: Final = [
    f"{room.__name__.removeprefix('crmkit.')}.{name}"
    for room in ROOMS
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
]
TRIED: Final = [name for name in NAMES if name not in OTHERS]


def call(public: str, *args: Any, **kwargs: Any) -> None:
    """Call a public function; its own errors are fine."""
    room, function = public.split(".")
    with suppress(CrmkitError):
        getattr(getattr(crmkit, room), function)(*args, **kwargs)


@pytest.mark.parametrize("name", TRIED)
def test_no_argument_gives_a_raw_error(name: str) -> None:
    table, usual = calls()[name]
    args = [] if table is None else [tables()[table]]
    for argument in usual:
        for bad in BAD:
            call(name, *args, **usual | {argument: bad})
    for bad in BAD if args else ():
        call(name, bad, **usual)


def test_every_public_function_is_tried() -> None:
    assert sorted(NAMES) == sorted([*calls(), *OTHERS])


@pytest.mark.parametrize("name", TRIED)
def test_numbers_of_numpy_are_numbers(name: str) -> None:
    table, usual = calls()[name]
    kinds: dict[type, Any] = {int: np.int32, float: np.float32}
    args = [] if table is None else [tables()[table]]
    room, function = name.split(".")
    changed = {n: kinds[type(v)](v) for n, v in usual.items() if type(v) in kinds}
    if changed and name != "clv.backtest":
        getattr(getattr(crmkit, room), function)(*args, **usual | changed)


# Days


DAY: Final = date(2024, 12, 31)
_KEYS: Final = ("customer_id", "date", "cohort", "period", "from_day", "starts")


@pytest.mark.parametrize(
    "written",
    [
        DAY,
        "2024-12-31",
        "2024-12-31T23:59:59",
        "2024-12-31 08:00",
        datetime(2024, 12, 31, 23, 59),
        pd.Timestamp("2024-12-31 12:00"),
        pd.Timestamp("2024-12-31 23:30", tz="Asia/Tokyo"),
        np.datetime64("2024-12-31"),
        np.datetime64("2024-12-31T23:00:00.000000001"),
    ],
)
def test_a_day_is_written_in_many_ways(written: Any) -> None:
    assert as_day(written, argument="as_of") == DAY


@pytest.mark.parametrize(
    "written",
    [
        *("", "2024", "2024-12", "2024-12-32", "31.12.2024", "20241231", "2024-W52-2", "now"),
        *("\uff12\uff10\uff12\uff14-12-31", 20241231, 45_000.0, None, pd.NaT, pd.NA, b"2024-12-31"),
        *(np.datetime64("NaT"), np.datetime64("2024"), np.datetime64("2024-12")),
        *(np.datetime64("20000-01-01"), pd.Period("2024-12-31"), ["2024-12-31"], timedelta(3)),
    ],
)
def test_what_is_not_a_day_is_refused(written: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^`as_of` must be a date, got ") as caught:
        as_day(written, argument="as_of")
    assert str(caught.value).endswith('\nWrite datetime.date(2024, 12, 31) or "2024-12-31".')


def test_periods_are_not_laid_out_to_the_end_of_time() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        as_last_day("9999-12-31", argument="as_of")
    assert str(caught.value) == (
        "`as_of` is 9999-12-31, and each calendar period up to it would be a row.\n"
        "Give the last day of the data."
    )
    assert as_last_day("2199-12-31", argument="as_of") == date(2199, 12, 31)


def test_text_and_date_give_the_same_everywhere() -> None:
    orders = tables()["visits"]
    for function, others in (
        (rfm.summarize, {}),
        (rfm.purchase_days, {}),
        (crmkit.lifecycle.rhythm, {}),
        (cohorts.table, {}),
        (cohorts.calendar_retention, {}),
        (cohorts.retention, {}),
        (clv.opportunities, {}),
        (clv.tracking, {"purchases": purchases()}),
    ):
        made: Any = function  # of different arguments
        one, other = (made(orders, as_of=day, **others) for day in (AS_OF, AS_OF.isoformat()))
        by = [name for name in _KEYS if name in one.columns]
        assert rows(one, by=by) == rows(other, by=by)
    text, day = (
        rfm.holdout(orders, split=split, as_of=as_of)
        for split, as_of in ((SPLIT.isoformat(), AS_OF.isoformat()), (SPLIT, AS_OF))
    )
    assert rows(text, by="customer_id") == rows(day, by="customer_id")


# Empty tables of a plan


_EMPTY: Final = [
    n for n in CASES if n.partition(".")[0] in ("rfm", "lifecycle", "churn", "cohorts")
]


@pytest.mark.parametrize("name", [*_EMPTY, "intake.match", "intake.completeness"])
@pytest.mark.parametrize("engine", [pytest.param("dask", marks=marks_of("dask", is_sample=True))])
def test_an_empty_plan_gives_an_empty_table_or_words(engine: str, name: str) -> None:
    case = CASES[name]
    empty = [ENGINES[engine].make(arrow(tables()[each].head(0))) for each in case.tables]
    with suppress(CrmkitError):
        found = case.call(*empty)
        if hasattr(found, "compute"):
            rows(found)
