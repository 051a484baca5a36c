"""BG/BB: customers who buy once in a period or not at all, fitted and forecast."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from typing import Final, get_args

from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._clv.fitting import kept_fit
from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words import kept
from crmkit._words.arguments import require_fitted, require_whole
from crmkit._words.rates import rate_per_period, require_period
from crmkit.errors import CrmkitWarning
from crmkit.models import BGBB, OPPORTUNITY_MODELS
from crmkit.tables import OPPORTUNITIES
from crmkit.typing import Period

_NAME: Final = "bg_bb"
_MOST_AHEAD: Final = 100_000
_HISTORY: Final = OPPORTUNITIES.only("frequency", "recency", "n_opportunities")


@dataclass(frozen=True, slots=True, repr=False)
class OpportunityFit(Fit):
    """Fitted BG/BB model: a value to keep and forecast with.

    Attributes
    ----------
    every
        Length of a period, which is one opportunity to buy.
    """

    _: KW_ONLY
    every: Period

    def to_json(self) -> str:
        """Write the fit as JSON text, to keep it for next month."""
        return kept_fit.written(self, every=self.every)

    @classmethod
    def from_json(cls, text: str) -> OpportunityFit:
        """Read a fit from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        more = {"every": kept.choice(*get_args(Period))}
        models = OPPORTUNITY_MODELS
        return cls(**kept_fit.read(text, kind="OpportunityFit", models=models, more=more))


def fit_opportunities(customers: IntoFrame, *, every: Period = "month") -> OpportunityFit:
    """Fit BG/BB: purchase and dropout probability per opportunity.

    At each opportunity a customer drops out with an own probability; one who is still active buys
    with another. The model assumes that one opportunity is like the next; where the month of the
    year matters, count years or quarters.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.clv.opportunities`.
    every
        The period counted there as one opportunity: "day", "week", "month", "quarter" or "year".

    Returns
    -------
    An `OpportunityFit`. Only the distinct histories and their counts come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `every` is not a calendar period.
    FitError
        If no customer bought again.

    Warns
    -----
    CrmkitWarning
        If the data do not identify a parameter; `OpportunityFit.diagnostics` has the sentence.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-base analysis in a discrete-time
    noncontractual setting. *Marketing Science* 29(6), 1086-1108.
    https://doi.org/10.1287/mksc.1100.0580

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv
    >>> from crmkit.datasets import load_cdnow
    >>> months = clv.opportunities(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> fitted = fit_opportunities(months, every="month")
    >>> {name: round(value, 3) for name, value in fitted.estimates.items()}
    {'alpha': 0.525, 'beta': 3.388, 'gamma': 0.56, 'delta': 5.704}
    """
    require_period(every)
    frame = frames.read(customers, _HISTORY)
    rows = frames.counted(frame, _HISTORY)
    x, t_x, n, weights = (rows[name].to_numpy().astype(float) for name in rows.columns)
    fitted = OpportunityFit(_NAME, BGBB.fit(x, t_x, n, weights=weights), every=every)
    for note in fitted.diagnostics:
        warnings.warn(f"{_NAME}: {note}", CrmkitWarning, stacklevel=2)
    return fitted


def forecast_opportunities(
    customers: IntoFrameT,
    *,
    fit: OpportunityFit,
    n_opportunities: int,
    annual_discount_rate: float = 0.0,
) -> IntoFrameT:
    """Forecast purchases per customer over the next opportunities.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.clv.opportunities`.
    fit
        A fitted model, as made by `fit_opportunities`.
    n_opportunities
        Number of opportunities to look ahead: 12 for a year of months.
    annual_discount_rate
        Yearly rate at which future purchases are discounted, as a fraction: 0.1 for 10 % a year.

    Returns
    -------
    The same rows with three more columns, which replace those of their names:

    ========================  =====  ==========================================================
    ``p_alive``               float  probability that the customer is still active
    ``expected_purchases``    float  number of opportunities ahead at which the customer buys
    ``discounted_purchases``  float  the same, each discounted to the end of the last complete
                                     period
    ========================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `n_opportunities` is not a whole number from 1 to 100,000, the rate is not a fraction, or
        `fit` is not an `OpportunityFit`.

    References
    ----------
    See `fit_opportunities`; equation 13 there.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> months = clv.opportunities(orders, as_of=date(1998, 6, 30))
    >>> ahead = forecast_opportunities(
    ...     months, fit=fit_opportunities(months), n_opportunities=12, annual_discount_rate=0.1
    ... )
    >>> columns = ["frequency", "recency", "n_opportunities", "p_alive", "expected_purchases"]
    >>> print(ahead[columns].head(3).round(2).to_string(index=False))
     frequency  recency  n_opportunities  p_alive  expected_purchases
             2       11               17     0.74                0.94
             0        0               17     0.31                0.08
             0        0               17     0.31                0.08
    """
    require_fitted(fit, OpportunityFit, argument="fit", made_by="crmkit.clv.fit_opportunities")
    require_whole(
        n_opportunities,
        argument="n_opportunities",
        least=1,
        most=_MOST_AHEAD,
        advice="Write 12 for a year of months.",
    )
    rate = rate_per_period(annual_discount_rate, every=fit.every)
    model, ahead = fit.model, int(n_opportunities)

    def forecast(frequency: Floats, recency: Floats, n_opportunities: Floats) -> dict[str, Floats]:
        history = (frequency, recency, n_opportunities)
        return {
            "p_alive": model.probability_alive(*history),
            "expected_purchases": model.expected_purchases(*history, opportunities=ahead),
            "discounted_purchases": model.discounted_purchases(
                *history, opportunities=ahead, discount_rate_per_opportunity=rate
            ),
        }

    computed = frames.with_computed(
        frames.read(customers, _HISTORY),
        like=customers,
        table=_HISTORY,
        inputs=_HISTORY.column_names,
        compute=forecast,
    )
    return frames.give(computed, like=customers)
