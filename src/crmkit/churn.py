"""Churn: how likely it is that each customer is gone.

Signals
    risk: Churn risk of each customer, by the worse of two signals.
    p_active: P(active): rule of thumb by Schmittlein and Morrison, without a model.
"""

from crmkit._churn.signals import p_active, risk

__all__ = ["p_active", "risk"]
