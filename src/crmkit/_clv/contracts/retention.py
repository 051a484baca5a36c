"""Retention of customers under contract: fit, forecast, discounted residual lifetime."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import date
from typing import Any, Final, get_args

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.contracts.histories import Histories, from_contracts, from_survivors
from crmkit._clv.fitting import diagnostics, kept_fit
from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames, time
from crmkit._words import kept
from crmkit._words.arguments import (
    require_backend,
    require_choice,
    require_fitted,
    require_list,
    require_whole,
)
from crmkit._words.rates import rate_per_period, require_period
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.models import CONTRACT_MODELS
from crmkit.models.protocol import ContractModel
from crmkit.tables import CONTRACTS, SURVIVORS
from crmkit.typing import Backend, Period

_MOST_PERIODS: Final = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class RetentionFit(Fit):
    """Fitted retention model: a value to keep and forecast with.

    Attributes
    ----------
    every
        Length of a period, at the end of which a contract is renewed or not.
    n_left_out
        Customers whose first period was not over, and so have no information.
    """

    _: KW_ONLY
    every: Period

    def to_json(self) -> str:
        """Write the fit as JSON text, to keep it for next month."""
        return kept_fit.written(self, every=self.every)

    @classmethod
    def from_json(cls, text: str) -> RetentionFit:
        """Read a fit from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        more = {"every": kept.choice(*get_args(Period))}
        return cls(**kept_fit.read(text, kind="RetentionFit", models=CONTRACT_MODELS, more=more))


def fit_retention(
    contracts: IntoFrame,
    *,
    model: str = "sbg",
    every: Period,
    as_of: date | str | None = None,
) -> RetentionFit:
    """Fit a retention model to customers under contract.

    The retention rate of a cohort rises with its age, since those who churn easily are gone first;
    a constant rate forecasts too few survivors. The model assumes that contracts are renewed
    once a period, and that old and new cohorts behave alike: a change of price or product
    breaks that.

    Parameters
    ----------
    contracts
        Either counts: `period` (0, 1, 2, ...) and `survivors`, the number of customers still
        there after each period; with a `cohort` column, of several groups, each followed for as
        long as it could be. Or one row per contract: `customer_id`, `start` and `end`, null where
        it still runs; a renewed contract is one row from its first day on.
    model
        "sbg", the shifted beta-geometric: each customer's churn probability stays the same.
        "bdw", the beta-discrete-Weibull: it may rise or fall with time.
    every
        Length of a period: "day", "week", "month", "quarter" or "year".
    as_of
        For contracts, the last day that is seen, as a date or ISO text; a later end has not
        happened yet.

    Returns
    -------
    A `RetentionFit`. Only counts come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `contracts` breaks its contract: counts that rise, or leave out a period.
    InvalidArgumentError
        If `model` or `every` is unknown; if `as_of` is missing, or given with counts.
    FitError
        If all customers renewed, or all left.

    Warns
    -----
    CrmkitWarning
        If the data do not identify a parameter, or fewer than 10 customers left;
        `RetentionFit.diagnostics` has the sentence.

    Notes
    -----
    Periods of a contract count from its own first day. One that ended was lost at the end of
    the period it ended in, whether `end` names the last day or the day after (by "day", the day
    after). It counts as lost once that period is over: until then nobody knows which others of its
    age will stay, and losses alone would overstate churn. A contract that begins on the
    31st is renewed by the 1st of the next month but one.

    References
    ----------
    See `crmkit.models.contracts.sbg` and `crmkit.models.contracts.bdw`.

    Examples
    --------
    The regular customers of the founding paper, which prints 0.704 and 1.182:

    >>> import pandas as pd
    >>> survivors = [1000, 631, 468, 382, 326, 289, 262, 241]
    >>> regular = pd.DataFrame({"period": range(8), "survivors": survivors})
    >>> fit_retention(regular, every="year")
    SBG(alpha=0.7041, beta=1.182; log-likelihood -1,680.3, 1,000 customers)
    """
    require_period(every)
    require_choice(model, CONTRACT_MODELS, argument="model")
    chosen: Any = CONTRACT_MODELS[model]
    periods, lost, n_customers = _histories(contracts, as_of=as_of, every=every)
    seen = periods > 0
    likelihood = chosen.fit(periods[seen], lost[seen], weights=n_customers[seen])
    likelihood = diagnostics.with_contract_diagnostics(likelihood, float(n_customers @ lost))
    n_left_out = round(float(n_customers[~seen].sum()))
    fitted = RetentionFit(model, likelihood, n_left_out, every=every)
    for note in fitted.diagnostics:
        warnings.warn(f"{model}: {note}", CrmkitWarning, stacklevel=2)
    return fitted


