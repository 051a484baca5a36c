"""RFM, lifetime value, tiers, churn, life cycle and cost-benefit: DataFrames in and out."""

from __future__ import annotations
