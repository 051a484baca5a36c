"""Loyalty: what customers think and do, whom they bring, and what they complain about.

Types
    behaviour: Repeat patronage: in how many periods since the first customers bought again.
    types: Types of loyalty: attitude by repeat patronage (Dick-Basu), and seven classes.
    profit_types: Types by profit and expected duration (Reinartz-Kumar).
    type_summary: Share of customers and profit in each type, and whether types add to scores.
    scores: Emotional, behavioural and intentional loyalty, from answers on a scale.
Word of mouth
    referrals: Referral value: what customers are worth through those whom they brought.
    complaints: Complaints: rate, repeated ones, time to answer, and repurchase against all others.
"""

from crmkit._loyalty.behaviour import behaviour
from crmkit._loyalty.complaints import complaints
from crmkit._loyalty.referrals import referrals
from crmkit._loyalty.scores import scores
from crmkit._loyalty.type_summary import type_summary
from crmkit._loyalty.types import profit_types, types

__all__ = [
    "behaviour",
    "complaints",
    "profit_types",
    "referrals",
    "scores",
    "type_summary",
    "types",
]