def forecast_retention(fit: RetentionFit, *, periods: int, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Forecast survival, retention and churn rate of a new cohort by period.

    Parameters
    ----------
    fit
        A fitted model, as made by `fit_retention`.
    periods
        Number of periods to follow the cohort, counted from its beginning.
    backend
        Library of the returned table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per period, in order:

    ==================  =====  ==========================================================
    ``period``          int    1 for the period that ends with the first renewal
    ``survival``        float  share of the cohort that is there after the period
    ``retention_rate``  float  share of those there before who renew at its end, per period
    ``churn_rate``      float  share of those there before who leave at its end, per period
    ==================  =====  ==========================================================

    Raises
    ------
    InvalidArgumentError
        If `periods` is not a whole number from 1 to 1,000,000, or `fit` is not a `RetentionFit`.

    Examples
    --------
    >>> import pandas as pd
    >>> survivors = [1000, 631, 468, 382, 326, 289, 262, 241]
    >>> regular = pd.DataFrame({"period": range(8), "survivors": survivors})
    >>> ahead = forecast_retention(fit_retention(regular, every="year"), periods=12)
    >>> print(ahead.tail(3).round(3).to_string(index=False))
     period  survival  retention_rate  churn_rate
         10     0.191           0.935       0.065
         11     0.180           0.941       0.059
         12     0.170           0.945       0.055
    """
    model = _contract_model(fit)
    require_backend(backend)
    require_whole(
        periods,
        argument="periods",
        least=1,
        most=_MOST_PERIODS,
        advice="Write 12 for a year of months.",
    )
    period = np.arange(1, int(periods) + 1)
    t = period.astype(np.float64)
    columns = {
        "period": period.tolist(),
        "survival": model.survival(t).tolist(),
        "retention_rate": model.retention_rate(t).tolist(),
        "churn_rate": model.churn_rate(t).tolist(),
    }
    return frames.new_table(columns, backend=backend)


def discounted_residual_lifetime(
    fit: RetentionFit,
    *,
    renewals: Sequence[int],
    annual_discount_rate: float,
    backend: Backend = "pandas",
) -> Any:  # noqa: ANN401 - native to `backend`
    """Expected remaining periods by past renewals, discounted (DERL).

    Times the margin of one period it is the residual value of a customer just before the decision
    on the next renewal. Customers who have renewed often stay longer, so they are worth more.

    Parameters
    ----------
    fit
        A fitted model, as made by `fit_retention`.
    renewals
        Renewals made so far: [0, 1, 2] gives a row for each; 0 is before the first.
    annual_discount_rate
        Yearly rate at which future money is discounted, as a fraction: 0.1 for 10 % a year.
    backend
        Library of the returned table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per number of renewals, in the order given:

    ================================  =====  ============================================
    ``renewals``                      int    renewals made so far
    ``discounted_residual_lifetime``  float  periods still to come, each discounted to
                                             the next renewal; the period that it pays for
                                             counts in full
    ================================  =====  ============================================

    Raises
    ------
    InvalidArgumentError
        If `renewals` are not whole numbers of 0 or more; if the rate is outside its range, or
        too low for the sum to be finite; if `fit` is not a `RetentionFit`.

    Notes
    -----
    One period is discounted by ``(1 + annual_discount_rate) ** (1 / periods a year)``. For a
    customer just acquired, who has paid for the first period, add that one and discount the
    row of 0 renewals by one period.

    References
    ----------
    Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting:
    the perils of ignoring heterogeneity. *Marketing Science* 29(1), 85-93, eq. 6.
    https://doi.org/10.1287/mksc.1080.0482

    Examples
    --------
    >>> import pandas as pd
    >>> survivors = [1000, 631, 468, 382, 326, 289, 262, 241]
    >>> regular = pd.DataFrame({"period": range(8), "survivors": survivors})
    >>> worth = discounted_residual_lifetime(
    ...     fit_retention(regular, every="year"),
    ...     renewals=[0, 1, 7],
    ...     annual_discount_rate=0.1,
    ... )
    >>> print(worth.round(2).to_string(index=False))
     renewals  discounted_residual_lifetime
            0                          2.96
            1                          4.10
            7                          6.84
    """
    model = _contract_model(fit)
    require_backend(backend)
    rate = rate_per_period(annual_discount_rate, every=fit.every)
    renewals = require_list(renewals, argument="renewals")
    for each in renewals:
        require_whole(each, argument="renewals", least=0, advice="Write [0, 1, 2].")
    made = np.array(renewals, dtype=np.float64)
    worth = model.discounted_lifetime(made, discount_rate_per_period=rate)
    columns = {
        "renewals": made.astype(np.int64).tolist(),
        "discounted_residual_lifetime": worth.tolist(),
    }
    return frames.new_table(columns, backend=backend)


def _histories(contracts: IntoFrame, *, as_of: date | str | None, every: Period) -> Histories:
    counts = "survivors" in frames.open_table(contracts, SURVIVORS).collect_schema().names()
    if counts and as_of is None:
        return from_survivors(contracts)
    if not counts and as_of is not None:
        day = time.as_day(as_of, argument="as_of")
        return from_contracts(contracts, as_of=day, every=every)
    if not counts:
        frames.read(contracts, CONTRACTS)  # the wrong table is the first thing to report
    msg = (
        "`as_of` is for rows of contracts; this table has counts of survivors.\nLeave it out."
        if counts
        else "`as_of` is needed to see which contracts still run on that day.\n"
        "Write as_of=datetime.date(2024, 12, 31)."
    )
    raise InvalidArgumentError(msg)


def _contract_model(fit: RetentionFit) -> ContractModel:
    require_fitted(fit, RetentionFit, argument="fit", made_by="crmkit.clv.fit_retention")
    model: ContractModel = fit.model
    return model
