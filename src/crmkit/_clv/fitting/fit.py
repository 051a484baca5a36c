"""Fit a model to all customers at once, and keep what was learned."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from narwhals.typing import IntoFrame
from scipy.special import ndtri

from crmkit._clv.fitting import diagnostics
from crmkit._clv.fitting.covariates import Asked, Covariate
from crmkit._clv.fitting.fit_with_covariates import fit_with
from crmkit._clv.fitting.histories import purchase_histories, spend_histories
from crmkit._clv.fitting.priors import LogNormal
from crmkit._words.arguments import shown
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitError, CrmkitWarning, InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.protocol import PurchaseModel, SpendModel

_OF_CONTRACTS: Final = "Fit a model of contracts with fit_retention()."
_ELSEWHERE: Final = {
    "bg_bb": "Fit it on a table of opportunities with fit_opportunities().",
    "sbg": _OF_CONTRACTS,
    "bdw": _OF_CONTRACTS,
}


@dataclass(frozen=True, slots=True, repr=False)
class Fit:
    """A fitted model: a value to print, compare, keep as JSON and predict with.

    Attributes
    ----------
    name
        Which model, as given to `fit`.
    likelihood
        The model at its maximum likelihood, the covariance of its log parameters and what
        the data leave open.
    n_left_out
        Customers that the fit could not use: for spend, those without a repeat purchase or
        with repeat spend of zero or less. A prediction gives them the population's mean.
    covariates
        Columns that move the parameters of a customer, with the levels that the fit has seen.
    penalty
        What held the coefficients of covariates, as given to `fit`.
    prior
        What was believed of parameters beforehand, by name.
    """

    name: str
    likelihood: MaximumLikelihood[Any]
    n_left_out: int = 0
    covariates: tuple[Covariate, ...] = ()
    penalty: float = 0.0
    prior: tuple[tuple[str, LogNormal], ...] = ()

    def __repr__(self) -> str:
        """Show the model, its estimates in four digits, how well it fits, and what held it."""
        estimates = ", ".join(f"{name}={value:.4g}" for name, value in self.estimates.items())
        held = [f"penalty {self.penalty:g}"] if self.penalty else []
        held += [f"prior on {', '.join(name for name, _ in self.prior)}"] if self.prior else []
        of = [f"{self.n_customers:,} customers", *held]
        return (
            f"{type(self.model).__name__}({estimates}; log-likelihood {self.log_likelihood:,.1f}, "
            f"{', '.join(of)})"
        )

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
        """Standard error of each parameter; None for a k, or where the data leave it open."""
        errors = zip(self.likelihood.names, self.likelihood.standard_errors, strict=True)
        return dict.fromkeys(self.estimates) | dict(errors)

    def intervals(self, *, level: float = 0.9) -> dict[str, tuple[float, float] | None]:
        """Give bounds that hold each parameter with this confidence; None as in standard errors.

        They are symmetric on the log scale, so that they stay inside a parameter's domain; those
        of coefficients, which may be of either sign, are symmetric as they are.

        Parameters
        ----------
        level
            Between 0 and 1.
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
        return self.likelihood.log_likelihood

    @property
    def n_customers(self) -> int:
        """How many customers the fit used."""
        return self.likelihood.n_customers

    @property
    def n_parameters(self) -> int:
        """How many numbers the fit chose, the k of a CNBD among them."""
        return len(fields(self.model)) + len(self.likelihood.coefficients)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; lower is better.

        It is meant for the likeliest fit: a penalty or prior makes it larger than that.
        """
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian information criterion; lower is better. A penalty or prior makes it larger."""
        return self.n_parameters * math.log(self.n_customers) - 2 * self.log_likelihood

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """What a reader of the estimates must know; empty if all is well."""
        return self.likelihood.diagnostics

    def to_json(self) -> str:
        """Write the fit as JSON text, to keep it for next month."""
        return json.dumps(
            {
                "name": self.name,
                "n_left_out": self.n_left_out,
                "covariates": [asdict(each) for each in self.covariates],
                "penalty": self.penalty,
                "prior": {name: asdict(belief) for name, belief in self.prior},
                "likelihood": self.likelihood.to_dict(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Fit:
        """Read a fit back from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds no fit.
        """
        kept = read_fit(text)
        with reading():
            likelihood = MaximumLikelihood.from_dict(
                kept["likelihood"], build=_model_class(kept["name"])
            )
            covariates = tuple(map(Covariate.from_dict, kept.get("covariates", ())))
            prior = tuple((name, LogNormal(**of)) for name, of in kept.get("prior", {}).items())
            return cls(
                kept["name"],
                likelihood,
                kept["n_left_out"],
                covariates,
                penalty=kept.get("penalty", 0.0),
                prior=prior,
            )


def read_fit(text: str) -> dict[str, Any]:
    """Read the text of a fit, or say that it is none."""
    with reading():
        kept = json.loads(text)
        kept["name"], kept["n_left_out"], kept["likelihood"]["model"]
        return dict(kept)


@contextmanager
def reading() -> Iterator[None]:
    """Say that a text holds no fit where what it holds cannot be put together."""
    try:
        yield
    except CrmkitError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        msg = "Fit: this text holds no fit.\nKeep one with to_json()."
        raise InvalidArgumentError(msg) from None


def fit(
    customers: IntoFrame,
    *,
    model: str,
    covariates: Asked | None = None,
    penalty: float = 0.0,
    prior: Mapping[str, LogNormal] | None = None,
) -> Fit:
    """Learn from all customers' histories how they buy and leave, or how they spend.

    Purchase models take it that customers buy at random and that nobody says goodbye; a strong
    season or trend breaks the first. Spend models take it that how often one buys tells nothing
    about how much one spends.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    model
        For purchases (`frequency`, `recency`, `T`) one of those below, for spend (`frequency`,
        `monetary_value`) one of the last two.

        ===================  ============================================================
        ``bg_nbd``           one may leave after each repeat purchase; the usual choice
        ``mbg_nbd``          one may leave after the first purchase too
        ``pareto_nbd``       one may leave at any time
        ``ggompertz_nbd``    likewise, with odds of leaving that grow with age
        ``bg_cnbd_k``        as bg_nbd, with purchases more regular than chance; finds k
        ``mbg_cnbd_k``       as mbg_nbd, likewise
        ``nbd``              nobody leaves: the benchmark
        ``gamma_gamma``      spend, where few customers pay very much; the usual choice
        ``lognormal_spend``  spend that varies by factors, with fewer very large amounts
        ===================  ============================================================
    covariates
        Columns of `customers` that were known when the customer came, such as the channel:
        numbers, true and false, or text of at most 50 levels. A list moves each process by each
        column; ``{"purchases": [...], "dropout": [...]}`` says which, and a column under "both"
        moves the two by one coefficient. Spend models have the one process "spend". `nbd` and
        the CNBD-k take none.
    penalty
        Times the sum of the squares of the coefficients it is taken off the log-likelihood, to
        hold many of them near 0: those of numbers count per standard deviation. 0 or more.
    prior
        What is believed of a parameter beforehand, such as
        ``{"alpha": LogNormal(median=30, log_deviation=1)}``; the fit is then the most probable
        one, not the likeliest. With covariates it is about the customer for whom all are 0.

    Returns
    -------
    A `Fit`. Only the distinct histories and their counts come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If there is no such model or it takes no covariates; if `penalty` is below 0 or there is
        nothing to penalize; if `prior` names a parameter that the model has not; if a covariate
        is the same for all, follows from others or has too many levels.
    FitError
        If no customer has a repeat purchase.

    Warns
    -----
    CrmkitWarning
        If the data leave a parameter open, hardly anybody leaves, or fewer than 10 customers
        bought again; `Fit.diagnostics` says what and what it means.

    Notes
    -----
    What is known of customer i, w, moves own parameters, with a coefficient g for each:

    =============================  ===================================================
    purchases                      ``alpha_i = alpha exp(-g w)``: above 0 buys oftener
    dropout, ``pareto_nbd`` and    ``beta_i = beta exp(-g w)``: above 0 leaves sooner
    ``ggompertz_nbd``
    dropout, ``bg_nbd`` and        the log of the odds a / b rises by ``g w``, and
    ``mbg_nbd``                    a + b stays: above 0 leaves sooner
    spend, ``gamma_gamma``         ``v_i = v exp(g w)``: above 0 spends more
    spend, ``lognormal_spend``     ``median_i = median exp(g w)``, likewise
    =============================  ===================================================

    The other parameters are shared by all. `Fit.log_likelihood` is without penalty and prior;
    standard errors are with both.

    References
    ----------
    The head of each model's file in `crmkit.models` names its paper. Covariates: Fader, P. S. &
    Hardie, B. G. S. (2007). Incorporating time-invariant covariates into the Pareto/NBD and
    BG/NBD models. http://brucehardie.com/notes/019/.

    Examples
    --------
    The sample that the founding paper fits; it counts in weeks, and prints 4.414 for alpha.

    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
    >>> purchases = fit(customers, model="bg_nbd")
    >>> purchases
    BGNBD(r=0.2426, alpha=30.9, a=0.7929, b=2.426; log-likelihood -14,363.5, 2,357 customers)
    >>> round(purchases.estimates["alpha"] / 7, 3)
    4.414
    """
    chosen = _model_class(model)
    if covariates or penalty or prior:
        fitted = Fit(
            model,
            *fit_with(
                customers,
                name=model,
                model=chosen,
                covariates=covariates,
                penalty=penalty,
                prior=prior,
            ),
            penalty=float(penalty),
            prior=tuple((prior or {}).items()),
        )
    elif model in PURCHASE_MODELS:
        fitted = Fit(model, _fit_purchases(customers, PURCHASE_MODELS[model]))
    else:
        fitted = Fit(model, *_fit_spend(customers, chosen))
    for note in fitted.diagnostics:
        warnings.warn(f"{model}: {note}", CrmkitWarning, stacklevel=2)
    return fitted


def _fit_purchases(
    customers: IntoFrame, model: type[PurchaseModel]
) -> MaximumLikelihood[PurchaseModel]:
    columns, weights, _ = purchase_histories(customers)
    return diagnostics.of_purchases(model.fit(*columns, weights=weights), columns, weights)


def _fit_spend(
    customers: IntoFrame, model: type[SpendModel]
) -> tuple[MaximumLikelihood[SpendModel], int]:
    (x, z), weights, n_left_out = spend_histories(customers)
    return diagnostics.of_spend(model.fit(x, z, weights=weights)), n_left_out


def _model_class(name: str) -> Any:  # noqa: ANN401 - of either kind
    models: dict[str, Any] = {**PURCHASE_MODELS, **SPEND_MODELS}
    if not (isinstance(name, str) and name in models):
        advice = _ELSEWHERE.get(str(name), f"Choose one of {', '.join(map(repr, models))}.")
        msg = f"There is no model {shown(name)} for this table.\n{advice}"
        raise InvalidArgumentError(msg)
    return models[name]
