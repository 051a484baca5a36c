r"""BG/NBD: customers who buy at random and leave without notice after a purchase.

While active, a customer buys at Poisson rate :math:`\lambda`; after each purchase the customer
leaves with probability :math:`p`. Across customers :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)`
and :math:`p \sim \mathrm{Beta}(a, b)`.

Symbols are the paper's: `x` purchase days after the first, `t_x` age at the last one, `T` age at
the end of observation. Ages are in days.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. Cited below as FHL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase
from crmkit.models.purchases.dropout_likelihood import DropoutLikelihood

BGNBDLikelihood = partial(DropoutLikelihood, may_leave_at_first=False)


@dataclass(frozen=True, slots=True)
class BGNBD(DropoutAfterPurchase):
    """A fitted BG/NBD model: how buying (r, alpha) and leaving (a, b) vary over customers.

    `alpha` is in days; the other three are pure numbers. Mean buying rate r / alpha a day,
    mean probability of leaving after a repeat purchase a / (a + b). One without a repeat
    purchase has had no occasion to leave, and is alive for certain.
    """

    title: ClassVar[str] = "BG/NBD"
    may_leave_at_first: ClassVar[bool] = False
