"""A fitted model as a value: to print, compare, keep as JSON and predict with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from scipy.special import ndtri

from crmkit._clv.fitting import kept_fit
from crmkit._clv.fitting.choice import FIELDS, Choice, as_fields, of_fields
from crmkit._clv.fitting.covariates import Covariate
from crmkit._clv.fitting.given import GivenParameters
from crmkit._clv.fitting.priors import LogNormal
from crmkit._words import kept
from crmkit._words.arguments import require_choice
from crmkit._words.rates import PERIOD_DAYS, require_level, require_period
from crmkit.errors import InvalidArgumentError
from crmkit.models import (
    PURCHASE_MODELS,
    SPEND_MODELS,
    MaximumLikelihood,
    from_parameters,
    parameter_names,
    rescaled,
)
from crmkit.typing import Period

_CONTRACTS: Final = "it is for contracts: see crmkit.clv.fit_retention()."
_OTHER_TABLES: Final = {
    "bg_bb": "it is for opportunities: see crmkit.clv.fit_opportunities().",
    "sbg": _CONTRACTS,
    "bdw": _CONTRACTS,
}


@dataclass(frozen=True, slots=True, repr=False)
class Fit:
    """Fitted purchase or spend model: a value to keep and predict with.

    Attributes
    ----------
    name
        Name of the model, as given to `fit`.
    likelihood
        The model at its maximum likelihood, with the covariance of its log parameters and the
        diagnostics of the search; the parameters alone where `Fit.of` made it.
    n_left_out
        Customers that the fit could not use: for spend, those without a repeat purchase or
        with repeat spend of zero or less. A prediction gives the first the population's mean;
        for the others it goes on with the model's line.
    covariates
        Columns that move the parameters of a customer, with the levels in the data fitted on.
    penalty
        The penalty on the coefficients of covariates, as given to `fit`.
    prior
        The priors of parameters, by name, as given to `fit`.
    n_repeat_purchases
        Repeat purchase days of the customers fitted on; None where unknown.
    choice
        How `crmkit.clv.choose` came to this model; None where the model was named.
    """

    name: str
    likelihood: MaximumLikelihood[Any] | GivenParameters
    n_left_out: int = 0
    covariates: tuple[Covariate, ...] = ()
    penalty: float = 0.0
    prior: tuple[tuple[str, LogNormal], ...] = ()
    n_repeat_purchases: int | None = None
    choice: Choice | None = None

    def __repr__(self) -> str:
        """Show the model, its estimates in four digits, how well it fits, and what held it."""
        estimates = ", ".join(f"{name}={value:.4g}" for name, value in self.estimates.items())
        title = type(self.model).__name__
        if self.is_given:
            return f"{title}({estimates}; given, not fitted)"
        held = [f"penalty {self.penalty:g}"] if self.penalty else []
        held += [f"prior on {', '.join(name for name, _ in self.prior)}"] if self.prior else []
        of = ", ".join([f"{self.n_customers:,} customers", *held])
        return f"{title}({estimates}; log-likelihood {self.log_likelihood:,.1f}, {of})"

    @classmethod
    def of(cls, name: str, /, *, unit: Period = "day", **parameters: float) -> Fit:
        """Make a fit from published or kept parameters, to predict with.

        It has no standard errors and no likelihood: `crmkit.clv.compare` evaluates it on the
        customers at hand.

        Parameters
        ----------
        name
            Name of a purchase or spend model.
        unit
            Unit of time of the parameters: "day", "week", "month", "quarter" or "year". Many
            papers print weeks. It has no effect on spend models.
        **parameters
            Each parameter by its name in the literature.

        Raises
        ------
        InvalidArgumentError
            If the model or a parameter is unknown, or a parameter is missing or outside its
            domain.

        Examples
        --------
        The parameters of the founding paper, which counts in weeks.

        >>> Fit.of("bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
        BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426; given, not fitted)
        """
        model_class(name, argument="name")
        require_period(unit, argument="unit")
        model = from_parameters(name, **parameters)
        if name in PURCHASE_MODELS:
            model = rescaled(model, unit=1 / PERIOD_DAYS[unit])
        return Fit(name, GivenParameters(model))

    @property
    def is_given(self) -> bool:
        """Whether the parameters were given, and not fitted to data."""
        return isinstance(self.likelihood, GivenParameters)

    @property
    def model(self) -> Any:  # noqa: ANN401 - a purchase or a spend model
        """The fitted model itself, with its formulas as methods.

        With covariates, that of a customer for whom all numbers are 0 and all texts at their
        first level.
        """
        return self.likelihood.model

    @property
    def estimates(self) -> dict[str, float]:
        """Each parameter by its name in the literature, in days, and each coefficient.

        A coefficient is named as "purchases: age" or "dropout: channel=web".
        """
        coefficients = self.likelihood.coefficients
        names = self.likelihood.names[len(self.likelihood.names) - len(coefficients) :]
        return asdict(self.model) | dict(zip(names, coefficients, strict=True))

    @property
    def standard_errors(self) -> dict[str, float | None]:
        """Standard error of each parameter; None for a k, or where the data do not identify it."""
        errors = zip(self.likelihood.names, self.likelihood.standard_errors, strict=True)
        return dict.fromkeys(self.estimates) | dict(errors)

    def intervals(self, *, level: float = 0.9) -> dict[str, tuple[float, float] | None]:
        """Confidence interval of each parameter; None without a standard error.

        They are symmetric on the log scale, so that they stay inside a parameter's domain; those
        of coefficients, which may be of either sign, are symmetric as they are.

        Parameters
        ----------
        level
            Coverage of the intervals, between 0 and 1.
        """
        require_level(level)
        width = float(ndtri((1 + level) / 2))
        errors = zip(self.likelihood.names, self.likelihood.standard_errors_log, strict=True)
        found: dict[str, tuple[float, float] | None] = dict.fromkeys(self.estimates)
        parameters = asdict(self.model)
        for name, error in errors:
            if error is None:
                continue
            estimate, reach = self.estimates[name], width * error
            if name in parameters:
                found[name] = (estimate / math.exp(reach), estimate * math.exp(reach))
            else:
                found[name] = (estimate - reach, estimate + reach)
        return found

    @property
    def log_likelihood(self) -> float:
        """Total log-likelihood of the customers fitted on, ages in days."""
        if isinstance(self.likelihood, GivenParameters):
            msg = (
                f"This {self.name} was made from given parameters, so it has no log-likelihood.\n"
                "Evaluate it with crmkit.clv.compare(customers, models=[...])."
            )
            raise InvalidArgumentError(msg)
        return self.likelihood.log_likelihood

    @property
    def n_customers(self) -> int:
        """Number of customers that the fit used; 0 where the parameters were given."""
        return self.likelihood.n_customers

    @property
    def n_parameters(self) -> int:
        """Number of parameters and coefficients, the k of a CNBD among them."""
        return len(parameter_names(self.model)) + len(self.likelihood.coefficients)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; lower is better.

        It is meant for maximum likelihood: a penalty or prior makes it larger than that.
        """
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian information criterion; lower is better. A penalty or prior makes it larger."""
        deviance = -2 * self.log_likelihood  # before the customers: a given fit has neither
        return self.n_parameters * math.log(self.n_customers) + deviance

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """What to know before using the estimates, one sentence each; empty if all is well."""
        return self.likelihood.diagnostics

    def in_units(self, unit: Period) -> FitInUnits:
        """Parameters, log-likelihood and AIC with time in another unit, to hold against a paper.

        Parameters
        ----------
        unit
            "day", "week", "month", "quarter" or "year".

        Returns
        -------
        A frozen `FitInUnits`. Spend models have no time in them and stay as they are.

        Notes
        -----
        A likelihood is a density of the times of purchases, so with a unit of u days the
        log-likelihood rises by log(u) for each repeat purchase. The difference between models
        stays the same.

        Examples
        --------
        The founding paper prints 0.243, 4.414, 0.793, 2.426 and -9582.4.

        >>> from datetime import date
        >>> from crmkit import clv, rfm
        >>> from crmkit.datasets import load_cdnow
        >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
        >>> clv.fit(customers, model="bg_nbd").in_units("week")
        BGNBD(r=0.2426, alpha=4.414, a=0.7929, b=2.426; by week, log-likelihood -9,582.4)
        """
        require_period(unit, argument="unit")
        model, log_likelihood = self.model, None if self.is_given else self.log_likelihood
        if self.name in PURCHASE_MODELS:
            model = rescaled(model, unit=PERIOD_DAYS[unit])
            if log_likelihood is not None:
                log_likelihood = self._shifted(log_likelihood, days=PERIOD_DAYS[unit])
        coefficients = [name for name in self.estimates if name not in parameter_names(model)]
        return FitInUnits(
            unit=unit,
            model=model,
            coefficients=tuple((name, self.estimates[name]) for name in coefficients),
            log_likelihood=log_likelihood,
            n_customers=self.n_customers,
        )

    def _shifted(self, log_likelihood: float, *, days: float) -> float | None:
        """Change the unit of the density of each purchase time."""
        if days == 1:
            return log_likelihood
        if self.n_repeat_purchases is None:
            return None
        return log_likelihood + self.n_repeat_purchases * math.log(days)

    def to_json(self) -> str:
        """Write the fit as JSON text, to keep it for next month."""
        choice = None if self.choice is None else as_fields(self.choice)
        return kept_fit.written(self, choice=choice)

    @classmethod
    def from_json(cls, text: str) -> Fit:
        """Read a fit from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        models = {**PURCHASE_MODELS, **SPEND_MODELS}
        more = {"choice": kept.optional(kept.record(FIELDS))}
        fields = kept_fit.read(text, kind=cls.__name__, models=models, more=more)
        choice = fields.pop("choice")
        return cls(**fields, choice=None if choice is None else of_fields(choice))


