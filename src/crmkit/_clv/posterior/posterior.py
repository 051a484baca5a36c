"""Posterior distribution of a fit's parameters, as draws."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.covariates import Covariate
from crmkit._clv.fitting.fit_with_covariates import centres_and_scales, histories_with
from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.priors import ParameterPrior, require_priors
from crmkit._clv.fitting.require_fit import require_fit_of
from crmkit._clv.posterior.log_density import prior_of
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_seed, require_whole
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.posterior.importance_sampling import (
    ImportanceSample,
    importance_sample,
    pareto_k_threshold,
)
from crmkit.models.posterior.log_posterior import LogPosterior

_FEWEST_DRAWS: Final = 100
_MOST_DRAWS: Final = 10_000_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Posterior:
    """Draws from the posterior distribution of a model's parameters.

    Attributes
    ----------
    name
        Name of the model.
    mode
        The model at the posterior mode of the log parameters; with covariates, that of a customer
        for whom all are 0, as in `Fit.model`.
    names
        The parameters and the coefficients of covariates, in the order of the columns of `draws`.
    draws
        Parameters, a row for each draw; all rows are equally likely. A draw may occur again.
    effective_sample_size
        Number of independent draws with about the same precision of a mean.
    pareto_k
        Shape of the tail of the weights behind the draws; good below 0.7, minus infinity where
        the draws have no tail.
    round
        Round of importance sampling that made the draws; above 1 where the first was unreliable.
    prior
        The prior of each parameter.
    diagnostics
        What to know before using the draws, one sentence each; empty if all is well.
    """

    name: str
    mode: Any
    names: tuple[str, ...]
    draws: Floats
    effective_sample_size: float
    pareto_k: float
    round: int
    prior: tuple[ParameterPrior, ...]
    diagnostics: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        """Whether all is the same, draw by draw."""
        if not isinstance(other, Posterior):
            return NotImplemented
        others = [f.name for f in fields(self) if f.name != "draws"]
        same = all(getattr(self, name) == getattr(other, name) for name in others)
        return same and np.array_equal(self.draws, other.draws)

    def __hash__(self) -> int:
        """Agree for equal values."""
        return hash((self.name, self.mode, self.draws.shape, self.effective_sample_size))

    def __repr__(self) -> str:
        """Show the model, the 90 % intervals, and the quality of the draws."""
        intervals = ", ".join(
            f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in self.intervals().items()
        )
        return (
            f"Posterior({self.name}: {intervals}; {len(self.draws):,} draws, "
            f"effective {self.effective_sample_size:,.0f}, Pareto-k {self.pareto_k:.2f})"
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
        """Credible interval of each parameter, with equal tails.

        Parameters
        ----------
        level
            Probability of the interval, between 0 and 1.
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
    prior: Mapping[str, ParameterPrior] | None = None,
) -> Posterior:
    """Draw parameters from their posterior distribution.

    `Fit.standard_errors` approximate the likelihood by a normal distribution; the draws do not,
    which matters with few customers. Importance sampling replaces the Markov chain, so
    neither burn-in nor convergence needs attention.

    Parameters
    ----------
    customers
        The table that `fit` was made on. A `Fit` does not hold its customers, and the likelihood
        of other parameters needs their histories.
    fit
        A fitted purchase or spend model.
    draws
        Number of draws, 100 or more.
    seed
        Seed of the random numbers; the same seed gives the same draws.
    prior
        Priors of parameters, in place of those of the fit or the default, such as
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
        If the number of customers is not that of the fit, or the fit was made from given
        parameters; if `draws` is below 100; if `prior` names an unknown parameter or is of the
        wrong kind; or if the levels of a covariate are not those of the fit.

    Warns
    -----
    CrmkitWarning
        If Pareto-k shows that the draws are unreliable.

    Notes
    -----
    Draws come from a Student-t at the mode of the log posterior in the logs of the parameters,
    are weighted by the ratio of the two densities, and resampled by weight. The largest weights
    are smoothed; where Pareto-k is above 0.7 the t is refitted to the weighted draws, up to five
    times.

    By default each parameter is within a factor of 50 of 1 with 95 % probability. Times
    (`alpha`, and `beta` of Pareto/NBD) are counted in the customers' mean days per repeat
    purchase, money in their mean spend, so the unit changes nothing.

    With covariates, the default priors are about a customer for whom they are average; a `prior`
    that is given is about the one for whom they are 0, as in `crmkit.clv.fit`. A coefficient is
    normal around 0 by default: a standard deviation of the covariate, or a level against the
    first, moves a rate, the odds or the spend by a factor of up to 7 either way with 95 %
    probability. That is wider than the usual effects of covariates, so it gives way to data, and
    narrow enough to hold a coefficient that the data do not identify. A penalty of the fit is
    equal to a normal prior, and takes its place. `prior` takes ``Normal(mean=0, deviation=0.02)``
    for a coefficient, per unit of the covariate. Each draw then evaluates all different customers.

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
    >>> drawn = posterior(customers, fit=fitted)
    >>> {name: f"{low:.1f} to {high:.1f}" for name, (low, high) in drawn.intervals().items()}
    {'r': '0.2 to 0.3', 'alpha': '27.1 to 35.8', 'a': '0.6 to 1.2', 'b': '1.6 to 4.1'}
    >>> drawn.effective_sample_size > 2000, drawn.diagnostics
    (True, ())
    """
    require_fit_of(fit, argument="fit", models=[*PURCHASE_MODELS, *SPEND_MODELS])
    _require_fitted_on_data(fit)
    require_whole(
        draws,
        argument="draws",
        least=_FEWEST_DRAWS,
        most=_MOST_DRAWS,
        advice="Write 4000 if in doubt.",
    )
    if prior is not None:
        require_priors(prior)
    require_seed(seed)
    columns, weights, unit = _histories(customers, fit)
    rows = columns[-1] if fit.covariates else np.zeros((len(weights), 0))
    middles, scales = centres_and_scales(rows, weights, fit.covariates)
    joint, priors = prior_of(
        fit,
        unit=unit,
        middles=middles,
        scales=scales,
        changes={**dict(fit.prior), **(prior or {})},
    )
    density = LogPosterior(joint, columns=columns, weights=weights)
    mode, rng = density.mode(), np.random.default_rng(int(seed))
    sample = importance_sample(
        density.values, centre=mode, covariance=density.covariance(mode), draws=int(draws), rng=rng
    )
    drawn = joint.in_units(sample.resampled(rng))
    drawn.flags.writeable = False
    found = Posterior(
        name=fit.name,
        mode=replace(fit.model, **_parameters(fit, joint.in_units(mode[np.newaxis])[0])),
        names=fit.likelihood.names,
        draws=drawn,
        effective_sample_size=sample.effective_sample_size,
        pareto_k=sample.pareto_k,
        round=sample.round,
        prior=priors,
        diagnostics=_diagnose(sample),
    )
    for note in found.diagnostics:
        warnings.warn(f"{fit.name}: {note}", CrmkitWarning, stacklevel=2)
    return found


