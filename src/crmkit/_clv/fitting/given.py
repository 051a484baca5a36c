"""Parameters that were given, in place of a maximum likelihood: published or kept elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crmkit.models import parameter_names


@dataclass(frozen=True, slots=True)
class GivenParameters:
    """A model with given parameters: no data, so no likelihood and no standard errors.

    It answers to what `MaximumLikelihood` has, as far as that is known.

    Attributes
    ----------
    model
        The model with these parameters.
    """

    model: Any

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return parameter_names(self.model)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Coefficients of covariates: none."""
        return ()

    @property
    def covariance_log(self) -> tuple[tuple[None, ...], ...]:
        """Covariance of the logs of the parameters: unknown."""
        return ((None,) * len(self.names),) * len(self.names)

    @property
    def standard_errors_log(self) -> tuple[None, ...]:
        """Standard error of the log of each parameter: unknown."""
        return (None,) * len(self.names)

    @property
    def standard_errors(self) -> tuple[None, ...]:
        """Standard error of each parameter: unknown."""
        return (None,) * len(self.names)

    @property
    def n_customers(self) -> int:
        """Number of customers fitted on: 0."""
        return 0

    @property
    def converged(self) -> bool:
        """Whether a search ended at a maximum: there was none."""
        return False

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Diagnostics of a fit: none."""
        return ()
