"""Churn: how likely each customer is to buy nothing, whether that holds, and what is at stake.

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

Value at risk
    past_amount: Money that each customer brought in the last `horizon_days`.
    value_at_risk: Value at risk: money of the last horizon times the churn risk.
"""

from crmkit._churn.at_stake import past_amount, value_at_risk
from crmkit._churn.calibration import RiskCalibration
from crmkit._churn.fit_calibration import fit_calibration
from crmkit._churn.p_active import p_active
from crmkit._churn.reliability import reliability
from crmkit._churn.risk import risk
from crmkit._churn.survival.fit_cox import CoxFit, fit_cox
from crmkit._churn.survival.incidence import cumulative_incidence
from crmkit._churn.survival.lapse_table import lapse_table
from crmkit._churn.survival.log_rank import log_rank, log_rank_pairs
from crmkit._churn.survival.survival import survival, survival_difference, survival_summary

__all__ = [
    "CoxFit",
    "RiskCalibration",
    "cumulative_incidence",
    "fit_calibration",
    "fit_cox",
    "lapse_table",
    "log_rank",
    "log_rank_pairs",
    "p_active",
    "past_amount",
    "reliability",
    "risk",
    "survival",
    "survival_difference",
    "survival_summary",
    "value_at_risk",
]
