"""Models by name: registries, models from published parameters, change of unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Real
from types import MappingProxyType
from typing import Any, Final, TypeVar

from crmkit.errors import InvalidArgumentError
from crmkit.models.contracts.bdw import BDW
from crmkit.models.contracts.sbg import SBG
from crmkit.models.protocol import ContractModel, Model, PurchaseModel, SpendModel
from crmkit.models.purchases.bg_bb import BGBB
from crmkit.models.purchases.bg_nbd import BGNBD
from crmkit.models.purchases.cnbd_k import BGCNBDK, MBGCNBDK
from crmkit.models.purchases.ggompertz_nbd import GGompertzNBD
from crmkit.models.purchases.mbg_nbd import MBGNBD
from crmkit.models.purchases.nbd import NBD
from crmkit.models.purchases.pareto_nbd import ParetoNBD
from crmkit.models.spend.gamma_gamma import GammaGamma
from crmkit.models.spend.lognormal_spend import LognormalSpend

M = TypeVar("M", bound=Model)


def _by_name(*models: type[M]) -> Mapping[str, type[M]]:
    return MappingProxyType({model.name: model for model in models})


PURCHASE_MODELS: Final[Mapping[str, type[PurchaseModel]]] = _by_name(
    BGCNBDK, BGNBD, GGompertzNBD, MBGCNBDK, MBGNBD, NBD, ParetoNBD
)

SPEND_MODELS: Final[Mapping[str, type[SpendModel]]] = _by_name(GammaGamma, LognormalSpend)

CONTRACT_MODELS: Final[Mapping[str, type[ContractModel]]] = _by_name(SBG, BDW)

OPPORTUNITY_MODELS: Final[Mapping[str, type[BGBB]]] = _by_name(BGBB)

_ALL: Final[Mapping[str, type[Any]]] = {
    **PURCHASE_MODELS,
    **OPPORTUNITY_MODELS,
    **SPEND_MODELS,
    **CONTRACT_MODELS,
}


def parameter_names(model: type[Model] | Model) -> tuple[str, ...]:
    """Names of a model's parameters, in order."""
    return tuple(each.name for each in fields(model))  # type: ignore[arg-type]  # a dataclass


def from_parameters(name: str, /, **parameters: float) -> Any:  # noqa: ANN401 - of any kind
    """Model with known parameters, such as those printed in a paper.

    Times are in the unit of the parameters; see `rescaled` for another one.

    Raises
    ------
    InvalidArgumentError
        If the model or a parameter is unknown, or a parameter is missing or outside its domain.

    Examples
    --------
    >>> from_parameters("bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
    BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    """
    if name not in _ALL:
        msg = f"`model` must be one of {', '.join(map(repr, _ALL))}, got {name!r}."
        raise InvalidArgumentError(msg)
    names = parameter_names(_ALL[name])
    unknown = [each for each in parameters if each not in names]
    missing = [each for each in names if each not in parameters]
    if unknown or missing:
        complaint = f"has no parameter `{unknown[0]}`" if unknown else f"needs `{missing[0]}`"
        msg = f"`{name}` {complaint}; its parameters are {', '.join(names)}."
        raise InvalidArgumentError(msg)
    for each, value in parameters.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            msg = f"`{each}` must be a number, got {value!r}."
            raise InvalidArgumentError(msg)
    return _ALL[name](**parameters)


def rescaled(model: M, *, unit: float) -> M:
    """Model with its parameters in another unit.

    `unit` is how many of the present units make a new one: 7 turns days into weeks. The
    log-likelihood of a customer with `x` repeat purchases then rises by x log(unit), and that of
    a mean spend by log(unit): they are densities.

    Examples
    --------
    >>> rescaled(from_parameters("nbd", r=0.5, alpha=70.0), unit=7.0)
    NBD(r=0.5, alpha=10.0)
    """
    changed = {name: getattr(model, name) / unit**power for name, power in model.units.items()}
    return replace(model, **changed)  # type: ignore[type-var]  # a frozen dataclass


def summary_table() -> tuple[dict[str, str], ...]:
    """Name, title, parameters and use of each model, a row for each."""
    return tuple(
        {
            "name": name,
            "title": model.title,
            "parameters": ", ".join(parameter_names(model)),
            "use": model.use,
        }
        for name, model in _ALL.items()
    )
