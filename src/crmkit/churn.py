"""Churn: how likely each customer is to buy nothing, whether that holds, and what is at stake.

Risk
    risk: Churn risk of each customer: the probability of no purchase within the horizon.
    fit_calibration: Learn from held-out days how far stated risks are from what then happened.
    RiskCalibration: Map from the risk that a model states to the share that then bought nothing.
    reliability: Compare stated churn risk with the share who bought nothing, by groups of risk.
    p_active: P(active): rule of thumb by Schmittlein and Morrison, without a model.

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
from crmkit._churn.features import features
from crmkit._churn.fit_calibration import fit_calibration
from crmkit._churn.inactivity import inactivity
from crmkit._churn.labels import label, label_contracts
from crmkit._churn.p_active import p_active
from crmkit._churn.panel import panel
from crmkit._churn.reliability import reliability
from crmkit._churn.risk import risk

__all__ = [
    "RiskCalibration",
    "drift",
    "features",
    "fit_calibration",
    "inactivity",
    "label",
    "label_contracts",
    "p_active",
    "panel",
    "past_amount",
    "reliability",
    "risk",
    "value_at_risk",
]
