"""Churn: how likely each customer is to buy nothing, whether that holds, and what is at stake.

Risk
    risk: Churn risk of each customer: the probability of no purchase within the horizon.
    fit_calibration: Learn from held-out days how far stated risks are from what then happened.
    RiskCalibration: Map from the risk that a model states to the share that then bought nothing.
    reliability: Compare stated churn risk with the share who bought nothing, by groups of risk.
    p_active: P(active): rule of thumb by Schmittlein and Morrison, without a model.

Model
    fit: Fit.
    score: Score.
    ChurnModel: Model.
    load_model: Load.

Evaluation
    evaluate: E.
    gains: G.
    calibration_table: C.
    profit_curve: P.
    RetentionCampaign: R.
    AcquisitionCampaign: A.

Why
    reasons: R.
    drivers: D.
    stated_reasons: S.

Value at risk
    past_amount: Money that each customer brought in the last `horizon_days`.
    value_at_risk: Value at risk: money of the last horizon times the churn risk.
"""

from crmkit._churn.at_stake import past_amount, value_at_risk
from crmkit._churn.calibration import RiskCalibration
from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._churn.evaluation.curves import calibration_table, gains, profit_curve
from crmkit._churn.evaluation.evaluate import evaluate
from crmkit._churn.explain.drivers import drivers
from crmkit._churn.explain.reasons import reasons
from crmkit._churn.explain.stated_reasons import stated_reasons
from crmkit._churn.fit_calibration import fit_calibration
from crmkit._churn.model.churn_model import ChurnModel, load_model
from crmkit._churn.model.fit import fit
from crmkit._churn.model.score import score
from crmkit._churn.p_active import p_active
from crmkit._churn.reliability import reliability
from crmkit._churn.risk import risk

__all__ = [
    "AcquisitionCampaign",
    "ChurnModel",
    "RetentionCampaign",
    "RiskCalibration",
    "calibration_table",
    "drivers",
    "evaluate",
    "fit",
    "fit_calibration",
    "gains",
    "load_model",
    "p_active",
    "past_amount",
    "profit_curve",
    "reasons",
    "reliability",
    "risk",
    "score",
    "stated_reasons",
    "value_at_risk",
]
