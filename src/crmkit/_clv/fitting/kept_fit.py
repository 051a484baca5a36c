"""Fits as JSON text: written, and checked field by field when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from crmkit._clv.fitting.covariates import Covariate
from crmkit._clv.fitting.given import GivenParameters
from crmkit._clv.fitting.priors import LogNormal
from crmkit._words import kept
from crmkit.errors import InvalidArgumentError
from crmkit.models import MaximumLikelihood, from_parameters, parameter_names

_DEFAULTS: Final[Mapping[str, Any]] = {
    "covariates": (),
    "penalty": 0.0,
    "prior": {},
    "n_repeat_purchases": None,
    "given": None,
    "choice": None,
}
"""Fields that texts of earlier versions lack."""

_COVARIATE: Final = kept.record(
    {
        "process": kept.text,
        "column": kept.text,
        "levels": kept.optional(kept.list_of(kept.text)),
    }
)
_PRIOR: Final = kept.record({"median": kept.positive, "log_deviation": kept.positive})
_LIKELIHOOD: Final = kept.record(
    {
        "model": kept.mapping_of(kept.number),
        "log_likelihood": kept.number_or_nan,
        "n_customers": kept.whole,
        "names": kept.list_of(kept.text),
        "covariance_log": kept.list_of(kept.list_of(kept.optional(kept.number))),
        "gradient_norm": kept.number_or_nan,
        "eigenvalues": kept.list_of(kept.number_or_nan),
        "converged": kept.flag,
        "diagnostics": kept.list_of(kept.text),
        "coefficients": kept.list_of(kept.number),
    },
    defaults={"coefficients": ()},
)


def written(fit: Any, **more: Any) -> str:  # noqa: ANN401 - a Fit, which is made of this module
    """Write a fit as JSON text, with the fields that its class has in addition."""
    found = fit.likelihood
    is_given = isinstance(found, GivenParameters)
    fields = {
        "name": fit.name,
        "n_left_out": fit.n_left_out,
        "covariates": [asdict(each) for each in fit.covariates],
        "penalty": fit.penalty,
        "prior": {name: asdict(prior) for name, prior in fit.prior},
        "n_repeat_purchases": fit.n_repeat_purchases,
        "likelihood": None if is_given else kept.nan_as_null(found.to_dict()),
        "given": asdict(found.model) if is_given else None,
    }
    return kept.write(type(fit).__name__, fields | more)


def read(
    text: str, *, kind: str, models: Mapping[str, Any], more: Mapping[str, kept.Reader[Any]]
) -> dict[str, Any]:
    """Read the fields of a fit of one of these models, as its class takes them."""
    found = kept.read(
        text,
        kind=kind,
        fields={
            "name": kept.choice(*models),
            "n_left_out": kept.whole,
            "covariates": kept.list_of(_COVARIATE),
            "penalty": kept.number,
            "prior": kept.mapping_of(_PRIOR),
            "n_repeat_purchases": kept.optional(kept.whole),
            "likelihood": kept.optional(_LIKELIHOOD),
            "given": kept.optional(kept.mapping_of(kept.number)),
            **more,
        },
        defaults=_DEFAULTS,
    )
    covariates = tuple(Covariate(**each) for each in found["covariates"])
    prior = tuple((name, LogNormal(**each)) for name, each in found["prior"].items())
    given, parts = found.pop("given"), found["likelihood"]
    if (given is None) == (parts is None):
        kept.refuse_fields(kind, "it needs either `likelihood` or `given`.")
    likelihood: MaximumLikelihood[Any] | GivenParameters
    if parts is None:
        likelihood = GivenParameters(_model(kind, found["name"], given))
    else:
        likelihood = _likelihood(kind, found["name"], parts, covariates)
    return found | {"covariates": covariates, "prior": prior, "likelihood": likelihood}


def _likelihood(
    kind: str, name: str, parts: Mapping[str, Any], covariates: tuple[Covariate, ...]
) -> MaximumLikelihood[Any]:
    model = _model(kind, name, parts["model"])
    coefficients = [each for covariate in covariates for each in covariate.coefficients]
    names = [each for each in parameter_names(model) if each != "k"] + coefficients
    if list(parts["names"]) != names:
        kept.refuse_fields(kind, f"`likelihood.names` must be {', '.join(names)}.")
    for place, n in (("coefficients", len(coefficients)), ("eigenvalues", len(names))):
        if len(parts[place]) != n:
            kept.refuse_fields(kind, f"`likelihood.{place}` must have {n} numbers.")
    covariance = parts["covariance_log"]
    if [len(row) for row in covariance] != [len(names)] * len(names):
        n = len(names)
        kept.refuse_fields(kind, f"`likelihood.covariance_log` must have {n} rows of {n} numbers.")
    return MaximumLikelihood(**{**parts, "model": model})


def _model(kind: str, name: str, parameters: Mapping[str, float]) -> Any:  # noqa: ANN401 - of any kind
    """Make the model; k, the one whole number among parameters, is kept as a float."""
    values = {
        each: int(value) if each == "k" and value % 1 == 0 else value
        for each, value in parameters.items()
    }
    try:
        return from_parameters(name, **values)
    except InvalidArgumentError as error:
        kept.refuse_fields(kind, str(error))
