"""How good a churn score is: ranking, calibration and money."""

from __future__ import annotations
