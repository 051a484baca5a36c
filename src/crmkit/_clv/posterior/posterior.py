"""How sure a fit is: draws of its parameters, given the customers that it was fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.covariates import Covariate
from crmkit._clv.fitting.fit import Fit
from crmkit._clv.fitting.fit_with_covariates import centres_and_scales, histories_with
from crmkit._clv.fitting.priors import Belief
from crmkit._clv.fitting.require_fit import check_kind
from crmkit._clv.posterior.log_density import beliefs_of
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_seed, require_whole
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.posterior.importance_sampling import (
    ImportanceSample,
    importance_sample,
    largest_k,
)
from crmkit.models.posterior.log_posterior import LogPosterior

_FEWEST_DRAWS: Final = 100


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Posterior:
    """What the data leave possible of a model's parameters: a value to look at and forecast with.

    Attributes
    ----------
    name
        Which model.
    mode
        The model whose log parameters are the most probable; with covariates, that of a customer
        for whom all are 0, as in `Fit.model`.
    names
        The parameters and the coefficients of covariates, in the order of the columns of `draws`.
    draws
        Parameters, a row for each draw; all rows are equally likely. A draw may occur again.
    effective_sample_size
        How many independent draws tell a mean about as well.
    pareto_k
        Shape of the tail of the weights behind the draws; good below 0.7, minus infinity where
        there is no tail.
    round
        Which round of draws these are; above 1 where the first were not good enough.
    prior
        What was believed of each parameter before.
    diagnostics
        What a reader of the draws must know, one sentence each; empty if all is well.
    """

    name: str
    mode: Any
    names: tuple[str, ...]
    draws: Floats
    effective_sample_size: float
    pareto_k: float
    round: int
    prior: tuple[Belief, ...]
    diagnostics: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        """Tell whether all is the same, draw by draw."""
        if not isinstance(other, Posterior):
            return NotImplemented
        others = [f.name for f in fields(self) if f.name != "draws"]
        same = all(getattr(self, name) == getattr(other, name) for name in others)
        return same and np.array_equal(self.draws, other.draws)

    def __hash__(self) -> int:
        """Agree for equal values."""
        return hash((self.name, self.mode, self.draws.shape, self.effective_sample_size))

    def __repr__(self) -> str:
        """Show the model, the 90 % intervals, and how good the draws are."""
        intervals = ", ".join(
            f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in self.intervals().items()
        )
        return (
            f"Posterior({self.name}: {intervals}; {len(self.draws):,} draws worth "
            f"{self.effective_sample_size:,.0f}, Pareto-k {self.pareto_k:.2f})"
        )

    @property
    def means(self) -> dict[str, float]:
        """Mean of each parameter."""
        return dict(zip(self.names, self.draws.mean(axis=0).tolist(), strict=True))

    @property
    def standard_deviations(self) -> dict[str, float]:
        """Standard deviation of each parameter."""
        return dict(zip(self.names, self.draws.std(axis=0).tolist(), strict=True))

    def intervals(self, *, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Give bounds that hold each parameter with this probability, as much outside on each side.

        Parameters
        ----------
        level
            Between 0 and 1.
        """
        require_level(level)
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0).tolist()
        return dict(zip(self.names, zip(low, high, strict=True), strict=True))


