r"""BG/NBD: Poisson purchases, dropout after a repeat purchase.

While active, a customer buys at Poisson rate :math:`\lambda`; after each repeat purchase the
customer drops out with probability :math:`p`. Across customers
:math:`\lambda \sim \mathrm{Gamma}(r, \alpha)` and :math:`p \sim \mathrm{Beta}(a, b)`.

Symbols are the paper's: `x` purchase days after the first, `t_x` age at the last one, `T` age at
the end of observation. Ages are in days.

References
----------
Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.
https://doi.org/10.1287/mksc.1040.0098. Cited below as FHL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from crmkit.models.protocol import Nesting
from crmkit.models.purchases.dropout_after_purchase import DropoutAfterPurchase
from crmkit.models.purchases.likelihoods.dropout_likelihood import DropoutLikelihood

BGNBDLikelihood = partial(DropoutLikelihood, dropout_after_first=False)


@dataclass(frozen=True, slots=True)
class BGNBD(DropoutAfterPurchase):
    """A fitted BG/NBD model: purchase rate (r, alpha) and dropout (a, b) across customers.

    `alpha` is in days; the other three have no unit. Mean purchase rate r / alpha a day, mean
    dropout probability after a repeat purchase a / (a + b). Without a repeat purchase there was
    no opportunity to drop out, and the probability of being alive is 1.
    """

    name: ClassVar[str] = "bg_nbd"
    title: ClassVar[str] = "BG/NBD"
    use: ClassVar[str] = "Customers may drop out after any repeat purchase; the usual first choice."
    nested_in: ClassVar[Mapping[str, Nesting]] = {"bg_cnbd_k": Nesting(1, on_boundary=True)}
    dropout_after_first: ClassVar[bool] = False
