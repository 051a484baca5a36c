"""Churn."""

from crmkit._churn.signals import p_active, risk

__all__ = ["p_active", "risk"]
