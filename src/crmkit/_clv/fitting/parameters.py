"""The parameters of fits, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames
from crmkit._words.arguments import require_backend, require_fitted, require_list
from crmkit.errors import InvalidArgumentError
from crmkit.typing import Backend


def parameters(fits: Fit | Sequence[Fit], *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """List the parameters of fitted models with their standard errors.

    Times are in days: `Fit.in_units` gives them by week, to hold against a paper.

    Parameters
    ----------
    fits
        A fitted model, or several, as made by `crmkit.clv.fit`.
    backend
        Library of the returned table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per parameter and coefficient of a covariate, in the order of the fits:

    ==================  =====  ===============================================================
    ``model``           text   name of the model
    ``parameter``       text   its name in the literature; coefficients as "dropout: age"
    ``estimate``        float  the estimate
    ``standard_error``  float  null for a k, for given parameters, and where the data do not
                               identify the parameter
    ==================  =====  ===============================================================

    Raises
    ------
    InvalidArgumentError
        If `fits` is empty or holds anything but fits, or `backend` is unknown.

    Notes
    -----
    Standard errors are those of the log parameters by the delta method:
    ``error(x) = x error(ln x)``.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
    >>> table = parameters(clv.fit(customers, model="bg_nbd"))
    >>> print(table.round(3).to_string(index=False))
     model parameter  estimate  standard_error
    bg_nbd         r     0.243           0.013
    bg_nbd     alpha    30.895           2.648
    bg_nbd         a     0.793           0.186
    bg_nbd         b     2.426           0.705
    """
    require_backend(backend)
    made_by = "crmkit.clv.fit"
    each = [fits] if isinstance(fits, Fit) else require_list(fits, argument="fits")
    for fit in each:
        require_fitted(fit, Fit, argument="fits", made_by=made_by)
    if not each:
        msg = f"`fits` is empty.\nGive a fit, as made by {made_by}()."
        raise InvalidArgumentError(msg)
    table = frames.new_table(parameter_columns(each), backend=backend)
    return frames.give(with_types(frames.reopen(table)), like=table)


def parameter_columns(fits: Sequence[Fit]) -> dict[str, Any]:
    """Give the columns of the table, on whatever engine it is then made."""
    lines = [
        (fit.name, name, float(estimate), fit.standard_errors[name])
        for fit in fits
        for name, estimate in fit.estimates.items()
    ]
    names = ("model", "parameter", "estimate", "standard_error")
    return {name: [line[i] for line in lines] for i, name in enumerate(names)}


def with_types(table: frames.Frame) -> frames.Frame:
    """Make the numbers floats, also where none is known."""
    return table.with_columns(nw.col("estimate", "standard_error").cast(nw.Float64))
