"""What customers are worth: who will come back, how often, and what they will spend.

A fit reads the distinct histories of all customers once and gives a frozen value; a prediction
adds columns to a table of customers; a backtest says which model to believe. The models
themselves are in `crmkit.models`.
"""

from __future__ import annotations

from crmkit.clv.backtests import backtest, calibration
from crmkit.clv.comparison import compare
from crmkit.clv.dependence import spend_dependence
from crmkit.clv.fits import Fit, fit
from crmkit.clv.follow_up import tracking
from crmkit.clv.forecast import predict
from crmkit.clv.lifetimes_bridge import from_lifetimes, to_lifetimes
from crmkit.clv.opportunities import opportunities
from crmkit.clv.opportunities_ahead import (
    OpportunityFit,
    fit_opportunities,
    forecast_opportunities,
)
from crmkit.clv.outlook import (
    discounted_purchases,
    expected_purchases,
    probability_alive,
    purchase_distribution,
)
from crmkit.clv.patterns import pattern
from crmkit.clv.posteriors import Posterior, posterior
from crmkit.clv.priors import LogNormal, Normal
from crmkit.clv.retention import (
    RetentionFit,
    discounted_residual_lifetime,
    fit_retention,
    forecast_retention,
)
from crmkit.clv.scaling import Pattern
from crmkit.clv.simulation import simulate
from crmkit.clv.totals import predict_total

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
