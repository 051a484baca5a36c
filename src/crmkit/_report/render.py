"""Render the result of the main job as one HTML page."""

from __future__ import annotations

from typing import Any

from narwhals.typing import IntoFrame

from crmkit._report.inputs import read_inputs
from crmkit._report.page import write_page
from crmkit._words.arguments import require_fitted
from crmkit.pipeline import Result


def render(
    result: Result[Any],
    *,
    title: str = "Customer report",
    source: str = "",
    findings: IntoFrame | None = None,
    n_set_aside: int | None = None,
    tables_folder: str = "tables",
    currency: str = "",
) -> str:
    """Render the result of the main job as one HTML page.

    Each section begins with a summary of its numbers in one sentence, and links to its tables.
    `render` does not write these tables: the links lead to ``customers.csv`` beside the page and
    to the other tables in `tables_folder`.

    Parameters
    ----------
    result
        As made by `crmkit.pipeline.run`.
    title
        The page's title.
    source
        Description of the source of the data.
    findings
        Findings on the raw log, as made by `crmkit.intake.check`.
    n_set_aside
        Number of rows of the raw log that `crmkit.intake.clean` set aside; None if unknown.
    tables_folder
        The folder of the tables, relative to the page.
    currency
        Currency sign to write before amounts, such as "$" or "EUR ".

    Returns
    -------
    The page as HTML text, to write to a file in UTF-8. Equal results give equal pages.

    Raises
    ------
    InvalidArgumentError
        If `result` is of another type.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import pipeline
    >>> from crmkit.datasets import load_cdnow
    >>> result = pipeline.run(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> page = render(result, title="CDNOW", source="one tenth of CDNOW", currency="$")
    >>> page.count("<section"), page.count("<svg")
    (11, 11)
    """
    require_fitted(result, Result, argument="result", made_by="crmkit.pipeline.run")
    inputs = read_inputs(
        result,
        source=source,
        findings=findings,
        n_set_aside=n_set_aside,
        tables_folder=tables_folder,
        currency=currency,
    )
    return write_page(inputs, title=title)
