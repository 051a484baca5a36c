"""Economics."""

from crmkit._economics.cost_benefit import CostBenefit, cost_benefit

__all__ = ["CostBenefit", "cost_benefit"]