def _require_fitted_on_data(fit: Fit) -> None:
    if fit.is_given:
        msg = (
            "`fit` was made from given parameters, so it has no data for a posterior.\n"
            "Fit the model with crmkit.clv.fit()."
        )
        raise InvalidArgumentError(msg)


def _histories(customers: IntoFrame, fit: Fit) -> tuple[tuple[Floats, ...], Floats, float]:
    """Collect the histories of the fit, the design matrix last, their counts, and the fit's unit.

    The unit is days per repeat purchase, or mean spend of one.
    """
    wanted = [(each.process, each.column) for each in fit.covariates]
    seen, found, rows = histories_with(customers, fit.name, wanted)
    n_customers = round(float(seen.weights.sum()))
    if n_customers != fit.n_customers:
        msg = (
            f"`fit` was made on {fit.n_customers:,} customers; the table has {n_customers:,} "
            "usable ones.\nGive the table that the fit was made on."
        )
        raise InvalidArgumentError(msg)
    for then, now in zip(fit.covariates, found, strict=True):
        if then != now:
            msg = (
                f"`fit` was made with {_levels(then)} in `{then.column}`; the table has "
                f"{_levels(now)}.\nGive the table that the fit was made on."
            )
            raise InvalidArgumentError(msg)
    x, last = seen.columns[0], seen.columns[-1]
    whole = last if fit.name in PURCHASE_MODELS else x * last
    unit = float(seen.weights @ whole) / float(seen.weights @ x)
    return (*seen.columns, *([rows] if wanted else [])), seen.weights, unit


def _levels(covariate: Covariate) -> str:
    return "numbers" if covariate.levels is None else ", ".join(map(repr, covariate.levels))


def _parameters(fit: Fit, values: Floats) -> dict[str, float]:
    """Name the parameters, without the coefficients that follow."""
    n = len(values) - len(fit.likelihood.coefficients)
    return dict(zip(fit.likelihood.names[:n], values[:n].tolist(), strict=True))


def _diagnose(sample: ImportanceSample) -> tuple[str, ...]:
    """Give a sentence where the draws are unreliable."""
    if sample.is_reliable:
        return ()
    threshold = pareto_k_threshold(len(sample.weights))
    note = (
        f"Pareto-k is {sample.pareto_k:.2f}, above {threshold:.2f}, after all rounds of draws: "
        "few draws carry most of the weight, as the data hardly identify the parameters. Make more "
        "draws or narrow the prior, or do not rely on the intervals."
    )
    return (note,)
