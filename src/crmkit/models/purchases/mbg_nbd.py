r"""MBG/NBD: BG/NBD in which one may leave right after the first purchase.

While active, a customer buys at Poisson rate :math:`\lambda`; after each purchase, the first one
included, the customer leaves with probability :math:`p`. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`p \sim \mathrm{Beta}(a, b)`. So one
without a repeat purchase may be gone, and is the likelier gone the longer ago the first one was.

Symbols are the paper's: `x` purchase days after the first, `t_x` age at the last one, `T` age at
the end of observation. Ages are in days.

References
----------
Batislam, E. P., Denizel, M. & Filiztekin, A. (2007). Empirical validation and comparison of
models for customer base analysis. *International Journal of Research in Marketing* 24(3),
201-209. https://doi.org/10.1016/j.ijresmar.2006.12.005. (The factor (b + x) / (a - 1) of the
conditional expectation printed in its Appendix A should read (a + b + x) / (a - 1).)
Hoppe, D. & Wagner, U. (2007). Customer base analysis: the case for a central variant of the
Betageometric/NBD model. *Marketing: Journal of Research and Management* 3(2), 75-90.
https://doi.org/10.15358/0344-1369-2007-JRM-2-75.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase


@dataclass(frozen=True, slots=True)
class MBGNBD(DropoutAfterPurchase):
    """A fitted MBG/NBD model: how buying (r, alpha) and leaving (a, b) vary over customers.

    `alpha` is in days; the other three are pure numbers. Mean buying rate r / alpha a day,
    mean probability of leaving after any purchase a / (a + b).
    """

    title: ClassVar[str] = "MBG/NBD"
    may_leave_at_first: ClassVar[bool] = True
