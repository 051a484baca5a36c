r"""MBG/NBD: Poisson purchases, dropout after any purchase, the first one included.

While active, a customer buys at Poisson rate :math:`\lambda`; after each purchase, the first one
included, the customer drops out with probability :math:`p`. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`p \sim \mathrm{Beta}(a, b)`. So a
customer without a repeat purchase may be inactive, with a probability that rises with the time
since the first purchase.

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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from crmkit.models.protocol import Nesting
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase


@dataclass(frozen=True, slots=True)
class MBGNBD(DropoutAfterPurchase):
    """A fitted MBG/NBD model: purchase rate (r, alpha) and dropout (a, b) across customers.

    `alpha` is in days; the other three have no unit. Mean purchase rate r / alpha a day, mean
    dropout probability after any purchase a / (a + b).
    """

    name: ClassVar[str] = "mbg_nbd"
    title: ClassVar[str] = "MBG/NBD"
    use: ClassVar[str] = (
        "As BG/NBD, but customers may already drop out after their first purchase; "
        "for many one-time buyers."
    )
    nested_in: ClassVar[Mapping[str, Nesting]] = {"mbg_cnbd_k": Nesting(1, on_boundary=True)}
    dropout_after_first: ClassVar[bool] = True
