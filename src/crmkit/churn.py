"""Churn: who is likely to leave and why, whether that holds, and what is at stake.

Risk
    risk: Churn risk of each customer: the probability of no purchase within the horizon.
    fit_calibration: Learn from held-out days how far stated risks are from what then happened.
    RiskCalibration: Map from the risk that a model states to the share that then bought nothing.
    reliability: Compare stated churn risk with the share who bought nothing, by groups of risk.
    p_active: P(active): rule of thumb by Schmittlein and Morrison, without a model.

Survival
    survival: Survival curve of contracts (Kaplan-Meier) with intervals and numbers at risk.
    survival_summary: Median and restricted mean lifetime of contracts, with their intervals.
    survival_difference: Difference in mean lifetime between groups of contracts, with its interval.
    cumulative_incidence: Share of contracts that end for each reason, by duration (Aalen-Johansen).
    log_rank: Log-rank test: whether contracts of several groups last equally long.
    log_rank_pairs: Log-rank test of each pair of groups, corrected for their number (Holm).
    lapse_table: Lapse table: lapse rate, contracts in force and persistency by period.
    CoxFit: Cox regression of contracts: effect of each feature on the rate of ending.
    fit_cox: Cox regression: how much earlier contracts end by feature (hazard ratios).

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

Data for a model
    label: Label each customer of a day by whether they bought in the horizon.
    label_contracts: Label each contract that runs on a day by whether it ended in the horizon.
    inactivity: Quantiles of the gaps between purchases, with the share that returns after each.
    features: Features of each customer as of a day, for a churn model to score.
    panel: Features at several dates with the label of each, for a churn model to learn from.
    drift: Population stability index (PSI) of each feature and score between two tables.

Value at risk
    past_amount: Money that each customer brought in the last `horizon_days`.
    value_at_risk: Value at risk: money of the last horizon times the churn risk.
"""

from crmkit._churn.at_stake import past_amount, value_at_risk
from crmkit._churn.calibration import RiskCalibration
from crmkit._churn.drift import drift
from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._churn.evaluation.curves import calibration_table, gains, profit_curve
from crmkit._churn.evaluation.evaluate import evaluate
from crmkit._churn.explain.drivers import drivers
from crmkit._churn.explain.reasons import reasons
from crmkit._churn.explain.stated_reasons import stated_reasons
from crmkit._churn.features import features
from crmkit._churn.fit_calibration import fit_calibration
from crmkit._churn.inactivity import inactivity
from crmkit._churn.labels import label, label_contracts
from crmkit._churn.model.churn_model import ChurnModel, load_model
from crmkit._churn.model.fit import fit
from crmkit._churn.model.score import score
from crmkit._churn.p_active import p_active
from crmkit._churn.panel import panel
from crmkit._churn.reliability import reliability
from crmkit._churn.risk import risk
from crmkit._churn.survival.fit_cox import CoxFit, fit_cox
from crmkit._churn.survival.incidence import cumulative_incidence
from crmkit._churn.survival.lapse_table import lapse_table
from crmkit._churn.survival.log_rank import log_rank, log_rank_pairs
from crmkit._churn.survival.survival import survival, survival_difference, survival_summary

__all__ = [
    "AcquisitionCampaign",
    "ChurnModel",
    "CoxFit",
    "RetentionCampaign",
    "RiskCalibration",
    "calibration_table",
    "cumulative_incidence",
    "drift",
    "drivers",
    "evaluate",
    "features",
    "fit",
    "fit_calibration",
    "fit_cox",
    "gains",
    "inactivity",
    "label",
    "label_contracts",
    "lapse_table",
    "load_model",
    "log_rank",
    "log_rank_pairs",
    "p_active",
    "panel",
    "past_amount",
    "profit_curve",
    "reasons",
    "reliability",
    "risk",
    "score",
    "stated_reasons",
    "survival",
    "survival_difference",
    "survival_summary",
    "value_at_risk",
]
