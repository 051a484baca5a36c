"""Probability models of buying and spending: arrays in, arrays out.

`PURCHASE_MODELS`, `SPEND_MODELS` and `CONTRACT_MODELS` name them. Each is a frozen dataclass of
its parameters, and what it can do is in `PurchaseModel`, `SpendModel` and `ContractModel`:

    found = PURCHASE_MODELS["bg_nbd"].fit(x, t_x, T, weights=n)    # a MaximumLikelihood
    found.model.expected_purchases(x, t_x, T, horizon_days=365.0)

To add a model, write one file with

1. a frozen dataclass of its parameters, times in days, with the methods of the protocol;
2. its likelihood: a class that is made of the data and weights, and called with the logs of the
   parameters gives value, gradient and Hessian;
3. `fit`, which hands both to `maximize` together with a few starting values and what it means
   when a parameter runs away;

then one line in the registry below, and a test file with the model's published numbers. A fixed
number that is not searched for (the k of a CNBD) is a field of the dataclass which `fit` binds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crmkit.models.contracts.bdw import BDW
from crmkit.models.contracts.sbg import SBG
from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.arrays import Floats
from crmkit.models.protocol import ContractModel, PurchaseModel, SpendModel
from crmkit.models.purchases.bg_bb import BGBB
from crmkit.models.purchases.bg_nbd import BGNBD
from crmkit.models.purchases.cnbd_k import BGCNBDK, MBGCNBDK
from crmkit.models.purchases.ggompertz_nbd import GGompertzNBD
from crmkit.models.purchases.mbg_nbd import MBGNBD
from crmkit.models.purchases.nbd import NBD
from crmkit.models.purchases.pareto_nbd import ParetoNBD
from crmkit.models.spend.gamma_gamma import GammaGamma
from crmkit.models.spend.lognormal_spend import LognormalSpend

__all__ = [
    "BDW",
    "BGBB",
    "BGCNBDK",
    "BGNBD",
    "CONTRACT_MODELS",
    "MBGCNBDK",
    "MBGNBD",
    "NBD",
    "PURCHASE_MODELS",
    "SBG",
    "SPEND_MODELS",
    "ContractModel",
    "Floats",
    "GGompertzNBD",
    "GammaGamma",
    "LognormalSpend",
    "MaximumLikelihood",
    "ParetoNBD",
    "PurchaseModel",
    "SpendModel",
]

PURCHASE_MODELS: Final[Mapping[str, type[PurchaseModel]]] = MappingProxyType(
    {
        "bg_cnbd_k": BGCNBDK,
        "bg_nbd": BGNBD,
        "ggompertz_nbd": GGompertzNBD,
        "mbg_cnbd_k": MBGCNBDK,
        "mbg_nbd": MBGNBD,
        "nbd": NBD,
        "pareto_nbd": ParetoNBD,
    }
)

SPEND_MODELS: Final[Mapping[str, type[SpendModel]]] = MappingProxyType(
    {"gamma_gamma": GammaGamma, "lognormal_spend": LognormalSpend}
)

CONTRACT_MODELS: Final[Mapping[str, type[ContractModel]]] = MappingProxyType(
    {"sbg": SBG, "bdw": BDW}
)