def posterior(
    customers: IntoFrame,
    *,
    fit: Fit,
    draws: int = 4000,
    seed: int = 0,
    prior: Mapping[str, Belief] | None = None,
) -> Posterior:
    """Draw the parameters that the data leave possible, each as often as it is probable.

    Where `Fit.standard_errors` take the likelihood for a bell curve, this takes it as it is: with
    few customers the two part, and only the draws are right. No Markov chain is run, so there is
    no burn-in and no chain to watch.

    Parameters
    ----------
    customers
        The table that `fit` was made on. A `Fit` is a small value to keep and holds no
        customers, but the likelihood of other parameters is a matter of their histories.
    fit
        A fitted purchase or spend model.
    draws
        How many to make, 100 or more.
    seed
        Where chance starts; the same seed gives the same draws.
    prior
        What is believed of a parameter beforehand, instead of what the fit was made with or,
        if that is nothing, the default; such as
        ``{"alpha": LogNormal(median=30, log_deviation=1)}``; medians are in the parameter's
        unit, times in days.

    Returns
    -------
    A `Posterior`. Only the distinct histories and their counts come to this machine. The time it
    takes grows with their number and with the draws.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the number of customers is not that of the fit, there are fewer than 100 draws,
        `prior` names a parameter that the model has not or is of the wrong kind, or a covariate
        has not the levels that it had in the fit.

    Warns
    -----
    CrmkitWarning
        If Pareto-k says that the draws are not to be trusted.

    Notes
    -----
    Draws come from a Student-t at the mode of the log posterior in the logs of the parameters,
    are weighted by the ratio of the two densities, and drawn anew by weight. The largest weights
    are smoothed; where Pareto-k is above 0.7 the t is fitted to what was drawn, up to five times.

    By default each parameter is within a factor of 50 of 1 with 95 % probability. Times
    (`alpha`, and `beta` of Pareto/NBD) are counted in the customers' own mean days per repeat
    purchase, money in their own mean spend, so the unit changes nothing.

    With covariates, these beliefs are of a customer for whom they are average; a `prior` that is
    given is of the one for whom they are 0, as in `crmkit.clv.fit`. A coefficient is normal around
    0 by default: a standard deviation of the covariate, or a level against the first, moves a rate,
    the odds or the spend by a factor of up to 7 either way with 95 % probability. That is more than
    covariates are seen to do, and so gives way to data, and it is little enough to hold a
    coefficient of which they tell nothing. Where the fit had a penalty, that is the belief. `prior`
    takes ``Normal(mean=0, deviation=0.02)`` for one, per unit of the covariate. Each draw then
    takes a look at all customers who differ.

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y. & Gabry, J. (2024). Pareto smoothed importance
    sampling. *Journal of Machine Learning Research* 25(72), 1-58.
    https://jmlr.org/papers/v25/19-556.html.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
    >>> fitted = clv.fit(customers, model="bg_nbd")
    >>> possible = posterior(customers, fit=fitted)
    >>> {name: f"{low:.1f} to {high:.1f}" for name, (low, high) in possible.intervals().items()}
    {'r': '0.2 to 0.3', 'alpha': '27.1 to 35.8', 'a': '0.6 to 1.2', 'b': '1.6 to 4.1'}
    >>> possible.effective_sample_size > 2000, possible.diagnostics
    (True, ())
    """
    check_kind(fit, argument="fit", models=[*PURCHASE_MODELS, *SPEND_MODELS])
    require_whole(draws, argument="draws", least=_FEWEST_DRAWS, advice="Write 4000 if in doubt.")
    require_seed(seed)
    columns, weights, unit = _histories(customers, fit)
    rows = columns[-1] if fit.covariates else np.zeros((len(weights), 0))
    middles, scales = centres_and_scales(rows, weights, fit.covariates)
    believed = {**dict(fit.prior), **(prior or {})}
    beliefs, prior_of_each = beliefs_of(
        fit, unit=unit, middles=middles, scales=scales, changes=believed
    )
    density = LogPosterior(beliefs, columns=columns, weights=weights)
    mode, rng = density.mode(), np.random.default_rng(int(seed))
    sample = importance_sample(
        density.values, centre=mode, covariance=density.covariance(mode), draws=int(draws), rng=rng
    )
    drawn = beliefs.in_units(sample.evened(rng))
    drawn.flags.writeable = False
    found = Posterior(
        name=fit.name,
        mode=replace(fit.model, **_parameters(fit, beliefs.in_units(mode[np.newaxis])[0])),
        names=fit.likelihood.names,
        draws=drawn,
        effective_sample_size=sample.effective_sample_size,
        pareto_k=sample.pareto_k,
        round=sample.round,
        prior=prior_of_each,
        diagnostics=_diagnose(sample),
    )
    for note in found.diagnostics:
        warnings.warn(f"{fit.name}: {note}", CrmkitWarning, stacklevel=2)
    return found


def _histories(customers: IntoFrame, fit: Fit) -> tuple[tuple[Floats, ...], Floats, float]:
    """Collect what the fit has seen, covariates last, how often each was, and the fit's unit.

    The unit is days per repeat purchase, or mean spend of one.
    """
    asked = [(each.process, each.column) for each in fit.covariates]
    seen, found, rows = histories_with(customers, fit.name, asked)
    n_customers = round(float(seen.weights.sum()))
    if n_customers != fit.n_customers:
        msg = (
            f"`fit` was made on {fit.n_customers:,} customers, and the table has {n_customers:,} "
            "that it could use.\nGive the table that the fit was made on."
        )
        raise InvalidArgumentError(msg)
    for then, now in zip(fit.covariates, found, strict=True):
        if then != now:
            msg = (
                f"`fit` was made with {_levels(then)} in `{then.column}`, and the table has "
                f"{_levels(now)}.\nGive the table that the fit was made on."
            )
            raise InvalidArgumentError(msg)
    x, last = seen.columns[0], seen.columns[-1]
    whole = last if fit.name in PURCHASE_MODELS else x * last
    unit = float(seen.weights @ whole) / float(seen.weights @ x)
    return (*seen.columns, *([rows] if asked else [])), seen.weights, unit


def _levels(covariate: Covariate) -> str:
    return "numbers" if covariate.levels is None else ", ".join(map(repr, covariate.levels))


def _parameters(fit: Fit, values: Floats) -> dict[str, float]:
    """Name the parameters, without the coefficients that follow."""
    n = len(values) - len(fit.likelihood.coefficients)
    return dict(zip(fit.likelihood.names[:n], values[:n].tolist(), strict=True))


def _diagnose(sample: ImportanceSample) -> tuple[str, ...]:
    """Say whether the draws are good enough."""
    if sample.can_be_trusted:
        return ()
    note = (
        f"Pareto-k is {sample.pareto_k:.2f}, above {largest_k(len(sample.weights)):.2f}, however "
        "often draws were made: a few of them stand for most of the posterior. The data tell too "
        "little of the parameters; make more draws, narrow the prior, or trust no interval."
    )
    return (note,)
