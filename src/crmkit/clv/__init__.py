"""What customers are worth: who will come back, how often, and what they will spend.

A fit reads the distinct histories of all customers once and gives a frozen value; a prediction
adds columns to a table of customers; a backtest says which model to believe. The models
themselves are in `crmkit.models`.
"""

from __future__ import annotations

from crmkit.clv.backtests import backtest, calibration
from crmkit.clv.fits import Fit, fit
from crmkit.clv.forecast import predict

__all__ = ["Fit", "backtest", "calibration", "fit", "predict"]
