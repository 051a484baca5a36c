"""Economics: what customers cost and what they bring.

Cost-benefit
    cost_benefit: Cost-benefit analysis: cost, revenue and return of each group.
    CostBenefit: Result of a cost-benefit analysis: items, groups and findings.
"""

from crmkit._economics.cost_benefit import CostBenefit, cost_benefit

__all__ = ["CostBenefit", "cost_benefit"]
