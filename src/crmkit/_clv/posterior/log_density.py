"""The prior of a fit's parameters and coefficients, in the form that its posterior needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crmkit._clv.fitting.covariates import coefficient_mask, links_of
from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.priors import (
    Normal,
    ParameterPrior,
    coefficient_priors,
    parameter_priors,
)
from crmkit._door.frames import Floats
from crmkit.models.posterior.log_posterior import CovariatePrior, Prior, SharedPrior


def prior_of(
    fit: Fit,
    *,
    unit: float,
    middles: Floats,
    scales: Floats,
    changes: Mapping[str, ParameterPrior],
) -> tuple[Prior, tuple[ParameterPrior, ...]]:
    """Make the joint prior of a fit's parameters and coefficients; give also that of each.

    Parameters
    ----------
    fit
        The fit.
    unit
        Days per repeat purchase, or mean spend, of the customers at hand.
    middles, scales
        Mean and scale of the columns of the design matrix.
    changes
        The user's priors, by parameter.
    """
    n_coefficients = len(fit.likelihood.coefficients)
    names = fit.likelihood.names[: len(fit.likelihood.names) - n_coefficients]
    others = fit.likelihood.names[len(names) :]
    of_parameters = {name: each for name, each in changes.items() if name not in others}
    logs = parameter_priors(fit.name, names, unit=unit, changes=of_parameters)
    centres = np.log([prior.median for prior in logs])
    deviations = np.array([prior.log_deviation for prior in logs])
    if not n_coefficients:
        return SharedPrior(fit.model, names, centres, deviations), logs
    normal = coefficient_priors(others, scales.tolist(), penalty=fit.penalty, changes=changes)
    links = links_of(fit.name)
    mask = coefficient_mask(fit.covariates, processes=tuple(links))
    moved = np.flatnonzero(mask.any(axis=1))
    joint = CovariatePrior(
        model=fit.model,
        names=fit.likelihood.names,
        coefficients=np.array(fit.likelihood.coefficients),
        links=tuple(list(links.values())[i] for i in moved),
        moves=mask[moved],
        middles=middles,
        scales=scales,
        centres=np.append(centres, _of(normal, "mean")),
        deviations=np.append(deviations, _of(normal, "deviation")),
        at_zero=np.array([name in changes for name in names]),
    )
    return joint, (*logs, *normal)


def _of(priors: Sequence[Normal], what: str) -> list[float]:
    return [float(getattr(prior, what)) for prior in priors]
