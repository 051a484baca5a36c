"""From a company's own records to decisions about customers.

DataFrames in, DataFrames out: pandas, Polars, PyArrow, DuckDB, Dask and Spark alike. `intake`
reads what a company has, `rfm`, `cohorts`, `clv`, `lifecycle`, `churn` and `tiers` answer who the
customers are and what they are worth, `actions` and `economics` decide, and `pipeline` does all
of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crmkit.errors import (
    CrmkitError,
    CrmkitWarning,
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
    TooMuchSetAsideError,
)

if TYPE_CHECKING:
    from crmkit import (
        actions,
        campaigns,
        churn,
        clv,
        cohorts,
        datasets,
        economics,
        events,
        intake,
        lifecycle,
        loyalty,
        pipeline,
        plots,
        report,
        rfm,
        sales,
        tiers,
    )
    from crmkit.intake import contacts, contracts, costs, prospects, read_log, transactions

__version__ = "0.1.0"
__all__ = [
    "CrmkitError",
    "CrmkitWarning",
    "FitError",
    "InvalidArgumentError",
    "InvalidRowsError",
    "MissingColumnsError",
    "TooMuchSetAsideError",
    "actions",
    "campaigns",
    "churn",
    "clv",
    "cohorts",
    "contacts",
    "contracts",
    "costs",
    "datasets",
    "economics",
    "events",
    "intake",
    "lifecycle",
    "loyalty",
    "pipeline",
    "plots",
    "prospects",
    "read_log",
    "report",
    "rfm",
    "sales",
    "tiers",
    "transactions",
]
_AT_THE_TOP = ("contacts", "contracts", "costs", "prospects", "read_log", "transactions")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a room, or one of its functions
    """Open a room when it is first asked for, so that importing crmkit costs next to nothing."""
    if name in _AT_THE_TOP:
        return getattr(import_module("crmkit.intake"), name)
    if name in __all__:
        return import_module(f"crmkit.{name}")
    msg = f"module 'crmkit' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    """List the public names, also those not opened yet."""
    return [*__all__, "__version__"]
