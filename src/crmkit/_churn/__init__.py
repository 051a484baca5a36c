"""Churn: how likely each customer is gone."""

from __future__ import annotations
