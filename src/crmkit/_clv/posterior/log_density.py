"""What is believed of a fit's parameters and coefficients, as its posterior needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crmkit._clv.fitting.covariates import LINKS, moves_of
from crmkit._clv.fitting.fit import Fit
from crmkit._clv.fitting.priors import Belief, Normal, of_coefficients, priors
from crmkit._door.frames import Floats
from crmkit.models.posterior.log_posterior import Beliefs, Moved, Shared


def beliefs_of(
    fit: Fit,
    *,
    unit: float,
    middles: Floats,
    scales: Floats,
    changes: Mapping[str, Belief],
) -> tuple[Beliefs, tuple[Belief, ...]]:
    """Put beliefs together: what a position means, and what is believed of each number.

    `middles` and `scales` are those of the covariates' columns.
    """
    n_coefficients = len(fit.likelihood.coefficients)
    names = fit.likelihood.names[: len(fit.likelihood.names) - n_coefficients]
    others = fit.likelihood.names[len(names) :]
    of_parameters = {name: each for name, each in changes.items() if name not in others}
    logs = priors(fit.name, names, unit=unit, changes=of_parameters)
    centres = np.log([belief.median for belief in logs])
    deviations = np.array([belief.log_deviation for belief in logs])
    if not n_coefficients:
        return Shared(fit.model, names, centres, deviations), logs
    normal = of_coefficients(others, scales.tolist(), penalty=fit.penalty, changes=changes)
    links = LINKS[fit.name]
    moves = moves_of(fit.covariates, processes=tuple(links))
    moved = np.flatnonzero(moves.any(axis=1))
    beliefs = Moved(
        model=fit.model,
        names=fit.likelihood.names,
        coefficients=np.array(fit.likelihood.coefficients),
        links=tuple(list(links.values())[i] for i in moved),
        moves=moves[moved],
        middles=middles,
        scales=scales,
        centres=np.append(centres, _of(normal, "mean")),
        deviations=np.append(deviations, _of(normal, "deviation")),
        at_zero=np.array([name in changes for name in names]),
    )
    return beliefs, (*logs, *normal)


def _of(beliefs: Sequence[Normal], what: str) -> list[float]:
    return [float(getattr(belief, what)) for belief in beliefs]
