"""Loyalty: what customers think and do, whom they bring, and what they complain about.

Word of mouth
    referrals: Referral value: what each customer is worth through those whom they brought, level by level.
    complaints: Complaints: rate, repeated ones, time to answer, and repurchase against all others.
"""

from crmkit._loyalty.complaints import complaints
from crmkit._loyalty.referrals import referrals

__all__ = ["complaints", "referrals"]