@dataclass(frozen=True, slots=True, repr=False)
class FitInUnits:
    """A fit with time in another unit, as `Fit.in_units` gives it.

    Attributes
    ----------
    unit
        The unit of time.
    model
        The model with its parameters in that unit.
    coefficients
        Names and values of the coefficients of covariates, which have no unit of time.
    log_likelihood
        In that unit; None where the parameters were given, or the fit was kept by a version that
        did not count repeat purchases.
    n_customers
        Number of customers that the fit used.
    """

    unit: Period
    model: Any
    coefficients: tuple[tuple[str, float], ...]
    log_likelihood: float | None
    n_customers: int

    def __repr__(self) -> str:
        """Show the model, its parameters in four digits, and how well it fits."""
        estimates = ", ".join(f"{name}={value:.4g}" for name, value in self.estimates.items())
        known = ""
        if self.log_likelihood is not None:
            known = f", log-likelihood {self.log_likelihood:,.1f}"
        return f"{type(self.model).__name__}({estimates}; by {self.unit}{known})"

    @property
    def estimates(self) -> dict[str, float]:
        """Each parameter and coefficient by its name."""
        return asdict(self.model) | dict(self.coefficients)

    @property
    def aic(self) -> float | None:
        """Akaike's information criterion; lower is better. None without a log-likelihood."""
        if self.log_likelihood is None:
            return None
        return 2 * len(self.estimates) - 2 * self.log_likelihood

    @property
    def bic(self) -> float | None:
        """Bayesian information criterion; lower is better. None without a log-likelihood."""
        if self.log_likelihood is None:
            return None
        return len(self.estimates) * math.log(self.n_customers) - 2 * self.log_likelihood


def model_class(name: str, *, argument: str = "model") -> Any:  # noqa: ANN401 - of either kind
    """Give the purchase or spend model of this name.

    Raises
    ------
    InvalidArgumentError
        If there is none; a misspelt name is answered with the nearest one.
    """
    if isinstance(name, str) and name in _OTHER_TABLES:
        msg = f"`{argument}` is {name!r}, but {_OTHER_TABLES[name]}"
        raise InvalidArgumentError(msg)
    models: dict[str, Any] = {**PURCHASE_MODELS, **SPEND_MODELS}
    require_choice(name, models, argument=argument)
    return models[name]
