"""Customer lifetime value: purchase, dropout and spend models, fitted, tested and applied.

A fit reads the distinct histories of all customers once and gives a frozen value; a prediction
adds columns to a table of customers; a backtest shows which model to use. The models themselves
are in `crmkit.models`.

Fit
    choose: Choose the purchase model with the best log score on held-out days.
    Choice: The purchase model that held-out days chose, and the scores of all that were tried.
    fit: Fit a purchase or spend model to the customers' histories.
    Fit: Fitted purchase or spend model: a value to keep and predict with.
    FitInUnits: A fit with time in another unit, as `Fit.in_units` gives it.
    LogNormal: Lognormal prior of a parameter, which is above 0.
    posterior: Draw parameters from their posterior distribution.
    Posterior: Draws from the posterior distribution of a model's parameters.
    Normal: Normal prior of a coefficient, which may be of either sign.
    spend_dependence: Correlate purchase frequency with spend per purchase.

Predict
    predict: Predict purchases, spend and lifetime value per customer.
    predict_total: Predict the total of purchases and value, with an interval.
    Misses: How far forecasts of totals missed on held-out days: a value to give to `predict_total`.
    MissTest: A forecast of a total from an earlier day, and what came.
    probability_alive: Probability that each customer is still active `days` days from now.
    expected_purchases: Expected purchases of each customer within the horizon.
    no_purchase: Probability that each customer makes no purchase within the horizon.
    purchase_distribution: Probability of 0, 1, 2 ... purchases of each customer within the horizon.
    discounted_purchases: Expected future purchases per customer, discounted to today (DERT).

Rank
    fit_trees: Train gradient-boosted trees on an earlier split, as a second view beside the models.
    Trees: Gradient-boosted trees: a forecast for each customer that assumes no purchase model.
    predict_trees: Forecast each customer's purchases and money with boosted trees.
    rank: Rank customers by two views: half purchase model, half boosted trees.

Test
    backtest: Compare forecasting methods on held-out data.
    calibration: Compare forecast and actual purchases by past frequency.
    validate: Backtest and calibration of one model from a single split and fit.
    Validation: Backtest and calibration of one model.
    fit_misses: Measure how far forecasts of totals missed on held-out days, for `predict_total`.
    compare: Compare models by log-likelihood, AIC, BIC and likelihood-ratio test.
    tracking: Compare actual and expected repeat purchases by period.
    pattern: Estimate season and trend from recent weeks, to scale a forecast.
    Pattern: Seasonal and trend factor of a forecast: a value to give to `predict`.
    simulate: Simulate the purchases of new customers, as a ledger.

Contracts
    fit_retention: Fit a retention model to customers under contract.
    RetentionFit: Fitted retention model: a value to keep and forecast with.
    forecast_retention: Forecast survival, retention and churn rate of a new cohort by period.
    discounted_residual_lifetime: Expected remaining periods by past renewals, discounted (DERL).

Opportunities
    opportunities: Summarize customers by opportunities to buy, for the BG/BB model.
    fit_opportunities: Fit BG/BB: purchase and dropout probability per opportunity.
    OpportunityFit: Fitted BG/BB model: a value to keep and forecast with.
    forecast_opportunities: Forecast purchases per customer over the next opportunities.

Package lifetimes
    to_lifetimes: Convert a fit to a fitter of the package lifetimes.
    from_lifetimes: Convert a fitter of the package lifetimes to a `Fit`.
"""

from crmkit._clv.contracts.retention import (
    RetentionFit,
    discounted_residual_lifetime,
    fit_retention,
    forecast_retention,
)
from crmkit._clv.evaluation.backtest import Validation, backtest, calibration, validate
from crmkit._clv.evaluation.compare import compare
from crmkit._clv.evaluation.misses import fit_misses
from crmkit._clv.evaluation.pattern import pattern
from crmkit._clv.evaluation.spend_dependence import spend_dependence
from crmkit._clv.evaluation.tracking import tracking
from crmkit._clv.fitting.choice import Choice
from crmkit._clv.fitting.choose import choose
from crmkit._clv.fitting.fit import fit
from crmkit._clv.fitting.fitted import Fit, FitInUnits
from crmkit._clv.fitting.priors import LogNormal, Normal
from crmkit._clv.lifetimes import from_lifetimes, to_lifetimes
from crmkit._clv.opportunities.bg_bb import (
    OpportunityFit,
    fit_opportunities,
    forecast_opportunities,
)
from crmkit._clv.opportunities.summary import opportunities
from crmkit._clv.posterior.posterior import Posterior, posterior
from crmkit._clv.prediction.misses_value import Misses, MissTest
from crmkit._clv.prediction.no_purchase import no_purchase
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
from crmkit._clv.trees.fit_trees import fit_trees
from crmkit._clv.trees.predict_trees import predict_trees
from crmkit._clv.trees.rank import rank
from crmkit._clv.trees.value import Trees

__all__ = [
    "Choice",
    "Fit",
    "FitInUnits",
    "LogNormal",
    "MissTest",
    "Misses",
    "Normal",
    "OpportunityFit",
    "Pattern",
    "Posterior",
    "RetentionFit",
    "Trees",
    "Validation",
    "backtest",
    "calibration",
    "choose",
    "compare",
    "discounted_purchases",
    "discounted_residual_lifetime",
    "expected_purchases",
    "fit",
    "fit_misses",
    "fit_opportunities",
    "fit_retention",
    "fit_trees",
    "forecast_opportunities",
    "forecast_retention",
    "from_lifetimes",
    "no_purchase",
    "opportunities",
    "pattern",
    "posterior",
    "predict",
    "predict_total",
    "predict_trees",
    "probability_alive",
    "purchase_distribution",
    "rank",
    "simulate",
    "spend_dependence",
    "to_lifetimes",
    "tracking",
    "validate",
]
