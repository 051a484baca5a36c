"""Probability models of purchases, spend and contracts: arrays in, arrays out.

`PURCHASE_MODELS`, `OPPORTUNITY_MODELS`, `SPEND_MODELS` and `CONTRACT_MODELS` are registries by
name. Each model is a frozen dataclass of its parameters, with the methods of `PurchaseModel`,
`SpendModel` or `ContractModel`, and facts (`Model`): title, use, units, covariate links, nesting.

    found = PURCHASE_MODELS["bg_nbd"].fit(x, t_x, T, weights=n)    # a MaximumLikelihood
    found.model.expected_purchases(x, t_x, T, horizon_days=365.0)

To add a model, write one file with

1. a frozen dataclass of its parameters, times in days, with the facts and methods of the protocol;
2. its likelihood: a class built from the data and weights; called with the logs of the parameters
   it returns value, gradient and Hessian;
3. `fit`, which passes both to `maximize`, with a few starting values and the meanings of
   diverging parameters;

then one line in `crmkit.models.registry`, and a test file with the model's published numbers. A
fixed number that is not searched for (the k of a CNBD) is a field of the dataclass which `fit`
binds.
"""

from __future__ import annotations

from crmkit.models.contracts.bdw import BDW
from crmkit.models.contracts.sbg import SBG
from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.arrays import Floats
from crmkit.models.protocol import ContractModel, Model, Nesting, PurchaseModel, SpendModel
from crmkit.models.purchases.bg_bb import BGBB
from crmkit.models.purchases.bg_nbd import BGNBD
from crmkit.models.purchases.cnbd_k import BGCNBDK, MBGCNBDK
from crmkit.models.purchases.ggompertz_nbd import GGompertzNBD
from crmkit.models.purchases.mbg_nbd import MBGNBD
from crmkit.models.purchases.nbd import NBD
from crmkit.models.purchases.pareto_nbd import ParetoNBD
from crmkit.models.registry import (
    CONTRACT_MODELS,
    OPPORTUNITY_MODELS,
    PURCHASE_MODELS,
    SPEND_MODELS,
    from_parameters,
    parameter_names,
    rescaled,
    summary_table,
)
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
    "OPPORTUNITY_MODELS",
    "PURCHASE_MODELS",
    "SBG",
    "SPEND_MODELS",
    "ContractModel",
    "Floats",
    "GGompertzNBD",
    "GammaGamma",
    "LognormalSpend",
    "MaximumLikelihood",
    "Model",
    "Nesting",
    "ParetoNBD",
    "PurchaseModel",
    "SpendModel",
    "from_parameters",
    "parameter_names",
    "rescaled",
    "summary_table",
]
