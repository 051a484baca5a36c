"""What customers are worth: who will come back, how often, and what they will spend.

A fit reads the distinct histories of all customers once and gives a frozen value; a prediction
adds columns to a table of customers; a backtest says which model to believe. The models
themselves are in `crmkit.models`.
"""

from crmkit._clv.contracts.retention import (
    RetentionFit,
    discounted_residual_lifetime,
    fit_retention,
    forecast_retention,
)
from crmkit._clv.evaluation.backtest import backtest, calibration
from crmkit._clv.evaluation.compare import compare
from crmkit._clv.evaluation.pattern import pattern
from crmkit._clv.evaluation.spend_dependence import spend_dependence
from crmkit._clv.evaluation.tracking import tracking
from crmkit._clv.fitting.fit import Fit, fit
from crmkit._clv.fitting.priors import LogNormal, Normal
from crmkit._clv.lifetimes import from_lifetimes, to_lifetimes
from crmkit._clv.opportunities.bg_bb import (
    OpportunityFit,
    fit_opportunities,
    forecast_opportunities,
)
from crmkit._clv.opportunities.summary import opportunities
from crmkit._clv.posterior.posterior import Posterior, posterior
from crmkit._clv.prediction.pattern_value import Pattern
from crmkit._clv.prediction.predict import predict
from crmkit._clv.prediction.predict_total import predict_total
from crmkit._clv.prediction.quantities import (
    discounted_purchases,
    expected_purchases,
    probability_alive,
    purchase_distribution,
)
from crmkit._clv.simulate import simulate

__all__ = [
    "Fit",
    "LogNormal",
    "Normal",
    "OpportunityFit",
    "Pattern",
    "Posterior",
    "RetentionFit",
    "backtest",
    "calibration",
    "compare",
    "discounted_purchases",
    "discounted_residual_lifetime",
    "expected_purchases",
    "fit",
    "fit_opportunities",
    "fit_retention",
    "forecast_opportunities",
    "forecast_retention",
    "from_lifetimes",
    "opportunities",
    "pattern",
    "posterior",
    "predict",
    "predict_total",
    "probability_alive",
    "purchase_distribution",
    "simulate",
    "spend_dependence",
    "to_lifetimes",
    "tracking",
]
