"""Churn: who is likely to leave and why, whether that holds, and what is at stake.

Risk
    risk: Churn risk of each customer: the probability of no purchase within the horizon.
    fit_calibration: Learn from held-out days how far stated risks are from what then happened.
    RiskCalibration: Map from the risk that a model states to the share that then bought nothing.
    reliability: Compare stated churn risk with the share who bought nothing, by groups of risk.
    p_active: P(active): rule of thumb by Schmittlein and Morrison, without a model.

Model
    fit: Fit a churn model to a panel, and judge it on later dates beside simpler rules.
    score: Probability of churn of each customer, and the rank by it.
    ChurnModel: A churn model, with the evidence for it.
    load_model: Load a churn model from its file, without running code from it.

Evaluation
    evaluate: Evaluate a churn score: ranking, calibration and money, with intervals.
    gains: Cumulative gains: share of all who left among the highest scores.
    calibration_table: Stated probability beside the share who left, by groups of customers.
    profit_curve: Profit of a campaign by the share of customers contacted, the best one marked.
    RetentionCampaign: A campaign that offers customers something to stay (Neslin; Verbraken).
    AcquisitionCampaign: A campaign to win prospects; the outcome is then who was won.

Why
    reasons: Reasons why each customer is likely to leave, in words, the strongest first.
    drivers: Importance of each feature: how much worse the model is with it shuffled.
    stated_reasons: Count the reasons that customers gave for leaving, beside those of the model.

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
